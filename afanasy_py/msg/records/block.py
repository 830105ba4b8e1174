"""A block of a job and the tasks of an explicit one. Source: spec wire-protocol 4.15; json-api 5.4, 6.2."""

from __future__ import annotations

from typing import ClassVar

from afanasy_py.msg.codecs import (
    I8,
    I32,
    I32_MAP_UNSORTED,
    I64,
    MASK,
    STR,
    STR_MAP,
    STRS,
    U8,
    U16,
    RawText,
)
from afanasy_py.msg.json_forms import FILLED, NOT_MINUS_ONE, POSITIVE
from afanasy_py.msg.record import Layouts, Record, column, records
from afanasy_py.msg.types import MsgType

#: Characters of a progress bar.
BAR_SIZE = 128

_FULL = ("tasks", "run", "list", "progress")


class TaskData(Record):
    """A task of an explicit block. Its environment does not travel."""

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

    # Flags lead two groups, so they travel twice where both are there.
    flags: int = column(I64, "tasks", "list", doc="Bits of BlockFlag.")
    tasks_data: list[TaskData] = column(
        records(TaskData, "i"), "tasks", when="not o.flags & 1", json="tasks", emit=FILLED
    )

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
    tickets: dict[str, int] = column(I32_MAP_UNSORTED, "list", emit=FILLED, doc="{ticket: count}")

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
