"""The statistics of a running server: takes rows at once, brings them to the file and to PostgreSQL.

    add() -> buffer in memory -> flusher -> SQLite file -> shipper -> PostgreSQL

`add` never waits. The file is used by a thread of its own, PostgreSQL by a greenlet of its own. The buffer
and the file are bounded; what does not fit is dropped and counted.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import gevent
import gevent.event
import gevent.socket
import gevent.threadpool
import psycopg2

from afanasy_py.settings import Settings
from afanasy_py.stats import postgres
from afanasy_py.stats.outbox import BATCH_ROWS, FILE_NAME, Batch, Limits, Outbox
from afanasy_py.stats.schema import Fitting, Lengths
from afanasy_py.stats_rows import StatsRow

log = logging.getLogger(__name__)

#: What monitors are told, and the name the original gives the connection in its log.
ALARM = "ALARM! Server statistics database connection error. Contact your system administrator."
RECOVERY = "AFANASY: Server database connection established."
NAME = "AFDB_update"

#: Rows in memory; further ones are dropped, the newest.
BUFFER_MOST = 100_000
#: Rows that are written without waiting for the rest of the interval.
FLUSH_ROWS = 2_000
FLUSH_S = 0.2
#: Time between looks at the bounds of the file.
BOUNDS_S = 60.0
#: Time without rows after which the connection is asked whether it lives.
IDLE_S = 30.0
#: Pauses after failures; each is twice the one before.
PAUSE_FIRST_S, PAUSE_MOST_S = 1.0, 60.0
#: The original sends its alarm with each failed attempt, and pauses so long between them.
ALARM_S = 60.0
#: Longest waits for a connection, for making tables and indexes (of millions of rows), for a batch.
CONNECT_MOST_S, PREPARE_MOST_S, SHIP_MOST_S = 20.0, 900.0, 120.0
#: Longest waits at shutdown: for the file, then for PostgreSQL.
STOP_FLUSH_S, STOP_SHIP_S = 3.0, 2.0

T = TypeVar("T")

#: What stands for "PostgreSQL or the way there does not work now".
Failures = (psycopg2.Error, psycopg2.Warning, OSError, sqlite3.Error, gevent.Timeout)


@dataclass(slots=True)
class State:
    """Numbers for health checks and metrics; counters begin with the start of the server."""

    backend: str  # none, sqlite, postgresql
    connected: bool = False  # PostgreSQL, as far as is known
    file_works: bool = True  # of the last attempt to write
    buffered: int = 0  # rows in memory
    queued: int = 0  # rows in the file that wait for PostgreSQL
    written: int = 0  # rows committed to the file
    shipped: int = 0  # rows committed to PostgreSQL
    dropped: int = 0  # rows for which there was no room
    refused: int = 0  # rows that PostgreSQL will never take


class Statistics:
    """Owns the file, the connection and the two greenlets."""

    def __init__(
        self,
        settings: Settings,
        store_dir: Path,
        announce: Callable[[str], None],
        now: Callable[[], float],
        *,
        enabled: bool = True,
        limits: Limits | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            settings: `af_db_conninfo` empty: the file is the statistics database.
            store_dir: Folder of the file.
            announce: Shows a text to all monitors.
            now: Unix seconds that do not jump.
            enabled: False (`-nosql`): rows are ignored.
            limits: Bounds of the file.
        """
        conninfo = settings.af_db_conninfo.strip()
        backend = "postgresql" if conninfo else "sqlite"
        self._state = State(backend if enabled else "none")
        self._conninfo = conninfo
        self._announce = announce
        self._now = now
        self._lengths = Lengths(settings.af_db_stringnamelen, settings.af_db_stringexprlen)
        self._fitting = Fitting(self._lengths)
        self._outbox = Outbox(
            store_dir / FILE_NAME, self._lengths, limits or Limits(), with_indexes=not conninfo
        )
        self._buffer: list[StatsRow] = []
        self._writing: list[StatsRow] = []  # taken from the buffer, not yet committed
        self._some = gevent.event.Event()  # the buffer is not empty
        self._many = gevent.event.Event()  # it should be written at once
        self._arrived = gevent.event.Event()  # the file may have rows for PostgreSQL
        self._stopping = gevent.event.Event()
        self._greenlets: list[gevent.Greenlet] = []
        #: One thread, so that calls of the file never overlap.
        self._thread: Any = None
        self._successes = 0  # of PostgreSQL
        self._failure = ""  # what was logged of the last failure
        self._alarmed_at: float | None = None  # the alarm that has not been recalled

    def start(self) -> None:
        """Start writing; returns at once, also when nothing works."""
        if self._state.backend == "none":
            log.info("SQL database connection disabled.")
            return
        self._thread = gevent.threadpool.ThreadPool(1)
        jobs = {"statistics-flusher": self._flush_always}
        if self._state.backend == "postgresql":
            postgres.cooperate()
            jobs["statistics-shipper"] = self._ship_always
        for name, run in jobs.items():
            greenlet = gevent.Greenlet(self._forever, run)
            greenlet.name = name
            greenlet.start()
            self._greenlets.append(greenlet)

    def add(self, rows: Iterable[StatsRow]) -> None:
        """Take rows; never waits. Without room for all of them, as many as fit are taken."""
        if self._state.backend == "none":
            return
        self._buffer.extend(rows)
        size = len(self._buffer)
        if not self._some.is_set():
            self._some.set()
        if size < FLUSH_ROWS:
            return
        if not self._many.is_set():
            self._many.set()
        if size + len(self._writing) > BUFFER_MOST:
            room = max(0, BUFFER_MOST - len(self._writing))
            self._drop(size - room)
            del self._buffer[room:]

    def stop(self) -> None:
        """Write what is in memory, give PostgreSQL a moment, end; takes some seconds at most.

        What PostgreSQL has not got stays in the file for the next start.
        """
        if self._thread is None:
            return
        self._stopping.set()
        self._some.set()
        self._many.set()
        flusher, *shippers = self._greenlets
        flusher.join(STOP_FLUSH_S)
        self._arrived.set()
        gevent.joinall(shippers, timeout=STOP_SHIP_S)
        gevent.killall(self._greenlets, timeout=STOP_SHIP_S)
        with gevent.Timeout(STOP_SHIP_S, exception=False):
            self._in_thread(self._outbox.close)
            self._thread.join()
        left = len(self._buffer) + len(self._writing)
        if left:
            log.error("statistics: rows lost at the stop: %d", left)
        self._thread = None

    def state(self) -> dict[str, Any]:
        """Return the numbers of `State` by their names."""
        self._state.queued = self._outbox.queued
        self._state.buffered = len(self._buffer) + len(self._writing)
        return asdict(self._state)

    def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        result: T = self._thread.apply(function, arguments)
        return result

    def _drop(self, rows: int) -> None:
        if rows and not self._state.dropped:
            log.error("statistics: no room for rows, see the counter of dropped ones: %d", rows)
        self._state.dropped += rows

    def _forever(self, run: Callable[[], None]) -> None:
        """Owner of a greenlet's work: a bug in it is logged, and it goes on."""
        while True:
            try:
                return run()
            except Exception:
                log.exception("statistics: a bug")
            if self._stopping.wait(PAUSE_MOST_S):
                return None

    # The file

    def _flush_always(self) -> None:
        pause = PAUSE_FIRST_S
        bounds_at = 0.0
        while True:
            self._some.wait(BOUNDS_S)
            self._many.wait(FLUSH_S)
            try:
                self._flush()
                if self._now() >= bounds_at:
                    self._keep_bounds()
                    bounds_at = self._now() + BOUNDS_S
                self._state.file_works = True
                pause = PAUSE_FIRST_S
            except (OSError, sqlite3.Error, OverflowError) as error:
                if self._state.file_works:
                    log.error("statistics file cannot be written: %s: %s", self._outbox.path, error)  # noqa: TRY400
                self._state.file_works = False
                self._some.set()
                if self._stopping.wait(pause):
                    return
                pause = min(PAUSE_MOST_S, 2 * pause)
            if self._stopping.is_set() and not self._buffer and not self._writing:
                return

    def _flush(self) -> None:
        if not self._writing:
            self._writing, self._buffer = self._buffer, []
            self._some.clear()
            if not self._stopping.is_set():
                self._many.clear()
        rows = self._writing
        if rows:
            self._in_thread(self._write, rows)
            self._writing = []
            self._state.written += len(rows)
            self._arrived.set()
        if self._buffer:
            self._some.set()

    def _write(self, rows: list[StatsRow]) -> None:
        self._outbox.write(self._fitting.by_table(rows))

    def _keep_bounds(self) -> None:
        dropped = self._in_thread(self._outbox.drop_old, self._now())
        if dropped:
            self._drop(dropped)
        if self._outbox.queued == 0:
            self._in_thread(self._outbox.shrink)

    # PostgreSQL

    def _ship_always(self) -> None:
        """Keep a connection and ship by it, until the stop.

        The first attempt after a success is made at once: a connection that was lost while nothing was to be
        sent is no failure yet.
        """
        pause = 0.0
        while not self._stopping.is_set() or pause == 0.0:
            shipped = self._successes
            try:
                with closing(self._connected()) as database:
                    self._ship_while_connected(database)
            except Failures as error:
                self._state.connected = False
                if self._successes != shipped:
                    pause = 0.0
                self._on_failure(error, again=pause > 0.0)
                self._stopping.wait(pause)
                pause = min(PAUSE_MOST_S, max(PAUSE_FIRST_S, 2 * pause))
            else:
                return

    def _connected(self) -> postgres.Database:
        source = self._in_thread(self._outbox.source)
        with gevent.Timeout(CONNECT_MOST_S):
            connection = postgres.connect(self._conninfo, _addresses)
        with gevent.Timeout(PREPARE_MOST_S):
            return postgres.Database(connection, source, self._lengths)

    def _on_success(self) -> None:
        """The connection is good: something was stored, or nothing is to be."""
        self._successes += 1
        self._failure = ""
        if self._state.connected:
            return
        self._state.connected = True
        log.info("%s: %s", NAME, RECOVERY)
        if self._alarmed_at is not None:
            self._alarmed_at = None
            self._announce(RECOVERY)

    def _on_failure(self, error: BaseException, *, again: bool) -> None:
        """Say that there is no connection; the alarm as often as the original repeats it.

        As in the original, monitors hear nothing of a database that was never there since the start.

        Args:
            error: What happened.
            again: Nothing went well since the failure before.
        """
        text = _short(error)
        if text != self._failure:
            log.warning('Database connection "%s" is not working. %s', NAME, text)
        self._failure = text
        now = self._now()
        if again and self._successes and (self._alarmed_at is None or now - self._alarmed_at >= ALARM_S):
            self._alarmed_at = now
            log.error("%s: %s", NAME, ALARM)
            self._announce(ALARM)

    def _ship_while_connected(self, database: postgres.Database) -> None:
        """Ship until the stop; returns when nothing is left then."""
        most = BATCH_ROWS
        while True:
            self._arrived.clear()
            batch = self._in_thread(self._outbox.next_batch, most)
            if batch is not None:
                most = self._ship(database, batch, most)
                self._on_success()
                continue
            self._on_success()
            if self._stopping.is_set():
                return
            if not self._arrived.wait(IDLE_S):
                with gevent.Timeout(SHIP_MOST_S):
                    database.check()

    def _ship(self, database: postgres.Database, batch: Batch, most: int) -> int:
        """Ship a batch; return how large the next one may be."""
        try:
            with gevent.Timeout(SHIP_MOST_S):
                database.ship(batch)
        except postgres.RefusedError as error:
            if batch.count > 1:  # look for the row by ever smaller batches
                self._in_thread(self._outbox.give_up, batch)
                return max(1, min(most, batch.count) // 2)
            log.error("statistics: row refused: %s: %s", _short(error), batch.only_row())  # noqa: TRY400
            self._in_thread(self._outbox.refuse, batch, str(error))
            self._state.refused += 1
        else:
            self._in_thread(self._outbox.done, batch)
            self._state.shipped += batch.count
        return min(BATCH_ROWS, 2 * most)


def _addresses(host: str) -> list[str]:
    """Return the addresses of a host; other greenlets run meanwhile."""
    return postgres.addresses(host, gevent.socket.getaddrinfo)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
