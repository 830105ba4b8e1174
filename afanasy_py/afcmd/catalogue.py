"""The whole table of commands: importing this module fills it. Usage texts and docs/afcmd.md come from here.

`python -m afanasy_py.afcmd.catalogue > docs/afcmd.md` writes the page.
"""

import difflib
import sys
from collections.abc import Iterator

from afanasy_py.afcmd import access, database, farm, hosts, jobs, monitors, nodes, people, tasks
from afanasy_py.afcmd.command import COMMANDS, Command, UsageError
from afanasy_py.afcmd.params import KINDS, PARAMS

#: Modules whose import has filled the table.
MODULES = (access, database, farm, hosts, jobs, monitors, nodes, people, tasks)

#: The order of help; within a noun commands stand in the order in which they were put into the table.
NOUNS = ("jobs", "blocks", "tasks", "renders", "pools", "users", "branches", "monitors", "tokens")
GROUPS = ("farm", *NOUNS, "database")

#: Options of all commands: (as docopt wants them, meaning).
GLOBAL_OPTIONS = (
    ("--server=NAME", "Server to ask, else af_servername of the configuration."),
    ("--port=N", "Its port, else af_serverport."),
    ("--timeout=SECONDS", "How long to wait for it [default: 20]."),
    ("--user=NAME", "Who asks, else the user of this machine."),
    ("--tls", "Ask by TLS, else as af_tls_client says."),
    ("--json", "Show answers as JSON, for programs."),
    ("-h --help", "Show how a command is used."),
)

EXIT_CODES = (
    (0, "done"),
    (1, "refused, by the server or since something is not there"),
    (2, "the command line or a file that it names is wrong"),
    (3, "no connection to the server, or no answer that can be read"),
)

_FORMS = """<job>, <render>, <user>, ... stand for nodes: an id, ids as 5,7, or a regular expression for whole
names. Operations take several of them, either ids or expressions. <block> and <task> are numbers, 0 is the
first; several are written as 0,2-3. Operations on blocks take `all` or the beginning of a name as well."""


def find(words: list[str]) -> tuple[Command, int]:
    """Return the command that words begin with, and how many of them are its name.

    `-` counts as `_` in names, and `job restart-errors` is `jobs restart_errors`.

    Raises:
        UsageError: There is no such command; the text names what is near.
    """
    plain = [word.replace("-", "_") for word in words[:2]]
    if plain:
        plain[0] = _PLURALS.get(plain[0], plain[0])
    for count in (2, 1):
        found = COMMANDS.get(" ".join(plain[:count]))
        if found and len(plain) >= count:
            return found, count
    if words[0] in _ALIASES:
        return _ALIASES[words[0]], 1
    if plain[0] in NOUNS:
        verbs = [command.verb for command in COMMANDS.values() if command.noun == plain[0]]
        near = difflib.get_close_matches(plain[1], verbs) if len(plain) > 1 else []
        raise UsageError(f"{plain[0]} what? There is: {', '.join(near or verbs)}")
    near = difflib.get_close_matches(words[0], [*NOUNS, *COMMANDS, *_ALIASES])
    raise UsageError(f"there is no command {words[0]}" + (f"; near is: {', '.join(near)}" if near else ""))


_PLURALS = {
    "job": "jobs", "block": "blocks", "task": "tasks", "render": "renders", "pool": "pools", "user": "users",
    "branch": "branches", "monitor": "monitors", "token": "tokens",
}  # fmt: skip
_ALIASES = {command.alias: command for command in COMMANDS.values() if command.alias}


def usage(command: Command) -> str:
    """Return the help of a command, from which docopt also reads its arguments."""
    lines = [command.about, ""]
    dashes = "[--] " if command.args else ""  # after which a word may begin with a dash
    lines += [f"Usage: afcmd {command.name} [options] {dashes}{command.args}".rstrip(), ""]
    lines += ["Options:", *_options((*command.options, *GLOBAL_OPTIONS))]
    if command.notes:
        lines += ["", command.notes]
    if command.verb == "set":
        lines += ["", *_parameters(command.noun)]
    return "\n".join(lines) + "\n"


def _options(options: tuple[tuple[str, str], ...]) -> Iterator[str]:
    width = max(len(option) for option, _ in options)
    for option, meaning in options:
        yield f"  {option.ljust(width)}  {meaning}"


def _parameters(noun: str) -> Iterator[str]:
    yield f"Parameters of {noun}; name:=value gives any value as JSON:"
    by_kind: dict[str, list[str]] = {}
    for name, kind in PARAMS[noun].items():
        by_kind.setdefault(kind, []).append(name)
    for kind, names in by_kind.items():
        yield f"  {KINDS[kind][1]}:"
        yield from (f"    {name}" for name in names)


def overview() -> str:
    """Return all commands, one in a line."""
    lines = [
        "Asks an Afanasy server and tells it what to do.",
        "",
        "Usage: afcmd [options] <command> ...",
        "",
    ]
    lines += ["Options:", *_options(GLOBAL_OPTIONS), "", _FORMS, ""]
    for group in GROUPS:
        commands = _group(group)
        width = max(len(_call(command)) for command in commands)
        lines.append(f"{group}:")
        lines += [f"  {_call(command).ljust(width)}  {command.about}" for command in commands]
        lines.append("")
    lines += ["Exit codes:", *(f"  {code}  {meaning}" for code, meaning in EXIT_CODES)]
    return "\n".join(lines) + "\n"


def _group(name: str) -> list[Command]:
    """Return the commands under a heading: those of a noun, or those that have none."""
    return [command for command in COMMANDS.values() if (command.noun or _loose(command)) == name]


def _loose(command: Command) -> str:
    return "database" if command.verb.startswith("db_") else "farm"


def _call(command: Command) -> str:
    return f"{command.name} {command.args}".strip()


def page() -> str:
    """Return docs/afcmd.md."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# afcmd"
    yield ""
    yield "Written by `python -m afanasy_py.afcmd.catalogue > docs/afcmd.md`; do not edit."
    yield ""
    yield "`afcmd` asks a server and tells it what to do. It works with this server and with the C++ one."
    yield ""
    yield from ("```sh", *_EXAMPLES, "```", "")
    yield from (_escaped(line) for line in _FORMS.splitlines())
    yield ""
    yield "In names of commands `-` is as good as `_`, and `job` as good as `jobs`. Words of the C++"
    yield "`afcmd`, in the last column below, work as well."
    yield ""
    yield "Where access control is on ([security.md](security.md)), the variable `AF_TOKEN` has the token that says who"
    yield "asks, or `AF_TOKEN_FILE` names a file that has it."
    yield ""
    yield from ("| option | meaning |", "| --- | --- |")
    yield from (f"| `{option}` | {meaning} |" for option, meaning in GLOBAL_OPTIONS)
    yield ""
    yield from ("| exit code | meaning |", "| --- | --- |")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES)
    for group in GROUPS:
        yield ""
        yield f"## {group.capitalize()}"
        yield ""
        yield from ("| command | what it does | C++ |", "| --- | --- | --- |")
        for command in _group(group):
            yield f"| `{_call(command)}` | {_meaning(command)} | {command.alias} |".replace("  |", " |")
        if group in PARAMS:
            yield ""
            yield from _page_parameters(group)


def _page_parameters(noun: str) -> Iterator[str]:
    yield f"Parameters for `{noun} set`:"
    yield ""
    yield from ("| parameter | value |", "| --- | --- |")
    for name, kind in PARAMS[noun].items():
        yield f"| `{name}` | {KINDS[kind][1]} |"


def _meaning(command: Command) -> str:
    parts = [command.about, " ".join(command.notes.split())]
    parts += [f"`{option}`: {meaning}" for option, meaning in command.options]
    return _escaped(" ".join(filter(None, parts))).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Keep `<job>` from being taken for HTML, outside of code."""
    pieces = text.split("`")
    pieces[::2] = [piece.replace("<", "&lt;") for piece in pieces[::2]]
    return "`".join(pieces)


_EXAMPLES = (
    "afcmd farm                                  # a summary",
    "afcmd jobs list                             # all jobs",
    "afcmd jobs why 5                            # why does it not run?",
    "afcmd jobs set 5 priority=200 hosts_mask=render01",
    "afcmd jobs restart_errors 'shot_.*'         # all jobs with such a name",
    "afcmd tasks output 5 0 12                   # what task 12 of block 0 has written",
    "afcmd submit job.json --token shot_010_v3   # the same token twice: one job",
    "afcmd renders list --json                   # for programs",
)


if __name__ == "__main__":
    sys.stdout.write(page())
