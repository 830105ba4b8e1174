"""Masks of names: "find" words and regular expressions.

A regular expression must match the whole name. Compiled patterns are kept in a bounded cache.
Source: spec scheduling 2.3.5.
"""

from __future__ import annotations

import re
from functools import lru_cache

from afanasy_py.core.table import mask_words


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str] | None:
    """Return a compiled expression, or None when it is not valid."""
    try:
        return re.compile(pattern, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    except (re.error, OverflowError, RecursionError):
        return None


def is_valid(pattern: str) -> bool:
    """Return whether a text is a valid expression."""
    return compile_pattern(pattern) is not None


def matches_regex(pattern: str, name: str) -> bool:
    """Return whether the whole name matches; an invalid or empty pattern matches nothing."""
    if not pattern:
        return False
    compiled = compile_pattern(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


def begins_with(mask: str, name: str) -> bool:
    """Return whether a name begins with one of the words of a mask; an empty mask passes."""
    words = mask_words(mask)
    return not words or name.startswith(words)


def contains(mask: str, text: str) -> bool:
    """Return whether one of the words of a mask occurs in a text; an empty mask passes."""
    words = mask_words(mask)
    return not words or any(word in text for word in words)
