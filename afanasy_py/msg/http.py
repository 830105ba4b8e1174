"""Heads of HTTP requests, strictly read, and the answers to them. Pure: bytes in, values out.

Who may ask is decided here too, from the head alone: the checks stop pages of other sites that make a browser
of the studio speak to the server. Source: wire-protocol 1.5, 1.6; http-auth 1.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from afanasy_py.errors import ProtocolError

#: Bytes and lines of a head; browsers and the clients of the farm stay far below.
HEAD_MOST = 16384
HEADERS_MOST = 100

#: Methods that are answered, for `Allow`.
ALLOWED_METHODS = "GET, HEAD, POST, OPTIONS"

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]+) HTTP/(\d)\.\d")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t -~\x80-\xff]*)")
#: Two of these in one head would let two readers of it disagree.
_SINGLE = frozenset({"host", "origin", "content-length", "transfer-encoding", "afanasy"})

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]*)?")
#: A name without a dot is one of the studio's own network: nobody can register it. Countries may give theirs,
#: of two letters, an address; a dot at the end would ask for such a name.
_LOCAL_NAME = re.compile(r"[0-9a-z_](?:[0-9a-z_-]{1,61}[0-9a-z_])")

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
    505: "HTTP Version Not Supported",
}
#: Answers that never have a body, nor a length of one.
_BARE = frozenset({204, 304})

#: Content types whose answers browsers may keep for an hour.
CACHED = ("text/css", "text/javascript", "image/")
CACHE_SECONDS = 3600

#: More headers of an answer: names and values.
Headers = tuple[tuple[str, str], ...]


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
    more: Headers = ()
    #: False for HEAD: the length is told, the body stays away.
    with_body: bool = True


class HttpError(ProtocolError):
    """A request that is answered with an HTTP status and then closed."""

    def __init__(self, status: int, text: str, more: Headers = ()) -> None:
        super().__init__(text)
        self.answer = HttpAnswer(
            status, body=f"{REASONS[status]}: {text}\n".encode(errors="replace"), more=more
        )


def parse_head(data: bytes) -> HttpHead:
    """Return the head of a request: all bytes before the blank line.

    Raises:
        HttpError: It is not proper HTTP.
    """
    lines = data.split(b"\r\n")
    if len(lines) > HEADERS_MOST + 1:
        raise HttpError(431, f"more than {HEADERS_MOST} headers")
    first = _REQUEST_LINE.fullmatch(lines[0])
    if first is None:
        raise HttpError(400, "the request line is broken")
    if first[3] != b"1":
        raise HttpError(505, "only HTTP/1.0 and HTTP/1.1 are spoken")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        match = _HEADER_LINE.fullmatch(line)
        if match is None:
            raise HttpError(400, "a header line is broken")
        name = match[1].decode("ascii").lower()
        if name in headers and name in _SINGLE:
            raise HttpError(400, f"the header {name} is there twice")
        headers.setdefault(name, match[2].rstrip(b" \t").decode("latin-1"))
    return HttpHead(first[1].decode("ascii"), first[2].decode("ascii"), headers)


def body_size(head: HttpHead, most: int) -> int:
    """Return the size of a posted body: `Content-Length`, else the number after `AFANASY:`.

    The header `AFANASY` must be there in any case: a page of another site cannot send it without asking
    the server first.

    Raises:
        HttpError: There is no size, or it is too big.
    """
    headers = head.headers
    if "transfer-encoding" in headers:
        raise HttpError(411, "a body in chunks is not read, send its Content-Length")
    mark = headers.get("afanasy")
    if mark is None:
        raise HttpError(400, "the header AFANASY is missing")
    size = _number(mark, most)
    # The web GUI counts letters of JavaScript in AFANASY, so Content-Length, which counts bytes, wins.
    if "content-length" in headers:
        size = _number(headers["content-length"], most)
    if size == 0:
        raise HttpError(400, "the body is empty")
    if size > most:
        raise HttpError(413, f"a body of {size} bytes, {most} are allowed")
    return size


def _number(text: str, most: int) -> int:
    """Return a size; any number of more than 18 digits is just too big."""
    if not text.isascii() or not text.isdigit():
        raise HttpError(400, "the size of the body is no number")
    return int(text) if len(text) <= 18 else most + 1


def listed_origin(head: HttpHead, listed: AbstractSet[str]) -> str | None:
    """Return the `Origin` of a request when it is one that the settings list; such pages may read answers.

    Args:
        head: What came.
        listed: `af_http_origins`, in lower case: `https://host:port`, or `host:port` for both schemes.
    """
    origin = head.headers.get("origin")
    if origin is None:
        return None
    lower = origin.lower()
    return origin if lower in listed or lower.partition("://")[2] in listed else None


def check_site(
    head: HttpHead,
    names: AbstractSet[str],
    origins: AbstractSet[str] = frozenset(),
    *,
    secure: bool = False,
) -> None:
    """Refuse what a page of another site makes a browser send.

    `Host` must name this server: an address, a name without a dot, or one of its names. A page can make its own
    name point to the server (DNS rebinding), but an address or a name without a dot is never its own. `Origin` must be the same host and
    port, or listed. Requests without these headers come from programs, or from pages that only read.

    Args:
        head: What came.
        names: Names of this server, in lower case, with a port or without.
        origins: `af_http_origins`, in lower case.
        secure: It came by TLS, so a page of the server itself did too.

    Raises:
        HttpError: 403.
    """
    host = head.headers.get("host", "").lower()
    if host and not _names_this_server(host, names):
        raise HttpError(403, f"{host[:60]} is no name of this server (setting af_http_hosts)")
    origin = head.headers.get("origin")
    if origin is None or listed_origin(head, origins):
        return
    scheme, mark, place = origin.lower().partition("://")
    schemes = ("https",) if secure else ("http", "https")
    if not mark or scheme not in schemes or not host or place != host:
        raise HttpError(403, f"a page of {origin[:60]} may not ask (setting af_http_origins)")


def _names_this_server(host: str, names: AbstractSet[str]) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if _LOCAL_NAME.fullmatch(match[1]):
        return True
    name = match[1].strip("[]").rstrip(".")
    if name == "localhost" or name in names or host in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def site_headers(origin: str) -> Headers:
    """Return what lets a page of a listed origin ask and read."""
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "GET, HEAD, POST"),
        ("Access-Control-Allow-Headers", "AFANASY, Content-Type"),
        ("Vary", "Origin"),
    )


def http_bytes(answer: HttpAnswer, version: str, more: Headers = ()) -> bytes:
    """Return an answer as it goes out."""
    kept = answer.status in (200, 304) and answer.content_type.startswith(CACHED)
    sizes = [] if answer.status in _BARE else [f"Content-Length: {len(answer.body)}"]
    caching = [f"Cache-Control: max-age={CACHE_SECONDS if kept else 0}"]
    if any(name == "Cache-Control" for name, _ in answer.more):
        caching = []
    lines = [
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}",
        "Connection: close",
        *sizes,
        f"Content-Type: {answer.content_type}",
        *caching,
        f"Server: afanasy/{version}",
        "X-Content-Type-Options: nosniff",
        *(f"{name}: {value}" for name, value in (*answer.more, *more)),
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head + answer.body if answer.with_body and answer.status not in _BARE else head


def json_bytes(text: bytes, version: str, more: Headers = ()) -> bytes:
    """Return a JSON document as an HTTP answer; errors too are 200, the error is in the document."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in more)
    return b"".join(
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n" % len(text),
            b"Content-Type: application/json\r\nCache-Control: max-age=0\r\n",
            f"Server: afanasy/{version}\r\n{extra}\r\n".encode("latin-1", "replace"),
            text,
        )
    )
