"""The SQLite file of the statistics.

It has the tables `jobs`, `tasks` and `logs`. Where PostgreSQL is used, what is in them has not arrived there
yet: rows are taken out in batches, and a batch is deleted when it has been stored. Where it is not used, the
file is the statistics database.

A batch has a token that is written here before the batch is sent and there together with its rows, so a
batch whose fate is unknown after a crash is recognized (`postgres.Database.ship`).

Nothing here knows gevent; all methods block and must be called by one thread at a time.
"""

import json
import logging
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from afanasy_py.stats.schema import TABLES, Cells, Lengths, Table

log = logging.getLogger(__name__)

FILE_NAME = "statistics.sqlite3"
#: Most rows of a batch.
BATCH_ROWS = 500
#: Rows of an INSERT: each statement gives up the interpreter's lock, and it takes up to 5 ms to get it back
#: from a busy main thread, so one statement for each row would be slow.
INSERT_ROWS = (128, 16, 1)
#: Most rows of a table that are dropped in one go; what is left to do follows at the next check.
DROP_ROWS = 20_000
#: Pages that are given back to the file system in one go.
VACUUM_PAGES = 500
BUSY_TIMEOUT_S = 5.0
#: What SQLite says of a file that it will never be able to use.
HOPELESS = ("file is not a database", "malformed")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the file; the oldest rows are dropped first."""

    size_bytes: int = 8 << 30  # of pages in use
    age_s: int = 5 * 365 * 86400  # of what a row tells


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way to PostgreSQL."""

    token: str
    #: {name of a table: JSON list of rows, each a list of its values}
    rows: Mapping[str, str]
    #: {name of a table: (first rowid, last rowid)}
    ranges: Mapping[str, tuple[int, int]]
    count: int

    def only_row(self) -> str:
        """Return where the only row of a batch of one is, for the log."""
        return " ".join(f"{name}: {text[:80]}" for name, text in self.rows.items())


class Outbox:
    """The file. Any method may raise `sqlite3.Error` or `OSError`; then it may be called again."""

    def __init__(self, path: Path, lengths: Lengths, limits: Limits, *, with_indexes: bool) -> None:
        self.path = path
        self._lengths = lengths
        self._limits = limits
        self._with_indexes = with_indexes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        #: Rows that wait for PostgreSQL; 0 where it is not used.
        self.queued = 0
        self._inserts = {(table.name, rows): _insert(table, rows) for table in TABLES for rows in INSERT_ROWS}

    def open(self) -> sqlite3.Connection:
        """Return the connection to the file, which is opened and made ready when needed.

        A file that somebody deleted is made again. One that is broken is kept aside.
        """
        if self._connection is not None and self._inode == _inode(self.path):
            return self._connection
        self.close()
        try:
            self._connection = self._connected()
        except sqlite3.DatabaseError as error:
            if not any(word in str(error) for word in HOPELESS):
                raise
            self._set_aside(error)
            self._connection = self._connected()
        self._inode = _inode(self.path)
        if not self._with_indexes:
            self.queued = sum(self.counts().values())
        return self._connection

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit: transactions are begun and ended where they are written. Threads: calls do not overlap.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
            for table in TABLES:
                connection.execute(table.create(self._lengths))
                for statement in missing_in_file(connection, table, self._lengths):
                    connection.execute(statement)
                if self._with_indexes:
                    for statement in table.create_indexes():
                        connection.execute(statement)
            connection.execute("CREATE TABLE IF NOT EXISTS afserver_outbox (source text)")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS afserver_batch"
                " (token text, name text, first_row bigint, last_row bigint)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS afserver_refused (name text, row_json text, reason text)"
            )
            connection.execute(
                "INSERT INTO afserver_outbox SELECT ? WHERE NOT EXISTS (SELECT * FROM afserver_outbox)",
                (str(uuid.uuid4()),),
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, error: Exception) -> None:
        """Rename a file that cannot be used, with what belongs to it."""
        mark = uuid.uuid4().hex[:8]
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(f"{file}.broken-{mark}")
        log.error("statistics file is broken, kept as %s.broken-%s: %s", self.path, mark, error)

    def source(self) -> str:
        """Return the name of this file towards PostgreSQL: a random one, made with the file."""
        return str(self.open().execute("SELECT source FROM afserver_outbox").fetchone()[0])

    def write(self, rows: Mapping[str, Sequence[Cells]]) -> None:
        """Commit rows, given by table; all or none of them."""
        connection = self.open()
        with _transaction(connection):
            for name, cells in rows.items():
                start = 0
                for size in INSERT_ROWS:
                    statement = self._inserts[name, size]
                    while len(cells) - start >= size:
                        values = [value for row in cells[start : start + size] for value in row]
                        connection.execute(statement, values)
                        start += size
        self._count(sum(len(cells) for cells in rows.values()))

    def _count(self, more: int) -> None:
        if not self._with_indexes:
            self.queued += more

    def counts(self) -> dict[str, int]:
        """Return {table: its rows}; slow on a big file."""
        connection = self.open()
        return {
            table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608
            for table in TABLES
        }

    def next_batch(self, most: int = BATCH_ROWS) -> Batch | None:
        """Return the batch on its way, else a new one of the oldest rows, None when there are none.

        Args:
            most: Rows of a new batch.
        """
        connection = self.open()
        batch = self._read_batch(connection)
        if batch is not None:
            return batch
        token = str(uuid.uuid4())
        with _transaction(connection):
            connection.execute("DELETE FROM afserver_batch")  # of which somebody deleted the rows
            for table in TABLES:
                first, last, count = connection.execute(
                    f"SELECT min(rowid), max(rowid), count(*) FROM (SELECT rowid FROM {table.name} ORDER BY rowid LIMIT ?)",  # noqa: S608
                    (most,),
                ).fetchone()
                if first is not None:
                    connection.execute(
                        "INSERT INTO afserver_batch VALUES (?, ?, ?, ?)", (token, table.name, first, last)
                    )
                    most -= count
        return self._read_batch(connection)

    def _read_batch(self, connection: sqlite3.Connection) -> Batch | None:
        token, count = "", 0
        rows: dict[str, str] = {}
        ranges: dict[str, tuple[int, int]] = {}
        tables = {table.name: table for table in TABLES}
        for batch_token, name, first, last in connection.execute("SELECT * FROM afserver_batch").fetchall():
            found, text = connection.execute(
                f"SELECT count(*), json_group_array(json_array({tables[name].names})) FROM {name}"  # noqa: S608
                " WHERE rowid BETWEEN ? AND ?",
                (first, last),
            ).fetchone()
            token = batch_token
            if found:
                count += found
                rows[name] = text
                ranges[name] = first, last
        return Batch(token, rows, ranges, count) if count else None

    def done(self, batch: Batch) -> None:
        """Delete a batch that has been stored."""
        connection = self.open()
        with _transaction(connection):
            for name, (first, last) in batch.ranges.items():
                connection.execute(f"DELETE FROM {name} WHERE rowid BETWEEN ? AND ?", (first, last))  # noqa: S608
            connection.execute("DELETE FROM afserver_batch")
        self._count(-batch.count)

    def give_up(self, batch: Batch) -> None:
        """Take back a batch of which nothing has been stored for sure; the next one may be smaller."""
        self.open().execute("DELETE FROM afserver_batch WHERE token = ?", (batch.token,))

    def refuse(self, batch: Batch, reason: str) -> None:
        """Put the rows of a batch that will never be stored into a table of their own."""
        connection = self.open()
        with _transaction(connection):
            for name, text in batch.rows.items():
                connection.executemany(
                    "INSERT INTO afserver_refused VALUES (?, ?, ?)",
                    [(name, json.dumps(row), reason) for row in json.loads(text)],
                )
        self.done(batch)

    def drop_old(self, now: float) -> int:
        """Keep the bounds; return how many rows were dropped for it. Rows on their way stay.

        Args:
            now: Unix seconds.
        """
        connection = self.open()
        oldest = int(now) - self._limits.age_s
        too_big = self._used_bytes(connection) > self._limits.size_bytes
        dropped = 0
        with _transaction(connection):
            for table in TABLES:
                (kept,) = connection.execute(
                    "SELECT ifnull(max(last_row), -1) FROM afserver_batch WHERE name = ?", (table.name,)
                ).fetchone()
                first, last = connection.execute(
                    f"SELECT (SELECT min(rowid) FROM {table.name} WHERE rowid > ?), max(rowid) FROM {table.name}",  # noqa: S608
                    (kept,),
                ).fetchone()
                if first is None:
                    continue
                # A twentieth of the table goes for its size. What is too old is looked for among the first
                # rows: they were written in the order of time.
                share = max(1, (last - first) // 20) if too_big else 0
                dropped += connection.execute(
                    f"DELETE FROM {table.name} WHERE rowid >= ? AND rowid < ? AND (rowid < ? OR {table.time} < ?)",  # noqa: S608
                    (first, first + DROP_ROWS, first + share, oldest),
                ).rowcount
        self._count(-dropped)
        return dropped

    def _used_bytes(self, connection: sqlite3.Connection) -> int:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def shrink(self) -> None:
        """Give some of the room that is no longer used back to the file system."""
        # A step for each page, with rows of no columns: `execute` would stop after the first.
        self.open().executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")


class _transaction:  # noqa: N801 - reads as a statement
    """Commits at its end, rolls back after an error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # some errors have rolled back already
            self._connection.execute("ROLLBACK")


def _insert(table: Table, rows: int) -> str:
    marks = "(" + ", ".join("?" * len(table.columns)) + ")"
    return f"INSERT INTO {table.name} ({table.names}) VALUES " + ", ".join([marks] * rows)  # noqa: S608


def missing_in_file(
    connection: sqlite3.Connection | sqlite3.Cursor, table: Table, lengths: Lengths
) -> list[str]:
    """Return the statements that add what a table lacks; it must exist."""
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    return [
        f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.sql_type(lengths)}"
        for column in table.columns
        if column.name not in known
    ]


def _inode(path: Path) -> int:
    """Return the number of the file, 0 when there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
