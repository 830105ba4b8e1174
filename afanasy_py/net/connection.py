"""One connection: its request is read, answered and written, then it waits for the client's close elsewhere.

A connection is a greenlet that only starts to run when its first bytes are there, so that a silent peer costs
a socket and an object but no stack, and never keeps anybody waiting. Source: wire-protocol 1.9, 1.10.
"""

from __future__ import annotations

import logging
import socket
import ssl
from _socket import socket as RawSocket  # noqa: N812 - the plain class, without gevent's waiting
from typing import TYPE_CHECKING, Any

from gevent.hub import GreenletExit, RawGreenlet, get_hub

from afanasy_py.core import replies
from afanasy_py.msg.answers import Answer, NoAnswer
from afanasy_py.msg.framing import BrokenRequestError, Form, Framer, Request, frame_answer, whole_message
from afanasy_py.msg.http import Headers, HttpAnswer, HttpError
from afanasy_py.net.tls import HANDSHAKE, TlsPeer

if TYPE_CHECKING:
    from afanasy_py.net.server import Server

log = logging.getLogger(__name__)

READ_SIZE = 65536
#: A request must be whole, and an answer must be read, after so many seconds, and a second more for each so
#: many bytes, however the peer trickles.
WHOLE_SECONDS = 60.0
SLOWEST_BYTES = 10_000

_READ, _WRITE = 1, 2  # events of gevent's loop


class Connection(RawGreenlet):  # type: ignore[misc] # gevent has no types
    """The greenlet of one connection.

    While it waits for its peer it stands in `Server.waiting`; the server drops it when `silent_since` is too
    long ago or `latest` is over.
    """

    __slots__ = (
        "_client", "_server", "_tls", "_watcher", "held", "is_dropped", "latest", "patience", "peer", "reads",
        "silent_since",
    )  # fmt: skip

    def __init__(self, server: Server, client: RawSocket, peer: str) -> None:
        super().__init__(parent=get_hub())
        self._server = server
        self._client = client
        self._watcher: Any = None
        self._tls: TlsPeer | None = None
        self.peer = peer
        #: Its request is not whole yet.
        self.reads = True
        self.is_dropped = False
        #: Bytes kept for this peer.
        self.held = 0
        #: Moments of the server's `now`, and seconds of silence that are suffered.
        self.silent_since = 0.0
        self.latest = 0.0
        self.patience = 0.0

    @property
    def name(self) -> str:
        """How logs and debuggers name it."""
        return f"connection of {self.peer}"

    # -- called by the loop and by the server

    def begin(self) -> None:
        """Run as soon as the first bytes are there, which they mostly are; called in the hub, never waits."""
        try:
            data = self._client.recv(READ_SIZE)
        except BlockingIOError:
            if self._watcher is None:
                self._wait_for_peer(self._server.read_patience)
                self._watcher = get_hub().loop.io(self._client.fileno(), _READ)
            self._watcher.start(self._begin_late)
        except OSError:
            self._leave()
            self._client.close()
        else:
            self.switch(data)

    def _begin_late(self) -> None:
        self._watcher.stop()
        self.begin()

    def drop(self) -> None:
        """Close the connection while it waits for its peer."""
        self.is_dropped = True
        if not self:
            self._leave()
            self._client.close()
            return
        self._server.waiting.pop(self, None)
        self._let_go()
        try:
            self._client.shutdown(socket.SHUT_RDWR)  # ends the wait of the greenlet
        except OSError:
            pass  # the peer has closed, which ends the wait too

    # -- the greenlet

    def run(self, first: bytes) -> None:
        """Answer the request.

        Args:
            first: The first bytes; empty: the peer has closed.
        """
        server = self._server
        server.waiting.pop(self, None)
        server.active.add(self)
        client_closes = False
        try:
            client_closes = self._converse(first)
        except OSError:
            pass  # the peer is gone; there is nobody to tell
        except GreenletExit:
            pass  # the server stops
        except Exception:
            log.exception("The connection of %s caught a bug", self.peer)
        finally:
            server.active.discard(self)
            self._leave()
            if client_closes:
                server.farewell.add(self._client)
            else:
                self._client.close()

    def _converse(self, first: bytes) -> bool:
        """Read, answer and write; return whether the client is to close first."""
        server = self._server
        request: Request | None = None
        answer: Answer | HttpAnswer
        more: Headers = ()
        try:
            request = self._read(first)
            if request is None:
                return False
            if request.head is not None:
                server.names.check(request.head, secure=request.secure)
                more = server.names.more_headers(request.head)
            answer = self._dispatch(request)
        except BrokenRequestError as error:
            server.complain(self.peer, error)
            if error.answer is None:
                return False
            self._write(error.answer)
            return True
        except HttpError as error:
            server.complain(self.peer, error)
            answer = error.answer
        if isinstance(answer, NoAnswer):
            return False
        self._write(frame_answer(request, answer, server.version, more))
        by_http = request is None or request.form is Form.POST or request.form is Form.GET
        if by_http and not server.waits_for_http:
            # The client is told first; what it still sends is read away, else it might lose the answer.
            self._client.shutdown(socket.SHUT_WR)
        return True

    def _dispatch(self, request: Request) -> Answer | HttpAnswer:
        """Return the answer to a request; a bug in it, and a disk that fails, are answered too.

        Raises:
            HttpError: It is answered with a status.
        """
        try:
            return self._server.dispatch(request, self.peer)
        except HttpError:
            raise
        except Exception:
            log.exception("A request of %s caught a bug", self.peer)
            return replies.error("Internal server error, see the server's log.")

    def _read(self, first: bytes) -> Request | None:
        """Return the request; None when the peer closes before it is whole."""
        if first[:1] == HANDSHAKE and self._server.tls is not None:
            first = self._begin_tls(TlsPeer(self._server.tls), first)
        request = whole_message(first)
        if request is None and first:
            framer = Framer()
            request = framer.feed(first)
            if request is None:
                request = self._read_on(framer, len(first))
        self.reads = False
        if self._tls is not None and request is not None:
            request = request._replace(secure=True)
        return request

    def _begin_tls(self, tls: TlsPeer, data: bytes) -> bytes:
        """Shake hands; return the first bytes that were meant, empty: the peer has closed before."""
        self._wait_for_peer(self._server.read_patience)
        self._tls = tls
        meant = self._decrypt(data)
        while not meant and not tls.closed:
            try:
                data = self._client.recv(READ_SIZE)
            except BlockingIOError:
                self._wait(_READ)
                continue
            if not data:
                break
            self.silent_since = self._server.now
            meant = self._decrypt(data)
        self._server.waiting.pop(self, None)
        return meant

    def _decrypt(self, data: bytes) -> bytes:
        """Return what bytes of the peer mean, and send what TLS wants to say.

        Raises:
            BrokenRequestError: It is no TLS.
        """
        assert self._tls is not None
        tls = self._tls
        try:
            meant = tls.feed(data)
        except ssl.SSLError as error:
            self._tls = None  # the alert goes out as it is
            raise BrokenRequestError(f"TLS: {error.reason or error}", tls.take()) from None
        answer = tls.take()
        while answer:
            try:
                answer = answer[self._client.send(answer) :]
            except BlockingIOError:
                self._stop_watching()
                self._wait(_WRITE)
                self._stop_watching()
        return meant

    def _receive(self) -> bytes:
        """Return what has come; empty: the peer has closed.

        Raises:
            BlockingIOError: Nothing has.
        """
        while True:
            data = self._client.recv(READ_SIZE)
            if self._tls is None or not data:
                return data
            data = self._decrypt(data)
            if data or self._tls.closed:
                return data
            self.silent_since = self._server.now

    def _read_on(self, framer: Framer, size: int) -> Request | None:
        """Read what is missing."""
        self._wait_for_peer(self._server.read_patience)
        self._hold(size)
        checked = False
        while True:
            if framer.head is not None and not checked:
                checked = True
                # A refusal does not wait for the body. GEVENT: the first one may wait for the resolver.
                self._server.names.check(framer.head, secure=self._tls is not None)
            try:
                data = self._receive()
            except BlockingIOError:
                self._wait(_READ)
                continue
            if not data:
                return None
            request = framer.feed(data)
            if request is not None:
                self._server.waiting.pop(self, None)
                return request
            self.silent_since = self._server.now
            self._hold(len(data))

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            data = self._tls.encrypt(data)
        try:
            sent = self._client.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        self._let_go()
        self._stop_watching()
        self._wait_for_peer(self._server.write_patience)
        left = memoryview(data)[sent:]
        self._hold(len(left))
        while left:
            self._wait(_WRITE)
            try:
                sent = self._client.send(left)
            except BlockingIOError:
                continue
            left = left[sent:]
            self.silent_since = self._server.now
        self._server.waiting.pop(self, None)

    # -- waiting

    def _wait_for_peer(self, patience: float) -> None:
        """Stand among those who wait for their peer."""
        server = self._server
        self.silent_since = server.now
        self.latest = server.now + WHOLE_SECONDS
        self.patience = patience
        server.add_waiting(self)

    def _hold(self, size: int) -> None:
        """Count bytes that are kept for this peer; the server may drop whoever has most of them."""
        self.held += size
        self.latest += size / SLOWEST_BYTES
        self._server.hold(size)
        self._check_dropped()

    def _let_go(self) -> None:
        if self.held:
            self._server.bytes_held -= self.held
            self.held = 0

    def _check_dropped(self) -> None:
        if self.is_dropped:
            raise ConnectionAbortedError("dropped by the server")

    def _wait(self, event: int) -> None:
        """Let others run until the socket can be read or written, or is dropped."""
        if self._watcher is None:
            self._watcher = get_hub().loop.io(self._client.fileno(), event)
        # GEVENT: the farm changes meanwhile.
        self._watcher.start(self.switch)
        try:
            get_hub().switch()
        finally:
            self._watcher.stop()
        self._check_dropped()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def _leave(self) -> None:
        """Stop to be one of the server's unanswered connections."""
        self._server.waiting.pop(self, None)
        self._server.leave(self.peer)
        self._let_go()
        self._stop_watching()
