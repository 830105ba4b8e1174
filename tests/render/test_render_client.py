"""One request and its answer."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.types import MsgType
from afanasy_py.render.client import Answer, exchange

Ask = Callable[[bytes], Answer]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Ask a server that answers with given bytes, one by one, and then closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def get(reply: bytes) -> Answer:
            def serve() -> None:
                peer, _ = server.accept()
                with peer:
                    peer.recv(1000)
                    for position in range(len(reply)):
                        peer.sendall(reply[position : position + 1])

            threading.Thread(target=serve, daemon=True).start()
            return exchange(server.getsockname(), MsgType.TRenderUpdate, b"data")

        yield get


def test_a_number_comes_in_the_header(ask: Ask) -> None:
    assert ask(struct.pack("!iii", 81, 8, 5)) == Answer(8, 5)


def test_data_follows_the_header(ask: Ask) -> None:
    assert ask(struct.pack("!iii", 81, 36, 3) + b"abc") == Answer(36, 3, b"abc")


def test_a_text_is_taken_as_it_is(ask: Ask) -> None:
    assert ask(b"AFANASY 17 JSON" + b'{"info":{"a":"b"}') == Answer(
        None, 0, b"AFANASY 17 JSON" + b'{"info":{"a":"b"}'
    )


@pytest.mark.parametrize(
    "reply",
    [b"", b"short", struct.pack("!iii", 81, 36, 9) + b"abc", b"AFANASY 99 JSON{}", b"AFANASY x JSON"[:10]],
)
def test_an_early_end_is_a_failure_of_the_connection(ask: Ask, reply: bytes) -> None:
    with pytest.raises(ConnectionError):
        ask(reply)


@pytest.mark.parametrize("header", [(80, 36, 3), (81, 36, -1), (81, 36, 1 << 30)])
def test_a_senseless_header_is_refused(ask: Ask, header: tuple[int, int, int]) -> None:
    with pytest.raises(ProtocolError):
        ask(struct.pack("!iii", *header))
