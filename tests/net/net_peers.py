"""A server on a free port with a stub behind it, and peers that talk to it, all in one thread."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import gevent
from gevent import socket

from afanasy_py.core import replies
from afanasy_py.msg.answers import Answer, BinaryAnswer, NoAnswer
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.http import HttpAnswer
from afanasy_py.msg.json_text import JsonError, parse_json
from afanasy_py.msg.types import MsgType
from afanasy_py.net.files import Files
from afanasy_py.net.server import Server
from afanasy_py.settings import Settings

#: A request and its answer that any test may use to see that the server lives.
PING = struct.pack(">iii", 81, 6, 7)
PONG = struct.pack(">iii", 81, 5, 7)
GET = b'{"get":{"type":"renders"}}'
#: Nothing in these tests takes so long, unless it is broken.
PATIENCE = 10.0


class Stub:
    """Answers like a farm without anything in it; keeps what it was asked."""

    def __init__(self, files: Files | None = None) -> None:
        self.files = files
        self.asked: list[Request] = []
        self.peers: list[str] = []

    def __call__(self, request: Request, peer: str) -> Answer | HttpAnswer:
        self.asked.append(request)
        self.peers.append(peer)
        if request.form is Form.GET:
            assert self.files is not None
            return self.files.answer(request)
        if request.msg_type in (MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP):
            return self.answer_json(request.body)
        if request.msg_type == MsgType.TVersionMismatch:
            return BinaryAnswer(MsgType.TVersionMismatch, value=1)
        if request.msg_type == MsgType.TMonitorUpdateId:
            return BinaryAnswer(MsgType.TMonitorId, value=request.value)
        if request.msg_type == MsgType.TInvalid:
            return replies.error("TInvalid message received.")
        return replies.info(f"type {request.msg_type}", "log")

    def answer_json(self, body: bytes) -> Answer:
        try:
            document = parse_json(body)
        except JsonError as error:
            return replies.error(str(error))
        if document.get("action"):
            return NoAnswer()
        if document.get("get", {}).get("binary"):
            return BinaryAnswer(MsgType.TRendersList, bytes(4))
        return replies.list_of("renders", [])


class Peer:
    """A client's socket."""

    def __init__(self, server: Server) -> None:
        self.socket: Any = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)

    def __enter__(self) -> Peer:  # noqa: PYI034 - nobody derives from it
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def shut(self) -> None:
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def read_all(self) -> bytes:
        """Return all that comes until the server closes; a reset counts as a close."""
        data = b""
        while True:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not piece:
                return data
            data += piece

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer when the server closes before."""
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                break
            data += piece
        return data

    def hears_nothing(self) -> bool:
        """Return whether the server neither says anything nor closes for a moment."""
        self.socket.settimeout(0.02)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False


def ask(server: Server, pieces: bytes | Iterable[bytes]) -> bytes:
    """Return the whole answer to a request, sent in pieces; nobody sends more after it."""
    with Peer(server) as peer:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            peer.send(piece)
            let_run()
        peer.shut()
        return peer.read_all()


def lives(server: Server) -> bool:
    """Return whether the server answers."""
    return ask(server, PING) == PONG


def let_run(seconds: float = 0.002) -> None:
    """Let the server take what was sent."""
    gevent.sleep(seconds)


def until(condition: Any) -> None:
    """Wait for what must happen soon."""
    with gevent.Timeout(PATIENCE):
        while not condition():
            gevent.sleep(0.001)


def settings(**values: Any) -> Settings:
    """Return settings of a server on a free port of this host."""
    return Settings(**({"af_serverport": 0, "af_server_bind": "127.0.0.1"} | values))
