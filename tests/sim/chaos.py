"""A farm under random stress: lost, doubled and late messages, dying hosts, edits, deletions.

`Chaos(seed)` makes a farm and `step()` lets one random thing happen to it; after each the caller may check
whatever must always hold. Everything comes from the seed.
"""

from __future__ import annotations

import random
from typing import Any

from afanasy_py.core import hosts, joblife, registration, running
from afanasy_py.core.farm import Farm
from afanasy_py.core.pool import Pool
from afanasy_py.core.render import Render
from afanasy_py.core.task_states import DON, ERR, RUN
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType, TaskStatus
from afanasy_py.settings import Settings
from afanasy_py.sysjob.job import SystemJobKeeper

ENDS = (
    TaskStatus.FinishedSuccess,
    TaskStatus.FinishedSuccess,
    TaskStatus.FinishedSuccess,
    TaskStatus.FinishedError,
    TaskStatus.FinishedKilled,
    TaskStatus.FinishedParserError,
    TaskStatus.FinishedParserFatalError,
    TaskStatus.Skip,
)


class FakeHost:
    """A render host: what it runs, and messages that are still under way."""

    def __init__(self, name: str, resources: HostRes) -> None:
        self.name = name
        self.resources = resources
        self.render_id = 0
        #: {(job id, block, task): description}
        self.tasks: dict[tuple[int, int, int], TaskExec] = {}
        self.late: list[TaskUp] = []
        self.alive = False


class Chaos:
    """A farm and the hosts around it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1_000_000.0
        self.farm = Farm(Settings(), self.now)
        self.farm.make_roots()
        self.farm.sysjob = keeper = SystemJobKeeper(self.farm)
        keeper.make()
        self.farm.settle()
        rnd = self.random
        self.farm.root_branch.max_tasks_per_second = rnd.choice([-1, 10000, 100, 2])
        self.farm.root_branch.solve_jobs = rnd.random() < 0.5
        self.farm.root_pool.max_tasks_host = rnd.randint(1, 4)
        self.farm.root_pool.capacity_host = rnd.choice([1000, 2500, 5000])
        for name in ("/a", "/b"):
            pool = Pool(name=name, pattern=f"{name[1]}.*", parent_path="/", priority=rnd.randint(80, 120))
            if rnd.random() < 0.5:
                pool.tickets_pool["lic"] = [rnd.randint(1, 4), 0, 0, rnd.choice([-1, 1, 2])]
            self.farm.add_pool(pool, self.farm.root_pool)
        if rnd.random() < 0.5:
            self.farm.root_pool.tickets_pool["lic"] = [rnd.randint(1, 6), 0, 0, -1]
        self.hosts = [
            FakeHost(f"{rnd.choice('abc')}{index}", self._resources()) for index in range(rnd.randint(1, 6))
        ]
        self._job_number = 0

    def _resources(self) -> HostRes:
        rnd = self.random
        return HostRes(
            cpu_num=rnd.choice([4, 16]),
            cpu_mhz=3000,
            cpu_idle=90,
            mem_total_mb=64000,
            mem_free_mb=rnd.choice([1000, 16000, 64000]),
            hdd_total_gb=500,
            hdd_free_gb=rnd.choice([5, 300]),
        )

    # -- jobs

    def job_json(self) -> dict[str, Any]:
        """Return a random job as a client would submit it."""
        rnd = self.random
        self._job_number += 1
        blocks = []
        for index in range(rnd.choice([1, 1, 1, 2, 3])):
            block: dict[str, Any] = {
                "name": f"b{index}",
                "service": "generic",
                "capacity": rnd.choice([500, 1000, 1000, 2000]),
                "errors_retries": rnd.choice([-1, 0, 1]),
                "errors_avoid_host": rnd.choice([0, 1, 3]),
            }
            if rnd.random() < 0.7:
                block.update(flags=1, frame_first=1, frame_last=rnd.randint(1, 12))
                block["frames_per_task"] = rnd.choice([1, 1, 2])
                block["sequential"] = rnd.choice([1, 1, -1, 0, 3, -2])
            else:
                block["tasks"] = [{"name": f"t{n}", "command": "c"} for n in range(rnd.randint(1, 5))]
            if index and rnd.random() < 0.5:
                block[rnd.choice(["depend_mask", "tasks_depend_mask"])] = f"b{index - 1}"
            for key, values in (
                ("max_running_tasks", [1, 2]),
                ("max_running_tasks_per_host", [1]),
                ("need_memory", [2000, 50000]),
                ("hosts_mask", ["a", "b c"]),
                ("tickets", [{"lic": 1}, {"lic": 2}]),
            ):
                if rnd.random() < 0.2:
                    block[key] = rnd.choice(values)
            blocks.append(block)
        job: dict[str, Any] = {
            "name": f"j{rnd.randint(0, 5)}",
            "user_name": rnd.choice(["anna", "ben", "cara"]),
            "host_name": "ws",
            "priority": rnd.choice([99, 99, 100, 50, 0]),
            "branch": rnd.choice(["/", "/", "/film", "/film/deep"]),
            "blocks": blocks,
        }
        for key, values in (
            ("max_running_tasks", [1, 3]),
            ("max_running_tasks_per_host", [1]),
            ("max_tasks_per_second", [1]),
            ("depend_mask", ["j[0-2]"]),
            ("pools", [{"/a": 10}, {"/b": -100}, {"/a": 100}]),
            ("offline", [True]),
            ("hosts_mask_exclude", ["c"]),
            ("ignorenimby", [True]),
        ):
            if rnd.random() < 0.15:
                job[key] = rnd.choice(values)
        return job

    # -- steps

    def step(self) -> str:
        """Let one random thing happen; return its name."""
        rnd = self.random
        self.now += rnd.choice([0.0, 0.0, 0.01, 0.3, 1.0, 2.5])
        what = rnd.choice(
            ["beat"] * 8
            + ["finish"] * 8
            + ["job"] * 3
            + [
                "host_up",
                "host_up",
                "host_down",
                "late",
                "twice",
                "progress",
                "operate",
                "edit",
                "delete",
                "tick",
                "nimby",
            ]
        )
        getattr(self, f"_{what}")()
        return what

    def _begin(self) -> None:
        self.farm.begin(self.now)

    def _job(self) -> None:
        self._begin()
        if len(self.farm.jobs) < 12:
            job = registration.read_job(self.farm, self.job_json())
            registration.register(self.farm, job)
            registration.finish(self.farm, job)
        self.farm.settle()

    def _host_up(self) -> None:
        host = self.random.choice(self.hosts)
        if host.alive:
            return
        self._begin()
        if self.random.random() < 0.5:
            host.tasks.clear()
        told = RenderRecord(
            name=host.name,
            user_name="anna",
            st=1,
            os="unix linux 64",
            host_resources=host.resources,
            tasks=list(host.tasks.values()),
        )
        answer = hosts.register(self.farm, told, "127.0.0.1")
        self.farm.settle()
        if answer.id > 0:
            host.render_id, host.alive = answer.id, True
            self.farm.renders.by_id[answer.id].take_events()
            self._hear(host, answer)

    def _host_down(self) -> None:
        host = self.random.choice(self.hosts)
        if not host.alive:
            return
        self._begin()
        host.alive = False
        render = self.farm.renders.by_id.get(host.render_id)
        if render is not None:
            if self.random.random() < 0.5:
                hosts.deregister(self.farm, render.id)
                host.tasks.clear()
            elif render.is_online():
                hosts.go_offline(self.farm, render, TaskStatus.RenderZombie)
        self.farm.settle()

    def _update(self, host: FakeHost, updates: list[TaskUp]) -> None:
        self._begin()
        render = hosts.update(self.farm, RenderUpdate(id=host.render_id, taskups=updates))
        self.farm.settle()
        if isinstance(render, Render):
            events = render.take_events()
            if events is not None:
                # Through the wire and back, as a real host would get it.
                self._hear(
                    host, type(events).decode(MsgType.TRenderEvents, events.encode(MsgType.TRenderEvents))
                )
        else:
            host.alive = False

    def _hear(self, host: FakeHost, events: Any) -> None:
        if self.random.random() < 0.03:
            return  # the answer got lost on its way
        for task in events.tasks:
            host.tasks[task.job_id, task.block_num, task.task_num] = task
        for position in events.stops:
            key = (position.job_id, position.block_num, position.task_num)
            if key in host.tasks:
                host.late.append(self._end(host, key, TaskStatus.FinishedKilled))

    def _end(self, host: FakeHost, key: tuple[int, int, int], status: int) -> TaskUp:
        host.tasks.pop(key, None)
        return TaskUp(
            client_id=host.render_id,
            job_id=key[0],
            block_num=key[1],
            task_num=key[2],
            number=0,
            status=status,
        )

    def _beat(self) -> None:
        host = self.random.choice(self.hosts)
        if host.alive:
            late, host.late = host.late, []
            self._update(host, late)

    def _finish(self) -> None:
        host = self.random.choice(self.hosts)
        if host.alive and host.tasks:
            key = self.random.choice(list(host.tasks))
            update = self._end(host, key, self.random.choice(ENDS))
            if self.random.random() < 0.1:
                host.late.append(update)
            else:
                self._update(host, [update])

    def _late(self) -> None:
        """A host tells of a task that it never had."""
        host = self.random.choice(self.hosts)
        if host.alive:
            update = TaskUp(
                client_id=host.render_id,
                job_id=self.random.randint(-1, 8),
                block_num=self.random.randint(-1, 3),
                task_num=self.random.randint(-1, 6),
                number=0,
                status=self.random.choice(ENDS),
            )
            self._update(host, [update])

    def _twice(self) -> None:
        host = self.random.choice(self.hosts)
        if host.alive and host.tasks:
            key = self.random.choice(list(host.tasks))
            update = self._end(host, key, self.random.choice(ENDS))
            self._update(host, [update, update])

    def _progress(self) -> None:
        host = self.random.choice(self.hosts)
        if host.alive and host.tasks:
            key = self.random.choice(list(host.tasks))
            status = self.random.choice([TaskStatus.Percent, TaskStatus.Warning])
            percent = self.random.randint(-1, 120)
            update = TaskUp(
                client_id=host.render_id,
                job_id=key[0],
                block_num=key[1],
                task_num=key[2],
                number=0,
                status=status,
                percent=percent,
                frame=self.random.randint(-1, 5),
            )
            self._update(host, [update])

    def _some_job(self) -> Any:
        jobs = [job for job in self.farm.jobs if not job.is_sysjob() and not job.deleting]
        return self.random.choice(jobs) if jobs else None

    def _operate(self) -> None:
        job = self._some_job()
        if job is None:
            return
        self._begin()
        block = self.random.choice(job.blocks)
        with_st, set_st = self.random.choice(
            [
                (0, 1),
                (~DON, DON),
                (~DON, DON | 1 << 8),
                (DON, 1),
                (ERR, 1),
                (RUN, 0),
                (1 | RUN | 1 << 8, 1 << 20),
                (1 << 20, 1),
            ]
        )
        for number in range(block.tasks.num):
            if self.random.random() < 0.5:
                running.operate(self.farm, block, number, with_st, set_st)
        self.farm.touch_whole_job(job)
        self.farm.settle()

    def _edit(self) -> None:
        job = self._some_job()
        if job is None:
            return
        self._begin()
        key, value = self.random.choice(
            [
                ("max_running_tasks", 2),
                ("max_running_tasks", -1),
                ("max_running_tasks_per_host", 1),
                ("max_tasks_per_second", -1),
                ("max_tasks_per_second", 0),
                ("need_memory", 5000),
                ("hosts_mask", ""),
                ("hosts_mask", "b"),
            ]
        )
        setattr(job, key, value)
        job.demands = None
        job.st ^= 1 << 9
        self.farm.solver.offer_anew([job])
        self.farm.touch_whole_job(job)
        self.farm.settle()

    def _delete(self) -> None:
        job = self._some_job()
        if job is not None:
            self._begin()
            joblife.delete(self.farm, job)
            self.farm.settle()

    def _tick(self) -> None:
        self.now += self.random.choice([0.5, 3.0, 20.0])
        self.farm.tick(self.now)

    def _nimby(self) -> None:
        host = self.random.choice(self.hosts)
        render = self.farm.renders.by_id.get(host.render_id)
        if render is not None:
            self._begin()
            hosts.set_nimby(self.farm, render, self.random.choice([0, 2, 4]))
            self.farm.settle()


def check_limits(farm: Farm) -> None:
    """Assert that no limit is exceeded beyond what was running when it was lowered, and no task runs twice."""
    seen = set()
    for render in farm.renders:
        for key in render.runs:
            assert key not in seen, f"task {key} runs twice"
            seen.add(key)
        if render.runs:
            assert render.is_online()
    for pool in farm.pools:
        for count, usage, _hosts, _most in pool.tickets_pool.values():
            assert usage >= 0
            assert count == -1 or usage >= 0


def check_nothing_was_missed(farm: Farm) -> None:
    """Assert that nothing can start, when everything is looked at again as if it had changed."""
    for render in farm.renders:
        farm.solver.touch_render(render)
    for profile in farm.root_branch.offers:
        farm.solver.touch_profile(profile)
    missed: list[tuple[str, int, str]] = []

    def note(block: Any, number: int, render: Render) -> None:
        missed.append((block.job.name, number, render.name))
        raise AssertionError(f"could have started: {missed}")

    farm.solver.solve(note)
