"""Connections: bounded, never in each other's way, and closed by the client first."""

import errno
import logging
import socket as plain_socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from afanasy_py.errors import AfanasyError
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.framing import Request
from afanasy_py.msg.types import MAX_DATA
from afanasy_py.net import connection as connection_module
from afanasy_py.net import server as server_module
from afanasy_py.net.connection import WHOLE_SECONDS
from afanasy_py.net.farewell import CLOSE_SECONDS
from afanasy_py.net.server import Server, socket_options
from tests.net.conftest import StartServer
from tests.net.net_peers import GET, PATIENCE, PING, PONG, Peer, Stub, ask, let_run, lives, settings, until

TEXT_GET = b"AFANASY 26 JSON" + GET
NO_RENDERS = b'AFANASY 16 JSON{"renders":[\n\n]}'


def post(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", *lines, b"", b"")) + GET


# -- one request, one answer


def test_a_request_is_answered_and_its_peer_named(start_server: StartServer) -> None:
    stub = Stub()
    server = start_server(stub)
    assert ask(server, PING) == PONG
    assert ask(server, TEXT_GET) == NO_RENDERS
    assert stub.peers == ["127.0.0.1", "127.0.0.1"]


def test_bytes_may_come_one_at_a_time(start_server: StartServer) -> None:
    server = start_server()
    assert ask(server, [PING[i : i + 1] for i in range(len(PING))]) == PONG
    assert ask(server, [TEXT_GET[i : i + 1] for i in range(len(TEXT_GET))]) == NO_RENDERS


def test_a_second_request_in_a_connection_is_not_answered(start_server: StartServer) -> None:
    stub = Stub()
    server = start_server(stub)
    assert ask(server, PING + PING) == PONG
    assert ask(server, [PING, PING]) == PONG
    assert len(stub.asked) == 2


def test_a_message_of_the_greatest_size_goes_there_and_back(start_server: StartServer) -> None:
    def echo(request: Request, _peer: str) -> Answer:
        return BinaryAnswer(27, request.body)

    server = start_server(echo)
    message = struct.pack(">iii", 81, 27, MAX_DATA) + bytes(MAX_DATA)
    with Peer(server) as peer:
        peer.send(message)
        assert peer.read(len(message)) == message
    assert server.bytes_held == 0


def test_who_is_mapped_into_ipv6_has_its_ipv4_address(start_server: StartServer) -> None:
    stub = Stub()
    try:
        server = start_server(stub, af_server_bind="", af_ipv6_disable=0)
    except AfanasyError:
        pytest.skip("no IPv6 here")
    assert lives(server)
    assert stub.peers == ["127.0.0.1"]


def test_a_host_without_ipv6_listens_on_ipv4(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = server_module._listen

    def without_ipv6(place: str, port: int, *, six: bool) -> Any:
        if six:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return listen("127.0.0.1", port, six=False)

    monkeypatch.setattr(server_module, "_listen", without_ipv6)
    assert lives(start_server(af_server_bind="", af_ipv6_disable=0))


def test_a_port_that_is_taken_is_a_clear_error(start_server: StartServer) -> None:
    port = start_server().port
    with pytest.raises(AfanasyError, match=rf"^Port {port} bind\(\): Address already in use$"):
        Server(settings(af_serverport=port), Stub(), "3.4.1").bind()


def test_nothing_is_answered_between_bind_and_serve() -> None:
    server = Server(settings(), Stub(), "3.4.1")
    server.bind()
    with Peer(server) as peer:
        peer.send(PING)
        assert peer.hears_nothing()
        server.serve()
        assert peer.read(len(PONG)) == PONG
    server.stop()


# -- who closes


def test_the_client_closes_first_and_hears_nothing_after_the_answer(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        peer.send(PING)
        assert peer.read(len(PONG)) == PONG
        server.farewell.pass_time(CLOSE_SECONDS - 1)
        assert peer.hears_nothing()
        assert server.connections == 1
    until(lambda: server.connections == 0)


def test_a_client_that_does_not_close_is_closed(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        peer.send(PING)
        assert peer.read(len(PONG)) == PONG
        server.farewell.pass_time(CLOSE_SECONDS + 1)
        assert peer.read_all() == b""
    assert server.connections == 0


def test_a_client_that_resets_is_forgotten(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        peer.send(PING)
        assert peer.read(len(PONG)) == PONG
        peer.socket.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: server.connections == 0)


def test_no_answer_closes_at_once(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        peer.send(b'AFANASY 12 JSON{"action":1}')
        assert peer.read_all() == b""


@pytest.mark.parametrize("wait_close", [0, 1])
def test_who_closes_after_an_http_answer_is_a_setting(start_server: StartServer, wait_close: int) -> None:
    server = start_server(af_server_http_wait_close=wait_close)
    with Peer(server) as peer:
        peer.send(post(b"AFANASY: 26") + b"more than the body")
        assert peer.read(155).endswith(b'{"renders":[\n\n]}')
        if wait_close:
            assert peer.hears_nothing()
        else:
            assert peer.read_all() == b""


# -- silent and slow peers


def test_a_silent_peer_is_dropped_after_the_receive_timeout(start_server: StartServer) -> None:
    server = start_server(af_so_server_RCVTIMEO_sec=12)
    with Peer(server) as silent:
        let_run()
        server.pass_time(11.0)
        assert silent.hears_nothing()
        server.pass_time(2.0)
        assert silent.read_all() == b""
    assert server.connections == 0
    assert server.dropped == 1


def test_a_peer_that_stops_in_the_middle_is_dropped(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        peer.send(PING[:5])
        let_run()
        server.pass_time(11.0)
        peer.send(PING[5:8])
        let_run()
        server.pass_time(11.0)
        assert peer.hears_nothing()
        server.pass_time(2.0)
        assert peer.read_all() == b""
    until(lambda: server.connections == 0)


def test_a_peer_that_trickles_for_ever_is_dropped(start_server: StartServer) -> None:
    server = start_server()
    with Peer(server) as peer:
        for second in range(0, int(WHOLE_SECONDS), 10):
            peer.send(b" " if second else b"AFANASY")
            let_run()
            server.pass_time(10.0)
        server.pass_time(1.0)
        assert peer.read_all() == b""


def test_a_peer_that_closes_before_its_request_is_whole_is_closed(start_server: StartServer) -> None:
    server = start_server()
    for data in (b"", b"hello", TEXT_GET[:-1]):
        assert ask(server, [data] if data else []) == b""
    assert server.connections == 0


def test_a_peer_that_does_not_read_its_answer_is_dropped(start_server: StartServer) -> None:
    server = start_server(lambda _request, _peer: JsonAnswer(bytes(30_000_000)), af_so_server_SNDTIMEO_sec=5)
    with Peer(server) as peer:
        peer.send(PING)
        until(lambda: server.waiting)
        assert server.bytes_held > 10_000_000
        server.pass_time(4.0)
        assert server.connections == 1
        server.pass_time(2.0)
        until(lambda: server.connections == 0)
        assert len(peer.read_all()) < 30_000_000
    assert server.bytes_held == 0


def test_a_thousand_silent_and_slow_peers_delay_nobody(start_server: StartServer) -> None:
    server = start_server()
    silent = [Peer(server) for _ in range(500)]
    slow = [Peer(server) for _ in range(500)]
    for peer in slow:
        peer.send(PING[:3])
    until(lambda: server.accepted == 1000)
    try:
        with gevent.Timeout(2.0):
            for _ in range(100):
                assert lives(server)
    finally:
        for peer in silent + slow:
            peer.socket.close()
    until(lambda: server.connections == 0)


def test_one_request_that_takes_long_delays_nobody(start_server: StartServer) -> None:
    done = gevent.event.Event()

    def dispatch(request: Request, peer: str) -> Any:
        if request.body:
            done.wait()
        return Stub()(request, peer)

    server = start_server(dispatch)
    with Peer(server) as waits:
        waits.send(TEXT_GET)
        let_run()
        assert lives(server)
        assert waits.hears_nothing()
        done.set()
        assert waits.read(len(NO_RENDERS)) == NO_RENDERS


@pytest.fixture
def crowd(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Server, list[int], list[plain_socket.socket]]]:
    """A server that has not run since 30 peers connected and asked; and how many were unheard at each request."""
    monkeypatch.setattr(server_module, "ACCEPT_MOST", 4)
    monkeypatch.setattr(server_module, "HEAR_MOST", 1)
    monkeypatch.setattr(server_module, "UNHEARD_MOST", 6)
    unheard: list[int] = []

    def dispatch(request: Request, _peer: str) -> Answer:
        unheard.append(len(server._unheard))
        return BinaryAnswer(5, value=request.value)

    server = start_server(dispatch)
    peers = [plain_socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(30)]
    for number, peer in enumerate(peers):
        peer.sendall(struct.pack(">iii", 81, 6, number))
    yield server, unheard, peers
    for peer in peers:
        peer.close()


def test_a_crowd_is_accepted_before_it_is_heard_and_heard_in_order(
    crowd: tuple[Server, list[int], list[plain_socket.socket]],
) -> None:
    server, unheard, peers = crowd
    until(lambda: len(unheard) == 30)
    assert max(unheard) == 5
    assert unheard[-1] == 0
    assert server.accepted == 30
    for number, peer in enumerate(peers):
        assert peer.recv(100) == struct.pack(">iii", 81, 5, number)


def test_a_stop_closes_those_that_were_not_heard(
    crowd: tuple[Server, list[int], list[plain_socket.socket]],
) -> None:
    server, unheard, peers = crowd
    for _ in range(3):
        server._accept_one()
    assert server.connections == 3
    server.stop(seconds=0.5)
    assert server.connections == 0
    assert not unheard
    for peer in peers[:3]:
        with pytest.raises(ConnectionResetError):
            peer.recv(100)


# -- limits


def test_when_there_is_no_room_the_oldest_silent_peer_goes(start_server: StartServer) -> None:
    server = start_server(limits={"connections_most": 20})
    peers = [Peer(server) for _ in range(20)]
    until(lambda: server.connections == 20)
    assert lives(server)
    assert peers[0].read_all() == b""
    assert peers[1].hears_nothing()
    for peer in peers:
        peer.socket.close()


def test_when_there_is_no_room_answered_clients_go_before_silent_ones(start_server: StartServer) -> None:
    server = start_server(limits={"connections_most": 20})
    silent = Peer(server)
    answered = [Peer(server) for _ in range(19)]
    for peer in answered:
        peer.send(PING)
        assert peer.read(len(PONG)) == PONG
    until(lambda: server.connections == 20)
    assert lives(server)
    assert silent.hears_nothing()
    assert answered[0].read_all() == b""
    for peer in [silent, *answered]:
        peer.socket.close()


def test_when_all_requests_run_new_ones_wait(start_server: StartServer) -> None:
    done = gevent.event.Event()

    def dispatch(request: Request, peer: str) -> Any:
        done.wait()
        return Stub()(request, peer)

    server = start_server(dispatch, limits={"connections_most": 20})
    peers = []
    for _ in range(25):
        peers.append(Peer(server))
        peers[-1].send(PING)
    until(lambda: len(server.active) == 20)
    let_run(0.02)
    assert len(server.active) == 20
    done.set()
    for peer in peers:
        assert peer.read(len(PONG)) == PONG
        peer.socket.close()


def test_whoever_keeps_most_bytes_goes_when_there_are_too_many(start_server: StartServer) -> None:
    server = start_server(limits={"bytes_most": 1_000_000})
    begin = struct.pack(">iii", 81, 27, MAX_DATA)
    with Peer(server) as small, Peer(server) as big:
        small.send(begin + bytes(200_000))
        until(lambda: server.bytes_held > 200_000)
        big.send(begin + bytes(700_000))
        until(lambda: server.bytes_held > 900_000)
        small.send(bytes(200_000))
        assert big.read_all() == b""
        assert small.hears_nothing()
        until(lambda: len(server.active) == 1)
        assert server.bytes_held == 400_012
        assert lives(server)
    until(lambda: server.bytes_held == 0)


def test_a_process_without_free_files_makes_room(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server()
    with Peer(server) as silent:
        until(lambda: server.connections == 1)

        class Exhausted:
            family = plain_socket.AF_INET

            def _accept(self) -> Any:
                raise OSError(errno.EMFILE, "Too many open files")

        listener = server._listener
        monkeypatch.setattr(server, "_listener", Exhausted())
        server._accept()
        monkeypatch.setattr(server, "_listener", listener)
        assert silent.read_all() == b""
    assert lives(server)


def test_socket_options_come_from_the_settings() -> None:
    assert socket_options(settings()) == ()
    options = socket_options(
        settings(
            af_so_server_TCP_NODELAY=1,
            af_so_server_REUSEADDR=1,
            af_so_server_TCP_CORK=0,
            af_so_server_LINGER=3,
        )
    )
    assert (plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1) in options
    assert (plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("=ii", 3, 3)) in options
    assert len(options) == 4


def test_connections_have_the_options_of_the_settings(start_server: StartServer) -> None:
    assert lives(start_server(af_so_server_TCP_NODELAY=1, af_so_server_LINGER=1))


def test_settings_can_change_while_the_server_runs(start_server: StartServer) -> None:
    server = start_server()
    request = post(b"Host: farm.example", b"AFANASY: 26")
    assert ask(server, request).startswith(b"HTTP/1.1 403 ")
    server.reconfigure(settings(af_http_hosts=("farm.example",), af_so_server_RCVTIMEO_sec=2))
    assert ask(server, request).startswith(b"HTTP/1.1 200 ")
    assert server.read_patience == 2.0


# -- errors


def test_a_bug_is_logged_and_answered(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_request: Request, _peer: str) -> Answer:
        raise KeyError("job 7")

    server = start_server(broken)
    text = b'{"info":{"kind":"error","text":"Internal server error, see the server\'s log."}}'
    assert ask(server, TEXT_GET) == b"AFANASY %d JSON" % len(text) + text
    assert ask(server, post(b"AFANASY: 26")).endswith(text)
    assert "KeyError: 'job 7'" in caplog.text


def test_broken_requests_are_logged_in_few_lines(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            ask(server, b"POST / HTTP/1.1\r\n\r\n")
    lines = [record for record in caplog.records if "Refused: peer=127.0.0.1" in record.getMessage()]
    assert len(lines) == 20
    assert server.refused == 50


def test_a_peer_that_goes_before_its_answer_is_no_bug(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(lambda _request, _peer: JsonAnswer(bytes(30_000_000)))
    with Peer(server) as peer:
        peer.send(PING)
        until(lambda: server.waiting)
    until(lambda: server.connections == 0)
    assert not caplog.records


# -- the end


def test_a_stop_lets_requests_that_run_end(start_server: StartServer) -> None:
    done = gevent.event.Event()

    def dispatch(request: Request, peer: str) -> Any:
        done.wait()
        return Stub()(request, peer)

    server = start_server(dispatch)
    with Peer(server) as runs, Peer(server) as silent:
        runs.send(PING)
        until(lambda: len(server.active) == 1)
        stopping = gevent.spawn(server.stop, 5.0)
        let_run()
        assert silent.read_all() == b""
        done.set()
        assert runs.read(len(PONG)) == PONG
        stopping.get()
    assert server.connections == 0


def test_a_stop_does_not_wait_for_ever(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[bool] = []

    def dispatch(_request: Request, _peer: str) -> Any:
        try:
            gevent.event.Event().wait()
        finally:
            ended.append(True)

    server = start_server(dispatch)
    with Peer(server) as peer:
        peer.send(PING)
        until(lambda: len(server.active) == 1)
        server.stop(seconds=0.03)
        assert peer.read_all() == b""
    assert ended == [True]
    assert "did not end in time" in caplog.text


def test_a_stopped_server_takes_no_connections(start_server: StartServer) -> None:
    server = start_server()
    port = server.port
    server.stop()
    with pytest.raises(OSError, match="refused"):
        gevent.socket.create_connection(("127.0.0.1", port))


# -- pages of other sites


ATTACKS: dict[str, Callable[[], bytes]] = {
    "a form of another site": lambda: post(
        b"Host: 127.0.0.1:51000",
        b"Origin: http://evil.example",
        b"Content-Type: text/plain",
        b"Content-Length: 26",
    ),
    "a form that hides its site": lambda: post(b"Host: 127.0.0.1:51000", b"Content-Length: 26"),
    "a form with the mark in its body": lambda: (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 39\r\n\r\nAFANASY: 26\n" + GET
    ),
    "a script of another site": lambda: post(
        b"Host: 127.0.0.1:51000", b"Origin: http://evil.example", b"AFANASY: 26"
    ),
    "a page in a sandbox": lambda: post(b"Host: 127.0.0.1:51000", b"Origin: null", b"AFANASY: 26"),
    "a rebound name": lambda: post(b"Host: evil.example", b"Origin: http://evil.example", b"AFANASY: 26"),
    "a rebound name of an old browser": lambda: post(b"Host: evil.example", b"AFANASY: 26"),
    "a rebound name that reads": lambda: b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "the question before a script's request": lambda: (
        b"OPTIONS / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
        b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: afanasy\r\n\r\n"
    ),
    "a rebound name inside of a binary message": lambda: (
        struct.pack(">iii", 81, 26, 38) + b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    ),
    "a method that looks like a text request": lambda: (
        b"AFANASY26 /JSON HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 26\r\n\r\n" + GET
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_of_another_site_reaches_nothing(attack: str, start_server: StartServer) -> None:
    stub = Stub()
    server = start_server(stub)
    answer = ask(server, ATTACKS[attack]())
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))
    assert b"Access-Control" not in answer
    assert stub.asked == []
    assert lives(server)


def test_a_page_of_a_listed_site_may_ask_and_read(start_server: StartServer) -> None:
    server = start_server(af_http_origins=("http://Portal.example/",))
    asked = post(b"Host: 127.0.0.1:51000", b"Origin: http://portal.example", b"AFANASY: 26")
    answer = ask(server, asked)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nAccess-Control-Allow-Origin: http://portal.example\r\n" in answer


def test_the_full_name_of_the_host_is_looked_up_once(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[bool] = []

    def getfqdn() -> str:
        looked_up.append(True)
        return "Farm01.Studio.example"

    monkeypatch.setattr(gevent.socket, "getfqdn", getfqdn)
    server = start_server()
    for host, status in (("farm01.studio.example", 200), ("farm01", 200), ("farm02.studio.example", 403)):
        answer = ask(server, post(f"Host: {host}:51000".encode(), b"AFANASY: 26"))
        assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert looked_up == [True]


def test_browsers_may_call_the_server_as_its_clients_do(start_server: StartServer) -> None:
    server = start_server(af_servername="Afserver.studio.example")
    assert ask(server, post(b"Host: afserver.studio.example", b"AFANASY: 26")).startswith(b"HTTP/1.1 200 ")


def test_a_refusal_does_not_wait_for_the_body(start_server: StartServer) -> None:
    server = start_server()
    for origin in (b"Origin: http://evil.example\r\n", b""):
        with Peer(server) as peer:
            peer.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + origin)
            let_run()
            peer.send(
                b"AFANASY: 60000000\r\n\r\n{" if origin else b"Content-Length: 70000000\r\nAFANASY: 1\r\n\r\n"
            )
            assert peer.read(12) == (b"HTTP/1.1 403" if origin else b"HTTP/1.1 413")


def test_a_connection_has_a_name() -> None:
    server = Server(settings(), Stub(), "3.4.1")
    assert (
        connection_module.Connection(server, plain_socket.socket(), "10.0.0.7").name
        == "connection of 10.0.0.7"
    )


def test_an_error_of_the_disk_is_answered_as_a_bug(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_request: Any, _peer: str) -> Any:
        raise OSError("the disk is gone")

    server = start_server(fails)
    assert b"Internal server error" in ask(server, b"AFANASY 26 JSON" + GET)
    assert "the disk is gone" in caplog.text


def test_an_address_has_only_so_many_connections(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(af_limit_connections=5)
    peers = [Peer(server) for _ in range(5)]
    until(lambda: server.unanswered == 5)
    with Peer(server) as one_more:
        assert one_more.read_all() == b""
    assert "has 5 connections (af_limit_connections)" in caplog.text
    peers.pop().socket.close()
    until(lambda: server.unanswered == 4)
    assert lives(server)
    for peer in peers:
        peer.socket.close()
    until(lambda: server.of_address == {})
    assert server.unanswered == 0


def test_answered_connections_do_not_count_for_their_address(start_server: StartServer) -> None:
    server = start_server(af_limit_connections=3)
    peers = [Peer(server) for _ in range(3)]
    for _ in range(3):
        for peer in peers:
            peer.send(PING)
            assert peer.read(12) == PONG
        peers = [Peer(server) for _ in range(3)]  # the others have not closed yet
    assert server.of_address.get("127.0.0.1", 0) <= 3


def test_the_memory_for_requests_is_a_setting(start_server: StartServer) -> None:
    server = start_server(af_limit_memory_mb=80)
    assert server._bytes_most == 80 * 1024 * 1024
    server.reconfigure(settings(af_limit_memory_mb=100))
    assert server._bytes_most == 100 * 1024 * 1024
