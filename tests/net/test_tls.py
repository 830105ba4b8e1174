"""TLS on the port of everything else: the first byte decides."""

import json
import ssl
import struct
import warnings
from pathlib import Path
from typing import Any

import gevent
import pytest

from afanasy_py.client import ConnectionFailedError
from afanasy_py.client import ask as client_ask
from afanasy_py.core import replies
from afanasy_py.errors import ConfigError
from afanasy_py.msg.framing import Request
from afanasy_py.msg.types import MsgType
from afanasy_py.net.server import Server
from afanasy_py.net.tls import TlsPeer, make_context
from afanasy_py.reach import Reach, make_reach
from afanasy_py.render.client import exchange
from tests.net.conftest import StartServer
from tests.net.net_peers import GET, PING, PONG, Peer, Stub, ask, let_run, lives, settings, until

#: A certificate of its own for localhost and 127.0.0.1, for tests only.
PEM = str(Path(__file__).with_name("tls_test.pem"))
TLS = {"af_tls_cert": PEM}


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=PEM)


class TlsClient(Peer):
    """A peer that speaks TLS through memory, so that bytes can be sent in any pieces."""

    def __init__(self, server: Server, context: ssl.SSLContext | None = None) -> None:
        super().__init__(server)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or trusting()).wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    def shake(self, piece: int = 1 << 20) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush(piece)
                self.incoming.write(self.socket.recv(65536))
            else:
                self.flush(piece)
                return

    def flush(self, piece: int = 1 << 20) -> None:
        out = self.outgoing.read()
        for start in range(0, len(out), piece):
            self.send(out[start : start + piece])
            let_run()

    def say(self, data: bytes, piece: int = 1 << 20) -> None:
        self.tls.write(data)
        self.flush(piece)

    def hear(self) -> bytes:
        """Return all that the server says until it ends."""
        heard = b""
        while True:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                more = self.socket.recv(65536)
                if not more:
                    return heard
                self.incoming.write(more)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return heard
            else:
                if not data:
                    return heard
                heard += data


@pytest.mark.parametrize("piece", [1 << 20, 11])
@pytest.mark.parametrize(
    ("request_", "begins"),
    [
        (PING, PONG),
        (b"AFANASY 26 JSON" + GET, b"AFANASY "),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAFANASY: 26\r\n\r\n" + GET, b"HTTP/1.1 200 OK\r\n"),
        (b"GET / HTTP/2.0\r\n\r\n", b"HTTP/1.1 505 "),
    ],
)
def test_every_form_comes_by_tls_too(
    start_server: StartServer, request_: bytes, begins: bytes, piece: int
) -> None:
    stub = Stub()
    server = start_server(stub, **TLS)
    with TlsClient(server) as peer:
        peer.shake(piece)
        for start in range(0, len(request_), max(piece, 9)):
            peer.say(request_[start : start + max(piece, 9)], piece)
        assert peer.hear().startswith(begins)
    assert all(asked.secure for asked in stub.asked)
    assert ask(server, PING) == PONG
    assert not stub.asked[-1].secure


def test_big_requests_and_answers_come_whole(start_server: StartServer) -> None:
    big = b"x" * 3_000_000

    def echo(request: Request, _peer: str) -> Any:
        return replies.raw(json.dumps(len(request.body)) + big.decode())

    server = start_server(echo, **TLS)
    body = b'{"a":"' + big + b'"}'
    with TlsClient(server) as peer:
        peer.shake()
        peer.say(b"AFANASY %d JSON" % len(body) + body)
        heard = peer.hear()
    assert heard.endswith(json.dumps(len(body)).encode() + big)
    until(lambda: server.bytes_held == 0)


def test_our_own_clients_speak_tls(start_server: StartServer) -> None:
    server = start_server(**TLS)
    reach = make_reach({}, tls=True, authorities=PEM)
    pool = gevent.get_hub().threadpool
    answer = pool.spawn(client_ask, "127.0.0.1", server.port, json.loads(GET), reach=reach)
    assert answer.get(timeout=10) == {"renders": []}
    render = pool.spawn(exchange, ("127.0.0.1", server.port), MsgType(6), 7, reach)
    assert (render.get(timeout=10).type, render.get().value) == (5, 7)


def test_our_clients_trust_no_certificate_that_they_do_not_know(start_server: StartServer) -> None:
    server = start_server(**TLS)
    reach = Reach(ssl.create_default_context())
    done = gevent.get_hub().threadpool.spawn(
        client_ask, "127.0.0.1", server.port, json.loads(GET), reach=reach
    )
    with pytest.raises(ConnectionFailedError, match="certificate verify failed"):
        done.get(timeout=10)
    assert lives(server)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello" + bytes(20), b"\x16", b"\x16" * 500, b"\x16\x03\x01\xff\xff" + bytes(70000),
        b"\x16\x03\x00\x00\x00",
    ],
)  # fmt: skip
def test_what_only_begins_as_tls_is_dropped(start_server: StartServer, data: bytes) -> None:
    stub = Stub()
    server = start_server(stub, **TLS)
    ask(server, data)
    assert lives(server)
    assert len(stub.asked) == 1
    until(lambda: server.unanswered == 0 and server.bytes_held == 0)


def test_old_versions_of_tls_are_refused(start_server: StartServer) -> None:
    server = start_server(**TLS)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(PEM)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with TlsClient(server, old) as peer, pytest.raises(ssl.SSLError):
        peer.shake()
    assert lives(server)


def test_a_peer_that_is_silent_in_the_handshake_is_dropped(start_server: StartServer) -> None:
    server = start_server(af_so_server_RCVTIMEO_sec=1, **TLS)
    with Peer(server) as peer:
        peer.send(b"\x16\x03\x01")
        assert peer.read_all() == b""
    assert server.unanswered == 0


def test_without_a_certificate_there_is_no_tls(start_server: StartServer) -> None:
    stub = Stub()
    server = start_server(stub)
    answer = ask(server, b"\x16\x03\x01\x00\x05hello" + bytes(20))
    assert answer[:4] == struct.pack(">i", 81)
    assert [asked.msg_type for asked in stub.asked] == [MsgType.TVersionMismatch]
    assert make_context("", "") is None


def test_a_page_that_came_by_tls_asks_by_tls(start_server: StartServer) -> None:
    server = start_server(**TLS)

    def status(origin: str) -> bytes:
        with TlsClient(server) as peer:
            peer.shake()
            head = f"POST / HTTP/1.1\r\nHost: localhost:1\r\nOrigin: {origin}\r\nAFANASY: 26\r\n\r\n"
            peer.say(head.encode() + GET)
            return peer.hear()[9:12]

    assert status("https://localhost:1") == b"200"
    assert status("http://localhost:1") == b"403"


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nonsense", encoding="utf-8")
    for path in (str(bad), str(tmp_path / "missing")):
        with pytest.raises(ConfigError, match="af_tls_cert"):
            make_context(path, "")


def test_a_certificate_is_renewed_without_a_restart(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(**TLS)
    old = server.tls
    with pytest.raises(ConfigError):
        server.reconfigure(settings(af_tls_cert=str(tmp_path / "missing")))
    assert server.tls is old
    server.reconfigure(settings(**TLS))
    assert server.tls is not None
    assert server.tls is not old


def test_bytes_of_tls_mean_the_same_in_any_pieces() -> None:
    context = make_context(PEM, "")
    assert context is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
    peer = TlsPeer(context)
    meant = b""
    said = False
    for _ in range(10):
        try:
            client.do_handshake()
            if not said:
                client.write(b"hello")
                said = True
        except ssl.SSLWantReadError:
            pass
        for byte in outgoing.read():
            meant += peer.feed(bytes([byte]))
        incoming.write(peer.take())
    assert meant == b"hello"
