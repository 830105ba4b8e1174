"""Operations that pools and renders share: services and tickets.

Source: json-api 9.4; spec scheduling 2.6, 2.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from afanasy_py.core.farmpart import COUNT, MAX_HOSTS, USAGE, known_ticket
from afanasy_py.core.fields import ABSENT, Json, get_bool, get_int, get_str
from afanasy_py.core.pool import Pool
from afanasy_py.core.table import mask_words

if TYPE_CHECKING:
    from afanasy_py.core.actions.action import Action
    from afanasy_py.core.render import Render

#: Tells whether anything changed.
Mode = Callable[["Action", "Render | Pool", Json], bool]

_NO_MODE = (
    "Service operation mode is not set.\t\t\t"
    "Valid modes are: 'service_add','service_remove','service_enable','service_disable'."
)


def operate_services(action: Action, node: Render | Pool) -> bool:
    """Do the operation `farm`: add, remove, disable or enable services; return whether anything changed."""
    assert action.operation is not None
    name = get_str(action.operation, "mode")
    if name is ABSENT:
        action.error(_NO_MODE)
        return False
    mode = _MODES.get(name)
    if mode is None:
        action.error(f"Unknown farm operation mode: {name}")
        return False
    return mode(action, node, action.operation)


def _add(action: Action, node: Render | Pool, operation: Json) -> bool:
    name = get_str(operation, "name")
    if name is ABSENT:
        action.error("Service name is not specified.")
    elif not name:
        action.error("Service name is empty.")
    elif name in node.services:
        action.error(f"Service '{name}' already exists.")
    else:
        node.services = [*node.services, name]
        action.log(f'Service "{name}" added.')
        return True
    return False


def _by_mask(change: Callable[[Action, Render | Pool, tuple[str, ...], str], bool]) -> Mode:
    """Make a mode of a change of the services that a mask of beginnings names."""

    def mode(action: Action, node: Render | Pool, operation: Json) -> bool:
        mask = get_str(operation, "mask")
        if mask is ABSENT:
            action.error("Invalid service mask.")
            return False
        if change(action, node, mask_words(mask) or ("",), mask):
            return True
        action.error(f"No services found mathing pattern {mask}")
        return False

    return mode


def _remove(action: Action, node: Render | Pool, words: tuple[str, ...], _mask: str) -> bool:
    found = [name for name in node.services if name.startswith(words)]
    node.services = [name for name in node.services if name not in found]
    for name in found:
        action.log(f'Service "{name}" removed.')
    return bool(found)


def _enable(action: Action, node: Render | Pool, words: tuple[str, ...], _mask: str) -> bool:
    found = [name for name in node.services_disabled if name.startswith(words)]
    node.services_disabled = [name for name in node.services_disabled if name not in found]
    for name in found:
        action.log(f'Service "{name}" enabled.')
    return bool(found)


def _disable(action: Action, node: Render | Pool, words: tuple[str, ...], mask: str) -> bool:
    """Disable services of the list; a mask that names none of them is disabled as a service itself."""
    found = [n for n in node.services if n.startswith(words) and n not in node.services_disabled]
    for name in found:
        action.log(f'Service "{name}" disabled.')
    if not found and mask not in node.services_disabled:
        found = [mask]
        action.log(f'Service "{mask}" disabled')
    node.services_disabled = [*node.services_disabled, *found]
    return bool(found)


def _clear(action: Action, node: Render | Pool, _operation: Json) -> bool:
    if not node.services and not node.services_disabled:
        action.error("No services to clear")
        return False
    node.services, node.services_disabled = [], []
    action.info("Services cleared")
    return True


_MODES: dict[str, Mode] = {
    "service_add": _add,
    "service_remove": _by_mask(_remove),
    "service_enable": _by_mask(_enable),
    "service_disable": _by_mask(_disable),
    "clear_services": _clear,
}


def operate_tickets(action: Action, node: Render | Pool) -> bool:
    """Do the operation `tickets`: add, change or erase one; return whether anything changed."""
    assert action.operation is not None
    operation = action.operation
    name, count = get_str(operation, "name"), get_int(operation, "count")
    if name is ABSENT:
        action.error("Ticket name is not specified.")
        return False
    if count is ABSENT:
        action.error("Ticket count is not specified.")
        return False
    of_host = get_bool(operation, "host") is True
    if not of_host and not isinstance(node, Pool):
        action.error(f"Node['{node.name}'] is not a pool.")
        return False
    kind = "tickets_host" if of_host else "tickets_pool"
    tickets = getattr(node, kind)
    ticket = tickets.get(name)
    if count == -1 and (ticket is None or ticket[USAGE] <= 0):
        if ticket is None:
            action.error(f"Node['{node.name}'] has no '{name}' ticket.")
            return False
        del tickets[name]
        action.log(f"Ticket {name} erased")
        return True
    action.log(f"Ticket {name} {'added' if ticket is None else 'modified'}")
    ticket = known_ticket(node, kind, name)
    ticket[COUNT] = count
    limit = get_int(operation, "max_hosts")
    if limit is not ABSENT and not of_host:
        ticket[MAX_HOSTS] = limit
    return True
