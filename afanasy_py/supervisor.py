"""Tells the service manager how the server is (systemd's `Type=notify`), by datagrams to the socket that it names."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Supervisor:
    """Whoever watches the process; without one nothing is said."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            environ: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` with `WATCHDOG_PID` when signs of life are wanted.
        """
        path = environ.get("NOTIFY_SOCKET", "")
        #: A name that begins with `@` is one of the abstract namespace.
        self._path = "\0" + path[1:] if path.startswith("@") else path
        self._pause = _watchdog_pause(environ)
        self._told_at = float("-inf")
        self._refused = False

    def ready(self) -> None:
        """Say that requests are answered."""
        self._tell("READY=1", "STATUS=Serving.")

    def reloading(self) -> None:
        """Say that the configuration is being read; `ready` must follow."""
        self._tell("RELOADING=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._tell("STOPPING=1", "STATUS=Writing what is left.")

    def beat(self, now: float) -> None:
        """Give a sign of life, as often as it is wanted; to be called at each turn of the farm's loop.

        Args:
            now: Seconds that only grow.
        """
        if self._pause and now - self._told_at >= self._pause:
            self._told_at = now
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._path:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.setblocking(False)  # who does not read must not stop the farm
                link.sendto("\n".join(lines).encode(), self._path)
        except OSError as error:
            if not self._refused:
                log.warning("The service manager cannot be told: %s", error)
            self._refused = True


def _watchdog_pause(environ: Mapping[str, str]) -> float:
    """Return the seconds between two signs of life, 0: none are wanted. A third of what is allowed."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(microseconds) / 3_000_000
