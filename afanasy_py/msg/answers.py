"""What the server says back, before it is framed for the way the request came.

The farm makes these values; `msg.framing` writes them as text, HTTP or binary messages.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """A JSON document, already encoded: UTF-8 bytes without any header."""

    text: bytes


@dataclass(frozen=True, slots=True)
class BinaryAnswer:
    """A binary message. Types below 21 carry `value` in the header, the others `body` after it."""

    msg_type: int
    body: bytes = b""
    value: int = 0


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The connection is closed without a word."""


Answer = JsonAnswer | BinaryAnswer | NoAnswer
