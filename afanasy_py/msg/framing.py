"""Requests out of bytes that arrive in any pieces, and answers into bytes.

A connection brings one request in one of four forms, told apart by its first bytes. What follows a whole
request is ignored. Source: wire-protocol 1.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.http import (
    HEAD_MOST,
    HttpAnswer,
    HttpError,
    HttpHead,
    body_size,
    http_bytes,
    json_bytes,
    parse_head,
)
from afanasy_py.msg.types import HEADER_SIZE, MAX_DATA, VERSION, MsgType

_HEADER = struct.Struct(">iii")
_FIRST_WITH_DATA = MsgType.TDATA

#: `AFANASY <size>` of the text form; the word in any case, spaces before the number as one likes.
_TEXT_HEAD = re.compile(rb"afanasy *(-?\d+)", re.IGNORECASE)
#: Bytes in which the text form's `JSON` and first brace must come.
_TEXT_HEAD_MOST = 1024

#: Methods that begin an HTTP request; anything else that is not text is a binary header.
_HTTP_BEGINNINGS = (b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"PUT ", b"DELETE ", b"PATCH ", b"TRACE ")


class Form(Enum):
    """How a request came; the answer goes back in the same way."""

    TEXT = "text"
    BINARY = "binary"
    POST = "post"
    GET = "get"


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request."""

    form: Form
    #: A number of `MsgType`; clients may send others too.
    msg_type: int
    #: What the header of a type without data carries.
    value: int = 0
    body: bytes = b""
    #: The head, when it came by HTTP.
    head: HttpHead | None = None


class BrokenRequest(ProtocolError):
    """A request that cannot be understood; `answer` is sent before the connection is closed, None: nothing."""

    def __init__(self, text: str, answer: bytes | None = None) -> None:
        super().__init__(text)
        self.answer = answer


class Framer:
    """Collects the bytes of one request."""

    __slots__ = ("_buffer", "_need", "_want")

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: Bytes that must be there before it is worth looking again.
        self._need = HEADER_SIZE
        #: (form, type, where the body begins, head) once the head is read.
        self._want: tuple[Form, int, int, HttpHead | None] | None = None

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Request | None:
        """Take bytes in; return the request once it is whole.

        Raises:
            BrokenRequest: It never will be.
            HttpError: The same for HTTP, with a status.
        """
        if not self._buffer:
            # The common case: a whole binary message in one piece.
            size = len(data)
            if size >= HEADER_SIZE:
                version, msg_type, value = _HEADER.unpack_from(data)
                if version == VERSION:
                    if _FIRST_WITH_DATA <= msg_type < MsgType.TLAST and 0 < value <= size - HEADER_SIZE:
                        return Request(Form.BINARY, msg_type, 0, data[HEADER_SIZE : HEADER_SIZE + value])
        self._buffer += data
        if len(self._buffer) < self._need:
            return None
        if self._want is None:
            request = self._read_head()
            if request is not None or self._want is None:
                return request
        form, msg_type, begin, head = self._want
        if len(self._buffer) < self._need:
            return None
        return Request(form, msg_type, 0, bytes(self._buffer[begin : self._need]), head)

    def _read_head(self) -> Request | None:
        beginning = bytes(self._buffer[:10])
        if beginning[:7].lower() == b"afanasy":
            return self._read_text()
        if beginning.startswith(_HTTP_BEGINNINGS) or beginning.startswith(b"GET"):
            return self._read_http()
        return self._read_binary()

    def _read_binary(self) -> Request | None:
        version, msg_type, value = _HEADER.unpack_from(self._buffer)
        if version != VERSION:
            return Request(Form.BINARY, MsgType.TVersionMismatch, 1)
        if msg_type < _FIRST_WITH_DATA:
            return Request(Form.BINARY, msg_type, value)
        if msg_type >= MsgType.TLAST or value <= 0 or value > MAX_DATA:
            if msg_type == MsgType.TJSONBIN and value < 0:
                text = b'{"info":{"kind":"error","text":"Invalid buffer size"}}'
                raise BrokenRequest("negative size", _HEADER.pack(VERSION, msg_type, len(text)) + text)
            return Request(Form.BINARY, MsgType.TInvalid)
        self._want = (Form.BINARY, msg_type, HEADER_SIZE, None)
        self._need = HEADER_SIZE + value
        return None

    def _read_text(self) -> Request | None:
        head = bytes(self._buffer[:_TEXT_HEAD_MOST])
        match = _TEXT_HEAD.match(head)
        if match is None:
            return Request(Form.BINARY, MsgType.TVersionMismatch, 1)
        mark = head.find(b"JSON", match.end())
        brace = head.find(b"{", mark) if mark >= 0 else -1
        if brace < 0:
            if len(head) >= _TEXT_HEAD_MOST:
                raise BrokenRequest("no JSON in a text request")
            self._need = len(self._buffer) + 1
            return None
        size = int(match.group(1)) if len(match.group(1)) < 20 else MAX_DATA + 1
        if size < 0:
            raise BrokenRequest("negative size", _text(b'{"info":{"kind":"error","text":"Invalid buffer size"}}'))
        if size == 0 or size > MAX_DATA:
            return Request(Form.TEXT, MsgType.TInvalid)
        self._want = (Form.TEXT, MsgType.TJSON, brace, None)
        self._need = brace + size
        return None

    def _read_http(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_MOST + 4)
        if end < 0:
            if len(self._buffer) > HEAD_MOST:
                raise HttpError(431, f"the head is longer than {HEAD_MOST} bytes")
            self._need = len(self._buffer) + 1
            return None
        head = parse_head(bytes(self._buffer[:end]))
        if head.method in ("GET", "HEAD", "OPTIONS"):
            return Request(Form.GET, MsgType.THTTPGET, head=head)
        if head.method != "POST":
            raise HttpError(405, f"method {head.method}")
        size = body_size(head, MAX_DATA)
        begin = end + 4
        if len(self._buffer) > begin and self._buffer[begin : begin + 1] != b"{":
            raise BrokenRequest("the body does not begin with a brace")
        if size == 0:
            raise HttpError(400, "the body is empty")
        self._want = (Form.POST, MsgType.THTTP, begin, head)
        self._need = begin + size
        return None


def _text(text: bytes) -> bytes:
    return b"AFANASY %d JSON%b" % (len(text), text)


def frame_answer(request: Request | None, answer: Answer | HttpAnswer, version: str) -> bytes:
    """Return an answer as it goes out, in the form that fits the request; empty: close without a word.

    Args:
        request: What is answered; None: nothing that could be understood.
        answer: What the farm says.
        version: What HTTP answers tell of the server.
    """
    if isinstance(answer, BinaryAnswer):
        if answer.msg_type < _FIRST_WITH_DATA:
            return _HEADER.pack(VERSION, answer.msg_type, answer.value)
        return _HEADER.pack(VERSION, answer.msg_type, len(answer.body)) + answer.body
    if isinstance(answer, JsonAnswer):
        text = answer.text
        msg_type = request.msg_type if request is not None else MsgType.TJSON
        if msg_type == MsgType.TJSONBIN:
            return _HEADER.pack(VERSION, MsgType.TJSONBIN, len(text)) + text
        if msg_type in (MsgType.THTTP, MsgType.THTTPGET):
            return json_bytes(text, version)
        return _text(text)
    if isinstance(answer, HttpAnswer):
        return http_bytes(answer, version)
    return b""
