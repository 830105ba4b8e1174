"""The need of a node: its claim to be served next. Source: spec scheduling 2.4.1."""

from __future__ import annotations

import struct
from functools import lru_cache

_FLOAT = struct.Struct("<f")


@lru_cache(maxsize=65536)
def need(priority: int, resources: int) -> float:
    """Return 1.1 ^ priority / (resources + 1) in single precision.

    COMPAT(need-float32): the original keeps the need in 32 bits, so claims that differ less are equal and
    the node that was solved longer ago comes first; rounded likewise.
    """
    rounded: float = _FLOAT.unpack(_FLOAT.pack(_power(priority) / (resources + 1)))[0]
    return rounded


@lru_cache(maxsize=256)
def _power(priority: int) -> float:
    return float(1.1**priority)
