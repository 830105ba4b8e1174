"""The whole way of a row, with real greenlets, files and databases."""

import dataclasses
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import psycopg2
import psycopg2.extensions
import pytest

from afanasy_py.settings import Settings
from afanasy_py.stats import postgres, statistics
from afanasy_py.stats.outbox import FILE_NAME, Limits
from afanasy_py.stats.statistics import ALARM, RECOVERY, Statistics
from tests.stats.stats_helpers import JOB, LOG, TASK, Postgres, plain_waits, select, tasks, wait_until


class Clock:
    now = 1795490800.0

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Statistics]


@pytest.fixture
def announced() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(
    tmp_path: Path, announced: list[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """Makes statistics over one store; with short pauses."""
    for name, value in {"FLUSH_S": 0.01, "PAUSE_FIRST_S": 0.05, "PAUSE_MOST_S": 0.1, "IDLE_S": 0.1}.items():
        monkeypatch.setattr(statistics, name, value)
    made: list[Statistics] = []

    def make(conninfo: str = "", **options: Any) -> Statistics:
        one = Statistics(Settings(af_db_conninfo=conninfo), tmp_path, announced.append, clock, **options)
        made.append(one)
        one.start()
        return one

    with plain_waits():
        yield make
        for one in made:
            one.stop()


def in_file(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / FILE_NAME)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_without_postgresql_the_file_is_the_database(make: Make, tmp_path: Path) -> None:
    one = make()
    one.add([JOB, TASK])
    one.add([LOG])
    assert one.state()["buffered"] == 3
    wait_until(lambda: one.state()["written"] == 3)
    assert in_file(tmp_path, "SELECT * FROM tasks") == [dataclasses.astuple(TASK)]
    assert one.state() == {
        "backend": "sqlite",
        "connected": False,
        "file_works": True,
        "buffered": 0,
        "queued": 0,
        "written": 3,
        "shipped": 0,
        "dropped": 0,
        "refused": 0,
    }


def test_nosql_writes_nothing(make: Make, tmp_path: Path) -> None:
    one = make("host=nowhere", enabled=False)
    one.add([LOG])
    one.stop()
    assert one.state()["backend"] == "none"
    assert list(tmp_path.iterdir()) == []


def test_the_stop_writes_what_is_in_memory(make: Make, tmp_path: Path) -> None:
    one = make()
    one.add(tasks(3000))
    one.add([LOG])
    one.stop()
    one.stop()
    assert in_file(tmp_path, "SELECT count(*) FROM tasks") == [(3000,)]
    assert in_file(tmp_path, "SELECT info FROM logs") == [("Server shutdown.",)]


def test_the_buffer_is_bounded_and_what_is_dropped_counted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "BUFFER_MOST", 10)
    monkeypatch.setattr(statistics, "FLUSH_ROWS", 5)
    one = make()
    one.add(tasks(25))
    one.add(tasks(7))
    assert one.state()["buffered"] == 10
    assert one.state()["dropped"] == 22
    wait_until(lambda: one.state()["written"] == 10)


def test_rows_wait_while_the_file_cannot_be_written(make: Make, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    one = make()
    one.add([LOG])
    wait_until(lambda: not one.state()["file_works"])
    one.add([LOG])
    (tmp_path / FILE_NAME).rmdir()
    wait_until(lambda: one.state()["written"] == 2)
    assert one.state()["file_works"]
    assert in_file(tmp_path, "SELECT count(*) FROM logs") == [(2,)]


def test_old_rows_are_dropped_by_and_by(make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BOUNDS_S", 0.01)
    one = make(limits=Limits(age_s=100))
    one.add([LOG])
    wait_until(lambda: one.state()["written"] == 1)
    assert one.state()["dropped"] == 0
    clock.now += 1000
    wait_until(lambda: one.state()["dropped"] == 1)


def test_rows_arrive_in_postgresql_and_leave_the_file(make: Make, tmp_path: Path, conninfo: str) -> None:
    one = make(conninfo)
    one.add([JOB, TASK, LOG])
    wait_until(lambda: one.state()["shipped"] == 3)
    assert one.state()["connected"]
    assert one.state()["queued"] == 0
    assert select(conninfo, "SELECT * FROM tasks") == [dataclasses.astuple(TASK)]
    assert in_file(tmp_path, "SELECT count(*) FROM tasks") == [(0,)]


def test_moving_to_postgresql_ships_what_is_in_the_file(make: Make, conninfo: str) -> None:
    embedded = make()
    embedded.add(tasks(1234))
    embedded.stop()
    one = make(conninfo)
    wait_until(lambda: one.state()["shipped"] == 1234)
    assert select(conninfo, "SELECT count(*), sum(id_task) FROM tasks") == [(1234, sum(range(1234)))]


def test_the_last_row_is_shipped_at_the_stop(make: Make, conninfo: str) -> None:
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    one.add([LOG])
    one.stop()
    assert select(conninfo, "SELECT info FROM logs") == [("Server shutdown.",)]


def test_a_database_that_was_never_there_is_tried_again_without_alarm(
    make: Make, announced: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = make("host=127.0.0.1 port=1 dbname=x")
    one.add([LOG])
    wait_until(lambda: one.state()["queued"] == 1)
    wait_until(lambda: 'Database connection "AFDB_update" is not working.' in caplog.text)
    gevent.sleep(0.3)
    assert caplog.text.count("is not working") == 1
    one.stop()
    assert announced == []
    assert in_file(tmp_path, "SELECT count(*) FROM logs") == [(1,)]


class Faults:
    """Wraps connections; says when they break."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before_commit = self.after_commit = 0  # how many of the next ones break
        self.refuse_connections = False
        self._connect = postgres.connect
        monkeypatch.setattr(postgres, "connect", self.connect)

    def connect(self, *arguments: Any) -> "FaultyConnection":
        if self.refuse_connections:
            raise psycopg2.OperationalError("nobody there")
        return FaultyConnection(self, self._connect(*arguments))


class FaultyConnection:
    def __init__(self, faults: Faults, real: Any) -> None:
        self._faults = faults
        self._real = real
        self._shipped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def cursor(self) -> Any:
        cursor = self._real.cursor()
        outer = self

        class Cursor:
            def __getattr__(self, name: str) -> Any:
                return getattr(cursor, name)

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                cursor.close()

            def execute(self, statement: str, values: Any = None) -> None:
                outer._shipped = outer._shipped or statement.startswith("UPDATE")
                cursor.execute(statement, values)

        return Cursor()

    def commit(self) -> None:
        faults, shipped = self._faults, self._shipped
        self._shipped = False
        if shipped and faults.before_commit:
            faults.before_commit -= 1
            self._real.close()
            raise psycopg2.OperationalError("lost before the commit")
        self._real.commit()
        if shipped and faults.after_commit:
            faults.after_commit -= 1
            self._real.close()
            raise psycopg2.OperationalError("lost after the commit")


def test_a_connection_that_breaks_around_the_commit_neither_loses_nor_doubles(
    make: Make, conninfo: str, monkeypatch: pytest.MonkeyPatch, announced: list[str]
) -> None:
    faults = Faults(monkeypatch)
    one = make(conninfo)
    for step, (before, after) in enumerate([(1, 0), (0, 1), (3, 0), (0, 3), (2, 2)]):
        faults.before_commit, faults.after_commit = before, after
        for part in range(5):
            one.add(tasks(100, step * 500 + part * 100))
            gevent.sleep(0.02)
        wait_until(lambda: one.state()["queued"] == 0 == one.state()["buffered"])
    found = select(conninfo, "SELECT id_task FROM tasks ORDER BY id_task")
    assert found == [(task,) for task in range(2500)]


def test_a_crash_after_the_commit_does_not_double(
    make: Make, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the commit there and the deletion here."""
    faults = Faults(monkeypatch)
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    faults.after_commit, faults.refuse_connections = 1, True
    one.add(tasks(50))
    wait_until(lambda: not one.state()["connected"])
    one.stop()
    assert one.state()["queued"] == 50
    assert select(conninfo, "SELECT count(*) FROM tasks") == [(50,)]
    faults.refuse_connections = False
    later = make(conninfo)
    later.add(tasks(10, 50))
    wait_until(lambda: later.state()["shipped"] == 60)
    assert select(conninfo, "SELECT count(*), count(DISTINCT id_task) FROM tasks") == [(60, 60)]


def test_alarm_and_recovery_are_announced_as_by_the_original(
    make: Make, conninfo: str, monkeypatch: pytest.MonkeyPatch, announced: list[str], clock: Clock
) -> None:
    faults = Faults(monkeypatch)
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    faults.refuse_connections = True
    faults.before_commit = 1
    one.add([LOG])
    wait_until(lambda: announced == [ALARM])
    gevent.sleep(0.3)
    assert announced == [ALARM]
    clock.now += 61
    wait_until(lambda: announced == [ALARM, ALARM])
    faults.refuse_connections = False
    wait_until(lambda: announced == [ALARM, ALARM, RECOVERY])
    assert one.state()["connected"]
    assert select(conninfo, "SELECT count(*) FROM logs") == [(1,)]


def test_a_loss_is_noticed_without_rows(
    make: Make, conninfo: str, monkeypatch: pytest.MonkeyPatch, announced: list[str]
) -> None:
    faults = Faults(monkeypatch)
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    faults.refuse_connections = True
    select(
        conninfo, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='afserver'"
    )
    wait_until(lambda: announced == [ALARM])


def test_one_bad_row_does_not_stop_the_others(make: Make, conninfo: str, tmp_path: Path) -> None:
    with plain_waits():
        postgres.Database(postgres.connect(conninfo), "other", statistics.Lengths()).close()
    select(conninfo, "ALTER TABLE tasks ADD CHECK (id_task <> 777)")
    one = make(conninfo)
    one.add([*tasks(1500), JOB, LOG])
    wait_until(lambda: one.state()["shipped"] == 1501)
    assert one.state()["refused"] == 1
    assert one.state()["queued"] == 0
    assert select(conninfo, "SELECT count(*) FROM tasks") == [(1499,)]
    assert len(in_file(tmp_path, "SELECT * FROM afserver_refused")) == 1


def test_tables_that_somebody_dropped_are_made_again(make: Make, conninfo: str) -> None:
    one = make(conninfo)
    one.add([LOG])
    wait_until(lambda: one.state()["shipped"] == 1)
    select(conninfo, f"DROP TABLE jobs, tasks, logs, {postgres.MARKS}")
    one.add([LOG, TASK])
    wait_until(lambda: one.state()["shipped"] == 3)
    assert select(conninfo, "SELECT count(*) FROM logs") == [(1,)]


def test_a_slow_database_does_not_hold_the_stop_nor_the_others(
    make: Make, conninfo: str, tmp_path: Path
) -> None:
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    with plain_waits():
        blocker = psycopg2.connect(conninfo)
        blocker.cursor().execute("LOCK TABLE tasks")
    one.add(tasks(10))
    wait_until(lambda: one.state()["queued"] == 10)
    ticks = 0
    for _ in range(20):
        gevent.sleep(0.005)
        ticks += 1
    assert ticks == 20
    with gevent.Timeout(8):
        one.stop()
    blocker.close()
    assert in_file(tmp_path, "SELECT count(*) FROM tasks") == [(10,)]
    later = make(conninfo)
    wait_until(lambda: later.state()["shipped"] == 10)
    assert select(conninfo, "SELECT count(*) FROM tasks") == [(10,)]


def test_20000_rows_while_postgresql_is_killed_and_restarted(
    make: Make,
    private_postgres: Postgres,
    make_database: Callable[[str], str],
    announced: list[str],
) -> None:
    conninfo = make_database(private_postgres.conninfo)
    one = make(conninfo)
    wait_until(lambda: one.state()["connected"])
    for part in range(200):
        one.add(tasks(100, part * 100))
        gevent.sleep(0.005)
        if part in (60, 140):
            private_postgres.stop(signal.SIGKILL)
        if part in (100, 180):
            private_postgres.start()
    wait_until(lambda: one.state()["queued"] == 0 == one.state()["buffered"])
    found = select(conninfo, "SELECT count(*), count(DISTINCT id_task) FROM tasks")
    assert found == [(20_000, 20_000)]
    assert announced in ([ALARM, RECOVERY], [ALARM, RECOVERY] * 2)
    assert one.state()["dropped"] == 0
