"""The original's database commands on tables that this server made.

``AFSERVER_ORIGINAL`` names a CGRU tree with the programs built in it; without it these runs are skipped.
"""

import os
import subprocess
from pathlib import Path

import pytest

from afanasy_py import afcmd_db
from tests.stats.stats_helpers import plain_waits, select

TREE = Path(os.environ.get("AFSERVER_ORIGINAL") or "/absent")
AFCMD = TREE / "afanasy" / "bin" / "afcmd"
NAMES = ("jobs", "tasks", "logs")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not AFCMD.is_file(), reason="AFSERVER_ORIGINAL names no CGRU tree with built programs"
    ),
]


@pytest.fixture
def database(conninfo: str) -> str:
    """Our tables, each with a row."""
    with plain_waits():
        assert afcmd_db.run("db_reset_all", conninfo)[1] == 0
    for name in NAMES:
        select(conninfo, f"INSERT INTO {name} DEFAULT VALUES")
    return conninfo


def afcmd(database: str, home: Path, *words: str) -> str:
    """Return what the original's afcmd prints, without its warnings."""
    environment = {
        **os.environ,
        "HOME": str(home),
        "CGRU_LOCATION": str(TREE),
        "AF_ROOT": str(TREE / "afanasy"),
        "CGRU_AF_DB_CONNINFO": database,
    }
    done = subprocess.run(
        [str(AFCMD), *words],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if line and "WARNING" not in line)


def counts(database: str) -> dict[str, int]:
    return {name: select(database, f"SELECT count(*) FROM {name}")[0][0] for name in NAMES}


def test_the_original_finds_nothing_to_change(database: str, tmp_path: Path) -> None:
    assert afcmd(database, tmp_path, "db_check") == "Database connection is working."
    assert afcmd(database, tmp_path, "db_updatetables", "x") == ""
    assert afcmd(database, tmp_path, "db_updatetables") == ""
    assert counts(database) == dict.fromkeys(NAMES, 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_original_resets_one_table(database: str, tmp_path: Path, name: str) -> None:
    afcmd(database, tmp_path, f"db_reset_{name}")
    assert counts(database) == dict.fromkeys(NAMES, 1) | {name: 0}


def test_after_a_reset_by_the_original_nothing_is_missing(database: str, tmp_path: Path) -> None:
    assert "DROP TABLE tasks CASCADE;" in afcmd(database, tmp_path, "db_reset_all")
    assert counts(database) == dict.fromkeys(NAMES, 0)
    with plain_waits():
        assert afcmd_db.run("db_updatetables", database, ["x"]) == ("", 0)
