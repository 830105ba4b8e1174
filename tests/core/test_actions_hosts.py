"""What is done to renders and pools."""

from typing import Any

import pytest

from afanasy_py.core import hosts
from afanasy_py.core.render import DIRTY, NIMBY_ALL, NIMBY_OWN, PAUSED, SICK, WOL_FALLING
from afanasy_py.msg.records.address import NetIF
from afanasy_py.msg.types import TaskStatus
from tests.core.action_farm import DONE, ActionFarm, last_line, numeric


@pytest.fixture
def fake() -> ActionFarm:
    return ActionFarm()


def add_pool(fake: ActionFarm, parent: Any, name: str, **params: Any) -> Any:
    fake.act("pools", parent, operation={"type": "add_pool", "name": name})
    path = f"{'' if parent.is_root() else parent.name}/{name}"
    pool = fake.farm.pools.by_name[path]
    if params:
        fake.act("pools", pool, params=params)
    return pool


# -- renders


def test_nimby_bits_exclude_each_other_and_false_frees(fake: ActionFarm) -> None:
    render = fake.add_render()
    both = NIMBY_OWN | NIMBY_ALL
    for params, bits in (
        ({"nimby": True}, NIMBY_OWN),
        ({"NIMBY": True}, NIMBY_ALL),
        ({"nimby": False}, 0),
        ({"nimby": True, "NIMBY": True}, NIMBY_ALL),
        ({"NIMBY": "x"}, NIMBY_ALL),
        ({"NIMBY": False}, 0),
    ):
        fake.act("renders", render, params=params)
        assert render.st & both == bits, params


def test_a_free_render_takes_tasks_again(fake: ActionFarm) -> None:
    render = fake.add_render()
    for params, free in (
        ({"NIMBY": True}, {"NIMBY": False}),
        ({"paused": True}, {"paused": False}),
        ({"priority": 0}, {"priority": 9}),
        ({"max_tasks_host": 0}, {"max_tasks_host": -1}),
        ({"services": ["other"]}, {"services": []}),
    ):
        fake.act("renders", render, params=params)
        job = fake.add_job()
        assert not render.runs, params
        fake.act("renders", render, params=free)
        assert render.runs, free
        fake.act("jobs", job, operation="delete")
        fake.end_run(render, TaskStatus.FinishedKilled)


def test_a_render_in_nimby_serves_its_new_user(fake: ActionFarm) -> None:
    render = fake.add_render()
    fake.act("renders", render, params={"nimby": True})
    fake.add_job()
    assert not render.runs
    fake.act("renders", render, params={"user_name": "artist"})
    assert render.runs


def test_own_limits_make_a_render_dirty(fake: ActionFarm) -> None:
    render = fake.add_render()
    fake.act("renders", render, params={"capacity_host": 5})
    assert render.st & DIRTY
    assert render.capacity == 5
    fake.act("renders", render, params={"capacity_host": -1})
    assert not render.st & DIRTY


def test_instructions_wait_for_the_next_update(fake: ActionFarm) -> None:
    render = fake.add_render()
    for name in ("exit", "reboot", "shutdown"):
        assert fake.act("renders", render, operation=name) == DONE
        assert render.events().instruction == name
    fake.act("renders", render, operation={"type": "launch_cmd", "cmd": "true", "exit": True})
    assert (render.events().instruction, render.events().command) == ("launch_exit", "true")
    assert last_line(render)[1:] == ("renders launch_cmd exit", "host", "true")
    text = "Launch command request by has no 'cmd'"
    assert fake.act("renders", render, operation="launch_cmd") == ("error", text)


def test_parameters_come_before_the_operation(fake: ActionFarm) -> None:
    fake.add_job()
    render = fake.add_render()
    assert render.runs
    fake.act("renders", render, operation="eject_tasks", params={"NIMBY": True})
    fake.end_run(render, TaskStatus.FinishedKilled)
    assert not render.runs


def test_ejection_may_spare_the_tasks_of_the_caller(fake: ActionFarm) -> None:
    mine = fake.add_job("mine", max_running_tasks=1)
    yours = fake.add_job("yours", user_name="other", max_running_tasks=1)
    render = fake.add_render(room=2)
    assert len(render.runs) == 2
    fake.act("renders", render, operation="eject_tasks_keep_my")
    assert [stop.job_id for stop in render.events().stops] == [yours.id]
    line = "[generic():1000] other: yours[render][frame 1]"
    assert [n.info for n in render.log_lines or () if n.type == "renders eject_tasks"] == [line]
    fake.act("renders", render, operation="eject_tasks")
    assert [stop.job_id for stop in render.events().stops] == [yours.id, mine.id]


@pytest.mark.parametrize("kind", ["renders", "pools"])
def test_a_healed_render_takes_tasks_again(fake: ActionFarm, kind: str) -> None:
    root = fake.farm.root_pool
    fake.act("pools", root, params={"sick_errors_count": 1})
    job = fake.add_job(blocks=[numeric(errors_retries=9, errors_avoid_host=0, errors_task_same_host=0)])
    render = fake.add_render()
    fake.end_run(render, TaskStatus.FinishedError)
    assert render.st & SICK
    assert not render.runs
    fake.farm.changes.nodes.clear()
    fake.act(kind, render if kind == "renders" else root, operation="heal_sick")
    assert not render.st & SICK
    assert render.runs
    assert ("renders", render.id) in fake.farm.changes.nodes
    assert job.running_tasks_num == 1


def test_only_offline_renders_are_deleted(fake: ActionFarm) -> None:
    renders = [fake.add_render(name) for name in ("one", "two")]
    text = "Can`t delete online render."
    assert fake.act("renders", renders[0], operation="delete") == ("error", text)
    hosts.deregister(fake.farm, renders[0].id)
    fake.act("pools", fake.farm.root_pool, operation="delete_renders")
    assert [render.name for render in fake.farm.renders] == ["two"]
    assert fake.farm.root_pool.renders_total == 1


def test_a_render_falls_asleep_only_with_a_network(fake: ActionFarm) -> None:
    renders = [fake.add_render("one"), fake.add_render("two", netifs=[NetIF(mac=b"\1\2\3\4\5\6")])]
    for render in renders:
        assert fake.act("renders", render, operation="wol_sleep") == DONE
    assert [bool(render.st & WOL_FALLING) for render in renders] == [False, True]
    assert renders[1].events().instruction == "sleep"


def test_a_render_moves_between_pools_and_hears_their_periods(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    render = fake.add_render()
    farm_pool = add_pool(fake, root, "farm", pattern="HO.*", heartbeat_sec=7, services=["other"])
    fake.add_job(offline=True)
    assert fake.act("renders", render, operation="reassign_pool") == DONE
    assert (render.pool, farm_pool.renders_total) == ("/farm", 1)
    assert render.events().heartbeat_sec == 7
    for name, text in (
        ("/farm", "Render 'host' already in a poll '/farm'."),
        ("/none", "Pool '/none' does not exist."),
    ):
        assert fake.act("renders", render, operation={"type": "set_pool", "name": name}) == ("error", text)
    fake.act("renders", render, operation={"type": "set_pool", "name": "/"})
    fake.act("jobs", "job", operation="start")
    assert render.runs
    text = "Can't change pool. Render 'host' is busy."
    assert fake.act("renders", render, operation="reassign_pool") == ("error", text)


# -- pools


def test_pools_come_and_go(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    answer = fake.act("pools", root, operation={"type": "add_pool", "name": "a b/c"})
    assert answer == ("info", "Pool '/a_b_c' added to pool '/'")
    pool = fake.farm.pools.by_name["/a_b_c"]
    child = add_pool(fake, pool, "gpu")
    for _ in range(2):
        fake.farm.cycle.end()  # totals rise level by level
    assert (root.pools_total, child.parent_path, child.name) == (2, "/a_b_c", "/a_b_c/gpu")
    held = ("error", "Pool '/a_b_c' has child pools/renders.")
    assert fake.act("pools", pool, operation="delete") == held
    assert fake.act("pools", root, operation="delete") == ("error", "Can`t delete ROOT pool.")
    assert fake.act("pools", child, operation="delete") == DONE
    assert fake.act("pools", pool, operation="delete") == DONE
    assert (root.pools_total, len(fake.farm.pools)) == (0, 1)


def test_parameters_of_a_pool_reach_all_renders_below(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    render = fake.add_render()
    pool = add_pool(fake, root, "farm", pattern="host")
    fake.act("renders", render, operation="reassign_pool")
    fake.act("pools", root, params={"capacity_host": 10, "zombie_time": 99})
    fake.add_job()
    assert (render.capacity, render.events().zombie_time) == (10, 99)
    assert not render.runs
    fake.act("pools", pool, params={"capacity_host": 1000})
    assert render.runs


def test_a_paused_pool_starts_nothing_until_it_goes_on(fake: ActionFarm) -> None:
    fake.act("pools", fake.farm.root_pool, params={"paused": True})
    fake.add_job()
    render = fake.add_render()
    assert not render.runs
    fake.act("pools", fake.farm.root_pool, params={"paused": False})
    assert render.runs


def test_the_root_pool_has_a_limit_of_tasks_again(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    fake.act("pools", root, params={"max_tasks_host": -1, "pattern": "x"})
    assert (root.max_tasks_host, root.pattern) == (-1, "")
    fake.act("pools", root, params={"annotation": "x"})
    assert root.max_tasks_host == 1


def test_a_command_reaches_online_renders_below(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    renders = [fake.add_render("one"), fake.add_render("two")]
    pool = add_pool(fake, root, "farm", pattern="two")
    fake.act("renders", renders[1], operation="reassign_pool")
    fake.act("pools", root, operation={"type": "launch_cmd", "cmd": "true"})
    for node in (root, pool, *renders):
        assert last_line(node)[1:] == ("pools launch_cmd", "/", "true")
    assert [render.events().command for render in renders] == ["true", "true"]
    text = "Launch command request has no command"
    assert fake.act("pools", root, operation="launch_cmd") == ("error", text)


def test_tasks_of_a_pool_are_ejected(fake: ActionFarm) -> None:
    fake.add_job()
    render = fake.add_render()
    fake.act("pools", fake.farm.root_pool, operation="eject_tasks")
    assert len(render.events().stops) == 1


# -- services and tickets


def services(fake: ActionFarm, node: Any, mode: str, **members: Any) -> Any:
    return fake.act(node.kind, node, operation={"type": "farm", "mode": mode, **members})


def test_services_are_chosen_by_the_beginnings_of_their_names(fake: ActionFarm) -> None:
    pool = fake.farm.root_pool
    for name in ("maya", "mantra", "nuke"):
        assert services(fake, pool, "service_add", name=name) == ("log", f'Service "{name}" added.')
    assert services(fake, pool, "service_disable", mask="ma") == ("log", 'Service "mantra" disabled.')
    assert pool.services_disabled == ["maya", "mantra"]
    assert services(fake, pool, "service_disable", mask="zzz") == ("log", 'Service "zzz" disabled')
    missing = ("error", "No services found mathing pattern ma")
    assert services(fake, pool, "service_remove", mask="ma") == ("log", 'Service "mantra" removed.')
    assert services(fake, pool, "service_remove", mask="ma") == missing
    assert services(fake, pool, "service_enable", mask="m z") == ("log", 'Service "zzz" enabled.')
    assert (pool.services, pool.services_disabled) == (["nuke"], [])


@pytest.mark.parametrize("kind", ["renders", "pools"])
def test_services_count_at_once(fake: ActionFarm, kind: str) -> None:
    render = fake.add_render()
    node = render if kind == "renders" else fake.farm.root_pool
    services(fake, node, "service_disable", mask="generic")
    fake.add_job()
    assert not render.runs
    services(fake, node, "service_enable", mask="generic")
    assert render.runs


def test_a_ticket_in_use_is_erased_when_it_comes_back(fake: ActionFarm) -> None:
    root = fake.farm.root_pool
    ticket = {"type": "tickets", "name": "lic"}
    assert fake.act("pools", root, operation={**ticket, "count": 1, "max_hosts": 1}) == (
        "log",
        "Ticket lic added",
    )
    fake.add_job(blocks=[numeric(last=1, tickets={"lic": 1})])
    render = fake.add_render()
    assert root.tickets_pool == {"lic": [1, 1, 1, 1]}
    fake.act("pools", root, params={"tickets_pool": {"lic": [5, 0], "other": [2, 9, 9, 3], "bad": 1}})
    assert root.tickets_pool == {"lic": [5, 1, 1, -1], "other": [2, 0, 0, 3]}
    modified = ("log", "Ticket lic modified")
    assert fake.act("pools", root, operation={**ticket, "count": -1}) == modified
    fake.end_run(render, TaskStatus.FinishedSuccess)
    assert "lic" not in root.tickets_pool


def test_tickets_count_at_once(fake: ActionFarm) -> None:
    render = fake.add_render()
    ticket = {"type": "tickets", "name": "lic", "host": True}
    fake.act("renders", render, operation={**ticket, "count": 0})
    fake.add_job(blocks=[numeric(tickets={"lic": 1})])
    assert not render.runs
    fake.act("renders", render, operation={**ticket, "count": 2})
    assert render.runs
    text = "Node['host'] is not a pool."
    assert fake.act("renders", render, operation={**ticket, "host": False, "count": 1}) == ("error", text)


def test_a_paused_render_shows_it(fake: ActionFarm) -> None:
    render = fake.add_render()
    fake.act("renders", render, params={"paused": True})
    assert render.st & PAUSED
    assert fake.farm.root_pool.renders_paused == 1
