"""What a monitor hears when it asks. Source: spec wire-protocol 4.16; json-api 10.3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from afanasy_py.msg.codecs import I32, I32S, STR, Codec, CountedBy, Custom
from afanasy_py.msg.json_forms import FILLED, Form, Json, Member
from afanasy_py.msg.record import Record, Sub, column, records
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.types import BLOCK_MODES, EVENT_NAMES, MsgType

_read_ids = I32S.reader(None)
_write_ids = I32S.writer(None)
_NO_IDS = _write_ids([])


def _read_events(data: bytes, pos: int) -> tuple[dict[str, list[int]], int]:
    events = {}
    for name in EVENT_NAMES:
        ids, pos = _read_ids(data, pos)
        if ids:
            events[name] = ids
    return events, pos


def _write_events(events: Mapping[str, Iterable[int]]) -> bytes:
    return b"".join([_write_ids(list(events[name])) if name in events else _NO_IDS for name in EVENT_NAMES])


_EVENTS: Codec[Mapping[str, Iterable[int]]] = Custom(_read_events, _write_events, "{}", 4 * len(EVENT_NAMES))
_PROGRESS: Codec[list[TaskProgress]] = CountedBy(Sub(TaskProgress), "len(o.tasks)")


class TasksProgress(Record):
    """Changed tasks of one job; the three lists run parallel."""

    job_id: int = column(I32)
    blocks: list[int] = column(I32S)
    tasks: list[int] = column(I32S)
    progress: list[TaskProgress] = column(_PROGRESS)


class BlockChange(Record):
    """A changed block and what to ask for: a message type of BLOCK_MODES."""

    job_id: int = column(I32)
    block_num: int = column(I32)
    mode: int = column(I32)


def _block_ids(events: MonitorEvents) -> Json:
    changes = events.block_ids
    return {
        "job_id": [change.job_id for change in changes],
        "block_num": [change.block_num for change in changes],
        "mode": [BLOCK_MODES[MsgType(change.mode)] for change in changes],
    }


def _ids_member(name: str) -> Member:
    return Member(name, f"list(o.events[{name!r}])", f"o.events.get({name!r})")


class MonitorEvents(Record):
    """Everything that happened since a monitor asked last."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            *(_ids_member(name) for name in EVENT_NAMES),
            "tasks_progress",
            Member("block_ids", _block_ids, "o.block_ids"),
            "jobs_order_ids", "instruction", "tasks_outputs", "tasks_listens", "message",
        )
    }  # fmt: skip

    events: Mapping[str, Iterable[int]] = column(_EVENTS, doc="{event name: ids of nodes}; no empty lists.")
    tasks_progress: list[TasksProgress] = column(records(TasksProgress, "i"), emit=FILLED)
    block_ids: list[BlockChange] = column(records(BlockChange, "i"))
    tasks_outputs: list[McTask] = column(records(McTask, "i"), emit=FILLED)
    jobs_order_ids: list[int] = column(I32S, emit=FILLED, doc="Jobs of the monitor's user, in order.")
    instruction: str = column(STR, emit=FILLED, doc="Empty or exit.")
    tasks_listens: list[McTask] = column(records(McTask, "i"), emit=FILLED)
    message: str = column(STR, emit=FILLED)
