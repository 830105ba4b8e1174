import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from afanasy_py import client
from afanasy_py.client import Client, ConnectionFailedError, NoAnswerError, ask, no_output, parse, refusal
from afanasy_py.errors import ProtocolError
from afanasy_py.msg.types import MAX_MESSAGE

Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one request with these pieces; the port is returned, and what came is put into `got`."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def start(*pieces: bytes, got: list[bytes] | None = None, silent: bool = False) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                received = b""
                while b"JSON" not in received or not received.endswith(b"}"):
                    received += connection.recv(1000)
                if got is not None:
                    got.append(received)
                for piece in pieces:
                    connection.sendall(piece)
                if silent:
                    connection.recv(1000)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()


def framed(body: bytes) -> bytes:
    return b"AFANASY %d JSON" % len(body) + body


def test_a_request_goes_in_the_text_form(serve: Serve) -> None:
    got: list[bytes] = []
    answer = ask("127.0.0.1", serve(framed(b'{"ok":1}'), got=got), {"get": {"type": "jobs", "mask": "é"}})
    assert answer == {"ok": 1}
    body = '{"get": {"type": "jobs", "mask": "é"}}'.encode()
    assert got == [framed(body)]


def test_an_answer_may_come_in_any_pieces_and_bytes_after_it_do_not_matter(serve: Serve) -> None:
    whole = framed(b'{"text":"a b JSON c"}')
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    assert Client("127.0.0.1", serve(*pieces, b"more")).ask({"a": {}}) == {"text": "a b JSON c"}


def test_bytes_that_are_no_text_come_back_as_they_were(serve: Serve) -> None:
    name = ask("127.0.0.1", serve(framed(b'{"name":"\xff\xfe"}')), {"a": 1})["name"]
    got: list[bytes] = []
    ask("127.0.0.1", serve(framed(b"{}"), got=got), {"name": name})
    assert b'"\xff\xfe"' in got[0]


def test_control_characters_inside_of_texts_are_let_through() -> None:
    assert parse(b'{"list":["a\bb\tc"]}') == {"list": ["a\bb\tc"]}


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"AFANASY 5 JSON{}", "cut short after 16 bytes"),
        (b"AFANASY ", "cut short after 8 bytes"),
        (framed(b"[1]"), "no object but list"),
        (framed(b'{"a":"b"c"}'), "not JSON"),
        (framed(b"[" * 100_000), "not JSON"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "does not begin as"),
        (b"AFANASY x JSON{}", "does not begin as"),
        (b"AFANASY 99999999999 JSON{}", "too big"),
    ],
)
def test_an_answer_that_breaks_the_rules_is_an_error_that_names_the_server(
    serve: Serve, sent: bytes, said: str
) -> None:
    port = serve(sent)
    with pytest.raises(ProtocolError, match=f"^127.0.0.1:{port}: .*{said}"):
        ask("127.0.0.1", port, {"a": 1})


def test_a_connection_that_is_closed_without_a_word_is_told_apart(serve: Serve) -> None:
    with pytest.raises(NoAnswerError, match="closed the connection without an answer"):
        ask("127.0.0.1", serve(), {"a": 1})


def test_a_silent_server_is_given_up(serve: Serve) -> None:
    with pytest.raises(ConnectionFailedError, match=r"no answer within 0\.05 seconds"):
        ask("127.0.0.1", serve(silent=True), {"a": 1}, timeout_s=0.05)


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 1), ("127.0.0.1", 70_000), ("a..b", 51000), ("", 1)]
)
def test_a_server_that_is_not_there_is_a_failed_connection(host: str, port: int) -> None:
    with pytest.raises(ConnectionFailedError):
        ask(host, port, {"a": 1}, timeout_s=0.5)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"info": {"kind": "error", "text": "Invalid ID"}}, "Invalid ID"),
        ({"error": "exists", "user": {}}, "exists"),
        ({"id": 0, "serial": 0, "error": "Invalid job."}, "Invalid job."),
        ({"id": 0, "serial": 0}, "The server has refused the job."),
        ({"status": "error", "reload_config": "Failed", "error": "Failed"}, "Failed"),
        ({"realm": "CGRU", "nonce": "0"}, "The server asks for a password."),
        ({"info": {"kind": "log", "text": "Action processed."}}, None),
        ({"status": "success", "announce": "OK"}, None),
        ({"id": 2, "serial": 1}, None),
        ({"jobs": []}, None),
    ],
)
def test_a_refusal_is_known_by_its_form(answer: dict[str, object], why: str | None) -> None:
    assert refusal(answer) == why


def test_an_output_that_begins_as_an_error_is_still_an_output() -> None:
    assert no_output({"data": "ERROR: Invalid job ID"}) == "Invalid job ID"
    assert no_output({"data": "ERROR: no licence"}) is None
    assert no_output({"data": ""}) is None


def test_the_limit_of_an_answer_is_that_of_the_protocol() -> None:
    assert client.BODY_MOST == MAX_MESSAGE
    assert len(json.dumps({})) < client.HEAD_MOST
