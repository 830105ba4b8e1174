"""One request to the server and its answer: connect, send, read, close first."""

import socket
import struct
from dataclasses import dataclass

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.types import FIRST_TYPE_WITH_DATA, MAX_DATA, VERSION, MsgType
from afanasy_py.reach import PLAIN, Reach

HEADER = struct.Struct("!iii")
TIMEOUT_SEC = 12
TEXT_MAGIC = b"AFANASY"


@dataclass(frozen=True)
class Answer:
    """What came back. ``type`` is None for a text, which is in ``data``."""

    type: int | None
    value: int = 0
    data: bytes = b""


def exchange(
    address: tuple[str, int], msg_type: MsgType, payload: int | bytes, reach: Reach = PLAIN
) -> Answer:
    """Send one message and return the answer.

    Args:
        address: Host and port of the server.
        msg_type: Of the request.
        payload: The value of a message without data, else its data.
        reach: Whether by TLS, and with which token.

    Raises:
        OSError: The server was not reached, or fell silent.
        ProtocolError: The answer can not be understood.
    """
    data = b"" if isinstance(payload, int) else payload
    value = payload if isinstance(payload, int) else len(payload)
    token = b"AFTOKEN %b\n" % reach.token.encode() if reach.token else b""
    with reach.connect(*address, TIMEOUT_SEC) as sock:
        sock.sendall(token + HEADER.pack(VERSION, msg_type, value) + data)
        head = read_exactly(sock, HEADER.size)
        if head.startswith(TEXT_MAGIC):
            return Answer(None, data=head + read_to_end_of_text(sock, head))
        version, answer_type, answer_value = HEADER.unpack(head)
        if version != VERSION:
            raise ProtocolError(f"answer of protocol version {version}, this is {VERSION}")
        if answer_type < FIRST_TYPE_WITH_DATA:
            return Answer(answer_type, answer_value)
        if not 0 <= answer_value <= MAX_DATA:
            raise ProtocolError(f"answer of type {answer_type} with {answer_value} bytes of data")
        return Answer(answer_type, answer_value, read_exactly(sock, answer_value))


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Return so many bytes.

    Raises:
        OSError: The connection ended before, or nothing came in time.
    """
    pieces = bytearray()
    while len(pieces) < size:
        piece = sock.recv(min(size - len(pieces), 1 << 20))
        if not piece:
            raise ConnectionError(f"the server closed after {len(pieces)} of {size} bytes")
        pieces += piece
    return bytes(pieces)


def read_to_end_of_text(sock: socket.socket, head: bytes) -> bytes:
    """Return the rest of ``AFANASY <size> JSON...``; only what was begun of a malformed one."""
    rest = bytearray()
    while b"JSON" not in (head + rest) and len(rest) < 64:
        rest += read_exactly(sock, 1)
    words = (head + rest).split()
    size = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return bytes(rest + read_exactly(sock, min(size, MAX_DATA)))
