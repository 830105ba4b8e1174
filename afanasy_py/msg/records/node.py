"""What all nodes share, and what branches, users and jobs share. Source: spec wire-protocol 4.1, 4.2."""

from __future__ import annotations

from afanasy_py.msg.codecs import BOOL, I8, I32, I32_MAP, I64, MASK, STR, U8
from afanasy_py.msg.json_forms import FILLED, NOT_MINUS_ONE, POSITIVE, Form, Member, choice, flag
from afanasy_py.msg.record import Record, column
from afanasy_py.msg.types import NodeFlag, WorkFlag

#: Priority of a node that says nothing else.
PRIORITY = 99

#: Members of every node.
HEAD: Form = (
    "name", "id", "priority", "locked",
    flag("hidden", "flags", NodeFlag.HIDDEN.value),
    "annotation", "custom_data", "srv_info", "running_services",
)  # fmt: skip

#: Members of nodes of the tree of work, behind the head.
WORK: Form = (
    "max_tasks_per_second", "max_running_tasks", "max_running_tasks_per_host",
    "hosts_mask", "hosts_mask_exclude", "need_os", "need_properties", "need_power", "need_memory", "need_hdd",
    "pools",
    choice("solve_method", "work_flags", WorkFlag.SOLVE_PRIORITY.value, ("solve_priority", "solve_order")),
    choice("solve_need", "work_flags", WorkFlag.SOLVE_CAPACITY.value, ("solve_capacity", "solve_tasksnum")),
    Member(
        "hosts_mask_type",
        f"'regex' if o.work_flags & {WorkFlag.MASK_REGEX.value} else 'find'",
        f"o.work_flags & {(WorkFlag.MASK_FIND | WorkFlag.MASK_REGEX).value}",
    ),
    "running_tasks_num", "running_capacity_total",
)  # fmt: skip


class Node(Record, part=True):
    """Columns of every node."""

    id: int = column(I32, "node", emit=POSITIVE)
    priority: int = column(U8, "node", default=PRIORITY)
    name: str = column(STR, "node")
    annotation: str = column(STR, "node", emit=FILLED)
    custom_data: str = column(STR, "node", emit=FILLED)
    srv_info: str = column(STR, "node", json="m_srv_info", emit=FILLED)
    st: int = column(I64, "node", doc="State bits, their meaning is up to the class.")
    flags: int = column(I64, "node", doc="Bits of NodeFlag.")
    running_services: dict[str, int] = column(
        I32_MAP, "node", emit=FILLED, doc="{service: running tasks of it}"
    )
    locked: bool = column(BOOL, "node", emit=FILLED, doc="Being registered or deleted.")


class Work(Node, part=True):
    """Columns of nodes of the tree of work."""

    work_flags: int = column(I8, "work", doc="Bits of WorkFlag.")
    max_tasks_per_second: int = column(I32, "work", default=-1, emit="v > -1", doc="Starts; -1: no limit.")
    max_running_tasks: int = column(I32, "work", default=-1, emit=NOT_MINUS_ONE)
    max_running_tasks_per_host: int = column(I32, "work", default=-1, emit=NOT_MINUS_ONE)
    hosts_mask: str = column(MASK, "work", emit=FILLED)
    hosts_mask_exclude: str = column(MASK, "work", emit=FILLED)
    need_os: str = column(MASK, "work", emit=FILLED)
    need_properties: str = column(MASK, "work", emit=FILLED)
    need_power: int = column(I32, "work", default=-1, emit=POSITIVE)
    need_memory: int = column(I32, "work", default=-1, emit=POSITIVE, doc="MB")
    need_hdd: int = column(I32, "work", default=-1, emit=POSITIVE, doc="GB")
    running_tasks_num: int = column(I32, "work", emit=POSITIVE)
    running_capacity_total: int = column(I64, "work", emit=POSITIVE)
    pools: dict[str, int] = column(I32_MAP, "work", emit=FILLED, doc="{path of a pool: priority -100..100}")
