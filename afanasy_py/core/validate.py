"""Recomputing every counter of a farm, for tests: nothing may have drifted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from afanasy_py.core.branch import TOTALS
from afanasy_py.core.farmpart import COUNT, HOSTS, USAGE
from afanasy_py.core.pool import TOTALS as POOL_TOTALS
from afanasy_py.core.task_states import RUN
from afanasy_py.core.totals import share_of_job

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.run import Run


def validate(farm: Farm) -> None:
    """Assert that every counter, index and offer equals its recomputation."""
    runs = [run for job in farm.jobs for block in job.blocks for run in block.runs.values()]
    _check_runs(farm, runs)
    _check_work(farm, runs)
    _check_branches(farm)
    _check_pools(farm, runs)
    _check_solver(farm)


def _check_runs(farm: Farm, runs: list[Run]) -> None:
    by_render = {(run.render.id, run.block.job.id, run.block.block_num, run.number) for run in runs}
    assert len(by_render) == len(runs)
    held = {(render.id, *key) for render in farm.renders for key in render.runs}
    assert held == by_render, held ^ by_render
    for job in farm.jobs:
        for block in job.blocks:
            if block.keeps_own_runs:
                continue
            block.tasks.validate()
            running = {number for number, st in enumerate(block.tasks.st) if st & RUN}
            assert running == set(block.runs), (job.name, running ^ set(block.runs))
            for number, run in block.runs.items():
                assert run.number == number
                assert run.render.is_online()
    for render in farm.renders:
        assert render.capacity_used == sum(run.capacity for run in render.runs.values())


def _counts(node: Any, runs: list[Run]) -> None:
    assert node.running_tasks_num == len(runs), (node.name, node.running_tasks_num, len(runs))
    assert node.running_capacity_total == sum(run.capacity for run in runs)
    assert node.tasks_on == dict(Counter(run.render.id for run in runs))
    assert node.running_services == dict(Counter(run.exec.service for run in runs))


def _check_work(farm: Farm, runs: list[Run]) -> None:
    for job in farm.jobs:
        own = [run for run in runs if run.block.job is job]
        _counts(job, own)
        for block in job.blocks:
            mine = [run for run in own if run.block is block]
            assert block.running_tasks_counter == len(mine)
            assert block.running_capacity_total == sum(run.capacity for run in mine)
            assert block.tasks_on == dict(Counter(run.render.id for run in mine))
        assert job.user.jobs.count(job) == 1
        assert job.branch_node.jobs[job.id] is job
        assert not farm.dirty_jobs
    for user in farm.users:
        _counts(user, [run for run in runs if run.block.job.user is user])
        assert user.jobs_num == len(user.jobs)
        assert user.running_jobs_num == sum(1 for job in user.jobs if job.counted_running)
        assert [-job.priority for job in user.jobs] == sorted(-job.priority for job in user.jobs)
        places = [job.list_place for job in user.jobs]
        assert places == sorted(set(places)), (user.name, places)
        for link in user.in_branch.values():
            mine = [r for r in runs if r.block.job.user is user and r.block.job.branch_node is link.branch]
            assert link.running_tasks_num == len(mine)
            assert link.running_capacity_total == sum(run.capacity for run in mine)
            assert set(link.jobs) == {job.id for job in user.jobs if job.branch_node is link.branch}


def _known_above(child: Any, names: tuple[str, ...]) -> list[int]:
    """Return the totals of a branch or pool as the node above knows them."""
    return [getattr(child, name) - child.rising.get(name, 0) - child.risen.get(name, 0) for name in names]


def _check_branches(farm: Farm) -> None:
    for branch in farm.branches:
        below = [job for job in farm.jobs if branch in job.branch_node.path()]
        sums = [0] * len(TOTALS)
        for job in branch.jobs.values():
            assert job.share == share_of_job(job), (job.name, job.share, share_of_job(job))
            sums = [a + b for a, b in zip(sums, job.share, strict=True)]
        for child in branch.children.values():
            sums = [a + b for a, b in zip(sums, _known_above(child, TOTALS), strict=True)]
        assert sums == [getattr(branch, name) for name in TOTALS], branch.name
        known = sum(1 + _known_above(child, ("branches_total",))[0] for child in branch.children.values())
        assert branch.branches_total == known
        _counts(branch, [run for job in below for block in job.blocks for run in block.runs.values()])


def _check_pools(farm: Farm, runs: list[Run]) -> None:
    for pool in farm.pools:
        below = pool.all_renders()
        own = pool.renders.values()
        sums = [sum(render.share[index] for render in own) for index in range(len(POOL_TOTALS))]
        for child in pool.children.values():
            sums = [a + b for a, b in zip(sums, _known_above(child, POOL_TOTALS), strict=True)]
        assert sums == [getattr(pool, name) for name in POOL_TOTALS], (pool.name, sums)
        mine = [run for run in runs if run.render in below]
        assert pool.run_tasks == len(mine)
        assert pool.run_capacity == sum(run.exec.capacity for run in mine)
        assert pool.running_services == dict(Counter(run.exec.service for run in mine))
        used: Counter[str] = Counter()
        hosts: dict[str, set[int]] = {}
        for run in mine:
            used.update(run.tickets)
            for name in run.tickets:
                hosts.setdefault(name, set()).add(run.render.id)
        for name, ticket in pool.tickets_pool.items():
            assert ticket[USAGE] == used[name], (pool.name, name)
            assert ticket[COUNT] != -1 or ticket[USAGE]
            if used[name]:
                assert ticket[HOSTS] == len(hosts[name])


def _check_solver(farm: Farm) -> None:
    solver = farm.solver
    for render in farm.renders:
        key = render.order_key() if render.is_ready() else None
        assert render.ready_key == key, render.name
        pool = render.pool_node
        assert pool is not None
        assert (key in solver.ready.get(pool.id, [])) == (key is not None)
    for keys in solver.ready.values():
        assert keys == sorted(keys)
    offered: Counter[Any] = Counter()
    for job in farm.jobs:
        own = Counter(block.profile for block in job.blocks if block.profile is not None)
        assert job.offers == dict(own), job.name
        offered.update(own)
    for profile, count in offered.items():
        assert profile.offers == count
    assert len(solver.profiles) == len(offered)
    for branch in farm.branches:
        standing = [job for job in branch.jobs.values() if job.on is branch.shelf]
        members: list[Any] = [*standing, *(b for b in branch.children.values() if b.on is branch.shelf)]
        members += [link for link in branch.users.values() if link.on is branch.shelf]
        expected: Counter[Any] = Counter()
        for member in members:
            expected.update(dict.fromkeys(member.offers, 1))
        assert branch.shelf.live == dict(expected), branch.name
        assert set(branch.offers) == set(expected)
