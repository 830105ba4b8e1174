"""Who takes much of the server's time with expensive requests has to wait; others do not."""

import time

import pytest

from afanasy_py.net import work as work_module
from afanasy_py.net.work import ADDRESSES_MOST, BURST_SECONDS, Work

ONE, OTHER = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def work() -> Work:
    made = Work()
    made.share = 0.5
    return made


def test_cheap_requests_cost_nothing(work: Work) -> None:
    for _ in range(10_000):
        work.note(ONE, 0.009, 0.0)
    assert work.wait(ONE, 0.0) == 0.0
    assert len(work) == 0


def test_who_took_much_waits_until_it_is_worked_off(work: Work) -> None:
    work.note(ONE, BURST_SECONDS, 0.0)
    assert work.wait(ONE, 0.0) == 0.0
    work.note(ONE, 1.0, 0.0)
    assert work.wait(ONE, 0.0) == pytest.approx(2.0)
    assert work.wait(OTHER, 0.0) == 0.0
    assert work.wait(ONE, 1.0) == pytest.approx(1.0)
    assert work.wait(ONE, 2.0) == 0.0
    assert work.wait(ONE, 100.0) == 0.0
    assert len(work) == 0


def test_a_share_of_nothing_is_no_limit(work: Work) -> None:
    work.note(ONE, 100.0, 0.0)
    work.share = 0.0
    assert work.wait(ONE, 0.0) == 0.0
    work.note(OTHER, 100.0, 0.0)
    work.share = 0.5
    assert work.wait(OTHER, 0.0) == 0.0


def test_only_so_many_addresses_are_remembered(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ADDRESSES_MOST >= 1000
    monkeypatch.setattr(work_module, "ADDRESSES_MOST", 10)
    for number in range(100):
        work.note(f"10.0.1.{number}", 1.0, 0.0)
    assert len(work) == 10


def test_a_server_that_is_kept_waiting_counts_nothing(work: Work) -> None:
    begin = work_module.measure()
    time.sleep(0.03)
    work.note(ONE, work_module.measure() - begin, 0.0)
    assert len(work) == 0
