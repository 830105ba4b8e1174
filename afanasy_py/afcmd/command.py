"""What a command is, the table of all of them, and what a command may use while it runs.

Knows nothing of any command. Modules of commands fill the table when they are imported; usage, help and
docs/afcmd.md are made from it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from afanasy_py.afcmd.tables import printable
from afanasy_py.client import Client, Json, refusal
from afanasy_py.config import Config
from afanasy_py.errors import AfanasyError, RequestError

#: What docopt gives: {"<job>": ["5"], "--json": False, ...}.
Words = Mapping[str, Any]

_IDS = re.compile(r"\d+(,\d+)*")


class UsageError(AfanasyError):
    """The words of a command mean nothing, or a file that they name cannot be used."""


@dataclass
class Session:
    """What a command may use."""

    client: Client
    config: Config
    user_name: str
    host_name: str
    as_json: bool
    write: Callable[[str], object]
    pause: Callable[[float], object]  # waits for so many seconds

    def ask(self, request: Json) -> Json:
        """Return the answer of the server.

        Raises:
            RequestError: The server has refused the request.
            ConnectionFailedError: There is no answer.
            ProtocolError: The answer is none.
        """
        answer = self.client.ask(request)
        refused = refusal(answer)
        if refused is not None:
            if self.as_json:
                self.show_json(answer)
            raise RequestError(refused)
        return answer

    def get(self, kind: str, **members: Any) -> Json:
        """Return the answer to a `get`."""
        return self.ask({"get": {"type": kind, **members}})

    def act(self, kind: str, nodes: Json, **members: Any) -> None:
        """Do something to nodes and show what the server says.

        Args:
            kind: Their kind: `jobs`, `users`, ...
            nodes: Which ones, of `chosen`.
            members: `operation`, `params`, `block_ids`, ...
        """
        who = {"user_name": self.user_name, "host_name": self.host_name}
        answer = self.ask({"action": {**who, "type": kind, **nodes, **members}})
        info = answer.get("info")
        if isinstance(info, dict):
            self.show(answer, str(info.get("text", "")))
        else:
            self.show(answer, compact(answer.get("object", answer)))

    def show(self, answer: Json, text: str) -> None:
        """Show an answer: a program gets it whole, people get the text."""
        if self.as_json:
            self.show_json(answer)
        else:
            self.say(text)

    def show_json(self, answer: Json) -> None:
        """Show an answer as JSON, whatever the options say."""
        text = json.dumps(answer, ensure_ascii=False, indent=1)
        self.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")

    def say(self, text: str) -> None:
        """Write lines for people."""
        text = printable(text)
        self.write(text if not text or text.endswith("\n") else text + "\n")


Run = Callable[[Session, Words], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        noun: What it is about: `jobs`, `renders`, ...; empty: the farm.
        verb: What it does; for operations of the server the name is theirs.
        args: Its arguments in the notation of docopt, beside the options that all commands have.
        about: What it does, in a line.
        notes: What else one should know.
        options: Its own options: (as docopt wants them, meaning).
        alias: What the C++ `afcmd` calls it; empty: it does not have it.
        run: Does it.
    """

    noun: str
    verb: str
    args: str
    about: str
    run: Run
    notes: str = ""
    options: tuple[tuple[str, str], ...] = field(default=())
    alias: str = ""

    @property
    def name(self) -> str:
        """The words by which it is called."""
        return f"{self.noun} {self.verb}".strip()


#: {name: command}, in the order of help.
COMMANDS: dict[str, Command] = {}


def add(
    name: str,
    args: str,
    run: Run,
    about: str,
    *,
    notes: str = "",
    options: tuple[tuple[str, str], ...] = (),
    alias: str = "",
) -> None:
    """Put a command into the table."""
    noun, _, verb = name.rpartition(" ")
    assert name not in COMMANDS, name
    COMMANDS[name] = Command(
        noun=noun, verb=verb, args=args, run=run, about=about, notes=notes, options=options, alias=alias
    )


def command(
    name: str, args: str = "", *, options: tuple[tuple[str, str], ...] = (), alias: str = ""
) -> Callable[[Run], Run]:
    """Make a function a command; its docstring says what it does, further paragraphs are notes."""

    def register(run: Run) -> Run:
        about, _, notes = (run.__doc__ or "").partition("\n\n")
        notes = "\n".join(line.strip() for line in notes.strip().splitlines())
        add(name, args, run, about.strip(), notes=notes, options=options, alias=alias)
        return run

    return register


def operation(noun: str, name: str, about: str, *, alias: str = "", verb: str = "") -> None:
    """Put an operation without further members into the table; `verb`: the word for it, else its name."""
    argument = f"<{singular(noun)}>"
    run = partial(_operate, noun, argument, name)
    add(f"{noun} {verb or name}", f"{argument}...", run, about, alias=alias)


def _operate(noun: str, argument: str, name: str, session: Session, words: Words) -> None:
    session.act(noun, chosen(words[argument]), operation={"type": name})


def singular(noun: str) -> str:
    """Return the word for one node of a kind."""
    return noun.removesuffix("es") if noun == "branches" else noun.removesuffix("s")


def chosen(words: str | list[str]) -> Json:
    """Return which nodes an action is for: numbers are ids, anything else is an expression for whole names.

    Raises:
        UsageError: There are both.
    """
    words = [words] if isinstance(words, str) else words
    numbers = [word for word in words if _IDS.fullmatch(word)]
    if not numbers:
        return {"mask": words[0] if len(words) == 1 else "|".join(f"({word})" for word in words)}
    if len(numbers) < len(words):
        raise UsageError(f"either ids or expressions, not both: {' '.join(words)}")
    return {"ids": integers(",".join(numbers))}


def integers(text: str) -> list[int]:
    """Return the numbers of a text as `0-3,7`.

    Raises:
        UsageError: It is none.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"not a number or a range of numbers: {part}")
        numbers += range(int(first), int(last if dash else first) + 1)
    return numbers


def integer(words: Words, name: str) -> int:
    """Return an argument that has to be a number.

    Raises:
        UsageError: It is none.
    """
    try:
        return int(words[name])
    except ValueError:
        raise UsageError(f"{name} should be a number: {words[name]}") from None


def compact(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)
