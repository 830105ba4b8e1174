"""JSON forms of records: which members in which order, compiled to functions.

A form is a tuple of entries. A text names a column: its JSON key, its value and when it is shown come from
its declaration. A `Member` is made of something else than one column.

Source: spec json-api 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afanasy_py.msg.source import WriteSource

if TYPE_CHECKING:
    from afanasy_py.msg.record import Column, Record

# -- when a member is shown: expressions of its value `v`

POSITIVE = "v > 0"
NOT_NEGATIVE = "v >= 0"
NOT_MINUS_ONE = "v != -1"
#: Texts, lists and maps that are not empty; numbers that are not 0; bools that are true.
FILLED = "v"


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is no column.

    Attributes:
        key: Its name.
        value: An expression of the record `o`, or a function that takes it.
        when: An expression of the record `o`; the member is shown only if it is true. Empty: always.
    """

    key: str
    value: str | Callable[[Any], Any]
    when: str = ""


#: A text names a column. (name, expression) shows a column under another condition, "" being always.
Entry = str | Member | tuple[str, str]
Form = tuple[Entry, ...]
Json = dict[str, Any]


def flag(key: str, attribute: str, bit: int) -> Member:
    """Return a member that is `true` while a bit is set, and is not there otherwise."""
    return Member(key, "True", f"o.{attribute} & {bit}")


def choice(key: str, attribute: str, bit: int, names: tuple[str, str]) -> Member:
    """Return a member that is the first name while a bit is set, and the second otherwise."""
    return Member(key, f"{names[0]!r} if o.{attribute} & {bit} else {names[1]!r}")


class Forms(dict[str, Callable[[Any], Json]]):
    """{name of a form: function of a record} of one class, compiled on demand."""

    def __init__(self, owner: type[Record]) -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, name: str) -> Callable[[Any], Json]:
        owner = self._owner
        forms = owner.json_forms or {"list": tuple(owner.columns)}
        if name not in forms:
            raise ValueError(f"{owner.__name__} has no JSON form {name!r}")
        form = self[name] = compiled(forms[name], owner.columns, f"json {owner.__name__} {name}")
        return form


def compiled(form: Form, columns: Mapping[str, Column], name: str) -> Callable[[Any], Json]:
    """Return the function that gives the members of a record."""
    source = WriteSource(None)
    source.line("m = {}")
    for entry in form:
        if isinstance(entry, Member):
            _add_member(source, entry)
        elif isinstance(entry, str):
            _add_column(source, columns[entry], columns[entry].emit)
        else:
            _add_column(source, columns[entry[0]], entry[1])
    source.line("return m")
    function: Callable[[Any], Json] = source.function("def function(o):", name)
    return function


def _add_member(source: WriteSource, member: Member) -> None:
    value = member.value if isinstance(member.value, str) else f"{source.bind(member.value)}(o)"
    if member.when:
        source.line(f"if {member.when}:")
        source.line(f"    m[{member.key!r}] = {value}")
    else:
        source.line(f"m[{member.key!r}] = {value}")


def _add_column(source: WriteSource, col: Column, emit: str) -> None:
    key = col.json or col.name
    if emit:
        source.line(f"v = o.{col.name}")
        source.line(f"if {emit}:")
        source.line(f"    m[{key!r}] = {col.codec.json_expression(source, 'v')}")
    else:
        source.line(f"m[{key!r}] = {col.codec.json_expression(source, f'o.{col.name}')}")
