"""A farm with its system job and hosts that do what the test says; the farm is checked after every step."""

import json
from typing import Any

from afanasy_py.core import hosts
from afanasy_py.core.farm import Farm
from afanasy_py.core.render import Render
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.core.running import update_task
from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.records.address import NetIF
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.settings import Settings
from afanasy_py.sysjob.block import SystemBlock
from afanasy_py.sysjob.job import POST_COMMANDS, SystemJobKeeper

ADDRESS = "127.0.0.1"
NOW = 1_800_000_000.0


class SystemFarm:
    """A farm and its system job."""

    def __init__(self, **settings: Any) -> None:
        self.farm = Farm(Settings(**settings), NOW)
        self.farm.now = NOW
        self.farm.make_roots()
        self.farm.sysjob = self.keeper = SystemJobKeeper(self.farm)
        self.keeper.make()
        self.farm.root_pool.zombie_time = 1_000_000
        self.settle()

    def block(self, number: int = POST_COMMANDS) -> SystemBlock:
        """Return a block of the system job."""
        return self.keeper.block(number)

    def settle(self) -> None:
        """Bring the farm up to date and check it."""
        self.farm.settle()
        self.farm.validate()

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due in it happen."""
        end = self.farm.now + seconds
        while (due := self.farm.next_time()) is not None and due <= end:
            self.farm.tick(due)
        self.farm.tick(end)
        self.farm.validate()

    def queue(self, *texts: str, block: int = POST_COMMANDS) -> None:
        """Queue commands of one user and job."""
        for text in texts:
            self.keeper.add_command(block, text, "", "artist", "film")
        self.settle()

    def add_render(self, name: str = "host", room: int = 1, **fields: Any) -> Render:
        """Register an online render with room for some tasks of the system job."""
        self.farm.root_pool.capacity_host = room * 1000
        self.farm.root_pool.max_tasks_host = room
        fields.setdefault("netifs", [NetIF(name="eth0", mac=bytes([2, 0, 0, 0, 0, 1]))])
        hosts.register(self.farm, RenderRecord(name=name, st=1, **fields), ADDRESS)
        self.settle()
        return self.farm.renders.by_name[name]

    def running(self, render: Render) -> list[TaskExec]:
        """Return what a render runs."""
        return [run.exec for run in render.runs.values()]

    def end(
        self, render: Render, status: int = TaskStatus.FinishedSuccess, output: str = "", task: int = -1
    ) -> str:
        """Let a render end a task, the first one unless told otherwise; return its command."""
        found = (
            self.running(render)[0]
            if task < 0
            else next(t for t in self.running(render) if t.task_num == task)
        )
        update = TaskUp(
            client_id=render.id,
            job_id=found.job_id,
            block_num=found.block_num,
            task_num=found.task_num,
            number=found.number,
            status=status,
            data=output.encode(),
        )
        update_task(self.farm, update, render)
        self.settle()
        return str(found.command_task)

    def run_all(self, render: Render) -> list[str]:
        """Let a render run whatever it gets until there is nothing more; return the commands in order."""
        done = []
        self.farm.root_branch.max_tasks_per_second = -1
        while self.running(render):
            done.append(self.end(render))
        return done

    def ask(self, root: dict[str, Any]) -> Any:
        """Send a JSON request; return the answer."""
        answer = handle_json(self.farm, root, Caller(ADDRESS))
        self.settle()
        assert isinstance(answer, JsonAnswer)
        return json.loads(answer.text)

    def act(self, kind: str, ids: list[int], **what: Any) -> Any:
        """Do an action; an operation without members may be given by its name."""
        if isinstance(what.get("operation"), str):
            what["operation"] = {"type": what["operation"]}
        action = {"type": kind, "ids": ids, "user_name": "admin", "host_name": "ws01", **what}
        return self.ask({"action": action})

    def add_job(self, name: str = "film", **fields: Any) -> int:
        """Register a job of `artist` with one numeric block of one task that no host takes; return its id."""
        block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1}
        job = {"name": name, "user_name": "artist", "host_name": "ws01", "offline": True, "blocks": [block]}
        return int(self.ask({"job": {**job, **fields}})["id"])

    def task_log(self, block: int = POST_COMMANDS) -> list[str]:
        """Return the texts in the log of the dummy task of a block."""
        return self.block(block).tasks.logs.get(0, [])[2::3]

    def job_log(self) -> list[str]:
        """Return the texts in the log of the system job."""
        return [line.info for line in self.keeper.job.log_lines or ()]
