"""What a node may demand of a render, one named row each.

A row reads the demand of a node (None: it demands nothing) and tells whether a render meets it. Demands
are plain values, so nodes with equal demands share a `Profile` and are checked once for all of them; the
same rows explain why something waits. *Fixed* demands depend on what seldom changes of a render (name,
services, properties, pools), the others on its resources and running tasks.

Demands that depend on one job or block alone (limits per host, avoided hosts) are looked at by `solver.Solver` itself.
Source: spec scheduling 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afanasy_py.core.farmpart import can_run_service, has_tickets
from afanasy_py.core.job import FLAG_IGNORE_NIMBY, FLAG_IGNORE_PAUSED
from afanasy_py.core.masks import begins_with, contains, matches_regex
from afanasy_py.core.node import MASK_REGEX
from afanasy_py.core.render import NIMBY_ALL, PAUSED

if TYPE_CHECKING:
    from afanasy_py.core.render import Render

Demand = Hashable


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of demand."""

    #: How the answer to "why is it waiting" names it.
    name: str
    #: "work" (branch, user, job), "job" or "block": which nodes may demand it.
    scope: str
    #: True when only seldom changing properties of the render count.
    fixed: bool
    #: The node's demand, None for none. The second argument tells whether masks are regular expressions.
    read: Callable[[Any, bool], Demand | None]
    #: Whether a render meets the demand.
    passes: Callable[[Any, Render], bool]


def _positive(name: str) -> Callable[[Any, bool], Demand | None]:
    def read(node: Any, _regex: bool) -> Demand | None:
        value: int = getattr(node, name)
        return value if value > 0 else None

    return read


def _not_negative(name: str) -> Callable[[Any, bool], Demand | None]:
    def read(node: Any, _regex: bool) -> Demand | None:
        value: int = getattr(node, name)
        return value if value >= 0 else None

    return read


def _text(name: str) -> Callable[[Any, bool], Demand | None]:
    def read(node: Any, _regex: bool) -> Demand | None:
        return getattr(node, name) or None

    return read


def _mask(name: str) -> Callable[[Any, bool], Demand | None]:
    def read(node: Any, regex: bool) -> Demand | None:
        mask = getattr(node, name)
        return (mask, regex) if mask else None

    return read


def _name_matches(demand: tuple[str, bool], render: Render) -> bool:
    mask, regex = demand
    return matches_regex(mask, render.name) if regex else begins_with(mask, render.name)


def _name_does_not_match(demand: tuple[str, bool], render: Render) -> bool:
    return not _name_matches(demand, render)


def _pools(node: Any, _regex: bool) -> Demand | None:
    return tuple(sorted(node.pools.items())) or None


def pool_entry_matches(entry: str, path: str) -> bool:
    """Return whether an entry of `pools` means a pool: by beginning, or by any part of its path."""
    return path.startswith(entry) if entry.startswith("/") else entry in path


def _pools_allow(demand: tuple[tuple[str, int], ...], render: Render) -> bool:
    path = render.pool
    exclusive = matched = False
    for entry, value in demand:
        exclusive = exclusive or value >= 100
        if pool_entry_matches(entry, path):
            if value <= -100:
                return False
            matched = True
    return matched or not exclusive


def _minds(flag: int) -> Callable[[Any, bool], Demand | None]:
    def read(job: Any, _regex: bool) -> Demand | None:
        return None if job.flags & flag else True

    return read


def _capacity(block: Any, _regex: bool) -> Demand | None:
    capacity: int = block.min_capacity()
    return capacity


def _has_capacity(demand: int, render: Render) -> bool:
    return render.capacity < 0 or render.capacity_used + demand <= render.capacity


def _service(block: Any, _regex: bool) -> Demand | None:
    return str(block.service)


def _tickets(block: Any, _regex: bool) -> Demand | None:
    return tuple(sorted(block.tickets.items())) or None


#: In the order in which the original tests them.
CHECKS: tuple[Check, ...] = (
    Check("hosts_mask", "work", True, _mask("hosts_mask"), _name_matches),
    Check("hosts_mask_exclude", "work", True, _mask("hosts_mask_exclude"), _name_does_not_match),
    Check("need_os", "work", True, _text("need_os"), lambda d, r: contains(d, r.os)),
    Check("need_properties", "work", True, _text("need_properties"), lambda d, r: contains(d, r.properties)),
    Check("need_power", "work", True, _positive("need_power"), lambda d, r: r.power >= d),
    Check(
        "need_memory", "work", False, _positive("need_memory"), lambda d, r: r.host_resources.mem_free_mb >= d
    ),
    Check("need_hdd", "work", False, _positive("need_hdd"), lambda d, r: r.host_resources.hdd_free_gb >= d),
    Check("pools", "work", True, _pools, _pools_allow),
    Check("nimby", "job", False, _minds(FLAG_IGNORE_NIMBY), lambda _, r: not r.st & NIMBY_ALL),
    Check("paused", "job", False, _minds(FLAG_IGNORE_PAUSED), lambda _, r: not r.st & PAUSED),
    Check("capacity", "block", False, _capacity, _has_capacity),
    Check("service", "block", True, _service, lambda d, r: can_run_service(r, d)),
    Check("tickets", "block", False, _tickets, lambda d, r: has_tickets(r, dict(d))),
    Check(
        "need_memory",
        "block",
        False,
        _not_negative("need_memory"),
        lambda d, r: r.host_resources.mem_free_mb >= d,
    ),
    Check(
        "need_gpu_mem_mb",
        "block",
        False,
        _not_negative("need_gpu_mem_mb"),
        lambda d, r: r.host_resources.gpu_mem_total_mb - r.host_resources.gpu_mem_used_mb >= d,
    ),
    Check(
        "need_cpu_freq_mgz",
        "block",
        False,
        _not_negative("need_cpu_freq_mgz"),
        lambda d, r: r.host_resources.cpu_mhz >= d,
    ),
    Check(
        "need_cpu_cores",
        "block",
        False,
        _not_negative("need_cpu_cores"),
        lambda d, r: r.host_resources.cpu_num >= d,
    ),
    Check(
        "need_cpu_freq_cores",
        "block",
        False,
        _not_negative("need_cpu_freq_cores"),
        lambda d, r: r.host_resources.cpu_num * r.host_resources.cpu_mhz >= d,
    ),
    Check(
        "need_hdd", "block", False, _not_negative("need_hdd"), lambda d, r: r.host_resources.hdd_free_gb >= d
    ),
    Check("hosts_mask", "block", True, _mask("hosts_mask"), _name_matches),
    Check("hosts_mask_exclude", "block", True, _mask("hosts_mask_exclude"), _name_does_not_match),
    Check("need_power", "block", True, _positive("need_power"), lambda d, r: r.power >= d),
    Check("need_properties", "block", True, _text("need_properties"), lambda d, r: contains(d, r.properties)),
)

_SCOPES = {"work": ("work",), "job": ("work", "job"), "block": ("block",)}


def demands_of(node: Any, kind: str, *, regex: bool) -> tuple[tuple[int, Demand], ...]:
    """Return what a node demands: pairs (index in `CHECKS`, demand).

    Args:
        node: A branch, user, job or block.
        kind: "work" for branches and users, "job", or "block".
        regex: Whether its host masks are regular expressions.
    """
    scopes = _SCOPES[kind]
    found = []
    for index, check in enumerate(CHECKS):
        if check.scope in scopes:
            demand = check.read(node, regex)
            if demand is not None:
                found.append((index, demand))
    return tuple(found)


def masks_are_regex(node: Any) -> bool:
    """Return whether the host masks of a branch, user or job are regular expressions."""
    return bool(node.work_flags & MASK_REGEX)
