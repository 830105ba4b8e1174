"""Why tasks of a job do not start: the state of the job, the limits on its path, and what each render lacks.

Nothing is decided here: the answer walks what the solver reads (`solver.checks`, limits, states) and names
what stands in the way. Reasons come in the order in which the solver meets them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from afanasy_py.core import depends
from afanasy_py.core.job import FLAG_MAINTENANCE
from afanasy_py.core.node import MASK_REGEX
from afanasy_py.core.render import NIMBY_OWN, SICK, WOL_FALLING
from afanasy_py.core.solver.checks import CHECKS, demands_of, masks_are_regex
from afanasy_py.core.task_states import DON, ERR, OFF, RDY, RUN, SKP, SUS, WDP, WRC, WTM

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.render import Render

Json = dict[str, Any]

#: States of a task that is not ready, the first that is set counts: (bit, reason).
_TASK_REASONS = (
    (RUN, "running"),
    (DON, "done"),
    (ERR, "error"),
    (SUS, "suspended"),
    (WRC, "waits_reconnect"),
    (WDP, "waits_tasks"),
)

#: Jobs that are named as those waited for.
NAMED_MOST = 10


def explain(farm: Farm, job: Job, block_nums: list[int], task_nums: list[int], render: Render | None) -> Json:
    """Return why tasks of a job do not start.

    Args:
        farm: The farm.
        job: The job.
        block_nums: The blocks that are asked about; empty: all.
        task_nums: The tasks of each of these blocks; empty: whichever would start next.
        render: The render for which each reason is listed; None: reasons of all renders are counted.
    """
    blocks = [job.blocks[number] for number in block_nums] or job.blocks
    path = list(_path_reasons(farm, job))
    return {
        "job_id": job.id,
        "name": job.name,
        "reasons": path,
        "blocks": [_explain_block(farm, block, task_nums, render, stopped=bool(path)) for block in blocks],
    }


def _reason(name: str, node: Any = None, **more: Any) -> Json:
    """Return a reason: its name, the node that has it, and what belongs to it."""
    reason: Json = {"reason": name}
    if node is not None:
        reason["node"] = f"{_KINDS[node.kind]} {node.name}" if hasattr(node, "kind") else f"block {node.name}"
    return {**reason, **more}


_KINDS = {"jobs": "job", "users": "user", "branches": "branch"}


# -- above the blocks


def _path_reasons(farm: Farm, job: Job) -> Iterator[Json]:
    """Yield what keeps the whole job from starting tasks."""
    if job.locked:
        yield _reason("locked", job)
    if job.st & DON:
        yield _reason("done", job)
    if job.st & OFF:
        yield _reason("paused", job)
    if job.st & WTM:
        yield _reason("waits_time", job, time_wait=job.time_wait)
    if job.st & WDP and (job.depend_mask or job.depend_mask_global):
        yield _reason("waits_jobs", job, jobs=_waited_jobs(farm, job))
    for node in _path(job):
        if node is not job and node.paused:
            yield _reason("paused", node)
        yield from _limits(node, farm.now)


def _path(job: Job) -> list[Any]:
    """Return the nodes whose limits and demands count for a job: branches from the root, its user, itself."""
    branch = job.branch_node
    nodes: list[Any] = branch.path()[::-1]
    if not branch.solve_jobs:
        nodes.append(job.user)
    return [*nodes, job]


def _limits(node: Any, now: float) -> Iterator[Json]:
    """Yield the limits of a node that are reached (spec scheduling 2.2)."""
    if node.priority == 0:
        yield _reason("priority", node, limit=0)
    if node.max_running_tasks == 0 or 0 < node.max_running_tasks <= node.running_tasks_num:
        yield _reason(
            "max_running_tasks", node, limit=node.max_running_tasks, running_tasks_num=node.running_tasks_num
        )
    if node.max_running_tasks_per_host == 0:
        yield _reason("max_running_tasks_per_host", node, limit=0)
    rate = node.max_tasks_per_second
    if rate == 0 or (rate > 0 and node.window_starts >= rate and now < node.window_opened + 1.0):
        yield _reason("max_tasks_per_second", node, limit=rate)


def _waited_jobs(farm: Farm, job: Job) -> list[str]:
    found = []
    for other in farm.jobs:
        waits = other is not job and not other.is_done() and not other.is_sysjob()
        if waits and depends.is_waited_for(other, job):
            found.append(other.name)
            if len(found) == NAMED_MOST:
                break
    return found


# -- blocks


def _explain_block(
    farm: Farm, block: Block, task_nums: list[int], render: Render | None, *, stopped: bool
) -> Json:
    reasons = list(_block_reasons(block))
    numbers = task_nums or [number for number in (block.offered_task(),) if number >= 0]
    answer: Json = {"block_num": block.block_num, "name": block.name, "reasons": reasons}
    if task_nums:
        answer["tasks"] = [{"task_num": number, **_explain_task(block, number)} for number in task_nums]
    if block.st & DON:
        return answer
    if render is not None:
        lacks = list(_render_reasons(block, numbers, render))
        answer["host"] = {
            "name": render.name,
            "reasons": lacks,
            "can_start": not (lacks or reasons or stopped),
        }
    else:
        answer["renders"] = _count_renders(farm, block, numbers)
    return answer


def _block_reasons(block: Block) -> Iterator[Json]:
    """Yield what keeps a block from starting tasks on any render."""
    job = block.job
    if block.st & DON:
        yield _reason("done", block)
        return
    if block.st & WDP:
        names = [job.blocks[number].name for number in block.source_blocks]
        yield _reason("waits_blocks", block, blocks=[name for name in names if name != block.name])
    limit = block.max_running_tasks
    if 0 <= limit <= block.running_tasks_counter:
        yield _reason("max_running_tasks", block, limit=limit, running_tasks_num=block.running_tasks_counter)
    if block.max_running_tasks_per_host == 0:
        yield _reason("max_running_tasks_per_host", block, limit=0)
    if not block.st & WDP and not block.ready_tasks_num():
        yield _reason("no_ready_tasks", block, **_task_counts(block))
    elif job.waits_approval() and block.offered_task() < 0:
        yield _reason("waits_approval", block)


def _task_counts(block: Block) -> Json:
    """Return how many tasks are not ready, by reason."""
    counts = {
        "running": block.running_tasks_counter,
        "done": block.p_tasks_done,
        "error": block.p_tasks_error,
        "suspended": block.p_tasks_suspended,
        "waits_reconnect": block.p_tasks_waitrec,
        "waits_tasks": block.p_tasks_waitdep,
    }
    return {"tasks": {name: count for name, count in counts.items() if count}}


def _explain_task(block: Block, number: int) -> Json:
    """Return why one task does not start, as far as it lies with the task."""
    st = block.tasks.st[number]
    answer: Json = {"name": block.task_name(number), "reasons": []}
    reasons: list[Json] = answer["reasons"]
    if not st & RDY:
        name = next((reason for bit, reason in _TASK_REASONS if st & bit), "not_ready")
        reasons.append(_reason("skipped" if name == "done" and st & SKP else name))
        if st & WDP and block.task_sources:
            reasons[-1]["blocks"] = [block.job.blocks[source].name for source in block.task_sources]
    elif number != (first := block.offered_task()) and first >= 0:
        reasons.append(_reason("after_task", task_num=first))
    avoided = [host for host in block.tasks.error_hosts.get(number, ()) if block.task_avoids(number, host)]
    if avoided:
        reasons.append(_reason("avoids_hosts", hosts=avoided))
    return answer


# -- renders


def _count_renders(farm: Farm, block: Block, numbers: list[int]) -> Json:
    """Return how many renders could take a task of a block, and the others by their first reason."""
    counts: dict[str, int] = {}
    ready = 0
    demands = _demands(block)
    for render in farm.renders:
        reason = next(_render_reasons(block, numbers, render, demands), None)
        if reason is None:
            ready += 1
        else:
            counts[reason["reason"]] = counts.get(reason["reason"], 0) + 1
    return {"total": len(farm.renders), "could_start": ready, "reasons": counts}


_Demands = list[tuple[Any, int, Any]]


def _demands(block: Block) -> _Demands:
    """Return what a task of a block demands: (node that demands it, index of the check, demand)."""
    job = block.job
    found: _Demands = []
    for node in _path(job):
        kind = "job" if node is job else "work"
        found += [
            (node, index, demand) for index, demand in demands_of(node, kind, regex=masks_are_regex(node))
        ]
    regex = bool(job.work_flags & MASK_REGEX)
    return found + [(block, index, demand) for index, demand in demands_of(block, "block", regex=regex)]


def _render_reasons(
    block: Block, numbers: list[int], render: Render, demands: _Demands | None = None
) -> Iterator[Json]:
    """Yield why a render takes no task of a block."""
    yield from _state_reasons(render)
    job = block.job
    if render.st & NIMBY_OWN and job.minds_nimby() and render.user_name != job.user_name:
        yield _reason("nimby", user_name=render.user_name)
    nodes = [*_path(job), block]
    for node in nodes:
        limit, running = node.max_running_tasks_per_host, node.tasks_on.get(render.id, 0)
        if 0 < limit <= running:
            yield _reason("max_running_tasks_per_host", node, limit=limit, running_tasks_num=running)
    for node, index, demand in demands if demands is not None else _demands(block):
        check = CHECKS[index]
        if not check.passes(demand, render):
            yield _reason(check.name, node, demand=_shown(demand))
    if block.avoids(render.name):
        yield _reason("avoids_host", block, errors=block.error_hosts[render.name][0])
    if numbers and all(block.task_avoids(number, render.name) for number in numbers):
        yield _reason("task_avoids_host", tasks=numbers)
    if job.flags & FLAG_MAINTENANCE and block.offered_task_on(render) not in (
        numbers or [*block.tasks.ready_tasks()]
    ):
        yield _reason("maintenance")


def _state_reasons(render: Render) -> Iterator[Json]:
    """Yield why a render takes no task at all (spec scheduling 7.2)."""
    if not render.is_online():
        yield _reason("offline")
        return
    if render.st & SICK:
        yield _reason("sick")
    if render.st & WOL_FALLING:
        yield _reason("falling_asleep")
    if render.priority == 0:
        yield _reason("priority")
    pool = render.pool_node
    while pool is not None:
        if pool.paused or pool.priority == 0:
            yield _reason("pool_paused" if pool.paused else "pool_priority", pool=pool.name)
        pool = pool.pool_node
    if len(render.runs) >= render.max_tasks:
        yield _reason("max_tasks_host", limit=render.max_tasks, running_tasks_num=len(render.runs))
    if 0 <= render.capacity <= render.capacity_used:
        yield _reason("capacity_host", limit=render.capacity, capacity_used=render.capacity_used)


def _shown(demand: Any) -> Any:
    """Return a demand as JSON can show it; a pair (mask, whether it is an expression) as its mask."""
    if isinstance(demand, tuple):
        if len(demand) == 2 and isinstance(demand[1], bool):
            return demand[0]
        return dict(demand)
    return demand
