"""A small farm for tests of actions: builders, and `act`, which checks the farm after every action."""

import json
from typing import Any

from afanasy_py.core import hosts, registration
from afanasy_py.core.farm import Farm
from afanasy_py.core.job import Job
from afanasy_py.core.render import Render
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.core.running import update_task
from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.settings import Settings

ADDRESS = "10.0.0.1"
DONE = ("log", "Action processed.")


def numeric(name: str = "render", last: int = 3, **fields: Any) -> dict[str, Any]:
    """Return a block of frames from 1."""
    return {"name": name, "service": "generic", "flags": 1, "frame_first": 1, "frame_last": last, **fields}


def explicit(name: str = "render", tasks: int = 2, **fields: Any) -> dict[str, Any]:
    """Return a block of named tasks."""
    return {"name": name, "service": "generic", "tasks": [{"name": f"t{n}"} for n in range(tasks)], **fields}


class ActionFarm:
    """A farm with its roots and a system job that does nothing."""

    def __init__(self) -> None:
        self.farm = Farm(Settings(), now=1000.0)
        self.farm.now = 1000.0
        self.farm.make_roots()
        self.add_job("afanasy", user_name="afadmin", offline=True, blocks=[explicit("events", 1)])

    def add_job(self, name: str = "job", **fields: Any) -> Job:
        """Register a job of `artist` with one numeric block of three tasks, unless told otherwise."""
        job = registration.read_job(
            self.farm, {"name": name, "user_name": "artist", "blocks": [numeric()], **fields}
        )
        registration.register(self.farm, job)
        registration.prepare_new(self.farm, job)
        self.settle()
        self.farm.cycle.end()  # the job shows its states
        return job

    def add_render(self, name: str = "host", room: int = 1, **fields: Any) -> Render:
        """Register an online render of nobody's with room for some tasks of usual capacity."""
        self.farm.root_pool.capacity_host = room * 1000
        hosts.register(self.farm, RenderRecord(name=name, st=1, **fields), ADDRESS)
        self.settle()
        return self.farm.renders.by_name[name]

    def end_run(self, render: Render, status: int) -> None:
        """Let a render report the end of the first task that it runs."""
        task = next(iter(render.runs.values())).exec
        update = TaskUp(
            client_id=render.id,
            job_id=task.job_id,
            block_num=task.block_num,
            task_num=task.task_num,
            number=task.number,
            status=status,
        )
        update_task(self.farm, update, render)
        self.settle()

    def settle(self) -> None:
        """Bring the farm up to date and check it."""
        self.farm.settle()
        self.farm.validate()

    def act(self, kind: str, ids: Any, **more: Any) -> Any:
        """Do an action; return kind and text of the answer, or the object that was answered.

        Args:
            kind: Type of the nodes.
            ids: A node, a list of ids, or a mask.
            more: Members of the action; `operation` may be the name of one without members.
        """
        action: dict[str, Any] = {"type": kind, "user_name": "artist", "host_name": "ws"}
        if isinstance(ids, str):
            action["mask"] = ids
        else:
            action["ids"] = ids if isinstance(ids, list) else [ids.id]
        if isinstance(more.get("operation"), str):
            more["operation"] = {"type": more["operation"]}
        answer = self.send({**action, **more})
        if "object" in answer:
            return answer["object"]
        return answer["info"]["kind"], answer["info"]["text"]

    def send(self, action: Any) -> Any:
        """Send an action as it is; return the answer."""
        answer = handle_json(self.farm, {"action": action}, Caller(ADDRESS))
        self.settle()
        assert isinstance(answer, JsonAnswer)
        return json.loads(answer.text)


def last_line(node: Any) -> tuple[str, str, str, str]:
    """Return subject, type, object and info of the last line in a node's log."""
    line = node.log_lines[-1]
    return line.subject, line.type, line.object, line.info


def states(job: Job, block: int = 0) -> list[int]:
    """Return the states of the tasks of a block."""
    return list(job.blocks[block].tasks.st)
