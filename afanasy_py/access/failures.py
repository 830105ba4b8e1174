"""Failed logins by address: who guesses passwords has to wait. Pure: time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from afanasy_py.recent import keep

#: Failures are forgotten after so many seconds.
MEMORY_SECONDS = 600.0
#: Addresses that are remembered; of more, the one that failed longest ago is forgotten.
ADDRESSES_MOST = 10_000
#: The longest wait, seconds; it doubles with each failure beyond the limit.
WAIT_MOST = 600.0
WAIT_LEAST = 5.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class FailedLogins:
    """Counts failures and says who has to wait.

    A login that succeeds takes nothing back, else who has one account could guess the password of another.
    """

    def __init__(self, most: int) -> None:
        """Prepare.

        Args:
            most: Failures that an address may have in `MEMORY_SECONDS`; 0: any number.
        """
        self.most = most
        self._by_address: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return how many seconds an address has to wait until it may try again."""
        failures = self._by_address.get(address)
        return max(failures.blocked_until - now, 0.0) if failures is not None else 0.0

    def note(self, address: str, now: float) -> None:
        """Count a failure."""
        if not self.most:
            return
        failures = self._by_address.get(address)
        if failures is None or now - failures.last > MEMORY_SECONDS:
            failures = _Failures()
        failures.count += 1
        failures.last = now
        if failures.count >= self.most:
            failures.blocked_until = now + min(WAIT_LEAST * 2 ** (failures.count - self.most), WAIT_MOST)
        keep(self._by_address, address, failures, ADDRESSES_MOST)
