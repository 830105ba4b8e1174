"""A pool: a node of the tree of renders, with the totals of all that is below it.

Source: spec scheduling 2.5, 7.7, 7.11, 7.13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from afanasy_py.core.masks import compile_pattern
from afanasy_py.core.node import Logged
from afanasy_py.msg.records.pool import Pool as PoolRecord

if TYPE_CHECKING:
    from afanasy_py.core.render import Render

POOL_BUSY = 1
POOL_PAUSED = 2

#: What a render adds to its pool and all pools above.
TOTALS = (
    "renders_total",
    "renders_busy",
    "renders_ready",
    "renders_online",
    "renders_offline",
    "renders_nimby",
    "renders_paused",
    "renders_sick",
)


class Pool(Logged, PoolRecord):
    """A pool; its name is the whole path."""

    kind: ClassVar[str] = "pools"

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_node()
        #: The pool above; named as a render's, since both inherit from it.
        self.pool_node: Pool | None = None
        #: {name of a total: what the pool above does not know yet}
        self.rising: dict[str, int] = {}
        #: The same of the cycle before; it is told with the end of this one.
        self.risen: dict[str, int] = {}
        #: {pool id: child}, in order of creation.
        self.children: dict[int, Pool] = {}
        #: {render id: render}: own renders, not those of children.
        self.renders: dict[int, Render] = {}

    @property
    def paused(self) -> bool:
        """Whether renders below take no tasks."""
        return bool(self.st & POOL_PAUSED)

    @paused.setter
    def paused(self, value: bool) -> None:
        self.st = self.st | POOL_PAUSED if value else self.st & ~POOL_PAUSED

    def is_root(self) -> bool:
        """Return whether this is the pool `/`."""
        return self.pool_node is None

    def is_ready(self) -> bool:
        """Return whether this pool and all above have a priority and are not paused."""
        pool: Pool | None = self
        while pool is not None:
            if pool.priority == 0 or pool.paused:
                return False
            pool = pool.pool_node
        return True

    def level(self) -> int:
        """Return the priority of the pool in the order of renders (spec 2.5, point 2)."""
        if self.pool_node is None:
            return int(self.priority)
        return (int(self.priority) + self.pool_node.level()) // 2

    def takes(self, name: str) -> bool:
        """Return whether a new render of that name belongs here or below."""
        if self.is_root():
            return True
        if not self.pattern:
            return False
        compiled = compile_pattern(self.pattern, ignore_case=True)
        return compiled is not None and compiled.matches(name)

    def find_for(self, name: str) -> Pool:
        """Return the deepest pool below that takes a new render; children are asked in their order."""
        for child in self.children.values():
            if child.takes(name):
                return child.find_for(name)
        return self

    def parent_of(self) -> Pool | None:
        """Return the pool above."""
        return self.pool_node

    def all_renders(self) -> list[Render]:
        """Return the renders of this pool and all pools below."""
        found = list(self.renders.values())
        for child in self.children.values():
            found += child.all_renders()
        return found


def clean_pool_name(name: str) -> str:
    """Replace bytes outside `0`..`z` (spec scheduling 7.13)."""
    raw = name.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x30 <= byte <= 0x7A else "_" for byte in raw)
