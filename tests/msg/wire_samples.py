"""Messages recorded from the original server and its clients, and how the recording names their values."""

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afanasy_py.msg.record import Record
from afanasy_py.msg.types import EVENT_NAMES, HEADER_SIZE, MsgType

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "wire"


@dataclass(frozen=True)
class Sample:
    """The data of a recorded message and what another decoder made of it."""

    file: str
    type: MsgType
    data: bytes
    decoded: Any


def load_samples() -> list[Sample]:
    """Return all recorded messages that have data."""
    index = json.loads((GOLDEN / "index.json").read_text())
    return [
        Sample(
            message["file"],
            MsgType(message["type"]),
            (GOLDEN / message["file"]).read_bytes()[HEADER_SIZE:],
            message["decoded"],
        )
        for message in index["messages"]
    ]


Described = dict[str, Any]


def _one(name: str) -> Callable[[Any, Hashable], Described]:
    return lambda value, layout: {name: describe(value, layout)}


def _numbered(*names: str) -> Callable[[Any, Hashable], Described]:
    return lambda value, layout: dict(zip(names, value, strict=True))


def _nothing(value: Any, layout: Hashable) -> Described:
    return {}


def _rgb(prefix: str) -> Callable[[Any, Hashable], Described]:
    return _numbered(f"{prefix}r", f"{prefix}g", f"{prefix}b")


def _tickets(tickets: dict[str, list[int]]) -> list[Described]:
    names = ("count", "usage", "hosts", "max_hosts")
    return [{"name": name, **dict(zip(names, values, strict=True))} for name, values in tickets.items()]


#: {(class or "", column): what the recording has instead}
NAMES: dict[tuple[str, str], Callable[[Any, Hashable], Described]] = {
    ("", "st"): _one("state"),
    ("", "per"): _one("percent"),
    ("", "frm"): _one("frame"),
    ("", "pfr"): _one("percentframe"),
    ("Block", "running_capacity_total"): _one("running_capacity_counter"),
    ("Block", "tasks_data"): _one("tasks"),
    ("Job", "blocks_num"): _nothing,
    ("", "host_resources"): _one("hres"),
    ("Address", "address"): _one("addr"),
    ("HostRes", "cpu_loadavg"): _numbered("cpu_loadavg0", "cpu_loadavg1", "cpu_loadavg2"),
    ("CustomRes", "graph_clr"): _rgb("graph"),
    ("CustomRes", "label_clr"): _rgb("label"),
    ("CustomRes", "back_clr"): _rgb("bgcolor"),
    ("Monitor", "events"): lambda v, _: {"events": {name: name in v for name in EVENT_NAMES}},
    ("MonitorEvents", "events"): lambda v, _: {"events": {name: v.get(name, []) for name in EVENT_NAMES}},
    ("MonitorEvents", "tasks_outputs"): _one("outputs"),
    ("MonitorEvents", "tasks_listens"): _one("listens"),
    ("Block", "p_progressbar"): lambda v, _: {"p_progressbar": v.encode()},
    ("", "tickets_pool"): lambda v, _: {"tickets_pool": _tickets(v)},
    ("", "tickets_host"): lambda v, _: {"tickets_host": _tickets(v)},
    ("Stat", "sizes"): _one("max_size"),
    ("RenderUpdate", "outputs"): lambda v, layout: {
        "outputs": [{"pos": describe(pos, layout), "output": text} for pos, text in v]
    },
    ("TaskUp", "files"): lambda v, layout: {
        "files": [{"name": name, "data": describe(data, layout)} for name, data in v]
    },
    ("JobProgress", "blocks"): lambda v, layout: {
        "blocks": [{"tasks": describe(tasks, layout)} for tasks in v]
    },
    ("JobsWeight", "log"): _one("weight_log"),
    ("JobsWeight", "black"): _one("weight_black"),
    ("JobsWeight", "progress"): _one("weight_progress"),
    ("TestMessage", "rows"): lambda v, _: {"rows": [{"number": n, "string": s} for n, s in v]},
}


def describe(value: Any, layout: Hashable) -> Any:
    """Return a value as the recording writes it."""
    if isinstance(value, Record):
        return _describe_record(value, layout)
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return [[key, describe(item, layout)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [describe(item, layout) for item in value]
    return value


def _describe_record(record: Record, layout: Hashable) -> Described:
    named: Described = {}
    for col in type(record).columns_of(layout):
        if col.when and not eval(col.when, {"o": record}):
            continue
        rule = NAMES.get((type(record).__name__, col.name)) or NAMES.get(("", col.name)) or _one(col.name)
        named.update(rule(getattr(record, col.name), layout))
    return named


def describe_message(value: Any, msg_type: MsgType) -> Any:
    """Return what a whole message brought as the recording writes it."""
    if isinstance(value, str):
        return {"string": value}
    if isinstance(value, bytes):
        return {"bytes": value}
    if isinstance(value, list):
        if msg_type == MsgType.TStringList:
            return {"strings": value}
        return {"nodes": describe(value, msg_type)}
    return describe(value, msg_type)


def plain(recorded: Any) -> Any:
    """Return what a recording says with its bytes as bytes."""
    if isinstance(recorded, dict):
        if recorded.keys() == {"text"}:
            return recorded["text"].encode()
        if recorded.keys() == {"hex"}:
            return bytes.fromhex(recorded["hex"])
        return {key: plain(value) for key, value in recorded.items()}
    if isinstance(recorded, list):
        return [plain(value) for value in recorded]
    return recorded
