"""The heartbeat of a render. Source: spec wire-protocol 4.10."""

from __future__ import annotations

from afanasy_py.msg.codecs import I32, STR, Custom, ListOf, Optional, read_text, write_text
from afanasy_py.msg.record import Record, Sub, column, records
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MAX_RENDER_TASKS

#: Where, and the output so far.
Output = tuple[TaskPos, str]

_read_pos = Sub(TaskPos).reader(None)
_write_pos = Sub(TaskPos).writer(None)


def _read_output(data: bytes, pos: int) -> tuple[Output, int]:
    place, pos = _read_pos(data, pos)
    text, pos = read_text(data, pos)
    return (place, text), pos


def _write_output(output: Output) -> bytes:
    return _write_pos(output[0]) + write_text(output[1])


class RenderUpdate(Record):
    """What happened on a render since its last update."""

    id: int = column(I32, doc="The render's.")
    taskups: list[TaskUp] = column(
        records(TaskUp, "i", most=MAX_RENDER_TASKS), doc="One for each task that it holds."
    )
    outputs: list[Output] = column(
        ListOf(
            Custom(_read_output, _write_output, "None", Sub(TaskPos).least + STR.least), "i", MAX_RENDER_TASKS
        ),
        doc="Outputs that it was asked for.",
    )
    host_resources: HostRes | None = column(Optional(Sub(HostRes)), doc="Sent from time to time.")
