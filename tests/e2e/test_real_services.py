"""The unmodified services of CGRU in the unmodified afrender do the work of our system job.

``AFSERVER_ORIGINAL`` names a CGRU tree with the programs built in it; without it these runs are skipped.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths
from tests.e2e.test_real_clients import PROGRAMS, TREE, Clients
from tests.sinks import SmtpSink, smtp_sink

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (PROGRAMS / "afrender").is_file(),
        reason="AFSERVER_ORIGINAL names no CGRU tree with built programs",
    ),
]

BIN = paths.PACKAGE.parent / "bin"
BLOCK = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1, "command": "true"}


class Farm(Clients):
    """Our server, hosts of the original, and where they send mail and packets."""

    def __init__(self, folder: Path, sink: SmtpSink) -> None:
        super().__init__(folder)
        self.environ |= {
            "PATH": f"{TREE / 'bin'}:{os.environ['PATH']}",
            # The tree's own emailsend takes a port with the server's name.
            "CGRU_EMAIL_SMTP_SERVER": f"127.0.0.1:{sink.port}",
        }

    def submit(self, **fields: Any) -> int:
        job = {"name": "film", "user_name": "artist", "host_name": "ws01", "blocks": [BLOCK], **fields}
        return int(self.client.ask({"job": job})["id"])

    def act(self, kind: str, node: int, **what: Any) -> None:
        action = {"user_name": "artist", "host_name": "ws01", "type": kind, "ids": [node], **what}
        self.client.ask({"action": action})

    def render(self, name: str) -> dict[str, Any]:
        return next(render for render in self.client.renders() if render["name"] == name)

    def start_host(self, name: str, **environ: str) -> None:
        where = ["--af_servername", "127.0.0.1", "--af_serverport", str(self.port)]
        command = [str(PROGRAMS / "afrender"), "-hostname", name, *where]
        self.start(name, [*command, "--af_store_folder", str(self.folder / name)], **environ)
        self.wait_for(lambda: any(r["name"] == name and r["st"] & 1 for r in self.client.renders()))

    def log_of_block(self, number: int) -> str:
        """Return the log of a block of the system job."""
        get = {"type": "jobs", "mode": "log", "ids": [1], "block_ids": [number], "task_ids": [0]}
        return str(self.client.ask({"get": get}))


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with smtp_sink() as made:
        yield made


@pytest.fixture
def farm(tmp_path: Path, sink: SmtpSink) -> Iterator[Farm]:
    made = Farm(tmp_path, sink)
    try:
        made.start_server()
        yield made
    finally:
        for name in sorted(made.programs, key=lambda name: name == "server"):
            with contextlib.suppress(ProcessLookupError):
                made.stop(name)


def test_events_of_cgru_send_mail_of_a_done_job(farm: Farm, sink: SmtpSink) -> None:
    farm.start_host("render01")
    custom = '{"emails": ["lead@example.com"], "events": {"JOB_DONE": {"methods": ["email"]}}}'
    farm.submit(custom_data=custom)
    farm.wait_for(lambda: sink.mails)
    assert "Subject: Job Done - film" in sink.mails[0]
    assert "To: lead@example.com" in sink.mails[0]
    # The event JOB_CREATED is not configured: the service skips its task.
    farm.wait_for(lambda: "Skipped by service on render." in farm.log_of_block(2))


def test_a_post_command_removes_a_scene_through_afrender(farm: Farm) -> None:
    farm.start_host("render01")
    scene = farm.folder / "scene.ma"
    scene.touch()
    job = farm.submit(command_post=f"rm -f {scene}")
    farm.act("jobs", job, operation={"type": "delete"})
    farm.wait_for(lambda: not scene.exists())
    farm.wait_for(lambda: "Finished success." in farm.log_of_block(0))


def test_afrender_sleeps_and_is_woken_by_another(farm: Farm) -> None:
    asleep = farm.folder / "asleep"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        port = receiver.getsockname()[1]
        wake = f"{sys.executable} {BIN / 'wolwake'} --broadcast 127.0.0.1 --port {port}"
        note = farm.folder / "note.sh"
        note.write_text(f'#!/bin/sh\necho "$@" > {asleep}\n')
        note.chmod(0o755)
        farm.start_host("render01", CGRU_AF_RENDER_CMD_WOLWAKE=wake)
        farm.start_host("render02", CGRU_AF_RENDER_CMD_WOLSLEEP=str(note))
        sleeper = farm.render("render02")
        farm.act("renders", sleeper["id"], operation={"type": "wol_sleep"})
        farm.wait_for(lambda: "--hostname render02" in asleep.read_text())
        farm.stop("render02")
        farm.wait_for(lambda: farm.render("render02")["st"] & 64)
        farm.act("renders", sleeper["id"], operation={"type": "wol_wake"})
        mac = bytes.fromhex(sleeper["netifs"][0]["mac"].replace(":", ""))
        assert receiver.recv(200) == b"\xff" * 6 + mac * 16
    farm.start_host("render02")
    assert not farm.render("render02")["st"] & (32 | 64 | 128)
