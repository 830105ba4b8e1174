"""What `/metrics` shows: read with the parsers of prometheus-client, from small farms and from a real server."""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from afanasy_py.clock import Clock
from afanasy_py.core.figures import RESULTS, SOLVE_BOUNDS, Histogram
from afanasy_py.metrics import JOB_STATES, RENDER_STATES, Metrics
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.types import MsgType, TaskStatus
from afanasy_py.net.server import Server
from afanasy_py.settings import Settings
from afanasy_py.stats.statistics import Statistics
from afanasy_py.store.store import Store
from tests.core.action_farm import ActionFarm, numeric
from tests.store.real_server import RealServer

Values = dict[tuple[str, str], float]


def values_of(text: str, parser: Any = parse) -> Values:
    """Return {(sample, value of its label): number}; of histograms the counts and sums."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in parser(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


class Shown(ActionFarm):
    """A farm with its metrics."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        settings = Settings()
        stats = Statistics(settings, folder, print, lambda: 0.0)
        self.metrics = Metrics(self.farm, Store(folder, settings, Clock()), stats, 0.0)
        self.metrics.server = Server(settings, lambda request, peer: None, "3.4.1")  # type: ignore[arg-type,return-value]

    def values(self) -> Values:
        kind, text = self.metrics.page("")
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        return values_of(text.decode())


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    farm = Shown(tmp_path)
    yield farm
    farm.farm.validate()


def test_jobs_hosts_and_tasks_are_counted_by_state(shown: Shown) -> None:
    shown.add_job("one", blocks=[numeric(last=5)])
    shown.add_job("paused", offline=True)
    shown.add_render("a", room=2)
    shown.add_render("b")
    shown.farm.renders.by_name["b"].st = 0
    values = shown.values()
    jobs = {state: values["afserver_jobs", state] for state in JOB_STATES}
    assert jobs == {"paused": 1, "running": 1, "done": 0, "error": 0, "ready": 0, "waiting": 0}
    renders = {state: values["afserver_renders", state] for state in RENDER_STATES}
    assert renders == {**dict.fromkeys(RENDER_STATES, 0), "offline": 1, "busy": 1}
    shown.farm.renders.by_name["b"].st = 1
    assert values["afserver_tasks", "running"] == 3
    assert values["afserver_tasks", "ready"] == 2 + 3
    assert values["afserver_render_capacity_used", ""] == 2000


def test_starts_ends_and_times_are_counted(shown: Shown) -> None:
    shown.farm.now = 1000.0
    job = shown.add_job(blocks=[numeric(last=5)])
    shown.farm.now = 1042.0
    render = shown.add_render()
    shown.farm.now = 1100.0
    shown.end_run(render, TaskStatus.FinishedSuccess)
    shown.end_run(render, TaskStatus.FinishedError)
    shown.end_run(render, TaskStatus.Skip)
    shown.act("jobs", job, operation="stop")
    shown.end_run(render, TaskStatus.FinishedKilled)
    values = shown.values()
    assert values["afserver_task_starts_total", ""] == 4
    ends = {result: values["afserver_task_finishes_total", result] for result in RESULTS}
    assert ends == {"done": 1, "error": 1, "skipped": 1, "stopped": 1, "lost": 0}
    assert values["afserver_job_wait_seconds_count", ""] == 1
    assert values["afserver_job_wait_seconds_sum", ""] == 42
    assert values["afserver_task_run_seconds_sum", ""] == 58
    assert values["afserver_solve_seconds_count", ""] >= 4


def test_a_job_that_runs_again_has_not_waited_twice(shown: Shown) -> None:
    job = shown.add_job(blocks=[numeric(last=1)])
    render = shown.add_render()
    shown.end_run(render, TaskStatus.FinishedSuccess)
    shown.act("jobs", job, operation="restart")
    values = shown.values()
    assert values["afserver_task_starts_total", ""] == 2
    assert values["afserver_job_wait_seconds_count", ""] == 1


def test_a_host_that_goes_away_loses_its_tasks(shown: Shown) -> None:
    shown.add_job()
    render = shown.add_render()
    shown.end_run(render, TaskStatus.RenderZombie)
    assert shown.values()["afserver_task_finishes_total", "lost"] == 1


def test_requests_are_timed_by_type_and_unknown_types_share_one(shown: Shown) -> None:
    timed = shown.metrics.timed(lambda request, peer: peer)
    for number in (MsgType.TJSON, MsgType.TJSON, 123456, 7654321, -5):
        assert timed(Request(Form.BINARY, int(number)), "x") == "x"
    timed(Request(Form.GET, MsgType.THTTP), "x")

    def fails(request: Request, peer: str) -> str:
        raise ValueError(peer)

    with pytest.raises(ValueError, match="x"):
        shown.metrics.timed(fails)(Request(Form.BINARY, int(MsgType.TJSON)), "x")
    values = shown.values()
    counts = {
        label: value for (name, label), value in values.items() if name.endswith("request_seconds_count")
    }
    assert counts == {"TJSON": 3, "unknown": 3, "GET": 1}


def test_a_histogram_counts_a_value_with_the_first_bound_that_is_not_below_it() -> None:
    histogram = Histogram((1.0, 2.0, 4.0))
    for value in (0.0, 1.0, 1.5, 4.0, 4.1, 1e9):
        histogram.add(value)
    assert histogram.counts == [2, 1, 1, 2]


def test_buckets_in_both_forms_agree_with_plain_counting(shown: Shown) -> None:
    rnd = random.Random(3)
    solves = shown.farm.figures.solves = Histogram(SOLVE_BOUNDS)
    seconds = [rnd.expovariate(200) for _ in range(500)]
    for value in seconds:
        solves.add(value)
    for parser, accept in ((parse, ""), (parse_plain, "text/plain; version=0.0.4")):
        families = {family.name: family for family in parser(shown.metrics.page(accept)[1].decode())}
        samples = families["afserver_solve_seconds"].samples
        buckets = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
        assert buckets["+Inf"] == 500
        for bound in solves.bounds:
            assert buckets[str(bound)] == sum(value <= bound for value in seconds)


def test_no_series_grows_with_the_farm(shown: Shown) -> None:
    before = len(shown.values())
    for number in range(30):
        shown.add_job(f"job{number}", user_name=f"user{number}", branch=f"/b{number}")
        shown.add_render(f"host{number}")
    assert len(shown.values()) == before


def get(server: RealServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Return status, content type and text."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        link.close()


@pytest.mark.e2e
def test_a_real_server_tells_its_numbers_and_its_health(tmp_path: Path) -> None:
    server = RealServer(tmp_path / "store", tmp_path / "home")
    try:
        server.submit("one")
        status, kind, text = get(server, "/metrics")
        assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
        values = values_of(text)
        assert values["afserver_jobs", "ready"] == 1
        assert values["afserver_store_up", ""] == 1
        assert values["afserver_store_written_bytes_total", ""] > 0
        assert values["afserver_request_seconds_count", "TJSON"] >= 2
        assert values["process_resident_memory_bytes", ""] > 1e6
        status, kind, text = get(server, "/metrics", Accept="text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
        assert (status, kind.split(";")[0]) == (200, "text/plain")
        assert values_of(text, parse_plain)["afserver_jobs", "ready"] == 1
        assert get(server, "/metrics", "HEAD")[2] == ""
        for path in ("/healthz", "/readyz"):
            assert get(server, path) == (200, "text/plain; charset=UTF-8", "ok\n")
    finally:
        server.stop()


@pytest.mark.e2e
def test_with_access_control_numbers_are_for_those_who_may_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGRU_AF_ACCESS_NETWORKS", "127.0.0.1=admin")
    monkeypatch.setenv("CGRU_AF_ACCESS", "1")
    server = RealServer(tmp_path / "store", tmp_path / "home")
    try:
        made = server.ask({"access": {"operation": "create", "user": "prometheus", "role": "read"}})
        token = made["token"]["text"]
    finally:
        server.stop()
    monkeypatch.setenv("CGRU_AF_ACCESS_NETWORKS", "127.0.0.9=read")
    monkeypatch.setenv("CGRU_AF_IP_TRUST", "10.99.*")
    try:
        # Who is refused gets an answer too, so the server counts as started.
        server = RealServer(tmp_path / "store", tmp_path / "home")
        assert get(server, "/metrics")[0] == 403
        assert get(server, "/metrics", Authorization="Bearer aft_00000000_x")[0] == 403
        assert get(server, "/healthz")[0] == get(server, "/readyz")[0] == 200
        status, _, text = get(server, "/metrics", Authorization=f"Bearer {token}")
        assert status == 200
        assert values_of(text)["afserver_store_up", ""] == 1
    finally:
        server.stop()
