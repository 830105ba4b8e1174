"""What all nodes share, and what branches, users and jobs share. Source: spec wire-protocol 4.1, 4.2."""

from __future__ import annotations

from afanasy_py.msg.codecs import BOOL, I8, I32, I32_MAP, I64, MASK, STR, U8
from afanasy_py.msg.json_forms import FILLED, NOT_MINUS_ONE, POSITIVE
from afanasy_py.msg.record import Record, column

#: Priority of a node that says nothing else.
PRIORITY = 99


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
