"""Events of jobs and renders that the system job hears of, if anybody concerned has custom data.

What is then done with them, `sysjob` knows. Source: spec scheduling 7.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from afanasy_py.core.farmpart import pool_value
from afanasy_py.core.job import SYSJOB_ID

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.render import Render


def emit_job_events(farm: Farm, job: Job, names: list[str]) -> None:
    """Give events of a job to the system job, if the job or its user has custom data."""
    if names and not job.is_sysjob() and (job.custom_data or job.user.custom_data):
        farm.sysjob.job_events(job, names)


def emit_render_event(farm: Farm, render: Render, name: str) -> None:
    """Give an event of a render to the system job, if anybody concerned has custom data."""
    system = farm.jobs.by_id.get(SYSJOB_ID)
    pool = render.pool_node
    concerned: list[Any] = [render]
    while pool is not None:
        concerned.append(pool)
        pool = pool.pool_node
    if system is not None:
        concerned += [system, system.user]
    if any(node.custom_data for node in concerned):
        farm.sysjob.render_event(render, name)


# -- events of hosts that stay as they are (spec 7.11)


def watch_no_task(farm: Farm, render: Render) -> None:
    """Call for a look at an idle render, if its pools want events of that."""
    limit = pool_value(render, "no_task_event_time", 1)
    if limit > 0 and render.is_online() and not render.runs:
        render.no_task_since = render.no_task_since or int(farm.now)
        farm.timers.add(render.no_task_since + limit * 2**render.no_task_events + 1, "no_task", render.id)


def check_no_task(farm: Farm, render: Render) -> None:
    """Emit RENDER_NO_TASK for a render that has been idle for long (spec 7.11)."""
    limit = pool_value(render, "no_task_event_time", 1)
    if limit <= 0 or not render.is_online() or render.runs:
        return
    since = max(render.no_task_since, render.task_start_finish_time)
    if since != render.no_task_since:
        render.no_task_since, render.no_task_events = since, 0
    span = limit * 2**render.no_task_events
    if int(farm.now) - since > span:
        text = f"RENDER_NO_TASK: {limit} x2^{render.no_task_events} = {span} seconds."
        farm.log(render, text, kind="renders no_task", store=True)
        emit_render_event(farm, render, "RENDER_NO_TASK")
        render.no_task_events = min(render.no_task_events + 1, 30)
    watch_no_task(farm, render)


def check_overload(farm: Farm, render: Render) -> None:
    """Emit RENDER_OVERLOAD for a render without memory, swap or disk (spec 7.11)."""
    limit = pool_value(render, "overload_event_time", 1)
    if limit <= 0 or not render.is_online() or not _is_overloaded(farm, render):
        render.overload_since = render.overload_events = 0
        return
    now = int(farm.now)
    if not render.overload_since:
        render.overload_since = now
    span = limit * 2 ** (render.overload_events - 1) if render.overload_events else 0
    if now - render.overload_since > span:
        r, s = render.host_resources, farm.settings
        text = (
            f"RENDER_OVERLOAD: For {span} seconds:"
            f"\nMem: free = {r.mem_free_mb}MB, total = {r.mem_total_mb}MB, "
            f"overflow limit = {s.af_render_overflow_mem}%"
            f"\nSwap: free = {r.swap_total_mb - r.swap_used_mb}MB, total = {r.swap_total_mb}MB, "
            f"overflow limit = {s.af_render_overflow_swap}%"
            f"\nHDD: free = {r.hdd_free_gb}GB, total = {r.hdd_total_gb}GB, "
            f"overflow limit = {s.af_render_overflow_hdd}%"
        )
        farm.log(render, text, kind="renders overload", store=True)
        emit_render_event(farm, render, "RENDER_OVERLOAD")
        render.overload_events = min(render.overload_events + 1, 30)
        span = limit * 2 ** (render.overload_events - 1)
    farm.timers.add(render.overload_since + span + 1, "overload", render.id)


def _is_overloaded(farm: Farm, render: Render) -> bool:
    r, s = render.host_resources, farm.settings
    return any(
        limit >= 0 and total > 0 and 100 * free // total <= limit
        for limit, free, total in (
            (s.af_render_overflow_mem, r.mem_free_mb, r.mem_total_mb),
            (s.af_render_overflow_swap, r.swap_total_mb - r.swap_used_mb, r.swap_total_mb),
            (s.af_render_overflow_hdd, r.hdd_free_gb, r.hdd_total_gb),
        )
    )
