"""Operations and parameters of jobs; `actions.blocks` takes over when blocks are named.

Source: json-api 8.1, 8.2; spec scheduling 6.9, 8.1, 8.4 to 8.8.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from afanasy_py.core import depends, joblife, registration
from afanasy_py.core.actions import blocks
from afanasy_py.core.actions.action import Action, Operations
from afanasy_py.core.actions.tasks import operate_task
from afanasy_py.core.actions.users import jobs_moved
from afanasy_py.core.branch import clean_path
from afanasy_py.core.fields import ABSENT, DEMO_LOCKED, JOB_PARAMS, apply_fields, get_str, sets_priority
from afanasy_py.core.job import FLAG_APPENDED_BLOCKS, Job
from afanasy_py.core.task_states import DON, ERR, OFF, RDY, RUN, SKP, TRY, WRN
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

job_operation: Operations[Job] = Operations()


def act_on(action: Action, job: Job) -> None:
    """Do an action to a job, or to blocks of it."""
    action.log_object = f"{job.name}@{job.user_name}"
    if action.params is not None:
        _after_node_params(action, job)
    if "block_ids" in action.request or "block_mask" in action.request:
        blocks.act_on(action, job)
    elif action.operation is not None:
        job_operation.run(action, job)
    elif action.params is not None:
        _set_params(action, job)


def job_changed(farm: Farm, job: Job) -> None:
    """Store, show and refresh a job after an operation."""
    farm.changed(job)
    farm.save(job)
    farm.touch_whole_job(job)


def _after_node_params(action: Action, job: Job) -> None:
    """Let what follows from the parameters of every node take effect, which operations may bring too."""
    assert action.params is not None
    farm = action.farm
    if action.log_info:
        farm.save(job)
        farm.changed(job)
    if sets_priority(action.params):
        user = job.user
        user.jobs.remove(job)
        jobs_moved(farm, user, user.insert_job(job))
        farm.solver.update_job(job)


# -- operations


@job_operation("delete")
def _delete(action: Action, job: Job) -> None:
    if job.is_sysjob():
        text = "System job can't be deleted."
        action.farm.log(job, text, kind="jobs delete error", store=True)
        action.error(text)
    else:
        joblife.delete(action.farm, job)


@job_operation("start")
def _start(action: Action, job: Job) -> None:
    job.st &= ~OFF
    job_changed(action.farm, job)


@job_operation("pause")
def _pause(action: Action, job: Job) -> None:
    job.st |= OFF
    job_changed(action.farm, job)


def _restart_tasks(action: Action, job: Job, with_st: int) -> None:
    """Restart the tasks that have any of some bits; 0: all tasks."""
    for block in job.blocks:
        for number in range(block.tasks.num):
            operate_task(action, block, number, with_st, RDY)
    job_changed(action.farm, job)


@job_operation("stop")
def _stop(action: Action, job: Job) -> None:
    job.st |= OFF
    _restart_tasks(action, job, RUN)


@job_operation("restart")
def _restart(action: Action, job: Job) -> None:
    job.time_started = 0
    _restart_tasks(action, job, 0)


@job_operation("restart_pause")
def _restart_pause(action: Action, job: Job) -> None:
    job.st |= OFF
    _restart(action, job)


#: {operation: tasks that it restarts}; done ones are those that were not skipped.
_RESTARTS = {
    "restart_errors": ERR,
    "restart_running": RUN,
    "restart_skipped": SKP,
    "restart_done": DON,
    "restart_warnings": WRN,
}


@job_operation(*_RESTARTS)
def _restart_some(action: Action, job: Job) -> None:
    assert action.operation is not None
    _restart_tasks(action, job, _RESTARTS[action.operation["type"]])


@job_operation("reset_error_hosts")
def _reset_error_hosts(action: Action, job: Job) -> None:
    for block in job.blocks:
        blocks.forget_error_hosts(action.farm, block)
    job_changed(action.farm, job)


@job_operation("reset_trying_next_tasks")
def _reset_trying(action: Action, job: Job) -> None:
    job.try_this_tasks_num, job.try_this_blocks_num = [], []
    for block in job.blocks:
        for number, st in enumerate(block.tasks.st):
            if st & TRY:
                block.tasks.set_st(number, st & ~TRY)
                action.farm.task_changed(block, number, store=True)
    job_changed(action.farm, job)


@job_operation("append_blocks")
def _append_blocks(action: Action, job: Job) -> None:
    assert action.operation is not None
    farm, items = action.farm, action.operation.get("blocks")
    if job.is_sysjob():
        action.error("Appending system job is not allowed.")
        return
    if type(items) is not list:
        action.error("Operation requires blocks array.")
        return
    if not items:
        action.error("Operation blocks array has zero size.")
        return
    try:
        added = registration.add_blocks(farm, job, items)
    except RequestError as error:
        farm.line(f"Blocks for {action.log_object} refused: {error}", logging.WARNING)
        action.error("Appending blocks failed, see server log for details.")
        return
    job.set_flag(FLAG_APPENDED_BLOCKS, on=True)
    for block in added:
        if not block.is_numeric():
            farm.changes.block_tasks[job.id, block.block_num] = None
        farm.events.block(job.id, block.block_num, "full")
    recheck_depends(farm, job)
    job_changed(farm, job)
    action.object({"block_ids": [block.block_num for block in added]})


def recheck_depends(farm: Farm, job: Job) -> None:
    """Let all tasks of a job wait or be ready after its lists of who waits for whom were made anew."""
    for block in job.blocks:
        for number in depends.check_all_tasks(job, block):
            farm.task_changed(block, number, store=False)


# -- parameters


def _set_params(action: Action, job: Job) -> None:
    """Set the parameters of a job itself (json-api 8.2)."""
    assert action.params is not None
    farm, params = action.farm, action.params
    fields = [field for field in JOB_PARAMS if not (farm.demo and field.name in DEMO_LOCKED)]
    notes: list[str] = []
    apply_fields(job, params, fields, notes.append)
    for text in notes:
        action.note(text)
    elsewhere = _change_user(action, job) + _change_branch(action, job)
    if len(notes) == elsewhere:
        return
    if job.depend_mask or job.depend_mask_global:
        farm.waiters[job.id] = job
    else:
        farm.waiters.pop(job.id, None)
    joblife.watch_life(farm, job)
    job_changed(farm, job)
    job.demands = None
    farm.solver.offer_anew([job])


def _change_user(action: Action, job: Job) -> bool:
    """Give the job to another user; return whether its own view stays as it is: it came and went, or stayed."""
    assert action.params is not None
    farm, name = action.farm, get_str(action.params, "user_name")
    if name is ABSENT or name == job.user_name:
        return False
    user, old = farm.users.by_name.get(name), job.user
    if user is None:
        action.error(f"User does not exist: {name}")
        return True
    farm.log(old, f"Removing a job: {job.name}")
    joblife.move(farm, job, user, job.branch_node)
    farm.log(user, f"Adding a job: {job.name}")
    farm.events.mark("jobs_del", job.id, old.id)
    farm.events.mark("jobs_add", job.id, user.id)
    for waiter in farm.waiters.values():
        if waiter.user in (old, user):
            farm.dirty_jobs[waiter.id] = waiter
    joblife.watch_life(farm, job)
    farm.save(job)
    return True


def _change_branch(action: Action, job: Job) -> bool:
    """Put the job into another branch; return whether that was asked for and refused."""
    assert action.params is not None
    farm, path = action.farm, get_str(action.params, "branch")
    if path is ABSENT or (path := clean_path(path)) == job.branch:
        return False
    branch, old = farm.branches.by_name.get(path), job.branch_node
    if branch is None:
        action.error(f"New job branch not found: {path}")
        return True
    farm.log(old, f"Removing a job: {job.name}")
    joblife.move(farm, job, job.user, branch)
    farm.log(branch, f"Adding a job: {job.name}")
    return False
