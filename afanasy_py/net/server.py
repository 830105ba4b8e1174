"""The listener and the connections: bytes in, one request, one answer, and the client closes first.

Each connection is a greenlet from its acceptance until its answer is written. Then it only waits for the
client to close, which needs no greenlet: a sweeper looks at all such sockets, so that the side that keeps a
socket in TIME-WAIT is the client's. Silent and slow peers hold a socket and a few hundred bytes, nothing else.

Source: wire-protocol 1.9, 1.10, 1.11; http-auth 4.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from _socket import socket as RawSocket  # noqa: N812 - the plain class, without gevent's waiting
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent
from gevent import Greenlet
from gevent.hub import get_hub

from afanasy_py.core import replies
from afanasy_py.errors import AfanasyError
from afanasy_py.msg.answers import Answer, NoAnswer
from afanasy_py.msg.framing import BrokenRequestError, Form, Framer, Request, frame_answer
from afanasy_py.msg.http import HttpAnswer, HttpError, check_site

if TYPE_CHECKING:
    from afanasy_py.settings import Settings

log = logging.getLogger(__name__)

#: Connections at once; further ones wait in the kernel's queue until one ends.
CONNECTIONS_MOST = 20_000
#: Connections that one address may have while they bring no whole request.
SILENT_MOST_PER_PEER = 5_000
#: Bytes of unfinished requests at once, over all connections.
BYTES_MOST = 512 * 1024 * 1024
#: A request must be whole after so many seconds, however it trickles in, plus a second for each so many bytes.
WHOLE_SECONDS = 60.0
SLOWEST_BYTES = 10_000
#: Seconds to wait for a client to close after its answer.
CLOSE_SECONDS = 10.0
#: Accepted in one go before others get their turn.
ACCEPT_MOST = 64
#: Pause between looks at sockets that wait for their client to close, seconds.
SWEEP_SECONDS = 0.01
READ_SIZE = 65536
#: Pause of accepting when the process has no file descriptors left, seconds.
EXHAUSTED_SECONDS = 0.5

_WAIT = (errno.EAGAIN, errno.EWOULDBLOCK)

Dispatch = Callable[[Request, str], Answer | HttpAnswer]


class Connection(Greenlet):
    """The greenlet of one connection."""

    @property
    def name(self) -> str:
        """How logs name it."""
        return "connection"


class Server:
    """Listens, reads requests, hands them to `dispatch` and writes its answers."""

    def __init__(self, settings: Settings, dispatch: Dispatch, version: str) -> None:
        """Prepare; nothing is opened before `bind`.

        Args:
            settings: Port, addresses, time-outs, socket options.
            dispatch: Answers a request of a peer's address; called in the greenlet of the connection, may wait.
            version: What HTTP answers tell of the server.
        """
        self._settings = settings
        self._dispatch = dispatch
        self._version = version
        self._listener: RawSocket | None = None
        self._watcher: Any = None
        self._sweeper: Greenlet | None = None
        #: {greenlet of a connection}
        self._connections: set[Connection] = set()
        self._bytes = 0
        #: [(socket, when to close it at the latest)]: answered, waiting for their client.
        self._closing: list[tuple[RawSocket, float]] = []
        #: {address: connections that have brought no request yet}
        self._silent: dict[str, int] = {}
        self._names = frozenset(name.lower() for name in settings.af_http_hosts) | _own_names()
        #: Counters for metrics.
        self.accepted = 0
        self.refused = 0

    @property
    def port(self) -> int:
        """The port that is listened on, once bound."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        """Connections that have no answer yet."""
        return len(self._connections)

    # -- life

    def bind(self) -> None:
        """Take the port.

        Raises:
            AfanasyError: It cannot be had.
        """
        settings = self._settings
        place, port = settings.af_server_bind, settings.af_serverport
        six = ":" in place or (not place and not settings.af_ipv6_disable and _has_ipv6())
        listener = RawSocket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six and not place:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listener.bind((place, port))
            listener.listen(socket.SOMAXCONN)
        except OSError as error:
            listener.close()
            raise AfanasyError(f"Port {port} bind(): {error.strerror}") from None
        listener.setblocking(False)
        self._listener = listener

    def serve(self) -> None:
        """Begin to accept connections; returns at once."""
        assert self._listener is not None
        self._watcher = get_hub().loop.io(self._listener.fileno(), 1)
        self._watcher.start(self._accept)
        self._sweeper = gevent.spawn(self._sweep)
        self._sweeper.name = "closing connections"

    def stop(self, seconds: float = 2.0) -> None:
        """Stop accepting, let running requests end, then close what is left."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._listener is not None:
            self._listener.close()
        gevent.joinall(list(self._connections), timeout=seconds)
        gevent.killall(list(self._connections), timeout=1.0)
        if self._sweeper is not None:
            self._sweeper.kill()
        for waiting, _ in self._closing:
            waiting.close()
        self._closing.clear()

    # -- accepting

    def _accept(self) -> None:
        """Accept what waits; called by the loop whenever something does."""
        listener = self._listener
        assert listener is not None
        for _ in range(ACCEPT_MOST):
            if len(self._connections) >= CONNECTIONS_MOST:
                self._pause_accepting(SWEEP_SECONDS)
                return
            try:
                number, address = listener._accept()  # type: ignore[attr-defined]
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.error("Cannot accept a connection: %s", error.strerror)
                    self._pause_accepting(EXHAUSTED_SECONDS)
                elif error.errno not in (*_WAIT, errno.ECONNABORTED, errno.EINTR):
                    log.error("Cannot accept a connection: %s", error)
                return
            client = RawSocket(listener.family, socket.SOCK_STREAM, 0, number)
            client.setblocking(False)
            self.accepted += 1
            connection = Connection(self._serve_one, client, address[0])
            self._connections.add(connection)
            connection.start()

    def _pause_accepting(self, seconds: float) -> None:
        self._watcher.stop()

        def again() -> None:
            if self._watcher is not None:
                self._watcher.start(self._accept)

        gevent.spawn_later(seconds, again)

    # -- one connection

    def _serve_one(self, client: RawSocket, peer: str) -> None:
        if peer.startswith("::ffff:"):
            peer = peer[7:]
        keep = False
        try:
            keep = self._converse(client, peer)
        except OSError:
            pass  # the peer is gone; there is nobody to tell
        finally:
            self._connections.discard(gevent.getcurrent())
            if not keep:
                client.close()

    def _converse(self, client: RawSocket, peer: str) -> bool:
        """Read the request and write the answer; return whether the client is to close first."""
        self._set_options(client)
        request: Request | None = None
        answer: Answer | HttpAnswer
        try:
            request = self._read(client, peer)
            if request is None:
                return False
            if request.head is not None:
                self._check_http(request)
            answer = self._dispatch(request, peer)
        except BrokenRequestError as broken:
            self.refused += 1
            if broken.answer is None:
                return False
            self._write(client, broken.answer)
            return True
        except HttpError as error:
            self.refused += 1
            answer = error.answer
        except gevent.GreenletExit:
            raise
        except OSError:
            raise
        except Exception:
            log.exception("A request of %s caught a bug", peer)
            answer = replies.error("Internal server error, see the server's log.")
        if isinstance(answer, NoAnswer):
            return False
        self._write(client, frame_answer(request, answer, self._version))
        by_http = request is None or request.form in (Form.POST, Form.GET)
        if by_http and not self._settings.af_server_http_wait_close:
            return False
        self._closing.append((client, monotonic() + CLOSE_SECONDS))
        return True

    def _read(self, client: RawSocket, peer: str) -> Request | None:
        """Return the request; None when the peer closes, is silent or too slow."""
        framer = Framer()
        try:
            data = client.recv(READ_SIZE)
            if not data:
                return None
            request = framer.feed(data)
            if request is not None:
                return request
        except BlockingIOError:
            pass
        return self._read_on(client, peer, framer)

    def _read_on(self, client: RawSocket, peer: str, framer: Framer) -> Request | None:
        """Wait for the rest of a request that did not come in one piece."""
        if self._silent.get(peer, 0) >= SILENT_MOST_PER_PEER:
            self.refused += 1
            return None
        self._silent[peer] = self._silent.get(peer, 0) + 1
        held = len(framer)
        self._bytes += held
        began = monotonic()
        silence = float(max(self._settings.af_so_server_RCVTIMEO_sec, 1))
        try:
            while True:
                left = began + WHOLE_SECONDS + held / SLOWEST_BYTES - monotonic()
                if left <= 0 or self._bytes > BYTES_MOST or not _wait(client, 1, min(silence, left)):
                    return None
                try:
                    data = client.recv(READ_SIZE)
                except BlockingIOError:
                    continue
                if not data:
                    return None
                request = framer.feed(data)
                self._bytes += len(data)
                held += len(data)
                if request is not None:
                    return request
        finally:
            self._bytes -= held
            self._silent[peer] -= 1
            if not self._silent[peer]:
                del self._silent[peer]

    def _write(self, client: RawSocket, data: bytes) -> None:
        try:
            sent = client.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        left = memoryview(data)[sent:]
        silence = float(max(self._settings.af_so_server_SNDTIMEO_sec, 1))
        while left:
            if not _wait(client, 2, silence):
                raise TimeoutError("the peer does not read")
            with contextlib.suppress(BlockingIOError):
                left = left[client.send(left[:READ_SIZE]) :]

    def _check_http(self, request: Request) -> None:
        """Refuse what a page of another site makes a browser send."""
        assert request.head is not None
        check_site(request.head, _own_names(), self._names)

    def _set_options(self, client: RawSocket) -> None:
        settings = self._settings
        if settings.af_so_server_TCP_NODELAY != -1:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, settings.af_so_server_TCP_NODELAY)
        if settings.af_so_server_TCP_CORK != -1 and hasattr(socket, "TCP_CORK"):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, settings.af_so_server_TCP_CORK)
        if settings.af_so_server_REUSEADDR != -1:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, settings.af_so_server_REUSEADDR)
        if settings.af_so_server_LINGER != -1:
            seconds = settings.af_so_server_LINGER
            linger = seconds.to_bytes(4, "little", signed=True) * 2
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    # -- waiting for clients to close

    def _sweep(self) -> None:
        """Close answered connections whose client has closed, or that wait for too long."""
        pause = SWEEP_SECONDS
        while True:
            gevent.sleep(pause)
            waiting, self._closing = self._closing, []
            now = monotonic()
            for client, latest in waiting:
                try:
                    gone = not client.recv(READ_SIZE) or now > latest
                except BlockingIOError:
                    gone = now > latest
                except OSError:
                    gone = True
                if gone:
                    client.close()
                else:
                    self._closing.append((client, latest))
            # Clients that never close must not cost a call each hundredth of a second.
            pause = SWEEP_SECONDS * (1 + len(self._closing) // 100)


def _wait(client: RawSocket, event: int, seconds: float) -> bool:
    """Wait until a socket can be read (1) or written (2); return False after the time."""
    hub = get_hub()
    watcher = hub.loop.io(client.fileno(), event)
    try:
        with gevent.Timeout(seconds, False):
            hub.wait(watcher)
            return True
        return False
    finally:
        watcher.stop()
        watcher.close()


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        RawSocket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _own_names() -> frozenset[str]:
    name = socket.gethostname().lower()
    return frozenset({name, name.partition(".")[0]})
