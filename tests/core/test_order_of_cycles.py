"""What follows from the order in which the original does things: tickets, cycles, who was solved first."""

from afanasy_py.core.cycle import CYCLE
from afanasy_py.core.farmpart import newest_first
from tests.core.query_farm import QueryFarm


def test_a_new_ticket_is_first_and_a_changed_one_keeps_its_place() -> None:
    known = {"b": 1, "a": 2}
    shown = newest_first(known, {"a": 5, "d": 3, "c": 4})
    assert list(shown.items()) == [("c", 4), ("d", 3), ("b", 1), ("a", 5)]
    assert known == {"b": 1, "a": 2}


def test_a_job_that_came_after_an_action_looks_new_for_a_whole_cycle() -> None:
    farm = QueryFarm()
    first = farm.add_job("first")
    farm.now += 0.7
    answer = farm.json({"job": {"name": "later", "user_name": "artist", "blocks": [{"flags": 1}]}})
    job = farm.farm.jobs.by_id[answer["id"]]
    assert job.is_new
    farm.act("jobs", first, params={"priority": 5})
    assert not job.is_new, "an answered action means that a cycle passed"
    farm.now += 0.5
    other = farm.farm.jobs.by_id[farm.json({"job": {"user_name": "artist", "blocks": [{"flags": 1}]}})["id"]]
    farm.farm.tick(farm.now + 0.4 * CYCLE)
    assert other.is_new
    farm.farm.tick(farm.now + 0.6 * CYCLE)
    assert not other.is_new


def test_a_user_was_solved_before_the_branch_that_he_was_served_in() -> None:
    farm = QueryFarm()
    farm.farm.root_branch.solve_jobs = False
    inner = farm.add_job("inner", branch="/show")
    outer = farm.add_job("outer")
    render = farm.add_render()
    assert [key[0] for key in render.runs] == [inner.id]
    branch = inner.branch_node
    assert inner.last_solved < inner.user.last_solved < branch.last_solved < farm.farm.root_branch.last_solved
    assert outer.user is inner.user
    assert outer.user.last_solved < branch.last_solved, "so that he is the next of the two"
