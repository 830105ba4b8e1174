"""Services of a CGRU tree run in our host unchanged; ``AFSERVER_ORIGINAL`` names the tree."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths

#: Makes a service of the tree and tells what became of it. A process of its own: the packages are others.
PROGRAM = """
import json, os, sys
from pathlib import Path
from afanasy_py import paths
from afanasy_py.render.services import ServiceLoader, cgru_python_dirs
question = json.load(sys.stdin)
folders = [Path(f) for f in question["folders"]] or cgru_python_dirs(os.environ)
service = ServiceLoader([*folders, paths.python_dir()]).make(question["name"], question["info"])
base = sys.modules["services.service"].__file__
answer = {"command": service.getCommand(), "skip": service.skipTask(), "base": base}
sys.stderr.write(json.dumps(answer))
"""

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(params=["tree", "files"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Ask a service of a whole tree, or of single files of it over our base service."""
    tree = Path(os.environ.get("AFSERVER_ORIGINAL") or "/absent")
    services = tree / "afanasy" / "python" / "services"
    if not services.is_dir():
        pytest.skip("there is no CGRU tree here (AFSERVER_ORIGINAL)")
    environ = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(paths.PACKAGE.parent)}
    folders: list[str] = []
    if request.param == "tree":
        environ |= {"CGRU_LOCATION": str(tree), "AF_ROOT": str(tree / "afanasy")}
    else:
        copies = tmp_path / "python" / "services"
        copies.mkdir(parents=True)
        for name in ("events.py", "postcmd.py", "wakeonlan.py"):
            (copies / name).write_bytes((services / name).read_bytes())
        folders = [str(copies.parent)]

    def get(name: str, info: dict[str, Any]) -> dict[str, Any]:
        question = json.dumps({"name": name, "info": info, "folders": folders})
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            command, input=question, env=environ, capture_output=True, text=True, check=False
        )
        answer: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
        base = tree if request.param == "tree" else paths.python_dir()
        assert answer["base"].startswith(str(base))
        return answer

    return get


def test_events(ask: Ask, golden: Callable[[str], Any]) -> None:
    answer = ask("events", golden("JOB_DONE"))
    assert not answer["skip"]
    assert answer["command"].startswith("emailsend -V -f ")
    assert '-t "lead@example.com" -s "Job Done - demo_done"' in answer["command"]


def test_wakeonlan(ask: Ask, golden: Callable[[str], Any]) -> None:
    answer = ask("wakeonlan", golden("WOL_WAKE"))
    assert answer["command"].endswith(' --wake --ip "127.0.0.1" --hostname "render01" 020000000001')
    answer = ask("wakeonlan", golden("WOL_SLEEP"))
    assert answer["command"].endswith(' --sleep --ip "127.0.0.1" --hostname "render01" 020000000001')


def test_postcmd(ask: Ask, plain_info: dict[str, Any]) -> None:
    assert ask("postcmd", {**plain_info, "command_task": "rm -f x"})["command"] == "rm -f x"
