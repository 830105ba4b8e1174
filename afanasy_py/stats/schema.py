"""Tables, columns and indexes of the statistics, and how rows are made to fit them.

Names and order of the columns are those of the row classes; here is only what these cannot say. Nothing in
this module talks to a database.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

from afanasy_py.stats_rows import JobRow, LogRow, StatsRow, TaskRow

Value = int | str
#: A row as the tables take it: values in the order of the columns.
Cells = tuple[Value, ...]

#: Integer columns of 64 bits; the others have 32.
WIDE = frozenset({"frame_pertask", "run_time_sum", "serial", "time", "time_done", "time_started"})
#: Text columns that are cut at `af_db_stringexprlen`; the others at `af_db_stringnamelen`.
LONG = frozenset({"command", "info", "resources"})


@dataclass(frozen=True, slots=True)
class Lengths:
    """Most characters of a text; longer ones are cut."""

    name: int = 512
    expr: int = 4096


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    is_text: bool

    @property
    def bits(self) -> int:
        """Width of an integer column."""
        return 64 if self.name in WIDE else 32

    def length(self, lengths: Lengths) -> int:
        """Return the most characters of a text column."""
        return lengths.expr if self.name in LONG else lengths.name

    def sql_type(self, lengths: Lengths) -> str:
        """Return the type that both databases are told; SQLite keeps the length as a note only."""
        if self.is_text:
            return f"varchar({self.length(lengths)})"
        return f"{'bigint' if self.name in WIDE else 'integer'} DEFAULT 0"


@dataclass(frozen=True, slots=True)
class Table:
    """A table and the class of its rows."""

    name: str
    row: type[StatsRow]
    time: str  # column that says when it happened
    #: Columns of each index, named `afserver_<table>_<first column>`. All are short enough together: the
    #: longest entry of an index in PostgreSQL is 2,704 bytes, and a text of 512 letters may have 2,048.
    indexes: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in their order."""
        return tuple(Column(field.name, field.type is str) for field in fields(self.row))

    @property
    def names(self) -> str:
        """The columns as SQL; quoted, for some are words of the language."""
        return ", ".join(f'"{column.name}"' for column in self.columns)

    def create(self, lengths: Lengths) -> str:
        """Return the statement that makes the table where it is missing."""
        columns = ", ".join(f'"{column.name}" {column.sql_type(lengths)}' for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"

    def create_indexes(self) -> list[str]:
        """Return the statements that make the indexes where they are missing."""
        return [
            f"CREATE INDEX IF NOT EXISTS afserver_{self.name}_{columns[0]} ON {self.name} "
            f"({', '.join(f'{chr(34)}{column}{chr(34)}' for column in columns)})"
            for columns in self.indexes
        ]


TABLES = (
    Table("jobs", JobRow, "time_done", (("serial",), ("time_done",), ("username", "time_done"))),
    Table("tasks", TaskRow, "time_done", (("serial",), ("time_done",), ("username", "time_done"))),
    Table("logs", LogRow, "time", (("time",),)),
)
#: {class of a row: name of its table}
_NAME_OF: dict[type[StatsRow], str] = {table.row: table.name for table in TABLES}


_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str, length: int) -> str:
    """Return what a text column holds of a text.

    NUL is taken out: PostgreSQL cannot hold it. Bytes that are no UTF-8, which come as lone surrogates,
    become U+FFFD. Then it is cut, by characters.
    """
    text = text.replace("\0", "")[:length]
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def _text_cleaner(length: int) -> Callable[[Any], Value]:
    def clean(text: Any) -> Value:
        # Nearly every text is short and plain; each row has some ten of them.
        if text.isascii() and len(text) <= length and "\0" not in text:
            return text  # type: ignore[no-any-return]
        return clean_text(text, length)

    return clean


def _number_cleaner(bits: int) -> Callable[[Any], Value]:
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def clean(number: Any) -> Value:
        return int(number) if least <= number <= most else least if number < 0 else most

    return clean


class Fitting:
    """Makes rows fit: texts cut and cleaned, numbers kept inside of their columns."""

    def __init__(self, lengths: Lengths) -> None:
        #: {class of a row: (its values in the order of the columns, a cleaner for each)}
        self._ways: dict[type[StatsRow], tuple[Callable[[Any], Any], tuple[Callable[[Any], Value], ...]]] = {}
        for table in TABLES:
            cleaners = tuple(
                _text_cleaner(column.length(lengths)) if column.is_text else _number_cleaner(column.bits)
                for column in table.columns
            )
            values = operator.attrgetter(*(column.name for column in table.columns))
            self._ways[table.row] = values, cleaners

    def cells(self, row: StatsRow) -> Cells:
        """Return the values for the tables."""
        values, cleaners = self._ways[type(row)]
        return tuple([clean(value) for clean, value in zip(cleaners, values(row), strict=True)])

    def by_table(self, rows: Iterable[StatsRow]) -> dict[str, list[Cells]]:
        """Return the values by name of their table, each in the order of the rows."""
        found: dict[str, list[Cells]] = {}
        for row in rows:
            found.setdefault(_NAME_OF[type(row)], []).append(self.cells(row))
        return found
