"""Answered connections until their client has closed.

The side that closes first keeps a socket in TIME-WAIT, so the server lets the client be first. That needs no
greenlet for each connection: one looks at all of them. Source: wire-protocol 1.9; http-auth 4.
"""

from __future__ import annotations

from _socket import socket as RawSocket  # noqa: N812 - the plain class, without gevent's waiting
from collections import deque

import gevent
from gevent.event import Event

#: Seconds to wait for a client to close after its answer.
CLOSE_SECONDS = 10.0
#: Pause between looks while few connections wait, seconds.
SWEEP_SECONDS = 0.01
#: So many more connections make the pause longer by as much, up to the longest.
SWEEP_STEP = 100
SWEEP_SECONDS_MOST = 1.0
#: What clients send behind their request is read away in pieces of so many bytes.
READ_SIZE = 65536


class Farewell:
    """Waits for clients to close."""

    def __init__(self) -> None:
        #: (socket, when to close it at the latest), oldest first.
        self._sockets: deque[tuple[RawSocket, float]] = deque()
        #: Seconds that were slept; only differences count.
        self._now = 0.0
        self._wake = Event()
        self._greenlet: gevent.Greenlet | None = None

    def __len__(self) -> int:
        """Return how many connections wait."""
        return len(self._sockets)

    def start(self) -> None:
        """Begin to look at connections."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "closing connections"

    def stop(self) -> None:
        """Close all that wait."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        while self._sockets:
            self.close_oldest()

    def add(self, client: RawSocket) -> None:
        """Close a connection as soon as its client does, or after `CLOSE_SECONDS`."""
        if not self._sockets:
            self._wake.set()
        self._sockets.append((client, self._now + CLOSE_SECONDS))

    def close_oldest(self) -> None:
        """Close a connection to make room for another."""
        self._sockets.popleft()[0].close()

    def _run(self) -> None:
        while True:
            if not self._sockets:
                self._wake.clear()
                self._wake.wait()
            pause = min(SWEEP_SECONDS * (1 + len(self._sockets) // SWEEP_STEP), SWEEP_SECONDS_MOST)
            gevent.sleep(pause)
            self.pass_time(pause)

    def pass_time(self, seconds: float) -> None:
        """Close those whose client has closed, or that wait for too long; never waits itself."""
        self._now = now = self._now + seconds
        for _ in range(len(self._sockets)):
            client, latest = self._sockets.popleft()
            try:
                open_still = bool(client.recv(READ_SIZE))
            except BlockingIOError:
                open_still = True
            except OSError:
                open_still = False
            if open_still and now < latest:
                self._sockets.append((client, latest))
            else:
                client.close()
