"""What renders and pools share. Source: spec wire-protocol 4.3; json-api 5.7."""

from __future__ import annotations

import struct

from afanasy_py.msg.codecs import I32, STR, STRS, Codec, Custom, bad_count, read_text, write_text
from afanasy_py.msg.json_forms import FILLED, NOT_NEGATIVE, Form, Json, Member
from afanasy_py.msg.record import Record, column

#: [count, usage, hosts, max hosts]; count -1: known only because a running task uses it.
Ticket = list[int]

_U32 = struct.Struct(">I")
_TICKET = struct.Struct(">4i")
_TICKET_LEAST = 5 + _TICKET.size


def _read_tickets(data: bytes, pos: int) -> tuple[dict[str, Ticket], int]:
    (count,) = _U32.unpack_from(data, pos)
    pos += 4
    if count * _TICKET_LEAST > len(data) - pos:
        raise bad_count(count)
    tickets = {}
    for _ in range(count):
        name, pos = read_text(data, pos)
        tickets[name] = list(_TICKET.unpack_from(data, pos))
        pos += _TICKET.size
    return tickets, pos


def _write_tickets(tickets: dict[str, Ticket]) -> bytes:
    parts = [_U32.pack(len(tickets))]
    for name, values in tickets.items():
        parts += (write_text(name), _TICKET.pack(*values))
    return b"".join(parts)


TICKETS: Codec[dict[str, Ticket]] = Custom(_read_tickets, _write_tickets, "{}", 4)


def _tickets_json(tickets: dict[str, Ticket]) -> Json:
    return {name: values[:3] if values[3] == -1 else values for name, values in tickets.items()}


#: Members of renders and pools.
FARM: Form = (
    "services", "services_disabled",
    Member("tickets_pool", lambda node: _tickets_json(node.tickets_pool), "o.tickets_pool"),
    Member("tickets_host", lambda node: _tickets_json(node.tickets_host), "o.tickets_host"),
    "capacity_host", "max_tasks_host", "power_host", "properties_host",
)  # fmt: skip


class FarmPart(Record, part=True):
    """Columns of renders and pools; -1 and empty texts are inherited from the pool above."""

    services: list[str] = column(STRS, "farm", emit=FILLED)
    services_disabled: list[str] = column(STRS, "farm", emit=FILLED)
    tickets_pool: dict[str, Ticket] = column(TICKETS, "farm", emit=FILLED)
    tickets_host: dict[str, Ticket] = column(TICKETS, "farm", emit=FILLED)
    max_tasks_host: int = column(I32, "farm", default=-1, emit=NOT_NEGATIVE)
    capacity_host: int = column(I32, "farm", default=-1, emit=NOT_NEGATIVE)
    power_host: int = column(I32, "farm", default=-1, emit=NOT_NEGATIVE)
    properties_host: str = column(STR, "farm", emit=FILLED)
