"""A command of a task: a shell in a process group of its own, with its output.

Two threads serve it, one reads and one waits for the end, so the host needs no polling. This module must not
know tasks.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

READ_SIZE = 1 << 16
#: The host is told to fetch output at this size, and reading pauses at the second one.
PENDING_WAKE = 1 << 20
PENDING_MAX = 1 << 24
#: Programs left in the background keep the pipe open; they are not waited for longer than this.
DRAIN_SEC = 0.5

IS_POSIX = os.name == "posix"
PROC = Path("/proc")


class ChildProcess:
    """A running command.

    Args:
        command: For the shell.
        wdir: Working directory.
        environ: The whole environment.
        nice: Niceness of the group, 0 leaves it alone.
        wake: Called from other threads when the command has ended or much output waits.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self, command: str, wdir: str, environ: Mapping[str, str], nice: int, wake: Callable[[], None]
    ) -> None:
        self._popen = subprocess.Popen(  # noqa: S602 - a command of a job is for the shell
            command,
            shell=True,
            cwd=wdir,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=IS_POSIX,
            creationflags=0 if IS_POSIX else 0x200,  # CREATE_NEW_PROCESS_GROUP
        )
        self.pid = self._popen.pid
        if IS_POSIX and nice:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.pid, nice)
        self._group_gone = False
        self._wake = wake
        self._pending = bytearray()  # guarded by _changed
        self._ended = False  # guarded by _changed; nothing is read any more
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"read {self.pid}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"wait {self.pid}", daemon=True).start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as pipe:
            while piece := os.read(pipe.fileno(), READ_SIZE):
                with self._changed:
                    self._changed.wait_for(lambda: self._ended or len(self._pending) < PENDING_MAX)
                    if self._ended:
                        continue  # lets what was left in the background go on
                    before = len(self._pending)
                    self._pending += piece
                    if before < PENDING_WAKE <= len(self._pending):
                        self._wake()

    def _wait(self) -> None:
        self._popen.wait()
        size = -1
        while self._reader.is_alive():
            self._reader.join(DRAIN_SEC)
            with self._changed:
                if len(self._pending) == size and size < PENDING_MAX:
                    break
                size = len(self._pending)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._wake()

    def read(self) -> bytes:
        """Return the output since the last call."""
        with self._changed:
            piece = bytes(self._pending)
            self._pending.clear()
            self._changed.notify_all()
        return piece

    def exit_status(self) -> int | None:
        """Return None while it runs, else the exit status, negative for the signal that ended it.

        All output is there for ``read`` when a status is returned.
        """
        with self._changed:
            return self._popen.returncode if self._ended else None

    def terminate(self) -> None:
        """Ask the whole group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group."""
        self._signal(signal.SIGKILL if IS_POSIX else signal.SIGTERM)

    def has_group(self) -> bool:
        """Return whether programs of the group are left; they may outlive its shell."""
        if not IS_POSIX:
            return self._popen.returncode is None
        self._signal(0)
        return not self._group_gone and is_group_alive(self.pid)

    def _signal(self, number: int) -> None:
        if self._group_gone:
            return  # the number may belong to somebody else by now
        if IS_POSIX:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):  # the latter is how macOS says it
                self._group_gone = True
        elif self._popen.returncode is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.pid)], check=False, capture_output=True)


def is_group_alive(group: int) -> bool:
    """Return whether a process group has more than zombies; True where ``/proc`` does not tell."""
    if not PROC.is_dir():
        return True
    for path in PROC.glob("[0-9]*/stat"):
        try:
            # The second word is the program's name in brackets and may contain anything.
            state, _, member_of = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it has just ended
        if member_of == str(group) and state not in ("Z", "X"):
            return True
    return False
