"""The audit log: who did what, and who was refused, one JSON object in a line.

Lines are written in a native thread soon after the action; names are escaped by JSON, so no name makes a line
of its own. The file is renamed when it is big, and one old one is kept.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

import gevent
from gevent.event import Event

from afanasy_py.core.changes import AuditEntry

log = logging.getLogger(__name__)

#: Entries that wait to be written; more are dropped and counted.
WAITING_MOST = 20_000
#: A greater file is renamed to `<name>.1`.
SIZE_MOST = 64 * 1024 * 1024
#: Failed logins that are written in a minute; others are counted, else a stranger could push out the rest.
FAILED_MOST = 60
MINUTE = 60.0


class AuditLog:
    """Appends to the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[str] = []
        self._dropped = 0
        self._failed = 0
        self._minute = 0.0
        self._broken = False
        self._wake = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to write."""
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.name = "audit log"

    def stop(self) -> None:
        """Write what waits, and end."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._write_waiting()

    def add(self, entries: Iterable[AuditEntry], now: float) -> None:
        """Take entries in; returns at once.

        Args:
            entries: What happened.
            now: Unix seconds.
        """
        if now - self._minute >= MINUTE:
            if self._failed > FAILED_MOST:
                self._append(
                    now, AuditEntry("", "", "", f"{self._failed - FAILED_MOST} more failed logins", "")
                )
            self._minute, self._failed = now, 0
        for entry in entries:
            if not entry.how:
                self._failed += 1
                if self._failed > FAILED_MOST:
                    continue
            self._append(now, entry)
        self._wake.set()

    def _append(self, now: float, entry: AuditEntry) -> None:
        if len(self._waiting) >= WAITING_MOST:
            self._dropped += 1
            return
        line = {
            "time": datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds"),
            "user": entry.user,
            "address": entry.address,
            "how": entry.how,
            "action": entry.action,
            "refused": entry.refused,
        }
        self._waiting.append(json.dumps(line))

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._write_waiting()

    def _write_waiting(self) -> None:
        lines, self._waiting = self._waiting, []
        if self._dropped:
            log.error(
                "The audit log lacks %d entries: they came faster than they were written", self._dropped
            )
            self._dropped = 0
        if not lines:
            return
        try:
            # GEVENT: others add entries meanwhile.
            gevent.get_hub().threadpool.apply(self._write, ("\n".join(lines) + "\n",))
        except OSError as error:
            if not self._broken:
                log.error("The audit log cannot be written: %s", error)  # noqa: TRY400 - the text says it all
            self._broken = True
        else:
            self._broken = False

    def _write(self, text: str) -> None:
        number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(number, "ab") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            full = file.tell() > SIZE_MOST
        if full:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
