"""docs/quirks.md: its rows are those of the marks in the code, the tests it names exist, and tests of rows
that are tested nowhere else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core import hosts
from afanasy_py.core.branch import Branch
from afanasy_py.core.cycle import CYCLE
from afanasy_py.core.farm import TURN_PAUSE, Farm, SystemJob
from afanasy_py.core.job import Job
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.core.solver.need import need
from afanasy_py.core.task_states import DON, RDY, RUN, WDP, WRC
from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.types import TaskStatus
from afanasy_py.settings import Settings
from afanasy_py.sysjob.job import POST_COMMANDS, WAKE_ON_LAN, SystemJobKeeper
from tests.core.action_farm import ADDRESS, ActionFarm, explicit, numeric

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "quirks.md").read_text(encoding="utf-8")
MARK = re.compile(r"COMPAT\(([^)]*)\)")


def marks(folder: str) -> set[str]:
    """Return the names of all marks below a folder."""
    paths = [path for path in (ROOT / folder).rglob("*.py") if path.resolve() != Path(__file__).resolve()]
    assert paths
    return {name for path in paths for name in MARK.findall(path.read_text(encoding="utf-8"))}


def marked_rows() -> dict[str, str]:
    """Return {name: the rest of its row} of the table of marks."""
    section = PAGE.partition("## Marked in the code")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", section, re.MULTILINE))


def test_each_mark_in_the_code_has_a_row_and_each_row_a_mark() -> None:
    assert marks("afanasy_py") == set(marked_rows())


def test_tests_mark_what_the_code_marks() -> None:
    assert marks("tests") - marks("afanasy_py") == set()


def test_each_row_of_a_mark_names_its_test() -> None:
    assert [name for name, row in marked_rows().items() if "`test_" not in row] == []


def test_tests_that_the_page_names_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named - known == set()


@pytest.fixture
def fake() -> ActionFarm:
    return ActionFarm()


def ask(farm: Farm, root: Any) -> Any:
    """Send a JSON request; return the answer."""
    answer = handle_json(farm, root, Caller(ADDRESS))
    farm.settle()
    farm.validate()
    assert isinstance(answer, JsonAnswer)
    return json.loads(answer.text)


# -- marked in the code


def test_need_float32() -> None:
    assert need(255, 200_000_000) == need(255, 200_000_001)
    assert need(99, 3) > need(99, 4)


def test_render_turns(fake: ActionFarm) -> None:
    farm = fake.farm
    first = farm.turn("free")
    assert farm.turn("busy") == farm.turn("busy") == first
    second = farm.turn("free")  # something ends after a start
    assert second == first + 1
    farm.now += TURN_PAUSE / 2
    assert farm.turn("free") == second
    farm.now += TURN_PAUSE
    assert farm.turn("free") == second + 1


def test_busy_for_a_cycle(fake: ActionFarm) -> None:
    render = fake.add_render()
    fake.add_job(blocks=[numeric(last=1)])
    fake.end_run(render, TaskStatus.FinishedSuccess)
    assert (render.is_busy(), len(render.runs)) == (True, 0)
    fake.farm.tick(fake.farm.now + CYCLE)
    assert not render.is_busy()


def test_a_busy_host_without_tasks_takes_one(fake: ActionFarm) -> None:
    render = fake.add_render()
    fake.add_job(blocks=[numeric(last=1)])
    fake.end_run(render, TaskStatus.FinishedSuccess)
    fake.add_job("other")
    assert render.runs


def test_totals_rise_slowly(fake: ActionFarm) -> None:
    farm = fake.farm
    middle, low = Branch(name="/a"), Branch(name="/a/b")
    farm.add_branch(middle, farm.root_branch)
    farm.add_branch(low, middle)
    before = farm.root_branch.jobs_total
    ask(farm, {"job": {"name": "job", "user_name": "artist", "branch": "/a/b", "blocks": [numeric()]}})
    seen = []
    for _ in range(5):
        seen.append((low.jobs_total, middle.jobs_total, farm.root_branch.jobs_total - before))
        farm.cycle.end()
    assert seen == sorted(seen)
    assert seen[0] == (1, 0, 0)
    assert (1, 1, 0) in seen
    assert seen[-1] == (1, 1, 1)


def test_new_job_looks_new(fake: ActionFarm) -> None:
    ask(fake.farm, {"job": {"name": "new", "user_name": "artist", "blocks": [numeric()]}})
    job = fake.farm.jobs.by_name["new"]
    assert (job.st, job.to_json()["st"]) == (RDY, WDP)
    assert job.to_json()["blocks"][0]["p_progressbar"] == " " * 128
    fake.farm.tick(fake.farm.now + CYCLE)
    fake.farm.cycle.end()
    assert job.to_json()["st"] == RDY
    assert job.to_json()["blocks"][0]["p_progressbar"] == "r" * 128


def test_created_while_locked(fake: ActionFarm) -> None:
    heard = []

    class Listener(SystemJob):
        def job_events(self, job: Job, events: list[str]) -> None:
            heard.append((events, job.locked, job.user.locked))

    fake.farm.sysjob = Listener()
    job = {"name": "new", "user_name": "artist", "custom_data": "{}", "blocks": [numeric()]}
    ask(fake.farm, {"job": job})
    made = fake.farm.jobs.by_name["new"]
    assert heard == [(["JOB_CREATED"], True, True)]
    assert (made.locked, made.user.locked) == (False, False)


# -- done otherwise


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ([], "it is not an object."),
        ({}, "it has no user name."),
        ({"user_name": "a"}, "it has no list of blocks."),
        ({"user_name": "a", "blocks": []}, "its list of blocks is empty."),
        ({"user_name": "a", "blocks": [7]}, "block 0 is not an object."),
        ({"user_name": "a", "blocks": [{}]}, "block 0 has no tasks."),
        ({"user_name": "a", "blocks": [numeric(), explicit(tasks=0)]}, "block 1 has no tasks."),
        ({"user_name": "a", "blocks": [{"tasks": [{}, "x"]}]}, "task 1 of block 0 is not an object."),
        (
            {"user_name": "a", "blocks": [numeric(last=2_000_000_000)]},
            "block 0 has 2000000000 tasks, more than 10000000.",
        ),
        (
            {"user_name": "a", "name": "n" * 256, "blocks": [numeric()]},
            "its name is longer than 255 bytes.",
        ),
    ],
)
def test_a_job_that_cannot_be_registered_is_answered(fake: ActionFarm, job: Any, text: str) -> None:
    known = len(fake.farm.jobs)
    assert ask(fake.farm, {"job": job}) == {"id": 0, "serial": 0, "error": f"Invalid job: {text}"}
    assert len(fake.farm.jobs) == known


def test_ids_that_cannot_be_are_refused(fake: ActionFarm) -> None:
    job = {"user_name": "a", "blocks": [numeric()]}
    for number in (-1, 1, 1_000_000):
        answer = ask(fake.farm, {"job": {**job, "id": number}})
        assert answer["error"] == "JobContainer::registerJob: Can't add job to container."


def test_two_timeouts_at_once_are_one_error(fake: ActionFarm) -> None:
    fake.add_render()
    block = numeric(last=1, task_max_run_time=10, task_progress_change_timeout=10)
    job = fake.add_job(blocks=[block])
    fake.farm.root_pool.zombie_time = 1000
    fake.farm.tick(fake.farm.now + 20)
    assert job.blocks[0].tasks.errors[0] == 1


def test_a_deleted_pool_is_found_no_more(fake: ActionFarm) -> None:
    fake.act("pools", fake.farm.root_pool, operation={"type": "add_pool", "name": "gpu"})
    fake.act("pools", "/gpu", operation="delete")
    assert fake.act("pools", "/gpu", params={"priority": 3})[0] == "error"


def test_nobody_waits_for_the_system_job(fake: ActionFarm) -> None:
    job = fake.add_job(depend_mask_global=".*")
    assert not job.st & WDP


def test_running_tasks_of_an_unknown_host_are_joined_or_stopped(fake: ActionFarm) -> None:
    job = fake.add_job(offline=True, blocks=[numeric(last=3)])
    tasks = job.blocks[0].tasks
    for number, st in enumerate((WRC, RDY, DON)):
        tasks.set_st(number, st)
    fake.farm.touch_whole_job(job)
    held = [
        TaskExec(job_id=job.id, block_num=0, task_num=number, service="generic", capacity=1000)
        for number in range(3)
    ]
    answer = hosts.register(fake.farm, RenderRecord(name="new", st=1, tasks=held), ADDRESS)
    fake.settle()
    assert tasks.st[0] & RUN
    assert list(job.blocks[0].runs) == [0]
    assert [position.task_num for position in answer.stops] == [1, 2]


@pytest.fixture
def keeper() -> SystemJobKeeper:
    farm = Farm(Settings(), now=1000.0)
    farm.make_roots()
    farm.sysjob = keeper = SystemJobKeeper(farm)
    keeper.make()
    farm.settle()
    return keeper


def test_a_task_that_wakes_a_host_has_a_plain_name(keeper: SystemJobKeeper) -> None:
    hosts.register(keeper.farm, RenderRecord(name="sleeper", st=1), ADDRESS)
    keeper.wake(keeper.farm.renders.by_name["sleeper"])
    assert [command.task_name for command in keeper.block(WAKE_ON_LAN).commands] == ["wake"]


def test_a_command_of_the_system_job_that_is_too_old_is_dropped_and_told(keeper: SystemJobKeeper) -> None:
    keeper.add_command(POST_COMMANDS, "rm scene", "", "artist", "job")
    life = keeper.farm.settings.af_sysjob_tasklife
    keeper.farm.tick(1000.0 + life)
    assert len(keeper.block(POST_COMMANDS).commands) == 1
    keeper.farm.tick(1000.0 + life + 2)
    assert not keeper.block(POST_COMMANDS).commands
    assert "rm scene" in keeper.job.log_lines[-1].info  # type: ignore[index]
