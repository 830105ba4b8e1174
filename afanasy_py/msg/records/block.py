"""A block of a job and the tasks of an explicit one. Source: spec wire-protocol 4.15; json-api 5.4, 6.2."""

from __future__ import annotations

from typing import ClassVar

from afanasy_py.msg.codecs import (
    I8,
    I32,
    I32_MAP,
    I64,
    MASK,
    STR,
    STR_MAP,
    STRS,
    U8,
    U16,
    RawText,
)
from afanasy_py.msg.json_forms import FILLED, NOT_MINUS_ONE, POSITIVE, Form, Member, flag
from afanasy_py.msg.record import Layouts, Record, column, records
from afanasy_py.msg.types import BlockFlag, MsgType, state_text

#: Characters of a progress bar.
BAR_SIZE = 128

_FULL = ("tasks", "run", "list", "progress")

_VARIABLE = f"o.flags & {BlockFlag.VAR_CAPACITY.value}"
_MULTIHOST = f"o.flags & {BlockFlag.MULTIHOST.value}"

_RUN: Form = (
    "command", "tasks_name", "parser", "working_directory", "files", "command_pre", "command_post",
    "multihost_service", "custom_data", "environment",
)  # fmt: skip

_PARAMETERS: Form = (
    "name", "service", "capacity", "flags", "tasks_num", "frame_first", "frame_last", "frames_per_task",
    "frames_inc", "sequential",
    flag("depend_sub_task", "flags", BlockFlag.DEPEND_SUB_TASK.value),
    Member("capacity_coeff_min", "o.capacity_coeff_min", _VARIABLE),
    Member("capacity_coeff_max", "o.capacity_coeff_max", _VARIABLE),
    Member("multihost_min", "o.multihost_min", _MULTIHOST),
    Member("multihost_max", "o.multihost_max", _MULTIHOST),
    Member("multihost_max_wait", "o.multihost_max_wait", _MULTIHOST),
    Member("multihost_service_wait", "o.multihost_service_wait", _MULTIHOST),
    "file_size_min", "file_size_max", "time_started", "time_done",
    "max_running_tasks", "max_running_tasks_per_host", "need_memory", "need_power", "need_hdd",
    "need_cpu_freq_mgz", "need_cpu_cores", "need_cpu_freq_cores", "need_gpu_mem_mb",
    "errors_retries", "errors_avoid_host", "errors_task_same_host", "errors_forgive_time",
    "task_progress_change_timeout", "task_max_run_time", "task_min_run_time",
    "depend_mask", "tasks_depend_mask", "hosts_mask", "hosts_mask_exclude", "need_properties", "tickets",
)  # fmt: skip

_PROGRESS: Form = (
    "block_num", "st",
    Member("state", lambda block: state_text(block.st), "o.st"),
    "job_id", "running_tasks_counter", "running_capacity_total",
    "p_percentage", "p_error_hosts", "p_avoid_hosts",
    "p_tasks_ready", "p_tasks_done", "p_tasks_error", "p_tasks_skipped", "p_tasks_warning", "p_tasks_waitrec",
    "p_tasks_waitdep", "p_tasks_suspended", "p_tasks_run_time_min", "p_tasks_run_time_max",
    "p_tasks_run_time_sum", "srv_info", "p_progressbar",
)  # fmt: skip

_TASKS = Member(
    "tasks", "[task.to_json() for task in o.tasks_data]", f"not o.flags & {BlockFlag.NUMERIC.value}"
)

#: Pre and post commands have other names in output than in input; the store has both.
_BOTH_COMMANDS: Form = (
    Member("command_pre", "o.command_pre", "o.command_pre"),
    Member("command_post", "o.command_post", "o.command_post"),
)


class TaskData(Record):
    """A task of an explicit block. Its environment does not travel."""

    json_forms: ClassVar[dict[str, Form]] = {"list": ("name", "command", "files")}

    name: str = column(STR)
    command: str = column(STR)
    depend_mask: str = column(STR)
    custom_data: str = column(STR)
    files: list[str] = column(STRS, emit=FILLED)


class Block(Record):
    """A block: parameters of its tasks and how far they are."""

    layouts: ClassVar[Layouts] = {
        MsgType.TJob: _FULL,
        MsgType.TBlocks: _FULL,
        MsgType.TBlocksProperties: ("run", "list", "progress"),
        MsgType.TJobsList: ("list", "progress"),
        MsgType.TBlocksProgress: ("progress",),
    }
    json_forms: ClassVar[dict[str, Form]] = {
        "progress": _PROGRESS,
        "list": (*_PARAMETERS, *_PROGRESS),
        "properties": (*_RUN, *_PARAMETERS, *_PROGRESS),
        "full": (_TASKS, *_RUN, *_PARAMETERS, *_PROGRESS),
        "store": (*_RUN, *_BOTH_COMMANDS, *_PARAMETERS, "block_num"),
    }

    # Flags lead two groups, so they travel twice where both are there.
    flags: int = column(I64, "tasks", "list", doc="Bits of BlockFlag.")
    tasks_data: list[TaskData] = column(records(TaskData, "i"), "tasks", when="not o.flags & 1", json="tasks")

    parser_coeff: int = column(I32, "run", default=1)
    tasks_name: str = column(STR, "run")
    parser: str = column(STR, "run", emit=FILLED)
    working_directory: str = column(STR, "run", emit=FILLED)
    command: str = column(STR, "run")
    command_pre: str = column(STR, "run", json="cmd_pre", emit=FILLED)
    command_post: str = column(STR, "run", json="cmd_post", emit=FILLED)
    multihost_service: str = column(STR, "run", emit=FILLED)
    custom_data: str = column(STR, "run", emit=FILLED)
    files: list[str] = column(STRS, "run", emit=FILLED)
    environment: dict[str, str] = column(STR_MAP, "run", emit=FILLED)

    frame_first: int = column(I64, "list")
    frame_last: int = column(I64, "list")
    frames_per_task: int = column(I64, "list", default=1)
    frames_inc: int = column(I64, "list", default=1)
    sequential: int = column(I64, "list", default=1, emit="v != 1", doc="Order of solving.")
    file_size_min: int = column(I64, "list", default=-1, emit=POSITIVE, doc="Bytes.")
    file_size_max: int = column(I64, "list", default=-1, emit=POSITIVE, doc="Bytes.")
    capacity_coeff_min: int = column(I32, "list")
    capacity_coeff_max: int = column(I32, "list")
    multihost_min: int = column(U8, "list")
    multihost_max: int = column(U8, "list")
    multihost_service_wait: int = column(U16, "list", doc="Seconds.")
    multihost_max_wait: int = column(U16, "list", doc="Seconds.")
    capacity: int = column(I32, "list", default=1000)
    max_running_tasks: int = column(I32, "list", default=-1, emit=NOT_MINUS_ONE)
    max_running_tasks_per_host: int = column(I32, "list", default=-1, emit=NOT_MINUS_ONE)
    need_memory: int = column(I32, "list", default=-1, emit=POSITIVE, doc="MB")
    need_power: int = column(I32, "list", default=-1, emit=POSITIVE)
    need_hdd: int = column(I32, "list", default=-1, emit=POSITIVE, doc="GB")
    need_cpu_freq_mgz: int = column(I32, "list", default=-1, emit="v > -1", doc="MHz")
    need_cpu_cores: int = column(I32, "list", default=-1, emit="v > -1")
    need_cpu_freq_cores: int = column(I32, "list", default=-1, emit="v > -1", doc="MHz times cores.")
    need_gpu_mem_mb: int = column(I32, "list", default=-1, emit="v > -1", doc="MB")
    depend_mask: str = column(MASK, "list", emit=FILLED)
    tasks_depend_mask: str = column(MASK, "list", emit=FILLED)
    hosts_mask: str = column(MASK, "list", emit=FILLED)
    hosts_mask_exclude: str = column(MASK, "list", emit=FILLED)
    need_properties: str = column(MASK, "list", emit=FILLED)
    name: str = column(STR, "list", doc="Unique within its job.")
    service: str = column(STR, "list")
    tasks_num: int = column(I32, "list")
    errors_retries: int = column(I8, "list", default=-1, emit=NOT_MINUS_ONE, doc="Negative: the user's.")
    errors_avoid_host: int = column(I8, "list", default=-1, emit=NOT_MINUS_ONE, doc="Negative: the user's.")
    errors_task_same_host: int = column(
        I8, "list", default=-1, emit=NOT_MINUS_ONE, doc="Negative: the user's."
    )
    errors_forgive_time: int = column(
        I32, "list", default=-1, emit=NOT_MINUS_ONE, doc="Seconds; negative: the user's."
    )
    task_progress_change_timeout: int = column(I32, "list", default=-1, emit=NOT_MINUS_ONE, doc="Seconds.")
    task_max_run_time: int = column(I32, "list", emit=POSITIVE, doc="Seconds.")
    task_min_run_time: int = column(I32, "list", emit=POSITIVE, doc="Seconds.")
    tickets: dict[str, int] = column(I32_MAP, "list", emit=FILLED, doc="{ticket: count}")

    running_tasks_counter: int = column(I32, "progress", emit=POSITIVE)
    running_capacity_total: int = column(I64, "progress", emit=POSITIVE)
    p_percentage: int = column(U8, "progress", emit=POSITIVE)
    p_error_hosts: int = column(I32, "progress", emit=POSITIVE)
    p_avoid_hosts: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_ready: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_done: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_error: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_skipped: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_warning: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_waitrec: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_waitdep: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_suspended: int = column(I32, "progress", emit=POSITIVE)
    p_tasks_run_time_min: int = column(I32, "progress", emit=POSITIVE, doc="Seconds.")
    p_tasks_run_time_max: int = column(I32, "progress", emit=POSITIVE, doc="Seconds.")
    p_tasks_run_time_sum: int = column(I64, "progress", emit=POSITIVE, doc="Seconds.")
    st: int = column(I64, "progress", doc="Bits of State.")
    job_id: int = column(I32, "progress", emit=FILLED)
    block_num: int = column(I32, "progress")
    time_started: int = column(I64, "progress", emit=POSITIVE, doc="Unix seconds.")
    time_done: int = column(I64, "progress", emit=POSITIVE, doc="Unix seconds.")
    srv_info: str = column(STR, "progress", emit=FILLED, doc="Name of the last render.")
    p_progressbar: str = column(RawText(BAR_SIZE, " " * BAR_SIZE), "progress")
