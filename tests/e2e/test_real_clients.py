"""The unmodified clients of CGRU against our server: afrender, afcmd and the Python API.

``AFSERVER_ORIGINAL`` names a CGRU tree with the programs built in it; without it these runs are skipped.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths
from afanasy_py.demo import Client, free_port

TREE = Path(os.environ.get("AFSERVER_ORIGINAL") or "/absent")
PROGRAMS = TREE / "afanasy" / "bin"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (PROGRAMS / "afrender").is_file() or not (PROGRAMS / "afcmd").is_file(),
        reason="AFSERVER_ORIGINAL names no CGRU tree with built programs",
    ),
]

LIMIT_SEC = 40
DON, RUN = "DON", "RUN"

#: What an artist's script does: a numeric block, explicit tasks that wait for it, and a job behind both.
SEND_JOBS = """
import af, json
job = af.Job('first')
frames = af.Block('frames', 'generic')
frames.setCommand('echo frame @##@', TransferToServer=False)
frames.setNumeric(1, 5, 2, 1)
frames.setCapacity(100)
job.blocks.append(frames)
steps = af.Block('steps', 'generic')
steps.setCapacity(100)
steps.setDependMask('frames')
for name in 'one', 'two':
    task = af.Task(name)
    task.setCommand('echo step ' + name)
    steps.tasks.append(task)
job.blocks.append(steps)
second = af.Job('second')
second.setDependMask('first')
block = af.Block('last', 'generic')
block.setCommand('echo last', TransferToServer=False)
block.setNumeric(1, 1)
second.blocks.append(block)
print(json.dumps([sent.send()[1]['id'] for sent in (job, second)]))
"""


class Clients:
    """Our server, and the programs of the tree that talk to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.client = Client(self.port)
        python = [TREE / "afanasy" / "python", TREE / "lib" / "python"]
        self.environ = {
            **os.environ,
            "HOME": str(folder),
            "PWD": str(folder),
            "CGRU_LOCATION": str(TREE),
            "CGRU_VERSION": "3.4.1",
            "CGRU_PYTHON": str(python[1]),
            "CGRU_PYTHONEXE": sys.executable,
            "AF_ROOT": str(TREE / "afanasy"),
            "AF_PYTHON": str(python[0]),
            "PYTHONPATH": os.pathsep.join(map(str, python)),
            "CGRU_AF_SERVERNAME": "127.0.0.1",
            "CGRU_AF_SERVERPORT": str(self.port),
        }
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], **environ: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**self.environ, **environ}
            )

    def start_server(self) -> None:
        where = ["--af_serverport", str(self.port), "--af_store_folder", str(self.folder / "store")]
        bind = ["--af_server_bind", "127.0.0.1"]
        command = [sys.executable, "-m", "afanasy_py.cli", "-nosql", *where, *bind]
        self.start("server", command, PYTHONPATH=str(paths.PACKAGE.parent))
        self.wait_for(lambda: self.client.renders() is not None)

    def start_render(self, name: str) -> None:
        where = ["--af_servername", "127.0.0.1", "--af_serverport", str(self.port)]
        command = [str(PROGRAMS / "afrender"), "-hostname", name, *where]
        self.start(name, [*command, "--af_store_folder", str(self.folder / name)])
        self.wait_for(lambda: self.client.renders()[0]["st"] & 1)

    def stop(self, name: str) -> None:
        program = self.programs.pop(name)
        program.terminate()
        try:
            program.wait(15)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def python(self, source: str) -> str:
        """Run a script as artists do; return what it prints."""
        return self._run([sys.executable, "-W", "ignore", "-c", source])

    def afcmd(self, *words: str) -> Any:
        """Ask with afcmd; return the JSON that it prints, between warnings of its own."""
        text = self._run([str(PROGRAMS / "afcmd"), *words])
        return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SEC,
            env=self.environ,
            cwd=self.folder,
            check=True,
        )
        return done.stdout

    def states(self, job: int) -> list[list[str]]:
        """Return the states of the tasks of each block."""
        answer = self.client.ask({"get": {"type": "jobs", "mode": "progress", "ids": [job]}})
        return [[task["state"].strip() for task in block] for block in answer["job_progress"]["progress"]]

    def task(self, job: int) -> dict[str, Any]:
        """Return the progress of the first task."""
        answer = self.client.ask({"get": {"type": "jobs", "mode": "progress", "ids": [job]}})
        progress: dict[str, Any] = answer["job_progress"]["progress"][0][0]
        return progress

    def is_told_of_a_task(self) -> bool:
        """Return whether the render reports how far its only task is."""
        percents: list[int] = self.client.renders()[0]["tasks_percents"]
        return len(percents) == 1 and percents[0] >= 0

    def send_one(self, command: str, **block: Any) -> int:
        """Send a job of one task; return its id."""
        script = (
            "import af\n"
            "job = af.Job('one')\n"
            "block = af.Block('one', 'generic')\n"
            f"block.setCommand({command!r}, TransferToServer=False)\n"
            "block.setNumeric(1, 1)\n"
            f"block.data.update({block!r})\n"
            "job.blocks.append(block)\n"
            "print(job.send()[1]['id'])\n"
        )
        return int(self.python(script).split()[-1])

    def wait_for(self, happened: Callable[[], Any]) -> None:
        """Wait until something is true; an answer that can not be had yet counts as false."""
        for _ in range(LIMIT_SEC * 10):
            with contextlib.suppress(OSError, ValueError, LookupError):
                if happened():
                    return
            time.sleep(0.1)
        raise AssertionError(f"it never happened, see {self.folder}")


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    clients = Clients(tmp_path)
    try:
        clients.start_server()
        clients.start_render("render01")
        yield clients
    finally:
        for name in sorted(clients.programs, key=lambda name: name == "server"):
            clients.stop(name)


def test_jobs_of_the_python_api_run_on_afrender_and_afcmd_reads_them(clients: Clients) -> None:
    first, second = json.loads(clients.python(SEND_JOBS).splitlines()[-1])
    clients.wait_for(lambda: clients.states(second) == [[DON]])
    assert clients.states(first) == [[DON, DON, DON], [DON, DON]]
    assert clients.client.output(first, 0, 1) == "frame 03\n"
    assert clients.client.output(first, 1, 1) == "step two\n"

    jobs = clients.afcmd("jlist")["jobs"]
    assert [job["name"] for job in jobs] == ["afanasy", "first", "second"]
    assert [render["name"] for render in clients.afcmd("rlist")["renders"]] == ["render01"]
    assert [block["p_tasks_done"] for block in clients.afcmd("jid", str(first))["jobs"][0]["blocks"]] == [
        3,
        2,
    ]
    assert clients.afcmd("jdel", "second")["info"]["kind"] == "log"
    clients.wait_for(lambda: len(clients.afcmd("jlist")["jobs"]) == 2)


def test_a_task_starts_again_on_the_host_that_it_just_left(clients: Clients) -> None:
    # afrender refuses a task that it has not closed yet.
    failing = clients.send_one("echo oops; exit 3", errors_retries=2, errors_task_same_host=9)
    clients.wait_for(lambda: clients.states(failing) == [["ERR"]])
    assert (clients.task(failing)["str"], clients.task(failing)["err"]) == (3, 3)

    job = clients.send_one("echo start; sleep 60")
    clients.wait_for(lambda: clients.states(job) == [[RUN]])
    clients.afcmd("trestart", str(job), "0", "0")
    clients.wait_for(lambda: clients.task(job)["str"] == 2)
    clients.wait_for(clients.is_told_of_a_task)
    clients.afcmd("jstop", "one.*")
    clients.wait_for(lambda: RUN not in clients.states(job)[0][0])


def test_afrender_takes_its_task_along_when_the_server_starts_again(clients: Clients) -> None:
    job = clients.send_one("echo start; sleep 6; echo end")
    clients.wait_for(clients.is_told_of_a_task)
    clients.stop("server")
    clients.start_server()
    clients.wait_for(lambda: clients.states(job) == [[DON]])
    assert clients.task(job)["str"] == 2
    assert clients.client.output(job, 0, 0) == "start\nend\n"
