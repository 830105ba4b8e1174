"""A farm in a bottle: the real core with simulated hosts on a virtual clock.

Time jumps from one event to the next, so a day of a farm passes in seconds. All chance comes from one
seeded generator, and nothing depends on the order of hashes: the same scenario and seed give the same trace.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from afanasy_py.core import hosts, registration
from afanasy_py.core.block import Block
from afanasy_py.core.farm import Farm
from afanasy_py.core.render import Render
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.settings import Settings
from afanasy_py.sim.scenario import HostGroup, JobGroup, Scenario
from afanasy_py.sysjob.job import SystemJobKeeper

#: The virtual day begins at this moment, Unix seconds.
START = 1_000_000_000

#: Simulated hosts report when something happened, and this often to be known alive, seconds.
ALIVE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Start:
    """A task started: one line of the trace."""

    time: float
    job: str
    user: str
    block: int
    task: int
    host: str


@dataclass(slots=True)
class Host:
    """A simulated host."""

    name: str
    group: HostGroup
    render: Render | None = None
    #: {(job id, block, task): number of the event that ends it}
    running: dict[tuple[int, int, int], int] = field(default_factory=dict)


class _WatchedFarm(Farm):
    """A farm that tells which renders were given something to do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given: dict[int, Render] = {}

    def _start(self, block: Block, number: int, render: Render) -> None:
        super()._start(block, number, render)
        self.given[render.id] = render


class World:
    """A farm, its hosts and what will happen to them."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.random = random.Random(seed)
        self.now = float(START)
        self.farm = _WatchedFarm(Settings(), self.now)
        self.farm.keeps_statistics = False
        self.farm.make_roots()
        self.farm.sysjob = keeper = SystemJobKeeper(self.farm)
        keeper.make()
        self.farm.root_branch.max_tasks_per_second = scenario.max_tasks_per_second
        self.farm.root_pool.zombie_time = ALIVE_SECONDS * 3
        self.hosts: dict[int, Host] = {}
        self.trace: list[Start] = []
        #: Seconds of work that hosts did for each user.
        self.worked: dict[str, float] = {}
        #: (time, number, what, arguments)
        self._events: list[tuple[float, int, str, tuple[Any, ...]]] = []
        self._number = 0
        self._arrived: dict[int, float] = {}
        #: {user: seconds from arrival to the first start, one for each job}
        self.waited: dict[str, list[float]] = {}
        self.done_at: dict[str, float] = {}
        #: (time, busy hosts, waiting tasks) each sample.
        self.samples: list[tuple[float, int, int]] = []
        self._make_pools()
        self._schedule()

    # -- setting up

    def _make_pools(self) -> None:
        from afanasy_py.core.pool import Pool

        farm = self.farm
        root = farm.root_pool
        root.max_tasks_host, root.capacity_host = 1, 1000
        for spec in self.scenario.pools:
            pool = Pool(name=spec.name, pattern=spec.pattern, priority=spec.priority, parent_path="/")
            farm.add_pool(pool, root)
        for spec_user in self.scenario.users:
            user = registration.new_user(farm, spec_user.name)
            user.priority = spec_user.priority
            farm.add_user(user)

    def _schedule(self) -> None:
        for group in self.scenario.hosts:
            for index in range(group.count):
                self.add(self.random.uniform(*group.at), "host_comes", group, f"{group.name}{index + 1:04d}")
        for jobs in self.scenario.jobs:
            for index in range(jobs.count):
                self.add(self.random.uniform(*jobs.at), "job_comes", jobs, index)
        self.add(0.0, "sample")

    def add(self, delay: float, what: str, *args: Any) -> int:
        """Let something happen `delay` seconds after now; return its number."""
        self._number += 1
        heappush(self._events, (self.now + delay, self._number, what, args))
        return self._number

    # -- running

    def run(self) -> None:
        """Let the time of the scenario pass."""
        end = START + self.scenario.duration
        farm = self.farm
        while self._events:
            when, number, what, args = self._events[0]
            due = farm.next_time()
            if due is not None and due < when:
                self.now = max(self.now, due)
                if self.now > end:
                    break
                farm.tick(self.now)
                self._deliver()
                continue
            if when > end:
                break
            heappop(self._events)
            self.now = max(self.now, when)
            getattr(self, f"_on_{what}")(number, *args)
            self._deliver()
        self.now = float(end)

    def _deliver(self) -> None:
        """Let hosts hear of what the farm gave them, as with their next heartbeat."""
        given, self.farm.given = self.farm.given, {}
        for render in given.values():
            host = self.hosts[render.id]
            self._hear(host)
        self.farm.changes.__init__()  # type: ignore[misc]

    def _hear(self, host: Host) -> None:
        render = host.render
        if render is None:
            return
        events = render.take_events()
        if events is None:
            return
        for task in events.tasks:
            key = (task.job_id, task.block_num, task.task_num)
            if key in host.running:
                continue
            seconds = self.scenario.seconds_of(task.job_name, task.block_num, self.random)
            host.running[key] = self.add(seconds, "task_ends", host, key, seconds, task.user_name)
            self._note_start(host, task)
        for position in events.stops:
            key = (position.job_id, position.block_num, position.task_num)
            if host.running.pop(key, None) is not None:
                self._report(host, key, TaskStatus.FinishedKilled)

    def _note_start(self, host: Host, task: Any) -> None:
        self.trace.append(
            Start(self.now - START, task.job_name, task.user_name, task.block_num, task.task_num, host.name)
        )
        arrived = self._arrived.pop(task.job_id, None)
        if arrived is not None:
            self.waited.setdefault(task.user_name, []).append(self.now - arrived)

    def _report(self, host: Host, key: tuple[int, int, int], status: int) -> None:
        render = host.render
        assert render is not None
        update = TaskUp(
            client_id=render.id, job_id=key[0], block_num=key[1], task_num=key[2], number=0, status=status
        )
        self._update(host, [update])

    def _update(self, host: Host, updates: list[TaskUp]) -> None:
        render = host.render
        assert render is not None
        self.farm.begin(self.now)
        hosts.update(self.farm, RenderUpdate(id=render.id, taskups=updates))
        self.farm.settle()
        self.farm.given[render.id] = render

    # -- what happens

    def _on_host_comes(self, _number: int, group: HostGroup, name: str) -> None:
        self.farm.begin(self.now)
        resources = HostRes(
            cpu_num=group.cpu_num,
            cpu_mhz=3000,
            cpu_idle=90,
            mem_total_mb=group.memory_mb,
            mem_free_mb=group.memory_mb,
            hdd_total_gb=500,
            hdd_free_gb=400,
        )
        told = RenderRecord(
            name=name, user_name="render", priority=99, st=1, os="unix linux 64", host_resources=resources
        )
        answer = hosts.register(self.farm, told, "")
        render = self.farm.renders.by_id[answer.id]
        self.hosts[render.id] = host = Host(name, group, render)
        render.pending = answer
        self.farm.settle()
        self.farm.given[render.id] = render
        self.add(self.random.uniform(0, ALIVE_SECONDS), "alive", host)
        if group.lifetime is not None:
            self.add(self.random.uniform(*group.lifetime), "host_dies", host)

    def _on_alive(self, _number: int, host: Host) -> None:
        if host.render is not None:
            self._update(host, [])
            self.add(ALIVE_SECONDS, "alive", host)

    def _on_host_dies(self, _number: int, host: Host) -> None:
        """The host falls silent; the farm finds out by its silence."""
        render, host.render = host.render, None
        host.running.clear()
        if render is not None:
            self.hosts.pop(render.id, None)
            self.farm.begin(self.now)
            hosts.go_offline(self.farm, render, TaskStatus.RenderZombie)
            self.farm.settle()

    def _on_job_comes(self, _number: int, group: JobGroup, index: int) -> None:
        self.farm.begin(self.now)
        job = registration.read_job(self.farm, group.json(index))
        registration.register(self.farm, job)
        registration.finish(self.farm, job)
        self._arrived[job.id] = self.now
        self.farm.settle()

    def _on_task_ends(
        self, number: int, host: Host, key: tuple[int, int, int], seconds: float, user_name: str
    ) -> None:
        if host.running.get(key) != number:
            return
        del host.running[key]
        self.worked[user_name] = self.worked.get(user_name, 0.0) + seconds
        failed = self.random.random() < self.scenario.error_rate
        self._report(host, key, TaskStatus.FinishedError if failed else TaskStatus.FinishedSuccess)
        job = self.farm.jobs.by_id.get(key[0])
        if job is not None and job.is_done():
            self.done_at[job.name] = self.now - START

    def _on_sample(self, _number: int) -> None:
        root = self.farm.root_branch
        self.samples.append((self.now - START, self.farm.root_pool.renders_busy, root.tasks_ready))
        self.add(self.scenario.sample_seconds, "sample")


__all__ = ["START", "Host", "Start", "TaskPos", "World"]
