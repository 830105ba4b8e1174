"""The server under a service manager: what it tells systemd, how it stops and reloads, and the unit itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.supervisor import Supervisor
from tests.store.real_server import RealServer

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "afserver.service"


class Manager:
    """Hears what a service tells, as systemd does."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.link.bind(self.path)
        self.link.settimeout(20)

    def wait_for(self, word: str) -> None:
        while word not in self.link.recv(4096).decode().split("\n"):
            pass

    def heard(self) -> list[str]:
        self.link.setblocking(False)
        heard = []
        try:
            while True:
                heard.append(self.link.recv(4096).decode())
        except BlockingIOError:
            return heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.link.close()


def test_signs_of_life_come_as_often_as_they_are_wanted(manager: Manager) -> None:
    told = Supervisor({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "3000000"})
    for tenth in range(51):
        told.beat(tenth / 10)
    assert manager.heard() == ["WATCHDOG=1"] * 6


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}], ids=str
)
def test_nobody_who_did_not_ask_gets_signs_of_life(manager: Manager, environ: dict[str, str]) -> None:
    told = Supervisor({"NOTIFY_SOCKET": manager.path, **environ})
    told.beat(0.0)
    told.beat(1000.0)
    assert manager.heard() == []


def test_without_a_manager_nothing_is_told() -> None:
    told = Supervisor({})
    told.ready()
    told.stopping()


def test_a_manager_that_is_gone_or_does_not_read_stops_nothing(
    manager: Manager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    gone.ready()
    gone.ready()
    assert len(caplog.records) == 1
    full = Supervisor({"NOTIFY_SOCKET": manager.path})
    for _ in range(5000):  # far more than a socket keeps
        full.ready()


def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    name = f"afserver-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind(f"\0{name}")
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert "STOPPING=1" in link.recv(100).decode()


# -- a real server


@pytest.fixture
def server(manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealServer]:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"cgru_config": {"af_priority": 50}}))
    monkeypatch.setenv("CGRU_CUSTOM_CONFIG", str(config))
    monkeypatch.setenv("NOTIFY_SOCKET", manager.path)
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    running = RealServer(tmp_path / "store", tmp_path / "home")
    monkeypatch.delenv("NOTIFY_SOCKET")
    yield running
    running.kill()


@pytest.mark.e2e
def test_it_says_when_it_is_ready_alive_reloading_and_stopping(
    manager: Manager, server: RealServer, tmp_path: Path
) -> None:
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1")
    manager.wait_for("WATCHDOG=1")
    server.submit("before")
    (tmp_path / "config.json").write_text(json.dumps({"cgru_config": {"af_priority": 77}}))
    server.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    server.submit("after")
    assert {name: job["priority"] for name, job in server.jobs().items()} == {"before": 50, "after": 77}
    seconds = server.stop()
    manager.wait_for("STOPPING=1")
    assert server.process.returncode == 0
    assert seconds < 5.0


@pytest.mark.e2e
def test_a_broken_configuration_is_no_reason_to_stop(
    server: RealServer, manager: Manager, tmp_path: Path
) -> None:
    manager.wait_for("READY=1")
    (tmp_path / "config.json").write_text('{"cgru_config": {"af_priority": 999999}, "x')
    server.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    server.submit("after")
    assert server.jobs()["after"]["priority"] == 50
    assert server.process.poll() is None


@pytest.mark.e2e
def test_a_stop_in_the_midst_of_work_takes_five_seconds_at_most_and_loses_nothing(
    server: RealServer, tmp_path: Path
) -> None:
    frames = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 2_000}
    ids = [server.submit(f"job{number}", [frames])["id"] for number in range(8)]
    server.act("jobs", ids=ids, operation={"type": "skip"}, block_ids=[-1])
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for link in slow:  # answers that nobody reads
        request = json.dumps({"get": {"type": "jobs", "ids": ids[:1], "mode": "progress"}}).encode()
        link.sendall(b"AFANASY %d JSON" % len(request) + request)
    server.act("jobs", ids=ids, params={"annotation": "the last word"})
    seconds = server.stop()
    for link in silent + slow:
        link.close()
    assert seconds < 5.0
    assert server.process.returncode == 0
    again = RealServer(tmp_path / "store", tmp_path / "home")
    try:
        jobs = again.jobs()
        assert len(jobs) == 8
        assert all(job["annotation"] == "the last word" for job in jobs.values())
    finally:
        again.stop()


@pytest.mark.e2e
def test_log_lines_in_a_file_are_json_if_wanted_and_never_coloured(tmp_path: Path) -> None:
    words = [
        "--af_server_bind",
        "127.0.0.1",
        "--af_serverport",
        "0",
        "--af_store_folder",
        str(tmp_path / "s"),
    ]

    def lines(*more: str) -> list[str]:
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "bin/afserver"), "-nosql", *words, *more],
                env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm-256color"},
                stderr=log,
            )
        end = time.perf_counter() + 20
        while "Listening" not in (tmp_path / "log").read_text() and time.perf_counter() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        text = (tmp_path / "log").read_text()
        assert "\033" not in text
        return text.splitlines()

    assert any(re.fullmatch(r"INFO    Listening \d+ port\.\.\.", line) for line in lines("-log_nodate"))
    documents: list[dict[str, Any]] = [json.loads(line) for line in lines("--log-format", "json")]
    assert any(line["text"].startswith("Listening") and line["level"] == "INFO" for line in documents)


# -- the unit


def settings_of(section: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    text = UNIT.read_text().partition(f"[{section}]")[2].partition("\n[")[0]
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    # Where the package is not installed there is no such program.
    copy.write_text(UNIT.read_text().replace("/opt/afserver/bin/afserver", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:]


def test_the_unit_notifies_is_watched_and_starts_again() -> None:
    service = settings_of("Service")
    assert service["Type"] == ["notify"]
    assert service["Restart"] == ["on-failure"]
    assert service["WatchdogSec"] == ["60"]
    # The process that writes the files outlives the server for a moment.
    assert service["KillMode"] == ["process"]
    assert "HUP" in service["ExecReload"][0]
