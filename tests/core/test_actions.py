"""The envelope of actions, and what is done to users and branches."""

from typing import Any

import pytest

from afanasy_py.msg.types import TaskStatus
from tests.core.action_farm import ADDRESS, DONE, ActionFarm, explicit, last_line, numeric


@pytest.fixture
def fake() -> ActionFarm:
    return ActionFarm()


NOBODY = {"type": "jobs", "ids": [1], "params": {}}
SOMEBODY = {**NOBODY, "user_name": "artist", "host_name": "ws"}


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (5, "Invalid action."),
        ({"type": 5}, "Invalid action."),
        ({"type": "jobs"}, "JSON action should have nodes ids or mask to operate with."),
        (NOBODY, 'Action should have a not empty "user_name" string.'),
        ({**NOBODY, "user_name": "a"}, 'Action should have a not empty "host_name" string.'),
        ({**SOMEBODY, "type": "zzz"}, "Action has unknown type: 'zzz'"),
        ({**SOMEBODY, "ids": [-1]}, "Action node ID not found: -1."),
        ({**SOMEBODY, "ids": [1000000]}, "Action node ID above container capacity: 1000000 >= 1000000."),
        ({**SOMEBODY, "ids": [], "mask": "afan"}, "Jobs: No node matches 'afan' found."),
        ({**SOMEBODY, "params": []}, 'Action "params" should be an object.'),
        ({**SOMEBODY, "operation": {"type": ""}}, 'Action "operation" "type" string is empty.'),
    ],
)
def test_a_bad_envelope_is_told(fake: ActionFarm, action: Any, text: str) -> None:
    assert fake.send(action)["info"] == {"kind": "error", "text": text}


def test_the_last_text_is_answered(fake: ActionFarm) -> None:
    job = fake.add_job()
    assert fake.act("jobs", [99, job.id], params={}) == ("error", "Action node ID not found: 99.")
    assert fake.act("jobs", [99, job.id], operation="zzz") == ("error", "Unknown operation: zzz")
    assert fake.act("jobs", [job.id, 99], operation="zzz") == ("error", "Action node ID not found: 99.")


def test_a_mask_matches_whole_names_and_says_why_it_cannot(fake: ActionFarm) -> None:
    jobs = [fake.add_job(name) for name in ("shot1", "shot2", "other")]
    assert fake.act("jobs", "shot.", params={"annotation": "x"}) == DONE
    assert [job.annotation for job in jobs] == ["x", "x", ""]
    kind, text = fake.act("jobs", "(", params={})
    assert kind == "error"
    assert text.startswith("AfContainer::action: Name pattern '(' is invalid: missing ), ")


def test_an_action_is_logged_at_the_node_at_its_user_and_in_the_statistics(fake: ActionFarm) -> None:
    job = fake.add_job()
    fake.farm.changes.rows.clear()
    fake.act("jobs", job, operation="pause", params={"annotation": "x", "hidden": True})
    line = (
        f"artist@ws {ADDRESS}",
        "jobs pause params",
        "job@artist",
        ' "annotation" set to "x"\n"hidden" set to true',
    )
    assert last_line(job) == line
    assert last_line(job.user) == line
    (row,) = fake.farm.changes.rows
    assert (row.subject, row.type, row.object, row.info, row.time) == (*line, 1000)  # type: ignore[union-attr]


def test_an_empty_line_is_not_for_the_user(fake: ActionFarm) -> None:
    job = fake.add_job()
    before = last_line(job.user)
    fake.act("jobs", job, operation="pause")
    assert last_line(job) == (f"artist@ws {ADDRESS}", "jobs pause", "job@artist", "")
    assert last_line(job.user) == before


def test_a_locked_node_is_passed_over(fake: ActionFarm) -> None:
    job = fake.add_job()
    job.locked = True
    assert fake.act("jobs", job, params={"annotation": "x"}) == DONE
    assert job.annotation == ""


def test_priority_wrap(fake: ActionFarm) -> None:
    """COMPAT(priority-wrap): other negative values wrap; the log has the number as it came."""
    job = fake.add_job()
    for given, kept in ((300, 255), (-5, 251), (-1, 251), (7, 7)):
        fake.act("jobs", job, params={"priority": given})
        assert job.priority == kept
        assert last_line(job)[3] == f' "priority" set to {given}'


def test_params_unhide(fake: ActionFarm) -> None:
    """COMPAT(params-unhide): parameters without `hidden` show a hidden node."""
    job = fake.add_job(hidden=True)
    assert job.flags & 2
    fake.act("jobs", job, operation="pause")
    assert job.flags & 2
    fake.act("jobs", job, params={})
    assert not job.flags & 2


# -- users


def make_ranked(fake: ActionFarm) -> dict[str, Any]:
    return {
        name: fake.add_job(name, priority=priority, offline=True)
        for name, priority in (("a", 9), ("b", 5), ("c", 5), ("d", 5), ("e", 1))
    }


@pytest.mark.parametrize(
    ("operation", "names", "order"),
    [
        ("move_jobs_up", "d", "abdce"),
        ("move_jobs_up", "bc", "acbde"),
        ("move_jobs_up", "cd", "acdbe"),
        ("move_jobs_down", "bc", "adbce"),
        ("move_jobs_down", "cd", "abdce"),
        ("move_jobs_top", "cd", "acdbe"),
        ("move_jobs_top", "ade", "adbce"),
        ("move_jobs_bottom", "bc", "adbce"),
        ("move_jobs_sideways", "bc", "abcde"),
    ],
)
def test_jobs_move_among_equal_ones(fake: ActionFarm, operation: str, names: str, order: str) -> None:
    jobs = make_ranked(fake)
    user = jobs["a"].user
    ids = [jobs[name].id for name in names]
    fake.farm.events.watched_orders[user.id] = 1
    assert fake.act("users", user, operation={"type": operation, "jids": [*ids, 77, "x"]}) == DONE
    assert "".join(job.name for job in user.jobs) == order
    assert [job.user_list_order for job in user.jobs] == list(range(5))
    assert user.id in fake.farm.events.current.orders


def test_a_new_priority_puts_a_job_behind_equal_ones(fake: ActionFarm) -> None:
    jobs = make_ranked(fake)
    user = jobs["a"].user
    fake.act("jobs", jobs["b"], params={"priority": 5})
    assert "".join(job.name for job in user.jobs) == "acdbe"
    fake.act("jobs", jobs["e"], params={"priority": 9})
    assert "".join(job.name for job in user.jobs) == "aecdb"


def test_a_user_goes_only_without_jobs(fake: ActionFarm) -> None:
    job = fake.add_job()
    user = job.user
    assert fake.act("users", user, operation="delete") == DONE
    assert user.id in fake.farm.users.by_id
    fake.act("jobs", job, operation="delete")
    fake.act("users", user, operation="delete")
    assert user.id not in fake.farm.users.by_id
    assert fake.act("users", user, operation="delete") == ("error", f"Action node ID not found: {user.id}.")


def test_a_paused_user_starts_nothing_until_it_goes_on(fake: ActionFarm) -> None:
    job = fake.add_job(branch="/show")
    fake.act("users", job.user, params={"paused": True})
    render = fake.add_render()
    assert not render.runs
    fake.act("users", job.user, params={"paused": False})
    assert len(render.runs) == 1


def test_demands_of_a_user_count_at_once(fake: ActionFarm) -> None:
    job = fake.add_job(branch="/show", offline=True)
    render = fake.add_render("alpha")
    fake.act("users", job.user, params={"hosts_mask": "beta"})
    fake.act("jobs", job, operation="start")
    assert not render.runs
    fake.act("users", job.user, params={"hosts_mask": ""})
    assert render.runs


def test_retries_of_a_user_are_given_to_old_errors(fake: ActionFarm) -> None:
    job = fake.add_job(blocks=[numeric(last=1, errors_avoid_host=0, errors_task_same_host=0)])
    fake.act("users", job.user, params={"errors_retries": 0})
    render = fake.add_render()
    fake.end_run(render, TaskStatus.FinishedError)
    assert not render.runs
    fake.act("users", job.user, params={"errors_retries": 1})
    assert render.runs


# -- branches


def test_branch_texts(fake: ActionFarm) -> None:
    job = fake.add_job(branch="/show")
    branch, root = job.branch_node, fake.farm.root_branch
    assert fake.act("branches", root, operation="delete") == ("error", "Can`t delete ROOT branch.")
    held = "Branch['/show'] has child branches/jobs."
    assert fake.act("branches", branch, operation="delete") == ("error", held)
    assert fake.act("branches", branch, operation="zzz") == ("error", "Unknown operation 'zzz'")
    changed = ("log", "Branch(es) parameter(s) changed.")
    assert fake.act("branches", branch, params={"priority": 5}) == changed
    assert last_line(branch)[1:] == ("branchs params", "/show", "Branch(es) parameter(s) changed.")
    assert fake.act("branches", branch, operation="delete_done_jobs") == ("log", "Deleting 0 jobs.")
    fake.act("jobs", job, operation="skip", block_ids=[-1])
    assert fake.act("branches", branch, operation="delete_done_jobs") == ("log", "Deleting 1 jobs.")
    assert fake.act("branches", branch, operation="delete") == DONE
    assert branch.gone
    assert root.branches_total == 0


@pytest.mark.parametrize("path", ["/", "/show"])
def test_a_paused_branch_starts_nothing_until_it_goes_on(fake: ActionFarm, path: str) -> None:
    fake.add_job(branch="/show")
    branch = fake.farm.branches.by_name[path]
    fake.act("branches", branch, operation="pause")
    render = fake.add_render()
    assert not render.runs
    fake.act("branches", branch, operation="start")
    assert render.runs


def test_jobs_of_a_branch_can_be_solved_without_their_users(fake: ActionFarm) -> None:
    first = fake.add_job("first", user_name="one", branch="/show", blocks=[numeric(last=4)])
    second = fake.add_job("second", user_name="two", branch="/show", blocks=[numeric(last=4)])
    for job in (first, second):
        fake.act("users", job.user, params={"max_running_tasks": 0})
    render = fake.add_render(room=4)
    assert not render.runs
    fake.act("branches", first.branch_node, params={"solve_jobs": True})
    assert len(render.runs) == 4
    fake.act("branches", first.branch_node, params={"solve_jobs": False})
    fake.end_run(render, TaskStatus.FinishedSuccess)
    assert len(render.runs) == 3


def test_demands_of_a_branch_count_for_all_below(fake: ActionFarm) -> None:
    fake.add_job(branch="/show")
    root = fake.farm.root_branch
    fake.act("branches", root, params={"need_os": "beos"})
    render = fake.add_render(os="linux unix")
    assert not render.runs
    fake.act("branches", root, params={"need_os": "linux"})
    assert render.runs


def test_a_new_method_orders_the_jobs_of_a_user_anew(fake: ActionFarm) -> None:
    jobs = [fake.add_job(name, branch="/show", blocks=[explicit(tasks=4)]) for name in ("one", "two")]
    fake.act("users", jobs[0].user, params={"solve_method": "solve_priority"})
    fake.add_render(room=4)
    assert [job.running_tasks_num for job in jobs] == [2, 2]
