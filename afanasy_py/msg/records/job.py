"""A job and its blocks. Source: spec wire-protocol 4.14; json-api 5.3, 6.1."""

from __future__ import annotations

from typing import Any, ClassVar

from afanasy_py.msg.codecs import I32, I32S, I64, MASK, STR, STR_MAP, Codec, CountedBy
from afanasy_py.msg.json_forms import FILLED, NOT_MINUS_ONE, Form, Member, flag
from afanasy_py.msg.record import Layouts, Sub, column
from afanasy_py.msg.records.block import Block
from afanasy_py.msg.records.node import HEAD, WORK, Work
from afanasy_py.msg.types import MsgType, NodeFlag, state_text

_BLOCKS: Codec[list[Any]] = CountedBy(Sub(Block), "o.blocks_num")
_GROUPS = ("node", "work", "job")

_BEFORE_BLOCKS: Form = (
    *HEAD,
    *WORK,
    "serial", "user_name", "host_name", "st",
    Member("state", lambda job: state_text(job.st), "o.st"),
    flag("ppa", "flags", NodeFlag.PPA.value),
    flag("maintenance", "flags", NodeFlag.MAINTENANCE.value),
    flag("ignorenimby", "flags", NodeFlag.IGNORE_NIMBY.value),
    flag("ignorepaused", "flags", NodeFlag.IGNORE_PAUSED.value),
    "command_pre", "command_post", "description", "thumb_path", "report", "project", "department", "branch",
    "user_list_order", "time_creation", "time_wait", "time_started", "time_done", "time_life",
    "tasks_ready", "tasks_error", "try_this_tasks_num", "try_this_blocks_num", "folders",
    "depend_mask", "depend_mask_global",
)  # fmt: skip


def _blocks(form: str) -> Member:
    return Member("blocks", f"[block.to_json({form!r}) for block in o.blocks]")


class Job(Work):
    """A job; its blocks travel in the layout of the message type."""

    layouts: ClassVar[Layouts] = {MsgType.TJobsList: _GROUPS, MsgType.TJob: _GROUPS}
    json_forms: ClassVar[dict[str, Form]] = {
        form: (*_BEFORE_BLOCKS, _blocks(form)) for form in ("list", "full", "store")
    }

    serial: int = column(I64, "job", doc="Never used again, unlike the id.")
    blocks_num: int = column(I32, "job", count_of="blocks")
    user_list_order: int = column(I32, "job", default=-1, emit=NOT_MINUS_ONE)
    time_creation: int = column(I64, "job", doc="Unix seconds.")
    time_wait: int = column(I64, "job", emit=FILLED, doc="Unix seconds: not started before.")
    time_started: int = column(I64, "job", emit=FILLED, doc="Unix seconds.")
    time_done: int = column(I64, "job", emit=FILLED, doc="Unix seconds.")
    time_life: int = column(
        I32, "job", default=-1, emit=NOT_MINUS_ONE, doc="Seconds after creation; -1: the user's, 0: for ever."
    )
    tasks_ready: int = column(I32, "job", emit=FILLED)
    tasks_error: int = column(I32, "job", emit=FILLED)
    user_name: str = column(STR, "job")
    host_name: str = column(STR, "job", doc="Where it came from.")
    command_pre: str = column(STR, "job", emit=FILLED)
    command_post: str = column(STR, "job", emit=FILLED)
    report: str = column(STR, "job", emit=FILLED)
    description: str = column(STR, "job", emit=FILLED)
    thumb_path: str = column(STR, "job", emit=FILLED)
    project: str = column(STR, "job", emit=FILLED)
    department: str = column(STR, "job", emit=FILLED)
    branch: str = column(STR, "job", emit=FILLED, doc="Path of its branch.")
    depend_mask: str = column(MASK, "job", emit=FILLED)
    depend_mask_global: str = column(MASK, "job", emit=FILLED)
    try_this_tasks_num: list[int] = column(I32S, "job", emit=FILLED)
    try_this_blocks_num: list[int] = column(I32S, "job", emit=FILLED)
    folders: dict[str, str] = column(STR_MAP, "job", emit=FILLED)
    blocks: list[Any] = column(_BLOCKS, "job", doc="Records Block; nodes of a farm have their own class.")
