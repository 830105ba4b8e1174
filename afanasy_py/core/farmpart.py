"""What renders and pools share: services, tickets and values that are inherited from the pool above.

A ticket is a list [count, usage, hosts, max hosts]; count -1: it is known only because a running task uses
it. Source: spec scheduling 2.6, 2.7, 2.8.1, 7.11.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from afanasy_py.core.pool import Pool
    from afanasy_py.core.render import Render

COUNT, USAGE, HOSTS, MAX_HOSTS = range(4)

T = TypeVar("T")


def chain(node: Render | Pool) -> Iterator[Render | Pool]:
    """Yield a render or pool and all pools above it, the root last."""
    link: Render | Pool | None = node
    while link is not None:
        yield link
        link = link.pool_node


def inherited(node: Render | Pool, name: str, floor: int) -> int:
    """Return the nearest value that is at least `floor` from the node up, or -1."""
    for link in chain(node):
        value: int = getattr(link, name)
        if value >= floor:
            return value
    return -1


def pool_value(render: Render, name: str, floor: int) -> int:
    """Return the nearest value that is at least `floor` in the pools of a render, or -1."""
    return inherited(render.pool_node, name, floor) if render.pool_node is not None else -1


def inherited_text(node: Render | Pool, name: str) -> str:
    """Return the nearest text that is not empty from the node up."""
    for link in chain(node):
        value: str = getattr(link, name)
        if value:
            return value
    return ""


def can_run_service(node: Render | Pool, service: str) -> bool:
    """Return whether tasks of a service may run (spec 2.6.1)."""
    listed = False
    for link in chain(node):
        if service in link.services_disabled:
            return False
        if service in link.services:
            return True
        listed = listed or bool(link.services)
    return not listed


def has_tickets(render: Render, needed: dict[str, int]) -> bool:
    """Return whether a render and its pools have the tickets that a task takes (spec 2.7.2, 2.7.3)."""
    return all(_has_host_ticket(render, n, c) and _has_pool_ticket(render, n, c) for n, c in needed.items())


def _has_host_ticket(render: Render, name: str, count: int) -> bool:
    own = render.tickets_host.get(name)
    used = own[USAGE] if own else 0
    for link in chain(render):
        ticket = link.tickets_host.get(name)
        if ticket and ticket[COUNT] != -1:
            if link is render:
                return bool(ticket[COUNT] - ticket[USAGE] >= count)
            return bool(ticket[COUNT] >= count + used)
    return True


def _has_pool_ticket(render: Render, name: str, count: int) -> bool:
    pool = render.pool_node
    while pool is not None:
        ticket = pool.tickets_pool.get(name)
        if ticket and ticket[COUNT] != -1:
            if ticket[MAX_HOSTS] != -1:
                if ticket[HOSTS] > ticket[MAX_HOSTS]:
                    return False
                if ticket[HOSTS] == ticket[MAX_HOSTS]:
                    own = render.tickets_host.get(name)
                    if not own or own[USAGE] == 0:
                        return False
            return bool(ticket[COUNT] - ticket[USAGE] >= count)
        pool = pool.pool_node
    return True


def newest_first(known: dict[str, T], added: dict[str, T]) -> dict[str, T]:
    """Return tickets with others added or changed; the order is not defined, the original mostly has this."""
    return {name: added[name] for name in reversed(added) if name not in known} | known | added


def known_ticket(node: Render | Pool, kind: str, name: str) -> list[int]:
    """Return a ticket of a node, known from now on."""
    tickets: dict[str, list[int]] = getattr(node, kind)
    if name not in tickets:
        tickets = newest_first(tickets, {name: [-1, 0, 0, -1]})
        setattr(node, kind, tickets)
    return tickets[name]


def take_tickets(render: Render, tickets: dict[str, int]) -> None:
    """Count tickets that a starting task takes (spec 2.7.4)."""
    for name, count in tickets.items():
        own = known_ticket(render, "tickets_host", name)
        first = own[USAGE] == 0
        own[USAGE] += count
        pool = render.pool_node
        while pool is not None:
            ticket = known_ticket(pool, "tickets_pool", name)
            ticket[USAGE] += count
            ticket[HOSTS] += first
            pool = pool.pool_node


def release_tickets(render: Render, tickets: dict[str, int]) -> None:
    """Count tickets that a task gives back; those known only by their use vanish with it."""
    for name, count in tickets.items():
        own = render.tickets_host.get(name)
        if own is None:
            continue
        own[USAGE] = max(own[USAGE] - count, 0)
        last = own[USAGE] == 0
        if last and own[COUNT] == -1:
            del render.tickets_host[name]
        pool = render.pool_node
        while pool is not None:
            ticket = pool.tickets_pool.get(name)
            if ticket is not None:
                ticket[USAGE] = max(ticket[USAGE] - count, 0)
                ticket[HOSTS] -= last
                if ticket[USAGE] == 0 and ticket[COUNT] == -1:
                    del pool.tickets_pool[name]
            pool = pool.pool_node
