"""The listener and its limits: connections are accepted, bounded, and dropped when their peers are silent.

When the server is full, those go that matter least: first the answered ones whose clients do not close, then
the oldest of those that have brought no whole request. So silent and slow peers, however many, never keep
others out. Source: wire-protocol 1.9, 1.10, 1.11; http-auth 4.
"""

from __future__ import annotations

import errno
import logging
import socket
from _socket import socket as RawSocket  # noqa: N812 - the plain class, without gevent's waiting
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from gevent.hub import GreenletExit, get_hub

from afanasy_py.errors import AfanasyError
from afanasy_py.ip_masks import holder
from afanasy_py.msg.answers import Answer
from afanasy_py.msg.framing import Request
from afanasy_py.msg.http import HttpAnswer
from afanasy_py.net.complaints import Complaints
from afanasy_py.net.connection import Connection
from afanasy_py.net.farewell import Farewell
from afanasy_py.net.host_names import HostNames
from afanasy_py.net.open_files import raise_open_files
from afanasy_py.net.tls import make_context

if TYPE_CHECKING:
    from afanasy_py.settings import Settings

log = logging.getLogger(__name__)

#: Connections at once, unless the process may open fewer files.
CONNECTIONS_MOST = 20_000
#: Files that the rest of the server may need.
FILES_SPARED = 200
#: Accepted in one go, and heard in one go, before others get their turn.
ACCEPT_MOST = 256
HEAR_MOST = 64
#: Accepted connections that are not heard yet; more stay with the system, which forgets them when they are too
#: many, and their peers try again only after a second or three.
UNHEARD_MOST = 2048
#: Pause between looks at peers that are waited for, seconds.
LOOK_SECONDS = 0.25
#: Pause of accepting when nobody can be dropped, seconds.
FULL_SECONDS = 0.05

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PASSING = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR)

Dispatch = Callable[[Request, str], Answer | HttpAnswer]
#: Level, name and value of a socket option.
Option = tuple[int, int, int | bytes]


class Server:
    """Listens, and lets connections bring their requests to `dispatch`."""

    def __init__(
        self,
        settings: Settings,
        dispatch: Dispatch,
        version: str,
        *,
        connections_most: int = CONNECTIONS_MOST,
        bytes_most: int | None = None,
    ) -> None:
        """Prepare; nothing is opened before `bind`.

        Args:
            settings: Port, addresses, time-outs, socket options.
            dispatch: Answers a request of a peer's address, in the greenlet of the connection; may wait.
            version: What HTTP answers tell of the server.
            connections_most: Connections at once.
            bytes_most: Bytes of unfinished requests and unread answers at once; None: as the settings say.
        """
        self._settings = settings
        self.dispatch = dispatch
        self.version = version
        self._most = connections_most
        self._bytes_given = bytes_most
        self._listener: RawSocket | None = None
        self._watcher: Any = None
        self._greenlets: list[gevent.Greenlet] = []
        self._someone_waits = Event()
        self._complaints = Complaints()
        self.farewell = Farewell()
        self.names = HostNames()
        #: Seconds, counted while somebody waits; only differences count.
        self.now = 0.0
        #: Accepted connections that nobody has looked at, oldest first.
        self._unheard: deque[Connection] = deque()
        #: Lets more of them be heard when the loop has looked at everything else, and whether it is set.
        self._hear_timer: Any = None
        self._hears_soon = False
        #: Connections that wait for their peer, oldest first. Values mean nothing: it is an ordered set.
        self.waiting: dict[Connection, None] = {}
        #: Connections whose greenlet runs.
        self.active: set[Connection] = set()
        #: How many connections are open and have no answer yet.
        self.unanswered = 0
        #: {address: how many of them are its own}
        self.of_address: dict[str, int] = {}
        self.bytes_held = 0
        #: Counters for metrics: connections accepted, requests that were refused, connections dropped.
        self.accepted = 0
        self.refused = 0
        self.dropped = 0
        self.reconfigure(settings)

    def reconfigure(self, settings: Settings) -> None:
        """Take over what may change while the server runs; the port is not among it.

        Raises:
            ConfigError: The certificate cannot be used; nothing has changed then.
        """
        self.tls = make_context(settings.af_tls_cert, settings.af_tls_key)
        self._options = socket_options(settings)
        self.read_patience = float(max(settings.af_so_server_RCVTIMEO_sec, 1))
        self.write_patience = float(max(settings.af_so_server_SNDTIMEO_sec, 1))
        self._bytes_most = self._bytes_given or settings.af_limit_memory_mb * 1024 * 1024
        self._most_of_one = settings.af_limit_connections
        self.waits_for_http = bool(settings.af_server_http_wait_close)
        self.names.reconfigure(settings)

    @property
    def port(self) -> int:
        """The port that is listened on, once bound."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        """Connections that are open, also those that are answered."""
        return self.unanswered + len(self.farewell)

    # -- life

    def bind(self) -> None:
        """Take the port.

        Raises:
            AfanasyError: It cannot be had.
        """
        self._most = max(min(self._most, raise_open_files(self._most + FILES_SPARED) - FILES_SPARED), 16)
        place, port = self._settings.af_server_bind, self._settings.af_serverport
        kinds: tuple[bool, ...]
        if place:
            kinds = (":" in place,)
        else:
            # A host may know of IPv6 and yet have none.
            kinds = (False,) if self._settings.af_ipv6_disable or not socket.has_ipv6 else (True, False)
        reason = ""
        for six in kinds:
            try:
                self._listener = _listen(place, port, six=six)
            except OSError as error:
                reason = error.strerror or str(error)
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    break
            else:
                return
        raise AfanasyError(f"Port {port} bind(): {reason}")

    def serve(self) -> None:
        """Begin to accept connections; returns at once."""
        assert self._listener is not None
        self._watcher = get_hub().loop.io(self._listener.fileno(), 1)
        self._watcher.start(self._accept)
        self._hear_timer = get_hub().loop.timer(0)
        self.farewell.start()
        keeper = gevent.spawn(self._look_after_waiting)
        keeper.name = "silent connections"
        self._greenlets.append(keeper)

    def stop(self, seconds: float = 2.0) -> None:
        """Stop accepting, let requests that run end, then close what is left."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
            self._hear_timer.stop()
            self._hear_timer.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        while self._unheard:
            self._unheard.popleft().drop()
        for connection in list(self.waiting):
            if connection.reads:
                connection.drop()
        for _ in range(int(seconds / 0.01)):
            if not self.active:
                break
            gevent.sleep(0.01)
        for connection in list(self.active):
            log.warning("The request of %s did not end in time", connection.peer)
            get_hub().loop.run_callback(connection.throw, GreenletExit)
        gevent.sleep(0)
        self.farewell.stop()
        self._complaints.stop()
        gevent.killall(self._greenlets)
        self._greenlets.clear()

    # -- accepting

    def _accept(self) -> None:
        """Accept what waits; called by the loop whenever something does."""
        for _ in range(ACCEPT_MOST):
            if len(self._unheard) >= UNHEARD_MOST or not self._accept_one():
                break
        if not self._hears_soon:
            self._hear()

    def _accept_one(self) -> bool:
        """Accept a connection; return whether there may be another."""
        listener = self._listener
        assert listener is not None
        if self.unanswered - len(self.waiting) >= self._most:
            # All have requests that run: none can be dropped.
            self._pause_accepting()
            return False
        try:
            number, address = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in _EXHAUSTED:
                if not self._make_room():
                    self._complaints.say("Cannot accept a connection: %s", error.strerror)
                    self._pause_accepting()
            elif error.errno not in _PASSING:
                self._complaints.say("Cannot accept a connection: %s", error.strerror)
                self._pause_accepting()
            return False
        client = RawSocket(listener.family, socket.SOCK_STREAM, 0, number)
        client.setblocking(False)
        self.accepted += 1
        peer = address[0].removeprefix("::ffff:")
        owner = holder(peer)
        of_peer = self.of_address.get(owner, 0)
        if of_peer >= self._most_of_one > 0:
            self.refused += 1
            self._complaints.say("Refused: peer=%s has %d connections (af_limit_connections)", peer, of_peer)
            client.close()
            return True
        if self.connections >= self._most:
            self._make_room()
        self.unanswered += 1
        self.of_address[owner] = of_peer + 1
        try:
            for option in self._options:
                client.setsockopt(*option)
        except OSError as error:
            self._complaints.say("Cannot set an option of a socket: %s", error.strerror)
        self._unheard.append(Connection(self, client, peer))
        return True

    def _hear(self) -> None:
        """Let the oldest connections bring their requests, and more of them later."""
        unheard = self._unheard
        for _ in range(min(HEAR_MOST, len(unheard))):
            unheard.popleft().begin()
        self._hears_soon = bool(unheard)
        if unheard:
            self._hear_timer.start(self._hear)

    def leave(self, peer: str) -> None:
        """Count a connection of an address no longer among those without an answer."""
        self.unanswered -= 1
        peer = holder(peer)
        left = self.of_address[peer] - 1
        if left:
            self.of_address[peer] = left
        else:
            del self.of_address[peer]

    def _make_room(self) -> bool:
        """Close the connection that matters least; return False when all have requests that run."""
        if self.farewell:
            self.farewell.close_oldest()
        elif self.waiting:
            self.dropped += 1
            next(iter(self.waiting)).drop()
        else:
            return False
        return True

    def _pause_accepting(self) -> None:
        self._watcher.stop()

        def again() -> None:
            if self._watcher is not None:
                self._watcher.start(self._accept)

        later = gevent.spawn_later(FULL_SECONDS, again)
        later.name = "accepting again"

    # -- peers that are waited for

    def add_waiting(self, connection: Connection) -> None:
        """Drop a connection unless its peer moves in time."""
        if not self.waiting:
            self._someone_waits.set()
        self.waiting[connection] = None

    def hold(self, size: int) -> None:
        """Count bytes that a connection keeps; drop whoever keeps most when there are too many."""
        self.bytes_held += size
        while self.bytes_held > self._bytes_most and self.waiting:
            self.dropped += 1
            worst = max(self.waiting, key=lambda connection: connection.held)
            self._complaints.say("Too much at once, dropped: peer=%s bytes=%d", worst.peer, worst.held)
            worst.drop()

    def complain(self, peer: str, error: Exception) -> None:
        """Count and log a request that broke the rules."""
        self.refused += 1
        self._complaints.say("Refused: peer=%s %s", peer, error)

    def _look_after_waiting(self) -> None:
        """Look again and again whether a peer is silent or too slow."""
        while True:
            if not self.waiting:
                self._someone_waits.clear()
                self._someone_waits.wait()
            gevent.sleep(LOOK_SECONDS)
            self.pass_time(LOOK_SECONDS)

    def pass_time(self, seconds: float) -> None:
        """Drop those for whom it gets too late."""
        self.now = now = self.now + seconds
        late = [c for c in self.waiting if now > c.silent_since + c.patience or now > c.latest]
        self.dropped += len(late)
        for connection in late:
            connection.drop()


def _listen(place: str, port: int, *, six: bool) -> RawSocket:
    """Return a listening socket; one of IPv6 also takes IPv4, unless it is bound to an address."""
    listener = RawSocket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six and not place:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((place, port))
        listener.listen(socket.SOMAXCONN)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def socket_options(settings: Settings) -> tuple[Option, ...]:
    """Return what the settings say of accepted sockets; -1 leaves an option as it is."""
    linger = settings.af_so_server_LINGER
    wanted = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, settings.af_so_server_TCP_NODELAY),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, settings.af_so_server_REUSEADDR),
        # Only Linux has it.
        (socket.IPPROTO_TCP, getattr(socket, "TCP_CORK", None), settings.af_so_server_TCP_CORK),
    ]
    options: list[Option] = [
        (level, name, value) for level, name, value in wanted if name is not None and value != -1
    ]
    if linger != -1:
        # struct linger: whether to, and how many seconds.
        options.append((socket.SOL_SOCKET, socket.SO_LINGER, linger.to_bytes(4, "little", signed=True) * 2))
    return tuple(options)
