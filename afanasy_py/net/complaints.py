"""Log lines about peers: some of them each minute, for a bad peer must not fill the disk."""

from __future__ import annotations

import logging

import gevent

log = logging.getLogger(__name__)

LINES_MOST = 20
PERIOD_SECONDS = 60.0


class Complaints:
    """Logs the first lines of each minute, then only counts."""

    def __init__(self) -> None:
        self._said = 0
        self._timer: gevent.Greenlet | None = None

    def say(self, text: str, *values: object) -> None:
        """Log a warning, unless there were many."""
        self._said += 1
        if self._said <= LINES_MOST:
            log.warning(text, *values)
        if self._timer is None:
            self._timer = gevent.spawn_later(PERIOD_SECONDS, self._begin_again)
            self._timer.name = "complaints"

    def stop(self) -> None:
        """Forget what is left to say."""
        if self._timer is not None:
            self._timer.kill()
            self._timer = None

    def _begin_again(self) -> None:
        if self._said > LINES_MOST:
            log.warning("%d more such lines in the last minute", self._said - LINES_MOST)
        self._said = 0
        self._timer = None
