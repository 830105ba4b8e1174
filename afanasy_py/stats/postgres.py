"""The statistics tables in PostgreSQL: making them, and storing batches exactly once.

Plain calls of psycopg2, which block; in the server they run in a greenlet and `cooperate` makes the waits
give way to others. `afcmd` uses the same calls as they are.
"""

import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.extensions

from afanasy_py.stats.outbox import Batch
from afanasy_py.stats.schema import TABLES, Lengths, Table

log = logging.getLogger(__name__)

#: What connections get unless the connection string says otherwise: a dead peer is noticed after a minute.
DEFAULTS = {
    "application_name": "afserver",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
#: Which batch came last from which outbox; `source` and `last_batch` are random names made there.
MARKS = "afserver_outbox"
CREATE_MARKS = f"CREATE TABLE IF NOT EXISTS {MARKS} (source varchar(64) PRIMARY KEY, last_batch varchar(64))"

Resolve = Callable[[str], list[str]]


class RefusedError(Exception):
    """The database will never take these rows as they are; nothing of the batch was stored."""


def cooperate() -> None:
    """Let all waits of psycopg2 in this process switch greenlets."""
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()


def addresses(host: str, getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo) -> list[str]:
    """Return the addresses of a host.

    Raises:
        OSError: It has none, or they cannot be found out now.
    """
    found = getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parameters(conninfo: str, resolve: Resolve = addresses) -> dict[str, str]:
    """Return what to connect with: the connection string, what it leaves open, and addresses of its hosts.

    libpq looks up names by itself, and blocks the whole process meanwhile.

    Args:
        conninfo: Connection string of libpq, words or URI.
        resolve: Finds the addresses of a host.

    Raises:
        psycopg2.Error: The string is not understood.
        OSError: No host of it has an address.
    """
    given = psycopg2.extensions.parse_dsn(conninfo)
    if "service" not in given and "hostaddr" not in given:
        given.update(_resolved(given, resolve))
    return {**DEFAULTS, **given}


def _resolved(given: dict[str, str], resolve: Resolve) -> dict[str, str]:
    hosts = (given.get("host") or os.environ.get("PGHOST", "")).split(",")
    ports = (given.get("port") or os.environ.get("PGPORT", "")).split(",")
    if os.environ.get("PGHOSTADDR") or not any(_is_name(host) for host in hosts):
        return {}
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(ports) != len(hosts):
        return {}  # libpq says what is wrong
    found: list[tuple[str, str, str]] = []  # host, its address, port
    failure: OSError | None = None
    for host, port in zip(hosts, ports, strict=True):
        try:
            found += [(host, address, port) for address in (resolve(host) if _is_name(host) else [""])]
        except OSError as error:
            failure = error
    if failure is not None and not found:
        raise OSError(f"no address of {','.join(hosts)}: {failure}")
    names, numbers, ports = (list(column) for column in zip(*found, strict=True))
    return {"host": ",".join(names), "hostaddr": ",".join(numbers), "port": ",".join(ports)}


def _is_name(host: str) -> bool:
    """Whether a host is no folder of a Unix socket; empty is the default one."""
    return bool(host) and not host.startswith(("/", "@"))


def connect(conninfo: str, resolve: Resolve = addresses) -> Any:
    """Return a connection.

    Raises:
        psycopg2.Error: Anything the database has against it.
        OSError: The host has no address.
    """
    return psycopg2.connect(**parameters(conninfo, resolve))


def missing_columns(cursor: Any, table: Table, lengths: Lengths) -> list[str]:
    """Return the statements that add what a table lacks; it must exist.

    Tables that an older server made lack columns, and columns of others are none of our business.
    """
    known = column_lengths(cursor, table)
    return [
        f"ALTER TABLE {table.name} ADD COLUMN {column.name} {column.sql_type(lengths)}"
        for column in table.columns
        if column.name not in known
    ]


def column_lengths(cursor: Any, table: Table) -> dict[str, int | None]:
    """Return {column: most characters of it, None where there is no limit}; empty: no such table."""
    cursor.execute(
        "SELECT attname, CASE WHEN atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND atttypmod > 4"
        " THEN atttypmod - 4 END FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (table.name,),
    )
    return dict(cursor.fetchall())


class Database:
    """A connection that stores batches. Any error but `RefusedError` means: close it, connect again later."""

    def __init__(self, connection: Any, source: str, lengths: Lengths) -> None:
        """Make ready what is missing.

        Args:
            connection: Of psycopg2; closed here when it cannot be used.
            source: Name of the outbox.
            lengths: For tables that are made.

        Raises:
            psycopg2.Error: The role may not do it, or the connection is gone.
        """
        self._connection = connection
        self._source = source
        try:
            with connection.cursor() as cursor:
                self._inserts = {table.name: self._prepare(cursor, table, lengths) for table in TABLES}
                cursor.execute("SELECT to_regclass(%s)", (MARKS,))
                if cursor.fetchone()[0] is None:
                    cursor.execute(CREATE_MARKS)
                cursor.execute(f"INSERT INTO {MARKS} VALUES (%s, NULL) ON CONFLICT DO NOTHING", (source,))  # noqa: S608
            connection.commit()
            self._make_indexes()
        except BaseException:
            connection.close()
            raise

    def _prepare(self, cursor: Any, table: Table, lengths: Lengths) -> str:
        """Make a table as it has to be; return the statement that inserts a JSON list of rows."""
        if not column_lengths(cursor, table):
            log.info("statistics: table made: %s", table.name)
            cursor.execute(table.create(lengths))
        for statement in missing_columns(cursor, table, lengths):
            log.info("statistics: %s", statement)
            cursor.execute(statement)
        found = column_lengths(cursor, table)
        values = []
        for number, column in enumerate(table.columns):
            length = found.get(column.name)
            value = f"row ->> {number}"
            if not column.is_text:
                value = f"({value})::bigint"
            elif length is not None:  # it may be shorter than the settings say
                value = f"left({value}, {length})"
            values.append(value)
        return (
            f"INSERT INTO {table.name} ({table.names}) SELECT {', '.join(values)}"  # noqa: S608
            " FROM jsonb_array_elements(%s::jsonb) AS rows(row)"
        )

    def _make_indexes(self) -> None:
        """Make the indexes that are missing, if the role may: only the owner of a table can."""
        for table in TABLES:
            for statement in table.create_indexes():
                try:
                    with self._connection.cursor() as cursor:
                        cursor.execute(statement)
                    self._connection.commit()
                except (psycopg2.ProgrammingError, psycopg2.NotSupportedError) as error:
                    self._connection.rollback()
                    log.info("statistics: no index: %s", str(error).strip())
                    return

    def ship(self, batch: Batch) -> None:
        """Store a batch, unless it has been stored already.

        The row of this outbox is locked first. So the transaction of a connection that was lost in its
        COMMIT has ended when we look whether the batch is there.

        Raises:
            RefusedError: A value does not fit; nothing was stored, and the connection can still be used.
            psycopg2.Error: Nobody knows whether it was stored.
        """
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT last_batch FROM {MARKS} WHERE source = %s FOR UPDATE", (self._source,))  # noqa: S608
            found = cursor.fetchone()
            if found is None:
                raise psycopg2.OperationalError(f"somebody deleted our row of {MARKS}")
            if found[0] == batch.token:
                self._connection.rollback()
                return
            try:
                for name, rows in batch.rows.items():
                    cursor.execute(self._inserts[name], (rows,))
            except (psycopg2.DataError, psycopg2.IntegrityError) as error:
                self._connection.rollback()
                raise RefusedError(str(error).strip()) from error
            cursor.execute(
                f"UPDATE {MARKS} SET last_batch = %s WHERE source = %s",  # noqa: S608
                (batch.token, self._source),
            )
        self._connection.commit()

    def check(self) -> None:
        """Ask for a sign of life.

        Raises:
            psycopg2.Error: There is none.
        """
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self._connection.commit()

    def close(self) -> None:
        """Close the connection; never waits."""
        self._connection.close()
