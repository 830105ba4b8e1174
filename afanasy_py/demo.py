"""Shows a whole farm on this machine: a server, four render hosts and a job.

Usage: afanasy-demo [--fast] [--keep] [--port=PORT]

Options:
  --fast        A job of a few seconds.
  --keep        Leave the farm running after the job, until Ctrl-C.
  --port=PORT   Port of the server, else a free one.
  -h --help     Show this text.

Everything lives in a temporary folder and on 127.0.0.1, and is gone at the end. The exit status is 0 when the
job was done.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from docopt import docopt

from afanasy_py import paths
from afanasy_py.clock import Clock
from afanasy_py.errors import AfanasyError

HOSTS = 4
START_LIMIT_SEC = 20
JOB_LIMIT_SEC = 180
STOP_LIMIT_SEC = 8
LOOK_SEC = 0.25
BAR_WIDTH = 32

STATE_DONE = 1 << 4
STATE_ERROR = 1 << 5

#: Letters of a progress bar, and the sign that stands for them on the screen.
SIGNS = {"D": "#", "R": ">", "N": ">", "E": "!", "Y": "!", "r": "-", "W": "."}
LEGEND = "# done   > running   - ready   . waits for another block   ! error"


class DemoError(AfanasyError):
    """The demonstration can not go on; the text is for the user."""


def say(text: str = "") -> None:
    """Write a line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def demo_job(*, fast: bool) -> dict[str, Any]:
    """Return a job whose blocks depend on each other in both ways: on whole blocks and frame by frame."""
    seconds = 0.2 if fast else 1.0
    last = 6 if fast else 16

    def work(what: str, share: float) -> str:
        return f'"{sys.executable}" -c "{WORK}" {seconds * share:.2f} "{what}"'

    def block(name: str, last: int, share: float, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "service": "generic",
            "parser": "generic",
            "flags": 1,
            "frame_first": 1,
            "frame_last": last,
            "command": work(f"{name} of frame @##@", share),
            **more,
        }

    return {
        "name": "demo",
        "user_name": "demo",
        "host_name": "localhost",
        "blocks": [
            block("models", 4, 1.0),
            block("simulation", 2, 3.0),
            block("render", last, 2.0, depend_mask="models|simulation"),
            block("composite", last, 0.5, tasks_depend_mask="render"),
            block("movie", 1, 2.0, depend_mask="composite"),
        ],
    }


#: What a task of the demonstration does: arguments are seconds and a text.
WORK = (
    "import sys,time;"
    "[(print('PROGRESS: %d%%' % (10 * i), flush=True), time.sleep(float(sys.argv[1]) / 10))"
    " for i in range(10)];"
    "print('Finished', sys.argv[2])"
)


@dataclass(frozen=True)
class Client:
    """Asks the server in JSON."""

    port: int

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            OSError: The server was not reached.
            ValueError: It did not answer in JSON.
        """
        body = json.dumps(request).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as sock:
            sock.sendall(b"AFANASY %d JSON" % len(body) + body)
            answer = b""
            while not (found := self._body(answer)) and (piece := sock.recv(1 << 16)):
                answer += piece
        value = json.loads(found or b"")
        if isinstance(value, dict):
            return value
        raise ValueError("the answer is no object")

    @staticmethod
    def _body(answer: bytes) -> bytes:
        """Return the JSON of an answer, empty while it is not complete."""
        head, mark, body = answer.partition(b" JSON")
        return body if mark and len(body) >= int(head.split()[1]) else b""

    def job(self, job_id: int) -> dict[str, Any]:
        """Return a job with its blocks."""
        jobs: list[dict[str, Any]] = self.ask({"get": {"type": "jobs", "ids": [job_id]}})["jobs"]
        if not jobs:
            raise DemoError("The job has gone.")
        return jobs[0]

    def renders(self) -> list[dict[str, Any]]:
        """Return all renders."""
        renders: list[dict[str, Any]] = self.ask({"get": {"type": "renders"}}).get("renders") or []
        return renders

    def output(self, job_id: int, block: int, task: int) -> str:
        """Return the output of a task that has run."""
        where = {"ids": [job_id], "block_ids": [block], "task_ids": [task]}
        return str(self.ask({"get": {"type": "jobs", "mode": "output", **where}})["task"]["data"])


@dataclass
class Programs:
    """The processes of the farm, each with its log in the folder."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a module of this package as a program."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CGRU_AF_")}
        environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(paths.PACKAGE.parent), environ.get("PYTHONPATH")])
        )
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ,
                start_new_session=True,  # Ctrl-C is for this program, which ends the others
            )

    def check(self) -> None:
        """Raise DemoError when a program has ended by itself."""
        for name, program in self.running.items():
            if program.poll() is not None:
                text = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
                last = "\n".join(text.splitlines()[-12:])
                raise DemoError(f"{name} has ended with status {program.returncode}:\n{last}")

    def stop(self) -> None:
        """End all programs, the server last."""
        names = sorted(self.running, key=lambda name: name == "server")
        for group in (names[:-1], names[-1:]):
            for name in group:
                self.running[name].terminate()
            for name in group:
                try:
                    self.running[name].wait(STOP_LIMIT_SEC)
                except subprocess.TimeoutExpired:
                    self.running[name].kill()
                    self.running[name].wait()


class Screen:
    """Draws the farm: in place on a terminal, else a line whenever something has changed."""

    def __init__(self) -> None:
        self.in_place = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.height = 0
        self.last: dict[str, str] = {}

    def show(self, job: dict[str, Any], renders: list[dict[str, Any]]) -> None:
        """Show the job's blocks and what the renders do."""
        lines = {block["name"]: block_line(block) for block in job["blocks"]}
        if self.in_place:
            hosts = [render_line(render) for render in sorted(renders, key=lambda render: render["name"])]
            text = [*lines.values(), "", *hosts, "", LEGEND]
            up = f"\x1b[{self.height}A" if self.height else ""
            sys.stdout.write(up + "".join(f"\x1b[2K{line}\n" for line in text))
            sys.stdout.flush()
            self.height = len(text)
            return
        for name, line in lines.items():
            if line != self.last.get(name):
                say(line)
        self.last = lines


def block_line(block: dict[str, Any]) -> str:
    """Return a block as a line: name, bar, tasks done of all."""
    bar = block.get("p_progressbar", "").ljust(128)
    signs = [SIGNS.get(bar[position * len(bar) // BAR_WIDTH], " ") for position in range(BAR_WIDTH)]
    done = block.get("p_tasks_done", 0)
    state = block.get("state", "").strip()
    return f"  {block['name']:<12}[{''.join(signs)}] {done:>3}/{block['tasks_num']} {state}"


def render_line(render: dict[str, Any]) -> str:
    """Return a render as a line: name and the tasks it runs."""
    tasks = [f"{task.get('block_name', '')}: {task['name']}" for task in render.get("tasks", [])]
    return f"  {render['name']:<12}{', '.join(tasks) or render.get('state', '').strip()}"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Demo:
    """One demonstration.

    Args:
        folder: For the store and the logs.
        port: Of the server.
        fast: Submit the short job.
    """

    def __init__(self, folder: Path, port: int, *, fast: bool) -> None:
        self.client = Client(port)
        self.programs = Programs(folder)
        self.folder = folder
        self.fast = fast
        self.clock = Clock()
        self.pause = Event()  # never set; waiting on it ends at once on a signal

    def until(self, seconds: float, what: str) -> Iterator[None]:
        """Yield again and again, as long as all programs run.

        Raises:
            DemoError: So many seconds have passed, or a program has ended.
        """
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.programs.check()
            yield
            self.pause.wait(LOOK_SEC)
        raise DemoError(f"{what} has taken more than {seconds:.0f} seconds.")

    def start(self) -> None:
        """Start the server, wait until it answers, start the hosts, wait until they are there."""
        port = str(self.client.port)
        store = self.folder / "store"
        arguments = ["-nosql", "--af_serverport", port, "--af_store_folder", str(store)]
        self.programs.start("server", "afanasy_py.cli", *arguments)
        for _ in self.until(START_LIMIT_SEC, "Starting the server"):
            with contextlib.suppress(OSError, ValueError):
                self.client.renders()
                break
        for number in range(1, HOSTS + 1):
            name = f"host{number}"
            where = ["--server", "127.0.0.1", "--port", port]
            self.programs.start(name, "afanasy_py.render.cli", *where, "--name", name, "--user", "demo")
        for _ in self.until(START_LIMIT_SEC, "Starting the render hosts"):
            if sum(render["st"] & 1 for render in self.client.renders()) == HOSTS:
                break

    def submit(self) -> int:
        """Send the job and return its id."""
        answer = self.client.ask({"job": demo_job(fast=self.fast)})
        if not answer.get("id"):
            raise DemoError(f"The server refused the job: {answer}")
        return int(answer["id"])

    def watch(self, job_id: int) -> None:
        """Show progress until the job is done.

        Raises:
            DemoError: It has an error or takes too long.
        """
        screen = Screen()
        for _ in self.until(JOB_LIMIT_SEC, "The job"):
            job = self.client.job(job_id)
            screen.show(job, self.client.renders())
            if job["st"] & STATE_ERROR:
                raise DemoError("The job has an error.")
            if job["st"] & STATE_DONE:
                return


def explain(port: int) -> None:
    """Tell how to look further while the farm runs."""
    question = json.dumps({"get": {"type": "renders"}})
    url = f"http://127.0.0.1:{port}/"
    say(f"  ask it:        curl -s {url} -H 'AFANASY: {len(question)}' -d '{question}'")
    say(f"  in a browser:  {url}")
    say(f"  one more host: afrender-py --server 127.0.0.1 --port {port} --name host5")
    say(f"  with CGRU:     CGRU_AF_SERVERNAME=127.0.0.1 CGRU_AF_SERVERPORT={port} afwatch")


def run(demo: Demo, *, keep: bool) -> None:
    """Show everything once.

    Raises:
        DemoError: Something did not work.
    """
    port = demo.client.port
    say(f"Starting a server on port {port} and {HOSTS} render hosts in {demo.folder} ...")
    demo.start()
    job_id = demo.submit()
    say(f"Job {job_id} is sent. Its blocks wait for each other:")
    say()
    demo.watch(job_id)
    say()
    say("The job is done. What its last task wrote:")
    say("    " + "\n    ".join(demo.client.output(job_id, 4, 0).splitlines()[-2:]))
    say()
    if not keep:
        say("To look further start it again with --keep: the farm stays, and so do these ways to reach it.")
        explain(port)
        return
    say("The farm goes on until Ctrl-C:")
    explain(port)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            demo.programs.check()
            demo.pause.wait(1)


def interrupt(*_: object) -> None:
    """End as Ctrl-C does, whatever the signal."""
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration and return the exit status."""
    options = docopt(__doc__, argv=list(sys.argv[1:] if argv is None else argv))
    signal.signal(signal.SIGTERM, interrupt)
    folder = Path(tempfile.mkdtemp(prefix="afanasy-demo-"))
    demo = Demo(folder, int(options["--port"] or free_port()), fast=options["--fast"])
    status = 1
    try:
        run(demo, keep=options["--keep"])
        status = 0
    except KeyboardInterrupt:
        say("\nInterrupted.")
    except (DemoError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"afanasy-demo: {error}\n")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is being ended shall be ended
        demo.programs.stop()
        shutil.rmtree(folder, ignore_errors=True)
    say("Server and hosts have ended, nothing is left behind.")
    return status


if __name__ == "__main__":
    sys.exit(main())
