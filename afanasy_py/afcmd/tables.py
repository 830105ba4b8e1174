"""Answers as text for people: tables, details of one node, times. Knows nothing of the server."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

GAP = "  "
#: Numbers from here on are moments, not seconds of something, when their name says `time`.
_MOMENT = 10**8
#: Characters that would move the cursor or do worse, when a name from the farm is written to a terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its head.
        value: Key of the member that it shows, or what makes its text of the row.
        needs: Members that `value` reads, when it is no key.
    """

    title: str
    value: str | Callable[[dict[str, Any]], Any]
    needs: tuple[str, ...] = ()

    def cell(self, row: dict[str, Any]) -> Any:
        """Return what the column shows of a row."""
        return row.get(self.value, "") if isinstance(self.value, str) else self.value(row)

    def members(self) -> tuple[str, ...]:
        """Return the members that are read."""
        return (self.value,) if isinstance(self.value, str) else self.needs


def table(rows: Iterable[dict[str, Any]], columns: Sequence[Column]) -> str:
    """Return rows under heads; numbers stand to the right, and no row is longer than it has to be."""
    lines = [[column.title for column in columns]]
    right = [True] * len(columns)
    for row in rows:
        cells = [column.cell(row) for column in columns]
        right = [
            old and (isinstance(cell, int) or cell == "") for old, cell in zip(right, cells, strict=True)
        ]
        lines.append([text_of(cell) for cell in cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = (
        GAP.join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )
    return "\n".join(shown) + "\n"


def text_of(value: Any) -> str:
    """Return a value as text in one line."""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key}: {text_of(item)}" for key, item in value.items())
        case list():
            return ", ".join(
                f"({text_of(item)})" if isinstance(item, dict) else text_of(item) for item in value
            )
    return printable(str(value)).replace("\n", " ").strip()


def moment(seconds: Any) -> str:
    """Return Unix seconds as local time; nothing for 0, and what is no moment as it is."""
    try:
        return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""
    except (TypeError, ValueError, OverflowError, OSError):
        return text_of(seconds)


def details(node: dict[str, Any], *, skip: Iterable[str] = ()) -> str:
    """Return the members of a node, one in a line; lists of objects are left to the caller by `skip`."""
    shown = {key: value for key, value in node.items() if key not in set(skip)}
    width = max(map(len, shown), default=0)
    return "".join(
        f"{key.ljust(width)}{GAP}{_detail(key, value)}".rstrip() + "\n" for key, value in shown.items()
    )


def _detail(key: str, value: Any) -> str:
    if "time" in key and isinstance(value, int) and value >= _MOMENT:
        return moment(value)
    return text_of(value)


def printable(text: str) -> str:
    """Return a text without what a terminal could take for a command."""
    return _UNSAFE.sub("?", text.replace("\r\n", "\n").replace("\b", ""))  # logs of jobs have backspaces
