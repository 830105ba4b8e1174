"""Our services in our host do the work of the system job: mail, post commands, waking."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.render.interfaces import net_interfaces
from tests.sinks import SmtpSink, smtp_sink

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")]

Farm = Any  # see conftest.py

WOLWAKE = Path(__file__).parents[2] / "bin" / "wolwake"
BLOCK = {
    "name": "block",
    "service": "generic",
    "flags": 1,
    "frame_first": 1,
    "frame_last": 1,
    "command": "true",
}


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with smtp_sink() as made:
        yield made


def test_a_done_job_is_told_by_mail(farm: Farm, sink: SmtpSink) -> None:
    farm.start_host("render01", environ={"CGRU_EMAIL_SMTP_PORT": str(sink.port)})
    custom = '{"emails": ["artist@example.com"], "events": {"JOB_DONE": {"methods": ["email"]}}}'
    farm.submit(BLOCK, name="film", custom_data=custom)
    farm.wait_for(lambda: sink.mails)
    assert "Subject: Job Done - film" in sink.mails[0]
    assert "To: artist@example.com" in sink.mails[0]


def test_a_post_command_removes_the_scene_of_a_deleted_job(farm: Farm) -> None:
    farm.start_host("render01")
    scene = farm.folder / "scene"
    scene.touch()
    job = farm.submit(BLOCK, command_post=f"rm {scene}")
    farm.act("jobs", job, operation={"type": "delete"})
    farm.wait_for(lambda: not scene.exists())


@pytest.mark.skipif(not net_interfaces(), reason="no hardware addresses here")
def test_a_host_goes_to_sleep_and_is_woken_by_another(farm: Farm) -> None:
    asleep = farm.folder / "asleep"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        port = receiver.getsockname()[1]
        wake = f"{sys.executable} {WOLWAKE} --broadcast 127.0.0.1 --port {port}"
        sleep = f'f() {{ echo "$@" > {asleep}; }}; f'
        farm.start_host("render01", environ={"CGRU_AF_RENDER_CMD_WOLWAKE": wake})
        farm.start_host("render02", environ={"CGRU_AF_RENDER_CMD_WOLSLEEP": sleep})
        render02 = farm.render("render02")["id"]
        farm.act("renders", render02, operation={"type": "wol_sleep"})
        farm.wait_for(lambda: "--hostname render02" in asleep.read_text())
        farm.stop("render02")
        farm.wait_for(lambda: farm.render("render02")["st"] & 64)
        farm.act("renders", render02, operation={"type": "wol_wake"})
        mac = net_interfaces()[0].mac
        assert receiver.recv(200) == b"\xff" * 6 + mac * 16
