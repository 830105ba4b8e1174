"""A command before a job: what is told of it, and what it may not do."""

import os
import time
from pathlib import Path

import gevent
import pytest

from afanasy_py.pre_command import OUTPUT_MOST, run_command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")


def runs(pid: int) -> bool:
    """Return whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_how_it_ended_and_what_it_printed_are_told(tmp_path: Path) -> None:
    assert run_command("pwd", str(tmp_path), 10) == f"pwd\nExit status: 0\n{tmp_path}"
    assert run_command("echo no >&2; exit 3", "", 10) == "echo no >&2; exit 3\nExit status: 3\nno"
    assert run_command("true", "/nowhere at all", 10) == "true"


def test_one_that_cannot_start_is_told() -> None:
    assert run_command("a\0b", "", 10).startswith("a\0b\nFailed to start: ")


def test_one_that_takes_too_long_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.perf_counter()
    command = f"echo begun; (sleep 60; touch {tmp_path}/late) & echo $! > {tmp_path}/pid; sleep 60"
    assert run_command(command, "", 1) == f"{command}\nStopped after 1 seconds.\nbegun"
    assert time.perf_counter() - began < 10
    child = int((tmp_path / "pid").read_text())
    for _ in range(500):
        if not runs(child):
            break
        gevent.sleep(0.01)
    assert not runs(child)


def test_what_it_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    began = time.perf_counter()
    command = f"setsid sleep 30 & echo $! > {tmp_path}/pid; echo done"
    try:
        assert run_command(command, "", 20).endswith("Exit status: 0\ndone")
        assert time.perf_counter() - began < 10
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


def test_of_much_output_the_end_is_kept() -> None:
    text = run_command("head -c 50000000 /dev/zero | tr '\\0' x; echo end", "", 30)
    assert text.endswith("xend")
    assert len(text) < OUTPUT_MOST + 200


def test_others_have_their_turn_meanwhile() -> None:
    turns = []

    def count() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0.01)

    counter = gevent.spawn(count)
    run_command("sleep 0.5", "", 10)
    counter.kill()
    assert len(turns) > 10
