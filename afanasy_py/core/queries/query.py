"""A `get` request: its members read once, and the table of functions that answer each type and mode.

Source: json-api 4; wire-protocol 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from afanasy_py.core.fields import get_ints, get_strs
from afanasy_py.core.table import NodeLike, Table
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller, Result

Json = dict[str, Any]
N = TypeVar("N", bound=NodeLike)

INVALID_ID = "Invalid ID"
#: How a request is refused that nothing here answers.
UNANSWERED = "Invalid action."


class Query:
    """What a client asks for.

    Attributes:
        ids: Ids of nodes, in the order of the request; empty: by `mask`, or all.
        mode: The mode if it is a text, else an empty text.
        modes: The modes if they are a list of texts.
        binary: Whether the answer should be a binary message.
        fields: The members that the answer should have; empty: all.
    """

    def __init__(self, farm: Farm, params: Json, caller: Caller) -> None:
        self.farm = farm
        self.params = params
        self.caller = caller
        self.ids = get_ints(params, "ids")
        mask, mode = params.get("mask"), params.get("mode")
        self.mask: str = mask if type(mask) is str else ""
        self.mode: str = mode if type(mode) is str else ""
        self.modes: list[str] = get_strs(params, "mode")
        self.binary = params.get("binary") is True
        self.fields: tuple[str, ...] = () if self.binary else tuple(get_strs(params, "fields"))

    def ints(self, name: str) -> list[int]:
        """Return a member that is a list of integers; anything else is an empty one."""
        return get_ints(self.params, name)

    def int(self, name: str, default: int = 0) -> int:
        """Return an integer member."""
        value = self.params.get(name)
        return value if type(value) is int else default

    def select(self, table: Table[Any]) -> list[Any]:
        """Return the nodes of a table that are asked for, in the order of the answer."""
        return table.select(self.ids, self.mask)

    def node(self, table: Table[N]) -> N:
        """Return the node of the only id.

        Raises:
            RequestError: There is no such node.
        """
        node = table.by_id.get(self.ids[0])
        if node is None:
            raise RequestError(INVALID_ID)
        return node

    def has_page(self) -> bool:
        """Return whether only a part of the list is asked for."""
        return not self.binary and ("limit" in self.params or "offset" in self.params)

    def page(self, nodes: Sequence[N]) -> Sequence[N]:
        """Return the part of a list that is asked for: from `offset`, at most `limit` nodes."""
        first = max(self.int("offset"), 0)
        limit = self.int("limit", -1)
        return nodes[first:] if limit < 0 else nodes[first : first + limit]


Answerer = Callable[[Query], "Result"]

#: {type of a `get`: what answers it}
QUERIES: dict[str, Answerer] = {}


def query(name: str) -> Callable[[Answerer], Answerer]:
    """Make a function the answer to a type of `get`."""

    def register(answerer: Answerer) -> Answerer:
        assert name not in QUERIES, name
        QUERIES[name] = answerer
        return answerer

    return register
