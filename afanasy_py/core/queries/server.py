"""What is asked of the server as a whole: its configuration, files, and a summary of the farm."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from afanasy_py.core import replies
from afanasy_py.core.queries.query import Query, query
from afanasy_py.core.requests import AskServer
from afanasy_py.msg.types import RENDER_STATE_NAMES, STATE_NAMES

if TYPE_CHECKING:
    from afanasy_py.core.requests import Result

#: {counter of a block: its name in the summary}
_TASK_COUNTERS = {
    "p_tasks_ready": "ready",
    "p_tasks_done": "done",
    "p_tasks_error": "error",
    "p_tasks_skipped": "skipped",
    "p_tasks_warning": "warning",
    "p_tasks_waitrec": "wait_reconnect",
    "p_tasks_waitdep": "wait_depend",
    "p_tasks_suspended": "suspended",
}


@query("files")
def _files(asked: Query) -> Result:
    return AskServer("files", asked.params)


@query("config")
def _config(asked: Query) -> Result:
    return AskServer("config", asked.params)


@query("farm")
def _farm(asked: Query) -> Result:
    """Return a summary: numbers of nodes, tasks and hosts by state, and the used capacity."""
    farm = asked.farm
    return replies.reply(
        {
            "farm": {
                "version": farm.version,
                "time": int(farm.now),
                "jobs": _count_states([job.st for job in farm.jobs.by_id.values()], STATE_NAMES),
                "tasks": _count_tasks(asked),
                "renders": _count_renders(asked),
                "users": len(farm.users),
                "branches": len(farm.branches),
                "pools": len(farm.pools),
                "monitors": len(farm.monitors),
            }
        }
    )


def _count_states(states: list[int], names: tuple[tuple[int, str], ...]) -> dict[str, int]:
    counted = {"total": len(states)}
    for bit, name in names:
        count = sum(1 for st in states if st & bit)
        if count:
            counted[name] = count
    return counted


def _count_tasks(asked: Query) -> dict[str, int]:
    counts: Counter[str] = Counter()
    total = running = 0
    for job in asked.farm.jobs.by_id.values():
        if job.is_sysjob():
            continue
        running += job.running_tasks_num
        for block in job.blocks:
            total += block.tasks.num
            counts.update(block.tasks.counts)
    named = {name: counts[counter] for counter, name in _TASK_COUNTERS.items() if counts[counter]}
    return {"total": total, "running": running, **named}


def _count_renders(asked: Query) -> dict[str, Any]:
    renders = asked.farm.renders.by_id.values()
    counted: dict[str, Any] = _count_states([render.st for render in renders], RENDER_STATE_NAMES)
    online = [render for render in renders if render.is_online()]
    counted["capacity"] = sum(render.capacity for render in online if render.capacity > 0)
    counted["capacity_used"] = sum(render.capacity_used for render in online)
    return counted
