"""Runs a command that a job wants on the server's host before it starts: a child with a time limit.

Waits by gevent, so only the greenlet that asks is held up. Knows nothing of jobs.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import gevent
from gevent import subprocess

#: Of the output so many bytes are kept, the last ones.
OUTPUT_MOST = 4000
#: After its end, or after it was stopped, what it left behind may hold its output open for so many seconds.
GRACE_SEC = 1.0


def run_command(command: str, directory: str, limit_sec: int) -> str:
    """Run a command through the shell; return the command, how it ended, and what it printed, on lines.

    Of one that succeeded and printed nothing only the command is told, as the original does.

    Args:
        command: For the shell.
        directory: Where it runs; a folder that is not there, or empty: where the server runs.
        limit_sec: It is killed after this time, with all that it has started in its session.
    """
    try:
        child = subprocess.Popen(
            command,
            shell=True,
            cwd=directory if directory and Path(directory).is_dir() else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command}\nFailed to start: {error}"
    output = _Tail()
    reader = gevent.spawn(output.read, child.stdout)
    try:
        child.wait(timeout=limit_sec)
        end = f"Exit status: {child.returncode}"
    except subprocess.TimeoutExpired:
        _kill(child)
        end = f"Stopped after {limit_sec} seconds."
    reader.join(timeout=GRACE_SEC)
    reader.kill()
    text = output.text()
    if child.returncode == 0 and not text:
        return command
    return f"{command}\n{end}" + (f"\n{text}" if text else "")


class _Tail:
    """The end of what a command prints."""

    def __init__(self) -> None:
        self._data = b""

    def read(self, file: Any) -> None:
        """Read to the end; the pipe never fills up, so the command is never held up."""
        while data := file.read1(OUTPUT_MOST):
            self._data = (self._data + data)[-OUTPUT_MOST:]
        file.close()

    def text(self) -> str:
        """Return what was read last, without white space around it."""
        return self._data.decode("utf-8", "replace").strip()


def _kill(child: Any) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()
