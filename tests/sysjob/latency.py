"""How long answers of a real server take while 1,000 jobs are deleted, each with a post command and an event.

    nice -n -15 python -m tests.sysjob.latency

Probes are sent by the clock, each two milliseconds. One that had to wait for the one before counts from the
moment when it was due, so a pause of the server delays all probes that were due in it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from afanasy_py import paths
from afanasy_py.demo import Client, free_port

PERIOD_SEC = 0.002
PROBES = 1500
JOBS = 1000


def probe(client: Client) -> list[float]:
    """Ask for a user again and again; return how late the answers were in ms, sorted."""
    delays = []
    began = time.perf_counter()
    for number in range(PROBES):
        due = began + number * PERIOD_SEC
        pause = due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        client.ask({"get": {"type": "users", "ids": [1]}})
        delays.append((time.perf_counter() - due) * 1000)
    return sorted(delays)


def percentile(delays: list[float], percent: float) -> float:
    """Return the delay that so many percent of the probes stay within, ms."""
    return delays[min(int(len(delays) * percent / 100), len(delays) - 1)]


def submit(client: Client, custom_data: str) -> list[int]:
    """Send the jobs; return their ids."""
    block = {"name": "b", "service": "generic", "command": "x @#@", "flags": 1}
    frames = {"frame_first": 1, "frame_last": 10}
    job = {"user_name": "artist", "host_name": "ws", "offline": True, "custom_data": custom_data}
    job["blocks"] = [{**block, **frames}]
    own = [{"name": f"job{n}", "command_post": f"rm -f /scenes/scene{n}.ma"} for n in range(JOBS)]
    return [int(client.ask({"job": {**job, **fields}})["id"]) for fields in own]


def delete(port: int, ids: list[int], delay_sec: float) -> None:
    """Delete jobs, all by one action after a while."""
    time.sleep(delay_sec)
    action = {"type": "jobs", "ids": ids, "user_name": "u", "host_name": "h", "operation": {"type": "delete"}}
    Client(port).ask({"action": action})


def measure(folder: Path, custom_data: str) -> dict[str, Any]:
    """Run a server, let the jobs come and go, and return what was measured."""
    port = free_port()
    where = ["--af_serverport", str(port), "--af_store_folder", str(folder / "store")]
    command = [sys.executable, "-m", "afanasy_py.cli", "-nosql", "--af_server_bind", "127.0.0.1", *where]
    environ = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(paths.PACKAGE.parent)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
    try:
        client = Client(port)
        for _ in range(200):
            try:
                client.ask({"get": {"type": "users"}})
                break
            except (OSError, ValueError):
                time.sleep(0.05)
        ids = submit(client, custom_data)
        time.sleep(1)
        deleter = multiprocessing.Process(target=delete, args=(port, ids, 0.3))
        deleter.start()
        delays = probe(client)
        deleter.join()
        system = client.ask({"get": {"type": "jobs", "ids": [1]}})["jobs"][0]
        waiting = [block.get("p_tasks_ready", 0) for block in system["blocks"]]
        figures = {f"p{percent}": percentile(delays, percent) for percent in (50, 99)}
        return {**figures, "max": delays[-1], "commands": waiting}
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    """Measure without and with events; print a line for each."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, custom_data in (("post commands", ""), ("and events", '{"emails":["lead@example.com"]}')):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), custom_data)
        sys.stdout.write(
            f"{name:14} p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms, max {found['max']:.1f} ms,"
            f" queued {found['commands']}\n"
        )


if __name__ == "__main__":
    main()
