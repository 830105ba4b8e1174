"""Random actions, also senseless ones, between random ends of tasks: nothing may drift (`core.validate`)."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from afanasy_py.core import fields, hosts
from afanasy_py.core.actions import blocks, branches, jobs, pools, renders
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.msg.types import TaskStatus
from tests.core.action_farm import ActionFarm, explicit, numeric

STEPS = 300

VALUES: tuple[Any, ...] = (
    0, 1, -1, 2, 99, 300, -5, 2**31 - 1, 2**40, True, False, None, "", "host", "[", "host.*", "a|b", [],
    ["generic"], {}, {"a": 1}, {"t": [1]}, {"t": 1}, {"t": [0, 0, 0, 1]}, "solve_priority", "solve_order",
    "regex", "find", "/show", "artist", "other",
)  # fmt: skip

#: What lets a farm go on that has become stuck.
SANE = {
    "priority": 50, "max_running_tasks": -1, "max_running_tasks_per_host": -1, "max_tasks_per_second": -1,
    "hosts_mask": "", "hosts_mask_exclude": "", "need_os": "", "need_properties": "", "need_power": 0,
    "need_memory": 0, "need_hdd": 0, "pools": {}, "paused": False, "capacity_host": 3000, "max_tasks_host": 4,
    "nimby": False, "services": [], "services_disabled": [], "time_wait": 0, "depend_mask": "",
}  # fmt: skip

ENDS = (TaskStatus.FinishedSuccess, TaskStatus.FinishedError, TaskStatus.FinishedKilled, TaskStatus.Skip)

PARAMS: dict[str, tuple[fields.Field, ...]] = {
    "jobs": (*fields.JOB_PARAMS, *fields.NODE_FIELDS, *fields.NODE_FIELDS),
    "users": (*fields.USER_PARAMS, *fields.NODE_FIELDS),
    "branches": (*fields.BRANCH_PARAMS, *fields.NODE_FIELDS),
    "pools": (*fields.POOL_PARAMS, *fields.NODE_FIELDS),
    "renders": (*fields.RENDER_PARAMS, *fields.NODE_FIELDS),
}

MOVES = ("move_jobs_up", "move_jobs_down", "move_jobs_top", "move_jobs_bottom", "delete")
OPERATIONS: dict[str, tuple[str, ...]] = {
    "jobs": (*jobs.job_operation.by_name, "start", "start", "start"),
    "users": MOVES,
    "branches": (*branches.branch_operation.by_name, "start"),
    "pools": tuple(pools.pool_operation.by_name),
    "renders": tuple(renders.render_operation.by_name),
}


class Chaos:
    """A farm to which things happen."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fake = ActionFarm()
        self.farm = self.fake.farm

    def step(self) -> None:
        """Let one thing happen, now or a little later."""
        for render in self.farm.renders:
            render.time_update = int(self.farm.now)
        self.farm.begin(self.farm.now + self.random.choice((0, 0, 0.3, 1, 3)))
        weights: dict[Callable[[], None], int] = {
            self.add_job: 6, self.add_host: 4, self.lose_host: 2, self.heal: 3,
            self.end_run: 35, self.act: 45,
        }  # fmt: skip
        self.random.choices(list(weights), list(weights.values()))[0]()
        self.fake.settle()

    def add_job(self) -> None:
        if len(self.farm.jobs) < 20:
            more: Any = ({}, {"tasks_depend_mask": "b0"}, {"tickets": {"t": 1}}, {"sequential": 2})
            make = self.random.choice((numeric, explicit))
            self.fake.add_job(
                self.random.choice("abc"),
                user_name=self.random.choice(("artist", "other")),
                branch=self.random.choice(("/", "/show", "/a/b")),
                blocks=[
                    make(f"b{n}", self.random.randint(1, 5), **self.random.choice(more)) for n in range(2)
                ],
            )

    def add_host(self) -> None:
        name = f"host{self.random.randint(1, 5)}"
        known = self.farm.renders.by_name.get(name)
        if known is None or not known.is_online():
            self.fake.add_render(name, room=3)

    def lose_host(self) -> None:
        if len(self.farm.renders):
            hosts.deregister(self.farm, self.random.choice(list(self.farm.renders)).id)

    def end_run(self) -> None:
        busy = [render for render in self.farm.renders if render.runs]
        if busy:
            self.fake.end_run(self.random.choice(busy), self.random.choice(ENDS))

    def act(self) -> None:
        kind = self.random.choice(("jobs", "jobs", "jobs", *PARAMS))
        nodes = list(getattr(self.farm, kind))
        action: dict[str, Any] = {"type": kind, "user_name": "artist", "host_name": "ws"}
        if nodes:
            action["ids"] = [self.random.choice(nodes).id]
            params, operations = PARAMS[kind], OPERATIONS[kind]
            if kind == "jobs" and self.random.random() < 0.5:
                action["block_ids"] = self.random.choice(([-1], [0], [1, 0], [7]))
                params, operations = fields.BLOCK_PARAMS, tuple(blocks.block_operation.by_name)
            if self.random.random() < 0.6:
                action["operation"] = {"type": self.random.choice(operations), **self.members()}
            if "operation" not in action or self.random.random() < 0.3:
                names = [self.random.choice(params).name for _ in range(2)]
                action["params"] = {name: self.random.choice(VALUES) for name in names}
            self.send(action)

    def members(self) -> dict[str, Any]:
        """Return what operations of all kinds may want."""
        return {
            "task_ids": self.random.choice(([], [0], [1, 2], [0, 9])),
            "tasks": [{"name": "n"}] * self.random.randint(0, 2),
            "blocks": [numeric("z", self.random.randint(1, 3), tasks_depend_mask="b0")],
            "name": self.random.choice(("t", "generic", "p1", "/", "/p1")),
            "count": self.random.randint(-1, 3),
            "max_hosts": self.random.randint(-1, 2),
            "host": self.random.random() < 0.5,
            "mode": self.random.choice(
                ("", "affect_depends", "append", "remove", "service_add", "service_disable")
            ),
            "mask": self.random.choice(("g", "")),
            "cmd": "true",
            "jids": [job.id for job in self.farm.jobs if self.random.random() < 0.3],
        }

    def heal(self) -> None:
        for kind in PARAMS:
            for node in list(getattr(self.farm, kind)):
                action = {"type": kind, "ids": [node.id], "user_name": "artist", "host_name": "ws"}
                self.send({**action, "params": SANE})
                if kind in ("jobs", "branches"):
                    self.send({**action, "operation": {"type": "start"}})

    def send(self, action: dict[str, Any]) -> None:
        handle_json(self.farm, {"action": action}, Caller("10.0.0.1"))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_drifts_whatever_is_done(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(STEPS):
        chaos.step()
    assert chaos.farm.solver.turns > 20
