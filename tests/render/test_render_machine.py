"""The conversation with the server: what comes in, what is to be done."""

import pytest

from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.render.machine import (
    Action,
    CloseTask,
    Exit,
    Launch,
    Listen,
    Note,
    RenderMachine,
    SendOutput,
    Sleep,
    StartTask,
    StopTask,
)

KEY = (7, 0, 3, 0)


def task() -> TaskExec:
    return TaskExec(job_id=7, block_num=0, task_num=3, number=0)


def pos() -> TaskPos:
    return TaskPos(job_id=7, block_num=0, task_num=3, number=0)


def registered() -> RenderMachine:
    machine = RenderMachine()
    machine.on_events(RenderEvents(id=5), now=100)
    return machine


def without_notes(actions: list[Action]) -> list[Action]:
    return [action for action in actions if not isinstance(action, Note)]


def test_it_registers_until_answered() -> None:
    machine = RenderMachine()
    assert machine.registering
    assert machine.on_failure(now=1000) == []
    assert machine.registering
    machine.on_events(RenderEvents(id=5), now=1001)
    assert (machine.registering, machine.id, machine.connected_at) == (False, 5, 1001)


def test_an_id_means_that_there_is_nothing_to_do() -> None:
    machine = registered()
    assert machine.on_id(5, now=103) == []
    assert machine.connected_at == 103


def test_a_foreign_id_makes_it_register_again() -> None:
    machine = registered()
    machine.on_id(6, now=103)
    assert machine.registering


def test_minus_one_makes_it_register_again_and_keep_its_tasks() -> None:
    machine = registered()
    machine.on_events(RenderEvents(id=5, tasks=[task()]), now=101)
    assert without_notes(machine.on_events(RenderEvents(id=-1, log="Render is offline."), now=102)) == []
    assert machine.registering
    assert list(machine.tasks) == [KEY]
    assert machine.id == 5


def test_minus_one_ignores_the_garbage_in_the_periods() -> None:
    machine = registered()
    machine.on_events(RenderEvents(id=-1, heartbeat_sec=648859665, zombie_time=53), now=102)
    assert (machine.heartbeat_sec, machine.zombie_time) == (1, 16)


def test_minus_two_ends_the_host() -> None:
    machine = RenderMachine()
    assert machine.on_events(RenderEvents(id=-2, log="Render with the same name exists."), now=1) == [
        Exit("Render with the same name exists.", failed=True)
    ]


def test_another_version_ends_the_host() -> None:
    [action] = RenderMachine().on_version_mismatch()
    assert isinstance(action, Exit)
    assert action.failed


def test_silence_for_the_zombie_time_makes_it_register_again() -> None:
    machine = registered()
    machine.on_failure(now=115)
    assert not machine.registering
    machine.on_failure(now=116)
    assert machine.registering


def test_periods_of_the_server_are_taken() -> None:
    machine = registered()
    machine.on_events(
        RenderEvents(id=5, heartbeat_sec=3, resources_update_period=7, zombie_time=60, exit_no_task_time=9),
        now=101,
    )
    machine.on_events(RenderEvents(id=5), now=102)  # zeros change nothing
    assert (machine.heartbeat_sec, machine.resources_update_period) == (3, 7)
    assert (machine.zombie_time, machine.exit_no_task_time) == (60, 9)
    negative = RenderEvents(
        id=5, heartbeat_sec=-1, resources_update_period=-1, zombie_time=-1, exit_no_task_time=-1
    )
    machine.on_events(negative, now=103)
    assert (machine.heartbeat_sec, machine.resources_update_period) == (1, 5)
    assert (machine.zombie_time, machine.exit_no_task_time) == (16, -1)


def test_a_task_is_started_once() -> None:
    machine = registered()
    assert machine.on_events(RenderEvents(id=5, tasks=[task()]), now=101) == [StartTask(task())]
    assert without_notes(machine.on_events(RenderEvents(id=5, tasks=[task()]), now=102)) == []


def test_a_closed_task_may_be_started_again_by_the_same_answer() -> None:
    machine = registered()
    machine.on_events(RenderEvents(id=5, tasks=[task()]), now=101)
    actions = machine.on_events(RenderEvents(id=5, tasks=[task()], closes=[pos()]), now=102)
    assert actions == [CloseTask(KEY), StartTask(task())]


def test_a_closed_task_is_not_registered() -> None:
    machine = registered()
    machine.on_events(RenderEvents(id=5, tasks=[task()]), now=101)
    machine.on_events(RenderEvents(id=5, closes=[pos()]), now=102)
    assert machine.tasks == {}


def test_wishes_about_tasks_are_passed_on_in_order() -> None:
    events = RenderEvents(id=5, stops=[pos()], outputs=[pos()], listens_add=[pos()], listens_rem=[pos()])
    assert registered().on_events(events, now=101) == [
        StopTask(KEY),
        SendOutput(KEY),
        Listen(KEY, True),
        Listen(KEY, False),
    ]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("exit", [Exit("the server says so")]),
        ("launch", [Launch("do it")]),
        ("launch_exit", [Launch("do it"), Exit("the server says so")]),
        ("sleep", [Sleep("do it")]),
        ("reboot", [Exit("reboot")]),
        ("shutdown", [Exit("shutdown")]),
        ("dance", []),
    ],
)
def test_instructions(instruction: str, expected: list[Action]) -> None:
    events = RenderEvents(id=5, instruction=instruction, command="do it")
    assert without_notes(registered().on_events(events, now=101)) == expected


def test_it_ends_when_it_had_no_task_for_too_long() -> None:
    machine = registered()
    machine.on_events(RenderEvents(id=5, exit_no_task_time=10, tasks=[task()]), now=101)
    assert machine.tick(now=150) == []
    machine.on_events(RenderEvents(id=5, closes=[pos()]), now=151)
    assert machine.tick(now=159) == []
    assert [type(action) for action in machine.tick(now=160)] == [Exit]


def test_resources_go_with_every_fifth_update() -> None:
    machine = registered()
    assert [beat for beat in range(11) if machine.resources_wanted(beat)] == [0, 5, 10]
