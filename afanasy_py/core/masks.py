"""Masks of names: "find" words and regular expressions.

A regular expression must match the whole name. Users write them, and the solver asks them again and again, so
none may take long: RE2 matches in time proportional to the name, whatever the expression, and within a bound of
memory. What only Python's engine knows (looking ahead and behind, back references) goes there if it is plainly
harmless, else it counts as invalid. Compiled expressions and outcomes are kept in bounded caches.
Source: spec scheduling 2.3.5.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from afanasy_py.core.table import mask_words

#: Letters of an expression; a longer one is invalid. A list of a thousand host names fits.
PATTERN_MOST = 32_768
#: The same for one with classes of Unicode, which are long to compile.
CLASSES_MOST = 1000
_CLASS = re.compile(r"\\[pP]")
#: Memory of one expression, bytes; the bound for compiling one too: some milliseconds.
MEMORY_MOST = 1 << 20
#: What Python's engine may get: letters of an expression and of a name, repetitions, and groups of alternatives.
TAME_PATTERN_MOST = 500
TAME_NAME_MOST = 256
TAME_LOOPS_MOST = 2
TAME_FORKS_MOST = 3


class Pattern:
    """A compiled expression."""

    __slots__ = ("_compiled", "_most")

    def __init__(self, compiled: Any, most: int | None) -> None:
        self._compiled = compiled
        #: Letters of a name that it may be tried on; None: any.
        self._most = most

    def matches(self, name: str) -> bool:
        """Return whether it matches the whole name; bytes that are no UTF-8 match any letter."""
        if self._most is not None and len(name) > self._most:
            return False
        try:
            return self._compiled.fullmatch(name) is not None
        except UnicodeEncodeError:
            return self._compiled.fullmatch(_plain(name)) is not None


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _longest(pattern: str) -> int:
    return CLASSES_MOST if _CLASS.search(pattern) else PATTERN_MOST


def _options(*, ignore_case: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_MOST
    options.never_capture = True
    options.case_sensitive = not ignore_case
    return options


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Pattern | None:
    """Return a compiled expression, or None when it is not valid, or could take long."""
    if len(pattern) > _longest(pattern):
        return None
    try:
        return Pattern(re2.compile(_plain(pattern), _options(ignore_case=ignore_case)), None)
    except (re2.error, OverflowError, RecursionError):
        pass
    if not is_tame(pattern):
        return None
    try:
        compiled = re.compile(pattern, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    except (re.error, OverflowError, RecursionError):
        return None
    return Pattern(compiled, TAME_NAME_MOST)


def is_tame(pattern: str) -> bool:
    """Return whether an engine that tries all ways has few of them, for any name.

    Few repetitions, none of a group, and few groups of alternatives. It may call a harmless expression wild.
    """
    if len(pattern) > TAME_PATTERN_MOST:
        return False
    loops = forks = 0
    has_bar = [False]
    #: "" at a beginning, ")" after a group, "*" after a repetition, else "x".
    before = ""
    letters = iter(
        re.findall(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?[<=!:#a-zA-Z-]{0,2}|.", pattern, re.DOTALL)
    )
    for letter in letters:
        if letter[0] == "(":
            has_bar.append(False)
            before = ""
        elif letter == ")":
            forks += has_bar.pop() if len(has_bar) > 1 else 0
            before = ")"
        elif letter == "|":
            has_bar[-1] = True
            before = ""
        elif letter in "*+{?":
            if before == ")":
                return False
            loops += before != "*"
            before = "*"
        else:
            before = "x"
    return loops <= TAME_LOOPS_MOST and forks + has_bar[0] <= TAME_FORKS_MOST


def why_invalid(pattern: str) -> str:
    """Return why an expression is not valid."""
    if len(pattern) > _longest(pattern):
        return f"it is longer than {_longest(pattern)} letters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return "it could take too long"


def is_valid(pattern: str) -> bool:
    """Return whether a text is a valid expression."""
    return compile_pattern(pattern) is not None


@lru_cache(maxsize=65_536)
def matches_regex(pattern: str, name: str) -> bool:
    """Return whether the whole name matches; an invalid or empty pattern matches nothing."""
    if not pattern:
        return False
    compiled = compile_pattern(pattern)
    return compiled is not None and compiled.matches(name)


def begins_with(mask: str, name: str) -> bool:
    """Return whether a name begins with one of the words of a mask; an empty mask passes."""
    words = mask_words(mask)
    return not words or name.startswith(words)


def contains(mask: str, text: str) -> bool:
    """Return whether one of the words of a mask occurs in a text; an empty mask passes."""
    words = mask_words(mask)
    return not words or any(word in text for word in words)
