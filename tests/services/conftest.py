"""Services are loaded as a render host does it: through the loader, into packages of this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths
from afanasy_py.render.services import ServiceLoader

VARIABLES = {
    "af_render_cmd_wolsleep": "wolsleep",
    "af_render_cmd_wolwake": "wolwake",
    "email_smtp_server": "127.0.0.1",
    "email_sender_address_host": "example.com",
    "pathsmap": [["/client/prj/", "/server/prj/"]],
    "af_thumbnail_cmd": 'convert "%(image)s" %(pre_args)s "%(thumbnail)s"',
}

INFO: dict[str, Any] = {
    "block_flags": 0,
    "block_id": 0,
    "block_name": "block",
    "capacity": 1000,
    "capacity_coeff": 0,
    "command_block": "",
    "command_task": "",
    "environment": {},
    "files_block": [],
    "files_task": [],
    "frame_finish": 1,
    "frame_inc": 1,
    "frame_start": 1,
    "frames_num": 1,
    "hosts": [],
    "job_id": 2,
    "job_name": "job",
    "parsed_files": [],
    "parser": "",
    "store_dir": "",
    "task_id": 0,
    "task_name": "task",
    "tickets": {},
    "user_name": "artist",
    "wdir": "",
}

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def loader() -> ServiceLoader:
    return ServiceLoader([paths.python_dir()], VARIABLES)


@pytest.fixture(scope="session")
def plain_info() -> dict[str, Any]:
    """What a host tells of a task about which nothing is special."""
    return INFO


@pytest.fixture
def make(loader: ServiceLoader) -> Make:
    """Make a service: its name, and what is special about the task."""

    def service(name: str = "generic", **info: Any) -> Any:
        return loader.make(name, {**json.loads(json.dumps(INFO)), **info})

    return service


@pytest.fixture
def golden(shared_dir: Path) -> Callable[[str], dict[str, Any]]:
    """Return a recorded task of the system job: its info with the recorded command in it."""

    def task(name: str) -> dict[str, Any]:
        folder = shared_dir / "golden" / "sysjob"
        info = json.loads((folder / f"{name}.task_info.json").read_text())
        return {**INFO, **info, "command_task": (folder / f"{name}.txt").read_text()}

    return task
