"""Rows of a real server, from the request of a client to both databases: hostile texts, and a killed PostgreSQL."""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.msg.types import TaskStatus
from afanasy_py.stats.outbox import FILE_NAME
from afanasy_py.stats.statistics import ALARM, RECOVERY
from tests.stats.stats_helpers import Postgres, select
from tests.stats.wire_farm import WireFarm, WireHost

pytestmark = pytest.mark.e2e

START = 1_790_000_000
CYRILLIC = "Яблоко" * 667  # 4,002 letters, 8,004 bytes
TEXTS = {
    "dollars": "echo $$HOME $$ $1 x$",
    "quotes": "it's \"quoted\" ''twice'' `x` $q$body$q$",
    "backslashes": "C:\\new\\table \\' \\\\ \\",
    "nul": "before\0after",
    "cyrillic": CYRILLIC,
    "odd cut": "x" + CYRILLIC,
    "emoji": "\N{GRINNING FACE}" * 600,
    "drop in dollars": "inj$$,$$x$$);DROP TABLE jobs;--",
    "drop in quotes": "'); DROP TABLE tasks; --",
    "formats": "%s %(a)s {} {0} :name ? %% \n\t\r",
    "literals": "NULL",
}
#: Parts of a job that may be of any length; names of jobs are of 200 bytes at most.
NAME_LETTERS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WireFarm]:
    conninfo = request.getfixturevalue("conninfo") if request.param == "postgresql" else ""
    farm = WireFarm(tmp_path, START, conninfo)
    yield farm
    farm.stop()


def run_once(farm: WireFarm, host: WireHost) -> None:
    """Let all tasks that wait run and end."""
    while True:
        host.beat()
        if not host.tasks:
            return
        farm.pass_time(2)
        host.beat(*((task, TaskStatus.FinishedSuccess) for task in host.tasks))


def test_any_text_arrives_as_it_is(farm: WireFarm) -> None:
    host = farm.host("render'; DROP TABLE logs; --")
    farm.act("renders", ".*", params={"capacity_host": 100_000, "max_tasks_host": 100})
    names = {key: text[:NAME_LETTERS] for key, text in TEXTS.items()}
    ids = [
        farm.submit(
            {
                "name": names[key],
                "annotation": text,
                "description": text,
                "folders": {"output": "/" + text},
                "blocks": [
                    {"name": text, "service": "generic", "command": text, "tasks": [{"command": "!"}]}
                ],
            }
        )
        for key, text in TEXTS.items()
    ]
    assert all(ids)
    run_once(farm, host)
    who = {"user_name": TEXTS["quotes"], "host_name": TEXTS["drop in quotes"]}
    for what in ({"params": {"annotation": TEXTS["drop in dollars"]}}, {"operation": {"type": "delete"}}):
        farm.client.ask({"action": {"type": "jobs", "ids": ids, **who, **what}})
    farm.pass_time(2)
    farm.stop()

    rows = farm.rows()
    tasks = {row["serial"]: row for row in rows["tasks"]}
    jobs = {row["serial"]: row for row in rows["jobs"]}
    assert len(rows["tasks"]) == len(rows["jobs"]) == len(tasks) == len(jobs) == len(TEXTS)
    for serial, (key, sent) in enumerate(TEXTS.items(), 1):
        text = sent.replace("\0", "")
        for row in (tasks[serial], jobs[serial]):
            assert row["jobname"] == names[key].replace("\0", "")
            assert row["description"] == row["blockname"] == text[:512]
            assert row["folder"] == ("/" + text)[:512]
        assert tasks[serial]["annotation"] == text[:512]
        assert jobs[serial]["annotation"] == TEXTS["drop in dollars"]
        assert tasks[serial]["command"] == (text + "!")[:4096]
        assert tasks[serial]["hostname"] == "render'; DROP TABLE logs; --"
    deleted = [row for row in rows["logs"] if row["type"] == "jobs delete"]
    assert [row["object"] for row in deleted] == [
        name.replace("\0", "") + "@artist" for name in names.values()
    ]
    assert {row["subject"] for row in deleted} == {"{user_name}@{host_name} 127.0.0.1".format(**who)}


#: Hosts, tasks that each runs at a time, and how often.
HOSTS, ROOM, ROUNDS = 50, 20, 20
TASKS = HOSTS * ROOM * ROUNDS


def test_20000_tasks_finish_while_postgresql_is_killed_and_restarted(
    tmp_path: Path, private_postgres: Postgres, make_database: Callable[[str], str]
) -> None:
    assert TASKS == 20_000
    conninfo = make_database(private_postgres.conninfo)
    farm = WireFarm(tmp_path, START, conninfo)
    waited: list[int] = []
    heard: list[str | None] = []
    try:
        monitor = farm.client.ask({"monitor": {"engine": "test"}})["monitor"]["id"]

        def has_heard(text: str) -> bool:
            events = {"type": "monitors", "ids": [monitor], "mode": "events"}
            told = farm.client.ask({"get": events})["events"] or {}
            heard.append(told.get("message"))
            return text in heard

        farm.act("branches", "/", params={"max_tasks_per_second": -1})
        farm.act("pools", "/", params={"capacity_host": ROOM, "max_tasks_host": ROOM})
        block = {"name": "b", "service": "generic", "command": "x", "capacity": 1}
        farm.submit({"name": "job", "blocks": [block | {"flags": 1, "frame_first": 1, "frame_last": TASKS}]})
        hosts = [farm.host(f"render{number:02d}") for number in range(HOSTS)]
        for number in range(ROUNDS):
            farm.pass_time(2)
            for host in hosts:
                host.beat(*((task, TaskStatus.FinishedSuccess) for task in host.tasks))
            assert not has_heard(RECOVERY)
            if number in (5, 13):
                private_postgres.stop(signal.SIGKILL)
            if number in (9, 16):
                wait_for(lambda: has_heard(ALARM))
                waited.append(rows_in_outbox(farm.store))
                private_postgres.start()
                wait_for(lambda: has_heard(RECOVERY))
                heard.clear()
        assert sum(len(host.tasks) for host in hosts) == HOSTS * ROOM
        farm.pass_time(2)
        for host in hosts:
            host.beat(*((task, TaskStatus.FinishedSuccess) for task in host.tasks))
        wait_for(lambda: rows_in_outbox(farm.store) == 0)
    finally:
        farm.stop()
    assert min(waited) > 0  # rows did wait while it was away
    found = select(
        conninfo, "SELECT count(*), count(DISTINCT id_task), min(id_task), max(id_task) FROM tasks"
    )
    assert found == [(TASKS, TASKS, 0, TASKS - 1)]
    assert rows_in_outbox(farm.store) == 0


def rows_in_outbox(store: Path) -> int:
    with sqlite3.connect(f"file:{store / FILE_NAME}?mode=ro", uri=True) as connection:
        count: int = connection.execute("SELECT count(*) FROM tasks").fetchone()[0]
    connection.close()
    return count


def wait_for(happened: Callable[[], Any]) -> None:
    for _ in range(900):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")
