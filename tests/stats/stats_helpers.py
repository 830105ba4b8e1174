"""What tests of the statistics share."""

import dataclasses
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import psycopg2.extensions

from afanasy_py.stats_rows import JobRow, LogRow, TaskRow

JOB = JobRow(
    serial=1,
    id_block=0,
    annotation="it's shot 010",
    blockname="sim",
    capacity=500,
    description="lighting v003",
    folder="/projects/demo/shot010",
    jobname="demo_shot010",
    hostname="ws01",
    service="generic",
    tasks_done=1,
    tasks_quantity=1,
    run_time_sum=2,
    time_done=1795490797,
    time_started=1795490783,
    username="artist",
)
TASK = TaskRow(
    serial=1,
    id_block=0,
    id_task=0,
    annotation="it's shot 010",
    blockname="sim",
    capacity=500,
    command="sleep 1; echo @#@A",
    description="lighting v003",
    error=0,
    errors_count=0,
    folder="/projects/demo/shot010",
    frame_pertask=1,
    hostname="render01",
    jobname="demo_shot010",
    resources="",
    service="generic",
    starts_count=1,
    time_done=1795490785,
    time_started=1795490783,
    username="artist",
)
LOG = LogRow(time=1795490776, subject="afanasy", type="server", object="server", info="Server shutdown.")


def tasks(number: int, start: int = 0) -> list[TaskRow]:
    return [dataclasses.replace(TASK, id_task=task) for task in range(start, start + number)]


@contextmanager
def plain_waits() -> Iterator[None]:
    """Calls of psycopg2 inside block, whatever the server has asked for."""
    callback = psycopg2.extensions.get_wait_callback()
    psycopg2.extensions.set_wait_callback(None)
    try:
        yield
    finally:
        psycopg2.extensions.set_wait_callback(callback)


def select(conninfo: str, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query; without any for other statements."""
    with plain_waits():
        connection: Any = psycopg2.connect(conninfo)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def wait_until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Let greenlets run until something is true."""
    end = time.monotonic() + seconds  # noqa: TID251 - real greenlets and a real database
    while not done():
        assert time.monotonic() < end, "waited too long"  # noqa: TID251
        gevent.sleep(0.01)


class Postgres:
    """A PostgreSQL server in a folder of its own."""

    def __init__(self, binaries: Path, prefix: list[str], folder: Path, port: int) -> None:
        self._binaries = binaries
        self._prefix = prefix
        self._folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.conninfo = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"

    def create(self) -> None:
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def _run(self, program: str, *words: str) -> None:
        command = [*self._prefix, str(self._binaries / program), *words]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)

    def start(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": ""}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        command = [*self._prefix, str(self._binaries / "postgres"), "-D", "data", *words]
        self._command = command
        self._spawn()
        wait_until(self.answers)

    def _spawn(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)

    def answers(self) -> bool:
        try:
            select(self.conninfo, "SELECT 1")
        except psycopg2.OperationalError:
            assert self._process is not None
            if self._process.poll() is not None:
                # After a SIGKILL it refuses to start until all processes of the old one have noticed.
                assert "is still in use" in (self._folder / "log").read_text()
                self._spawn()
            return False
        return True

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        """End it: SIGINT as at a shutdown, SIGKILL as in a crash."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait(30)
            self._process = None
