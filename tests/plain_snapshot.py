"""Makes the snapshot that the plain solver takes of a farm of the server."""

from __future__ import annotations

from typing import Any

from afanasy_py.core import branch as core_branch
from afanasy_py.core import farm as core_farm
from afanasy_py.core.block import NUMERIC, VAR_CAPACITY
from afanasy_py.core.job import FLAG_IGNORE_NIMBY, FLAG_IGNORE_PAUSED, FLAG_MAINTENANCE, FLAG_PPA
from afanasy_py.core.node import MASK_REGEX, SOLVE_CAPACITY, SOLVE_PRIORITY
from afanasy_py.core.render import BUSY, NIMBY_ALL, NIMBY_OWN, ONLINE, PAUSED, SICK, WOL_FALLING
from afanasy_py.core.task_states import OFF, RDY, WDP, WTM
from tests import plain_solver as plain

_LIMITS = (
    "name", "priority", "max_tasks_per_second", "max_running_tasks", "max_running_tasks_per_host",
    "hosts_mask", "hosts_mask_exclude", "need_os", "need_properties", "need_power", "need_memory", "need_hdd",
)  # fmt: skip
_BLOCK = (
    "service", "capacity", "capacity_coeff_min", "capacity_coeff_max", "frame_first", "frame_last",
    "frames_per_task", "frames_inc", "sequential", "max_running_tasks", "max_running_tasks_per_host",
    "hosts_mask", "hosts_mask_exclude", "need_properties", "need_power", "need_memory", "need_hdd",
    "need_gpu_mem_mb", "need_cpu_freq_mgz", "need_cpu_cores", "need_cpu_freq_cores",
)  # fmt: skip
_PLACE = ("name", "priority", "capacity_host", "max_tasks_host", "power_host", "properties_host")


def _take(node: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(node, name) for name in names}


def _turn_of_a_start(farm: core_farm.Farm) -> int:
    """The number that a host which becomes busy now is given in place of a time."""
    return farm._turn + (farm.now >= farm._turn_at + core_farm.TURN_PAUSE)


class Snapshot:
    """A snapshot of a farm, and which object of it stands for which node."""

    def __init__(self, farm: core_farm.Farm) -> None:
        self._core = farm
        self._hosts = {render.id: render.name for render in farm.renders.by_id.values()}
        self._pools: dict[int, plain.Pool] = {}
        self._branches: dict[int, plain.Branch] = {}
        root = self._branch(farm.root_branch, None)
        self.farm = plain.Farm(root=root, now=_turn_of_a_start(farm), solved=farm.solver.turns)
        self.farm.renders = [self._render(render) for render in farm.renders]
        jobs = {}
        for user in sorted(farm.users.by_id.values(), key=lambda user: user.id):
            mine = plain.User(id=user.id, paused=user.paused, **self._work(user))
            mine.in_branch = {
                link.branch.name: [link.running_tasks_num, link.running_capacity_total]
                for link in user.in_branch.values()
            }
            for job in user.jobs:
                jobs[job.id] = self._job(job, mine)
                mine.jobs.append(jobs[job.id])
            self.farm.users.append(mine)
        for job in farm.jobs:  # in the order of the container
            if job.id in jobs:
                jobs[job.id].branch.jobs.append(jobs[job.id])

    def _work(self, node: Any) -> dict[str, Any]:
        in_window = self._core.now < node.window_opened + 1.0
        return {
            **_take(node, _LIMITS),
            "pools": dict(node.pools),
            "masks_are_regex": bool(node.work_flags & MASK_REGEX),
            "solve_priority": bool(node.work_flags & SOLVE_PRIORITY),
            "solve_capacity": bool(node.work_flags & SOLVE_CAPACITY),
            "running_tasks": node.running_tasks_num,
            "running_capacity": node.running_capacity_total,
            "tasks_on": self._named(node.tasks_on),
            "solved": node.last_solved,
            "starts": node.window_starts if in_window else 0,
        }

    def _named(self, tasks_on: dict[int, int]) -> dict[str, int]:
        return {self._hosts[number]: count for number, count in tasks_on.items()}

    def _branch(self, branch: core_branch.Branch, parent: plain.Branch | None) -> plain.Branch:
        mine = plain.Branch(
            parent=parent, solve_jobs=branch.solve_jobs, paused=branch.paused, **self._work(branch)
        )
        self._branches[branch.id] = mine
        children = set(branch.children)
        mine.children = [self._branch(child, mine) for child in self._core.branches if child.id in children]
        return mine

    def _job(self, job: Any, user: plain.User) -> plain.Job:
        mine = plain.Job(
            id=job.id,
            user=user,
            branch=self._branches[job.branch_node.id],
            time_creation=job.time_creation,
            locked=job.locked or job.gone,
            off=bool(job.st & OFF),
            waits=bool(job.st & (WDP | WTM)),
            ppa=bool(job.flags & FLAG_PPA),
            maintenance=bool(job.flags & FLAG_MAINTENANCE),
            ignorenimby=bool(job.flags & FLAG_IGNORE_NIMBY),
            ignorepaused=bool(job.flags & FLAG_IGNORE_PAUSED),
            **self._work(job),
        )
        mine.blocks = [self._block(block) for block in job.blocks]
        mine.try_next = [*zip(job.try_this_blocks_num, job.try_this_tasks_num, strict=False)]
        return mine

    def _block(self, block: Any) -> plain.Block:
        mine = plain.Block(
            numeric=bool(block.flags & NUMERIC),
            variable_capacity=bool(block.flags & VAR_CAPACITY),
            waits=bool(block.st & WDP),
            tickets=dict(block.tickets),
            avoids={name for name in self._hosts.values() if block.avoids(name)},
            running_tasks=block.running_tasks_counter,
            tasks_on=self._named(block.tasks_on),
            **_take(block, _BLOCK),
        )
        names = bool(block.job.flags & FLAG_MAINTENANCE)
        for number in range(block.tasks.num):
            mine.tasks.append(
                plain.Task(
                    ready=bool(block.tasks.st[number] & RDY),
                    name=block.task_name(number) if names else "",
                    avoids={name for name in self._hosts.values() if block.task_avoids(number, name)},
                )
            )
        return mine

    def _place(self, node: Any) -> dict[str, Any]:
        return {
            **_take(node, _PLACE),
            "services": [*node.services],
            "services_disabled": [*node.services_disabled],
            "tickets_host": {name: [*ticket] for name, ticket in node.tickets_host.items()},
        }

    def _pool(self, pool: Any) -> plain.Pool:
        if pool.id not in self._pools:
            self._pools[pool.id] = plain.Pool(
                parent=self._pool(pool.pool_node) if pool.pool_node is not None else None,
                paused=pool.paused,
                tickets_pool={name: [*ticket] for name, ticket in pool.tickets_pool.items()},
                **self._place(pool),
            )
        return self._pools[pool.id]

    def _render(self, render: Any) -> plain.Render:
        resources = render.host_resources
        return plain.Render(
            pool=self._pool(render.pool_node) if render.pool_node is not None else None,
            online=bool(render.st & ONLINE),
            sick=bool(render.st & SICK),
            falling_asleep=bool(render.st & WOL_FALLING),
            nimby=bool(render.st & NIMBY_OWN),
            NIMBY=bool(render.st & NIMBY_ALL),
            paused=bool(render.st & PAUSED),
            busy=bool(render.st & BUSY) and not render.vacant,
            user_name=render.user_name,
            os=render.os,
            mem_free_mb=resources.mem_free_mb,
            hdd_free_gb=resources.hdd_free_gb,
            gpu_mem_free_mb=resources.gpu_mem_total_mb - resources.gpu_mem_used_mb,
            cpu_num=resources.cpu_num,
            cpu_mhz=resources.cpu_mhz,
            start_finish_time=render.turn,
            running_tasks=len(render.runs),
            capacity_used=render.capacity_used,
            **self._place(render),
        )
