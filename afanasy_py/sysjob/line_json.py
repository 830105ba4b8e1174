"""JSON in the layout of the original, one member on a line: command texts of system tasks are compared by it.

Source: sysjob-events 4, 5 and the recorded command texts.
"""

from __future__ import annotations

from typing import Any

from afanasy_py.msg.json_text import dump_json

#: Members whose values stand on one line, at whatever depth.
_FLAT = frozenset({"address", "cpu_loadavg", "events", "mac", "addresses"})
#: Lists of objects of which each stands on one line.
_FLAT_ITEMS = frozenset({"netifs", "tasks"})


def line_json(value: Any, key: str = "") -> str:
    """Return a document as text."""
    if isinstance(value, dict) and value and key not in _FLAT:
        members = ",\n".join(f"{_flat(name)}:{line_json(item, name)}" for name, item in value.items())
        return f"{{\n{members}\n}}"
    if isinstance(value, list) and value and key not in _FLAT:
        if key in _FLAT_ITEMS or not isinstance(value[0], dict):
            items = ",".join(_flat(item) for item in value)
            return f"[\n{items}\n]" if key == "netifs" else f"[{items}\n]"
        return "[\n" + ",\n".join(line_json(item) for item in value) + "]"
    return _flat(value)


def _flat(value: Any) -> str:
    return dump_json(value).decode("utf-8", "surrogateescape")
