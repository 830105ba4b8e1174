"""A real server and our own host: commands of the system job run, are kept over a restart, and tell of events."""

import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.render.conftest import Farm, pythonpath

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")]

Start = Callable[..., Farm]

BLOCK = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1, "command": "true"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with settings."""
    farms: list[Farm] = []

    def make(**settings: Any) -> Farm:
        command = [sys.executable, "-m", "afanasy_py.cli", "--af_server_bind", "127.0.0.1"]
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        farm = Farm(tmp_path, command, {"PYTHONPATH": pythonpath()})
        farms.append(farm)
        farm.start_server()
        return farm

    yield make
    for farm in farms:
        for name in sorted(farm.programs, key=lambda name: name == "server"):
            farm.stop(name)


def waiting(farm: Farm, block: int = 0) -> int:
    """Return how many commands wait in a block of the system job."""
    job = farm.client.ask({"get": {"type": "jobs", "ids": [1]}})["jobs"][0]
    return int(job["blocks"][block].get("p_tasks_ready", 0))


def delete_with_notes(farm: Farm, total: int, file: Path) -> None:
    """Let jobs come and go that each leave a line in a file."""
    ids = [
        farm.submit(BLOCK, name=f"job{n}", offline=True, command_post=f"echo {n} >> {file}")
        for n in range(total)
    ]
    action = {"type": "jobs", "ids": ids, "user_name": "u", "host_name": "h", "operation": {"type": "delete"}}
    farm.client.ask({"action": action})


def lines(file: Path) -> list[str]:
    return sorted(file.read_text().split(), key=int)


def test_with_three_tasks_at_most_fifty_commands_run_on_one_host(start: Start) -> None:
    farm = start(af_sysjob_tasksmax=3)
    file = farm.folder / "notes"
    delete_with_notes(farm, 50, file)
    assert waiting(farm) == 50
    farm.act("pools", 1, params={"capacity_host": 100_000, "max_tasks_host": 20, "heartbeat_sec": 1})
    farm.start_host("render01")
    most = 0

    def all_ran() -> bool:
        nonlocal most
        most = max(most, len(farm.render("render01").get("tasks", [])))
        return len(lines(file)) == 50

    farm.wait_for(all_ran)
    assert lines(file) == [str(number) for number in range(50)]
    assert most <= 3
    farm.wait_for(lambda: waiting(farm) == 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_commands_that_wait_are_there_after_a_restart(start: Start, how: signal.Signals) -> None:
    farm = start()
    file = farm.folder / "notes"
    delete_with_notes(farm, 5, file)
    server = farm.programs.pop("server")
    server.send_signal(how)
    server.wait(15)
    farm.start_server()
    assert waiting(farm) == 5
    farm.start_host("render01")
    farm.wait_for(lambda: len(lines(file)) == 5)


def test_a_farm_has_its_own_service_of_events(start: Start) -> None:
    farm = start(af_sysjob_events_service="events_local")
    told = farm.folder / "told"
    services = farm.folder / "own" / "services"
    services.mkdir(parents=True)
    (services / "events_local.py").write_text(
        "from services import events\n"
        "class events_local(events.events):\n"
        "    def getMethodCommand(self, method, names, objects):\n"
        f"        return 'echo %s %s %s > {told}' % (method, names[0], objects['job']['name'])\n"
    )
    farm.start_host("render01", f"--services={services.parent}")
    farm.submit(BLOCK, name="film", custom_data='{"events": {"JOB_DONE": {"methods": ["pager"]}}}')
    farm.wait_for(lambda: told.read_text() == "pager JOB_DONE film\n")


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted; refuses the first time, as servers do that start just now."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got: list[tuple[dict[str, str], bytes]] = self.server.got  # type: ignore[attr-defined]
        got.append((dict(self.headers), body))
        self.send_response(503 if len(got) == 1 else 200)
        self.end_headers()

    def log_request(self, code: Any = "", size: Any = "") -> None:
        """Say nothing."""


@pytest.mark.parametrize("merged", [0, 1])
def test_a_webhook_hears_of_a_done_job_though_it_failed_at_first(start: Start, merged: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.got = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        farm = start(af_sysjob_events_merge=merged)
        farm.start_host("render01")
        custom = {
            "events": {"JOB_DONE": {"methods": ["webhook"]}},
            "webhooks": [{"url": f"http://127.0.0.1:{server.server_address[1]}/hook", "secret": "hush"}],
        }
        farm.submit(BLOCK, name="film", custom_data=json.dumps(custom))
        farm.wait_for(lambda: len(server.got) == 2)  # type: ignore[attr-defined]
        (_, first), (headers, body) = server.got  # type: ignore[attr-defined]
        server.shutdown()
    assert first == body
    document = json.loads(body)
    assert (document["events"], document["job"]["name"]) == (["JOB_DONE"], "film")
    assert "hush" not in body.decode()
    signature = hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    assert headers["X-Afanasy-Signature"] == f"sha256={signature}"
    assert headers["X-Afanasy-Event"] == "JOB_DONE"


def test_a_job_may_go_before_its_commands_have_run(start: Start) -> None:
    farm = start()
    farm.start_host("render01")
    scene = farm.folder / "scene"
    scene.touch()
    running = {**BLOCK, "command": "sleep 60", "command_post": f"rm {scene}"}
    job = farm.submit(running)
    farm.wait_for(lambda: farm.progress(job)["state"].strip() == "RUN")
    farm.act("jobs", job, operation={"type": "delete"})
    farm.wait_for(lambda: not scene.exists())


# -- commands before a job


def log_of(farm: Farm, job: int) -> str:
    return str(farm.client.ask({"get": {"type": "jobs", "ids": [job], "mode": "log"}}))


def test_a_pre_command_holds_up_its_job_and_nobody_else(start: Start) -> None:
    farm = start()
    farm.act("pools", 1, params={"capacity_host": 10_000, "max_tasks_host": 9})
    farm.start_host("render01")
    ran = farm.folder / "ran"
    answers: list[int] = []
    blocks = [{**BLOCK, "command": f"cat {ran}", "command_pre": "sleep 1; echo of the block"}]

    def send() -> None:
        answers.append(
            farm.submit(*blocks, name="slow", command_pre=f"sleep 2; echo made > {ran}; echo ready")
        )

    sender = threading.Thread(target=send)
    sender.start()
    took = []
    while sender.is_alive():
        began = time.perf_counter()
        other = farm.submit(BLOCK, name="other")
        took.append(time.perf_counter() - began)
        assert not ran.exists() or other
        time.sleep(0.05)
    sender.join()
    assert len(took) > 10
    assert sorted(took)[len(took) // 2] < 0.5
    [job] = answers
    farm.wait_for(lambda: farm.progress(job)["state"].strip() == "DON")
    assert farm.client.output(job, 0, 0) == "made\n"  # it did not start before
    text = log_of(farm, job)
    assert "echo ready\\nExit status: 0\\nready" in text
    assert "Block[b]: sleep 1; echo of the block\\nExit status: 0\\nof the block" in text


def test_a_pre_command_has_a_time_limit(start: Start) -> None:
    farm = start(af_server_pre_command_sec=1)
    began = time.perf_counter()
    job = farm.submit(BLOCK, command_pre="echo begun; sleep 60")
    assert time.perf_counter() - began < 9
    assert "Stopped after 1 seconds.\\nbegun" in log_of(farm, job)


def test_without_pre_commands_a_job_that_has_one_is_refused(start: Start) -> None:
    farm = start(af_server_pre_commands="false")
    job = {"name": "job", "user_name": "artist", "host_name": "ws01", "blocks": [BLOCK]}
    for fields in ({"command_pre": "true"}, {"blocks": [{**BLOCK, "command_pre": "true"}]}):
        answer = farm.client.ask({"job": {**job, **fields}})
        assert answer["id"] == 0
        assert "commands on the server are switched off (af_server_pre_commands)" in answer["error"]
    assert farm.client.ask({"job": job})["id"] > 1
