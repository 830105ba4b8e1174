"""How much of the server's time each address takes with expensive requests; who takes too much has to wait.

Cheap requests, which are nearly all, are not counted, and messages of hosts never wait: a thousand hosts behind
one address are no attack. The time is measured, so what is expensive need not be known beforehand.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from afanasy_py.ip_masks import holder
from afanasy_py.recent import keep

#: A request that took less is not counted, seconds.
CHEAP_SECONDS = 0.01
#: So much may be taken at once before anybody has to wait, seconds.
BURST_SECONDS = 2.0
#: Nobody waits longer for one request: it is refused then, seconds.
WAIT_MOST = 10.0
#: Addresses that are remembered; of more, the one that was expensive longest ago is forgotten.
ADDRESSES_MOST = 10_000

#: Measures the work of the server alone: on a busy machine it is kept waiting, and no client is to blame.
measure = time.thread_time


class Work:
    """Keeps what each address owes, in seconds of work."""

    def __init__(self) -> None:
        #: Seconds of work that an address may take in a second; 0: any.
        self.share = 0.0
        #: {address: (what it owes, when that was worked out)}
        self._debts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many addresses owe anything."""
        return len(self._debts)

    def note(self, address: str, took: float, now: float) -> None:
        """Count a request.

        Args:
            address: Who asked.
            took: Seconds of work.
            now: Seconds of any clock that only runs forwards.
        """
        if took < CHEAP_SECONDS or not self.share:
            return
        address = holder(address)
        keep(self._debts, address, (self._owes(address, now) + took, now), ADDRESSES_MOST)

    def wait(self, address: str, now: float) -> float:
        """Return how many seconds an address has to wait before its next request."""
        address = holder(address)
        if address not in self._debts or not self.share:
            return 0.0
        owes = self._owes(address, now)
        if not owes:
            del self._debts[address]
        return max(owes - BURST_SECONDS, 0.0) / self.share

    def _owes(self, address: str, now: float) -> float:
        debt, when = self._debts.get(address, (0.0, now))
        return max(debt - (now - when) * self.share, 0.0)
