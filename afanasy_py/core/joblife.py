"""The life of jobs in the farm: they are taken in, begin, move, are deleted, and run out of time.

What a job is made of, clients say (`core.registration`); what follows from its tasks, `core.refresh` works out.
Source: spec scheduling 6.7, 6.11, 8.3, 8.4, 8.6; statistics 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import depends, emitted, running
from afanasy_py.core.cycle import CYCLE
from afanasy_py.core.spans import span_text
from afanasy_py.core.task_states import DON, ERR, OFF, RDY, WRC
from afanasy_py.stats_rows import JobRow

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.branch import Branch
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.user import User


def add(farm: Farm, job: Job, user: User, branch: Branch) -> None:
    """Take a job in, below its user and branch."""
    job.user, job.branch_node = user, branch
    farm.jobs.add(job)
    branch.jobs[job.id] = job
    job.joined_priority = job.priority
    if job.user_list_order == -1:
        for moved in user.insert_job(job):
            if moved is not job:
                farm.changed(moved)
                farm.save(moved)
                farm.solver.update_job(moved)
    else:
        user.adopt_job(job)
    user.jobs_num += 1
    farm.solver.join(job)
    farm.totals.count_job(job)
    if job.depend_mask or job.depend_mask_global:
        farm.waiters[job.id] = job
    farm.events.mark("jobs_add", job.id, user.id)
    farm.changed(job)
    farm.changed(user)
    farm.save(job)
    for block in job.blocks:
        if not block.is_numeric():
            farm.changes.block_tasks[job.id, block.block_num] = None
    job.is_new = True
    watch_life(farm, job)
    wake_waiters(farm, job)
    farm.line(
        f'Job registered: "{job.name}"[{job.id}]: {job.user_name}@{job.host_name}[{job.user_list_order}]'
    )


def begin(farm: Farm, job: Job) -> None:
    """Let a job that was added begin its life; until the cycle ends it looks new (`Job.to_json`)."""
    job.locked = False
    farm.cycle.show_new(job)
    farm.touch_whole_job(job)


def move(farm: Farm, job: Job, user: User, branch: Branch) -> None:
    """Give a job another user or branch; its counters move along (spec 8.4, 8.6)."""
    runs = [run for block in job.blocks for run in block.runs.values()]
    for run in runs:
        farm.solver.count_end(run.block, run.render, run.capacity, run.exec.service)
    farm.solver.part(job)
    farm.totals.drop_job(job)
    old_user, old_branch = job.user, job.branch_node
    if branch is not old_branch:
        del old_branch.jobs[job.id]
    if user is not old_user:
        _leave_user(job)
        user.jobs_num += 1
        user.running_jobs_num += job.counted_running
    job.user, job.branch_node = user, branch
    job.user_name, job.branch = user.name, branch.name
    if user is not old_user:
        user.adopt_job(job)
        for other in user.jobs:
            if other is not job:
                farm.solver.update_job(other)
    branch.jobs[job.id] = job
    job.joined_priority = job.priority
    farm.solver.join(job)
    for run in runs:
        farm.solver.count_start(run.block, run.render, run.capacity)
    farm.totals.count_job(job)
    farm.solver.update_user(old_user)
    for above in old_branch.path():
        farm.solver.update_branch(above)
    farm.solver.offer_anew([job])
    farm.solver.update_path(job)
    job.encoded.clear()
    job.force_refresh = True
    farm.dirty_jobs[job.id] = job
    for block in job.blocks:
        if block.tasks.erring:
            block.to_retry.update(block.tasks.erring)
            farm.touch_job(job, block)
    for node in (old_user, user, old_branch, branch):
        farm.changed(node)


def _leave_user(job: Job) -> None:
    job.user.jobs.remove(job)
    job.user.jobs_num -= 1
    job.user.running_jobs_num -= job.counted_running


# -- the end of a job


def delete(farm: Farm, job: Job) -> None:
    """Begin to delete a job: at once when nothing of it runs, else when the last run has ended."""
    if job.deleting or job.gone:
        return
    job.deleting = job.locked = True
    job.st = (job.st | OFF) & ~RDY
    emitted.emit_job_events(farm, job, ["JOB_DELETED"])
    if not job.running_tasks_num:
        finish_deletion(farm, job)
        return
    farm.solver.update_job(job)
    for block in job.blocks:
        for run in list(block.runs.values()):
            running.stop_run(farm, run, "Job is deleted.")
    farm.totals.count_job(job)
    farm.changed(job)
    farm.save(job)


def finish_deletion(farm: Farm, job: Job) -> None:
    """Let a job without running tasks go."""
    if job.gone:
        return
    farm.line(f"Deleting a job: {job.name}[{job.id}]")
    farm.sysjob.post_commands(job)
    _add_rows(farm, job)
    farm.solver.part(job)
    user, branch = job.user, job.branch_node
    farm.totals.drop_job(job)
    del branch.jobs[job.id]
    farm.log(branch, f"Removing a job: {job.name}")
    _leave_user(job)
    farm.waiters.pop(job.id, None)
    farm.dirty_jobs.pop(job.id, None)
    farm.events.mark("jobs_del", job.id, user.id)
    farm.jobs.remove(job)
    farm.changed(user)
    farm.changed(branch)
    farm.note_gone(job)
    wake_waiters(farm, job)


def _add_rows(farm: Farm, job: Job) -> None:
    """Write the statistics of a deleted job (statistics 2)."""
    now = int(farm.now)
    ended = job.time_done if job.st & DON else now
    if not farm.keeps_statistics or not job.time_started or job.time_started == ended:
        return
    for block in job.blocks:
        done = block.p_tasks_done
        spent = block.p_tasks_run_time_sum
        if not block.tasks.num or not done or not spent:
            continue
        farm.changes.rows.append(
            JobRow(
                annotation=job.annotation,
                blockname=block.name,
                capacity=block.capacity,
                description=job.description,
                folder=job.folder(),
                hostname=job.host_name,
                id_block=block.block_num,
                jobname=job.name,
                run_time_sum=spent,
                serial=job.serial,
                service=block.service,
                tasks_done=done,
                tasks_quantity=block.tasks.num,
                time_done=ended,
                time_started=job.time_started,
                username=job.user_name,
            )
        )


# -- those who wait for a job


def on_state(farm: Farm, job: Job, old_st: int) -> None:
    """Tell the system job and the jobs that wait of a changed state."""
    if (old_st ^ job.st) & DON:
        wake_waiters(farm, job)
    if not job.is_sysjob():
        names = [
            name for bit, name in ((ERR, "JOB_ERROR"), (DON, "JOB_DONE")) if job.st & bit and not old_st & bit
        ]
        emitted.emit_job_events(farm, job, names)


def wake_waiters(farm: Farm, job: Job) -> None:
    """Refresh the jobs that wait for a job which came, went, or became done."""
    for waiter in farm.waiters.values():
        if waiter is not job and depends.is_waited_for(job, waiter):
            farm.dirty_jobs[waiter.id] = waiter


# -- what ends with time


def watch_life(farm: Farm, job: Job) -> None:
    """Call for a look at a job when its life time will be over."""
    life = _life_of(job)
    if life > 0 and not job.is_sysjob():
        farm.timers.add(max(job.time_creation + life + 1, farm.now + CYCLE), "life", job.id)


def _life_of(job: Job) -> int:
    """Return how many seconds a job stays after its creation; 0: for ever."""
    return job.time_life if job.time_life >= 0 else job.user.jobs_life_time


def check_life(farm: Farm, job: Job) -> None:
    """Delete a job whose life time is over (spec 8.3)."""
    life = _life_of(job)
    if life <= 0 or job.is_sysjob() or job.deleting:
        return
    if int(farm.now) - job.time_creation > life:
        named = f"{job.name}@{job.user_name}"
        farm.log(job.user, f"Life time finished: {span_text(life)}", kind="jobs", named=named)
        delete(farm, job)
    else:
        watch_life(farm, job)


def forgive(farm: Farm, block: Block) -> None:
    """Forget errors of hosts that are long ago (spec 6.7)."""
    limit = block.forgive_time()
    if limit <= 0:
        return
    now = int(farm.now)
    named = [(None, block.error_hosts), *block.tasks.error_hosts.items()]
    later: int | None = None
    for number, entries in named:
        for host, (_, since) in list(entries.items()):
            if now - since > limit:
                del entries[host]
                text = f'Forgived error host "{host}" since {farm.time_text(since)}.'
                if number is None:
                    farm.log(block.job, f'Block["{block.name}"]: {text}')
                else:
                    farm.log_task(block, number, text)
            else:
                later = since if later is None else min(later, since)
    for number in [n for n, entries in block.tasks.error_hosts.items() if not entries]:
        del block.tasks.error_hosts[number]
    if later is not None:
        farm.timers.add(later + limit + 1, "forgive", block.job.id, block.block_num)
    farm.touch_job(block.job, block)
    if block.profile is not None:
        farm.solver.touch_profile(block.profile)


def give_up_reconnect(farm: Farm, block: Block) -> None:
    """Let tasks that waited too long for their render be ready (spec 6.11)."""
    limit, now = farm.settings.af_task_reconnect_timeout, int(farm.now)
    tasks = block.tasks
    later: int | None = None
    for number, st in enumerate(tasks.st):
        if st & WRC:
            if now - tasks.time_done[number] > limit:
                farm.log_task(block, number, "Reconnect timeout reached. Setting state to READY.")
                tasks.set_st(number, RDY)
                farm.task_changed(block, number, store=True)
                farm.touch_job(block.job, block)
            else:
                when = tasks.time_done[number]
                later = when if later is None else min(later, when)
    if later is not None:
        farm.timers.add(later + limit + 1, "reconnect", block.job.id, block.block_num)
