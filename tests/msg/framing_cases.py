"""Requests as bytes and what becomes of them; used for the framer alone and over sockets."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from afanasy_py.msg.framing import BrokenRequestError, Form, Framer, Request
from afanasy_py.msg.http import HttpError
from afanasy_py.msg.types import MAX_DATA, VERSION, MsgType


def binary(msg_type: int, value: int, data: bytes = b"", version: int = VERSION) -> bytes:
    return struct.pack(">iii", version, msg_type, value) + data


@dataclass(frozen=True)
class Closed:
    """No request ever; the answer that is given, empty: none."""

    answer: bytes = b""


@dataclass(frozen=True)
class Refused:
    """Answered with an HTTP status."""

    status: int


class Waits:
    """The request is not whole."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Waits)

    def __hash__(self) -> int:
        return 0


Outcome = Request | Closed | Refused | Waits


def outcome(pieces: Iterable[bytes]) -> Outcome:
    """Return what a framer makes of pieces."""
    framer = Framer()
    try:
        for piece in pieces:
            request = framer.feed(piece)
            if request is not None:
                return request
    except BrokenRequestError as error:
        return Closed(error.answer or b"")
    except HttpError as error:
        return Refused(error.answer.status)
    return Waits()


GET = b'{"get":{"type":"renders"}}'
BAD_SIZE = b'{"info":{"kind":"error","text":"Invalid buffer size"}}'
MISMATCH = Request(Form.BINARY, MsgType.TVersionMismatch, 1)
INVALID = Request(Form.BINARY, MsgType.TInvalid)


def text(head: bytes, body: bytes = GET) -> bytes:
    return head + body


def post(*lines: bytes, body: bytes = GET) -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", *lines, b"", b"")) + body


TEXT_GET = Request(Form.TEXT, MsgType.TJSON, 0, GET)

#: {name: (bytes, what becomes of them)}; a posted request is compared without its head.
CASES: dict[str, tuple[bytes, Outcome]] = {
    # binary
    "a value": (binary(6, 7), Request(Form.BINARY, 6, 7)),
    "a negative value": (binary(6, -7), Request(Form.BINARY, 6, -7)),
    "data": (binary(35, 3, b"abc"), Request(Form.BINARY, 35, 0, b"abc")),
    "bytes after the data": (binary(35, 3, b"abcdef"), Request(Form.BINARY, 35, 0, b"abc")),
    "two messages": (binary(3, 1) + binary(3, 2), Request(Form.BINARY, 3, 1)),
    "missing data": (binary(35, 4, b"abc"), Waits()),
    "a short header": (b"hello", Waits()),
    "garbage": (b"hello world!", MISMATCH),
    "an old version": (binary(8, 0, version=80), MISMATCH),
    "a new version with data": (binary(35, 3, b"abc", version=82), MISMATCH),
    "an old version of a wrong type": (binary(63, 0, version=80), MISMATCH),
    "type 63": (binary(63, 0), INVALID),
    "a great type": (binary(2**31 - 1, 5, b"abcde"), INVALID),
    "a negative type": (binary(-1, 4), Request(Form.BINARY, -1, 4)),
    "the least type": (binary(-(2**31), 4), Request(Form.BINARY, -(2**31), 4)),
    "data of no length": (binary(27, 0), INVALID),
    "data of a negative length": (binary(27, -1), INVALID),
    "data that is too long": (binary(27, MAX_DATA + 1), INVALID),
    "data of the greatest length": (binary(27, MAX_DATA, b"abc"), Waits()),
    "JSON of a negative length": (binary(24, -1), Closed(binary(24, len(BAD_SIZE), BAD_SIZE))),
    "JSON as text of a negative length": (
        binary(23, -5),
        Closed(b"AFANASY %d JSON" % len(BAD_SIZE) + BAD_SIZE),
    ),
    "POST data in a binary message": (
        binary(25, len(GET), GET),
        Request(Form.BINARY, MsgType.THTTP, 0, GET),
    ),
    "no GET in a binary GET": (binary(26, 5, b"hello"), Refused(400)),
    "a POST in a binary GET": (binary(26, 17, b"POST / HTTP/1.1\r\n"), Refused(400)),
    # text
    "text": (text(b"AFANASY 26 JSON"), TEXT_GET),
    "text in lower case": (text(b"afanasy 26 JSON"), TEXT_GET),
    "text without a space": (text(b"AFANASY26JSON"), TEXT_GET),
    "text with many spaces": (text(b"AFANASY     26    JSON"), TEXT_GET),
    "text with white space before the brace": (text(b"AFANASY 26 JSON \n "), TEXT_GET),
    "text with junk before the brace": (text(b"AFANASY 26 JSON junk"), TEXT_GET),
    "text with bytes behind it": (text(b"AFANASY 26 JSON", GET + GET), TEXT_GET),
    "text that is cut": (text(b"AFANASY 21 JSON"), Request(Form.TEXT, MsgType.TJSON, 0, GET[:21])),
    "text that is too short": (text(b"AFANASY 35 JSON"), Waits()),
    "text without a size": (text(b"AFANASY JSON"), MISMATCH),
    "text with a word for a size": (text(b"AFANASY -x JSON"), MISMATCH),
    "text of size 0": (text(b"AFANASY 0 JSON"), Request(Form.TEXT, MsgType.TInvalid)),
    "text that is too long": (
        text(b"AFANASY %d JSON" % (MAX_DATA + 1)),
        Request(Form.TEXT, MsgType.TInvalid),
    ),
    "text of a size of many digits": (
        text(b"AFANASY " + b"9" * 200 + b" JSON"),
        Request(Form.TEXT, MsgType.TInvalid),
    ),
    "text of a negative size": (
        text(b"AFANASY -5 JSON"),
        Closed(b"AFANASY %d JSON" % len(BAD_SIZE) + BAD_SIZE),
    ),
    "text with json in lower case": (text(b"AFANASY 26 json"), Closed()),
    "text of an array": (b"AFANASY 5 JSON[1,2]", Waits()),
    "text without a brace": (b"AFANASY 5 JSON" + b" " * 1100, Closed()),
    "spaces for a size": (b"AFANASY" + b" " * 1100, Closed()),
    "a method of a browser": (text(b"AFANASY26 /JSON HTTP/1.1\r\nHost: a\r\n\r\n"), Closed()),
    "a method and a header of a browser": (b"AFANASY2 /JSON HTTP/1.1\r\nA: {}\r\n\r\n", Closed()),
    # HTTP
    "POST": (
        post(b"Host: a", b"Content-Length: 26", b"AFANASY: 26"),
        Request(Form.POST, MsgType.THTTP, 0, GET),
    ),
    "POST without Content-Length": (post(b"AFANASY: 26"), Request(Form.POST, MsgType.THTTP, 0, GET)),
    "POST without a space": (post(b"AFANASY:26"), Request(Form.POST, MsgType.THTTP, 0, GET)),
    "POST in lower case": (post(b"afanasy: 26"), Request(Form.POST, MsgType.THTTP, 0, GET)),
    "POST whose Content-Length is right": (
        post(b"AFANASY: 5", b"content-length: 26"),
        Request(Form.POST, MsgType.THTTP, 0, GET),
    ),
    "POST with bytes behind it": (
        post(b"AFANASY: 26", body=GET + GET),
        Request(Form.POST, MsgType.THTTP, 0, GET),
    ),
    "POST that is not whole": (post(b"AFANASY: 27"), Waits()),
    "POST without a mark": (post(b"Content-Length: 26"), Refused(400)),
    "POST with a mark in its body": (
        post(b"Content-Length: 46", body=b"AFANASY: 26\r\n\r\n" + GET),
        Refused(400),
    ),
    "POST without a number": (post(b"AFANASY: x"), Refused(400)),
    "POST of a negative size": (post(b"AFANASY: -1"), Refused(400)),
    "POST of size 0": (post(b"AFANASY: 26", b"Content-Length: 0"), Refused(400)),
    "POST that is too long": (post(b"AFANASY: 26", b"Content-Length: %d" % (MAX_DATA + 1)), Refused(413)),
    "POST of a size of many digits": (post(b"AFANASY: " + b"9" * 5000), Refused(413)),
    "POST in chunks": (post(b"AFANASY: 26", b"Transfer-Encoding: chunked"), Refused(411)),
    "POST with two sizes": (post(b"AFANASY: 26", b"Content-Length: 26", b"Content-Length: 26"), Refused(400)),
    "POST with a byte order mark": (post(b"AFANASY: 29", body=b"\xef\xbb\xbf" + GET), Closed()),
    "POST with spaces before the brace": (post(b"AFANASY: 29", body=b"   " + GET), Closed()),
    "POST with line ends of Unix": (b"POST / HTTP/1.1\nAFANASY: 26\n\n" + GET, Refused(400)),
    "a line end of Unix in a header": (post(b"Host: a\nX: b", b"AFANASY: 26"), Refused(400)),
    "a NUL in a header": (post(b"Host: a\0", b"AFANASY: 26"), Refused(400)),
    "a folded header": (post(b"Host: a", b" b", b"AFANASY: 26"), Refused(400)),
    "a header without a name": (post(b": a", b"AFANASY: 26"), Refused(400)),
    "a space before the colon": (post(b"AFANASY : 26"), Refused(400)),
    "many headers": (post(*[b"X: y"] * 101), Refused(431)),
    "a long head": (b"GET / HTTP/1.1\r\nX: " + b"y" * 16500 + b"\r\n\r\n", Refused(431)),
    "a head without an end": (b"GET /" + b"y" * 17000, Refused(431)),
    "a half GET": (b"GET / HTTP/1.1\r\nHost: a\r\n", Waits()),
    "PUT": (b"PUT /a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405)),
    "DELETE": (b"DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405)),
    "GETX": (b"GETX /a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405)),
    "GET without a version": (b"GET /index.html\r\n\r\n", Refused(400)),
    "GET of HTTP/2": (b"GET / HTTP/2.0\r\n\r\n", Refused(505)),
    "GET with a raw space": (b"GET /a b HTTP/1.1\r\n\r\n", Refused(400)),
    "get in lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", MISMATCH),
}
