"""What the server does when the process has no more files, and how it grumbles."""

import errno
import logging
import socket
from typing import Any

import pytest

from afanasy_py.net import connection as connection_module
from afanasy_py.net import open_files
from afanasy_py.net.complaints import LINES_MOST, Complaints
from afanasy_py.net.server import Server
from tests.net.conftest import StartServer
from tests.net.net_peers import PING, ask, lives, until


class Limits:
    """The `resource` module of a process with these limits."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, soft: int, hard: int, *, may: bool = True) -> None:
        self.soft, self.hard, self.may = soft, hard, may

    def getrlimit(self, _which: int) -> tuple[int, int]:
        return self.soft, self.hard

    def setrlimit(self, _which: int, limits: tuple[int, int]) -> None:
        if not self.may:
            raise OSError("no")
        self.soft, self.hard = limits


@pytest.mark.parametrize(
    ("limits", "can", "soft"),
    [
        (Limits(100, 4000), 1000, 1000),
        (Limits(100, 400), 400, 400),
        (Limits(100, -1), 1000, 1000),
        (Limits(2000, 4000), 1000, 2000),
        (Limits(-1, -1), 1000, -1),
        (Limits(100, 4000, may=False), 100, 100),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(
    limits: Limits, can: int, soft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "resource", limits)
    assert open_files.raise_open_files(1000) == can
    assert limits.soft == soft


def test_a_system_without_such_a_limit_opens_as_many_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "resource", None)
    assert open_files.raise_open_files(1000) == 1000


class BrokenListener:
    """Cannot accept."""

    family = socket.AF_INET

    def __init__(self, number: int) -> None:
        self.number = number

    def _accept(self) -> Any:
        raise OSError(self.number, "broken")


def accept_once(server: Server, listener: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "_listener", listener)
        server._accept()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EBADF])
def test_accepting_pauses_after_an_error_that_stays(
    number: int, start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server()
    accept_once(server, BrokenListener(number), monkeypatch)
    assert not server._watcher.active
    assert "Cannot accept a connection: broken" in caplog.text
    assert lives(server)


def test_a_client_that_is_gone_before_it_is_accepted_is_no_error(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server()
    accept_once(server, BrokenListener(errno.ECONNABORTED), monkeypatch)
    assert server._watcher.active
    assert not caplog.records


def test_an_option_that_the_system_refuses_is_logged(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server()
    server._options = ((socket.SOL_SOCKET, 9999, 1),)
    assert lives(server)
    assert "Cannot set an option of a socket" in caplog.text


def test_a_bug_of_the_connection_itself_is_logged_and_closes(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> bytes:
        raise ValueError("no form")

    server = start_server()
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "frame_answer", broken)
        assert ask(server, PING) == b""
    assert "ValueError: no form" in caplog.text
    until(lambda: server.connections == 0)
    assert lives(server)


def test_complaints_are_few_and_what_was_left_out_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    with caplog.at_level(logging.WARNING):
        for number in range(LINES_MOST + 5):
            complaints.say("bad peer %d", number)
        complaints._begin_again()
        complaints.say("another minute")
    complaints.stop()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == LINES_MOST + 2
    assert lines[-2:] == ["5 more such lines in the last minute", "another minute"]
