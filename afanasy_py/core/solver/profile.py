"""Profiles: blocks on offer that demand the same of a render are decided together.

A profile is everything that the path from the root branch down to a block demands. Farms have thousands
of waiting jobs and a few dozen profiles, so a render that asks for work is tested once for each of them
and not once for each job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afanasy_py.core.render import NIMBY_OWN
from afanasy_py.core.solver.checks import CHECKS, Demand

if TYPE_CHECKING:
    from afanasy_py.core.render import Render

Demands = tuple[tuple[int, Demand], ...]

#: A render remembers the answers of so many profiles; ids of profiles are never used again.
REMEMBERED = 4096

_NIMBY = next(index for index, check in enumerate(CHECKS) if check.name == "nimby")


class Profile:
    """A set of demands."""

    __slots__ = ("demands", "fixed", "id", "minds_nimby", "moving", "offers", "tickets", "users")

    def __init__(self, profile_id: int, demands: Demands) -> None:
        self.id = profile_id
        self.demands = demands
        self.fixed: list[tuple[Callable[[Any, Render], bool], Any]] = []
        self.moving: list[tuple[Callable[[Any, Render], bool], Any]] = []
        for index, demand in demands:
            check = CHECKS[index]
            (self.fixed if check.fixed else self.moving).append((check.passes, demand))
        self.tickets = [n for index, d in demands if CHECKS[index].name == "tickets" for n, _ in d]  # type: ignore[attr-defined]
        self.minds_nimby = any(index == _NIMBY for index, _ in demands)
        #: Number of blocks on offer.
        self.offers = 0
        #: {user name: blocks on offer}: a render in nimby serves its own user only.
        self.users: Counter[str] = Counter()

    def accepts(self, render: Render) -> bool:
        """Return whether a render meets all demands now; its room and state are not looked at."""
        fixed = render.accepts.get(self.id)
        if fixed is None:
            if len(render.accepts) >= REMEMBERED:
                render.accepts.clear()
            fixed = True
            for passes, demand in self.fixed:
                if not passes(demand, render):
                    fixed = False
                    break
            render.accepts[self.id] = fixed
        if not fixed:
            return False
        for passes, demand in self.moving:
            if not passes(demand, render):
                return False
        if render.st & NIMBY_OWN and self.minds_nimby:
            return self.users[render.user_name] > 0
        return True

    def takes_any(self, tickets: dict[str, int]) -> bool:
        """Return whether its blocks take any of these tickets."""
        return any(name in tickets for name in self.tickets)


class Profiles:
    """All profiles that have offers, by their demands."""

    def __init__(self) -> None:
        self._by_demands: dict[Demands, Profile] = {}
        self._next_id = 1

    def __len__(self) -> int:
        return len(self._by_demands)

    def take(self, demands: Demands, user_name: str) -> Profile:
        """Return the profile of a block that is put on offer."""
        profile = self._by_demands.get(demands)
        if profile is None:
            profile = self._by_demands[demands] = Profile(self._next_id, demands)
            self._next_id += 1
        profile.offers += 1
        profile.users[user_name] += 1
        return profile

    def give_back(self, profile: Profile, user_name: str) -> bool:
        """Note that a block is no longer on offer; return whether the profile is unused now."""
        profile.offers -= 1
        profile.users[user_name] -= 1
        if not profile.users[user_name]:
            del profile.users[user_name]
        if profile.offers:
            return False
        del self._by_demands[profile.demands]
        return True
