"""The command line of the server, as values.

The original takes long words with one dash, ignores what it does not know, and lets any setting be given as
`--<key> <value>`. `docopt` cannot say that, so words are first brought into a form that it knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from docopt import docopt

from afanasy_py.settings import ROWS

USAGE = """Afanasy server: runs the jobs of a render farm.

Usage:
  afserver [options]

Options:
  -h --help            Display this help.
  --version            Display the version.
  -V --Verbose         Log each message and decision.
  --demo               Demo mode: jobs cannot be sent.
  --nosql              Do not write statistics to the database.
  --log_nodate         Do not output date in each line log.
  --log-format FORM    Form of log lines: text or json [default: text].
  --hostname NAME      Override host name.
  --username NAME      Override user name.

Any setting can be given as --<key> <value>, for example --af_serverport 51001; docs/settings.md has them all.
-demo, -nosql, -log_nodate, -hostname and -username (one dash) do the same as with two. Unknown arguments are
ignored.
"""

#: {word as the original or this server takes it: option of USAGE}
FLAGS = {
    **dict.fromkeys(("-h", "--help", "-", "--", "?", "-?", "/?"), "--help"),
    **dict.fromkeys(("-V", "--Verbose"), "--Verbose"),
    **dict.fromkeys(("-demo", "--demo"), "--demo"),
    **dict.fromkeys(("-nosql", "--nosql"), "--nosql"),
    **dict.fromkeys(("-log_nodate", "--log_nodate"), "--log_nodate"),
    "--version": "--version",
}
VALUED = {
    **dict.fromkeys(("-hostname", "--hostname"), "--hostname"),
    **dict.fromkeys(("-username", "--username"), "--username"),
    "--log-format": "--log-format",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the command line says."""

    help: bool = False
    version: bool = False
    verbose: bool = False
    demo: bool = False
    nosql: bool = False
    log_nodate: bool = False
    log_json: bool = False
    hostname: str = ""  # empty: not given
    username: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # {key: text}
    ignored: tuple[str, ...] = ()  # words that mean nothing


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Return the meaning of the words after the program's name; none of them is an error."""
    known: list[str] = []
    settings: dict[str, str] = {}
    ignored: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, glued = word.partition("=")
        key = name.removeprefix("--")
        if word in FLAGS:
            known.append(FLAGS[word])
        elif name in VALUED or (name.startswith("--") and key in ROWS):
            value = glued if equals else next(rest, None)
            if value is None:
                ignored.append(word)
            elif name in VALUED:
                known.append(f"{VALUED[name]}={value}")
            else:
                settings.setdefault(key, value)  # the first counts, as in the original
        else:
            ignored.append(word)
    options = docopt(USAGE, argv=_once(known), default_help=False)
    return Arguments(
        help=options["--help"],
        version=options["--version"],
        verbose=options["--Verbose"],
        demo=options["--demo"],
        nosql=options["--nosql"],
        log_nodate=options["--log_nodate"],
        log_json=options["--log-format"] == "json",
        hostname=options["--hostname"] or "",
        username=options["--username"] or "",
        settings=MappingProxyType(settings),
        ignored=tuple(ignored),
    )


def _once(options: Sequence[str]) -> list[str]:
    """Return each option once, as first given: docopt refuses repetitions."""
    first: dict[str, str] = {}
    for option in options:
        first.setdefault(option.partition("=")[0], option)
    return list(first.values())
