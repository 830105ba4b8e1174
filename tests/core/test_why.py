"""Tests of the answer to "why is it waiting": each reason has its name, its node and its numbers."""

from typing import Any

import pytest

from afanasy_py.core.job import Job
from afanasy_py.msg.types import MsgType, TaskStatus
from tests.core.action_farm import numeric
from tests.core.query_farm import QueryFarm


@pytest.fixture
def farm() -> QueryFarm:
    """A farm with the system job only."""
    return QueryFarm()


def why(farm: QueryFarm, job: Job, **more: Any) -> Any:
    """Ask why a job waits."""
    return farm.get("jobs", ids=[job.id], mode="why", **more)["why"]


def names(reasons: list[Any]) -> list[str]:
    """Return the names of reasons."""
    return [reason["reason"] for reason in reasons]


def test_a_job_says_what_stops_all_of_it(farm: QueryFarm) -> None:
    before = farm.add_job("before", offline=True)
    job = farm.add_job("after", depend_mask="before", time_wait=5000)
    farm.act("jobs", job, operation="pause")
    reasons = why(farm, job)["reasons"]
    assert names(reasons) == ["paused", "waits_time", "waits_jobs"]
    assert reasons[1]["time_wait"] == 5000
    assert reasons[2] == {"reason": "waits_jobs", "node": "job after", "jobs": [before.name]}


def test_limits_on_the_path_are_named_with_their_node(farm: QueryFarm) -> None:
    job = farm.add_job(max_running_tasks=1)
    farm.add_render(room=3)
    farm.act("branches", "/", params={"paused": True, "max_tasks_per_second": 0})
    reasons = why(farm, job)["reasons"]
    assert [(reason["reason"], reason["node"]) for reason in reasons] == [
        ("paused", "branch /"),
        ("max_tasks_per_second", "branch /"),
        ("max_running_tasks", "job job"),
    ]
    assert reasons[2]["limit"] == reasons[2]["running_tasks_num"] == 1


def test_a_block_says_for_what_it_waits(farm: QueryFarm) -> None:
    job = farm.add_job(
        blocks=[numeric("a"), numeric("b", depend_mask="a"), numeric("c", max_running_tasks=0)]
    )
    first, second, third = why(farm, job)["blocks"]
    assert first["reasons"] == []
    assert second["reasons"] == [{"reason": "waits_blocks", "node": "block b", "blocks": ["a"]}]
    assert names(third["reasons"]) == ["max_running_tasks"]


def test_tasks_that_are_not_ready_are_counted(farm: QueryFarm) -> None:
    job = farm.add_job(blocks=[numeric("a", last=2)])
    farm.add_render()
    farm.act("jobs", job, block_ids=[0], operation={"type": "suspend", "task_ids": [1]})
    (block,) = why(farm, job)["blocks"]
    assert block["reasons"] == [
        {"reason": "no_ready_tasks", "node": "block a", "tasks": {"running": 1, "suspended": 1}}
    ]


def test_one_task_is_explained(farm: QueryFarm) -> None:
    job = farm.add_job()
    farm.act("jobs", job, block_ids=[0], operation={"type": "skip", "task_ids": [0]})
    tasks = why(farm, job, block_ids=[0], task_ids=[0, 1, 2])["blocks"][0]["tasks"]
    assert [names(task["reasons"]) for task in tasks] == [["skipped"], [], ["after_task"]]
    assert tasks[2]["reasons"][0]["task_num"] == 1
    assert farm.error("jobs", ids=[job.id], mode="why", block_ids=[4]) == "Invalid block/task number."
    assert (
        farm.error("jobs", ids=[job.id], mode="why", block_ids=[0], task_ids=[9])
        == "Invalid block/task number."
    )


def test_renders_are_counted_by_their_first_reason(farm: QueryFarm) -> None:
    for name in ("a1", "a2", "b1"):
        farm.add_render(name)
    farm.act("renders", "a1", params={"NIMBY": True})
    farm.act("renders", "b1", params={"paused": True})
    job = farm.add_job(hosts_mask="b1 | a1", offline=True)
    (block,) = why(farm, job)["blocks"]
    assert block["renders"] == {
        "total": 3,
        "could_start": 0,
        "reasons": {"nimby": 1, "hosts_mask": 1, "paused": 1},
    }
    farm.act("renders", "b1", params={"paused": False})
    assert why(farm, job)["blocks"][0]["renders"]["could_start"] == 1


def test_one_render_gives_all_its_reasons(farm: QueryFarm) -> None:
    render = farm.add_render("host", user_name="other")
    farm.act("renders", render, params={"nimby": True})
    job = farm.add_job(blocks=[numeric(capacity=5000, tickets={"LIC": 1}, need_power=7)], hosts_mask="zzz")
    (block,) = why(farm, job, host="host")["blocks"]
    host = block["host"]
    assert not host["can_start"]
    assert names(host["reasons"]) == ["nimby", "hosts_mask", "capacity", "need_power"]
    assert host["reasons"][1] == {"reason": "hosts_mask", "node": "job job", "demand": "zzz"}
    assert farm.error("jobs", ids=[job.id], mode="why", host="nobody") == "Invalid ID"


def test_a_host_that_is_full_offline_or_avoided_says_so(farm: QueryFarm) -> None:
    render = farm.add_render()
    job = farm.add_job(blocks=[numeric(errors_avoid_host=1, errors_retries=9)])
    assert names(why(farm, job, host="host")["blocks"][0]["host"]["reasons"]) == ["capacity_host", "capacity"]
    farm.end_run(render, TaskStatus.FinishedError)
    assert names(why(farm, job, host="host")["blocks"][0]["host"]["reasons"]) == ["avoids_host"]
    farm.call(MsgType.TRenderDeregister, render.id)
    assert names(why(farm, job, host="host")["blocks"][0]["host"]["reasons"])[0] == "offline"


def test_a_host_that_would_take_a_task_says_so(farm: QueryFarm) -> None:
    farm.add_render()
    job = farm.add_job(offline=True)
    told = why(farm, job, host="host")
    assert told["blocks"][0]["host"] == {"name": "host", "reasons": [], "can_start": False}
    assert names(told["reasons"]) == ["paused"]
