"""Heads of HTTP requests, strictly read, and the answers to them. Pure: bytes in, values out.

Source: wire-protocol 1.5, 1.6; http-auth 1.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from afanasy_py.errors import ProtocolError

HEAD_MOST = 16384
HEADERS_MOST = 100

_METHOD = re.compile(rb"[A-Z]{1,16}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

REASONS = {
    200: "OK",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}

#: Content types whose answers browsers may keep for an hour.
CACHED = ("text/css", "text/javascript", "image/")


@dataclass(frozen=True, slots=True)
class HttpHead:
    """The request line and the headers."""

    method: str
    #: As it was sent: not decoded, with its query.
    target: str
    #: {name in lower case: value}; of doubled ones the first.
    headers: dict[str, str]

    def path(self) -> str:
        """Return the target without its query and fragment."""
        return self.target.partition("?")[0].partition("#")[0]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer that only exists in HTTP: a file, or a refusal."""

    status: int
    content_type: str = "text/plain; charset=UTF-8"
    body: bytes = b""
    #: More headers.
    more: tuple[tuple[str, str], ...] = ()
    #: False for HEAD: the length is told, the body stays away.
    with_body: bool = True


class HttpError(ProtocolError):
    """A request that is answered with an HTTP status and then closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = HttpAnswer(status, body=f"{REASONS[status]}: {text}\n".encode())


def parse_head(data: bytes) -> HttpHead:
    """Return the head of a request: all bytes before the blank line.

    Raises:
        HttpError: It is not proper HTTP.
    """
    lines = data.split(b"\r\n")
    if len(lines) > HEADERS_MOST + 1:
        raise HttpError(431, f"more than {HEADERS_MOST} headers")
    words = lines[0].split(b" ")
    if len(words) not in (2, 3) or not _METHOD.fullmatch(words[0]) or not words[1]:
        raise HttpError(400, "the request line is broken")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise HttpError(400, "a header line is broken")
        key = name.decode("ascii").lower()
        text = value.strip(b" \t").decode("latin-1")
        if key in headers and key in ("content-length", "host", "afanasy"):
            if headers[key] != text:
                raise HttpError(400, f"header {key} is there twice")
        headers.setdefault(key, text)
    return HttpHead(words[0].decode("ascii"), words[1].decode("latin-1"), headers)


def body_size(head: HttpHead, most: int) -> int:
    """Return the size of a posted body: `Content-Length`, else the number after `AFANASY:`.

    Raises:
        HttpError: There is no such number, or it is too big.
    """
    if "transfer-encoding" in head.headers:
        raise HttpError(411, "a body in chunks is not read, send its Content-Length")
    mark = head.headers.get("afanasy")
    if mark is None:
        raise HttpError(400, "the header AFANASY is missing")
    text = head.headers.get("content-length", mark)
    if not text.isascii() or not text.isdigit():
        raise HttpError(400 if text else 411, "the size of the body is no number")
    size = int(text)
    if size > most:
        raise HttpError(413, f"a body of {size} bytes, {most} are allowed")
    return size


def host_is_allowed(head: HttpHead, names: frozenset[str]) -> bool:
    """Return whether the `Host` of a request names this server: an address, localhost, or one of `names`.

    A page of the web can make a browser call a server under a name of its own (DNS rebinding), but not under
    a literal address. Programs that send no `Host` are no browsers.
    """
    host = head.headers.get("host")
    if host is None:
        return True
    return _is_ours(host, names)


def _is_ours(host: str, names: frozenset[str]) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    name = name.strip("[]").lower().rstrip(".")
    if name == "localhost" or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_is_allowed(head: HttpHead, names: frozenset[str]) -> bool:
    """Return whether a browser's page that sends the request may do so: it came from the same host.

    Requests without `Origin` come from programs, or from pages that only read.
    """
    origin = head.headers.get("origin")
    if origin is None:
        return True
    scheme, mark, place = origin.partition("://")
    if not mark or scheme not in ("http", "https"):
        return False
    host = head.headers.get("host", "")
    return place.lower() == host.lower() or place.lower() in names or origin.lower() in names


def http_bytes(answer: HttpAnswer, version: str) -> bytes:
    """Return an answer as it goes out."""
    age = 3600 if answer.status == 200 and answer.content_type.startswith(CACHED) else 0
    lines = [
        f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Unknown')}",
        "Connection: close",
        f"Content-Length: {len(answer.body)}",
        f"Content-Type: {answer.content_type}",
        f"Cache-Control: max-age={age}",
        f"Server: afanasy/{version}",
        "X-Content-Type-Options: nosniff",
        *(f"{name}: {value}" for name, value in answer.more),
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head + answer.body if answer.with_body else head


def json_bytes(text: bytes, version: str) -> bytes:
    """Return a JSON document as an HTTP answer."""
    return (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\nContent-Type: application/json\r\n"
        b"Cache-Control: max-age=0\r\nServer: afanasy/%b\r\n\r\n%b" % (len(text), version.encode(), text)
    )
