"""What the farm must look at later, in one queue by time: nothing else is visited each second."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any


class Timers:
    """A queue of (time, name, arguments).

    A timer that is no longer needed is not removed: whoever is called looks whether there is anything to
    do. A timer with the same name and arguments is kept once, at its earliest time.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, tuple[Any, ...]]] = []
        #: {(name, arguments...): its earliest time}
        self._when: dict[tuple[Any, ...], float] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, when: float, *what: Any) -> None:
        """Call for `what` at the time `when`, Unix seconds."""
        known = self._when.get(what)
        if known is None or when < known:
            self._when[what] = when
            self._count += 1
            heappush(self._queue, (when, self._count, what))

    def next_time(self) -> float | None:
        """Return when the next timer is due."""
        queue = self._queue
        while queue and self._when.get(queue[0][2]) != queue[0][0]:
            heappop(queue)
        return queue[0][0] if queue else None

    def take_due(self, now: float) -> list[tuple[Any, ...]]:
        """Remove and return what is due, in order of time."""
        due = []
        while self._queue and self._queue[0][0] <= now:
            when, _, what = heappop(self._queue)
            if self._when.get(what) == when:
                del self._when[what]
                due.append(what)
        return due
