"""The command `afcmd`: finds the command that the words mean, runs it, and turns failures into exit codes."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from docopt import DocoptExit, docopt

from afanasy_py import __version__
from afanasy_py.afcmd.catalogue import GLOBAL_OPTIONS, find, overview, usage
from afanasy_py.afcmd.command import Command, Session, UsageError, Words
from afanasy_py.arguments import Arguments
from afanasy_py.client import Client, ConnectionFailedError
from afanasy_py.config import Config, load_config
from afanasy_py.errors import AfanasyError, ConfigError, ProtocolError
from afanasy_py.machine import CGRU_VERSION
from afanasy_py.reach import make_reach

DONE, REFUSED, USAGE, NO_CONNECTION, INTERRUPTED = 0, 1, 2, 3, 130

_VALUED = {option.partition("=")[0] for option, _ in GLOBAL_OPTIONS if "=" in option}
_FLAGS = {word for option, _ in GLOBAL_OPTIONS if "=" not in option for word in option.split()}
_HELP = {"-h", "--help"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _main(words)
    except (UsageError, ConfigError) as error:
        return _fail(error, USAGE)
    except (ConnectionFailedError, ProtocolError) as error:
        return _fail(error, NO_CONNECTION)
    except AfanasyError as error:
        return _fail(error, REFUSED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as by `| head`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for what Python writes at its end
        return DONE


def _main(words: list[str]) -> int:
    options, names = split(words)
    if names == ["--version"]:
        sys.stdout.write(f"afcmd {__version__} (CGRU {CGRU_VERSION})\n")
        return DONE
    if not names:
        sys.stdout.write(overview())
        return DONE if not words or _HELP & set(options) else USAGE
    if names[0] == "help":
        sys.stdout.write(usage(find(names[1:])[0]) if names[1:] else overview())
        return DONE
    command, count = find(names)
    if _HELP & set(options):
        sys.stdout.write(usage(command))
        return DONE
    parsed = parse(command, options + names[count:])
    session = make_session(parsed, load_config(Arguments(), os.environ, sys.argv[0]))
    command.run(session, parsed)
    sys.stdout.flush()
    return DONE


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the options of all commands, each as last given, and all other words.

    They may stand anywhere before `--`, so that an alias of the shell can have some of them.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if word == "--":
            others += [word, *rest]
        elif name in _VALUED and (equals or (value := next(rest, None)) is None):
            found[name] = word  # without a value docopt refuses it
        elif name in _VALUED:
            found[name] = f"{name}={value}"
        elif word in _FLAGS:
            found[word] = word
        else:
            others.append(word)
    return list(found.values()), others


def parse(command: Command, words: list[str]) -> Words:
    """Return the arguments and options of a command.

    Raises:
        UsageError: The words do not fit.
    """
    try:
        parsed: dict[str, Any] = docopt(
            usage(command), argv=[*command.name.split(), *words], default_help=False
        )
    except DocoptExit as error:
        wrong = str(error).partition("\n")[
            0
        ]  # which option is wrong; else a warning that tells nobody anything
        about = "" if wrong.startswith(("Usage:", "Warning:")) else f"{wrong}\n"
        raise UsageError(f"{about}usage: afcmd {command.name} [options] {command.args}".rstrip()) from None
    return parsed


def make_session(words: Words, config: Config) -> Session:
    """Return what a command may use.

    Raises:
        UsageError: A port or a time is none.
    """
    settings = config.settings
    try:
        port = int(words["--port"] or settings.af_serverport)
        timeout_s = float(words["--timeout"])
    except ValueError:
        raise UsageError("--port and --timeout should be numbers") from None
    if not 0 < port < 65536 or not 0 < timeout_s < float("inf"):
        raise UsageError("--port should be 1 to 65535, --timeout above 0")
    reach = make_reach(
        os.environ, tls=bool(words["--tls"] or settings.af_tls_client), authorities=settings.af_tls_ca
    )
    return Session(
        client=Client(words["--server"] or settings.af_servername or "127.0.0.1", port, timeout_s, reach),
        config=config,
        user_name=words["--user"] or config.username,
        host_name=config.hostname,
        as_json=bool(words["--json"]),
        write=sys.stdout.write,
        pause=time.sleep,
    )


def _fail(error: AfanasyError, code: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"afcmd: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
