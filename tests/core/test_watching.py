"""Tests of monitors: their life, what they subscribe to, and what they hear."""

from typing import Any

import pytest

from afanasy_py.core import events as events_module
from afanasy_py.msg.answers import Answer, BinaryAnswer, NoAnswer
from afanasy_py.msg.records.monitor_events import MonitorEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType, TaskStatus
from tests.core.action_farm import numeric
from tests.core.query_farm import QueryFarm


@pytest.fixture
def farm() -> QueryFarm:
    """A farm with the system job only."""
    return QueryFarm()


def binary_events(farm: QueryFarm, monitor_id: int) -> MonitorEvents | int:
    """Return what a monitor hears in binary form, or the id that says "nothing"."""
    answer = farm.call(MsgType.TMonitorUpdateId, monitor_id)
    assert isinstance(answer, BinaryAnswer)
    if answer.msg_type == MsgType.TMonitorId:
        return answer.value
    return MonitorEvents.decode(MsgType.TMonitorEvents, answer.body)


def report(farm: QueryFarm, status: int = TaskStatus.Percent, **fields: Any) -> None:
    """Let the only render report of the first task that it runs."""
    (render,) = farm.farm.renders.by_id.values()
    job_id, block_num, number = next(iter(render.runs))
    update = TaskUp(
        client_id=render.id, job_id=job_id, block_num=block_num, task_num=number, status=status, **fields
    )
    body = RenderUpdate(id=render.id, taskups=[update]).encode(MsgType.TRenderUpdate)
    farm.call(MsgType.TRenderUpdate, body=body)


def send_output(farm: QueryFarm, place: tuple[int, int, int], text: str) -> Answer:
    """Let the only render send the output of a task."""
    (render,) = farm.farm.renders.by_id.values()
    job_id, block_num, number = place
    pos = TaskPos(job_id=job_id, block_num=block_num, task_num=number)
    body = RenderUpdate(id=render.id, outputs=[(pos, text)]).encode(MsgType.TRenderUpdate)
    return farm.call(MsgType.TRenderUpdate, body=body)  # type: ignore[return-value]


def test_monitors_of_one_name_are_told_apart(farm: QueryFarm) -> None:
    first, second = farm.add_monitor(), farm.add_monitor()
    names = [monitor["name"] for monitor in farm.get("monitors")["monitors"]]
    assert names == ["artist@ws", "artist@ws-1"]
    assert (first, second) == (1, 2)


def test_a_monitor_registers_in_binary_form(farm: QueryFarm) -> None:
    answer = farm.ask({"monitor": {"binary": True, "user_name": "artist", "host_name": "ws"}})
    assert isinstance(answer, BinaryAnswer)
    assert answer.msg_type == MsgType.TMonitor


def test_a_silent_monitor_goes(farm: QueryFarm) -> None:
    silent, lively = farm.add_monitor(), farm.add_monitor("artist", "monitors")
    limit = farm.farm.settings.af_monitor_zombietime
    farm.now += limit
    assert farm.events(lively) is None
    farm.now += 2
    farm.farm.tick(farm.now)
    assert farm.events(lively) == {"monitors_del": [silent]}
    assert farm.get("monitors", ids=[silent], mode="events") == {"monitor": {"id": 0}}
    assert binary_events(farm, silent) == 0


def test_a_monitor_leaves(farm: QueryFarm) -> None:
    first, second = farm.add_monitor("artist", "jobs"), farm.add_monitor("artist", "jobs")
    answer = farm.ask(
        {"action": {"type": "monitors", "ids": [first], "user_name": "a", "host_name": "h",
                    "operation": {"type": "deregister"}}}
    )  # fmt: skip
    assert isinstance(answer, NoAnswer)
    for text in (b"Deregistered.", b"No monitor with provided ID found."):
        assert text in farm.call(MsgType.TMonitorDeregister, second).text  # type: ignore[union-attr]
    assert not farm.farm.events.wanted


def test_nothing_is_kept_when_nobody_watches(farm: QueryFarm) -> None:
    monitor = farm.add_monitor("artist", "renders")
    farm.add_job()
    assert farm.farm.events.current.is_empty()
    farm.watch(monitor, "renders", "unsubscribe")
    farm.add_render()
    assert farm.events(monitor) is None


def test_jobs_are_heard_of_by_their_user_and_by_who_may_see_all(farm: QueryFarm) -> None:
    farm.add_job("first")
    own, god, other = (
        farm.add_monitor("artist", "jobs"),
        farm.add_monitor("nobody", "jobs", uid=0),
        farm.add_monitor("nobody", "jobs"),
    )
    job = farm.add_job("second")
    for monitor in (own, god):
        assert farm.events(monitor) == {"jobs_add": [job.id], "jobs_change": [job.id]}
        assert farm.events(monitor) is None
    assert farm.events(other) is None
    farm.act("jobs", job, operation="pause")
    farm.act("jobs", job, operation="delete")
    assert farm.events(own) == {"jobs_del": [job.id]}


def test_watched_tasks_come_with_their_last_state(farm: QueryFarm) -> None:
    job = farm.add_job(blocks=[numeric("a"), numeric("b")])
    monitor = farm.add_monitor("artist")
    farm.watch(monitor, "tasks", ids=[job.id, job.id, 77])
    assert farm.get("monitors", ids=[monitor])["monitors"][0]["jobs_ids"] == [job.id, 77]
    for operation in ("skip", "restart"):
        farm.act("jobs", job, block_ids=[1], operation={"type": operation, "task_ids": [2]})
    told = farm.events(monitor)
    assert told["tasks_progress"] == [
        {"job_id": job.id, "blocks": [1], "tasks": [2], "progress": [{"state": " RDY", "st": 1}]}
    ]
    assert told["block_ids"]["block_num"] == [1]
    farm.watch(monitor, "tasks", "unsubscribe", ids=[job.id, 77])
    farm.act("jobs", job, block_ids=[1], operation="skip")
    assert farm.events(monitor) is None
    assert not farm.farm.events.watched_jobs


def test_binary_events_say_what_json_says(farm: QueryFarm) -> None:
    job = farm.add_job()
    one, two = farm.add_monitor("artist", "jobs", "users"), farm.add_monitor("artist", "jobs", "users")
    for monitor in (one, two):
        farm.watch(monitor, "tasks", ids=[job.id])
    farm.act("jobs", job, block_ids=[0], operation={"type": "skip", "task_ids": [0]})
    farm.act("jobs", job, params={"priority": 5})
    told = binary_events(farm, one)
    assert isinstance(told, MonitorEvents)
    assert told.to_json() == farm.events(two)
    assert told.jobs_order_ids == [job.id]
    assert binary_events(farm, one) == one


def test_messages_and_instructions_are_heard_once(farm: QueryFarm) -> None:
    one, two = farm.add_monitor(), farm.add_monitor()
    assert farm.act("monitors", [one], operation={"type": "message", "text": "hello"}) == (
        "log",
        "Message sent.",
    )
    farm.act("monitors", [one], operation="exit")
    farm.json({"announce": "for all"})
    assert farm.events(one) == {"instruction": "exit", "message": "for all"}
    assert farm.events(one) is None
    told = binary_events(farm, two)
    assert isinstance(told, MonitorEvents)
    assert told.message == "for all"
    farm.act("monitors", [one], operation={"type": "message", "text": "hello"})
    assert farm.events(one) == {"message": "hello\n - artist@ws 10.0.0.1"}


def test_unknown_operations_are_refused(farm: QueryFarm) -> None:
    monitor = farm.add_monitor()
    assert farm.act("monitors", [monitor], operation="zzz") == ("error", "Unknown operation 'zzz'.")
    assert farm.watch(monitor, "zzz") == ("error", "Unknown operation 'watch' class 'zzz'.")


def test_output_of_a_running_task_comes_to_who_asked(farm: QueryFarm) -> None:
    job = farm.add_job()
    farm.add_render()
    one, two = farm.add_monitor(), farm.add_monitor()
    place = {"ids": [job.id], "block_ids": [0], "task_ids": [0], "mode": "output"}
    farm.get("jobs", **place, mon_id=one)
    answer = send_output(farm, (job.id, 0, 0), "so far")
    assert isinstance(answer, BinaryAnswer)
    assert [task["data"] for task in farm.events(one)["tasks_outputs"]] == ["so far"]
    assert farm.events(two) is None
    send_output(farm, (job.id, 0, 0), "not asked for")
    assert farm.events(one) is None


def test_who_waits_for_output_gets_the_last_one_when_the_task_ends(farm: QueryFarm) -> None:
    job = farm.add_job()
    farm.add_render()
    monitor = farm.add_monitor()
    farm.get("jobs", ids=[job.id], block_ids=[0], task_ids=[0], mode="output", mon_id=monitor)
    report(farm, TaskStatus.FinishedSuccess, data=b"the end")
    assert farm.events(monitor)["tasks_outputs"][0]["data"] == "the end"
    assert not farm.farm.events.awaited


def test_heard_output_is_joined(farm: QueryFarm) -> None:
    job = farm.add_job()
    render = farm.add_render()
    monitor = farm.add_monitor()
    render.take_events()
    farm.watch(monitor, "listen", job=job.id, block=0, task=0)
    assert [pos.task_num for pos in render.events().listens_add] == [0]
    report(farm, percent=10, listened="one ")
    report(farm, percent=20, listened="two")
    (heard,) = farm.events(monitor)["tasks_listens"]
    assert (heard["data"], heard["render_id"], heard["progress"]["per"]) == ("one two", render.id, 10)
    farm.watch(monitor, "listen", "unsubscribe", job=job.id, block=0, task=0)
    assert [pos.task_num for pos in render.events().listens_rem] == [0]
    report(farm, percent=30, listened="not heard")
    assert farm.events(monitor) is None


def test_who_listens_to_a_job_hears_its_later_tasks(farm: QueryFarm) -> None:
    job = farm.add_job()
    monitor = farm.add_monitor()
    farm.watch(monitor, "listen", job=job.id)
    render = farm.add_render()
    assert render.tasks[0].flags & 1
    report(farm, listened="text")
    assert farm.events(monitor)["tasks_listens"][0]["data"] == "text"
    farm.call(MsgType.TMonitorDeregister, monitor)
    assert not farm.farm.listened


def test_many_monitors_share_frames(farm: QueryFarm) -> None:
    monitors = [farm.add_monitor("artist", "renders") for _ in range(events_module.FEW_MONITORS + 1)]
    farm.now += 1
    render = farm.add_render()
    assert farm.events(monitors[0]) == {"renders_add": [render.id]}
    farm.act("renders", render, params={"annotation": "x"})
    farm.now += 0.1
    # The frame is not old enough: who asks now hears the same as the first, whose answer is kept.
    frame = farm.farm.events.frames[-1]
    (kept,) = frame.made.values()
    assert farm.events(monitors[1]) == {"renders_add": [render.id]}
    assert list(frame.made.values()) == [kept]
    farm.now += events_module.FRAME_TIME
    assert farm.events(monitors[1]) == {"renders_change": [render.id]}
    assert farm.events(monitors[2]) == {"renders_add": [render.id]}
    for monitor in monitors:
        farm.events(monitor)
    assert not farm.farm.events.frames


def test_frames_of_a_monitor_that_does_not_ask_are_joined(farm: QueryFarm) -> None:
    quiet, lively = farm.add_monitor("artist", "users"), farm.add_monitor("artist", "users")
    made = []
    for number in range(events_module.FRAMES_MOST * 2):
        made.append(farm.json({"user": {"name": f"u{number}"}})["user"]["id"])
        farm.events(lively)
    assert len(farm.farm.events.frames) <= events_module.FRAMES_MOST
    assert farm.events(quiet) == {"users_add": made}
