"""The process that keeps the files of the original's layout (`store.mirror`), as its server sees it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import gevent

from afanasy_py.errors import StoreError
from afanasy_py.store import journal
from afanasy_py.store.disk import Disk
from afanasy_py.store.journal import FOLDER, LEAVE, Position

log = logging.getLogger(__name__)

#: It is started again so long after it died, seconds.
AGAIN_SECONDS = 10.0
#: A clean stop waits so long for it, seconds; it finishes its files in any case.
STOP_SECONDS = 60.0
#: A start waits so long for that of a server that has ended, seconds.
OLD_SECONDS = 90.0


class MirrorProcess:
    """Starts it, looks after it, stops it."""

    def __init__(self, disk: Disk, root: Path) -> None:
        self._disk = disk
        self._root = root
        self._folder = root / FOLDER
        self._process: subprocess.Popen[bytes] | None = None
        self._died_at = float("-inf")
        #: Everything before it is in the files.
        self.position = Position(0, 0)

    def wait_for_old(self) -> None:
        """Let that of a server that has ended leave, and wait for that; the new one goes on where it was.

        Raises:
            StoreError: It does not, or it cannot be told.
        """
        leave = self._folder / LEAVE
        try:
            for _ in range(int(OLD_SECONDS / 0.05)):
                lock = self._disk.lock(self._folder / "mirror.lock")
                if lock is not None:
                    os.close(lock)
                    return
                leave.touch()
                gevent.sleep(0.05)
        except OSError as error:
            raise StoreError(f"{leave}: {error.strerror or error}.") from None
        finally:
            leave.unlink(missing_ok=True)
        raise StoreError(f"{self._root}: the server before has ended, and its files are still being written.")

    def start(self) -> None:
        """Start it."""
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "afanasy_py.store.mirror", str(self._root)],
                stdin=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        except OSError as error:
            log.warning("store: the mirror cannot be started: %s", error)

    def restart(self) -> None:
        """Start another one, on a journal that begins anew."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
        self.position = Position(0, 0)
        self.start()

    def runs(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def look(self, now: float) -> None:
        """See how far it is, and start it again if it died."""
        if self._process is not None and self._process.poll() is not None:
            log.error("store: the mirror ended with %s; it is started again", self._process.returncode)
            self._process = None
            self._died_at = now
        if self._process is None and now > self._died_at + AGAIN_SECONDS:
            self.start()
        found = journal.read_mirror(self._disk, self._folder)
        if found is not None:
            self.position = found.position

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Let it write everything and wait for it.

        Args:
            seconds: How long; it goes on by itself.
        """
        if not self.runs():
            self.start()
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(b"stop\n")
            process.stdin.flush()
        except OSError:
            pass  # it is dead, which is told below
        deadline = time.perf_counter() + seconds
        while process.poll() is None and time.perf_counter() < deadline:
            gevent.sleep(0.01)
        if process.returncode:
            log.error("store: the files are not complete: the mirror ended with %s", process.returncode)
        elif process.returncode is None:
            log.warning("store: the mirror is still writing files; it ends by itself")
