"""What the original does once in each of its cycles, as far as clients can tell.

Here everything else happens when something changes (docs/architecture.md). A cycle ends a second after something
waits for it, and with each action, since an answered action means that a cycle passed (spec scheduling 1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import emitted
from afanasy_py.core.render import BUSY

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.render import Render

#: The original's cycle, seconds.
CYCLE = 1.0


class Cycle:
    """The running cycle of a farm, and what waits for its end."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        #: {render id: render}: busy ones that have run out of tasks in this cycle.
        self._vacant: dict[int, Render] = {}
        #: Jobs that began in this cycle; they look new until it ends.
        self._new_jobs: list[Job] = []
        #: When the last answered action began a cycle (0: none yet), and when the cycle ends that
        #: something waits for.
        self._start = 0.0
        self._end = 0.0

    def watch(self) -> None:
        """Note that something waits for the end of the cycle.

        Cycles follow one another from the last answered action on, as those of the original do.
        """
        now = self._farm.now
        if self._end <= now:
            start = self._start or now
            passed = (now - start) // CYCLE
            self._end = start + (passed + 1) * CYCLE
            self._farm.timers.add(self._end, "cycle")

    def on_timer(self) -> None:
        """End the cycle, unless an action began another one meanwhile."""
        if self._farm.now < self._end:
            self._farm.timers.add(self._end, "cycle")
        else:
            self.end()

    def show_new(self, job: Job) -> None:
        """Let a job that begins look new until the cycle ends (`Job.to_json`)."""
        self._new_jobs.append(job)
        self.watch()

    def free_hosts(self) -> None:
        """Let busy renders that got no new task become free (spec 7.9).

        COMPAT(busy-for-a-cycle): a render shows as busy, and its pool cannot be changed, until the next
        cycle, as in the original.
        """
        farm = self._farm
        for render in farm.freed.values():
            if not render.runs and render.st & BUSY:
                render.task_start_finish_time = int(farm.now)
                render.turn = farm.turn("free")
                render.vacant = True
                self._vacant[render.id] = render
                farm.place_render(render)
                self.watch()
        farm.freed.clear()

    def pass_one(self) -> None:
        """End the cycle in the middle of a call: what changed so far is shown as the original would."""
        farm = self._farm
        self._start = farm.now
        self._end = min(self._end, farm.now)
        farm.refresh_dirty()
        if farm.freed:
            self.free_hosts()
        farm.totals.count_renders()
        self.end()

    def end(self) -> None:
        """End the cycle.

        Totals rise by one level, hosts without tasks show as free, ids of deleted nodes may be given again,
        new jobs show their states.
        """
        farm = self._farm
        farm.totals.rise()
        vacant, self._vacant = self._vacant, {}
        for render in vacant.values():
            self._let_free(render)
        for table in (farm.jobs, farm.renders, farm.users, farm.branches, farm.pools, farm.monitors):
            table.release_ids()
        for job in self._new_jobs:
            job.is_new = False
            if not job.gone:
                farm.changed(job)
        self._new_jobs.clear()
        if farm.totals.has_rising():
            self.watch()

    def _let_free(self, render: Render) -> None:
        farm = self._farm
        if render.vacant and not render.runs and render.st & BUSY:
            render.st &= ~BUSY
            farm.save(render)
            farm.changed(render)
            farm.place_render(render)
            emitted.watch_no_task(farm, render)
