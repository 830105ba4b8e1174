"""Requests out of bytes that arrive in any pieces, and answers into bytes.

A connection brings one request in one of four forms, told apart by its first bytes; what follows a whole
request is ignored. What comes out never depends on how the bytes were cut. Source: wire-protocol 1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.http import (
    ALLOWED_METHODS,
    HEAD_MOST,
    Headers,
    HttpAnswer,
    HttpError,
    HttpHead,
    body_size,
    http_bytes,
    json_bytes,
    parse_head,
)
from afanasy_py.msg.types import FIRST_TYPE_WITH_DATA, HEADER_SIZE, MAX_DATA, VERSION, MsgType

_HEADER = struct.Struct(">iii")

# Plain numbers: the next lines run for every message of every render.
_LAST = int(MsgType.TLAST)
_JSON_IN_BINARY = int(MsgType.TJSONBIN)
_GET_IN_BINARY = int(MsgType.THTTPGET)
_IN_HTTP = frozenset({int(MsgType.THTTP), _GET_IN_BINARY})

#: `AFANASY <size>` of the text form; the word in any case, spaces before the number as one likes.
_TEXT_HEAD = re.compile(rb"afanasy *(-?[0-9]*)", re.IGNORECASE)
#: Bytes in which the text form's `JSON` and first brace must come.
TEXT_HEAD_MOST = 1024

#: What begins an HTTP request; anything else that is not text is a binary header.
_HTTP_BEGINNINGS = (
    b"GET", b"POST", b"HEAD ", b"OPTIONS ", b"PUT ", b"DELETE ", b"PATCH ", b"TRACE ", b"CONNECT ",
)  # fmt: skip
#: A line that may stand before any request that is not HTTP: `AFTOKEN <token>` and a line end.
_TOKEN_MARK = b"AFTOKEN "
TOKEN_LINE_MOST = 256
_BODILESS = ("GET", "HEAD", "OPTIONS")

_BAD_SIZE = b'{"info":{"kind":"error","text":"Invalid buffer size"}}'


class Form(Enum):
    """How a request came; the answer goes back in the same way."""

    TEXT = "text"
    BINARY = "binary"
    POST = "post"
    #: GET, and what is answered like it: HEAD and OPTIONS.
    GET = "get"


class Request(NamedTuple):
    """One whole request."""

    form: Form
    #: A number of `MsgType`; clients may send others too. `TInvalid` and `TVersionMismatch` also stand for
    #: headers that became these.
    msg_type: int
    #: What the header of a type without data carries.
    value: int = 0
    body: bytes = b""
    #: The head, when it came by HTTP.
    head: HttpHead | None = None
    #: The access token that came before it; empty: none.
    token: str = ""
    #: It came by TLS.
    secure: bool = False


class BrokenRequestError(ProtocolError):
    """A request that never becomes whole; `answer` is sent before the connection is closed, None: nothing."""

    def __init__(self, text: str, answer: bytes | None = None) -> None:
        super().__init__(text)
        self.answer = answer


def whole_message(data: bytes) -> Request | None:
    """Return the request when a first piece is a whole and sound binary message.

    It mostly is, so this is asked before a `Framer` is made. None says nothing: a framer has to look.
    """
    if len(data) < HEADER_SIZE:
        return None
    version, msg_type, value = _HEADER.unpack_from(data)
    if version != VERSION or not 0 <= msg_type < _LAST:
        return None
    if msg_type < FIRST_TYPE_WITH_DATA:
        return Request(Form.BINARY, msg_type, value)
    if not 0 < value <= len(data) - HEADER_SIZE or msg_type == _GET_IN_BINARY:
        return None
    return Request(Form.BINARY, msg_type, 0, data[HEADER_SIZE : HEADER_SIZE + value])


class Framer:
    """Collects the bytes of one request."""

    __slots__ = ("_begin", "_buffer", "_head", "_need", "_seen", "_size", "_step", "_token")

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: Reads on from what has come; it returns a request, or asks for more bytes, or names the next step.
        self._step: Callable[[], Request | None] = self._choose_form
        #: Bytes that must be there before the step.
        self._need = HEADER_SIZE
        #: Bytes in which the end of an HTTP head was looked for.
        self._seen = 0
        #: The body: where it begins, its size, and what it is the body of.
        self._begin = 0
        self._size = 0
        self._head: Request | None = None
        self._token = ""

    def __len__(self) -> int:
        """Return how many bytes are held."""
        return len(self._buffer)

    @property
    def head(self) -> HttpHead | None:
        """The head of an HTTP request whose body is not whole yet."""
        return self._head.head if self._head is not None else None

    def feed(self, data: bytes) -> Request | None:
        """Take bytes in; return the request once it is whole.

        Raises:
            BrokenRequestError: It never will be.
            HttpError: The same for HTTP, with a status.
        """
        self._buffer += data
        while len(self._buffer) >= self._need:
            request = self._step()
            if request is not None:
                return request._replace(token=self._token) if self._token else request
        return None

    def _want_more(self) -> None:
        self._need = len(self._buffer) + 1

    def _choose_form(self) -> Request | None:
        if self._buffer.startswith(_TOKEN_MARK) and not self._token:
            self._read_token()
            return None
        if self._buffer[:7].lower() == b"afanasy":
            self._step = self._read_text
        elif self._buffer.startswith(_HTTP_BEGINNINGS):
            self._step = self._read_http
        else:
            return self._read_binary()
        return None

    def _read_token(self) -> None:
        end = self._buffer.find(b"\n", 0, TOKEN_LINE_MOST)
        if end < 0:
            if len(self._buffer) >= TOKEN_LINE_MOST:
                raise BrokenRequestError(f"a token of more than {TOKEN_LINE_MOST} bytes")
            self._want_more()
            return
        token = self._buffer[len(_TOKEN_MARK) : end].strip()
        if not token or not token.isascii() or b" " in token:
            # A browser can be made to send any word as its method, but a blank and more follow then.
            raise BrokenRequestError("the line of a token is broken")
        self._token = token.decode("ascii")
        del self._buffer[: end + 1]
        self._need = HEADER_SIZE

    def _read_binary(self) -> Request | None:
        version, msg_type, value = _HEADER.unpack_from(self._buffer)
        if version != VERSION:
            return Request(Form.BINARY, MsgType.TVersionMismatch, 1)
        if msg_type < FIRST_TYPE_WITH_DATA:
            return Request(Form.BINARY, msg_type, value)
        if value < 0 and msg_type in (MsgType.TJSON, MsgType.TJSONBIN):
            answer = frame_answer(Request(Form.BINARY, msg_type), JsonAnswer(_BAD_SIZE), "")
            raise BrokenRequestError("JSON of a negative size", answer)
        if msg_type >= _LAST or value <= 0 or value > MAX_DATA:
            return Request(Form.BINARY, MsgType.TInvalid)
        self._expect_body(Request(Form.BINARY, msg_type), HEADER_SIZE, value)
        return None

    def _read_text(self) -> Request | None:
        head = bytes(self._buffer[:TEXT_HEAD_MOST])
        match = _TEXT_HEAD.match(head)
        assert match is not None
        if match.end() < len(head) and match[1] in (b"", b"-"):
            return Request(Form.BINARY, MsgType.TVersionMismatch, 1)
        brace = head.find(b"{", match.end())
        between = head[match.end() : brace if brace >= 0 else len(head)]
        if b"\r" in between:
            # A browser can be made to send any word as its method, then a path, headers and a body. Its
            # request is no text request: the end of its first line comes before any brace.
            raise BrokenRequestError("a line end before the brace of a text request")
        if brace < 0:
            if len(head) == TEXT_HEAD_MOST:
                raise BrokenRequestError("no brace in the beginning of a text request")
            self._want_more()
            return None
        if b"JSON" not in between:
            raise BrokenRequestError("no JSON before the brace of a text request")
        size = int(match[1])
        if size < 0:
            raise BrokenRequestError("text of a negative size", _text(_BAD_SIZE))
        if size == 0 or size > MAX_DATA:
            return Request(Form.TEXT, MsgType.TInvalid)
        self._expect_body(Request(Form.TEXT, MsgType.TJSON), brace, size)
        return None

    def _read_http(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n", max(self._seen - 3, 0), HEAD_MOST + 4)
        if self._buffer.find(b"\n\n", max(self._seen - 1, 0), end if end >= 0 else HEAD_MOST + 4) >= 0:
            raise HttpError(400, "lines must end with CR and LF")
        if end < 0:
            if len(self._buffer) >= HEAD_MOST + 4:
                raise HttpError(431, f"the head is longer than {HEAD_MOST} bytes")
            self._seen = len(self._buffer)
            self._want_more()
            return None
        head = parse_head(bytes(self._buffer[:end]))
        if head.method in _BODILESS:
            return Request(Form.GET, MsgType.THTTPGET, head=head)
        if head.method != "POST":
            raise HttpError(405, f"method {head.method}", (("Allow", ALLOWED_METHODS),))
        size = body_size(head, MAX_DATA)
        self._expect_body(Request(Form.POST, MsgType.THTTP, head=head), end + 4, size)
        self._step = self._check_brace
        self._need = end + 5
        return None

    def _check_brace(self) -> Request | None:
        if self._buffer[self._begin : self._begin + 1] != b"{":
            raise BrokenRequestError("a posted body that does not begin with a brace")
        self._step = self._read_body
        self._need = self._begin + self._size
        return None

    def _expect_body(self, head: Request, begin: int, size: int) -> None:
        self._head, self._begin, self._size = head, begin, size
        self._step = self._read_body
        self._need = begin + size

    def _read_body(self) -> Request:
        assert self._head is not None
        with memoryview(self._buffer) as view:
            body = bytes(view[self._begin : self._begin + self._size])
        if self._head.msg_type == _GET_IN_BINARY:
            return _read_wrapped_get(body)
        return self._head._replace(body=body)


def _read_wrapped_get(body: bytes) -> Request:
    """Return the request for a file that came as the data of a binary message."""
    head = parse_head(body[: HEAD_MOST + 4].partition(b"\r\n\r\n")[0])
    if head.method not in _BODILESS:
        raise HttpError(405, f"method {head.method}", (("Allow", ALLOWED_METHODS),))
    return Request(Form.GET, MsgType.THTTPGET, head=head)


def _text(text: bytes) -> bytes:
    return b"AFANASY %d JSON%b" % (len(text), text)


def frame_answer(
    request: Request | None, answer: Answer | HttpAnswer, version: str, more: Headers = ()
) -> bytes:
    """Return an answer as it goes out, in the form that fits the request; empty: close without a word.

    Args:
        request: What is answered; None: nothing that could be understood.
        answer: What the farm says.
        version: What HTTP answers tell of the server.
        more: More headers, for HTTP.
    """
    if isinstance(answer, BinaryAnswer):
        if answer.msg_type < FIRST_TYPE_WITH_DATA:
            return _HEADER.pack(VERSION, answer.msg_type, answer.value)
        return _HEADER.pack(VERSION, answer.msg_type, len(answer.body)) + answer.body
    if isinstance(answer, JsonAnswer):
        text = answer.text
        msg_type = request.msg_type if request is not None else MsgType.TJSON
        if msg_type == _JSON_IN_BINARY:
            return _HEADER.pack(VERSION, _JSON_IN_BINARY, len(text)) + text
        if msg_type in _IN_HTTP:
            return json_bytes(text, version, more)
        return _text(text)
    if isinstance(answer, HttpAnswer):
        return http_bytes(answer, version, more)
    return b""
