"""Rules of spec scheduling 2 and 5, one fact each, on the plain solver that measures the fast one."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests import plain_solver as plain
from tests.plain_solver import Block, Branch, Farm, Job, Pool, Render, Start, Task, User


class World:
    """A farm under construction: the root branch solves jobs by order, hosts take one task of 1000."""

    def __init__(self, hosts: Iterable[str] = ("r1",), **root: Any) -> None:
        self.root_pool = Pool(name="/", capacity_host=1100, max_tasks_host=4)
        self.root = Branch(name="/", **{"solve_jobs": True, **root})
        self.farm = Farm(root=self.root)
        self.user("ann")
        for name in hosts:
            self.host(name)

    def user(self, name: str, **more: Any) -> User:
        user = User(name=name, id=len(self.farm.users) + 2, **more)
        self.farm.users.append(user)
        return user

    def branch(self, name: str, parent: Branch | None = None, **more: Any) -> Branch:
        branch = Branch(name=name, parent=parent or self.root, **more)
        (parent or self.root).children.append(branch)
        return branch

    def pool(self, name: str, parent: Pool | None = None, **more: Any) -> Pool:
        return Pool(name=name, parent=parent or self.root_pool, **more)

    def host(self, name: str, pool: Pool | None = None, **more: Any) -> Render:
        self.farm.renders.append(Render(name=name, pool=pool or self.root_pool, **more))
        return self.farm.renders[-1]

    def job(
        self,
        tasks: int = 1,
        user: User | None = None,
        branch: Branch | None = None,
        block: dict[str, Any] | None = None,
        **more: Any,
    ) -> Job:
        number = sum(len(user.jobs) for user in self.farm.users) + 1
        user = user or self.farm.users[0]
        branch = branch or self.root
        job = Job(id=number, name=f"job{number}", user=user, branch=branch, **more)
        job.blocks.append(make_block(tasks, **(block or {})))
        user.jobs.append(job)
        branch.jobs.append(job)
        return job

    def solve(self) -> list[Start]:
        return plain.solve(self.farm)

    def jobs(self) -> list[int]:
        """The jobs that start, in order."""
        return [start.job_id for start in self.solve()]

    def hosts(self) -> list[str]:
        """The hosts on which something starts, in order."""
        return [start.render_name for start in self.solve()]


def make_block(tasks: int, **more: Any) -> Block:
    return Block(tasks=[Task() for _ in range(tasks)], **{"frame_last": max(tasks, 1), **more})


def big(*names: str, **root: Any) -> World:
    """A world whose hosts have room for many tasks."""
    world = World(names or ("r1",), **root)
    world.root_pool.capacity_host = 1_000_000
    world.root_pool.max_tasks_host = 1000
    return world


# -- 2.1 the tree and the loop


def test_one_task_starts_on_each_free_host_in_the_order_of_numbers() -> None:
    world = World(["r1", "r2"])
    world.job(3)
    assert world.solve() == [Start(1, 0, 0, "r1"), Start(1, 0, 1, "r2")]
    assert world.solve() == []


def test_a_job_takes_its_blocks_in_order_and_of_each_one_task_only() -> None:
    world = World(["r1"])
    job = world.job(2)
    job.blocks.append(make_block(1))
    job.blocks[0].tasks[0].avoids = {"r1"}
    # Task 1 of the first block could run, but task 0 is the one that is offered.
    assert world.solve() == [Start(1, 1, 0, "r1")]


def test_a_waiting_block_offers_nothing() -> None:
    world = World()
    job = world.job(1, block={"waits": True})
    job.blocks.append(make_block(1))
    assert world.solve() == [Start(1, 1, 0, "r1")]


def test_tasks_asked_for_come_first_in_the_order_of_asking() -> None:
    world = big()
    job = world.job(4, try_next=[(1, 1), (0, 3), (0, 2)])
    job.blocks.append(make_block(2))
    job.blocks[0].tasks[2].ready = False
    order = [(start.block_num, start.task_num) for start in world.solve()]
    assert order == [(1, 1), (0, 3), (0, 0), (0, 1), (1, 0)]


def test_users_of_a_branch_share_by_need() -> None:
    world = big(solve_jobs=False, solve_priority=True)
    bob = world.user("bob")
    for user in (world.farm.users[0], bob):
        world.job(3, user=user)
    assert world.jobs() == [1, 2, 1, 2, 1, 2]


def test_a_user_serves_his_first_job_first_unless_he_solves_by_priority() -> None:
    world = big(solve_jobs=False)
    world.job(2, priority=10)
    world.job(2, priority=200)
    assert world.jobs() == [1, 1, 2, 2]

    world = big(solve_jobs=False)
    world.farm.users[0].solve_priority = True
    world.job(2, priority=10)
    world.job(2, priority=200)
    assert world.jobs() == [2, 2, 1, 1]


def test_a_user_is_weighed_by_what_he_runs_in_that_branch_alone() -> None:
    world = big(solve_jobs=False, solve_priority=True)
    ann, bob = world.farm.users[0], world.user("bob")
    other = world.branch("/other", jobs_total=0)
    world.job(1, user=ann)
    world.job(1, user=bob)
    ann.in_branch = {other.name: [50, 50_000]}
    bob.in_branch = {"/": [1, 1000]}
    assert world.jobs() == [1, 2]


def test_branches_are_weighed_by_all_that_runs_below() -> None:
    world = big(solve_priority=True)
    deep = world.branch("/a/b", world.branch("/a", solve_priority=True), solve_jobs=True)
    flat = world.branch("/c", solve_jobs=True)
    world.job(3, branch=deep)
    world.job(3, branch=flat)
    assert world.jobs() == [1, 2, 1, 2, 1, 2]
    assert (deep.running_tasks, world.root.children[0].running_tasks, world.root.running_tasks) == (3, 3, 6)


def test_a_branch_that_solves_jobs_does_not_look_at_users() -> None:
    world = World()
    world.farm.users[0].paused = True
    world.farm.users[0].max_running_tasks = 0
    world.job()
    assert world.jobs() == [1]
    world = World(solve_jobs=False)
    world.farm.users[0].paused = True
    world.job()
    assert world.jobs() == []


def test_child_branches_stand_before_jobs_when_all_else_is_equal() -> None:
    world = big()
    world.job()
    world.job(branch=world.branch("/a", solve_jobs=True))
    assert world.jobs() == [2, 1]


def test_every_counter_grows_with_a_start() -> None:
    world = World(solve_jobs=False)
    branch = world.branch("/a")
    job = world.job(branch=branch, block={"capacity": 300, "tickets": {"LIC": 2}})
    assert len(world.solve()) == 1
    user, render = world.farm.users[0], world.farm.renders[0]
    for turn, node in enumerate((job, user, branch, world.root), 1):
        assert (node.running_tasks, node.running_capacity, node.tasks_on) == (1, 300, {"r1": 1})
        assert (node.solved, node.starts) == (turn, 1)
    assert user.in_branch == {"/a": [1, 300]}
    assert (job.blocks[0].running_tasks, job.blocks[0].tasks_on) == (1, {"r1": 1})
    assert (render.running_tasks, render.capacity_used, render.busy) == (1, 300, True)
    assert render.start_finish_time == world.farm.now
    assert render.tickets_host == {"LIC": [-1, 2, 0, -1]}
    assert world.root_pool.tickets_pool == {"LIC": [-1, 2, 1, -1]}
    assert world.farm.solved == 4


def test_a_user_who_is_not_solved_through_is_counted_but_not_served() -> None:
    world = World()
    world.job()
    world.solve()
    user = world.farm.users[0]
    assert (user.running_tasks, user.solved, user.starts) == (1, 0, 0)


# -- 2.2 can a node run at all


@pytest.mark.parametrize("kind", ["root", "branch", "user", "job"])
@pytest.mark.parametrize(
    ("limits", "starts"),
    [
        ({"max_tasks_per_second": 0}, 0),
        ({"max_tasks_per_second": 2}, 2),
        ({"max_tasks_per_second": 2, "starts": 1}, 1),
        ({"priority": 0}, 0),
        ({"max_running_tasks": 0}, 0),
        ({"max_running_tasks": 3}, 3),
        ({"max_running_tasks": 3, "running_tasks": 5}, 0),
        ({"max_running_tasks_per_host": 0}, 0),
        ({"max_running_tasks_per_host": 2}, 4),
        ({}, 6),
    ],
)
def test_limits_hold_for_every_node_on_the_path(kind: str, limits: dict[str, int], starts: int) -> None:
    world = big("r1", "r2", solve_jobs=False)
    branch = world.branch("/a")
    job = world.job(6, branch=branch)
    node = {"root": world.root, "branch": branch, "user": world.farm.users[0], "job": job}[kind]
    for name, value in limits.items():
        setattr(node, name, value)
    assert len(world.solve()) == starts


@pytest.mark.parametrize(
    "change",
    [{"locked": True}, {"off": True}, {"waits": True}, {"blocks": []}],
)
def test_a_job_that_cannot_run_starts_nothing(change: dict[str, Any]) -> None:
    world = World()
    world.job(**{k: v for k, v in change.items() if k != "blocks"})
    if "blocks" in change:
        world.farm.users[0].jobs[0].blocks = []
    world.job()
    assert world.jobs() == [2]


@pytest.mark.parametrize("change", [{"paused": True}, {"jobs_total": 0}])
def test_a_branch_that_cannot_run_is_left_out(change: dict[str, Any]) -> None:
    world = World()
    world.job(branch=world.branch("/a", solve_jobs=True, **change))
    assert world.jobs() == []


# -- 2.3 can a node run on a render


@pytest.mark.parametrize("kind", ["root", "user", "job", "block"])
@pytest.mark.parametrize(
    ("needs", "hosts"),
    [
        ({"hosts_mask": "rend"}, ["render1", "render2"]),
        ({"hosts_mask": "end"}, []),
        ({"hosts_mask": "x|render2; ws"}, ["render2", "ws1"]),
        ({"hosts_mask": " ,"}, ["render1", "render2", "ws1"]),
        ({"hosts_mask_exclude": "render1:ws"}, ["render2"]),
        ({"hosts_mask_exclude": ""}, ["render1", "render2", "ws1"]),
        ({"need_properties": "gpu"}, ["render2"]),
        ({"need_properties": "p x"}, ["render2"]),
        ({"need_power": 5}, ["render2"]),
        ({"need_power": 0}, ["render1", "render2", "ws1"]),
        ({"need_memory": 100}, ["render1", "ws1"]),
        ({"need_hdd": 11}, ["ws1"]),
    ],
)
def test_needs_are_tested_at_every_level(kind: str, needs: dict[str, Any], hosts: list[str]) -> None:
    world = World([], solve_jobs=False)
    world.host("render1", mem_free_mb=100, hdd_free_gb=10)
    world.host("render2", mem_free_mb=99, hdd_free_gb=10, power_host=5, properties_host="a_gpu_b")
    world.host("ws1", mem_free_mb=200, hdd_free_gb=12)
    job = world.job(9)
    node = {"root": world.root, "user": world.farm.users[0], "job": job, "block": job.blocks[0]}[kind]
    for name, value in needs.items():
        setattr(node, name, value)
    assert sorted(world.hosts()) == hosts


def test_a_regular_expression_matches_the_whole_name() -> None:
    world = World(["r1", "r11", "r2"])
    job = world.job(9, hosts_mask="r.", masks_are_regex=True, block={"hosts_mask_exclude": ".*2"})
    assert world.hosts() == ["r1"]
    job.hosts_mask = "("
    assert world.hosts() == []


def test_an_os_is_found_in_the_text_of_the_host() -> None:
    world = World([])
    world.host("r1", os="linux unix 64")
    world.host("r2", os="windows")
    world.job(9, need_os="unix|mac")
    assert world.hosts() == ["r1"]


@pytest.mark.parametrize(
    ("pools", "hosts"),
    [
        ({}, ["r", "r1", "r12"]),
        ({"/p1": -100}, ["r"]),
        ({"/p1/": -100}, ["r", "r1", "r12"]),
        ({"/p12": 100}, ["r12"]),
        ({"p1": 100}, ["r1", "r12"]),
        ({"/p1": 99}, ["r", "r1", "r12"]),
        ({"/none": 100}, []),
        ({"/none": 100, "/p12": 1}, ["r12"]),
    ],
)
def test_pools_admit_and_exclude_by_text(pools: dict[str, int], hosts: list[str]) -> None:
    world = World(["r"])
    world.host("r1", world.pool("/p1"))
    world.host("r12", world.pool("/p12"))
    world.job(9, pools=pools)
    assert sorted(world.hosts()) == hosts


@pytest.mark.parametrize(
    ("host", "job", "runs"),
    [
        ({"nimby": True, "user_name": "ann"}, {}, True),
        ({"nimby": True, "user_name": "bob"}, {}, False),
        ({"nimby": True, "user_name": "bob"}, {"ignorenimby": True}, True),
        ({"NIMBY": True, "user_name": "ann"}, {}, False),
        ({"NIMBY": True}, {"ignorenimby": True}, True),
        ({"paused": True}, {}, False),
        ({"paused": True}, {"ignorepaused": True}, True),
        ({"paused": True}, {"ignorenimby": True}, False),
    ],
)
def test_nimby_and_pause_are_minded_by_jobs(host: dict[str, Any], job: dict[str, Any], *, runs: bool) -> None:
    world = World([])
    world.host("r1", **host)
    world.job(**job)
    assert bool(world.solve()) == runs


@pytest.mark.parametrize(
    ("block", "starts"),
    [
        ({"max_running_tasks_per_host": 0}, 0),
        ({"max_running_tasks_per_host": 1}, 2),
        ({"max_running_tasks": 0}, 0),
        ({"max_running_tasks": 3}, 3),
        ({"avoids": {"r1"}, "max_running_tasks_per_host": 1}, 1),
        ({"need_memory": 1}, 0),
        ({"need_memory": 0}, 4),
        ({"need_gpu_mem_mb": 9}, 0),
        ({"need_cpu_freq_mgz": 2000}, 4),
        ({"need_cpu_freq_mgz": 2001}, 0),
        ({"need_cpu_cores": 8}, 4),
        ({"need_cpu_cores": 9}, 0),
        ({"need_cpu_freq_cores": 16_000}, 4),
        ({"need_cpu_freq_cores": 16_001}, 0),
    ],
)
def test_limits_of_a_block(block: dict[str, Any], starts: int) -> None:
    world = big()
    world.farm.renders.clear()
    for name in ("r1", "r2"):
        world.host(name, cpu_num=8, cpu_mhz=2000)
    world.job(4, block=block)
    assert len(world.solve()) == starts


def test_a_task_avoids_a_host() -> None:
    world = World(["r1", "r2"])
    job = world.job(2)
    job.blocks[0].tasks[0].avoids = {"r1"}
    # While task 0 is offered r1 gets nothing; once it has started elsewhere r1 gets the next one.
    assert world.solve() == [Start(1, 0, 0, "r2"), Start(1, 0, 1, "r1")]


# -- 2.4 order of nodes


def test_by_order_priority_counts_then_age_then_who_was_served_longer_ago() -> None:
    world = big()
    world.job(2, priority=50, time_creation=5)
    world.job(2, priority=50, time_creation=4)
    world.job(1, priority=60, time_creation=9)
    world.job(2, priority=50, time_creation=5)
    assert world.jobs() == [3, 2, 2, 1, 4, 1, 4]


def test_by_priority_the_need_falls_with_what_runs() -> None:
    world = big(solve_priority=True)
    world.job(4, priority=100)
    world.job(4, priority=93)  # 1.1 ^ 7 = 1.95 times less
    assert world.jobs() == [1, 2, 1, 1, 2, 1, 2, 2]


def test_a_branch_may_weigh_capacity() -> None:
    world = big(solve_priority=True, solve_capacity=True)
    world.job(2, block={"capacity": 3000})
    world.job(5, block={"capacity": 1000})
    assert world.jobs() == [1, 2, 2, 2, 1, 2, 2]


def test_needs_that_differ_less_than_single_precision_are_equal() -> None:
    first, second = (plain.Branch(running_capacity=used, priority=255) for used in (200_000_000, 200_000_001))
    parent = plain.Branch(solve_priority=True, solve_capacity=True)
    assert plain.need(first, parent, parent) == plain.need(second, parent, parent)
    first.solved, second.solved = 2, 1
    assert plain.in_order([first, second], parent, parent) == [second, first]


# -- 2.5 order of renders


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"running_tasks": 0}, {"running_tasks": 1}),
        ({"capacity_used": 10}, {"capacity_used": 20}),
        ({"capacity_host": 5000}, {"capacity_host": 4000}),
        ({"capacity_host": 1000}, {"capacity_host": -1}),  # where nobody above has one: without bound
        ({"priority": 100}, {"priority": 99}),
        ({"start_finish_time": 0}, {"start_finish_time": 5}),
        ({"capacity_host": 3000, "capacity_used": 2000}, {"capacity_host": 2000, "capacity_used": 1000}),
        ({"max_tasks_host": 9}, {"max_tasks_host": 8}),
        ({"running_tasks": 0, "priority": 1}, {"running_tasks": 1, "priority": 99}),
        ({"capacity_used": 10, "priority": 1}, {"capacity_used": 11, "priority": 99}),
    ],
)
def test_the_better_host_comes_first(better: dict[str, Any], worse: dict[str, Any]) -> None:
    world = World([])
    world.root_pool.capacity_host = -1
    world.host("a", **{"busy": True, **worse})
    world.host("b", **{"busy": True, **better})
    world.job(block={"capacity": 1})
    assert world.hosts() == ["b"]


def test_of_equal_hosts_the_name_decides() -> None:
    world = World(["r2", "r10", "r1"])
    world.job(3)
    assert world.hosts() == ["r1", "r10", "r2"]


def test_the_pool_counts_more_than_all_else() -> None:
    world = World([])
    world.root_pool.priority = 50
    good = world.pool("/good", priority=101)  # (101 + 50) / 2 = 75
    deep = world.pool("/good/deep", good, priority=76)  # (76 + 75) / 2 = 75: as its parent
    world.host("a", priority=200)
    world.host("c", good)
    world.host("b", deep)
    world.job(3)
    assert world.hosts() == ["b", "c", "a"]


def test_pools_of_the_job_add_to_the_order_those_of_the_branch_do_not() -> None:
    world = World([])
    for name in "ab":
        world.host(name, world.pool(f"/{name}"))
    world.job(1, pools={"/b": 10})
    assert world.hosts() == ["b"]

    world = World([], pools={"/b": 10})
    for name in "ab":
        world.host(name, world.pool(f"/{name}"))
    world.job(1)
    assert world.hosts() == ["a"]


# -- 2.6 services


@pytest.mark.parametrize(
    ("render", "pool", "root", "runs"),
    [
        ({}, {}, {}, True),
        ({"services": ["x"]}, {}, {}, True),
        ({"services": ["y"]}, {}, {}, False),
        ({}, {"services": ["y"]}, {}, False),
        ({"services": ["y"]}, {}, {"services": ["x"]}, True),
        ({"services_disabled": ["x"], "services": ["x"]}, {}, {}, False),
        ({}, {"services_disabled": ["x"]}, {"services": ["x"]}, False),
        ({"services": ["x"]}, {"services_disabled": ["x"]}, {}, True),
        ({"services_disabled": ["y"]}, {}, {}, True),
    ],
)
def test_a_service_is_looked_for_from_the_host_up(
    render: dict[str, Any], pool: dict[str, Any], root: dict[str, Any], *, runs: bool
) -> None:
    world = World([])
    world.root_pool.services = root.get("services", [])
    world.host("r1", world.pool("/p", **pool), **render)
    world.job(block={"service": "x"})
    assert bool(world.solve()) == runs


# -- 2.7 tickets


def ticket_world(**pool: Any) -> World:
    world = big()
    world.farm.renders.clear()
    under = world.pool("/p", **pool)
    for name in ("r1", "r2"):
        world.host(name, under)
    world.job(20, block={"tickets": {"T": 2}})
    return world


def test_a_pool_ticket_is_a_total() -> None:
    assert len(ticket_world(tickets_pool={"T": [7, 0, 0, -1]}).solve()) == 3
    assert len(ticket_world(tickets_pool={"T": [7, 4, 1, -1]}).solve()) == 1
    assert len(ticket_world().solve()) == 20


def test_the_ticket_of_a_child_pool_hides_that_of_its_parent() -> None:
    world = ticket_world(tickets_pool={"T": [8, 0, 0, -1]})
    world.root_pool.tickets_pool = {"T": [2, 0, 0, -1]}
    assert len(world.solve()) == 4
    assert world.root_pool.tickets_pool == {"T": [2, 8, 2, -1]}
    world = ticket_world(tickets_pool={"T": [-1, 0, 0, -1]})
    world.root_pool.tickets_pool = {"T": [2, 0, 0, -1]}
    assert len(world.solve()) == 1


def test_the_number_of_hosts_may_be_limited() -> None:
    world = ticket_world(tickets_pool={"T": [100, 0, 0, 1]})
    assert set(world.hosts()) == {"r1"}
    world = ticket_world(tickets_pool={"T": [100, 0, 2, 1]})
    world.farm.renders[0].tickets_host = {"T": [-1, 2, 0, -1]}
    assert world.hosts() == []


def test_a_host_ticket_of_a_pool_is_for_each_host() -> None:
    starts = ticket_world(tickets_host={"T": [5, 0, 0, -1]}).hosts()
    assert sorted(starts) == ["r1", "r1", "r2", "r2"]


def test_the_ticket_of_the_host_decides_before_that_of_the_pool() -> None:
    world = ticket_world(tickets_host={"T": [5, 0, 0, -1]})
    world.farm.renders[0].tickets_host = {"T": [2, 0, 0, -1]}
    assert sorted(world.hosts()) == ["r1", "r2", "r2"]


# -- 2.8 capacity


def test_capacity_and_number_of_tasks_bound_a_host() -> None:
    world = World()
    world.root_pool.capacity_host = 2500
    world.job(9)
    assert len(world.solve()) == 2
    world = World()
    world.root_pool.capacity_host = -1
    world.job(9)
    assert len(world.solve()) == 4


def test_values_come_from_the_nearest_place_that_has_them() -> None:
    world = World([])
    pool = world.pool("/p", capacity_host=3000, power_host=7, properties_host="fast")
    world.host("r1", pool)
    world.host("r2", pool, capacity_host=2000, max_tasks_host=1, power_host=0, properties_host="slow")
    world.job(9, need_power=7, need_properties="fast")
    assert world.hosts() == ["r1", "r1", "r1"]


@pytest.mark.parametrize("change", [{"capacity_host": 0}, {"max_tasks_host": 0}])
def test_zero_of_either_is_none(change: dict[str, int]) -> None:
    world = World([])
    world.host("r1", **change)
    world.job()
    assert world.jobs() == []


@pytest.mark.parametrize(
    ("block", "coeffs"),
    [
        ({"capacity_coeff_min": 1, "capacity_coeff_max": 3}, [3, 3, 1]),
        ({"capacity_coeff_min": 2, "capacity_coeff_max": 3}, [3, 3]),
        ({"capacity_coeff_min": 0, "capacity_coeff_max": 0}, [7]),
        ({"capacity_coeff_min": 8, "capacity_coeff_max": 9}, []),
    ],
)
def test_variable_capacity_takes_what_is_free(block: dict[str, int], coeffs: list[int]) -> None:
    world = World()
    world.root_pool.capacity_host = 750
    job = world.job(9, block={"capacity": 100, "variable_capacity": True, **block})
    assert [start.coeff for start in world.solve()] == coeffs
    assert job.running_capacity == world.farm.renders[0].capacity_used == 100 * sum(coeffs)


# -- 7.2 and 7.9


@pytest.mark.parametrize(
    "change",
    [{"online": False}, {"sick": True}, {"priority": 0}, {"falling_asleep": True}, {"capacity_used": 1100}],
)
def test_a_host_that_is_not_ready_gets_nothing(change: dict[str, Any]) -> None:
    world = World([])
    world.host("r1", **change)
    world.job()
    assert world.jobs() == []


@pytest.mark.parametrize("change", [{"paused": True}, {"priority": 0}])
def test_a_pool_that_is_off_holds_the_hosts_of_all_pools_below(change: dict[str, Any]) -> None:
    world = World([])
    world.host("r1", world.pool("/a/b", world.pool("/a", **change)))
    world.job()
    assert world.jobs() == []


def test_a_host_that_stays_busy_keeps_its_time() -> None:
    world = big()
    render = world.farm.renders[0]
    render.busy, render.start_finish_time = True, 7
    world.job()
    world.solve()
    assert render.start_finish_time == 7


# -- 5 order of tasks inside a block


def order(tasks: int, *, ppa: bool = False, **more: Any) -> list[int]:
    return list(dict.fromkeys(plain.task_order(make_block(tasks, **more), ppa=ppa)))


@pytest.mark.parametrize(
    ("sequential", "frames"),
    [
        (1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (-1, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (0, [1, 10, 6, 3, 8, 2, 4, 7, 9, 5]),
        (4, [1, 10, 4, 8, 2, 3, 5, 6, 7, 9]),
        (-4, [8, 4, 10, 9, 7, 6, 5, 3, 2, 1]),
    ],
)
def test_ten_frames_in_sequence(sequential: int, frames: list[int]) -> None:
    assert [number + 1 for number in order(10, sequential=sequential)] == frames


@pytest.mark.parametrize("tasks", [1, 2, 3, 7, 64, 100])
@pytest.mark.parametrize("sequential", [0, 1, -1, 3, -3, 1000, -1000])
def test_every_task_is_offered_once(tasks: int, sequential: int) -> None:
    assert sorted(order(tasks, sequential=sequential)) == list(range(tasks))


def test_a_block_without_frames_has_frame_zero_alone() -> None:
    assert order(5, sequential=3, numeric=False) == [0, 4, 1, 2, 3]
    assert order(5, sequential=-3, numeric=False) == [0, 4, 3, 2, 1]


def test_frames_of_tasks_that_hold_several() -> None:
    # Frames 10..29 by 5 in each task; multiples of 10 are in tasks 0 and 2.
    more = {"frame_first": 10, "frame_last": 29, "frames_per_task": 5}
    assert order(4, sequential=10, **more) == [0, 3, 2, 1]
    assert order(4, sequential=-10, **more) == [2, 0, 3, 1]


def test_a_frame_outside_of_the_block_ends_the_walk() -> None:
    # -7 - (-7 % 5) = -5 is behind the last frame: nothing is picked, the rest goes down.
    assert order(4, sequential=-5, frame_first=-10, frame_last=-7) == [3, 2, 1, 0]


def test_a_preview_offers_only_the_tasks_in_sequence() -> None:
    assert order(10, sequential=4, ppa=True) == [0, 9, 3, 7]
    world = big()
    world.job(10, ppa=True, block={"sequential": 4})
    assert [start.task_num for start in world.solve()] == [0, 9, 3, 7]


def test_a_maintenance_job_offers_a_host_the_task_of_its_name() -> None:
    world = World(["r1", "r2"])
    job = world.job(3, maintenance=True, try_next=[(0, 0)], block={"sequential": -1})
    for task, name in zip(job.blocks[0].tasks, ("r2", "r9", "r1"), strict=True):
        task.name = name
    assert world.solve() == [Start(1, 0, 2, "r1"), Start(1, 0, 0, "r2")]
