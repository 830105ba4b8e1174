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
#: Characters of context on each side of the place of an error.
_CONTEXT = 50
#: Characters of a root that is no object which its refusal quotes.
_QUOTED = 100

_SPACES = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = re.compile(r"[0-9A-Fa-f]{4}")
_ESCAPES = '"\\/bfnrt'


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


def _big_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_first_wins, parse_constant=_refuse_constant, parse_float=_big_float, strict=True
)


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the object of a request.

    Bytes that are no UTF-8 pass unharmed (surrogate escapes). Of doubled members the first counts. A byte
    order mark at the beginning is skipped.

    Raises:
        JsonError: It is no JSON, or no object, or too deep.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        root = _DECODER.decode(text)
    except (ValueError, RecursionError):
        _explain(text)
    if type(root) is not dict:
        raise JsonError(f"JSON frist 100 characters:\n{text[:_QUOTED]}:\nJSON: Can't find root object.")
    if text.count("{") + text.count("[") > DEPTH_MOST or "\\u" in text:
        # Only such texts can break the rules that the fast reader does not know.
        _Scanner(text).check()
    return root


def _explain(text: str) -> NoReturn:
    """Raise what is wrong with a text that was refused."""
    _Scanner(text).check()
    raise JsonError("Invalid value.")


class _Scanner:
    """Reads a text by the grammar and says what is wrong where; builds nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def check(self) -> None:
        """Raise the first error, if there is any."""
        self._space()
        if self.at == len(self.text):
            self._fail("The document is empty.")
        self._value()
        self._space()
        if self.at < len(self.text):
            self._fail("The document root must not be followed by other values.")

    def _fail(self, reason: str) -> NoReturn:
        text, at = self.text, self.at
        size = len(text)
        lines = f"{reason} (at character {at} of {size}):\n"
        if at < size:
            context = text[max(at - _CONTEXT, 0) : min(at + _CONTEXT, size - 1)]
            context = context.replace("\n", " ").replace("\t", " ")
            lines += " " * _CONTEXT + "!\n" + context
        raise JsonError(lines)

    def _space(self) -> None:
        match = _SPACES.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _value(self) -> None:
        """Read one value; arrays and objects are kept on a stack, not in calls."""
        stack: list[str] = []
        while True:
            letter = self._peek()
            if letter in ("{", "["):
                if len(stack) >= DEPTH_MOST:
                    self._fail(f"More than {DEPTH_MOST} arrays and objects inside of each other.")
                self.at += 1
                self._space()
                closing = "}" if letter == "{" else "]"
                if self._peek() != closing:
                    stack.append(letter)
                    if letter == "{":
                        self._name()
                    continue
                self.at += 1
            else:
                self._plain_value(letter)
            while stack:
                self._space()
                closing = "}" if stack[-1] == "{" else "]"
                letter = self._peek()
                if letter == ",":
                    self.at += 1
                    self._space()
                    if stack[-1] == "{":
                        self._name()
                    break
                if letter != closing:
                    self._fail(
                        "Missing a comma or '}' after an object member."
                        if closing == "}"
                        else "Missing a comma or ']' after an array element."
                    )
                self.at += 1
                stack.pop()
            else:
                return

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
        begin = self.at
        while self._peek().isascii() and self._peek().isdigit():
            self.at += 1
        return self.at > begin

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
