"""Custom data of several nodes merged into one, and which events it wants to hear of.

The rules are those of the events service, which merges again for itself. Source: sysjob-events 4.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol


class Told(Protocol):
    """What has custom data: a node of any kind."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def custom_data(self) -> str:
        """JSON of an object, or empty."""


def merge(nodes: Iterable[Told]) -> tuple[dict[str, Any], list[str]]:
    """Return the merged custom data of nodes, and a complaint for each that has none that can be read.

    Objects are merged, lists appended, other values replaced by those of later nodes. Keys that are empty or
    begin with `-` are left out.
    """
    merged: dict[str, Any] = {}
    complaints = []
    for node in nodes:
        if not node.custom_data:
            continue
        try:
            document = json.loads(node.custom_data)
            if type(document) is not dict:
                raise ValueError("it is not an object")
            _add(merged, document)
        except (ValueError, RecursionError) as error:
            complaints.append(f'Custom data of "{node.name}" cannot be read: {error}')
    return merged, complaints


def _add(merged: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if not key or key[0] == "-":
            continue
        old = merged.get(key)
        if type(value) is dict and type(old) is dict:
            _add(old, value)
        elif type(value) is list and type(old) is list:
            old.extend(value)
        else:
            merged[key] = value


def wanted(custom_data: dict[str, Any], events: Iterable[str]) -> list[str]:
    """Return the events that have at least one method."""
    configured = custom_data.get("events")
    if type(configured) is not dict:
        return []
    found = ((event, configured.get(event)) for event in events)
    return [event for event, how in found if type(how) is dict and how.get("methods")]
