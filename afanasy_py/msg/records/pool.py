"""A pool of the tree of renders. Source: spec wire-protocol 4.13; json-api 5.7."""

from typing import ClassVar

from afanasy_py.msg.codecs import BOOL, I32, I64, MASK, STR
from afanasy_py.msg.json_forms import FILLED, NOT_NEGATIVE, POSITIVE, Form, Member
from afanasy_py.msg.record import column
from afanasy_py.msg.records.farm import FARM, FarmPart
from afanasy_py.msg.records.node import HEAD, Node
from afanasy_py.msg.types import pool_state_text

_LIST: Form = (
    *HEAD,
    Member("pattern", "o.pattern", "o.pattern and o.name != '/'"),
    "parent_path", "time_creation", "pools_total", "renders_total", "renders_busy", "renders_ready",
    "renders_online", "renders_offline", "renders_nimby", "renders_paused", "renders_sick", "st",
    Member("state", lambda pool: pool_state_text(pool.st)),
    "run_tasks", "run_capacity", "task_start_finish_time", "heartbeat_sec", "resources_update_period",
    "zombie_time", "exit_no_task_time", "no_task_event_time", "overload_event_time",
    "new_nimby", "new_paused", "sick_errors_count",
    *FARM,
    "idle_wolsleep_time", "idle_free_time", "busy_nimby_time", "idle_cpu", "busy_cpu", "idle_mem", "busy_mem",
    "idle_swp", "busy_swp", "idle_hddgb", "busy_hddgb", "idle_hddio", "busy_hddio",
    "idle_netmbs", "busy_netmbs",
)  # fmt: skip


class Pool(Node, FarmPart):
    """A pool; its name is the whole path. State bits: 1 busy, 2 paused."""

    json_forms: ClassVar[dict[str, Form]] = {"list": _LIST, "store": _LIST}

    pattern: str = column(MASK, when="o.name != '/'", emit=FILLED, doc="Of names of its renders.")
    parent_path: str = column(STR, json="parent", doc="Empty for the root.")
    time_creation: int = column(I64, doc="Unix seconds.")
    heartbeat_sec: int = column(I32, default=-1, emit=POSITIVE)
    resources_update_period: int = column(I32, default=-1, emit=POSITIVE, doc="In heartbeats.")
    zombie_time: int = column(I32, default=-1, emit=POSITIVE, doc="Seconds.")
    exit_no_task_time: int = column(I32, default=-1, emit=POSITIVE, doc="Seconds.")
    no_task_event_time: int = column(I32, default=-1, emit=POSITIVE, doc="Seconds.")
    overload_event_time: int = column(I32, default=-1, emit=POSITIVE, doc="Seconds.")
    new_nimby: bool = column(BOOL, emit=FILLED, doc="New renders come as nimby.")
    new_paused: bool = column(BOOL, emit=FILLED, doc="New renders come paused.")
    sick_errors_count: int = column(I32, default=-1, emit=NOT_NEGATIVE)
    pools_total: int = column(I32)
    renders_total: int = column(I32)
    renders_busy: int = column(I32)
    renders_ready: int = column(I32)
    renders_online: int = column(I32)
    renders_offline: int = column(I32)
    renders_nimby: int = column(I32)
    renders_paused: int = column(I32)
    renders_sick: int = column(I32)
    run_tasks: int = column(I32, emit=POSITIVE)
    run_capacity: int = column(I32, emit=POSITIVE)
    task_start_finish_time: int = column(I64, emit=POSITIVE, doc="Unix seconds.")
    idle_wolsleep_time: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Seconds.")
    idle_free_time: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Seconds.")
    busy_nimby_time: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Seconds.")
    idle_cpu: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    busy_cpu: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    idle_mem: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    busy_mem: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    idle_swp: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    busy_swp: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    idle_hddgb: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="GB free.")
    busy_hddgb: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="GB free.")
    idle_hddio: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    busy_hddio: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="Percent.")
    idle_netmbs: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="MB per second.")
    busy_netmbs: int = column(I32, default=-1, emit=NOT_NEGATIVE, doc="MB per second.")
