"""JSON text of requests and answers, by the rules of the original's parser.

Requests are read by the standard library's scanner. Only a text that it refuses is read again, slowly, to
say what is wrong and where in the words that clients know. Source: json-api 2; wire-protocol 1.8.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import ujson

from afanasy_py.errors import ProtocolError

#: Arrays and objects inside of each other.
DEPTH_MOST = 256
#: Commas and opening brackets of one text. Without this bound a text of the greatest size could hold so many
#: tiny values that reading it stops the farm for seconds; a job of 100,000 named tasks has 500,000.
PARTS_MOST = 6_000_000
#: Bytes of context on each side of the place of an error.
_CONTEXT = 50
#: Bytes of a root that is no object which its refusal quotes.
_QUOTED = 100
#: Values and escapes that the slow reader looks at; an error behind them is told less exactly, so that a huge
#: broken text cannot keep the server busy.
_READ_MOST = 50_000

_SPACES = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")
_DIGITS = re.compile(r"[0-9]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = frozenset('"\\/bfnrt')

#: The escapes of a whole surrogate pair (10 letters), or else half of one.
_SURROGATE = re.compile(r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|[89a-fA-F])")
_PAIR_SIZE = 10

_TOO_DEEP = f"More than {DEPTH_MOST} arrays and objects inside of each other."
_NO_COMMA = {
    "}": "Missing a comma or '}' after an object member.",
    "]": "Missing a comma or ']' after an array element.",
}
#: {what the fast reader says: what clients know}
_REASONS = {
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or a closing bracket.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Extra data": "The document root must not be followed by other values.",
}


class JsonError(ProtocolError):
    """A text is no request; the message is the answer."""


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        found = {}
        for key, value in pairs:
            found.setdefault(key, value)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_constant=_refuse_constant, parse_float=_finite_float, strict=True
)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the object of a request.

    Of doubled members the first counts. Bytes that are no UTF-8 pass unharmed (surrogate escapes). A byte
    order mark at the beginning is skipped, and a NUL ends the text.

    Raises:
        JsonError: It is no JSON, or no object, or too deep.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    read = body.partition(b"\0")[0] if b"\0" in body else body
    if len(read) > PARTS_MOST and sum(map(read.count, (b",", b"[", b"{"))) > PARTS_MOST:
        raise JsonError(f"More than {PARTS_MOST} values. (in {len(body)} bytes)")
    text = read.decode("utf-8", "surrogateescape")
    try:
        root = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        reason = _REASONS.get(error.msg, "Invalid value.")
        _explain(read, body, reason, _bytes_before(text, error.pos))
    except RecursionError:
        _explain(read, body, _TOO_DEEP)
    except ValueError:
        _explain(read, body, "Invalid value.")
    if type(root) is not dict:
        quoted = body[:_QUOTED].decode("utf-8", "surrogateescape")
        raise JsonError(f"JSON frist 100 characters:\n{quoted}:\nJSON: Can't find root object.")
    if read.count(b"{") + read.count(b"[") > DEPTH_MOST and _is_too_deep(root):
        _explain(read, body, _TOO_DEEP)
    if "\\u" in text:
        _check_pairs(text, body)
    return root


def _is_too_deep(root: dict[str, Any]) -> bool:
    level: list[Any] = [root]
    for _ in range(DEPTH_MOST):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _check_pairs(text: str, body: bytes) -> None:
    """Refuse an escape that is half of a surrogate pair; the text is sound otherwise."""
    # Without escaped backslashes each `\\u` that is left is an escape.
    for match in _SURROGATE.finditer(text.replace("\\\\", "  ")):
        if match.end() - match.start() != _PAIR_SIZE:
            raise _error("The surrogate pair in string is invalid.", _bytes_before(text, match.start()), body)


def _bytes_before(text: str, at: int) -> int:
    return len(text[:at].encode("utf-8", "surrogateescape"))


def _explain(read: bytes, body: bytes, reason: str, at: int | None = None) -> NoReturn:
    """Raise what is wrong with a text that was refused.

    Args:
        read: The text.
        body: The same, and what came after it.
        reason: What to say when the slow reader finds nothing.
        at: Where that is, bytes.
    """
    scanner = _Scanner(read.decode("latin-1"))
    try:
        scanner.check()
    except _FoundError as found:
        reason, at = str(found), scanner.at
    except _TooFarError:
        pass  # what the fast reader said must do
    if at is None:
        raise JsonError(f"{reason} (in {len(body)} bytes)")
    raise _error(reason, at, body)


def _error(reason: str, at: int, body: bytes) -> JsonError:
    """Return a refusal that shows the place, in bytes."""
    size = len(body)
    lines = f"{reason} (at character {at} of {size}):\n"
    if at < size:
        context = body[max(at - _CONTEXT, 0) : min(at + _CONTEXT, size - 1)]
        context = context.replace(b"\n", b" ").replace(b"\t", b" ")
        lines += " " * _CONTEXT + "!\n" + context.decode("utf-8", "surrogateescape")
    return JsonError(lines)


class _FoundError(Exception):
    """What is wrong, at the place where the scanner stands."""


class _TooFarError(Exception):
    """The scanner has looked at enough."""


class _Scanner:
    """Reads a text by the grammar and says what is wrong where; builds nothing."""

    def __init__(self, text: str) -> None:
        #: One letter for each byte, so that places are counted in bytes.
        self.text = text
        self.at = 0
        self._left = _READ_MOST

    def check(self) -> None:
        """Find the first error.

        Raises:
            _FoundError: What is wrong at `at`.
            _TooFarError: Nothing was wrong so far.
        """
        self._space()
        if self.at == len(self.text):
            self._fail("The document is empty.")
        self._value()
        self._space()
        if self.at < len(self.text):
            self._fail("The document root must not be followed by other values.")

    def _fail(self, reason: str) -> NoReturn:
        raise _FoundError(reason)

    def _space(self) -> None:
        match = _SPACES.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooFarError

    def _value(self) -> None:
        """Read one value; what is open is kept on a stack of closing brackets, not in calls."""
        stack: list[str] = []
        while True:
            self._count()
            letter = self._peek()
            if letter in ("{", "["):
                if len(stack) >= DEPTH_MOST:
                    self._fail(_TOO_DEEP)
                self.at += 1
                self._space()
                closing = "}" if letter == "{" else "]"
                if self._peek() != closing:
                    stack.append(closing)
                    if letter == "{":
                        self._name()
                    continue
                self.at += 1
            else:
                self._plain_value(letter)
            if self._close(stack):
                return

    def _close(self, stack: list[str]) -> bool:
        """Go on after a value, to the next one; return True when nothing is open any more."""
        while stack:
            self._space()
            letter = self._peek()
            if letter == ",":
                self.at += 1
                self._space()
                if stack[-1] == "}":
                    self._name()
                return False
            if letter != stack[-1]:
                self._fail(_NO_COMMA[stack[-1]])
            self.at += 1
            stack.pop()
        return True

    def _name(self) -> None:
        if self._peek() != '"':
            self._fail("Missing a name for object member.")
        self._string()
        self._space()
        if self._peek() != ":":
            self._fail("Missing a colon after a name of object member.")
        self.at += 1
        self._space()

    def _plain_value(self, letter: str) -> None:
        if letter == '"':
            self._string()
            return
        for word in ("true", "false", "null"):
            if letter == word[0]:
                for offset, expected in enumerate(word):
                    if self.text[self.at + offset : self.at + offset + 1] != expected:
                        self.at += offset
                        self._fail("Invalid value.")
                self.at += len(word)
                return
        self._number()

    def _number(self) -> None:
        begin = self.at
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.at += self._peek() == "-"
            self._fail("Invalid value.")
        self.at = match.end()
        if self._peek() == ".":
            self.at += 1
            if not self._digits():
                self._fail("Miss fraction part in number.")
        if self._peek() in ("e", "E"):
            self.at += 1
            if self._peek() in ("+", "-"):
                self.at += 1
            if not self._digits():
                self._fail("Miss exponent in number.")
        text = self.text[begin : self.at]
        try:
            huge = float(text) in (float("inf"), float("-inf"))
        except (ValueError, OverflowError):
            huge = True
        if huge:
            self.at = begin
            self._fail("Number too big to be stored in double.")

    def _digits(self) -> bool:
        match = _DIGITS.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match is not None

    def _string(self) -> None:
        self.at += 1
        while True:
            match = _PLAIN.match(self.text, self.at)
            assert match is not None
            self.at = match.end()
            letter = self._peek()
            if letter == '"':
                self.at += 1
                return
            if not letter:
                self._fail("Missing a closing quotation mark in string.")
            if letter != "\\":
                self._fail("Invalid encoding in string.")
            self._count()
            self._escape()

    def _escape(self) -> None:
        begin = self.at
        letter = self.text[self.at + 1 : self.at + 2]
        if letter == "u":
            code = self._code(begin)
            if 0xD800 <= code <= 0xDBFF:
                low = self._code(begin) if self.text[self.at : self.at + 2] == "\\u" else 0
                if not 0xDC00 <= low <= 0xDFFF:
                    self.at = begin
                    self._fail("The surrogate pair in string is invalid.")
            elif 0xDC00 <= code <= 0xDFFF:
                self.at = begin
                self._fail("The surrogate pair in string is invalid.")
        elif letter and letter in _ESCAPES:
            self.at += 2
        else:
            self._fail("Invalid escape character in string.")

    def _code(self, begin: int) -> int:
        match = _HEX.match(self.text, self.at + 2)
        if match is None:
            self.at = begin
            self._fail("Incorrect hex digit after \\u escape in string.")
        self.at = match.end()
        return int(match.group(), 16)


def dump_json(document: Any) -> bytes:
    """Return a document as JSON text in UTF-8; strings that came as broken UTF-8 go out as they came."""
    try:
        text = ujson.dumps(document, ensure_ascii=False, escape_forward_slashes=False)
    except (UnicodeEncodeError, OverflowError):
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A lone surrogate that never was a byte: there is no right way to write it.
        return text.encode("utf-8", "replace")
