"""A render: a host that runs tasks. Source: spec wire-protocol 4.12; json-api 5.8."""

from __future__ import annotations

from typing import ClassVar

from afanasy_py.msg.codecs import BOOL, I32, I32_MAP, I32S, I64, STR, U8
from afanasy_py.msg.json_forms import FILLED, POSITIVE, Form, Member
from afanasy_py.msg.record import Layouts, Record, Sub, column, records
from afanasy_py.msg.records.address import Address, NetIF
from afanasy_py.msg.records.farm import FARM, FarmPart
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.node import HEAD, PRIORITY
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.types import MAX_RENDER_TASKS, MsgType, RenderState, render_state_text

_LIST: Form = (
    "tasks_percents",
    *HEAD,
    "user_name", "time_register", "time_launch", "time_update", "os",
    Member("address", "o.address.to_json()", "o.address.family != 2"),
    "netifs", "engine", "pool", "st",
    Member("state", lambda render: render_state_text(render.st)),
    "capacity_used", "task_start_finish_time", "wol_operation_time", "idle_time", "busy_time", "tasks",
    *FARM,
)  # fmt: skip

_ONLINE = f"o.st & {RenderState.ONLINE.value}"


class Render(FarmPart, Record):
    """A render. Columns of the node are spread over the groups, and running_services do not travel."""

    layouts: ClassVar[Layouts] = {
        MsgType.TRendersList: ("farm", "list", "who", "use", "id"),
        MsgType.TRenderRegister: ("who", "use", "id", "net"),
        MsgType.TRendersResources: ("use", "id"),
    }
    json_forms: ClassVar[dict[str, Form]] = {
        "list": _LIST,
        "store": _LIST,
        "resources": (
            "tasks_percents",
            ("id", ""),
            Member("host_name", "o.name"),
            Member("idle_time", "o.idle_time", _ONLINE),
            Member("busy_time", "o.busy_time", _ONLINE),
            Member("host_resources", "o.host_resources.to_json()", _ONLINE),
        ),
    }

    locked: bool = column(BOOL, "list", emit=FILLED, doc="Being registered or deleted.")
    pool: str = column(STR, "list", doc="Path of its pool.")
    task_start_finish_time: int = column(I64, "list", doc="Unix seconds of the last start or end of a task.")
    capacity_used: int = column(I32, "list")
    time_update: int = column(I64, "list", doc="Unix seconds.")
    time_register: int = column(I64, "list", doc="Unix seconds.")
    wol_operation_time: int = column(I64, "list", emit=POSITIVE, doc="Unix seconds.")
    annotation: str = column(STR, "list", emit=FILLED)
    custom_data: str = column(STR, "list", emit=FILLED)
    srv_info: str = column(STR, "list", json="m_srv_info", emit=FILLED)
    tasks: list[TaskExec] = column(
        records(TaskExec, most=MAX_RENDER_TASKS), "who", emit=FILLED, doc="Running ones."
    )
    os: str = column(STR, "who", doc="Words, separated by spaces.")
    engine: str = column(STR, "who", emit=FILLED, doc="Version of the client.")
    name: str = column(STR, "who")
    user_name: str = column(STR, "who")
    st: int = column(I64, "who", doc="Bits of RenderState.")
    flags: int = column(I64, "who", doc="Bits of NodeFlag.")
    priority: int = column(U8, "who", default=PRIORITY)
    time_launch: int = column(I64, "who", doc="Unix seconds; 0 when offline.")
    address: Address = column(Sub(Address), "who")
    tasks_percents: list[int] = column(I32S, "use", emit=FILLED, doc="One for each running task.")
    idle_time: int = column(I64, "use", doc="Unix seconds: idle since.")
    busy_time: int = column(I64, "use", doc="Unix seconds: busy since.")
    host_resources: HostRes = column(Sub(HostRes), "use")
    id: int = column(I32, "id", emit=POSITIVE)
    netifs: list[NetIF] = column(records(NetIF, "b"), "net", emit=FILLED)
    running_services: dict[str, int] = column(I32_MAP, emit=FILLED)
