"""JSON in the layout of the original, one member on a line: command texts of system tasks are compared by it.

Source: sysjob-events 4, 5 and the recorded command texts.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Any

from afanasy_py.msg.json_text import dump_json

#: Members whose values stand on one line, at whatever depth.
_FLAT = frozenset({"address", "cpu_loadavg", "events", "mac", "addresses"})
#: Lists of objects of which each stands on one line.
_FLAT_ITEMS = frozenset({"netifs", "tasks"})
#: Lists of objects that end on a line of their own.
_OPEN = frozenset({"pools"})


def line_json(value: Any, key: str = "") -> str:
    """Return a document as text; it is made for each event, so the frequent cases come first."""
    kind = type(value)
    if kind is str:
        return str(encode_basestring(value))
    if kind is int:
        return str(value)
    if value and kind is dict and key not in _FLAT:
        members = [f"{encode_basestring(name)}:{line_json(item, name)}" for name, item in value.items()]
        return "{\n" + ",\n".join(members) + "\n}"
    if value and kind is list and key not in _FLAT:
        if key in _FLAT_ITEMS or type(value[0]) is not dict:
            items = ",".join([_flat(item) for item in value])
            return f"[\n{items}\n]" if key == "netifs" else f"[{items}\n]"
        end = "\n]" if key in _OPEN else "]"
        return "[\n" + ",\n".join([line_json(item) for item in value]) + end
    return _flat(value)


def _flat(value: Any) -> str:
    return dump_json(value).decode("utf-8", "surrogateescape")
