"""Messages of few plain values. Source: spec wire-protocol 4.16."""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from afanasy_py.msg.codecs import I32, I32S, STR, STRS, CountedBy, Custom, ListOf, read_text, write_text
from afanasy_py.msg.json_forms import Form, Member
from afanasy_py.msg.record import Record, Sub, column
from afanasy_py.msg.records.taskprogress import TaskProgress

_I32 = struct.Struct(">i")

#: Spans of time that the statistics keep, and message types that they count.
STAT_WINDOWS = 5
STAT_TYPES = 63
_COUNTS = struct.Struct(f">{2 * STAT_TYPES}i")


class General(Record):
    """A name, a text, two numbers and a list of numbers, for what needs no record of its own."""

    user_name: str = column(STR)
    host_name: str = column(STR)
    name: str = column(STR)
    string: str = column(STR)
    number: int = column(I32)
    id: int = column(I32)
    list: list[int] = column(I32S)


class JobProgress(Record):
    """Progress of all tasks of a job: one list for each block."""

    json_forms: ClassVar[dict[str, Form]] = {"list": (Member("id", "o.job_id"), "blocks")}

    job_id: int = column(I32)
    blocks: list[list[TaskProgress]] = column(ListOf(ListOf(Sub(TaskProgress), "i"), "i"), json="progress")


class JobsWeight(Record):
    """Bytes of memory of jobs; lists run parallel."""

    names: list[str] = column(STRS)
    ids: list[int] = column(I32S)
    log: list[int] = column(I32S)
    black: list[int] = column(I32S)
    progress: list[int] = column(I32S)
    weight: list[int] = column(I32S)


def _read_row(data: bytes, pos: int) -> tuple[tuple[int, str], int]:
    (number,) = _I32.unpack_from(data, pos)
    text, pos = read_text(data, pos + 4)
    return (number, text), pos


def _write_row(row: tuple[int, str]) -> bytes:
    return _I32.pack(row[0]) + write_text(row[1])


class TestMessage(Record):
    """What `afcmd tmsg` sends."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    user_name: str = column(STR)
    host_name: str = column(STR)
    number: int = column(I32, count_of="rows")
    string: str = column(STR)
    list: list[str] = column(STRS)
    rows: Any = column(CountedBy(Custom(_read_row, _write_row, "None", 4 + STR.least), "o.number"))


def _read_window(data: bytes, pos: int) -> tuple[list[tuple[int, int]], int]:
    values = _COUNTS.unpack_from(data, pos)
    return list(zip(values[::2], values[1::2], strict=True)), pos + _COUNTS.size


def _write_window(window: list[tuple[int, int]]) -> bytes:
    return _COUNTS.pack(*(value for pair in window for value in pair))


def _read_size(data: bytes, pos: int) -> tuple[int, int]:
    return _I32.unpack_from(data, pos)[0], pos + 4


class Stat(Record):
    """Traffic of messages by type."""

    windows: list[list[tuple[int, int]]] = column(
        CountedBy(
            Custom(_read_window, _write_window, "None", _COUNTS.size),
            str(STAT_WINDOWS),
            f"[[(0, 0)] * {STAT_TYPES} for _ in range({STAT_WINDOWS})]",
        ),
        doc="(bytes, messages) of each type in the last 100, 1000, ... seconds.",
    )
    sizes: list[int] = column(
        CountedBy(Custom(_read_size, _I32.pack, "0", 4), str(STAT_TYPES), f"[0] * {STAT_TYPES}"),
        doc="The greatest message of each type, in bytes.",
    )
