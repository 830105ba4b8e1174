"""Start scripts, Dockerfile and compose file: what they name is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "start" / "AFANASY"
DOCKER = ROOT / "packaging" / "docker"


def test_the_script_of_the_start_menu_starts_the_server_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(START / "_afserver.sh"), "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("afserver ")


def test_the_script_for_windows_starts_that_one_and_passes_arguments_and_the_exit_code() -> None:
    data = (START / "_afserver.cmd").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n")
    text = data.decode("ascii")
    called = re.search(r"--exec bash \./(\S+) %\*", text)
    assert called
    assert (START / called[1]).is_file()
    assert text.rstrip().endswith("exit /b %ERRORLEVEL%")
    assert b"\r" not in (START / called[1]).read_bytes()


def test_the_images_are_made_of_what_is_here() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE))
    for source in re.findall(r"^COPY (?!--)(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists(), source
    for stage in re.findall(r"^COPY --from=(\w+) ", text, re.MULTILINE):
        assert stage in targets
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    wanted = re.findall(r"target: (\w+)", compose)
    assert wanted
    assert set(wanted) <= targets
    assert {(DOCKER / place).resolve() for place in re.findall(r"context: (\S+)", compose)} == {ROOT}
    # Nothing but this machine reaches a farm that is started for a try.
    for port in re.findall(r'- "(\S+:\d+)"', compose):
        assert port.startswith("127.0.0.1:"), port


def test_hadolint_finds_nothing_wrong_with_the_dockerfile() -> None:
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        ["hadolint", str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
