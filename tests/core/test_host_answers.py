"""What the answer to a heartbeat brings."""

from typing import Any

from afanasy_py.core.render import Render
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType, TaskStatus
from tests.core.action_farm import numeric
from tests.core.query_farm import QueryFarm


def heartbeat(farm: QueryFarm, render: Render, status: int = 0) -> Any:
    """Send a heartbeat, with the end of frame 1 when a status is given; return the decoded answer."""
    ends = [TaskUp(client_id=render.id, job_id=2, block_num=0, task_num=0, number=0, status=status)]
    body = RenderUpdate(id=render.id, taskups=ends if status else []).encode(MsgType.TRenderUpdate)
    answer = farm.call(MsgType.TRenderUpdate, body=body)
    return RenderEvents.decode(MsgType.TRenderEvents, answer.body) if answer.body else None


def positions(items: list[Any]) -> list[tuple[int, int, int]]:
    return [(item.job_id, item.block_num, item.task_num) for item in items]


def running_farm(last: int, room: int = 1) -> tuple[QueryFarm, Render]:
    """Return a farm whose only render has just heard of the first tasks of job 2."""
    farm = QueryFarm()
    render = farm.add_render(room=room)
    farm.add_job(blocks=[numeric(last=last, errors_retries=3)])
    heard = heartbeat(farm, render)
    assert positions(heard.tasks) == [(2, 0, 0)]
    return farm, render


def test_a_task_that_starts_again_on_its_host_starts_one_heartbeat_after_its_close() -> None:
    farm, render = running_farm(last=1)
    first = heartbeat(farm, render, TaskStatus.FinishedError)
    assert positions(first.closes) == [(2, 0, 0)]
    assert first.tasks == []
    assert (2, 0, 0) in render.runs
    second = heartbeat(farm, render)
    assert positions(second.tasks) == [(2, 0, 0)]
    assert second.closes == []
    assert heartbeat(farm, render) is None


def test_another_task_starts_with_the_very_answer_that_closes_one() -> None:
    farm, render = running_farm(last=2)
    answer = heartbeat(farm, render, TaskStatus.FinishedSuccess)
    assert positions(answer.closes) == [(2, 0, 0)]
    assert positions(answer.tasks) == [(2, 0, 1)]
    assert heartbeat(farm, render) is None
