"""The SQLite file."""

import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from afanasy_py.stats.outbox import INSERT_ROWS, Limits, Outbox
from afanasy_py.stats.schema import TABLES, Fitting, Lengths
from afanasy_py.stats_rows import StatsRow
from tests.stats.stats_helpers import JOB, LOG, TASK, tasks

FITTING = Fitting(Lengths())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "statistics.sqlite3"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    box = make(path)
    yield box
    box.close()


def make(path: Path, limits: Limits = Limits(), *, with_indexes: bool = False) -> Outbox:  # noqa: B008 - frozen
    return Outbox(path, Lengths(), limits, with_indexes=with_indexes)


def write(box: Outbox, *rows: StatsRow) -> None:
    box.write(FITTING.by_table(rows))


def read(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_rows_arrive_as_they_are_in_the_columns_of_the_original(outbox: Outbox, path: Path) -> None:
    nasty = dataclasses.replace(TASK, jobname="inj$$,$$x$$);DROP TABLE logs;--", command="it's \"\\\" 'я'\0")
    write(outbox, JOB, nasty, LOG)
    assert read(path, "SELECT * FROM jobs") == [dataclasses.astuple(JOB)]
    expected = dataclasses.replace(nasty, command="it's \"\\\" 'я'")
    assert read(path, "SELECT * FROM tasks") == [dataclasses.astuple(expected)]
    assert read(path, "SELECT * FROM logs") == [dataclasses.astuple(LOG)]
    columns = {table.name: [column.name for column in table.columns] for table in TABLES}
    for name, names in columns.items():
        assert [row[0] for row in read(path, f"SELECT name FROM pragma_table_info('{name}')")] == names


@pytest.mark.parametrize("number", [1, 15, 16, 17, 127, 128, 145, 500])
def test_any_number_of_rows_is_written_in_order(outbox: Outbox, path: Path, number: int) -> None:
    assert min(INSERT_ROWS) == 1
    write(outbox, *tasks(number))
    assert read(path, "SELECT id_task FROM tasks ORDER BY rowid") == [(task,) for task in range(number)]
    assert outbox.queued == number


def test_a_failed_write_leaves_nothing(outbox: Outbox, path: Path) -> None:
    rows = FITTING.by_table([*tasks(3), LOG])
    rows["logs"].append((object(),) * 5)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        outbox.write(rows)
    assert read(path, "SELECT count(*) FROM tasks") == [(0,)]
    write(outbox, LOG)
    assert outbox.queued == 1


def test_batches_bring_each_row_once(outbox: Outbox) -> None:
    write(outbox, *tasks(25), JOB, LOG)
    seen: list[object] = []
    while (batch := outbox.next_batch(10)) is not None:
        assert batch.count <= 10
        again = outbox.next_batch(3)
        assert again == batch, "a batch on its way stays the same"
        seen += [row for text in batch.rows.values() for row in json.loads(text)]
        outbox.done(batch)
        write(outbox, *(tasks(1, 100) if len(seen) == 10 else []))
    assert len(seen) == 28
    assert seen[0] == list(dataclasses.astuple(JOB))
    assert outbox.queued == 0
    assert sum(outbox.counts().values()) == 0


def test_a_batch_survives_the_process(path: Path, outbox: Outbox) -> None:
    write(outbox, *tasks(5))
    batch = outbox.next_batch(2)
    source = outbox.source()
    outbox.close()
    later = make(path)
    assert later.next_batch(5) == batch
    assert later.source() == source
    assert later.queued == 5
    later.close()


def test_rows_written_meanwhile_are_not_deleted_with_the_batch(outbox: Outbox) -> None:
    write(outbox, *tasks(2))
    batch = outbox.next_batch()
    write(outbox, *tasks(3, 2))
    assert batch is not None
    outbox.done(batch)
    rest = outbox.next_batch()
    assert rest is not None
    assert [row[2] for row in json.loads(rest.rows["tasks"])] == [2, 3, 4]


def test_a_batch_that_was_given_up_comes_again_with_another_token(outbox: Outbox) -> None:
    write(outbox, *tasks(4))
    batch = outbox.next_batch()
    assert batch is not None
    outbox.give_up(batch)
    smaller = outbox.next_batch(2)
    assert smaller is not None
    assert smaller.count == 2
    assert smaller.token != batch.token


def test_refused_rows_are_kept_aside(outbox: Outbox, path: Path) -> None:
    write(outbox, LOG)
    batch = outbox.next_batch(1)
    assert batch is not None
    outbox.refuse(batch, "because")
    assert outbox.next_batch() is None
    [(name, row, reason)] = read(path, "SELECT * FROM afserver_refused")
    assert (name, json.loads(str(row)), reason) == ("logs", list(dataclasses.astuple(LOG)), "because")


def test_rows_that_are_too_old_are_dropped(path: Path) -> None:
    box = make(path, Limits(age_s=1000))
    write(box, *tasks(3), dataclasses.replace(TASK, time_done=TASK.time_done + 900), LOG)
    assert box.drop_old(TASK.time_done + 1001.0) == 4
    assert box.queued == 1
    assert box.drop_old(TASK.time_done + 1001.0) == 0
    box.close()


def test_the_oldest_rows_are_dropped_when_the_file_is_too_big(path: Path) -> None:
    box = make(path, Limits(size_bytes=100_000))
    write(box, *[dataclasses.replace(row, command="x" * 1000) for row in tasks(200)])
    dropped = [box.drop_old(TASK.time_done) for _ in range(200)]
    left = [row[0] for row in read(path, "SELECT id_task FROM tasks ORDER BY rowid")]
    assert dropped[-1] == 0
    assert left == list(range(200 - len(left), 200))
    assert 20 < len(left) < 100
    assert box.queued == len(left)
    box.shrink()
    box.close()


def test_rows_on_their_way_are_not_dropped(path: Path) -> None:
    box = make(path, Limits(age_s=10))
    write(box, *tasks(10))
    batch = box.next_batch(4)
    assert box.drop_old(TASK.time_done + 100.0) == 6
    assert box.next_batch() == batch
    box.close()


def test_room_is_given_back_after_an_outage(outbox: Outbox, path: Path) -> None:
    write(outbox, *[dataclasses.replace(row, command="x" * 4000) for row in tasks(400)])
    outbox.open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = path.stat().st_size
    while (batch := outbox.next_batch()) is not None:
        outbox.done(batch)
    outbox.shrink()
    outbox.open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert path.stat().st_size < before / 4


def test_a_deleted_file_is_made_again(outbox: Outbox, path: Path) -> None:
    write(outbox, LOG)
    for file in path.parent.iterdir():
        file.unlink()
    write(outbox, LOG, LOG)
    assert read(path, "SELECT count(*) FROM logs") == [(2,)]
    assert outbox.queued == 2


def test_a_broken_file_is_kept_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 1000)
    box = make(path)
    write(box, LOG)
    assert read(path, "SELECT count(*) FROM logs") == [(1,)]
    [kept] = path.parent.glob("*.broken-*")
    assert kept.read_bytes().startswith(b"this is no database")
    box.close()


def test_columns_that_are_missing_are_added_and_others_stay(path: Path) -> None:
    path.parent.mkdir()
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE logs (time bigint, subject text, mine text)")
    old.execute("INSERT INTO logs VALUES (1, 'old', 'mine')")
    old.commit()
    old.close()
    box = make(path, with_indexes=True)
    write(box, LOG)
    box.close()
    assert read(path, "SELECT time, subject, mine, info FROM logs") == [
        (1, "old", "mine", None),
        (LOG.time, LOG.subject, None, LOG.info),
    ]


def test_the_statistics_database_has_indexes_and_the_outbox_none(path: Path, tmp_path: Path) -> None:
    for file, with_indexes in ((path, False), (tmp_path / "other", True)):
        box = make(file, with_indexes=with_indexes)
        write(box, LOG)
        box.close()
        found = read(file, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        assert len(found) == (7 if with_indexes else 0)


def test_readers_do_not_stop_the_writer(outbox: Outbox, path: Path) -> None:
    write(outbox, LOG)
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM logs").fetchone() == (1,)
    write(outbox, LOG)
    assert reader.execute("SELECT count(*) FROM logs").fetchone() == (1,)
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM logs").fetchone() == (2,)
    reader.close()
