"""The host as a program against a real server (see conftest.py)."""

import json
import os
import signal
import time
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")]

DON, RUN, SKP = 16, 2, 256

Farm = Any  # see conftest.py


def numeric(command: str, last: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "name": "block",
        "service": "generic",
        "parser": "generic",
        "flags": 1,
        "frame_first": 1,
        "frame_last": last,
        "command": command,
        **more,
    }


def test_a_job_runs_to_its_end_and_its_output_can_be_read(farm: Farm) -> None:
    farm.start_host("render01")
    render = farm.render("render01")
    assert (render["user_name"], render["engine"]) == ("artist", "3.4.1")
    job = farm.submit(numeric("echo frame @##@; echo PROGRESS: 50%", last=3))
    farm.wait_for(lambda: farm.client.job(job)["st"] & DON)
    assert farm.client.output(job, 0, 2) == "frame 03\nPROGRESS: 50%\n"
    assert farm.progress(job)["hst"] == "render01"
    assert farm.programs["render01"].poll() is None
    assert farm.stop("render01") == 0
    farm.wait_for(lambda: not farm.render("render01")["st"] & 1)


def test_errors_stops_and_skips(farm: Farm) -> None:
    farm.start_host("render01")
    failing = farm.submit(numeric("echo oops; exit 3", errors_retries=0))
    farm.wait_for(lambda: farm.progress(failing)["st"] & 32)
    assert farm.client.output(failing, 0, 0) == "oops\n"

    job = farm.submit(numeric("echo start; sleep 30", last=1))
    farm.wait_for(lambda: farm.progress(job)["st"] & RUN)
    farm.act("renders", 1, operation={"type": "eject_tasks"})
    farm.wait_for(lambda: farm.progress(job).get("str", 0) == 2)
    farm.act("jobs", job, operation={"type": "stop"})
    farm.wait_for(lambda: not farm.progress(job)["st"] & RUN)
    farm.act("jobs", job, operation={"type": "start"})
    farm.wait_for(lambda: farm.progress(job).get("str", 0) == 3)
    farm.act("jobs", job, block_ids=[0], operation={"type": "skip", "task_ids": [0]})
    farm.wait_for(lambda: farm.progress(job)["st"] & SKP)
    farm.wait_for(lambda: not farm.render("render01").get("tasks"))


def test_the_output_of_a_running_task_can_be_read(farm: Farm) -> None:
    farm.start_host("render01")
    answer = farm.client.ask({"monitor": {"user_name": "artist", "host_name": "ws01", "engine": "test"}})
    monitor = answer["monitor"]["id"]
    job = farm.submit(numeric("echo begun; sleep 30"))
    farm.wait_for(lambda: farm.progress(job)["st"] & RUN)
    ask = {
        "type": "jobs",
        "mode": "output",
        "ids": [job],
        "block_ids": [0],
        "task_ids": [0],
        "mon_id": monitor,
    }
    seen: list[str] = []

    def arrived() -> bool:
        farm.client.ask({"get": ask})
        events = farm.client.ask({"get": {"type": "monitors", "mode": "events", "ids": [monitor]}})
        seen.append(json.dumps(events))
        return "begun" in seen[-1]

    farm.wait_for(arrived)


def test_a_task_survives_a_restart_of_the_server(farm: Farm) -> None:
    farm.start_host("render01")
    flag = farm.folder / "go"
    job = farm.submit(numeric(f"echo begun; while [ ! -e {flag} ]; do sleep 0.1; done; echo ended"))
    farm.wait_for(lambda: farm.progress(job)["st"] & RUN)
    time.sleep(1.5)  # the original stores the state of tasks a little later
    farm.programs["server"].send_signal(signal.SIGINT)
    farm.programs.pop("server").wait(15)
    farm.start_server()
    farm.wait_for(lambda: farm.render("render01")["st"] & 1)
    farm.wait_for(lambda: farm.progress(job)["st"] & RUN)
    flag.touch()
    farm.wait_for(lambda: farm.client.job(job)["st"] & DON)
    assert farm.client.output(job, 0, 0) == "begun\nended\n"


def test_a_second_host_of_the_same_name_ends(farm: Farm) -> None:
    farm.start_host("render01")
    program = farm.programs.pop("render01")
    farm.start_host("render01")
    assert farm.programs["render01"].wait(15) == 1
    assert b"Render with the same name exists" in (farm.folder / "render01.log").read_bytes()
    farm.programs["render01"] = program


def test_an_instruction_ends_the_host(farm: Farm) -> None:
    farm.start_host("render01")
    farm.act("renders", 1, operation={"type": "exit"})
    assert farm.programs["render01"].wait(15) == 0


def test_a_host_may_come_as_nimby(farm: Farm) -> None:
    farm.start_host("render01", "--nimby")
    assert farm.render("render01")["st"] & 3 == 3
