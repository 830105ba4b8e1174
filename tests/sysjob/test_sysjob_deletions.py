"""A thousand jobs are deleted at once, each with a post command, and nobody waits for it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from afanasy_py.app import App
from afanasy_py.arguments import parse_arguments
from afanasy_py.config import load_config
from afanasy_py.core import registration
from afanasy_py.core.actions import STEP_JOBS
from afanasy_py.core.requests import Caller, SlowAction, handle_json
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.types import MsgType
from afanasy_py.sysjob.job import EVENTS, POST_COMMANDS, SystemJobKeeper
from tests.sysjob.system_farm import SystemFarm

JOBS = 1000
ADDRESS = "10.0.0.1"
#: An answer may be late by so much, seconds.
LATE_SEC = 0.05


def request(**what: Any) -> dict[str, Any]:
    """Return an action on jobs."""
    return {"action": {"type": "jobs", "user_name": "u", "host_name": "h", **what}}


DELETE_ALL = request(mask="job.*", operation={"type": "delete"})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    words = ["-nosql", "--af_store_folder", str(tmp_path), "--af_limit_work_ms", "0"]
    made = App(load_config(parse_arguments(words), {"HOME": str(tmp_path)}, "/nowhere/afserver"))
    made.farm.make_roots()
    made.store.lock()
    made.store.load(made.farm, made.clock.now())
    made.farm.sysjob = keeper = SystemJobKeeper(made.farm)
    keeper.make()
    yield made
    made.store.close()


def ask(app: App, root: dict[str, Any]) -> Any:
    answer = app.dispatch(Request(Form.TEXT, MsgType.TJSON, 0, json.dumps(root).encode()), ADDRESS)
    return json.loads(answer.text)


def test_others_are_answered_while_a_thousand_jobs_are_deleted(app: App) -> None:
    farm = app.farm
    block = {"name": "b", "service": "generic", "command": "x @#@", "flags": 1, "frame_first": 1}
    for number in range(JOBS):
        fields = {"name": f"job{number}", "command_post": f"rm scene{number}", "blocks": [block]}
        job = registration.read_job(
            farm, {"user_name": "artist", "host_name": "ws", "offline": True, **fields}
        )
        registration.register(farm, job)
        registration.finish(farm, job)
    farm.settle()
    app.carry_out()
    gevent.sleep(0.1)  # the store writes them

    deletion = gevent.spawn(ask, app, DELETE_ALL)
    turns: list[float] = []
    while not deletion.ready():
        began = time.thread_time()
        gevent.sleep(0.0001)
        turns.append(time.thread_time() - began)
        assert ask(app, {"get": {"type": "users", "ids": [1]}})["users"]
    assert deletion.get()["info"]["text"] == "Action processed."
    assert len(farm.jobs.by_id) == 1
    assert len(turns) >= JOBS / STEP_JOBS / 2
    late = sorted(turns)[int(len(turns) * 0.99)]
    assert late <= LATE_SEC, turns
    system = ask(app, {"get": {"type": "jobs", "ids": [1]}})["jobs"][0]
    assert system["blocks"][POST_COMMANDS]["p_tasks_ready"] == JOBS


def add_jobs(system: SystemFarm, total: int) -> None:
    for number in range(total):
        system.add_job(f"job{number}", command_post=f"rm {number}", custom_data='{"a":1}')


def test_many_jobs_are_deleted_in_steps_and_what_goes_meanwhile_is_left_out() -> None:
    system = SystemFarm()
    total = STEP_JOBS * 2 + 1
    add_jobs(system, total)
    system.block(EVENTS).commands.clear()
    action = handle_json(system.farm, DELETE_ALL, Caller(ADDRESS))
    assert isinstance(action, SlowAction)
    next(action.steps)
    system.settle()
    assert len(system.farm.jobs.by_id) == 1 + STEP_JOBS + 1
    system.act("jobs", [], mask=f"job{total - 1}", operation="delete")
    assert "Action processed." in str(action.finish().text)  # type: ignore[union-attr]
    system.settle()
    assert len(system.farm.jobs.by_id) == 1
    commands = [command.text for command in system.block().commands]
    assert sorted(commands) == sorted(f"rm {number}" for number in range(total))
    events = [command.task_name for command in system.block(EVENTS).commands]
    assert events == ["JOB_DELETED"] * total


def test_few_jobs_are_deleted_at_once() -> None:
    system = SystemFarm()
    add_jobs(system, 3)
    answer = system.act("jobs", [], mask="job.*", operation="delete")
    assert answer["info"]["text"] == "Action processed."
    assert len(system.farm.jobs.by_id) == 1
