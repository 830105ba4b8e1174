"""A real server and real hosts as programs: the original server where it is installed, and ours.

``AFSERVER_ORIGINAL`` names a CGRU tree with the original server built in it; without it these runs are skipped.
"""

import contextlib
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

LIMIT_SEC = 40


class Farm:
    """A server with its store, and hosts."""

    def __init__(self, folder: Path, command: list[str], environ: dict[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.client = Client(self.port)
        where = ["--af_serverport", str(self.port), "--af_store_folder", str(folder / "store")]
        self.command = [*command, "-nosql", *where]
        home = folder / "home"
        home.mkdir()
        self.environ = {**os.environ, "HOME": str(home), **environ}
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environ: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def start_server(self) -> None:
        self.start("server", self.command, self.environ)
        self.wait_for(lambda: self.client.renders() is not None)

    def start_host(self, name: str, *options: str, environ: dict[str, str] | None = None) -> None:
        own = {k: v for k, v in os.environ.items() if k not in ("CGRU_LOCATION", "AF_ROOT")}
        own |= {"HOME": self.environ["HOME"], "PYTHONPATH": pythonpath(), **(environ or {})}
        command = [sys.executable, "-m", "afanasy_py.render.cli", "-s", "127.0.0.1", "-p", str(self.port)]
        self.start(name, [*command, "-n", name, "-u", "artist", *options], own)
        self.wait_for(lambda: self.render(name)["st"] & 1)

    def stop(self, name: str) -> int:
        program = self.programs.pop(name)
        program.terminate()
        return program.wait(15)

    def wait_for(self, happened: Callable[[], Any]) -> None:
        """Wait until something is true; an answer that can not be had yet counts as false."""
        for _ in range(LIMIT_SEC * 20):
            if "server" in self.programs and self.programs["server"].poll() is not None:
                break
            with contextlib.suppress(OSError, ValueError, LookupError, StopIteration):
                if happened():
                    return
            time.sleep(0.05)
        raise AssertionError(f"it never happened, see {self.folder}")

    def render(self, name: str) -> dict[str, Any]:
        return next(render for render in self.client.renders() if render["name"] == name)

    def submit(self, *blocks: dict[str, Any], **more: Any) -> int:
        job = {"name": "job", "user_name": "artist", "host_name": "ws01", "blocks": list(blocks), **more}
        return int(self.client.ask({"job": job})["id"])

    def act(self, kind: str, node: int, **what: Any) -> None:
        action = {"user_name": "artist", "host_name": "ws01", "type": kind, "ids": [node], **what}
        self.client.ask({"action": action})

    def progress(self, job: int, task: int = 0) -> dict[str, Any]:
        get = {"type": "jobs", "mode": "progress", "ids": [job]}
        progress: dict[str, Any] = self.client.ask({"get": get})["job_progress"]["progress"][0][task]
        return progress


def pythonpath() -> str:
    return os.pathsep.join(filter(None, [str(paths.PACKAGE.parent), os.environ.get("PYTHONPATH")]))


@pytest.fixture(params=["original", "ours"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Farm]:
    if request.param == "original":
        tree = Path(os.environ.get("AFSERVER_ORIGINAL") or "/absent")
        program = tree / "afanasy" / "bin" / "afserver"
        if not program.is_file():
            pytest.skip("the original server is not here (AFSERVER_ORIGINAL)")
        environ = {
            "CGRU_LOCATION": str(tree),
            "AF_ROOT": str(tree / "afanasy"),
            "AF_SERVER_BIND": "127.0.0.1",  # known to builds made for tests
        }
        farm = Farm(tmp_path, [str(program)], environ)
    else:
        farm = Farm(tmp_path, [sys.executable, "-m", "afanasy_py.cli"], {"PYTHONPATH": pythonpath()})
    try:
        farm.start_server()
        yield farm
    finally:
        for name in sorted(farm.programs, key=lambda name: name == "server"):
            program = farm.programs[name]
            try:
                farm.stop(name)
            except subprocess.TimeoutExpired:
                program.kill()
