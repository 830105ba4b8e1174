"""The `db_*` commands of `afcmd`: they talk to the statistics database themselves, not to the server.

Texts are those of the original. Unlike there, the exit code tells failure, `db_reset_all` drops our own
tables only unless told `--all`, and `db_updatetables` makes missing tables and never drops a column.

With an empty connection string the commands work on the file of the embedded database.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

from afanasy_py.stats import postgres
from afanasy_py.stats.outbox import BUSY_TIMEOUT_S, FILE_NAME, missing_in_file
from afanasy_py.stats.schema import TABLES, Lengths, Table

#: What a command prints, and its exit code.
Result = tuple[str, int]

WORKING = "\nDatabase connection is working.\n"
NOT_WORKING = "\nDatabase connection is NOT WORKING !\n"
#: The option that makes `db_reset_all` do what it does in the original: drop the tables of others, too.
ALL = "--all"


class _Target:
    """A database with a transaction open; `lines` is what the command prints."""

    def __init__(self, cursor: Any, lengths: Lengths, *, is_file: bool) -> None:
        self._cursor = cursor
        self._lengths = lengths
        self._is_file = is_file
        self.lines: list[str] = []

    def make(self, table: Table) -> None:
        """Make a table that is not there, with its indexes."""
        self._cursor.execute(table.create(self._lengths))
        for statement in table.create_indexes():
            self._cursor.execute(statement)

    def reset(self, table: Table) -> None:
        """Make a table anew; nothing is printed, as in the original."""
        self._cursor.execute(f"DROP TABLE IF EXISTS {table.name}")
        self.make(table)

    def drop(self, name: str) -> None:
        """Drop a table with what depends on it, and print it."""
        self.lines.append(f"DROP TABLE {name} CASCADE;")
        self._cursor.execute(f"DROP TABLE {name}" if self._is_file else self.lines[-1])

    def present(self) -> list[str]:
        """Return all tables of schema public, quoted where they need it."""
        if self._is_file:
            return [table.name for table in TABLES if self._has(table)]
        self._cursor.execute(
            "SELECT quote_ident(relname) FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        return [row[0] for row in self._cursor.fetchall()]

    def _has(self, table: Table) -> bool:
        if self._is_file:
            self._cursor.execute("SELECT name FROM sqlite_master WHERE name = ?", (table.name,))
            return self._cursor.fetchone() is not None
        return bool(postgres.column_lengths(self._cursor, table))

    def reset_all(self, *, foreign: bool) -> None:
        """Drop our tables, or all that there are, and make ours."""
        names = self.present() if foreign else [table.name for table in TABLES if self._has(table)]
        for name in names:
            self.drop(name)
        for table in TABLES:
            self.make(table)

    def update(self, *, show_only: bool) -> None:
        """Add what is missing, or just print it."""
        for table in TABLES:
            if not self._has(table):
                self.lines.append(table.create(self._lengths))
                if not show_only:
                    self.make(table)
                continue
            missing = (
                missing_in_file(self._cursor, table, self._lengths)
                if self._is_file
                else postgres.missing_columns(self._cursor, table, self._lengths)
            )
            for statement in missing:
                self.lines.append(statement)
                if not show_only:
                    self._cursor.execute(statement)


@contextmanager
def _opened(conninfo: str, store_dir: Path | None, lengths: Lengths) -> Iterator[_Target]:
    """Open a database; what is done is committed at the end if nothing fails."""
    if conninfo.strip() or store_dir is None:
        connection = postgres.connect(conninfo)
    else:
        store_dir.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(store_dir / FILE_NAME, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield _Target(connection.cursor(), lengths, is_file=isinstance(connection, sqlite3.Connection))
        connection.commit()
    finally:
        connection.close()


Work = Callable[[_Target, Sequence[str]], None]


def _reset(name: str) -> Work:
    table = next(table for table in TABLES if table.name == name)
    return lambda target, _words: target.reset(table)


#: {command: (name of its connection in error texts, what it does, help)}
COMMANDS: dict[str, tuple[str, Work, str]] = {
    "db_check": ("afanasy.cmd.Check", lambda _target, _words: None, "Check database connection."),
    "db_reset_all": (
        "afanasy.cmd.ResetAll",
        lambda target, words: target.reset_all(foreign=ALL in words),
        f"Reset (create) all statistics tables; with {ALL} drop all other tables of the database, too.",
    ),
    "db_reset_jobs": ("afanasy.cmd.ResetJobs", _reset("jobs"), "Reset (create) jobs statistics table."),
    "db_reset_logs": ("afanasy.cmd.ResetLogs", _reset("logs"), "Reset (create) logs statistics table."),
    "db_reset_tasks": ("afanasy.cmd.ResetTasks", _reset("tasks"), "Reset (create) tasks statistics table."),
    "db_updatetables": (
        "afanasy.cmd.UpdateTables",
        lambda target, words: target.update(show_only=bool(words)),
        "Add tables and columns that are missing; with any argument only show it.",
    ),
}


def run(
    command: str,
    conninfo: str,
    words: Sequence[str] = (),
    *,
    lengths: Lengths = Lengths(),  # noqa: B008 - frozen
    store_dir: Path | None = None,
) -> Result:
    """Carry out a command.

    Args:
        command: A key of `COMMANDS`.
        conninfo: `af_db_conninfo`; empty: the file in `store_dir`.
        words: Further arguments.
        lengths: `af_db_stringnamelen` and `af_db_stringexprlen`.
        store_dir: `af_store_folder`; None: an empty `conninfo` means the defaults of libpq.

    Returns:
        What to print, and the exit code: 0, or 1 when it failed and nothing was changed.
    """
    name, work, _ = COMMANDS[command]
    opened = False
    try:
        with _opened(conninfo, store_dir, lengths) as target:
            opened = True
            work(target, words)
    except (psycopg2.Error, sqlite3.Error, OSError) as error:
        what = "Failed" if opened else "Database connect failed"
        text = f"AFERROR: {name}: {what}: {str(error).strip()}\n"
        return text + (NOT_WORKING if command == "db_check" else ""), 1
    return (WORKING if command == "db_check" else "".join(f"{line}\n" for line in target.lines)), 0
