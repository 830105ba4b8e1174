"""A farm with a store in a folder: builders for the tests of the store. No process beside is started."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from afanasy_py.core import hosts, registration
from afanasy_py.core.farm import Farm
from afanasy_py.core.job import SYSJOB_ID, Job
from afanasy_py.core.render import Render
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.core.running import update_task
from afanasy_py.core.task_states import RUN, WRC
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.settings import Settings
from afanasy_py.store.disk import Disk
from afanasy_py.store.mirror import MirrorWriter
from afanasy_py.store.mirror_process import MirrorProcess
from afanasy_py.store.store import Store
from afanasy_py.sysjob.job import SystemJobKeeper

NOW = 1_800_000_000.0


class FakeClock:
    """Stands still."""

    def now(self) -> float:
        return NOW


class FaultyDisk(Disk):
    """A disk that can be full or broken."""

    def __init__(self) -> None:
        super().__init__()
        #: Error number of all writes from now on; 0: all is well.
        self.error = 0
        #: Bytes that still fit; None: no limit. A write that does not fit is begun.
        self.room: int | None = None
        self.writes = 0

    def write(self, fd: int, data: bytes) -> None:
        self._check()
        super().write(fd, data)

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        self._check()
        self.writes += 1
        if self.room is not None:
            if len(data) > self.room:
                super().write_at(fd, data[: self.room], offset)
                raise OSError(errno.ENOSPC, "No space left on device")
            self.room -= len(data)
        super().write_at(fd, data, offset)

    def _check(self) -> None:
        if self.error:
            raise OSError(self.error, "broken")


class InlineMirror(MirrorProcess):
    """Writes the files in this process, when it is told to."""

    def wait_for_old(self) -> None:
        pass

    def start(self) -> None:
        pass

    def restart(self) -> None:
        pass

    def runs(self) -> bool:
        return True

    def stop(self, seconds: float = 0.0) -> None:
        MirrorWriter(self._disk, self._root).finish()


class StoredFarm:
    """A server without its network: a farm, its store, and a clock in the hand of the test."""

    def __init__(self, root: Path, disk: Disk | None = None, now: float = NOW, **settings: Any) -> None:
        self.root = root
        self.now = now
        self.settings = Settings(af_store_folder=str(root), **settings)
        self.farm = Farm(self.settings, now)
        self.farm.now = now
        self.farm.sysjob = self.keeper = keeper = SystemJobKeeper(self.farm)
        self.disk = disk or Disk()
        self.store = Store(root, self.settings, FakeClock(), self.disk, InlineMirror(self.disk, root))  # type: ignore[arg-type]
        self.store.lock()
        self.store.load(self.farm, now)
        self.farm.make_roots()
        if SYSJOB_ID not in self.farm.jobs.by_id:
            keeper.make()
        self.farm.begin(now)
        self.farm.settle()
        self.keep()

    def keep(self) -> None:
        """Store what changed, and wait for it as an answer would."""
        ticket = self.store.commit(self.farm)
        if ticket is not None:
            self.store.wait(ticket)

    def kill(self) -> None:
        """End as a process does that is killed: nothing more is written."""
        for loop in (self.store._writer_loop, self.store._keeper_loop):
            loop.kill()
        self.store._threads.kill()

    def stop(self) -> None:
        """End in order."""
        self.store.close()

    def again(self, *, clean: bool = False) -> StoredFarm:
        """Return the server after a restart."""
        if clean:
            self.stop()
        else:
            self.kill()
            self._unlock()
        made = StoredFarm(self.root, self.disk, self.now, **_own_settings(self.settings))
        made.farm.validate()
        return made

    def _unlock(self) -> None:
        if self.store._lock is not None:
            self.disk.close(self.store._lock)
            self.store._lock = None

    # -- what clients do

    def ask(self, request: dict[str, Any]) -> Any:
        """Answer a JSON request and store what it changed."""
        self.farm.begin(self.now)
        answer = handle_json(self.farm, request, Caller("127.0.0.1"))
        self.farm.settle()
        self.keep()
        return answer

    def act(self, kind: str, ids: list[int], **body: Any) -> Any:
        """Carry out an action."""
        return self.ask({"action": {"user_name": "u", "host_name": "h", "type": kind, "ids": ids, **body}})

    def add_job(self, name: str = "job", *, frames: int = 3, **fields: Any) -> Job:
        """Submit a job with one numeric block unless told otherwise."""
        block = {"name": "b", "service": "generic", "command": "x @#@", "flags": 1, "frame_first": 1}
        blocks = [{**block, "frame_last": frames, "frames_per_task": 1}]
        job = registration.read_job(
            self.farm, {"name": name, "user_name": "artist", "host_name": "ws", "blocks": blocks, **fields}
        )
        registration.register(self.farm, job)
        registration.finish(self.farm, job)
        self.farm.settle()
        self.keep()
        return job

    def add_render(self, name: str = "host", room: int = 4) -> Render:
        """Let a render register that may run some tasks."""
        self.farm.root_pool.capacity_host = room * 1000
        self.farm.root_pool.max_tasks_host = room
        self.farm.save(self.farm.root_pool)
        hosts.register(self.farm, RenderRecord(name=name, user_name="artist", st=1), "127.0.0.1")
        self.farm.settle()
        self.keep()
        return self.farm.renders.by_name[name]

    def end_run(
        self, render: Render, status: int = TaskStatus.FinishedSuccess, **fields: Any
    ) -> tuple[int, int, int]:
        """Let the first task of a render end; return which it was."""
        key = next(iter(render.runs))
        self.farm.begin(self.farm.now)
        update = TaskUp(
            client_id=render.id, job_id=key[0], block_num=key[1], task_num=key[2], status=status, **fields
        )
        update_task(self.farm, update, render)
        self.farm.settle()
        self.keep()
        return key


def until(condition: Callable[[], bool]) -> None:
    """Let the store's greenlets work until something is so."""
    for _ in range(2000):
        if condition():
            return
        gevent.sleep(0.005)
    raise AssertionError("it never came to be")


def _own_settings(settings: Settings) -> dict[str, Any]:
    plain = Settings()
    names = [name for name in Settings.__dataclass_fields__ if name != "af_store_folder"]
    return {
        name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(plain, name)
    }


#: Members of nodes that follow from others, or from the moment.
VOLATILE = {
    "time_activity", "idle_time", "busy_time", "time_register", "time_update", "time_launch", "address",
    "running_tasks_num", "running_capacity_total", "running_services", "running_tasks_counter",
    "capacity_used", "tasks_percents", "tasks", "task_start_finish_time", "wol_operation_time",
    "m_srv_info", "state", "p_progressbar", "p_percentage", "p_tasks_run_time_max", "p_tasks_waitrec",
    "p_tasks_ready", "p_avoid_hosts", "p_tasks_waitdep", "tasks_ready", "tasks_error", "run_tasks",
    "run_capacity", "report", "host_name", "st", "p_tasks_error", "p_tasks_run_time_sum",
    "p_tasks_run_time_min", "p_tasks_warning", "p_error_hosts", "time_started", "locked", "srv_info",
}  # fmt: skip
_DERIVED = ("p_", "jobs_", "renders_", "active_", "running_jobs", "branches_total", "pools_total")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        for name in ("tickets_pool", "tickets_host"):
            if name in value:  # how many are in use follows from what runs
                kept = {k: [n[0], *n[3:]] for k, n in value[name].items() if n[0] != -1}
                value = {**value, name: kept} if kept else {k: v for k, v in value.items() if k != name}
        return {k: _plain(v) for k, v in value.items() if k not in VOLATILE and not k.startswith(_DERIVED)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def at_rest(st: int) -> int:
    """Return what a task's state is after a restart."""
    return (st & ~RUN) | WRC if st & RUN else st


def picture(farm: Farm, rest: Callable[[int], int] = at_rest) -> dict[str, Any]:
    """Return all of a farm that must be the same after a restart."""
    found: dict[str, Any] = {"serial": farm.jobs_serial}
    for kind, form in (
        ("pools", "list"),
        ("renders", "list"),
        ("users", "list"),
        ("branches", "list"),
        ("jobs", "full"),
    ):
        found[kind] = {node.id: _plain(node.to_json(form)) for node in getattr(farm, kind)}
    found["order"] = {user.id: [job.id for job in user.jobs] for user in farm.users}
    for job in farm.jobs:
        if job.id == SYSJOB_ID:
            continue
        for block in job.blocks:
            tasks = block.tasks
            runs = [
                (tasks.starts[n], tasks.errors[n], tasks.time_start[n], tasks.host[n], tasks.resources.get(n))
                if tasks.has_run()
                else (0, 0, 0, "", None)
                for n in range(tasks.num)
            ]
            done = [
                tasks.time_done[n] if tasks.has_run() and not st & (RUN | WRC) else 0
                for n, st in enumerate(tasks.st)
            ]
            key = (job.id, block.block_num)
            found[f"tasks {key}"] = [rest(st) for st in tasks.st]
            found[f"runs {key}"] = runs
            found[f"done {key}"] = done
            found[f"hosts {key}"] = ({h: e[0] for h, e in block.error_hosts.items()}, tasks.error_hosts)
            found[f"environments {key}"] = block.task_environments
    return found


def differences(path: str, one: Any, two: Any) -> list[str]:
    """Return what differs between two pictures, one line each."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted({*one, *two}, key=str)
        return [
            d for k in keys for d in differences(f"{path}.{k}", one.get(k, "absent"), two.get(k, "absent"))
        ]
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return [
            d for n, pair in enumerate(zip(one, two, strict=True)) for d in differences(f"{path}[{n}]", *pair)
        ]
    return [] if one == two else [f"{path}: {one!r} != {two!r}"]
