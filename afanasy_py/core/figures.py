"""What the farm counts of its own work, for `/metrics`: plain numbers that only grow.

Nothing here decides anything. A count costs an addition, a time a search in a short tuple; whoever wants to see
the numbers reads them (`afanasy_py.metrics`).
"""

from __future__ import annotations

from bisect import bisect_left

from afanasy_py.core.task_states import DON, ERR, SKP

#: How a run of a task ended. `stopped`: somebody stopped it; `lost`: its render went away.
RESULTS = ("done", "skipped", "error", "stopped", "lost")

#: Bounds of histograms, seconds.
WAIT_BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 604800.0)
RUN_BOUNDS = (1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0)
SOLVE_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
REQUEST_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0)


class Histogram:
    """How many values fell below each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        #: Upper bounds, rising; a value that equals one belongs to it.
        self.bounds = bounds
        #: For each bound the values of its own range; the last one: those above all bounds.
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Figures:
    """All counts of a farm since the start of the server."""

    __slots__ = ("finishes", "job_waits", "runs", "solves", "starts")

    def __init__(self) -> None:
        #: Starts of tasks.
        self.starts = 0
        #: {result: ends of runs}; keys are `RESULTS`.
        self.finishes: dict[str, int] = dict.fromkeys(RESULTS, 0)
        #: Seconds from the creation of a job to the first start of any of its tasks.
        self.job_waits = Histogram(WAIT_BOUNDS)
        #: Seconds that runs took which ended well.
        self.runs = Histogram(RUN_BOUNDS)
        #: Seconds that the solver took, each time that there was something to solve.
        self.solves = Histogram(SOLVE_BOUNDS)

    def count_end(self, st: int, seconds: int, *, lost: bool) -> None:
        """Count the end of a run.

        Args:
            st: State bits with which it ended.
            seconds: How long it ran.
            lost: Its render went away.
        """
        if lost:
            result = "lost"
        elif st & ERR:
            result = "error"
        elif st & SKP:
            result = "skipped"
        elif st & DON:
            result = "done"
            self.runs.add(seconds)
        else:
            result = "stopped"
        self.finishes[result] += 1
