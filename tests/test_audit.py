"""The audit log: a line for each entry, bounded, and no name can make a line of its own."""

import json
import stat
from pathlib import Path

import pytest

from afanasy_py import audit
from afanasy_py.audit import FAILED_MOST, AuditLog
from afanasy_py.core.changes import AuditEntry

NOW = 1_700_000_000.25


def entry(action: str = "jobs pause: x", how: str = "login artist") -> AuditEntry:
    return AuditEntry("anna", "10.0.0.1", how, action)


def written(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_entry_says_who_when_from_where_and_what(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.add([AuditEntry("anna", "10.0.0.1", "login artist", "jobs delete: x", "Access denied")], NOW)
    log.stop()
    assert written(path) == [
        {
            "time": "2023-11-14T22:13:20.250+00:00",
            "user": "anna",
            "address": "10.0.0.1",
            "how": "login artist",
            "action": "jobs delete: x",
            "refused": "Access denied",
        }
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_name_makes_a_line_of_its_own_in_the_audit_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    name = 'x"}\n{"time":"now","user":"root"}\x1b[2J\u2028\udcff'
    log.add([entry(name)], NOW)
    log.stop()
    assert [line["action"] for line in written(tmp_path / "audit.log")] == [name]


def test_failed_logins_do_not_push_out_the_rest(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    log.add([entry("login x", how="")] * (FAILED_MOST + 40), NOW)
    log.add([entry()], NOW + 61)
    log.stop()
    lines = [line["action"] for line in written(tmp_path / "audit.log")]
    assert lines == ["login x"] * FAILED_MOST + ["40 more failed logins", "jobs pause: x"]


def test_a_full_file_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SIZE_MOST", 300)
    log = AuditLog(tmp_path / "audit.log")
    for _ in range(5):
        log.add([entry()], NOW)
        log._write_waiting()
    assert (tmp_path / "audit.log.1").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1200


def test_a_file_that_cannot_be_written_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(tmp_path / "missing" / "audit.log")
    for _ in range(3):
        log.add([entry()], NOW)
        log._write_waiting()
    assert caplog.text.count("cannot be written") == 1
