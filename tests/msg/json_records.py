"""Records made of what JSON shows of them: only for tests, and only as exact as showing them again needs."""

from collections.abc import Callable
from typing import Any

from afanasy_py.msg.record import Record
from afanasy_py.msg.records.address import Address, NetIF
from afanasy_py.msg.records.block import Block, TaskData
from afanasy_py.msg.records.branch import Branch
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.types import TASK_KIND_NAMES, BranchFlag, NodeFlag, RenderState, WorkFlag

Json = dict[str, Any]


def address(node: Json) -> Address:
    return Address.from_ip(node["ip"], node["port"])


def net_if(node: Json) -> NetIF:
    return NetIF(
        name=node["name"],
        mac=bytes.fromhex(node["mac"].replace(":", "")),
        addresses=[address(item) for item in node.get("addresses", [])],
    )


def tickets(node: Json) -> dict[str, list[int]]:
    return {name: values if len(values) == 4 else [*values, -1] for name, values in node.items()}


def set_bit(record: Any, attribute: str, bit: int) -> None:
    setattr(record, attribute, getattr(record, attribute) | bit)


def ignore(record: Any, value: Any) -> None:
    pass


def assign(name: str, make: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    return lambda record, value: setattr(record, name, make(value))


def bit(attribute: str, number: int) -> Callable[[Any, Any], None]:
    return lambda record, value: set_bit(record, attribute, number)


def word(name: str, bits: dict[str, int]) -> Callable[[Any, Any], None]:
    return lambda record, value: set_bit(record, name, bits.get(value, 0))


def set_tasks(record: Any, value: Any) -> None:
    if isinstance(record, Block):
        record.tasks_data = [from_json(TaskData, item) for item in value]
    else:
        record.tasks = [from_json(TaskExec, item) for item in value]


def set_paused(record: Any, value: Any) -> None:
    if isinstance(record, Branch):
        set_bit(record, "flags_branch", BranchFlag.PAUSED)
    else:
        record.st |= 1


def set_resources(record: Any, value: Any) -> None:
    record.st |= RenderState.ONLINE
    record.host_resources = from_json(HostRes, value)


def set_host_name(record: Any, value: Any) -> None:
    setattr(record, "name" if isinstance(record, Render) else "host_name", value)


def set_pos(record: Any, value: Any) -> None:
    record.pos = TaskPos(
        job_id=value["job"], block_num=value["block"], task_num=value["task"], number=value["number"]
    )


#: {member that is no column of this name and value: what it sets}
MEMBERS: dict[str, Callable[[Any, Any], None]] = {
    "hidden": bit("flags", NodeFlag.HIDDEN),
    "ppa": bit("flags", NodeFlag.PPA),
    "maintenance": bit("flags", NodeFlag.MAINTENANCE),
    "ignorenimby": bit("flags", NodeFlag.IGNORE_NIMBY),
    "ignorepaused": bit("flags", NodeFlag.IGNORE_PAUSED),
    "create_childs": bit("flags_branch", BranchFlag.CREATE_CHILDS),
    "solve_jobs": bit("flags_branch", BranchFlag.SOLVE_JOBS),
    "solve_method": word("work_flags", {"solve_priority": WorkFlag.SOLVE_PRIORITY}),
    "solve_need": word("work_flags", {"solve_capacity": WorkFlag.SOLVE_CAPACITY}),
    "hosts_mask_type": word("work_flags", {"find": WorkFlag.MASK_FIND, "regex": WorkFlag.MASK_REGEX}),
    "paused": set_paused,
    "state": ignore,
    "depend_sub_task": ignore,
    "address": assign("address", address),
    "netifs": assign("netifs", lambda value: [net_if(item) for item in value]),
    "tasks": set_tasks,
    "blocks": assign("blocks", lambda value: [from_json(Block, item) for item in value]),
    "tickets_pool": assign("tickets_pool", tickets),
    "tickets_host": assign("tickets_host", tickets),
    "host_resources": set_resources,
    "host_name": set_host_name,
    "type": assign("kind", TASK_KIND_NAMES.index),
    "pos": set_pos,
    "progress": assign("progress", lambda value: from_json(TaskProgress, value)),
    "exec": assign("exec", lambda value: from_json(TaskExec, value)),
}


def from_json(cls: type[Record], node: Json) -> Any:
    """Return a record of which `to_json` gives the node."""
    record = cls()
    names = {col.json or col.name: col.name for col in cls.columns.values()}
    for key, value in node.items():
        if key in MEMBERS:
            MEMBERS[key](record, value)
        else:
            setattr(record, names[key], value)
    return record
