"""The numbers of `/metrics`, in the form of OpenMetrics; read when somebody asks, kept nowhere.

Counters are those of the core (`core.figures`), the listener, the store and the statistics. No label names a job, a
host, a user or an address, so the number of series does not grow with the farm.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

from afanasy_py import __version__
from afanasy_py.core.figures import REQUEST_BOUNDS, Histogram
from afanasy_py.core.task_states import DON, ERR, OFF, RDY, RUN
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.types import MsgType, RenderState
from afanasy_py.turns import let_others

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.render import Render
    from afanasy_py.net.server import Server
    from afanasy_py.stats.statistics import Statistics
    from afanasy_py.store.store import Store

PREFIX = "afserver"
#: The package does not type it.
_openmetrics_text: Callable[[CollectorRegistry], bytes] = openmetrics.generate_latest
OPENMETRICS = openmetrics.CONTENT_TYPE_LATEST
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
#: Jobs that are counted before others have their turn.
JOBS_AT_ONCE = 200

#: States of nodes and tasks, so that dashboards see zeros; a job and a render count in one only, the first
#: that fits.
JOB_STATES = ("paused", "running", "done", "error", "ready", "waiting")
RENDER_STATES = ("offline", "asleep", "sick", "paused", "nimby", "busy", "free")
#: {state: counter of a block}
TASK_STATES = {
    "ready": "p_tasks_ready",
    "waiting": "p_tasks_waitdep",
    "reconnecting": "p_tasks_waitrec",
    "done": "p_tasks_done",
    "skipped": "p_tasks_skipped",
    "error": "p_tasks_error",
    "suspended": "p_tasks_suspended",
}

#: {message type: its label}; a number that is none of the protocol counts as `unknown`.
_TYPES = {int(kind): kind.name for kind in MsgType}
_UNKNOWN = -1
_GET = -2

_NIMBY = RenderState.NIMBY_ALL.value | RenderState.NIMBY_OWN.value

A = TypeVar("A")


class Metrics:
    """Collects the numbers; times the requests."""

    def __init__(self, farm: Farm, store: Store, stats: Statistics, started_at: float) -> None:
        """Prepare; `server` must be set before somebody asks.

        Args:
            farm: Whose figures are shown.
            store: Tells how far the disk is.
            stats: Tells how many rows wait.
            started_at: Unix seconds.
        """
        self.server: Server | None = None
        self._farm = farm
        self._store = store
        self._stats = stats
        self._started_at = started_at
        #: {message type: seconds that its requests took, with all waiting}; all there can be.
        self._requests = {kind: Histogram(REQUEST_BOUNDS) for kind in (*_TYPES, _UNKNOWN, _GET)}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    # -- the hot path

    def timed(self, dispatch: Callable[[Request, str], A]) -> Callable[[Request, str], A]:
        """Return `dispatch` with its calls being timed."""
        requests, get = self._requests, Form.GET
        unknown = requests[_UNKNOWN]

        def timing(request: Request, peer: str) -> A:
            began = perf_counter()
            try:
                return dispatch(request, peer)
            finally:
                kind = _GET if request.form is get else request.msg_type
                requests.get(kind, unknown).add(perf_counter() - began)

        return timing

    # -- for who asks

    def page(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and all numbers; lets others have their turn meanwhile.

        Args:
            accept: The header `Accept`; old collectors ask for the plain form only.
        """
        if "text/plain" in accept and "openmetrics" not in accept:
            return PLAIN, exposition.generate_latest(self._registry)
        return OPENMETRICS, _openmetrics_text(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Return all numbers; called by the registry."""
        yield InfoMetricFamily(
            f"{PREFIX}_build",
            "What runs.",
            {
                "version": __version__,
                "cgru_version": self._farm.version,
                "python": ".".join(map(str, sys.version_info[:3])),
            },
        )
        yield _gauge("start_time_seconds", "When the server started, Unix seconds.", self._started_at)
        yield from self._nodes()
        yield from self._work()
        yield from self._traffic()
        yield from self._store_numbers()
        yield from self._stats_numbers()

    def _nodes(self) -> Iterator[Metric]:
        farm = self._farm
        renders = list(farm.renders.by_id.values())
        yield _by_label(
            "renders", "Hosts by state.", "state", _count(RENDER_STATES, map(render_state, renders))
        )
        online = [render for render in renders if render.is_online()]
        capacity = sum(render.capacity for render in online if render.capacity > 0)
        yield _gauge("render_capacity", "Capacity of the hosts that are online.", capacity)
        used = sum(render.capacity_used for render in online)
        yield _gauge("render_capacity_used", "Capacity that running tasks take of it.", used)
        jobs, with_errors, tasks = self._count_jobs()
        yield _by_label("jobs", "Jobs by state.", "state", jobs)
        yield _gauge("jobs_with_errors", "Jobs with tasks in error, whatever their state.", with_errors)
        yield _by_label("tasks", "Tasks by state.", "state", tasks)
        for kind in ("users", "branches", "pools", "monitors"):
            yield _gauge(kind, f"Number of {kind}.", len(getattr(farm, kind)))

    def _count_jobs(self) -> tuple[dict[str, int], int, dict[str, int]]:
        """Return jobs by state, how many have errors, and tasks by state."""
        states: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        with_errors = running = 0
        for number, job in enumerate(list(self._farm.jobs.by_id.values())):
            if number % JOBS_AT_ONCE == JOBS_AT_ONCE - 1:
                # GEVENT: jobs come and go; those that were there are counted as they are now.
                let_others()
            if job.is_sysjob() or job.gone:
                continue
            states[job_state(job.st)] += 1
            with_errors += bool(job.st & ERR)
            running += job.running_tasks_num
            for block in job.blocks:
                for counter, count in block.tasks.counts.items():
                    counts[counter] += count
        tasks = {state: counts[counter] for state, counter in TASK_STATES.items()}
        tasks["done"] = max(tasks["done"] - tasks["skipped"], 0)
        return {state: states[state] for state in JOB_STATES}, with_errors, {**tasks, "running": running}

    def _work(self) -> Iterator[Metric]:
        figures = self._farm.figures
        yield _counter("task_starts", "Starts of tasks.", figures.starts)
        yield _counter_by_label("task_finishes", "Ends of tasks by result.", "result", figures.finishes)
        yield _histogram("task_run_seconds", "How long tasks ran that ended well.", figures.runs)
        yield _histogram(
            "job_wait_seconds", "From the creation of a job to its first start.", figures.job_waits
        )
        yield _histogram("solve_seconds", "How long the solver took.", figures.solves)

    def _traffic(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            f"{PREFIX}_request_seconds",
            "How long requests took from their last byte to their answer, by type.",
            labels=["type"],
        )
        for kind, histogram in self._requests.items():
            if any(histogram.counts):
                name = "GET" if kind == _GET else _TYPES.get(kind, "unknown")
                family.add_metric([name], list(_buckets(histogram)), histogram.total)
        yield family
        received: Counter[str] = Counter()
        for kind, (size, _messages, _greatest) in self._farm.traffic.items():
            received[_TYPES.get(kind, "unknown")] += size
        yield _counter_by_label(
            "received_bytes", "Bytes of binary and JSON messages, by type.", "type", received
        )
        server = self.server
        assert server is not None
        yield _by_label(
            "connections",
            "Open connections by what they wait for.",
            "state",
            {
                "peer": len(server.waiting),
                "answer": len(server.active),
                "close": server.connections - server.unanswered,
            },
        )
        yield _counter("connections_accepted", "Connections that were accepted.", server.accepted)
        yield _counter("connections_dropped", "Connections that the server gave up.", server.dropped)
        yield _counter("requests_refused", "Requests and connections that broke a rule.", server.refused)
        held = server.bytes_held
        yield _gauge("held_bytes", "Bytes of unfinished requests and unread answers.", held)

    def _store_numbers(self) -> Iterator[Metric]:
        state = self._store.state()
        yield _gauge("store_up", "1: the store can be written.", state["healthy"])
        yield _gauge("store_mirror_up", "1: the process runs that writes the files.", state["mirror_runs"])
        yield _gauge("store_queue_items", "Changes that wait for the journal.", state["queue"])
        yield _gauge("store_behind_bytes", "Journal that is not in the files yet.", state["behind_bytes"])
        yield _counter("store_written_bytes", "Bytes written to the journal.", state["written_bytes"])
        middle, slowest = state["sync_ms"] / 1000, state["sync_ms_max"] / 1000
        yield _gauge("store_sync_seconds", "How long a write of the journal takes, median of late.", middle)
        yield _gauge("store_sync_max_seconds", "The longest of these writes.", slowest)

    def _stats_numbers(self) -> Iterator[Metric]:
        state = self._stats.state()
        if state["backend"] == "none":
            return
        if state["backend"] == "postgresql":
            yield _gauge("statistics_up", "1: PostgreSQL takes rows.", state["connected"])
        yield _gauge("statistics_file_up", "1: the file of rows can be written.", state["file_works"])
        waiting = {"memory": state["buffered"], "file": state["queued"]}
        yield _by_label("statistics_queue_rows", "Rows that wait, and where.", "place", waiting)
        for what, meaning in (
            ("written", "Rows written to the file."),
            ("shipped", "Rows that PostgreSQL has taken."),
            ("dropped", "Rows for which there was no room."),
            ("refused", "Rows that PostgreSQL will never take."),
        ):
            yield _counter(f"statistics_{what}_rows", meaning, state[what])


def job_state(st: int) -> str:
    """Return the one of `JOB_STATES` in which a job is counted."""
    for bit, name in ((OFF, "paused"), (RUN, "running"), (DON, "done"), (ERR, "error"), (RDY, "ready")):
        if st & bit:
            return name
    return "waiting"


def render_state(render: Render) -> str:
    """Return the one of `RENDER_STATES` in which a render is counted."""
    st = render.st
    if not st & RenderState.ONLINE:
        return "asleep" if st & RenderState.WOL_SLEEPING else "offline"
    for bits, name in (
        (RenderState.SICK, "sick"),
        (RenderState.PAUSED, "paused"),
        (_NIMBY, "nimby"),
        (RenderState.BUSY, "busy"),
    ):
        if st & bits:
            return name
    return "free"


def _count(states: tuple[str, ...], found: Iterable[str]) -> dict[str, int]:
    counted = Counter(found)
    return {state: counted[state] for state in states}


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", meaning, float(value))


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", meaning, float(value))


def _by_label(name: str, meaning: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter_by_label(name: str, meaning: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(f"{PREFIX}_{name}", meaning, list(_buckets(histogram)), histogram.total)


def _buckets(histogram: Histogram) -> Iterator[tuple[str, Any]]:
    """Return the bounds with how many values are not above them."""
    below = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        below += count
        yield ("+Inf" if bound == float("inf") else str(bound)), below
