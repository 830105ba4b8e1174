"""Working the states of jobs and blocks out of their tasks, after anything changed.

`refresh_job` does for one job what the original does for every job each second, and only for the blocks
that changed. Source: spec scheduling 1.5, 3.4, 3.5, 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import depends, joblife
from afanasy_py.core.running import retry
from afanasy_py.core.task_states import DON, ERR, OFF, PPA, RDY, RUN, SKP, SUS, TRY, WDP, WRN, WTM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job

#: Bits that a job takes from any of its blocks.
_ANY_BLOCK = RUN | WRN | SUS | ERR | RDY | SKP


def refresh_job(farm: Farm, job: Job) -> None:
    """Bring a job up to date."""
    if job.deleting and not job.running_tasks_num:
        joblife.finish_deletion(farm, job)
        return
    if job.locked or job.gone:
        return
    if job.is_done() and not job.force_refresh and not job.dirty_blocks:
        return
    now = int(farm.now)
    old_st = job.st
    _check_waiting(farm, job, now)
    dirty = job.dirty_blocks
    if len(dirty) == 1:
        blocks = [job.blocks[next(iter(dirty))]]
    else:
        blocks = [job.blocks[number] for number in sorted(dirty)]
    dirty.clear()
    changed = False
    for block in blocks:
        if block.to_retry:
            for number in sorted(block.to_retry):
                retry(farm, block, number)
            block.to_retry.clear()
    if job.changed_tasks:
        changed = _check_task_depends(farm, job, blocks)
    for block in blocks:
        changed = block.refresh(now) or changed
    changed = _check_block_depends(farm, job, blocks, now) or changed
    if job.try_this_tasks_num:
        _mark_tries(farm, job)
    tasks_ready = tasks_error = 0
    st = job.st & ~_ANY_BLOCK | DON
    for block in job.blocks:
        block_st = block.st
        st = (st | (block_st & _ANY_BLOCK)) & (block_st | ~DON)
        counts = block.tasks.counts
        tasks_error += counts.get("p_tasks_error", 0)
        if block_st & RDY:
            tasks_ready += block.ready_tasks_num()
    if st & (WDP | WTM):
        st &= ~RDY
    job.st = st
    if (tasks_ready, tasks_error) != (job.tasks_ready, job.tasks_error):
        job.tasks_ready, job.tasks_error = tasks_ready, tasks_error
        changed = True
    _note_done(farm, job, old_st, now)
    for block in blocks:
        farm.solver.offer(block)
        farm.events.block_refreshed(block)
    if job.waits_approval() or job.st & PPA:
        changed = farm.solver.mark_approval(job) or changed
    if job.st != old_st:
        changed = True
        farm.save(job)
        joblife.on_state(farm, job, old_st)
    if changed or blocks:
        farm.changed(job)
    farm.totals.count_job(job)
    if job.force_refresh or (job.st ^ old_st) & (RDY | OFF):
        job.force_refresh = False
        farm.solver.update_job(job)


def _check_waiting(farm: Farm, job: Job, now: int) -> None:
    """Set or clear the bits for waiting for other jobs and for the time (spec 4.1, 4.2)."""
    waits = bool(job.depend_mask or job.depend_mask_global) and _waits_for_jobs(farm, job)
    st = job.st & ~(WDP | WTM)
    if waits:
        st |= WDP
    if job.time_wait > now:
        st |= WTM
        farm.timers.add(job.time_wait, "job", job.id)
    job.st = st


def _waits_for_jobs(farm: Farm, job: Job) -> bool:
    blocker = job.blocked_by
    if blocker is not None and not blocker.gone and blocker is not job and _blocks(blocker, job):
        return True
    candidates: Iterable[Job] = farm.jobs if job.depend_mask_global else job.user.jobs
    for other in candidates:
        if _blocks(other, job):
            job.blocked_by = other
            return True
    job.blocked_by = None
    return False


def _blocks(other: Job, job: Job) -> bool:
    """Return whether `job` waits for `other`; nobody waits for the system job, which is never done."""
    if other is job or other.is_done() or other.is_sysjob():
        return False
    return depends.is_waited_for(other, job)


def _check_task_depends(farm: Farm, job: Job, blocks: list[Block]) -> bool:
    """Check the tasks that wait for changed tasks, and changed tasks that wait themselves."""
    touched: dict[tuple[int, int], None] = {}
    for block_num, number in job.changed_tasks:
        block = job.blocks[block_num]
        if block.task_sources:
            touched[block_num, number] = None
        for waiting_num in block.feeds:
            waiting = job.blocks[waiting_num]
            if not waiting.st & DON:
                for other in depends.waiting_tasks(waiting, block, number):
                    touched[waiting_num, other] = None
    job.changed_tasks.clear()
    changed = False
    for block_num, number in touched:
        block = job.blocks[block_num]
        if depends.check_task(job, block, number):
            changed = True
            farm.task_changed(block, number, store=False)
            if block not in blocks:
                blocks.append(block)
    job.changed_tasks.clear()
    job.dirty_blocks.clear()
    return changed


def _check_block_depends(farm: Farm, job: Job, blocks: list[Block], now: int) -> bool:
    """Let blocks wait for other blocks, or not any more (spec 4.3)."""
    changed = False
    for block in job.blocks:
        if not block.source_blocks and not block.st & WDP:
            continue
        waits = depends.block_waits(job, block)
        if waits == bool(block.st & WDP):
            continue
        if waits:
            block.st = (block.st | WDP) & ~RDY
        else:
            block.st &= ~WDP
            block.refresh(now)
        changed = True
        if block not in blocks:
            blocks.append(block)
    return changed


def _mark_tries(farm: Farm, job: Job) -> None:
    """Give ready tasks that are to be tried next the TRY bit (spec 1.5.8)."""
    job.drop_invalid_tries()
    for block_num, number in zip(job.try_this_blocks_num, job.try_this_tasks_num, strict=False):
        block = job.blocks[block_num]
        st = block.tasks.st[number]
        if st & RDY and not st & TRY:
            block.tasks.set_st(number, st | TRY)


def _note_done(farm: Farm, job: Job, old_st: int, now: int) -> None:
    """Set the times of start and end that follow from the state (spec 3.5.2)."""
    if job.st & DON:
        if not old_st & DON:
            job.time_done = now
            if not job.time_started:
                job.time_started = now
                farm.log(job, "Started.")
            farm.log(job, "Done.")
            farm.save(job)
    else:
        job.time_done = 0
        if (
            job.time_started
            and not job.st & RUN
            and not any(block.tasks.counts.get("p_tasks_done", 0) for block in job.blocks)
        ):
            job.time_started = now
