"""A task to run, as renders and viewers get it. Source: spec wire-protocol 4.6; json-api 4.3."""

from __future__ import annotations

from typing import ClassVar

from afanasy_py.msg.codecs import I32, I32_MAP, I64, I64_MAP, STR, STR_MAP, STRS
from afanasy_py.msg.json_forms import FILLED, POSITIVE, Form
from afanasy_py.msg.record import Layouts, Record, column
from afanasy_py.msg.types import MsgType

_FULL = ("run", "name")
_LIST = ("name",)

_NAMED: Form = (
    "name", "service", "capacity", "time_start", "user_name", "block_name", "job_name",
    "job_id", "block_num", "task_num", "tickets", "number", "capacity_coeff",
)  # fmt: skip


class TaskExec(Record):
    """What a render runs. Lists of renders show the group `name` only."""

    layouts: ClassVar[Layouts] = {
        MsgType.TRenderEvents: _FULL,
        MsgType.TRenderRegister: _FULL,
        MsgType.TTask: _FULL,
        MsgType.TMonitorEvents: _FULL,
        MsgType.TRendersList: _LIST,
        "full": _FULL,
        "list": _LIST,
    }
    json_forms: ClassVar[dict[str, Form]] = {
        "list": _NAMED,
        "full": (
            *_NAMED,
            "command_block", "command_task", "frame_start", "frame_finish", "frames_inc", "frames_num",
            "parser", "working_directory", "environment", "files_block", "files_task", "parsed_files",
        ),
    }  # fmt: skip

    flags: int = column(I64, "run", doc="Bit 0: send the output, somebody listens.")
    block_flags: int = column(I64, "run", doc="Bits of BlockFlag.")
    frames_num: int = column(I64, "run", default=1)
    frames_inc: int = column(I64, "run", default=1)
    frame_start: int = column(I64, "run")
    frame_finish: int = column(I64, "run")
    command_block: str = column(STR, "run", doc="With patterns; the render fills them in.")
    command_task: str = column(STR, "run")
    working_directory: str = column(STR, "run", emit=FILLED)
    parser: str = column(STR, "run", emit=FILLED)
    environment: dict[str, str] = column(STR_MAP, "run", emit=FILLED, doc="The block's and the task's.")
    files_block: list[str] = column(STRS, "run", emit=FILLED)
    files_task: list[str] = column(STRS, "run", emit=FILLED)
    parsed_files: list[str] = column(STRS, "run", emit=FILLED)
    multihost_names: list[str] = column(STRS, "run")
    data_integers: dict[str, int] = column(I64_MAP, "run")
    data_strings: dict[str, str] = column(STR_MAP, "run")
    service: str = column(STR, "name")
    name: str = column(STR, "name")
    user_name: str = column(STR, "name", emit=FILLED)
    block_name: str = column(STR, "name", emit=FILLED)
    job_name: str = column(STR, "name", emit=FILLED)
    number: int = column(I32, "name", emit=POSITIVE, doc="Multi-host tasks: number of the host.")
    capacity: int = column(I32, "name")
    capacity_coeff: int = column(I32, "name", emit=POSITIVE, doc="0: none.")
    time_start: int = column(I64, "name", doc="Unix seconds.")
    job_id: int = column(I32, "name")
    block_num: int = column(I32, "name")
    task_num: int = column(I32, "name")
    tickets: dict[str, int] = column(I32_MAP, "name", emit=FILLED)

    def encode_part_b(self) -> bytes:
        """Return what lists of renders show of a running task."""
        return self._writers["list"](self)
