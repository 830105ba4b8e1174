"""Real servers: a stop right after many answers, kills, and turns with the original on one store."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.store.real_server import ORIGINAL, RealServer
from tests.store.store_farm import VOLATILE, differences

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("AFSERVER_REAL_KILLS", "8"))


def test_a_stop_right_after_300_edits_and_300_deletions_loses_none(tmp_path: Path) -> None:
    store = tmp_path / "store"
    server = RealServer(store, tmp_path / "home")
    try:
        ids = [server.submit(f"j{number}")["id"] for number in range(600)]
        server.act("jobs", ids=ids[:300], params={"annotation": "edited"})
        server.act("jobs", ids=ids[300:], operation={"type": "delete"})
    finally:
        seconds = server.stop()
    assert seconds < 5.0
    assert server.process.returncode == 0
    # Both are there for the original, and for us.
    documents = [json.loads(path.read_bytes()) for path in store.glob("jobs/*/*/data.json")]
    assert sorted(d["id"] for d in documents) == [1, *sorted(ids[:300])]
    assert all(d["annotation"] == "edited" for d in documents if d["id"] != 1)
    server = RealServer(store, tmp_path / "home")
    try:
        found = server.jobs()
        assert len(found) == 300
        assert all(job["annotation"] == "edited" for job in found.values())
        assert server.submit("next")["serial"] == 601
    finally:
        server.stop()


@pytest.mark.slow
def test_a_real_server_under_load_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rnd = random.Random(1)
    #: {name: [annotations that it may have]}; empty: it may be gone; names that are gone for sure are not here.
    may: dict[str, list[str]] = {}
    unsure: set[str] = set()
    lock = threading.Lock()

    def client(server: RealServer, number: int, life: int) -> None:
        own: dict[str, int] = {}
        for step in range(10_000):
            name = f"c{number}-{life}-{step}"
            try:
                what = rnd.choice(["submit", "edit", "edit", "skip", "delete"]) if own else "submit"
                if what == "submit":
                    with lock:
                        unsure.add(name)
                        may[name] = [""]
                    own[name] = server.submit(name)["id"]
                    with lock:
                        unsure.discard(name)
                    continue
                name = rnd.choice(list(own))
                if what == "edit":
                    text = f"{life}-{step}"
                    with lock:
                        may[name].append(text)
                    server.act("jobs", ids=[own[name]], params={"annotation": text})
                    with lock:
                        may[name] = [text]
                elif what == "skip":
                    server.act("jobs", ids=[own[name]], operation={"type": "skip"})
                else:
                    with lock:
                        unsure.add(name)
                    server.act("jobs", ids=[own[name]], operation={"type": "delete"})
                    del own[name]
                    with lock:
                        may.pop(name)
                        unsure.discard(name)
            except (OSError, ValueError):
                return  # it was killed

    for life in range(KILLS):
        server = RealServer(store, tmp_path / "home")
        try:
            found = server.jobs()
            assert found.keys() - may.keys() == set(), "it is back"
            assert may.keys() - found.keys() - unsure == set(), "it is missing"
            for name, job in found.items():
                assert job.get("annotation", "") in may[name]
                assert [block["tasks_num"] for block in job["blocks"]] == [3]
            may = {name: [job.get("annotation", "")] for name, job in found.items()}
            unsure.clear()
            clients = [threading.Thread(target=client, args=(server, n, life)) for n in range(4)]
            for thread in clients:
                thread.start()
            time.sleep(rnd.random() * 1.5)
        finally:
            server.kill()
        for thread in clients:
            thread.join()


# -- the original on the same store


def _everything(server: RealServer) -> dict[str, Any]:
    """Return all that a server answers of its nodes and tasks."""
    found: dict[str, Any] = {}
    for kind in ("users", "branches", "pools", "renders"):
        found[kind] = {node["id"]: _plain(node) for node in server.ask({"get": {"type": kind}})[kind]}
    jobs = server.ask({"get": {"type": "jobs", "mode": "full"}})["jobs"]
    found["jobs"] = {job["id"]: _plain(job) for job in jobs}
    for job_id in found["jobs"]:
        if job_id != 1:
            progress = server.ask({"get": {"type": "jobs", "ids": [job_id], "mode": "progress"}})
            found[f"progress {job_id}"] = [
                [_task(task) for task in block] for block in progress["job_progress"]["progress"]
            ]
    found["jobs"][1].pop("time_creation")
    found["jobs"][1].pop("st")  # the original forgets its waiting commands
    for user in found["users"].values():
        user.pop("host_name", None)  # that of the last job that was read, in the order of the disk
    return found


def _task(task: dict[str, Any]) -> dict[str, Any]:
    kept = {key: task[key] for key in ("st", "str", "err", "tst", "hst") if key in task}
    # A running task waits for its host after a start; the original leaks a mark in bit 62.
    kept["st"] &= 0xFFFFFFFF
    if not kept["st"] & 0x40000 and "tdn" in task:
        kept["tdn"] = task["tdn"]
    return kept


def _plain(value: Any) -> Any:
    """Leave out what is counted anew, and what the original does not keep."""
    left_out = (VOLATILE - {"st", "host_name"}) | {
        "cmd_pre",
        "cmd_post",
        "time_empty",
        "thumb_path",
        "tickets_host",
    }
    derived = ("p_", "renders_", "active_", "running_jobs", "branches_total", "pools_total", "jobs_")
    if isinstance(value, dict):
        return {
            k: _plain(v)
            for k, v in value.items()
            if k not in left_out and not k.startswith(derived) and (k != "st" or "service" not in value)
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.skipif(not ORIGINAL, reason="AFSERVER_ORIGINAL does not name a tree of the original")
def test_both_servers_take_turns_on_one_store(shared_dir: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(shared_dir / "golden/store/cpp_store", store)
    for path in [store, *store.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o644)

    original = RealServer(store, tmp_path / "cpp", original=True)
    try:
        # Times in the recording are of another day, so jobs live for ever from here on.
        original.act("jobs", mask=".*", params={"time_life": 0})
        time.sleep(3.0)  # it answers before it writes
        first = _everything(original)
    finally:
        original.stop()

    ours = RealServer(store, tmp_path / "ours")
    try:
        assert differences("", first, _everything(ours)) == []
        ours.act("jobs", ids=[2], params={"annotation": 'by ours: "quoted" \\ and\nlines, тест'})
        ours.act("users", ids=[3], params={"annotation": "a user"})
        ours.act("branches", ids=[2], params={"max_running_tasks": 5})
        ours.act("pools", ids=[2], params={"annotation": "a pool"})
        ours.act("renders", ids=[1], params={"annotation": "a render"})
        ours.act("jobs", ids=[9], operation={"type": "delete"})
        # The original writes a quote in a task's name as it is, and nobody can read its answers then.
        tasks = [
            {"name": "a b", "command": 'one "two"\n\\three'},
            {"name": "t", "command": "c", "files": ["f"]},
        ]
        made = ours.submit(
            "of ours",
            [
                {"name": "listed", "service": "generic", "tasks": tasks, "environment": {"A": "1"}},
                {
                    "name": "frames",
                    "service": "generic",
                    "flags": 1,
                    "frame_last": 4,
                    "depend_mask": "listed",
                },
            ],
            branch="/demo/new",
            time_wait=4_000_000_000,
        )
        ours.act("jobs", ids=[made["id"]], block_ids=[0], task_ids=[0], operation={"type": "skip"})
        appended = {"name": "more", "service": "generic", "flags": 1, "frame_last": 2}
        ours.act("jobs", ids=[made["id"]], operation={"type": "append_blocks", "blocks": [appended]})
        time.sleep(1.5)
        second = _everything(ours)
    finally:
        assert ours.stop() < 5.0

    original = RealServer(store, tmp_path / "cpp", original=True)
    try:
        time.sleep(1.5)
        assert differences("", second, _everything(original)) == []
        original.act("jobs", ids=[made["id"]], params={"annotation": "by the original"})
        assert original.submit("of the original")["serial"] == made["serial"] + 1
        time.sleep(3.0)
        third = _everything(original)
    finally:
        original.stop()

    ours = RealServer(store, tmp_path / "ours")
    try:
        time.sleep(1.5)
        assert differences("", third, _everything(ours)) == []
    finally:
        ours.stop()
    assert not (store / "broken").exists()
