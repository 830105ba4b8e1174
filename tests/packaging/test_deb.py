"""The Debian package: built, installed, started, upgraded and removed on this machine.

It changes the machine, so it runs as root where that was agreed to: in CI, or with AFSERVER_TEST_DEB=1.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from afanasy_py.client import ask
from tests.store.real_server import free_port

ROOT = Path(__file__).resolve().parents[2]
STORE = Path("/var/lib/afserver")
CONFIG = Path("/etc/afserver/config.json")


def why_not() -> str:
    """Return why the package cannot be tested here; empty: it can."""
    if not (os.environ.get("CI") or os.environ.get("AFSERVER_TEST_DEB")):
        return "it would install a package on this machine (AFSERVER_TEST_DEB=1)"
    if os.geteuid() or not all(map(shutil.which, ("dpkg-deb", "dpkg", "runuser", "deb-systemd-helper"))):
        return "needs root on a Debian machine"
    if not Path("/usr/bin/python3").exists() or run("/usr/bin/python3", "-c", "import ensurepip")[0]:
        return "needs Debian's python3 with venv"
    if run("dpkg", "-s", "adduser")[0]:
        return "needs the package adduser"
    if STORE.exists() or not run("dpkg", "-s", "afserver")[0]:
        return "afserver is installed here"
    return ""


def run(*words: str) -> tuple[int, str]:
    """Return the exit code of a command and what it wrote."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    return done.returncode, done.stdout + done.stderr


def good(*words: str) -> str:
    code, text = run(*words)
    assert code == 0, text
    return text


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The package and a later version of it; nothing of them is left afterwards."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("deb")
    good(str(ROOT / "packaging/build_deb.sh"), str(folder))
    (first,) = map(str, folder.glob("afserver_*.deb"))
    tree, second = folder / "tree", folder / "later.deb"
    good("dpkg-deb", "-R", first, str(tree))
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 99.0", control.read_text(), flags=re.MULTILINE))
    good("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(second))
    yield first, str(second)
    run("dpkg", "--purge", "afserver")
    run("deluser", "--system", "afserver")
    shutil.rmtree(STORE, ignore_errors=True)


class Service:
    """The service as its unit says it, started by hand, since systemd does not run here."""

    def __init__(self) -> None:
        unit = Path("/lib/systemd/system/afserver.service").read_text()
        lines = dict(re.findall(r"^(User|ExecStart|Environment)=(.*)$", unit, re.MULTILINE))
        command = shlex.split(lines["ExecStart"].replace("$AFSERVER_OPTIONS", ""))
        self.port = free_port()
        environment = [
            *shlex.split(lines["Environment"]),
            f"CGRU_AF_SERVERPORT={self.port}",
            "CGRU_AF_SERVER_BIND=127.0.0.1",
        ]
        self.process = subprocess.Popen(
            ["setpriv", f"--reuid={lines['User']}", f"--regid={lines['User']}", "--clear-groups", "--no-new-privs",
             "env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent", *environment, *command],
            cwd="/",
        )  # fmt: skip
        end = time.perf_counter() + 30
        while self.get("/readyz") != 200 and time.perf_counter() < end:
            time.sleep(0.1)
        assert self.get("/readyz") == 200

    def get(self, path: str) -> int:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", path)
            return link.getresponse().status
        except OSError:
            return 0
        finally:
            link.close()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0


def test_the_package_is_installed_started_upgraded_and_removed(packages: tuple[str, str]) -> None:
    first, second = packages
    good("dpkg", "-i", first)
    assert (STORE.owner(), STORE.stat().st_mode & 0o777) == ("afserver", 0o750)
    wanted = Path("/etc/systemd/system/multi-user.target.wants/afserver.service")
    assert wanted.is_symlink()
    assert good("/usr/bin/afserver", "--version").startswith("afserver ")

    service = Service()
    try:
        job = {
            "name": "kept",
            "user_name": "anna",
            "blocks": [{"flags": 1, "frame_first": 1, "frame_last": 2}],
        }
        assert ask("127.0.0.1", service.port, {"job": job})["id"] == 2
        assert [service.get(path) for path in ("/", "/afserver/page.js", "/metrics")] == [200, 200, 200]
        listed = good("/usr/bin/afcmd", "--server=127.0.0.1", f"--port={service.port}", "jobs", "list")
        assert "kept" in listed
        # An upgrade keeps the configuration and changes nothing of the server that runs.
        CONFIG.write_text(json.dumps({"cgru_config": {"af_priority": 33}}))
        text = good("dpkg", "-i", "--force-confold", second)
        assert "Preparing to unpack" in text
        assert service.process.poll() is None
        assert "kept" in good(
            "/usr/bin/afcmd", "--server=127.0.0.1", f"--port={service.port}", "jobs", "list"
        )
    finally:
        service.stop()
    assert "Version: 99.0" in good("dpkg", "-s", "afserver")
    service = Service()
    try:
        ask("127.0.0.1", service.port, {"job": {**job, "name": "new"}})
        jobs = ask("127.0.0.1", service.port, {"get": {"type": "jobs"}})["jobs"]
        assert {item["name"]: item["priority"] for item in jobs if item["id"] > 1} == {"kept": 99, "new": 33}
    finally:
        service.stop()

    good("dpkg", "--remove", "afserver")
    assert not Path("/usr/bin/afserver").exists()
    assert not Path("/opt/afserver").exists()
    assert CONFIG.exists()
    assert (STORE / "journal").is_dir()
    text = good("dpkg", "--purge", "afserver")
    assert "The store of the farm stays in /var/lib/afserver" in text
    assert not CONFIG.exists()
    assert not wanted.is_symlink()
    assert (STORE / "journal").is_dir()


def test_scripts_of_the_package_are_sound() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    scripts = [ROOT / "packaging/build_deb.sh", *(ROOT / "packaging/debian").glob("p*")]
    good("shellcheck", *map(str, scripts))
