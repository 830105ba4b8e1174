"""What all nodes of the farm have beside their travelling fields.

Node classes extend the wire records, so a node is encoded without being copied. Source: spec scheduling
2.1.7, 2.1.8; json-api 12.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

NODE_HIDDEN = 2

#: Work flags (json-api 11.4).
SOLVE_PRIORITY = 1
SOLVE_CAPACITY = 2
MASK_FIND = 4
MASK_REGEX = 8


K = TypeVar("K")


def drop_one(counts: dict[K, int], key: K) -> None:
    """Lower a count by one; zero counts are not kept."""
    left = counts[key] - 1
    if left:
        counts[key] = left
    else:
        del counts[key]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a node's log."""

    time: int
    subject: str
    type: str
    object: str
    info: str


class Logged:
    """A node's log and the cache of its encoded forms."""

    #: The table it is in: "jobs", "renders", ...
    kind: ClassVar[str]

    def prepare_node(self) -> None:
        """Set the fields that every node has."""
        #: The last lines, oldest first; made by the first line.
        self.log_lines: deque[LogLine] | None = None
        #: {form: encoded node}, emptied by each change.
        self.encoded: dict[Any, bytes] = {}
        #: True once the node left its table; whoever still holds it must let go.
        self.gone = False


class Worked(Logged):
    """A node of the tree of work: job, user or branch; what the solver counts on it."""

    work_flags: int
    priority: int
    max_tasks_per_second: int
    max_running_tasks: int
    max_running_tasks_per_host: int
    running_tasks_num: int
    running_capacity_total: int
    running_services: dict[str, int]

    def prepare_work(self) -> None:
        """Set the fields that every working node has."""
        self.prepare_node()
        #: What the node demands of renders (`solver.checks`); None: to be worked out.
        self.demands: tuple[tuple[int, Any], ...] | None = None
        #: When this node was solved last, in numbers of the solver (`Solver.turns`); 0: never.
        self.last_solved = 0
        #: Starts since `window_opened`; the limit per second counts within a second from the first of them.
        self.window_starts = 0
        self.window_opened = float("-inf")
        #: {render id: running tasks}; no zero counts.
        self.tasks_on: dict[int, int] = {}

    def count_start(self, render_id: int, capacity: int, service: str) -> None:
        """Count a task that starts."""
        services = self.running_services
        services[service] = services.get(service, 0) + 1
        self.running_tasks_num += 1
        self.running_capacity_total += capacity
        self.tasks_on[render_id] = self.tasks_on.get(render_id, 0) + 1

    def count_end(self, render_id: int, capacity: int, service: str) -> None:
        """Count a task that ends."""
        drop_one(self.running_services, service)
        self.running_tasks_num -= 1
        self.running_capacity_total -= capacity
        drop_one(self.tasks_on, render_id)

    def is_within_limits(self, now: float) -> bool:
        """Return whether the node may start a task now as far as its own numbers tell (spec 2.2)."""
        rate = self.max_tasks_per_second
        return not (
            rate == 0
            or (rate > 0 and self.window_starts >= rate and now < self.window_opened + 1.0)
            or self.priority == 0
            or self.max_running_tasks == 0
            or self.max_running_tasks_per_host == 0
            or 0 < self.max_running_tasks <= self.running_tasks_num
        )

    def count_in_window(self, now: float) -> bool:
        """Count a start within the second; return whether the limit per second is reached now."""
        if now >= self.window_opened + 1.0:
            self.window_opened = now
            self.window_starts = 0
        self.window_starts += 1
        return 0 < self.max_tasks_per_second <= self.window_starts
