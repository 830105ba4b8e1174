"""The tree of offers: who could start something, in the order in which it is served.

A branch, and a user within a branch, keeps a *shelf*: for each profile a heap of the children (branches,
users, jobs) that offer blocks of that profile, the neediest on top. Only nodes that can run at all are on
the shelf above them. So the solver finds the first node that a render can serve by looking at the tops of
a few heaps, and a change costs the logarithm of the number of siblings.

Entries of heaps that are no longer true are left behind and dropped when they come to the top.
Source: spec scheduling 2.1, 2.2, 2.4.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afanasy_py.core.branch import Branch
    from afanasy_py.core.job import Job
    from afanasy_py.core.solver.profile import Profile
    from afanasy_py.core.user import User

#: (sort key, stamp, child): the stamp tells whether the entry is still the child's latest.
Entry = tuple[tuple[Any, ...], int, "Member"]

#: A heap is rebuilt when it holds this many more entries than twice its children.
SLACK = 64


class Shelf:
    """What the children of one node offer."""

    __slots__ = ("_stamp", "heaps", "live", "owner")

    def __init__(self, owner: Member) -> None:
        self.owner = owner
        self.heaps: dict[Profile, list[Entry]] = {}
        #: {profile: number of children that offer it}
        self.live: dict[Profile, int] = {}
        self._stamp = 0

    def push(self, profile: Profile, member: Member) -> None:
        """Put the latest entry of a child into the heap of a profile."""
        self._stamp += 1
        member.stamps[profile] = self._stamp
        heap = self.heaps.get(profile)
        if heap is None:
            heap = self.heaps[profile] = []
        heappush(heap, (member.key, self._stamp, member))
        if len(heap) > 2 * self.live.get(profile, 0) + SLACK:
            heap[:] = [entry for entry in heap if entry[2].stamps.get(profile) == entry[1]]
            heapify(heap)

    def top(self, profile: Profile) -> Entry | None:
        """Return the first entry of a profile, or None."""
        heap = self.heaps.get(profile)
        while heap:
            entry = heap[0]
            if entry[2].stamps.get(profile) == entry[1]:
                return entry
            heappop(heap)
        return None

    def enter(self, profile: Profile, member: Member) -> None:
        """Note that a child offers a profile from now on."""
        count = self.live.get(profile, 0) + 1
        self.live[profile] = count
        self.push(profile, member)
        if count == 1:
            self.owner.add_offer(profile)

    def leave(self, profile: Profile, member: Member) -> None:
        """Note that a child does not offer a profile any more."""
        del member.stamps[profile]
        count = self.live[profile] - 1
        if count:
            self.live[profile] = count
        else:
            del self.live[profile]
            self.heaps.pop(profile, None)
            self.owner.remove_offer(profile)


class Member:
    """A node that may stand on the shelf of the node above."""

    def prepare_member(self) -> None:
        """Set the fields of a member that offers nothing yet."""
        #: {profile: how often it is offered: blocks of a job, children of a branch or user}
        self.offers: dict[Profile, int] = {}
        #: {profile: stamp of the latest entry}; only while on a shelf.
        self.stamps: dict[Profile, int] = {}
        #: The shelf it stands on.
        self.on: Shelf | None = None
        #: Its sort key there.
        self.key: tuple[Any, ...] = ()

    def add_offer(self, profile: Profile) -> None:
        """Offer a profile once more."""
        count = self.offers.get(profile, 0)
        self.offers[profile] = count + 1
        if not count and self.on is not None:
            self.on.enter(profile, self)

    def remove_offer(self, profile: Profile) -> None:
        """Offer a profile once less."""
        count = self.offers[profile] - 1
        if count:
            self.offers[profile] = count
            return
        del self.offers[profile]
        if self.on is not None:
            self.on.leave(profile, self)

    def step_on(self, shelf: Shelf, key: tuple[Any, ...]) -> None:
        """Stand on a shelf with all offers."""
        self.on, self.key = shelf, key
        for profile in self.offers:
            shelf.enter(profile, self)

    def step_off(self) -> None:
        """Leave the shelf."""
        shelf, self.on = self.on, None
        if shelf is not None:
            for profile in self.offers:
                shelf.leave(profile, self)

    def rekey(self, key: tuple[Any, ...]) -> None:
        """Take another place on the shelf."""
        if key != self.key:
            self.key = key
            shelf = self.on
            if shelf is not None:
                for profile in self.offers:
                    shelf.push(profile, self)


class UserInBranch(Member):
    """A user's jobs of one branch: what the branch solves when it does not solve jobs directly."""

    def __init__(self, user: User, branch: Branch) -> None:
        self.prepare_member()
        self.user = user
        self.branch = branch
        self.shelf = Shelf(self)
        #: {job id: job}
        self.jobs: dict[int, Job] = {}
        self.running_tasks_num = 0
        self.running_capacity_total = 0
