"""The commands `db_*`."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from afanasy_py import afcmd_db
from afanasy_py.stats import postgres
from afanasy_py.stats.outbox import FILE_NAME
from afanasy_py.stats.schema import Lengths
from tests.stats.stats_helpers import plain_waits, select

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
NOWHERE = "host=127.0.0.1 port=1 dbname=x"


@pytest.fixture(autouse=True)
def blocking() -> Iterator[None]:
    with plain_waits():
        yield


def names(conninfo: str) -> list[str]:
    return [row[0] for row in select(conninfo, TABLES)]


def test_check_says_whether_the_connection_works(conninfo: str) -> None:
    assert afcmd_db.run("db_check", conninfo) == ("\nDatabase connection is working.\n", 0)
    text, code = afcmd_db.run("db_check", NOWHERE)
    assert text.startswith("AFERROR: afanasy.cmd.Check: Database connect failed: ")
    assert text.endswith("\nDatabase connection is NOT WORKING !\n")
    assert code == 1


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("db_reset_all", "ResetAll"),
        ("db_reset_jobs", "ResetJobs"),
        ("db_reset_tasks", "ResetTasks"),
        ("db_reset_logs", "ResetLogs"),
        ("db_updatetables", "UpdateTables"),
    ],
)
def test_failures_are_told_by_text_and_exit_code(command: str, name: str) -> None:
    text, code = afcmd_db.run(command, NOWHERE)
    assert text.startswith(f"AFERROR: afanasy.cmd.{name}: Database connect failed: ")
    assert code == 1


def test_every_command_has_help() -> None:
    assert all(help_text for _, _, help_text in afcmd_db.COMMANDS.values())


def test_reset_all_makes_our_tables_anew_and_leaves_others(conninfo: str) -> None:
    select(conninfo, "CREATE TABLE other (x int); CREATE TABLE tasks (y int)")
    assert afcmd_db.run("db_reset_all", conninfo) == ("DROP TABLE tasks CASCADE;\n", 0)
    assert names(conninfo) == ["jobs", "logs", "other", "tasks"]
    select(conninfo, "INSERT INTO tasks (serial) VALUES (1)")
    text, code = afcmd_db.run("db_reset_all", conninfo)
    assert text == "DROP TABLE jobs CASCADE;\nDROP TABLE tasks CASCADE;\nDROP TABLE logs CASCADE;\n"
    assert code == 0
    assert select(conninfo, "SELECT count(*) FROM tasks") == [(0,)]
    found = select(conninfo, "SELECT count(*) FROM pg_indexes WHERE tablename = 'tasks'")
    assert found == [(3,)]


def test_reset_all_drops_the_tables_of_others_when_told(conninfo: str) -> None:
    select(conninfo, 'CREATE TABLE other (x int); CREATE TABLE "My; Table" (x int); CREATE SCHEMA s')
    select(conninfo, "CREATE TABLE s.kept (x int)")
    text, code = afcmd_db.run("db_reset_all", conninfo, ["--all"])
    assert sorted(text.splitlines()) == ['DROP TABLE "My; Table" CASCADE;', "DROP TABLE other CASCADE;"]
    assert code == 0
    assert names(conninfo) == ["jobs", "logs", "tasks"]
    assert select(conninfo, "SELECT count(*) FROM s.kept") == [(0,)]


@pytest.mark.parametrize("name", ["jobs", "tasks", "logs"])
def test_reset_of_one_table_leaves_the_others(conninfo: str, name: str) -> None:
    afcmd_db.run("db_reset_all", conninfo)
    for table in ("jobs", "tasks", "logs"):
        select(conninfo, f"INSERT INTO {table} DEFAULT VALUES")
    assert afcmd_db.run(f"db_reset_{name}", conninfo) == ("", 0)
    counts = {
        table: select(conninfo, f"SELECT count(*) FROM {table}")[0][0] for table in ("jobs", "tasks", "logs")
    }
    assert counts == {"jobs": 1, "tasks": 1, "logs": 1} | {name: 0}


def test_updatetables_adds_what_is_missing_and_drops_nothing(conninfo: str) -> None:
    afcmd_db.run("db_reset_all", conninfo)
    select(
        conninfo, "ALTER TABLE jobs DROP COLUMN folder, ADD COLUMN mine int; ALTER TABLE tasks DROP serial"
    )
    select(conninfo, "DROP TABLE logs")
    shown = afcmd_db.run("db_updatetables", conninfo, ["x"])
    lines = shown[0].splitlines()
    assert lines[:2] == [
        "ALTER TABLE jobs ADD COLUMN folder varchar(512)",
        "ALTER TABLE tasks ADD COLUMN serial bigint DEFAULT 0",
    ]
    assert lines[2].startswith("CREATE TABLE IF NOT EXISTS logs (")
    assert names(conninfo) == ["jobs", "tasks"]
    assert afcmd_db.run("db_updatetables", conninfo) == shown
    assert afcmd_db.run("db_updatetables", conninfo) == ("", 0)
    assert select(conninfo, "SELECT mine, folder FROM jobs") == []


def test_tables_have_the_lengths_of_the_settings(conninfo: str) -> None:
    afcmd_db.run("db_reset_all", conninfo, lengths=Lengths(name=100, expr=200))
    with plain_waits():
        cursor = postgres.connect(conninfo).cursor()
        lengths = postgres.column_lengths(cursor, next(t for t in postgres.TABLES if t.name == "logs"))
    assert lengths == {"time": None, "subject": 100, "type": 100, "object": 100, "info": 200}


def test_a_reset_that_fails_changes_nothing(conninfo: str) -> None:
    afcmd_db.run("db_reset_all", conninfo)
    select(conninfo, "INSERT INTO jobs DEFAULT VALUES; CREATE VIEW seen AS SELECT * FROM jobs")
    text, code = afcmd_db.run("db_reset_jobs", conninfo)
    assert text.startswith("AFERROR: afanasy.cmd.ResetJobs: Failed: cannot drop table jobs")
    assert code == 1
    assert select(conninfo, "SELECT count(*) FROM seen") == [(1,)]


def test_without_a_connection_string_the_commands_work_on_the_file(tmp_path: Path) -> None:
    def run(command: str, *words: str) -> afcmd_db.Result:
        return afcmd_db.run(command, "", words, store_dir=tmp_path)

    assert run("db_check") == ("\nDatabase connection is working.\n", 0)
    assert run("db_reset_all") == ("", 0)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("INSERT INTO logs (info) VALUES ('x')")
    connection.execute("ALTER TABLE jobs DROP COLUMN folder")
    connection.commit()
    assert run("db_reset_jobs") == ("", 0)
    assert connection.execute("SELECT count(*) FROM logs").fetchone() == (1,)
    connection.execute("ALTER TABLE logs DROP COLUMN type")
    assert run("db_updatetables") == ("ALTER TABLE logs ADD COLUMN type varchar(512)\n", 0)
    assert run("db_reset_all")[0].count("DROP TABLE") == 3
    assert connection.execute("SELECT count(*) FROM logs").fetchone() == (0,)
    connection.close()
    (tmp_path / FILE_NAME).write_bytes(b"broken" * 1000)
    assert run("db_check")[1] == 1
