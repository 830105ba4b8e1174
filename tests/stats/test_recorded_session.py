"""A session with the original server, played against ours over the wire: the same rows.

The recording is of three jobs that ran, one that never started, and a user who wants to hear of events.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core.job import SYSJOB_ID
from afanasy_py.msg.types import TaskStatus
from tests.stats.wire_farm import WireFarm, WireHost

pytestmark = pytest.mark.e2e

RECORDED = Path(__file__).parents[1] / "golden" / "sql"
#: When the recorded server was started; the recorded moments are seconds after it.
START = 1795490776
CUSTOM = '{"emails":["artist@example.com"],"events":{"JOB_DONE":{"methods":["email"]}}}'
OK, ERROR = TaskStatus.FinishedSuccess, TaskStatus.FinishedError


def block(name: str, command: str, last: int, **more: Any) -> dict[str, Any]:
    numbers = {"flags": 1, "frame_first": 1, "frame_last": last, "frames_per_task": 1, "frames_inc": 1}
    return {"name": name, "service": "generic", "capacity": 1000, "command": command, **numbers, **more}


JOBS: list[dict[str, Any]] = [
    {
        "name": "demo_shot010",
        "annotation": "it's shot 010",
        "description": "lighting v003",
        "branch": "/projects",
        "folders": {"output": "/projects/demo/shot010/render", "input": "/projects/demo/shot010/scene.blend"},
        "blocks": [
            {
                "name": "sim",
                "service": "generic",
                "capacity": 500,
                "command": "sleep 1; echo @#@",
                "tasks": [{"name": "a", "command": "A"}],
            },
            block("render", "sleep 2; echo @#@", 4, frames_per_task=2, depend_mask="sim"),
            block("never", "x", 4, frames_per_task=2, depend_mask="zzz", hosts_mask="none", service="nosuch"),
        ],
    },
    {
        "name": "demo_errors",
        "branch": "/projects",
        "blocks": [
            block("b", "sleep 1; exit 1", 1, errors_retries=1, errors_avoid_host=0, errors_task_same_host=0)
        ],
    },
    {"name": "demo_skip", "branch": "/projects", "blocks": [block("b", "sleep 3", 2)]},
    {"name": "demo_notstarted", "branch": "/", "offline": True, "blocks": [block("b", "x", 2)]},
]


def end(host: WireHost, how: dict[int, list[int]]) -> None:
    """Let tasks end and new ones come.

    Args:
        how: {job id: how its tasks end, in their order}; tasks of other jobs go on.
    """
    ended = []
    for job_id, statuses in how.items():
        running = sorted(
            (task for task in host.tasks if task.job_id == job_id),
            key=lambda task: (task.block_num, task.task_num),
        )
        ended += zip(running, statuses, strict=True)
    host.beat(*ended)
    host.beat()


def play(farm: WireFarm) -> None:
    """Play the session; its moments are those of the recording."""

    def at(second: float) -> None:
        farm.pass_time(START + second - farm.now)

    at(2)
    host = farm.host("render01")
    at(6)
    farm.act("renders", "render01", params={"capacity_host": 10000, "max_tasks_host": 10})
    farm.client.ask({"user": {"name": "artist", "host_name": "ws01", "custom_data": CUSTOM}})
    shot, errors, skipped, _ = (farm.submit(job) for job in JOBS)
    at(7)
    host.beat()
    at(9)
    end(host, {shot: [OK], errors: [ERROR], SYSJOB_ID: [OK] * 4})
    at(11)
    end(host, {skipped: [OK, OK]})
    tasks = {"type": "skip", "task_ids": [0, 1]}
    farm.act("jobs", "demo_skip", operation=tasks, block_ids=[0])  # too late: they have ended
    at(12)
    end(host, {shot: [OK, OK], errors: [ERROR]})
    at(14)
    end(host, {SYSJOB_ID: [ERROR, OK]})
    at(16)
    end(host, {SYSJOB_ID: [ERROR]})
    at(18)
    end(host, {SYSJOB_ID: [ERROR]})
    for second, job in enumerate(JOBS, 21):
        at(second)
        farm.act("jobs", job["name"], operation={"type": "delete"})
    at(31)
    host.leave()
    at(32)
    farm.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WireFarm]:
    conninfo = request.getfixturevalue("conninfo") if request.param == "postgresql" else ""
    farm = WireFarm(tmp_path, START, conninfo)
    yield farm
    farm.stop()


def near(found: Any, recorded: Any, slack: int) -> bool:
    return abs(int(found) - int(recorded)) <= slack


def normal_command(text: str) -> Any:
    """Return a command without what depends on when in a second things happen.

    The original starts tasks in its next cycle: jobs that are registered in the same second see nothing running.
    """
    if not text.startswith("{"):
        return text

    def strip(value: Any) -> Any:
        if isinstance(value, list):
            return [strip(item) for item in value]
        if isinstance(value, dict):
            return {
                key: strip(item)
                for key, item in value.items()
                if not key.startswith(("running_", "time_")) and "_run_time_" not in key
            }
        return value

    return strip(json.loads(text, strict=False))


def normal_rows(table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without moments, in an order that does not depend on them."""
    found = []
    for row in rows:
        kept = {key: value for key, value in row.items() if not key.startswith("time")}
        kept.pop("run_time_sum", None)
        if "command" in row:
            kept["command"] = normal_command(row["command"])
        if table == "logs":
            text, mark, document = row["info"].partition(":\n{")
            kept["info"] = [text, normal_command("{" + document) if mark else ""]
        found.append(kept)
    return found


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["serial"], row["id_block"], row.get("id_task"), row.get("starts_count"), row["time_started"]


def test_the_recorded_session_gives_the_recorded_rows(farm: WireFarm) -> None:
    play(farm)
    for table, rows in farm.rows().items():
        recorded = json.loads((RECORDED / f"rows_{table}.json").read_text())
        if table != "logs":  # what happens in one cycle of the original comes in the order of its hosts
            rows.sort(key=place)
            recorded.sort(key=place)
        assert normal_rows(table, rows) == normal_rows(table, recorded)
        for row, wanted in zip(rows, recorded, strict=True):
            for name in ("time", "time_started", "time_done"):
                assert near(row.get(name, 0), wanted.get(name, 0), 1), (name, row, wanted)
            tasks = wanted.get("tasks_quantity", 0)
            assert near(row.get("run_time_sum", 0), wanted.get("run_time_sum", 0), tasks), (row, wanted)
