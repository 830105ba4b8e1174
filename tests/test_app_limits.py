"""The whole server, without its listener: an address that takes too much of the server's time waits."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import pytest

from afanasy_py import app as app_module
from afanasy_py.app import App
from afanasy_py.arguments import parse_arguments
from afanasy_py.config import load_config
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.types import MsgType
from afanasy_py.net.work import BURST_SECONDS, WAIT_MOST

BUSY, OTHER = "10.0.0.1", "10.0.0.2"
ASKS = Request(Form.TEXT, MsgType.TJSON, 0, b'{"get":{"type":"users"}}')


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    words = ["-nosql", "--af_store_folder", str(tmp_path), "--af_limit_work_ms", "500"]
    made = App(load_config(parse_arguments(words), {"HOME": str(tmp_path)}, "/nowhere/afserver"))
    made.farm.make_roots()
    made.store.lock()
    made.store.load(made.farm, made.clock.now())
    yield made
    made.store.close()


def test_who_takes_much_of_the_servers_time_waits(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(app_module, "gevent", SimpleNamespace(sleep=slept.append))
    app.dispatch(ASKS, BUSY)
    assert slept == []
    app.work.note(BUSY, BURST_SECONDS + 1.0, perf_counter())
    assert "users" in json.loads(app.dispatch(ASKS, BUSY).text)
    assert slept[0] == pytest.approx(2.0, abs=0.5)
    app.dispatch(ASKS, OTHER)
    assert len(slept) == 1


def test_who_takes_far_too_much_is_refused(app: App) -> None:
    app.work.note(BUSY, BURST_SECONDS + WAIT_MOST, perf_counter())
    answer = json.loads(app.dispatch(ASKS, BUSY).text)
    assert answer["info"]["text"].startswith(f"Too many expensive requests from {BUSY}: try again in ")


def test_an_expensive_request_is_counted_and_a_cheap_one_is_not(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.dispatch(ASKS, BUSY)
    assert len(app.work) == 0
    moments = iter([0.0, 1.5])
    monkeypatch.setattr(app_module, "measure", lambda: next(moments))
    app.dispatch(ASKS, BUSY)
    assert len(app.work) == 1


def test_hosts_never_wait(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "gevent", None)  # to wait would be a bug
    app.work.note(BUSY, BURST_SECONDS + WAIT_MOST, perf_counter())
    answer = app.dispatch(Request(Form.BINARY, MsgType.TRenderUpdate, 0, b""), BUSY)
    assert b"TInvalid" in answer.text
