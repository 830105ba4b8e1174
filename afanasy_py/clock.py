"""The only reader of the system clock.

The rest of the server takes `now` as an argument. What it gets is Unix time made of the steady clock: when
somebody sets the clock of the machine, no timeout fires and no age is negative, for the difference is worked
off little by little.
"""

import time
from collections.abc import Callable

#: Share of the time passed by which the clock may run fast or slow to come back to the wall clock. An hour's
#: step of the wall clock is worked off in ten hours; a restart takes it at once.
SLEW = 0.1


class Clock:
    """Unix seconds that never jump and never run backwards."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._now = wall()
        self._read_at = steady()

    def now(self) -> float:
        """Return Unix seconds; later calls never return less."""
        steady = self._steady()
        passed = steady - self._read_at
        if passed > 0.0:
            self._read_at = steady
            self._now += passed
            most = passed * SLEW
            self._now += min(most, max(-most, self._wall() - self._now))
        return self._now

    def behind(self) -> float:
        """Return the seconds that are still to be worked off; negative: ahead of the wall clock."""
        return self._wall() - self.now()
