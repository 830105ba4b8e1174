"""Commands in process groups of their own."""

import os
import threading
from pathlib import Path

import pytest

from afanasy_py.render.process import ChildProcess

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups of POSIX")


class Started:
    """A process whose end can be waited for."""

    def __init__(self, command: str, wdir: Path) -> None:
        self.woken = threading.Event()
        self.process = ChildProcess(command, str(wdir), dict(os.environ), 0, self.woken.set)
        self.output = b""

    def wait(self) -> int:
        for _ in range(100):
            assert self.woken.wait(10)
            self.woken.clear()
            status = self.process.exit_status()
            self.output += self.process.read()
            if status is not None:
                return status
        raise AssertionError("never ended")


def test_output_and_exit_status_come_back(tmp_path: Path) -> None:
    started = Started("pwd; echo oops >&2; exit 3", tmp_path)
    assert started.wait() == 3
    assert started.output == f"{tmp_path}\noops\n".encode()


def test_it_does_not_wait_for_input(tmp_path: Path) -> None:
    assert Started("cat", tmp_path).wait() == 0


def test_much_output_is_not_lost(tmp_path: Path) -> None:
    started = Started("yes 0123456789 | head -c 30000000", tmp_path)
    assert started.wait() == 0
    assert len(started.output) == 30_000_000


def test_terminate_reaches_the_whole_group(tmp_path: Path) -> None:
    started = Started("(sleep 60; echo child) & sleep 60; echo parent", tmp_path)
    started.process.terminate()
    assert started.wait() == -15
    assert started.output == b""


def test_kill_ends_what_does_not_obey(tmp_path: Path) -> None:
    started = Started("trap '' TERM; echo ready; while :; do sleep 0.1; done", tmp_path)
    while not started.output:
        started.output += started.process.read()
    started.process.terminate()
    started.process.kill()
    assert started.wait() == -9


def test_a_program_left_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    started = Started("sleep 5 & echo $!", tmp_path)
    assert started.wait() == 0
    os.kill(int(started.output), 15)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        Started("true", tmp_path / "absent")
