"""A monitor: a client that watches. Source: spec wire-protocol 4.13; json-api 5.9."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from afanasy_py.msg.codecs import I32, I32S, I64, STR, Codec, Custom
from afanasy_py.msg.json_forms import FILLED, Form, Member
from afanasy_py.msg.record import Sub, column
from afanasy_py.msg.records.address import Address
from afanasy_py.msg.records.node import HEAD, Node
from afanasy_py.msg.types import EVENT_NAMES

_SIZE = len(EVENT_NAMES)


def _read_events(data: bytes, pos: int) -> tuple[list[str], int]:
    letters = data[pos : pos + _SIZE]
    return [
        name for name, letter in zip(EVENT_NAMES, letters, strict=False) if letter == ord("y")
    ], pos + _SIZE


def _write_events(events: Collection[str]) -> bytes:
    return bytes([ord("y") if name in events else ord("n") for name in EVENT_NAMES])


_EVENTS: Codec[Collection[str]] = Custom(_read_events, _write_events, "[]", _SIZE)


class Monitor(Node):
    """A monitor."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            *HEAD,
            "user_name", "time_register", "time_launch", "time_update", "os",
            Member("address", "o.address.to_json()", "o.address.family != 2"),
            "engine", "uid", "time_activity",
            Member("events", lambda monitor: [name for name in EVENT_NAMES if name in monitor.events]),
            "jobs_ids",
        )
    }  # fmt: skip

    uid: int = column(I32, default=-1, doc="Id of its user; -1: none, 0: sees all jobs.")
    time_launch: int = column(I64, doc="Unix seconds.")
    time_register: int = column(I64, doc="Unix seconds.")
    time_activity: int = column(I64, doc="Unix seconds.")
    user_name: str = column(STR)
    engine: str = column(STR, emit=FILLED)
    events: Collection[str] = column(_EVENTS, doc="Names of EVENT_NAMES that it subscribed to.")
    jobs_ids: list[int] = column(I32S, emit=FILLED, doc="Jobs whose tasks it watches.")
    address: Address = column(Sub(Address))
    time_update: int = column(I64, wire=False, doc="Unix seconds: last asked for events.")
    os: str = column(STR, wire=False, doc="Always empty.")
