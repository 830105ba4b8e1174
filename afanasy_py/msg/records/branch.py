"""A branch of the tree of jobs. Source: spec wire-protocol 4.13; json-api 5.6."""

from typing import Any, ClassVar

from afanasy_py.msg.codecs import I8, I32, I64, STR, OffWire
from afanasy_py.msg.json_forms import FILLED, POSITIVE, Form, flag
from afanasy_py.msg.record import column
from afanasy_py.msg.records.node import HEAD, WORK, Work
from afanasy_py.msg.types import BranchFlag

_LIST: Form = (
    *HEAD,
    *WORK,
    flag("create_childs", "flags_branch", BranchFlag.CREATE_CHILDS.value),
    flag("solve_jobs", "flags_branch", BranchFlag.SOLVE_JOBS.value),
    flag("paused", "flags_branch", BranchFlag.PAUSED.value),
    "time_creation", "time_empty", "parent_path", "branches_total", "jobs_total", "jobs_running", "jobs_done",
    "jobs_ready", "jobs_error", "tasks_ready", "tasks_error", "active_jobs", "active_users",
)  # fmt: skip


class Branch(Work):
    """A branch; its name is the whole path. Numbers count what is in its children too."""

    json_forms: ClassVar[dict[str, Form]] = {"list": _LIST, "store": _LIST}

    flags_branch: int = column(I8, doc="Bits of BranchFlag.")
    time_creation: int = column(I64, doc="Unix seconds.")
    time_empty: int = column(I64, emit=FILLED, doc="Unix seconds: without jobs since; 0: it has some.")
    parent_path: str = column(STR, json="parent", doc="Empty for the root.")
    branches_total: int = column(I32, emit=POSITIVE)
    jobs_total: int = column(I32, emit=POSITIVE)
    jobs_running: int = column(I32, emit=POSITIVE)
    jobs_done: int = column(I32, emit=POSITIVE)
    jobs_ready: int = column(I32, emit=POSITIVE)
    jobs_error: int = column(I32, emit=POSITIVE)
    tasks_ready: int = column(I32, emit=POSITIVE)
    tasks_error: int = column(I32, emit=POSITIVE)
    active_jobs: list[dict[str, Any]] = column(OffWire("[]"), wire=False, doc="Own jobs that are not done.")
    active_users: list[dict[str, Any]] = column(OffWire("[]"), wire=False, doc="Users with running tasks.")
