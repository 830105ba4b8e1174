"""Plays recorded scheduling scenarios against the core, on a virtual clock.

The steps, what is watched and what is expected come from the recordings; hosts are simulated here. Waiting
costs nothing: the clock jumps. See the scheduling spec, section 10.
"""

from __future__ import annotations

import json
import random
from typing import Any

from afanasy_py.core import hosts
from afanasy_py.core.dispatch import handle
from afanasy_py.core.farm import Farm
from afanasy_py.core.render import Render
from afanasy_py.core.requests import Caller
from afanasy_py.msg.records.address import NetIF
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType, render_state_text, state_text
from afanasy_py.settings import Settings
from afanasy_py.sysjob.job import SystemJobKeeper

#: A full cycle of the original and a little more, seconds.
CYCLE = 1.1

STATUSES = {
    "started": 2, "percent": 3, "warning": 4, "success": 5, "error": 6, "killed": 7, "parser_error": 8,
    "parser_fatal": 9, "parser_bad": 10, "parser_success": 11, "failed_post": 12, "bad_files": 13,
    "deregister": 14, "exit": 15, "zombie": 16, "skip": 20, "eject": 22, "failed_to_start": 23,
    "no_task": 24, "no_job": 25,
}  # fmt: skip

RESOURCES = {
    "cpu_num": 8, "cpu_mhz": 3000, "cpu_temp": 40, "cpu_idle": 95, "mem_total_mb": 32000, "mem_free_mb": 30000,
    "swap_total_mb": 1000, "hdd_total_gb": 500, "hdd_free_gb": 400,
}  # fmt: skip

WATCHED = {
    "users": ("running_tasks_num", "running_capacity_total", "jobs_num"),
    "branches": (
        "running_tasks_num", "running_capacity_total", "jobs_total", "jobs_done", "jobs_ready", "tasks_ready",
        "solve_method", "solve_need", "solve_jobs", "create_childs",
    ),
    "pools": (
        "run_tasks", "run_capacity", "renders_ready", "renders_busy", "renders_sick", "renders_nimby",
        "renders_paused", "renders_online", "running_services",
    ),
}  # fmt: skip


class ScenarioError(Exception):
    """A scenario cannot be played: its steps do not fit what happened."""


def _key(task: TaskExec) -> tuple[int, int, int, int]:
    return task.job_id, task.block_num, task.task_num, task.number


class FakeHost:
    """A simulated render host."""

    def __init__(self, op: dict[str, Any]) -> None:
        self.name = op["name"]
        self.user = op.get("user", "farmer")
        self.os = op.get("os", "linux unix 64")
        self.priority = op.get("priority", 99)
        self.resources = {**RESOURCES, **op.get("res", {})}
        self.st = op.get("state", 1)
        self.netif = op.get("netif", False)
        self.stop_reply = op.get("stop_reply", "killed")
        self.id = 0
        self.online = False
        self.tasks: list[TaskExec] = []
        self.pending: list[TaskUp] = []
        self.send_resources = False
        #: {id of a description: [key, tick when it is due]} in simulated farms.
        self.due: dict[int, tuple[str, int]] = {}

    def taskup(self, task: TaskExec, status: int, **more: Any) -> None:
        """Queue an update for the next heartbeat."""
        self.pending.append(
            TaskUp(
                client_id=self.id, job_id=task.job_id, block_num=task.block_num, task_num=task.task_num,
                number=task.number, status=status, **more,
            )
        )  # fmt: skip

    def drop(self, task: TaskExec) -> None:
        """Forget a task."""
        self.due.pop(id(task), None)
        self.tasks = [other for other in self.tasks if other is not task]


class Player:
    """Plays one scenario."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.farm = Farm(Settings(), self.now)
        self.farm.make_roots()
        self.farm.sysjob = keeper = SystemJobKeeper(self.farm)
        keeper.make()
        self.farm.settle()
        self.renders: dict[str, FakeHost] = {}
        self.starts: list[str] = []
        self.others: list[str] = []
        self.ticks: list[list[str]] | None = None
        self.tries: dict[str, int] = {}

    # -- time

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due in it happen."""
        end = self.now + seconds
        while (due := self.farm.next_time()) is not None and due <= end:
            self.now = max(self.now, due)
            self.farm.tick(self.now)
        self.now = end
        self.farm.tick(self.now)
        self.farm.validate()

    # -- requests

    def json(self, request: dict[str, Any]) -> Any:
        body = json.dumps(request).encode()
        answer = handle(self.farm, MsgType.TJSON, 0, body, Caller("127.0.0.1"), self.now)
        self.farm.validate()
        return json.loads(answer.text.decode("utf-8", "replace"), strict=False)  # type: ignore[union-attr]

    def action(
        self,
        kind: str,
        mask: str | None = None,
        ids: list[int] | None = None,
        user: str = "artist",
        **kw: Any,
    ) -> Any:
        request: dict[str, Any] = {"user_name": user, "host_name": "ws01", "type": kind, **kw}
        request["ids" if ids is not None else "mask"] = ids if ids is not None else mask
        return self.json({"action": request})

    # -- hosts

    def register(self, host: FakeHost, *, with_tasks: bool = False) -> RenderEvents:
        netifs = [NetIF(name="eth0", mac=bytes([2, 0, 0, 0, 0, 1]))] if host.netif else []
        told = RenderRecord(
            name=host.name, user_name=host.user, os=host.os, engine="3.4.1", priority=host.priority, st=host.st,
            host_resources=HostRes(**host.resources), netifs=netifs, tasks=host.tasks if with_tasks else [],
        )  # fmt: skip
        body = told.encode(MsgType.TRenderRegister)
        answer = handle(self.farm, MsgType.TRenderRegister, 0, body, Caller("127.0.0.1"), self.now)
        events = RenderEvents.decode(MsgType.TRenderEvents, answer.body)  # type: ignore[union-attr]
        host.id, host.online = events.id, events.id > 0
        if not with_tasks:
            host.tasks = []
        return events

    def heartbeat(self, host: FakeHost) -> RenderEvents | None:
        if not host.online:
            return None
        updates, host.pending = host.pending, []
        told = RenderUpdate(id=host.id, taskups=updates)
        if host.send_resources:
            told.host_resources = HostRes(**host.resources)
            host.send_resources = False
        body = told.encode(MsgType.TRenderUpdate)
        answer = handle(self.farm, MsgType.TRenderUpdate, 0, body, Caller("127.0.0.1"), self.now)
        self.farm.validate()
        if answer.msg_type == MsgType.TRenderId:  # type: ignore[union-attr]
            return None
        return RenderEvents.decode(MsgType.TRenderEvents, answer.body)  # type: ignore[union-attr]

    def poll(self) -> int:
        """One heartbeat of every live host; return how much happened."""
        found: list[tuple[int, TaskExec, FakeHost]] = []
        happened = 0
        for host in list(self.renders.values()):
            happened += len(host.pending) if host.online else 0
            events = self.heartbeat(host)
            if events is None:
                continue
            if events.id < 0:
                self.others.append(f"{host.name} status {events.id}")
                host.online = False
                happened += 1
                continue
            happened += self._hear(host, events, found)
        found.sort(key=lambda item: item[0])
        for _, task, host in found:
            text = f"{task.job_name}[{task.block_num}][{task.task_num}]@{host.name} {task.name}"
            self.starts.append(text + (f" x{task.capacity_coeff}" if task.capacity_coeff else ""))
        return happened + len(found) + sum(len(host.pending) for host in self.renders.values())

    def _hear(self, host: FakeHost, events: RenderEvents, found: list[tuple[int, TaskExec, FakeHost]]) -> int:
        happened = 0
        for task in events.tasks:
            if any(_key(other) == _key(task) for other in host.tasks):
                self.others.append(f"again {task.job_name}[{task.block_num}][{task.task_num}]@{host.name}")
                happened += 1
                continue
            host.tasks.append(task)
            found.append((task.time_start, task, host))
        for position in events.stops:
            for task in host.tasks:
                if _key(task) == (position.job_id, position.block_num, position.task_num, position.number):
                    self.others.append(f"stop {task.job_name}[{task.block_num}][{task.task_num}]@{host.name}")
                    happened += 1
                    if host.stop_reply != "none":
                        host.taskup(task, STATUSES[host.stop_reply])
                        host.drop(task)
                    break
        if events.instruction:
            self.others.append(f"{host.name} instruction {events.instruction}")
            happened += 1
        return happened

    # -- what is watched

    def snapshot(self, what: list[str]) -> dict[str, Any]:
        snap: dict[str, Any] = {}
        if "jobs" in what:
            snap["jobs"] = {
                job.name: self._job(job, with_order="user_order" in what)
                for job in self.farm.jobs
                if not job.is_sysjob()
            }
        if "renders" in what:
            snap["renders"] = {
                r.name: f"{render_state_text(r.st).strip()} cap {r.capacity_used} tasks {len(r.runs)} pool {r.pool}"
                for r in self.farm.renders
            }
        if "tickets" in what:
            tickets: dict[str, Any] = {}
            for kind in ("pools", "renders"):
                for node in getattr(self.farm, kind):
                    shown = node.to_json()
                    own = {key: shown[key] for key in ("tickets_pool", "tickets_host") if key in shown}
                    if own:
                        tickets[f"{kind} {node.name}"] = json.loads(json.dumps(own))
            snap["tickets"] = tickets
        for kind, keys in WATCHED.items():
            if kind in what:
                snap[kind] = {}
                for node in getattr(self.farm, kind):
                    shown = node.to_json()
                    if node.name != "afadmin":
                        snap[kind][node.name] = {key: shown[key] for key in keys if key in shown}
        return snap

    def _job(self, job: Any, *, with_order: bool) -> dict[str, Any]:
        blocks = []
        for block in job.blocks:
            tasks = []
            for number in range(block.tasks.num):
                p = block.tasks.progress(number)
                tasks.append(f"{state_text(p.st).strip() or '-'} {p.starts_count}/{p.errors_count}")
            blocks.append(f"{state_text(block.st).strip() or '-'} {block.p_percentage}%: {', '.join(tasks)}")
        shown: dict[str, Any] = {"state": state_text(job.st).strip() or "-", "blocks": blocks}
        if with_order:
            shown["order"] = job.user_list_order
        return shown

    def settle(self, what: list[str]) -> dict[str, Any]:
        before: dict[str, Any] | None = None
        for _ in range(45):
            self.wait(CYCLE)
            happened = self.poll()
            snap = self.snapshot(what)
            if not happened and snap == before:
                return snap
            before = snap
        return before or {}

    # -- operations

    def find(self, op: dict[str, Any]) -> list[tuple[FakeHost, TaskExec]]:
        found = []
        for host in self.renders.values():
            for task in host.tasks:
                if (
                    op.get("render", host.name) == host.name
                    and op.get("job", task.job_name) == task.job_name
                    and op.get("block", task.block_num) == task.block_num
                    and op.get("task", task.task_num) == task.task_num
                ):
                    found.append((task.job_name, task.block_num, task.task_num, host.name, host, task))
        return [(item[4], item[5]) for item in sorted(found, key=lambda item: item[:4])]

    def do(self, op: dict[str, Any]) -> None:
        getattr(self, f"_do_{op['op']}")(op)

    def _do_render(self, op: dict[str, Any]) -> None:
        host = FakeHost(op)
        events = self.register(host)
        if events.id < 0:
            self.others.append(f"{host.name} register status {events.id}")
        else:
            self.renders[host.name] = host

    def _do_register(self, op: dict[str, Any]) -> None:
        self.register(self.renders[op["render"]], with_tasks=op.get("with_tasks", False))

    def _do_res(self, op: dict[str, Any]) -> None:
        host = self.renders[op["render"]]
        host.resources.update(op["set"])
        host.send_resources = True

    def _do_job(self, op: dict[str, Any]) -> None:
        answer = self.json({"job": op["job"]})
        if op.get("expect_error"):
            self.others.append(f"job {op['job'].get('name')} id {answer.get('id')}")
        elif answer.get("id", 0) < 1:
            raise ScenarioError(f"job not accepted: {answer}")

    def _do_user(self, op: dict[str, Any]) -> None:
        self.json({"user": op["user"]})

    def _do_action(self, op: dict[str, Any]) -> None:
        more = {key: op[key] for key in ("params", "operation", "block_ids", "block_mask") if key in op}
        if more.get("operation", {}).get("jobs"):
            more["operation"] = dict(more["operation"])
            names = more["operation"].pop("jobs")
            more["operation"]["jids"] = [self.farm.jobs.by_name[name].id for name in names]
        ids = None
        if op["type"] == "pools":
            ids = [pool.id for pool in self.farm.pools if pool.name == op["mask"]] or None
        answer = self.action(op["type"], op["mask"], ids, op.get("user", "artist"), **more)
        if op.get("record_answer"):
            self.others.append(f"answer {json.dumps(answer, sort_keys=True)}")
        self.poll()

    def _solving(self, rate: int) -> None:
        self.action("branches", "/", params={"max_tasks_per_second": rate})

    def _do_solve(self, op: dict[str, Any]) -> None:
        self._solving(op["rate"])

    def _do_pulse(self, op: dict[str, Any]) -> None:
        self._solving(op["rate"])
        self._one_cycle()
        self._solving(0)
        self.poll()

    def _one_cycle(self) -> None:
        before, end = len(self.starts), self.now + CYCLE
        while True:
            self.poll()
            if len(self.starts) > before or self.now >= end:
                return
            self.wait(0.05)

    def _do_finish(self, op: dict[str, Any]) -> None:
        found = self.find(op)
        if not found and not op.get("optional"):
            raise ScenarioError(f"no running task for {op}")
        for host, task in found[: op.get("first", len(found))]:
            host.taskup(task, STATUSES[op.get("status", "success")])
            host.drop(task)
        if op.get("flush", True):
            self.poll()

    def _do_update(self, op: dict[str, Any]) -> None:
        found = self.find(op)
        if not found:
            raise ScenarioError(f"no running task for {op}")
        for host, task in found:
            host.taskup(
                task, STATUSES[op.get("status", "percent")], percent=op.get("percent", -1), frame=op.get("frame", -1),
                percent_frame=op.get("percent_frame", -1), progress_changed=op.get("changed", True),
            )  # fmt: skip
        self.poll()

    def _do_stop_reply(self, op: dict[str, Any]) -> None:
        self.renders[op["render"]].stop_reply = op["reply"]

    def _do_reply_stops(self, op: dict[str, Any]) -> None:
        for host, task in self.find(op):
            host.taskup(task, STATUSES[op.get("status", "killed")])
            host.drop(task)
        self.poll()

    def _do_silence(self, op: dict[str, Any]) -> None:
        self.renders[op["render"]].online = False

    def _do_deregister(self, op: dict[str, Any]) -> None:
        host = self.renders[op["render"]]
        self.farm.begin(self.now)
        hosts.deregister(self.farm, host.id)
        self.farm.settle()
        host.online, host.tasks = False, []

    def _do_wait(self, op: dict[str, Any]) -> None:
        end = self.now + op["sec"]
        while self.now < end:
            self.wait(min(0.5, max(0.01, end - self.now)))
            self.poll()

    def _do_barrier(self, op: dict[str, Any]) -> None:
        for _ in range(op.get("count", 1)):
            self.wait(CYCLE)
            self.poll()

    def _do_simulate(self, op: dict[str, Any]) -> None:
        arrivals: dict[int, list[dict[str, Any]]] = {}
        for arrival in op.get("arrivals", []):
            arrivals.setdefault(arrival["tick"], []).append(arrival["do"])
        self.ticks = []
        for tick in range(op["ticks"]):
            for what in arrivals.get(tick, []):
                self.do(what)
            for host in self.renders.values():
                for task in list(host.tasks):
                    key, due = host.due[id(task)]
                    if due <= tick:
                        chance = random.Random(f"fate {op['seed']} {key}").random()
                        host.taskup(
                            task, STATUSES["error" if chance < op.get("error_rate", 0) else "success"]
                        )
                        host.drop(task)
            self.poll()
            self.wait(CYCLE)
            self.poll()
            self.starts = []
            self._solving(op["rate"])
            self._one_cycle()
            self._solving(0)
            self.poll()
            for host in self.renders.values():
                for task in host.tasks:
                    if id(task) not in host.due:
                        base = f"{task.job_name}/{task.block_num}/{task.task_num}"
                        count = self.tries.get(base, 0)
                        self.tries[base] = count + 1
                        key = f"{base}/{count}"
                        length = 1 + random.Random(f"{op['seed']} {key}").randrange(op["max_duration"])
                        host.due[id(task)] = (key, tick + length)
            self.ticks.append(sorted(start.split(" ")[0] for start in self.starts))
        self.starts = []

    # -- the whole

    def play(self, scenario: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the observed trace: one entry for each step."""
        trace = []
        watch = scenario.get("watch", ["jobs", "renders"])
        for step in scenario["steps"]:
            self.starts, self.others, self.ticks = [], [], None
            for op in step["do"]:
                self.do(op)
            what = step.get("watch", watch)
            snap = self.settle(what) if step.get("settle", True) else self.snapshot(what)
            exact = step.get("order", scenario.get("order", "set")) == "exact"
            seen: dict[str, Any] = {
                "starts": self.starts if exact else sorted(self.starts),
                "others": sorted(self.others),
                "state": snap,
            }
            if self.ticks is not None:
                seen["ticks"] = self.ticks
            trace.append(seen)
        return trace


__all__ = ["Player", "Render", "ScenarioError"]
