"""Operations and parameters of users. Source: json-api 9.1; spec scheduling 8.4, 8.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import joblife
from afanasy_py.core.actions.action import Action
from afanasy_py.core.fields import USER_PARAMS, apply_fields, get_ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.user import User


def act_on(action: Action, user: User) -> None:
    """Do an action to a user; unknown operations do nothing."""
    if action.operation is not None:
        name = action.operation["type"]
        if name == "delete":
            _delete(action, user)
            return
        if name.startswith("move_jobs_"):
            _move_jobs(action, user, name)
    if action.params is not None:
        apply_fields(user, action.params, USER_PARAMS, action.note)
        if action.log_info:
            _params_changed(action.farm, user)


def _delete(action: Action, user: User) -> None:
    if not user.jobs_num:
        action.farm.remove_user(user)


def _params_changed(farm: Farm, user: User) -> None:
    farm.save(user)
    farm.changed(user)
    user.demands = None
    farm.solver.update_user(user)
    for job in user.jobs:
        joblife.watch_life(farm, job)
        farm.touch_whole_job(job)
        farm.solver.update_job(job)
        if user.errors_forgive_time > 0:
            for block in job.blocks:
                farm.timers.add(farm.now, "forgive", job.id, block.block_num)
    farm.solver.offer_anew(user.jobs)


# -- the order of jobs


def jobs_moved(farm: Farm, user: User, moved: Iterable[Job]) -> None:
    """Note that jobs of a user have other places in its list."""
    for job in moved:
        job.encoded.clear()
        farm.save(job)
        farm.solver.update_job(job)
    farm.events.jobs_order(user.id)


def _first_of_group(user: User, index: int) -> int:
    while index and user.jobs[index - 1].priority == user.jobs[index].priority:
        index -= 1
    return index


def _last_of_group(user: User, index: int) -> int:
    while index + 1 < len(user.jobs) and user.jobs[index + 1].priority == user.jobs[index].priority:
        index += 1
    return index


#: {operation: (where a job at an index goes, whether the last of the jobs is the first to move)}
_MOVES: dict[str, tuple[Callable[[User, int], int], bool]] = {
    "move_jobs_up": (lambda user, index: max(index - 1, _first_of_group(user, index)), False),
    "move_jobs_down": (lambda user, index: min(index + 1, _last_of_group(user, index)), True),
    "move_jobs_top": (_first_of_group, True),
    "move_jobs_bottom": (_last_of_group, False),
}


def _move_jobs(action: Action, user: User, name: str) -> None:
    """Move jobs among those of equal priority; they are taken in the order of the list."""
    assert action.operation is not None
    ids = set(get_ints(action.operation, "jids"))
    if name in _MOVES:
        target, from_last = _MOVES[name]
        jobs = [job for job in user.jobs if job.id in ids]
        for job in reversed(jobs) if from_last else jobs:
            index = user.jobs.index(job)
            place = target(user, index)
            user.jobs.insert(place, user.jobs.pop(index))
    jobs_moved(action.farm, user, user.renumber())
