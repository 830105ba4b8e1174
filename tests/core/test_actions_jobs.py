"""What is done to jobs, blocks and tasks."""

from typing import Any

import pytest

from afanasy_py.core.task_states import DON, ERR, OFF, RDY, RUN, SKP, SUS, TRY, WDP
from afanasy_py.msg.types import TaskStatus
from tests.core.action_farm import DONE, ActionFarm, explicit, last_line, numeric, states


@pytest.fixture
def fake() -> ActionFarm:
    return ActionFarm()


def block_act(fake: ActionFarm, job: Any, operation: str, *task_ids: int, **more: Any) -> Any:
    members = {"type": operation, "task_ids": list(task_ids), **more}
    return fake.act("jobs", job, operation=members, block_ids=[0])


# -- tasks


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ("suspend", "skip", SKP | DON),
        ("skip", "done", DON),
        ("skip", "skip", SKP | DON),
        ("done", "skip", DON),
        ("done", "suspend", DON),
        ("skip", "suspend", SUS),
        ("restart", "suspend", SUS),
        ("suspend", "continue", RDY),
        ("done", "continue", DON),
        ("done", "restart", RDY),
        ("restart", "restart_running", RDY),
        ("done", "restart_skipped", DON),
        ("skip", "restart_skipped", RDY),
        ("skip", "restart_done", SKP | DON),
        ("done", "restart_done", RDY),
        ("done", "restart_errors", DON),
    ],
)
def test_operations_on_tasks_that_do_not_run(
    fake: ActionFarm, before: str, operation: str, after: int
) -> None:
    job = fake.add_job(offline=True)
    block_act(fake, job, before, 1)
    assert block_act(fake, job, operation, 1) == DONE
    assert states(job) == [RDY, after, RDY]


@pytest.mark.parametrize(
    ("operation", "bits", "after"),
    [
        ("skip", SKP | DON, SKP | DON),
        ("done", DON, DON),
        ("suspend", SUS, SUS),
        ("restart", 0, RDY),
        ("restart_running", 0, RDY),
    ],
)
def test_a_running_task_is_stopped_and_takes_its_state_at_the_end(
    fake: ActionFarm, operation: str, bits: int, after: int
) -> None:
    job = fake.add_job(blocks=[numeric(last=1)])
    render = fake.add_render()
    assert states(job) == [RUN]
    block_act(fake, job, operation)
    assert states(job) == [RUN | bits]
    assert len(render.events().stops) == 1
    fake.act("jobs", job, operation="pause")
    fake.end_run(render, TaskStatus.FinishedKilled)
    assert states(job) == [after]
    assert job.blocks[0].tasks.errors[0] == 0


def test_a_task_logs_who_operated_on_it(fake: ActionFarm) -> None:
    job = fake.add_job()
    block_act(fake, job, "skip", 2)
    assert job.blocks[0].tasks.logs == {2: [1000, "artist@ws 10.0.0.1", ""]}


def test_a_bad_task_number_ends_the_operation(fake: ActionFarm) -> None:
    job = fake.add_job()
    assert block_act(fake, job, "skip", 1, 9, 2) == ("error", "Invalid operation task numer = 9")
    assert states(job) == [RDY, SKP | DON, RDY]


def test_source_tasks_are_affected_on_demand(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric("two", tasks_depend_mask="one"), numeric("one")], offline=True)
    assert states(job) == [WDP] * 3
    assert block_act(fake, job, "skip", 1, mode="affect_depends") == DONE
    assert states(job) == [WDP, SKP | DON, WDP]
    assert states(job, 1) == [RDY, SKP | DON, RDY]
    assert last_line(job)[1:] == ("jobs skip affect_depends", "job@artist", " D:1,1 ")


def test_a_restarted_task_may_have_to_wait(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric("one"), numeric("two", tasks_depend_mask="one")], offline=True)
    fake.act("jobs", job, operation="skip", block_ids=[-1])
    fake.act("jobs", job, operation="restart")
    assert (states(job), states(job, 1)) == ([RDY] * 3, [WDP] * 3)
    block_act(fake, job, "done", 1)
    assert states(job, 1) == [WDP, RDY, WDP]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"block_ids": [7]}, "Invalid block number: 7"),
        ({"block_ids": [-1, 0]}, "Invalid block number: -1"),
        ({"block_ids": ["x"]}, '"block_ids" array does not contain any integers or invalid "block_mask"'),
        ({"block_mask": "a.*"}, '"block_ids" array does not contain any integers or invalid "block_mask"'),
    ],
)
def test_blocks_that_are_not_there(fake: ActionFarm, members: dict[str, Any], text: str) -> None:
    job = fake.add_job()
    assert fake.act("jobs", job, operation="skip", **members) == ("error", text)


def test_blocks_are_named_by_the_beginning_of_their_names(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(name, last=1) for name in ("sim", "render", "comp")])
    fake.act("jobs", job, operation="suspend", block_mask="re co")
    assert [states(job, n) for n in range(3)] == [[RDY], [SUS], [SUS]]


def test_tasks_to_try_next_start_first(fake: ActionFarm) -> None:
    job = fake.add_job()
    good = ("info", "Tasks to try next processed.")
    assert block_act(fake, job, "trynext", 2, 1, mode="append") == good
    assert (job.try_this_blocks_num, job.try_this_tasks_num) == ([0, 0], [2, 1])
    assert states(job) == [RDY, RDY | TRY, RDY | TRY]
    bad = ("error", "Unable to find valid tasks.")
    assert block_act(fake, job, "trynext", 2, mode="append") == bad
    assert block_act(fake, job, "trynext", 1, mode="remove") == good
    assert states(job) == [RDY, RDY, RDY | TRY]
    render = fake.add_render()
    assert [key[2] for key in render.runs] == [2]
    fake.act("jobs", job, operation="reset_trying_next_tasks")
    assert job.try_this_tasks_num == []


def test_forgotten_error_hosts_may_run_again(fake: ActionFarm) -> None:
    job = fake.add_job(
        blocks=[numeric(last=1, errors_retries=9, errors_avoid_host=1, errors_task_same_host=1)]
    )
    render = fake.add_render()
    fake.end_run(render, TaskStatus.FinishedError)
    assert not render.runs
    block_act(fake, job, "reset_error_hosts")
    assert render.runs


# -- jobs


def test_a_paused_job_starts_nothing_until_it_goes_on(fake: ActionFarm) -> None:
    job = fake.add_job()
    fake.act("jobs", job, operation="pause")
    render = fake.add_render()
    assert (job.st & OFF, len(render.runs)) == (OFF, 0)
    fake.act("jobs", job, operation="start")
    assert (job.st & OFF, len(render.runs)) == (0, 1)


def test_a_stopped_job_is_paused_and_its_tasks_are_ready(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(last=1)])
    render = fake.add_render()
    fake.act("jobs", job, operation="stop")
    fake.end_run(render, TaskStatus.FinishedKilled)
    assert states(job) == [RDY]
    assert job.st == RDY | OFF


def test_restarts_choose_their_tasks(fake: ActionFarm) -> None:
    job = fake.add_job(offline=True)
    block_act(fake, job, "skip", 0)
    block_act(fake, job, "done", 1)
    fake.act("jobs", job, operation="restart_done")
    assert states(job) == [SKP | DON, RDY, RDY]
    fake.act("jobs", job, operation="restart_skipped")
    assert states(job) == [RDY, RDY, RDY]


def test_a_done_job_comes_back_when_tasks_are_appended(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[explicit()])
    fake.act("jobs", job, operation="skip", block_ids=[-1])
    assert job.st & DON
    answer = block_act(fake, job, "append_tasks", tasks=[{"name": "x", "command": "run"}, {}])
    assert answer == {"task_ids": [2, 3]}
    assert states(job) == [SKP | DON, SKP | DON, RDY, RDY]
    assert not job.st & DON
    assert job.blocks[0].flags & 1 << 9
    assert [task.command for task in job.blocks[0].tasks_data] == ["", "", "run", ""]
    assert (job.id, 0) in fake.farm.changes.block_tasks
    render = fake.add_render(room=2)
    assert len(render.runs) == 2


def test_what_cannot_be_appended(fake: ActionFarm) -> None:
    job, system = fake.add_job(), fake.farm.jobs.by_id[1]
    numeric_block = ("error", "Appending tasks to numeric block is not allowed.")
    assert block_act(fake, job, "append_tasks", tasks=[{}]) == numeric_block
    assert block_act(fake, system, "append_tasks", tasks=[{}]) == (
        "error",
        "Appending system job is not allowed.",
    )
    text = "Appending blocks failed, see server log for details."
    answer = fake.act("jobs", job, operation={"type": "append_blocks", "blocks": [5]})
    assert answer == ("error", text)
    assert len(job.blocks) == 1
    other = fake.add_job("other", blocks=[explicit()])
    answer = block_act(fake, other, "append_tasks", tasks=[{}, 5])
    assert answer == ("error", "Operation requires tasks array.")
    assert other.blocks[0].tasks.num == 2


def test_appended_blocks_wait_for_those_that_they_name(fake: ActionFarm) -> None:
    job = fake.add_job(offline=True)
    blocks = [numeric("comp", tasks_depend_mask="render"), explicit("last", 1, flags=1024)]
    answer = fake.act("jobs", job, operation={"type": "append_blocks", "blocks": blocks})
    assert answer == {"block_ids": [1, 2]}
    assert [states(job, n) for n in range(3)] == [[RDY] * 3, [WDP] * 3, [SUS]]
    assert [block.job_id for block in job.blocks] == [job.id] * 3
    block_act(fake, job, "done", 0)
    assert states(job, 1) == [RDY, WDP, WDP]


def test_a_job_is_deleted_when_its_last_run_has_ended(fake: ActionFarm) -> None:
    job = fake.add_job()
    render = fake.add_render()
    assert fake.act("jobs", job, operation="delete") == DONE
    assert job.id in fake.farm.jobs.by_id
    fake.end_run(render, TaskStatus.FinishedKilled)
    assert job.id not in fake.farm.jobs.by_id
    system = fake.farm.jobs.by_id[1]
    assert fake.act("jobs", system, operation="delete") == ("error", "System job can't be deleted.")


# -- parameters of jobs


def test_a_job_moves_to_another_user_and_branch_with_its_runs(fake: ActionFarm) -> None:
    job = fake.add_job(branch="/one")
    other = fake.add_job("other", user_name="second", branch="/two", offline=True)
    fake.add_render()
    assert fake.act("jobs", job, params={"user_name": "second"}) == DONE
    assert (job.user_name, job.user, other.user.running_tasks_num) == ("second", other.user, 1)
    assert fake.act("jobs", job, params={"branch": "two/"}) == DONE
    assert (job.branch, other.branch_node.running_tasks_num) == ("/two", 1)


def test_users_and_branches_that_are_not_there(fake: ActionFarm) -> None:
    job = fake.add_job()
    text = "User does not exist: nobody"
    assert fake.act("jobs", job, params={"user_name": "nobody"}) == ("error", text)
    text = "New job branch not found: /none"
    assert fake.act("jobs", job, params={"branch": "none"}) == ("error", text)
    assert (job.user_name, job.branch) == ("artist", "/")


def test_who_waited_for_a_job_of_its_user_goes_on_when_that_moves(fake: ActionFarm) -> None:
    fake.add_job("other", user_name="second")
    source = fake.add_job("source", offline=True)
    waiter = fake.add_job("waiter", depend_mask="source", offline=True)
    assert waiter.st & WDP
    fake.act("jobs", source, params={"user_name": "second"})
    assert not waiter.st & WDP
    fake.act("jobs", waiter, params={"user_name": "second"})
    assert waiter.st & WDP
    fake.act("jobs", waiter, params={"depend_mask": ""})
    assert not waiter.st & WDP


def test_demands_of_a_job_count_at_once(fake: ActionFarm) -> None:
    job = fake.add_job(hosts_mask="beta")
    render = fake.add_render("alpha")
    assert not render.runs
    fake.act("jobs", job, params={"hosts_mask": "al"})
    assert render.runs


def test_erased_keys(fake: ActionFarm) -> None:
    """COMPAT(erased-keys): in parameters of actions an erased key stays with an empty text."""
    job = fake.add_job(folders={"a": "x", "b": "y", "c": ""})
    assert job.folders == {"a": "x", "b": "y"}
    fake.act("jobs", job, params={"folders": {"b": "", "d": 5, "e": "z"}})
    assert job.folders == {"a": "x", "b": "", "d": "", "e": "z"}


def test_offline_false(fake: ActionFarm) -> None:
    """COMPAT(offline-false): false is noted and does nothing."""
    job = fake.add_job(offline=True)
    fake.act("jobs", job, params={"offline": False})
    assert job.st & OFF
    assert last_line(job)[3] == ' "offline" set to false'


def test_a_shorter_life_ends_a_job(fake: ActionFarm) -> None:
    job = fake.add_job()
    fake.act("jobs", job, params={"time_life": 5})
    fake.farm.tick(1005)
    assert not job.gone
    fake.farm.tick(1006)
    assert job.gone


# -- parameters of blocks


def test_block_log_backspace(fake: ActionFarm) -> None:
    """COMPAT(block-log-backspace): clients show this line as it is."""
    job = fake.add_job(blocks=[numeric("a"), numeric("b")])
    assert fake.act("jobs", job, params={"capacity": 5, "custom_data": "x"}, block_ids=[-1]) == DONE
    assert [block.capacity for block in job.blocks] == [5, 5]
    noted = '\n"capacity" set to 5\n"custom_data" set to "x"'
    assert last_line(job)[3] == f" \"custom_data\" set to \"x\"\bBlock['a']: {noted}\bBlock['b']: {noted}"
    assert job.custom_data == "x"


def test_demands_of_a_block_count_at_once(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(capacity=5000)])
    render = fake.add_render()
    assert not render.runs
    fake.act("jobs", job, params={"capacity": 1000}, block_ids=[0])
    assert render.runs


def test_a_block_without_sources_waits_no_more(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric("one"), numeric("two", tasks_depend_mask="one")], offline=True)
    fake.act("jobs", job, params={"tasks_depend_mask": ""}, block_ids=[1])
    assert states(job, 1) == [RDY] * 3
    fake.act("jobs", job, params={"tasks_depend_mask": "one"}, block_ids=[1])
    assert states(job, 1) == [WDP] * 3


def test_renaming_a_source_changes_nothing_for_those_who_wait(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric("one"), numeric("two", depend_mask="one")], offline=True)
    fake.act("jobs", job, params={"name": "first"}, block_ids=[0])
    assert job.blocks[1].st & WDP
    fake.act("jobs", job, params={"name": "second"}, block_ids=[1])
    assert not job.blocks[1].st & WDP


def test_a_new_order_of_tasks_counts_at_once(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(last=5)])
    fake.act("jobs", job, params={"sequential": -1}, block_ids=[0])
    render = fake.add_render()
    assert [key[2] for key in render.runs] == [4]


def test_a_shorter_limit_stops_what_runs_for_longer(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(last=1)])
    fake.add_render()
    fake.farm.begin(1010)
    fake.act("jobs", job, params={"task_max_run_time": 5}, block_ids=[0])
    assert states(job) == [RUN | ERR]


def test_tickets_of_a_block(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(tickets={"t": 1})])
    fake.act("pools", fake.farm.root_pool, operation={"type": "tickets", "name": "t", "count": 0})
    render = fake.add_render()
    assert not render.runs
    block_act(fake, job, "tickets", name="t", count=-1)
    assert job.blocks[0].tickets == {}
    assert render.runs


def test_commands_are_locked_in_a_demonstration(fake: ActionFarm) -> None:
    job = fake.add_job()
    fake.farm.demo = True
    fake.act("jobs", job, params={"command": "x", "files": ["y"], "capacity": 7}, block_ids=[0])
    assert (job.blocks[0].command, job.blocks[0].files, job.blocks[0].capacity) == ("", [], 7)
    fake.act("jobs", job, params={"command_post": "x", "description": "d"})
    assert (job.command_post, job.description) == ("", "d")


def test_the_system_job_is_neither_deleted_nor_extended(fake: ActionFarm) -> None:
    system = fake.farm.jobs.by_id[1]
    fake.act("jobs", system, operation="delete")
    lines = [(line.type, line.info) for line in system.log_lines or ()]
    assert lines[-2:] == [("jobs delete error", "System job can't be deleted."), ("jobs delete", "")]
    answer = fake.act("jobs", system, operation={"type": "append_blocks", "blocks": [explicit()]})
    assert answer == ("error", "Appending system job is not allowed.")


def test_adopted_order(fake: ActionFarm) -> None:
    """COMPAT(adopted-order): a job shows the place of its old list until the new one changes."""
    job = fake.add_job(branch="/show", offline=True)
    other = fake.add_job("other", user_name="second", branch="/show", offline=True)
    fake.act("jobs", job, params={"user_name": "second"})
    assert [(each.name, each.user_list_order) for each in other.user.jobs] == [("other", 0), ("job", 0)]
    for each in (job, other):
        fake.act("jobs", each, operation="start")
    render = fake.add_render()
    assert [key[0] for key in render.runs] == [other.id]
    fake.act("users", other.user, operation="move_jobs_top")
    assert job.user_list_order == 1


def test_a_job_of_greater_priority_is_first_though_it_came_later(fake: ActionFarm) -> None:
    fake.add_job(branch="/show", priority=5)
    later = fake.add_job("later", branch="/show", priority=9)
    render = fake.add_render()
    assert [key[0] for key in render.runs] == [later.id]


def test_another_user_hears_of_a_job_as_of_a_new_one(fake: ActionFarm) -> None:
    job = fake.add_job()
    other = fake.add_job("other", user_name="second").user
    events = fake.farm.events
    events.wanted.update(("jobs_add", "jobs_change", "jobs_del"))
    owner = job.user
    fake.act("jobs", job, params={"user_name": "second"})
    assert events.current.ids == {"jobs_del": {job.id: owner.id}, "jobs_add": {job.id: other.id}}
    events.current.ids.clear()
    fake.act("jobs", job, params={"user_name": "nobody"})
    fake.act("jobs", job, params={"branch": "/none"})
    assert events.current.ids == {}
    fake.act("jobs", job, params={"branch": "/none", "time_life": 9})
    assert events.current.ids == {"jobs_change": {job.id: other.id}}


def test_the_room_of_a_job_that_went_is_free_for_others(fake: ActionFarm) -> None:
    job, stays = [fake.add_job(name, branch="/show") for name in ("job", "stays")]
    fake.add_job("other", user_name="second", branch="/show", offline=True)
    fake.act("users", job.user, params={"max_running_tasks": 1})
    fake.add_render(room=2)
    assert (job.running_tasks_num, stays.running_tasks_num) == (1, 0)
    fake.act("jobs", job, params={"user_name": "second", "max_running_tasks": 1})
    assert (job.running_tasks_num, stays.running_tasks_num) == (1, 1)
