"""Operations and parameters of branches. Source: json-api 9.2; spec scheduling 8.6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import joblife
from afanasy_py.core.actions.action import Action, Operations
from afanasy_py.core.fields import BRANCH_PARAMS, apply_fields

if TYPE_CHECKING:
    from afanasy_py.core.branch import Branch
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job

branch_operation: Operations[Branch] = Operations("Unknown operation '{}'")


def act_on(action: Action, branch: Branch) -> None:
    """Do an action to a branch."""
    if action.operation is not None:
        branch_operation.run(action, branch)
    elif action.params is not None:
        apply_fields(branch, action.params, BRANCH_PARAMS, action.note)
        if action.log_info:
            _params_changed(action.farm, branch)
            action.log("Branch(es) parameter(s) changed.")


def _jobs_below(branch: Branch) -> list[Job]:
    jobs = list(branch.jobs.values())
    for child in branch.children.values():
        jobs += _jobs_below(child)
    return jobs


def _params_changed(farm: Farm, branch: Branch) -> None:
    """Let new parameters take effect: on the place of the branch, of its children, and on all jobs below."""
    farm.save(branch)
    farm.changed(branch)
    branch.demands = None
    farm.solver.update_branch(branch)
    for child in branch.children.values():
        farm.solver.update_branch(child)
    for link in branch.users.values():
        farm.solver.update_user(link.user)
    for job in branch.jobs.values():
        farm.solver.update_job(job)
    farm.solver.offer_anew(_jobs_below(branch))


@branch_operation("delete")
def _delete(action: Action, branch: Branch) -> None:
    if branch.is_root():
        action.error("Can`t delete ROOT branch.")
    elif branch.branches_total or branch.jobs_total:
        action.error(f"Branch['{branch.name}'] has child branches/jobs.")
    else:
        action.farm.remove_branch(branch)


@branch_operation("delete_done_jobs")
def _delete_done_jobs(action: Action, branch: Branch) -> None:
    done = [job for job in branch.jobs.values() if job.is_done() and not job.is_sysjob()]
    action.log(f"Deleting {len(done)} jobs.")
    for job in done:
        joblife.delete(action.farm, job)
    action.farm.changed(branch)
    action.farm.save(branch)


@branch_operation("pause")
def _pause(action: Action, branch: Branch) -> None:
    if not branch.paused:
        branch.paused = True
        _pause_changed(action.farm, branch)


@branch_operation("start")
def _start(action: Action, branch: Branch) -> None:
    if branch.paused:
        branch.paused = False
        _pause_changed(action.farm, branch)


def _pause_changed(farm: Farm, branch: Branch) -> None:
    farm.changed(branch)
    farm.save(branch)
    farm.solver.update_branch(branch)
    for profile in branch.offers:
        farm.solver.touch_profile(profile)
