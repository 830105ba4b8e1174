"""Which events the system job hears of: of jobs and renders that have custom data, or whose users and pools have."""

import json
from typing import Any

import pytest

from afanasy_py.core import emitted, hosts
from afanasy_py.core.render import Render
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.types import TaskStatus
from afanasy_py.sysjob.custom_data import merge, wanted
from afanasy_py.sysjob.job import EVENTS
from tests.sysjob.system_farm import SystemFarm

ERROR = TaskStatus.FinishedError
SOMETHING = '{"emails": []}'


def configured(*events: str, methods: Any = ("email",)) -> str:
    """Return custom data that wants to hear of events."""
    return json.dumps({"events": {event: {"methods": list(methods)} for event in events}})


def events(system: SystemFarm) -> list[list[str]]:
    """Return the events of each command, in order."""
    return [json.loads(command.text)["events"] for command in system.block(EVENTS).all_commands()]


def last(system: SystemFarm) -> Any:
    """Return the last event as the service reads it."""
    return json.loads(list(system.block(EVENTS).all_commands())[-1].text)


def film_farm(**fields: Any) -> tuple[SystemFarm, int, Render]:
    """Return a farm with a paused system job, a running job and the render that runs it."""
    system = SystemFarm(**fields.pop("settings", {}))
    system.act("jobs", [1], operation="pause")
    block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1}
    block |= fields.pop("block", {})
    job = system.add_job(offline=False, blocks=[block], **fields)
    return system, job, system.add_render()


# -- jobs


def test_a_job_with_custom_data_tells_what_becomes_of_it() -> None:
    system, job, render = film_farm(custom_data=SOMETHING, block={"errors_retries": 0})
    assert events(system) == [["JOB_CREATED"]]
    system.end(render, ERROR)
    assert events(system)[1:] == [["JOB_ERROR"]]
    system.act("jobs", [job], operation="restart")
    system.end(render)
    assert events(system)[2:] == [["JOB_DONE"]]
    system.act("jobs", [job], operation="delete")
    assert events(system)[3:] == [["JOB_DELETED"]]


def test_the_command_names_the_job_and_its_user() -> None:
    system, _, _ = film_farm(custom_data=SOMETHING)
    [command] = system.block(EVENTS).commands
    assert (command.user_name, command.job_name) == ("artist", "film")
    assert (command.task_name, command.working_directory) == ("JOB_CREATED", "")


def test_skipped_tasks_make_a_job_done_too() -> None:
    system, job, render = film_farm(custom_data=SOMETHING)
    system.act("jobs", [job], block_ids=[0], operation={"type": "skip", "task_ids": [0]})
    if render.runs:
        system.end(render, TaskStatus.FinishedKilled)
    assert events(system) == [["JOB_CREATED"], ["JOB_DONE"]]


def test_the_custom_data_of_the_user_counts_and_that_of_pools_and_branches_does_not() -> None:
    system = SystemFarm()
    system.act("pools", [1], params={"custom_data": SOMETHING})
    system.act("branches", [system.farm.root_branch.id], params={"custom_data": SOMETHING})
    system.add_job("silent")
    assert events(system) == []
    user = system.farm.users.by_name["artist"]
    system.act("users", [user.id], params={"custom_data": SOMETHING})
    system.add_job("told")
    assert events(system) == [["JOB_CREATED"]]
    assert last(system)["job"]["name"] == "told"


def test_the_system_job_tells_nothing_of_itself() -> None:
    system = SystemFarm()
    system.act("jobs", [1], params={"custom_data": SOMETHING})
    render = system.add_render()
    system.queue("a")
    system.end(render)
    assert events(system) == []


# -- renders


def told_render(system: SystemFarm, name: str = "host", **fields: Any) -> Render:
    """Register a render of which events are told, in a farm with a paused system job."""
    system.act("jobs", [1], operation="pause")
    system.act("pools", [1], params={"custom_data": SOMETHING})
    return system.add_render(name, **fields)


def test_a_lost_render_is_told() -> None:
    system = SystemFarm()
    told_render(system, user_name="lead")
    system.farm.root_pool.zombie_time = 20
    system.act("pools", [1], params={"zombie_time": 20})
    system.wait(19)
    assert events(system) == []
    system.wait(5)
    assert events(system) == [["RENDER_ZOMBIE"]]
    [command] = system.block(EVENTS).commands
    assert (command.user_name, command.job_name, command.task_name) == ("lead", "host", "RENDER_ZOMBIE")
    document = last(system)
    assert list(document) == ["render", "host_resources", "pools", "user", "job", "events"]
    assert [pool["name"] for pool in document["pools"]] == ["/"]
    assert (document["user"]["name"], document["job"]["id"]) == ("afadmin", 1)


def test_errors_of_different_users_make_a_render_sick() -> None:
    system = SystemFarm()
    render = told_render(system)
    system.act("pools", [1], params={"sick_errors_count": 2})
    block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1}
    block |= {"errors_retries": 0}
    for number, user in enumerate(("one", "one", "two")):
        system.add_job(f"film{number}", user_name=user, offline=False, blocks=[block])
        system.end(render, ERROR)
    assert events(system) == [["RENDER_SICK"]]


def test_a_render_without_tasks_is_told_after_growing_spans() -> None:
    system = SystemFarm()
    render = told_render(system)
    system.act("pools", [1], params={"no_task_event_time": 10})
    moments = []
    for second in range(1, 100):
        system.wait(1)
        if len(events(system)) > len(moments):
            moments.append(second)
    assert events(system) == [["RENDER_NO_TASK"]] * 4
    assert moments == [11, 21, 41, 81]
    assert render.no_task_events == 4


def beat(system: SystemFarm, render: Render, **resources: Any) -> None:
    """Let a render report its resources."""
    hosts.update(system.farm, RenderUpdate(id=render.id, host_resources=HostRes(**resources)))
    system.settle()


def test_an_overloaded_render_is_told_after_growing_spans_and_again_when_it_is_overloaded_again() -> None:
    system = SystemFarm(af_render_overflow_mem=10)
    render = told_render(system)
    system.act("pools", [1], params={"overload_event_time": 10})
    moments = []
    for second in range(1, 60):
        beat(system, render, mem_total_mb=1000, mem_free_mb=50)
        system.wait(1)
        if len(events(system)) > len(moments):
            moments.append(second)
    # The original tells each second in its first half a minute, when a render begins with an overload.
    assert moments == [1, 11, 21, 41]
    assert events(system) == [["RENDER_OVERLOAD"]] * 4
    beat(system, render, mem_total_mb=1000, mem_free_mb=500)
    system.wait(60)
    assert len(events(system)) == 4
    beat(system, render, mem_total_mb=1000, mem_free_mb=50)
    system.wait(2)
    assert len(events(system)) == 5


@pytest.mark.parametrize("whose", ["renders", "users", "jobs", "pools"])
def test_custom_data_of_any_of_those_concerned_counts(whose: str) -> None:
    system = SystemFarm()
    system.act("jobs", [1], operation="pause")
    render = system.add_render()
    emitted.emit_render_event(system.farm, render, "RENDER_SICK")
    assert events(system) == []
    node = {"renders": render.id, "users": system.keeper.job.user.id, "jobs": 1, "pools": 1}[whose]
    system.act(whose, [node], params={"custom_data": SOMETHING})
    emitted.emit_render_event(system.farm, render, "RENDER_SICK")
    assert events(system) == [["RENDER_SICK"]]


# -- merged on the server


MERGING = {"af_sysjob_events_merge": True}


def test_with_merging_on_the_server_only_configured_events_are_queued() -> None:
    system, job, render = film_farm(settings=MERGING, custom_data=configured("JOB_DONE"))
    system.end(render)
    system.act("jobs", [job], operation="delete")
    assert events(system) == [["JOB_DONE"]]
    assert json.loads(last(system)["job"]["custom_data"])["events"]


def test_the_method_may_be_in_the_custom_data_of_another_node() -> None:
    system = SystemFarm(**MERGING)
    render = told_render(system)
    emitted.emit_render_event(system.farm, render, "RENDER_SICK")
    assert events(system) == []
    admin = system.keeper.job.user.id
    system.act("users", [admin], params={"custom_data": configured("RENDER_SICK")})
    emitted.emit_render_event(system.farm, render, "RENDER_ZOMBIE")
    emitted.emit_render_event(system.farm, render, "RENDER_SICK")
    assert events(system) == [["RENDER_SICK"]]


@pytest.mark.parametrize("broken", ["{", "[]", '{"a":' * 100_000])
def test_custom_data_that_cannot_be_read_is_told_in_the_log_of_the_events(broken: str) -> None:
    system, _, _ = film_farm(settings=MERGING, custom_data=broken)
    assert events(system) == []
    user = system.farm.users.by_name["artist"]
    system.act("users", [user.id], params={"custom_data": configured("JOB_CREATED")})
    system.add_job("other", custom_data="{")
    assert events(system) == [["JOB_CREATED"]]
    assert any(text.startswith('Custom data of "film" cannot be read') for text in system.task_log(EVENTS))


class Node:
    """Has custom data."""

    def __init__(self, **document: Any) -> None:
        self.name, self.custom_data = "node", json.dumps(document) if document else ""


def test_custom_data_is_merged_as_the_service_does_it() -> None:
    nodes = [
        Node(emails=["a"], events={"X": {"methods": ["one"]}, "Y": 1}, word="first"),
        Node(),
        Node(emails=["b"], events={"X": {"methods": ["two"], "-no": 1}, "Y": {}}, word="last", **{"-off": 1}),
    ]
    merged, complaints = merge(nodes)
    assert complaints == []
    assert merged == {
        "emails": ["a", "b"],
        "events": {"X": {"methods": ["one", "two"]}, "Y": {}},
        "word": "last",
    }


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({}, []),
        ({"events": []}, []),
        ({"events": {"A": {"methods": ["email"]}, "B": {"methods": []}, "C": ["email"]}}, ["A"]),
    ],
)
def test_an_event_is_wanted_when_it_has_a_method(document: Any, names: list[str]) -> None:
    assert wanted(document, ["A", "B", "C", "D"]) == names
