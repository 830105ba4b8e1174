"""What jobs and renders add to the branches and pools above them; it must not know what the numbers are for.

Source: spec scheduling 7.13, 8.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core.branch import TOTALS, Branch
from afanasy_py.core.pool import TOTALS as POOL_TOTALS
from afanasy_py.core.render import BUSY, NIMBY_ALL, NIMBY_OWN, PAUSED, SICK
from afanasy_py.core.task_states import DON, ERR, RDY, RUN

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.pool import Pool
    from afanasy_py.core.render import Render


def share_of_job(job: Job) -> tuple[int, ...]:
    """Return what a job adds to its branches, in the order of `branch.TOTALS`."""
    st = job.st
    return (
        1,
        1 if st & RUN else 0,
        1 if st & DON else 0,
        1 if st & RDY else 0,
        1 if st & ERR else 0,
        job.tasks_ready,
        job.tasks_error,
    )


def share_of_render(render: Render) -> tuple[int, ...]:
    """Return what a render adds to its pools, in the order of `pool.TOTALS`."""
    st = render.st
    online = render.is_online()
    return (
        1,
        1 if st & BUSY else 0,
        1 if render.ready_key is not None else 0,
        1 if online else 0,
        0 if online else 1,
        1 if st & (NIMBY_OWN | NIMBY_ALL) else 0,
        1 if st & PAUSED else 0,
        1 if st & SICK else 0,
    )


class Totals:
    """The totals of a farm's branches and pools, and what of them the levels above do not know yet."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        #: {render id: render}: to be counted anew in their pools before the call ends.
        self.moved_renders: dict[int, Render] = {}
        #: Branches and pools with totals for the level above: of this cycle, and of the one before.
        self._rising: list[Branch | Pool] = []
        self._risen: list[Branch | Pool] = []

    # -- shares

    def count_renders(self) -> None:
        """Bring what moved renders add to their pools up to date."""
        for render in self.moved_renders.values():
            if render.pool_node is not None:
                share = share_of_render(render)
                if share != render.share:
                    self._set_render_share(render, render.pool_node, share)
        self.moved_renders.clear()

    def drop_render(self, render: Render) -> None:
        """Take what a render adds out of the pool that it leaves."""
        self.moved_renders.pop(render.id, None)
        if render.pool_node is not None:
            self._set_render_share(render, render.pool_node, (0,) * len(POOL_TOTALS))

    def _set_render_share(self, render: Render, pool: Pool, share: tuple[int, ...]) -> None:
        old, render.share = render.share, share
        for name, before, after in zip(POOL_TOTALS, old, share, strict=True):
            if before != after:
                self.add(pool, name, after - before)
        self._farm.changed(pool)

    def count_job(self, job: Job) -> None:
        """Bring what a job adds to its branches and its user up to date."""
        share = share_of_job(job)
        if share != job.share:
            self._set_job_share(job, share)
        runs = bool(job.st & RUN)
        if runs != job.counted_running:
            job.counted_running = runs
            job.user.running_jobs_num += 1 if runs else -1
            self._farm.changed(job.user)

    def drop_job(self, job: Job) -> None:
        """Take what a job adds out of the branch that it leaves."""
        self._set_job_share(job, (0,) * len(TOTALS))

    def _set_job_share(self, job: Job, share: tuple[int, ...]) -> None:
        old, job.share = job.share, share
        branch = job.branch_node
        for name, before, after in zip(TOTALS, old, share, strict=True):
            if before != after:
                self.add(branch, name, after - before)
        if share[0] != old[0]:
            self._note_empty(branch)
        self._farm.changed(branch)

    def _note_empty(self, branch: Branch) -> None:
        if not branch.jobs_total and not branch.time_empty:
            branch.time_empty = int(self._farm.now)
            self._farm.save(branch)
        elif branch.jobs_total and branch.time_empty:
            branch.time_empty = 0
            self._farm.save(branch)

    # -- level by level

    def add(self, node: Branch | Pool, name: str, number: int) -> None:
        """Add to a total of a branch or pool; the node above learns of it with the second cycle after.

        COMPAT(totals-rise-slowly): in the original each level counts what the level below had a cycle before,
        and recordings show it. It also means that a busy farm adds to the upper levels once a second.
        """
        setattr(node, name, getattr(node, name) + number)
        if node.parent_of() is not None:
            if not node.rising:
                self._rising.append(node)
                self._farm.cycle.watch()
            node.rising[name] = node.rising.get(name, 0) + number

    def rise_now(self, node: Branch | Pool) -> None:
        """Add what rises from a branch or pool to the node above at once."""
        for rising in (node.risen, node.rising):
            self._rise_from(node, dict(rising))
            rising.clear()

    def has_rising(self) -> bool:
        """Return whether levels above do not know all yet."""
        return bool(self._risen or self._rising)

    def rise(self) -> None:
        """Let totals rise by one level, as at the end of a cycle."""
        risen, self._risen = self._risen, []
        for node in risen:
            numbers, node.risen = node.risen, {}
            if not node.gone:
                self._rise_from(node, numbers)
        self._risen, self._rising = self._rising, []
        for node in self._risen:
            node.risen, node.rising = node.rising, {}

    def _rise_from(self, node: Branch | Pool, numbers: dict[str, int]) -> None:
        parent = node.parent_of()
        if parent is None or not numbers:
            return
        for name, number in numbers.items():
            if number:
                self.add(parent, name, number)
        self._farm.changed(parent)
        if isinstance(parent, Branch):
            self._note_empty(parent)
