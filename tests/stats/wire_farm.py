"""A real server with statistics on loopback, by a clock that the test moves, and simulated hosts."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from afanasy_py.demo import Client, free_port
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType
from afanasy_py.render.client import exchange
from afanasy_py.stats.outbox import FILE_NAME
from afanasy_py.stats.schema import TABLES
from tests.stats.stats_helpers import select

ROOT = Path(__file__).resolve().parents[2]
START_LINES_MOST = 200
#: Where Afanasy is: in the recordings, and as the server is told.
AF_ROOT = "/srv/cgru/afanasy"


class WireHost:
    """A render host: what it runs is ended by the test."""

    def __init__(self, port: int, name: str) -> None:
        self._address = ("127.0.0.1", port)
        resources = HostRes(cpu_num=8, cpu_mhz=3000, mem_total_mb=32000, mem_free_mb=30000, hdd_total_gb=500)
        told = RenderRecord(
            name=name, user_name="farmer", os="linux unix 64", st=1, priority=99, engine="3.4.1",
            host_resources=resources,
        )  # fmt: skip
        body = told.encode(MsgType.TRenderRegister)
        answer = exchange(self._address, MsgType.TRenderRegister, body)
        self.id = RenderEvents.decode(MsgType.TRenderEvents, answer.data).id
        assert self.id > 0
        self.tasks: list[TaskExec] = []

    def beat(self, *ended: tuple[TaskExec, int]) -> None:
        """Send a heartbeat.

        Args:
            ended: Tasks and how they ended, of `TaskStatus`.
        """
        updates = [
            TaskUp(
                client_id=self.id, job_id=task.job_id, block_num=task.block_num, task_num=task.task_num,
                number=task.number, status=status,
            )
            for task, status in ended
        ]  # fmt: skip
        body = RenderUpdate(id=self.id, taskups=updates).encode(MsgType.TRenderUpdate)
        answer = exchange(self._address, MsgType.TRenderUpdate, body)
        gone = {id(task) for task, _ in ended}
        self.tasks = [task for task in self.tasks if id(task) not in gone]
        if answer.type == MsgType.TRenderEvents:
            self.tasks += RenderEvents.decode(MsgType.TRenderEvents, answer.data).tasks
        else:  # there is nothing to tell
            assert (answer.type, answer.value) == (MsgType.TRenderId, self.id)

    def leave(self) -> None:
        exchange(self._address, MsgType.TRenderDeregister, self.id)


class WireFarm:
    """The server."""

    def __init__(self, folder: Path, start: float, conninfo: str = "") -> None:
        self.store = folder / "store"
        self.conninfo = conninfo
        self._clock = folder / "clock"
        self.now = start
        self.move(start)
        self.client = Client(free_port())
        home = folder / "home"
        home.mkdir()
        settings = {
            "af_serverport": str(self.client.port),
            "af_server_bind": "127.0.0.1",
            "af_store_folder": str(self.store),
            "af_db_conninfo": conninfo,
        }
        words = [word for key, value in settings.items() for word in (f"--{key}", value)]
        known = {key: value for key, value in os.environ.items() if not key.startswith(("CGRU_", "AF_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.stats.clocked_server", str(self._clock), *words],
            env=known | {"HOME": str(home), "PYTHONPATH": str(ROOT), "AF_ROOT": AF_ROOT},
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self.process.stderr is not None
        lines = [
            line for line, _ in zip(iter(self._until_it_listens, ""), range(START_LINES_MOST), strict=False)
        ]
        assert self.process.poll() is None, "".join(lines)
        self._log = (folder / "log").open("w")
        # What it logs further must be read, else it stops.
        self._reader = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=self._log)

    def _until_it_listens(self) -> str:
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        return "" if "Listening" in line else line

    def move(self, now: float) -> None:
        """Set the clock, Unix seconds."""
        new = self._clock.with_suffix(".new")
        new.write_text(repr(now))
        new.replace(self._clock)
        self.now = now

    def pass_time(self, seconds: float) -> None:
        """Move the clock; what is due then has happened when this returns."""
        self.move(self.now + seconds)
        self.client.ask({"get": {"type": "users"}})

    def act(self, kind: str, mask: str, **what: Any) -> None:
        """Do an action as user `coord`."""
        action = {"type": kind, "mask": mask, "user_name": "coord", "host_name": "ws01", **what}
        answer = self.client.ask({"action": action})
        assert answer.get("info", {}).get("kind") != "error", answer

    def submit(self, job: dict[str, Any]) -> int:
        """Register a job; return its id."""
        answer = self.client.ask({"job": {"user_name": "artist", "host_name": "ws01", **job}})
        return int(answer["id"])

    def host(self, name: str) -> WireHost:
        return WireHost(self.client.port, name)

    def stop(self) -> None:
        """End it as a service manager does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.wait(20)
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._log.close()

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return {table: rows} of the statistics database, in the order of their arrival."""
        found = {}
        for table in TABLES:
            statement = f"SELECT {table.names} FROM {table.name}"
            if self.conninfo:
                rows = select(self.conninfo, statement)
            else:
                with sqlite3.connect(self.store / FILE_NAME) as connection:
                    rows = connection.execute(statement).fetchall()
            names = [column.name for column in table.columns]
            found[table.name] = [dict(zip(names, row, strict=True)) for row in rows]
        return found


def command_of(row: dict[str, Any]) -> Any:
    """Return the document that a task of the system job was given."""
    return json.loads(row["command"], strict=False)
