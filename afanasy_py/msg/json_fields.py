"""Typed reading of JSON objects that clients send: a value of a wrong type counts as absent.

Source: spec json-api 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from afanasy_py.msg.source import wrapped

Json = Mapping[str, Any]

INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)


def _get_int(obj: Json, key: str, bounds: range) -> int | None:
    value = obj.get(key)
    # bool is an int to Python but not to JSON.
    return value if type(value) is int and value in bounds else None


@overload
def get_int32(obj: Json, key: str) -> int | None: ...
@overload
def get_int32(obj: Json, key: str, default: int) -> int: ...
def get_int32(obj: Json, key: str, default: int | None = None) -> int | None:
    """Return an integer of 32 bits, or the default: bigger ones, floats and bools are none."""
    value = _get_int(obj, key, INT32)
    return default if value is None else value


@overload
def get_int64(obj: Json, key: str) -> int | None: ...
@overload
def get_int64(obj: Json, key: str, default: int) -> int: ...
def get_int64(obj: Json, key: str, default: int | None = None) -> int | None:
    """Return an integer of 64 bits, or the default."""
    value = _get_int(obj, key, INT64)
    return default if value is None else value


def get_wrapped(obj: Json, key: str, fmt: str) -> int | None:
    """Return an integer of 32 bits cut to a smaller one, or None.

    COMPAT(wrapped-numbers): 300 in 8 bits becomes 44, as in the original.

    Args:
        obj: Where to look.
        key: Name of the member.
        fmt: Format of `struct`: b, B, h or H.
    """
    value = _get_int(obj, key, INT32)
    return None if value is None else wrapped(value, fmt)


@overload
def get_bool(obj: Json, key: str) -> bool | None: ...
@overload
def get_bool(obj: Json, key: str, default: bool) -> bool: ...
def get_bool(obj: Json, key: str, default: bool | None = None) -> bool | None:
    """Return a bool, or the default."""
    value = obj.get(key)
    return value if type(value) is bool else default


@overload
def get_str(obj: Json, key: str) -> str | None: ...
@overload
def get_str(obj: Json, key: str, default: str) -> str: ...
def get_str(obj: Json, key: str, default: str | None = None) -> str | None:
    """Return a text, or the default."""
    value = obj.get(key)
    return value if type(value) is str else default


def get_object(obj: Json, key: str) -> dict[str, Any] | None:
    """Return an object, or None."""
    value = obj.get(key)
    return value if type(value) is dict else None


def get_list(obj: Json, key: str) -> list[Any] | None:
    """Return a list with whatever is in it, or None."""
    value = obj.get(key)
    return value if type(value) is list else None


def get_int_list(obj: Json, key: str) -> list[int] | None:
    """Return the integers of 32 bits of a list, without its other items; None: there is no list."""
    value = obj.get(key)
    if type(value) is not list:
        return None
    return [item for item in value if type(item) is int and item in INT32]


def get_int64_list(obj: Json, key: str) -> list[int] | None:
    """Return the integers of 64 bits of a list, without its other items; None: there is no list."""
    value = obj.get(key)
    if type(value) is not list:
        return None
    return [item for item in value if type(item) is int and item in INT64]


def get_str_list(obj: Json, key: str) -> list[str] | None:
    """Return the texts of a list, without its other items; None: there is no list."""
    value = obj.get(key)
    return [item for item in value if type(item) is str] if type(value) is list else None


def merge_str_map(obj: Json, key: str, into: dict[str, str]) -> dict[str, str] | None:
    """Add the texts of an object to a map; an empty or other value erases its key.

    Returns:
        What was named, an erased key with an empty text; None: there is no object and nothing changed.
    """
    members = obj.get(key)
    if type(members) is not dict:
        return None
    named = {name: value if type(value) is str else "" for name, value in members.items()}
    for name, value in named.items():
        if value:
            into[name] = value
        else:
            into.pop(name, None)
    return named


def get_leading_ints(obj: Json, key: str) -> dict[str, int] | None:
    """Return the integers of an object up to the first other value (`tickets`); None: no object."""
    members = obj.get(key)
    if type(members) is not dict:
        return None
    leading = {}
    for name, value in members.items():
        if type(value) is not int or value not in INT32:
            break
        leading[name] = value
    return leading


def get_all_ints(obj: Json, key: str) -> dict[str, int] | None:
    """Return an object of integers (`pools`); None: there is none or some value is no integer."""
    members = obj.get(key)
    if type(members) is not dict:
        return None
    if any(type(value) is not int or value not in INT32 for value in members.values()):
        return None
    return dict(members)
