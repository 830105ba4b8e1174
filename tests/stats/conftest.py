"""A PostgreSQL for tests: the one that AFSERVER_TEST_PG names, else a private one, else skip."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from tests.stats.stats_helpers import Postgres, plain_waits

NAMES = count(1)


def find_binaries() -> Path | None:
    """Return the folder of `initdb`, which Debian keeps out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    in_path = shutil.which("initdb")
    return found[-1].parent if found else Path(in_path).parent if in_path else None


def runner() -> list[str] | None:
    """Return the words before a command that must not run as root; None: cannot be done."""
    if os.geteuid() != 0:
        return []
    known = subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode == 0
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if known else None


@pytest.fixture(scope="session")
def private_postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test run, which may be killed."""
    binaries, prefix = find_binaries(), runner()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    if prefix is None:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="afserver_pg_"))
    if prefix:
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(binaries, prefix, folder, port)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_conninfo(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("AFSERVER_TEST_PG")
    if given:
        return given
    server: Postgres = request.getfixturevalue("private_postgres")
    return server.conninfo


@pytest.fixture
def make_database() -> Iterator[Callable[[str], str]]:
    """Makes empty databases in a server; returns their connection strings."""
    made: list[tuple[str, str]] = []

    def make(conninfo: str) -> str:
        name = f"afserver_test_{os.getpid()}_{next(NAMES)}"
        execute_alone(conninfo, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        made.append((conninfo, name))
        return psycopg2.extensions.make_dsn(conninfo, dbname=name)

    yield make
    for conninfo, name in made:
        execute_alone(conninfo, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def execute_alone(conninfo: str, statement: str) -> None:
    with plain_waits():
        connection: Any = psycopg2.connect(conninfo)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


@pytest.fixture
def conninfo(postgres_conninfo: str, make_database: Callable[[str], str]) -> str:
    """The connection string of an empty database."""
    return make_database(postgres_conninfo)
