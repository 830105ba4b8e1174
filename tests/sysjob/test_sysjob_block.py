"""Commands become tasks, run, fail and are retried, dropped or forgotten."""

from typing import Any

import pytest

from afanasy_py.msg.types import TaskStatus
from afanasy_py.sysjob.job import EVENTS, POST_COMMANDS, WAKE_ON_LAN
from tests.sysjob.system_farm import SystemFarm

ERROR, KILLED, ZOMBIE = TaskStatus.FinishedError, TaskStatus.FinishedKilled, TaskStatus.RenderZombie
NAMES = [f"rm scene{number}" for number in range(50)]


def counts(system: SystemFarm) -> tuple[int, int, int]:
    """Return how many commands wait, tasks wait for a retry, and are done."""
    block = system.block()
    return block.p_tasks_ready, block.p_tasks_error, block.p_tasks_done


# -- from command to task


def test_with_three_tasks_at_most_all_fifty_commands_run_on_one_host() -> None:
    system = SystemFarm(af_sysjob_tasksmax=3)
    system.queue(*NAMES)
    assert counts(system) == (50, 0, 0)
    render = system.add_render(room=10)
    assert [task.task_num for task in system.running(render)] == [0, 1, 2]
    assert counts(system) == (47, 0, 0)
    assert system.run_all(render) == NAMES
    assert counts(system) == (0, 0, 50)


def test_a_new_task_has_the_smallest_free_number() -> None:
    system = SystemFarm()
    system.queue("a", "b", "c", "d")
    render = system.add_render(room=3)
    system.end(render, task=1)
    assert [(task.task_num, task.command_task) for task in system.running(render)] == [
        (0, "a"),
        (2, "c"),
        (1, "d"),
    ]


def test_a_task_says_whose_command_it_is() -> None:
    system = SystemFarm()
    system.keeper.add_command(POST_COMMANDS, "rm -f scene", "/film", "artist", "shot")
    system.settle()
    [task] = system.running(system.add_render())
    assert (task.job_id, task.block_num, task.task_num) == (1, POST_COMMANDS, 0)
    assert (task.user_name, task.job_name, task.name) == ("artist", "shot", "rm")
    assert (task.command_task, task.command_block, task.working_directory) == ("rm -f scene", "", "/film")
    assert (task.service, task.capacity) == ("postcmd", 1000)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rm -f x", "rm"),
        (" rm -f x", " rm"),
        ("x" * 40, "x" * 32),
        ("/a/very/long/path/of/a/command/that x", "/a/very/long/path/of/a/command/t"),
    ],
)
def test_a_task_is_named_by_the_first_word(text: str, name: str) -> None:
    system = SystemFarm()
    system.queue(text)
    assert system.running(system.add_render())[0].name == name


def test_each_block_has_its_service_and_its_queue() -> None:
    system = SystemFarm(af_sysjob_events_service="events_local")
    for number, text in ((EVENTS, "e"), (WAKE_ON_LAN, "w"), (POST_COMMANDS, "p")):
        system.queue(text, block=number)
    render = system.add_render(room=3)
    found = [(task.block_num, task.service, task.command_task) for task in system.running(render)]
    assert sorted(found) == [(0, "postcmd", "p"), (1, "wakeonlan", "w"), (2, "events_local", "e")]


# -- errors


def test_a_failed_task_is_retried_before_new_commands_and_its_output_is_logged() -> None:
    system = SystemFarm()
    system.queue("a", "b")
    render = system.add_render()
    assert system.end(render, ERROR, "no such file") == "a"
    assert system.end(render) == "a"
    assert system.end(render) == "b"
    log = system.task_log()
    line = "=" * 55
    assert log[:5] == [
        'SESSION #1: Starting on "host"',
        "Finished error.",
        f"Error task output:\n{line}\nno such file\n{line}",
        "Automatically retrying error task1 of 9.",
        'SESSION #2: Starting on "host"',
    ]
    assert 'Task[0]: Finished error on "host": artist: "film":\na' in system.job_log()


def test_of_a_huge_output_the_end_is_logged() -> None:
    system = SystemFarm()
    system.queue("a")
    system.end(system.add_render(), ERROR, "x" * 10_000_000 + "the end")
    [text] = [line for line in system.task_log() if line.startswith("Error task output")]
    assert "the end" in text
    assert len(text) < 30_000


def test_a_hopeless_task_is_deleted() -> None:
    system = SystemFarm()
    system.block().errors_avoid_host = 0
    system.queue("a", "b")
    render = system.add_render()
    for _ in range(10):
        assert system.end(render, ERROR) == "a"
    assert system.block().tasks.errors[0] == 1
    assert system.run_all(render) == ["b"]


def test_a_host_with_three_errors_is_avoided_until_it_is_forgiven() -> None:
    system = SystemFarm()
    system.queue("a", "b")
    render = system.add_render()
    for _ in range(3):
        system.end(render, ERROR)
    assert not render.runs
    assert counts(system) == (1, 1, 0)
    assert "AVOIDING HOST: host" in system.task_log()
    system.wait(595)
    assert not render.runs
    system.wait(10)
    assert system.run_all(render) == ["a", "b"]


def test_a_host_that_is_avoided_is_tried_again_after_its_errors_are_reset() -> None:
    system = SystemFarm()
    system.queue("a")
    render = system.add_render()
    for _ in range(3):
        system.end(render, ERROR)
    system.act("jobs", [1], operation="reset_error_hosts")
    assert system.run_all(render) == ["a"]


def test_a_task_of_a_lost_render_waits_for_another() -> None:
    system = SystemFarm()
    system.queue("a")
    render = system.add_render("one")
    other = system.add_render("two")
    assert system.end(render, ZOMBIE) == "a"
    system.settle()
    tasks = system.running(render) + system.running(other)
    assert [task.command_task for task in tasks] == ["a"]
    assert "Finished - render zombie." in system.task_log()
    assert 'SESSION #2: Starting on "' in "".join(system.task_log())


def test_a_task_that_runs_too_long_is_stopped_as_an_error_and_retried() -> None:
    system = SystemFarm()
    system.queue("sleep 1000")
    render = system.add_render()
    system.wait(60)
    assert not next(iter(render.runs.values())).stopping
    system.wait(1)
    assert render.pending is not None
    assert [position.task_num for position in render.pending.stops] == [0]
    system.end(render, KILLED)
    assert "Task maximum run time reached." in system.task_log()
    assert "Automatically retrying error task1 of 9." in system.task_log()
    assert len(render.runs) == 1


def test_a_new_run_time_counts_for_what_runs() -> None:
    system = SystemFarm()
    system.queue("sleep 1000")
    render = system.add_render()
    system.act("jobs", [1], block_ids=[0], params={"task_max_run_time": 100})
    system.wait(90)
    assert not next(iter(render.runs.values())).stopping
    system.wait(20)
    assert next(iter(render.runs.values())).stopping


def test_a_render_that_reports_a_task_that_nobody_knows_is_told_to_forget_it() -> None:
    system = SystemFarm()
    system.queue("a")
    render = system.add_render()
    system.block().system_tasks.clear()
    system.end(render, TaskStatus.Percent)
    assert render.pending is not None
    assert [position.task_num for position in render.pending.closes] == [0]


# -- age


def test_a_task_that_waits_for_too_long_is_given_up() -> None:
    system = SystemFarm(af_sysjob_tasklife=10)
    system.queue("a")
    render = system.add_render()
    for _ in range(3):
        system.end(render, ERROR)
    system.wait(10)
    assert counts(system) == (0, 1, 0)
    system.wait(1)
    assert counts(system) == (0, 0, 0)
    assert system.task_log()[-1] == "Error: Task age(11) > 10"
    assert system.job_log()[-1] == 'Task[0]: Error: Task age(11) > 10: artist: "film":\na'


def test_while_a_task_runs_beyond_its_age_nothing_is_due_each_moment() -> None:
    system = SystemFarm(af_sysjob_tasklife=10)
    system.queue("a")
    render = system.add_render()
    system.wait(20)
    due = system.farm.next_time()
    assert due is not None
    assert due >= system.farm.now + 1
    system.end(render, ERROR)
    system.wait(2)
    assert render.runs  # it ran again at once, and is not given up while it runs


def test_commands_that_no_host_may_take_wait_and_are_reported_when_they_are_dropped() -> None:
    system = SystemFarm(af_sysjob_tasklife=100)
    render = system.add_render()
    system.act("jobs", [1], params={"hosts_mask_exclude": ".*", "hosts_mask_type": "regex"})
    system.queue(*NAMES)
    system.wait(100)
    assert not render.runs
    assert counts(system) == (50, 0, 0)
    system.wait(1)
    assert counts(system) == (0, 0, 0)
    for name in NAMES:
        assert f'Task[0]: Error: Task age(101) > 100: artist: "film":\n{name}' in system.job_log()


def test_of_many_commands_that_are_dropped_at_once_some_are_named_and_the_rest_are_counted() -> None:
    system = SystemFarm(af_sysjob_tasklife=100, af_node_log_lines_max=200)
    system.queue(*(f"rm {number}" for number in range(5000)))
    system.wait(50)
    system.queue("young")
    system.wait(51)
    assert counts(system) == (1, 0, 0)
    named = [line for line in system.job_log() if "Task age" in line]
    assert len(named) == 100
    assert system.job_log()[-1] == (
        'Block["post_commands"]: 4900 more commands are dropped, they are older than 100 s.'
    )


def test_a_queue_beyond_its_bound_loses_the_oldest_and_says_so() -> None:
    system = SystemFarm()
    system.block().commands._commands_most = 1000
    system.queue(*(f"rm {number}" for number in range(1500)))
    assert 0 < counts(system)[0] <= 1000
    assert "commands are dropped, too many wait." in system.job_log()[-1]
    render = system.add_render()
    assert system.run_all(render)[-1] == "rm 1499"


# -- what people do to it


@pytest.mark.parametrize(
    "what",
    [
        {"operation": "restart"},
        {"block_ids": [0], "operation": "restart"},
        {"block_ids": [0], "operation": {"type": "restart", "task_ids": [0]}},
        {"block_mask": "post_commands", "operation": "restart"},
    ],
    ids=["job", "block", "task", "mask"],
)
def test_a_restart_empties_the_queue(what: dict[str, Any]) -> None:
    system = SystemFarm()
    system.queue(*NAMES)
    render = system.add_render(room=2)
    for _ in range(2):
        system.end(render, ERROR, task=0)
    assert counts(system)[0] == 48
    assert system.act("jobs", [1], **what)["info"]["text"] == "Action processed."
    assert counts(system) == (0, 0, 0)
    assert system.task_log()[-1] == "Restarted: 48 waiting commands are dropped, 2 running are stopped."
    assert render.pending is not None
    assert [position.task_num for position in render.pending.stops] == [0, 1]
    # What was stopped does not come back.
    system.end(render, KILLED)
    system.end(render, KILLED)
    assert not render.runs
    assert not system.block().system_tasks
    system.queue("new")
    assert system.run_all(render) == ["new"]


def test_a_restart_of_one_block_leaves_the_others() -> None:
    system = SystemFarm()
    system.queue("post")
    system.queue("event", block=EVENTS)
    system.act("jobs", [1], block_ids=[EVENTS], operation="restart")
    assert system.run_all(system.add_render()) == ["post"]


def test_a_restarted_task_whose_render_is_lost_does_not_come_back() -> None:
    system = SystemFarm()
    system.queue("a")
    render = system.add_render()
    system.act("jobs", [1], operation="restart")
    system.end(render, ZOMBIE)
    assert not render.runs
    assert not system.block().system_tasks


@pytest.mark.parametrize(
    "operation", ["skip", "done", "suspend", "restart_errors", "restart_running", "restart_done"]
)
def test_other_operations_on_tasks_leave_the_queue(operation: str) -> None:
    system = SystemFarm()
    system.queue(*NAMES)
    render = system.add_render()
    system.act("jobs", [1], block_ids=[0], operation=operation)
    assert system.run_all(render) == NAMES


def test_the_system_job_cannot_be_deleted_nor_appended_to() -> None:
    system = SystemFarm()
    answer = system.act("jobs", [1], operation="delete")
    assert answer["info"] == {"kind": "error", "text": "System job can't be deleted."}
    assert system.job_log()[-2] == "System job can't be deleted."
    for operation in ({"type": "append_blocks", "blocks": [{}]}, {"type": "append_tasks", "tasks": [{}]}):
        where = {"block_ids": [0]} if operation["type"] == "append_tasks" else {}
        answer = system.act("jobs", [1], operation=operation, **where)
        assert answer["info"]["text"] == "Appending system job is not allowed."


def test_a_paused_system_job_keeps_its_commands_until_it_goes_on() -> None:
    system = SystemFarm()
    render = system.add_render()
    system.act("jobs", [1], operation="pause")
    system.queue(*NAMES)
    assert not render.runs
    system.act("jobs", [1], operation="start")
    assert system.run_all(render) == NAMES


def test_its_priority_decides_between_it_and_other_jobs() -> None:
    for priority, first in ((200, "system"), (1, "film")):
        system = SystemFarm()
        system.farm.root_branch.solve_jobs = True
        system.act("branches", [system.farm.root_branch.id], params={"solve_method": "solve_priority"})
        system.act("jobs", [1], params={"priority": priority})
        system.add_job(offline=False)
        system.queue("a")
        [task] = system.running(system.add_render())
        assert ("system" if task.job_id == 1 else "film") == first


def test_its_masks_and_those_of_its_blocks_choose_hosts() -> None:
    for where in ({}, {"block_ids": [0]}):
        system = SystemFarm()
        system.act("jobs", [1], params={"hosts_mask": "server"}, **where)
        other, wanted = system.add_render("desk"), system.add_render("server1")
        system.queue("a")
        assert (len(other.runs), len(wanted.runs)) == (0, 1)


def test_its_pools_choose_hosts() -> None:
    system = SystemFarm()
    system.act("pools", [1], operation={"type": "add_pool", "name": "desks"})
    desks = system.farm.pools.by_name["/desks"]
    system.act("pools", [desks.id], params={"pattern": "desk.*"})
    desk, server = system.add_render("desk1"), system.add_render("server1")
    system.act("jobs", [1], params={"pools": {"/desks": -100}})
    system.queue("a")
    assert (len(desk.runs), len(server.runs)) == (0, 1)


def test_nimby_hosts_run_nothing_for_it_unless_the_job_ignores_nimby() -> None:
    system = SystemFarm()
    render = system.add_render()
    system.act("renders", [render.id], params={"nimby": True})
    system.queue("a")
    assert not render.runs
    system.act("jobs", [1], params={"ignorenimby": True})
    assert len(render.runs) == 1
