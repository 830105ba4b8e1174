"""The command in processes of its own: importing `afanasy_py.cli` patches the interpreter."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from afanasy_py import __version__
from afanasy_py.arguments import USAGE

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.e2e

#: Runs the command with a fake in place of the server: it prints what it was given.
FAKE = """
import json, sys, types
from afanasy_py import cli, errors
import afanasy_py

def run(config):
    if config.settings.af_priority == 666:
        raise errors.StoreError("/store: read only")
    print(json.dumps([config.settings.af_serverport, config.arguments.demo, config.hostname]))
    return config.settings.af_priority

app = types.ModuleType("afanasy_py.app")
app.run = run
afanasy_py.app = sys.modules["afanasy_py.app"] = app
sys.exit(cli.main())
"""


def run(
    *words: str, start: list[str] | None = None, cwd: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(start or [sys.executable, str(ROOT / "bin" / "afserver")]), *words],
        cwd=cwd,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/nowhere", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_the_usage() -> None:
    done = run("-demo", "?")
    assert (done.returncode, done.stdout, done.stderr) == (0, USAGE, "")


def test_a_bad_setting_fails_in_one_line() -> None:
    done = run("--af_serverport", "70000")
    assert done.returncode == 1
    assert done.stderr == (
        "afserver: af_serverport: 70000 is not between 0 and 65535 (argument --af_serverport)\n"
    )


def test_the_server_gets_the_config_and_its_code_is_the_exit_code() -> None:
    done = run(
        "--af_serverport", "51001", "-hostname", "h", start=[sys.executable, "-c", FAKE], CGRU_AF_PRIORITY="7"
    )
    assert done.returncode == 7
    assert json.loads(done.stdout) == [51001, False, "h"]


def test_a_failure_of_the_server_is_one_line() -> None:
    done = run("--af_priority", "666", start=[sys.executable, "-c", FAKE])
    assert (done.returncode, done.stderr) == (1, "afserver: /store: read only\n")


def test_messages_of_the_config_go_to_the_log() -> None:
    done = run("-log_nodate", "-unknown", "--af_priority", "0", start=[sys.executable, "-c", FAKE])
    assert (done.returncode, done.stderr) == (0, "WARNING Argument ignored: -unknown\n")


@pytest.mark.parametrize("way", ["link", "link in a tree", "start script", "sourced setup"])
def test_the_ways_to_start_a_checkout(tmp_path: Path, way: str) -> None:
    start = {
        "link": [str(tmp_path / "afserver")],
        "link in a tree": [str(tmp_path / "tree" / "afanasy" / "bin" / "afserver")],
        "start script": [str(ROOT / "start" / "AFANASY" / "_afserver.sh")],
        "sourced setup": ["bash", "-c", f"source '{ROOT}/setup.sh' && afserver \"$@\"", "bash"],
    }[way]
    (tmp_path / "tree" / "afanasy" / "bin").mkdir(parents=True)
    for link in (tmp_path / "afserver", tmp_path / "tree" / "afanasy" / "bin" / "afserver"):
        link.symlink_to(ROOT / "bin" / "afserver")
    done = run("--version", start=start, cwd=tmp_path, VIRTUAL_ENV=sys.prefix)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"afserver {__version__} ")


def test_a_copy_in_a_tree_uses_the_installed_package(tmp_path: Path) -> None:
    (tmp_path / "afanasy" / "bin").mkdir(parents=True)
    copy = shutil.copy(ROOT / "bin" / "afserver", tmp_path / "afanasy" / "bin")
    done = run("--version", start=[str(copy)], cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stderr) == (0, "")
