"""A table of nodes of one kind: ids, unique names, and the order in which lists give them.

Source: spec scheduling 1.2 (ids), 1.3 (order), 1.4 (names); json-api 4 (selection by ids and words).
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

_WORDS = re.compile(r"[|;,: ]+")


class NodeLike(Protocol):
    """What a table needs of a node."""

    id: int
    name: str
    priority: int


N = TypeVar("N", bound=NodeLike)


class Table(Generic[N]):
    """Nodes of one kind.

    The smallest free id from 1 is given to a new node. Lists go by priority at the time of adding, equal
    ones by age; later changes of the priority do not move a node.
    """

    def __init__(self, title: str, capacity: int) -> None:
        #: How refusals name the table: "Jobs", "Renders", ...
        self.title = title
        #: Ids are below this.
        self.capacity = capacity
        #: {id: node}
        self.by_id: dict[int, N] = {}
        #: {name: node}; monitors may share names, then the last one.
        self.by_name: dict[str, N] = {}
        #: Sorted (minus priority at adding, age, id).
        self._order: list[tuple[int, int, int]] = []
        #: {id: its entry in the order}
        self._places: dict[int, tuple[int, int, int]] = {}
        self._age = 0
        self._next_id = 1
        self._free_ids: list[int] = []
        #: Ids of removed nodes that are not given again before the next cycle.
        self._resting_ids: list[int] = []

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[N]:
        """Yield all nodes in list order."""
        by_id = self.by_id
        return iter([by_id[entry[2]] for entry in self._order])

    def place(self, node_id: int) -> tuple[int, int]:
        """Return a sort key of a node: its place in the list order."""
        entry = self._places[node_id]
        return entry[0], entry[1]

    def unique_name(self, name: str) -> str:
        """Return `name`, or `name-1`, `name-2`, ... the first that no node has."""
        if name not in self.by_name:
            return name
        number = 1
        while f"{name}-{number}" in self.by_name:
            number += 1
        return f"{name}-{number}"

    def is_free(self, node_id: int) -> bool:
        """Return whether a new node may have this id."""
        return 0 < node_id < self.capacity and node_id not in self.by_id

    def _take_id(self) -> int:
        while self._free_ids and self._free_ids[0] in self.by_id:
            heappop(self._free_ids)
        if self._free_ids:
            return heappop(self._free_ids)
        while self._next_id in self.by_id or self._next_id in self._resting_ids:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def is_full(self) -> bool:
        """Return whether no id is left."""
        return len(self.by_id) >= self.capacity - 1

    def add(self, node: N) -> None:
        """Give the node an id, unless it has a free one, and a place in the order; its name must be unique."""
        if not self.is_free(node.id):
            node.id = self._take_id()
        elif node.id >= self._next_id:
            for skipped in range(self._next_id, node.id):
                heappush(self._free_ids, skipped)
            self._next_id = node.id + 1
        self.by_id[node.id] = node
        self.by_name[node.name] = node
        self._age += 1
        entry = (-node.priority, self._age, node.id)
        self._places[node.id] = entry
        insort(self._order, entry)

    def remove(self, node: N) -> None:
        """Forget a node; its id is free again after `release_ids`."""
        del self.by_id[node.id]
        if self.by_name.get(node.name) is node:
            del self.by_name[node.name]
        entry = self._places.pop(node.id)
        del self._order[bisect_left(self._order, entry)]
        self._resting_ids.append(node.id)

    def release_ids(self) -> None:
        """Let the ids of removed nodes be given again."""
        for node_id in self._resting_ids:
            heappush(self._free_ids, node_id)
        self._resting_ids.clear()

    def select(self, ids: list[int], mask: str) -> list[N]:
        """Return nodes by ids (order and repetitions kept), or by words, or all.

        A node is taken when its name begins with one of the words that `mask` holds.
        """
        if ids:
            return [self.by_id[i] for i in ids if i in self.by_id]
        if mask:
            words = mask_words(mask)
            return [node for node in self if node.name.startswith(words)]
        return list(self)


def mask_words(mask: str) -> tuple[str, ...]:
    """Split a "find" mask into its words."""
    return tuple(word for word in _WORDS.split(mask) if word)
