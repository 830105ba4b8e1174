"""A memory of bounded size, for what is known of addresses and logins."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def keep(memory: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Keep a value; of more than `most`, those that were kept longest ago are forgotten."""
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
