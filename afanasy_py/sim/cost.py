"""What a decision costs: time per started task, for farms of growing size.

`python -m afanasy_py.sim.cost` prints a table. A started task here is all that the core does when a host
reports that its task is done: the end of the old run, the refresh of its job, the choice, the new start. Half of
the jobs can run nowhere, as jobs do that wait for other hosts.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time

from afanasy_py.core import hosts, registration
from afanasy_py.core.farm import Farm
from afanasy_py.core.render import Render
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.settings import Settings

NOW = 1_000_000_000.0
#: Jobs of one user.
JOBS_OF_A_USER = 25
#: Tasks of a job: more than are started of it, so that no job gets done meanwhile.
TASKS = 1000
#: Starts that are measured.
STARTS = 5000
#: (hosts, jobs) of the rows: each grows alone, then both.
SIZES = (
    (100, 1000), (1000, 1000), (10_000, 1000),
    (1000, 100), (1000, 1000), (1000, 10_000),
    (100, 100), (1000, 1000), (10_000, 10_000),
)  # fmt: skip


def build(host_count: int, job_count: int) -> tuple[Farm, list[Render]]:
    """Return a farm with idle time behind it: each host runs a task."""
    farm = Farm(Settings(), NOW)
    farm.keeps_statistics = False
    farm.make_roots()
    farm.root_branch.max_tasks_per_second = 10_000_000
    farm.root_pool.max_tasks_host = 1
    for number in range(job_count):
        block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": TASKS}
        if number % 2:
            block["need_properties"] = "never"
        user = f"user{number // JOBS_OF_A_USER:03d}"
        job = registration.read_job(farm, {"name": f"job{number:05d}", "user_name": user, "blocks": [block]})
        registration.register(farm, job)
        registration.finish(farm, job)
        farm.settle()
    resources = HostRes(cpu_num=8, cpu_mhz=3000, mem_total_mb=32000, mem_free_mb=30000, hdd_free_gb=400)
    renders = []
    for number in range(host_count):
        told = RenderRecord(name=f"host{number:05d}", st=1, host_resources=resources)
        answer = hosts.register(farm, told, "")
        renders.append(farm.renders.by_id[answer.id])
        farm.settle()
        farm.changes.__init__()  # type: ignore[misc]
    return farm, renders


def measure(host_count: int, job_count: int, starts: int = STARTS) -> float:
    """Return the median of the microseconds per started task."""
    farm, renders = build(host_count, job_count)
    for render in renders:
        render.take_events()
    gc.collect()
    gc.freeze()  # as the server does
    gc.disable()
    spent: list[float] = []
    now = NOW
    while len(spent) < starts:
        now += 1.0
        for render in renders[: starts - len(spent)]:
            updates = [
                TaskUp(
                    client_id=render.id,
                    job_id=key[0],
                    block_num=key[1],
                    task_num=key[2],
                    status=TaskStatus.FinishedSuccess,
                )
                for key in render.runs
            ]
            assert updates, "no host is idle"
            began = time.perf_counter()
            farm.begin(now)
            hosts.update(farm, RenderUpdate(id=render.id, taskups=updates))
            farm.settle()
            render.take_events()
            spent.append(time.perf_counter() - began)
            farm.changes.__init__()  # type: ignore[misc]
    gc.enable()
    gc.unfreeze()
    return statistics.median(spent) * 1e6


def main() -> int:
    """Print the table."""
    sys.stdout.write("   hosts    jobs   us per started task\n")
    for number, (host_count, job_count) in enumerate(SIZES):
        if number and number % 3 == 0:
            sys.stdout.write("\n")
        sys.stdout.write(f"{host_count:8}{job_count:8}{measure(host_count, job_count):10.0f}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
