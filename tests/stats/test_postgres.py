"""Making tables and storing batches in a real PostgreSQL."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afanasy_py.stats import postgres
from afanasy_py.stats.outbox import Batch
from afanasy_py.stats.schema import TABLES, Fitting, Lengths, clean_text
from afanasy_py.stats_rows import StatsRow
from tests.stats.stats_helpers import JOB, LOG, TASK, plain_waits, select

SHORT = Lengths(name=512, expr=4096)


@pytest.fixture(autouse=True)
def blocking() -> Iterator[None]:
    with plain_waits():
        yield


def open_database(conninfo: str, source: str = "a", lengths: Lengths = SHORT) -> postgres.Database:
    return postgres.Database(postgres.connect(conninfo), source, lengths)


def make_batch(token: str, *rows: StatsRow) -> Batch:
    texts = {name: json.dumps(cells) for name, cells in Fitting(SHORT).by_table(rows).items()}
    return Batch(token, texts, {}, len(rows))


def test_missing_tables_are_those_of_the_original(conninfo: str) -> None:
    open_database(conninfo).close()
    for table in TABLES:
        found = select(
            conninfo,
            "SELECT column_name, data_type, character_maximum_length, column_default"
            " FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            (table.name,),
        )
        expected: list[tuple[Any, ...]] = [
            (column.name, "character varying", column.length(SHORT), None)
            if column.is_text
            else (column.name, "bigint" if column.bits == 64 else "integer", None, "0")
            for column in table.columns
        ]
        assert found == expected


def test_rows_arrive_as_they_are(conninfo: str) -> None:
    nasty = dataclasses.replace(
        TASK,
        jobname="inj$$,$$x$$);DROP TABLE logs;--",
        blockname="b $ at end$",
        annotation="it's \"quoted\" \\ \\' \\x41 %s %(a)s ? :x",
        command="я" * 4000 + "\n\t\x01\x7f\u2028😀",
        serial=2**62,
    )
    database = open_database(conninfo)
    database.ship(make_batch("1", JOB, nasty, LOG))
    database.close()
    assert select(conninfo, "SELECT * FROM jobs") == [dataclasses.astuple(JOB)]
    assert select(conninfo, "SELECT * FROM tasks") == [dataclasses.astuple(nasty)]
    assert select(conninfo, "SELECT * FROM logs") == [dataclasses.astuple(LOG)]


def test_any_text_arrives_as_it_was_cleaned(conninfo: str) -> None:
    database = open_database(conninfo)
    tokens = iter(range(10_000))

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(max_size=600), st.binary(max_size=40))
    def check(text: str, raw: bytes) -> None:
        token = str(next(tokens))
        undecoded = raw.decode("utf-8", "surrogateescape")
        row = dataclasses.replace(LOG, subject=text, info=undecoded, object=token)
        database.ship(make_batch(token, row))
        [found] = select(conninfo, "SELECT subject, info FROM logs WHERE object = %s", (token,))
        assert found == (clean_text(text, 512), clean_text(undecoded, 4096))

    check()
    database.close()


def test_a_batch_is_stored_once_whoever_brings_it(conninfo: str) -> None:
    batch = make_batch("same", LOG)
    first = open_database(conninfo)
    first.ship(batch)
    first.ship(batch)
    first.close()
    again = open_database(conninfo)
    again.ship(batch)
    assert select(conninfo, "SELECT count(*) FROM logs") == [(1,)]
    again.ship(make_batch("next", LOG))
    again.close()
    other = open_database(conninfo, source="b")
    other.ship(make_batch("same", LOG))
    other.close()
    assert select(conninfo, "SELECT count(*) FROM logs") == [(3,)]


def test_a_value_that_does_not_fit_is_refused_and_nothing_of_the_batch_stored(conninfo: str) -> None:
    database = open_database(conninfo)
    select(conninfo, "ALTER TABLE logs ADD CHECK (subject <> 'bad')")
    select(conninfo, "ALTER TABLE tasks ALTER capacity TYPE smallint")
    with pytest.raises(postgres.RefusedError, match="logs_subject_check"):
        database.ship(make_batch("1", LOG, dataclasses.replace(LOG, subject="bad")))
    with pytest.raises(postgres.RefusedError, match="smallint out of range"):
        database.ship(make_batch("2", LOG, dataclasses.replace(TASK, capacity=100_000)))
    database.ship(make_batch("3", LOG, TASK))
    database.close()
    assert select(conninfo, "SELECT count(*) FROM logs") == [(1,)]


def test_tables_of_an_older_server_get_what_they_lack(conninfo: str) -> None:
    select(conninfo, "CREATE TABLE logs (mine text DEFAULT 'kept', time bigint, info varchar(4))")
    select(conninfo, "INSERT INTO logs VALUES ('old', 1, 'abc')")
    database = open_database(conninfo)
    database.ship(make_batch("1", LOG))
    database.close()
    assert select(conninfo, "SELECT mine, time, info, subject FROM logs ORDER BY time") == [
        ("old", 1, "abc", None),
        ("kept", LOG.time, LOG.info[:4], LOG.subject),
    ]


def test_tables_are_found_along_the_search_path(conninfo: str) -> None:
    select(conninfo, "CREATE SCHEMA farm")
    options = psycopg2.extensions.make_dsn(conninfo, options="-c search_path=farm,public")
    open_database(options).close()
    database = open_database(options)
    database.ship(make_batch("1", LOG))
    database.close()
    assert select(conninfo, "SELECT count(*) FROM farm.logs") == [(1,)]


def test_a_role_that_may_only_insert_is_enough(conninfo: str) -> None:
    open_database(conninfo).close()
    for table in TABLES:
        for statement in table.create_indexes():
            select(conninfo, "DROP INDEX " + statement.split()[5])
    role = "afserver_test_writer_" + psycopg2.extensions.parse_dsn(conninfo)["dbname"]
    select(conninfo, f"CREATE ROLE {role} LOGIN")
    select(conninfo, f"GRANT INSERT ON jobs, tasks, logs TO {role}")
    select(conninfo, f"GRANT INSERT, SELECT, UPDATE ON {postgres.MARKS} TO {role}")
    try:
        database = open_database(psycopg2.extensions.make_dsn(conninfo, options=f"-c role={role}"))
        database.ship(make_batch("1", LOG))
        database.close()
    finally:
        select(conninfo, f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert select(conninfo, "SELECT count(*) FROM logs") == [(1,)]


def test_the_transaction_of_a_lost_connection_is_waited_for(conninfo: str) -> None:
    """A batch whose COMMIT is still under way in another session is not stored a second time."""
    open_database(conninfo).close()
    batch = make_batch("slow", LOG)
    lost = psycopg2.connect(conninfo)
    cursor = lost.cursor()
    cursor.execute(f"UPDATE {postgres.MARKS} SET last_batch = 'slow' WHERE source = 'a'")
    cursor.execute("INSERT INTO logs (info) VALUES ('by the lost one')")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        open_database(psycopg2.extensions.make_dsn(conninfo, options="-c lock_timeout=50")).ship(batch)
    lost.commit()
    lost.close()
    database = open_database(conninfo)
    database.ship(batch)
    database.close()
    assert select(conninfo, "SELECT info FROM logs") == [("by the lost one",)]


NAMES = {"db1": ["10.0.0.1", "fd00::1"], "db2": ["10.0.0.2"]}


def resolve(host: str) -> list[str]:
    if host not in NAMES:
        raise OSError("unknown")
    return NAMES[host]


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("host=db2 port=5433", {"host": "db2", "hostaddr": "10.0.0.2", "port": "5433"}),
        ("host=db1", {"host": "db1,db1", "hostaddr": "10.0.0.1,fd00::1", "port": ","}),
        (
            "postgresql://u:p%40@db1:1,nosuch:2,db2:3/x",
            {
                "host": "db1,db1,db2",
                "hostaddr": "10.0.0.1,fd00::1,10.0.0.2",
                "port": "1,1,3",
                "password": "p@",
            },
        ),
        ("host=/run/postgresql", {"host": "/run/postgresql", "hostaddr": None}),
        ("host=db1 hostaddr=1.2.3.4", {"host": "db1", "hostaddr": "1.2.3.4"}),
        ("dbname=x", {"host": None, "hostaddr": None, "dbname": "x", "application_name": "afserver"}),
        ("application_name=mine connect_timeout=3", {"application_name": "mine", "connect_timeout": "3"}),
    ],
)
def test_hosts_are_looked_up_before_libpq_would(
    monkeypatch: pytest.MonkeyPatch, conninfo: str, expected: dict[str, str | None]
) -> None:
    for name in ("PGHOST", "PGPORT", "PGHOSTADDR"):
        monkeypatch.delenv(name, raising=False)
    found = postgres.parameters(conninfo, resolve)
    assert {key: found.get(key) for key in expected} == expected


def test_what_the_environment_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db2")
    monkeypatch.setenv("PGPORT", "7777")
    found = postgres.parameters("dbname=x", resolve)
    assert (found["host"], found["hostaddr"], found["port"]) == ("db2", "10.0.0.2", "7777")


def test_a_host_without_address_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="no address of nosuch: unknown"):
        postgres.parameters("host=nosuch", resolve)
    with pytest.raises(psycopg2.ProgrammingError):
        postgres.parameters("nonsense", resolve)
