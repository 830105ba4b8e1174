"""A server process under load that is killed again and again; what it answered is compared after each start.

    python -m tests.store.kill_harness FOLDER KILLS SEED

Each life is a forked child: it loads the store, compares it with the log of answers, and lets several clients
submit, edit and delete jobs and a host finish tasks, writing "try" before each change and "ok" behind its
answer. The parent kills it at a random moment. The log is a file: what a process wrote to it outlives it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from afanasy_py.core.job import SYSJOB_ID, Job
from afanasy_py.core.task_states import DON
from afanasy_py.settings import Settings
from afanasy_py.store.check import check_store
from afanasy_py.store.mirror_process import MirrorProcess
from tests.store import store_farm
from tests.store.store_farm import NOW, StoredFarm

CLIENTS = 6
JOBS_MOST = 25
#: The longest life after the load, seconds.
LIFE_SECONDS = 0.15
#: The longest pause of a client between two requests, seconds.
PAUSE_SECONDS = 0.01
#: Share of lives that are long enough for the files of the original to be written.
LONG_LIVES = 0.1


class Answers:
    """The log of answers, and what follows from it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        #: {serial: what is known of the job}
        self.jobs: dict[int, dict[str, Any]] = {}
        whole = path.read_bytes()
        # What was killed in the middle of a line never said what it stands for.
        os.ftruncate(self._fd, whole.rfind(b"\n") + 1)
        for line in whole.splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._take(json.loads(line))

    def begin_anew(self, server: StoredFarm) -> None:
        """Write a log of what is there, after all was compared: any other job must not come back."""
        fd = os.open(f"{self._path}.new", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
        os.close(self._fd)
        self._fd = fd
        for job in server.farm.jobs:
            if job.id == SYSJOB_ID:
                continue
            self.note("ok", "submit", job.serial, tasks=[block.tasks.num for block in job.blocks])
            self.note("ok", "seen", job.serial, text=job.annotation)
            for block in job.blocks:
                for number, st in enumerate(block.tasks.st):
                    if st & DON:
                        place, starts = [block.block_num, number], block.tasks.starts[number]
                        self.note("ok", "finish", job.serial, task=place, starts=starts)
        Path(f"{self._path}.new").rename(self._path)

    def note(self, state: str, what: str, serial: int, **more: Any) -> None:
        """Write a line."""
        line = {"state": state, "what": what, "serial": serial, **more}
        os.write(self._fd, json.dumps(line).encode() + b"\n")

    def _take(self, line: dict[str, Any]) -> None:
        job = self.jobs.setdefault(
            line["serial"], {"made": "", "gone": "", "notes": [""], "done": {}, "tasks": None}
        )
        match line["what"]:
            case "submit":
                job["made"] = line["state"]
                job["tasks"] = line["tasks"]
            case "delete":
                job["gone"] = line["state"]
            case "edit" if line["state"] == "try":
                job["notes"].append(line["text"])
            case "edit" | "seen":
                job["notes"] = [line["text"]]
            case "finish":
                job["done"][tuple(line["task"])] = line["starts"] if line["state"] == "ok" else 0

    def compare(self, server: StoredFarm) -> list[str]:
        """Return what is not as it was answered."""
        wrong = []
        found = {job.serial: job for job in server.farm.jobs if job.id != SYSJOB_ID}
        for serial in found.keys() - self.jobs.keys():
            wrong.append(f"job {serial} was never submitted")
        if found and max(found) > server.farm.jobs_serial:
            wrong.append(f"the last serial is {server.farm.jobs_serial}, and there is {max(found)}")
        if any(
            known["made"] == "ok" and serial > server.farm.jobs_serial for serial, known in self.jobs.items()
        ):
            wrong.append("a serial would be given again")
        for serial, known in self.jobs.items():
            job = found.get(serial)
            if job is not None:
                wrong += [f"job {serial} {text}" for text in _compare_job(known, job)]
            elif known["made"] == "ok" and not known["gone"]:
                wrong.append(f"job {serial} is missing")
        return wrong


def _compare_job(known: dict[str, Any], job: Job) -> list[str]:
    wrong = []
    if known["gone"] == "ok":
        wrong.append("is back")
    if job.annotation not in known["notes"]:
        wrong.append(f"has {job.annotation!r}, not one of {known['notes']}")
    if [block.tasks.num for block in job.blocks] != known["tasks"]:
        wrong.append(f"has {[block.tasks.num for block in job.blocks]} tasks of {known['tasks']}")
    for (block_num, number), starts in known["done"].items():
        tasks = job.blocks[block_num].tasks
        if starts and (not tasks.st[number] & DON or tasks.starts[number] != starts):
            wrong.append(
                f"had task {number} done: {tasks.st[number]}, starts {starts} {tasks.starts[number]}"
            )
    return wrong


def live(root: Path, seed: int, loaded: int) -> None:
    """Be a server until killed."""
    store_farm.InlineMirror = MirrorProcess  # type: ignore[misc, assignment]
    answers = Answers(root.parent / "answers")
    server = StoredFarm(root)
    server.farm.validate()
    wrong = answers.compare(server)
    if wrong:
        raise AssertionError("\n".join(wrong))
    answers.begin_anew(server)
    # Tasks that ran do not come back: they get ready, and run again.
    server.farm.tick(NOW + 1000)
    server.farm.root_branch.max_tasks_per_second = -1
    server.add_render(room=8)
    os.write(loaded, b".")
    rnd = random.Random(seed)
    clients = [gevent.spawn(_client, server, answers, random.Random(rnd.random()), n) for n in range(CLIENTS)]
    clients.append(gevent.spawn(_host, server, answers))
    gevent.joinall(clients, raise_error=True)


def end(root: Path) -> None:
    """Be a server once more, and stop in order: the files are as the journal is."""
    store_farm.InlineMirror = MirrorProcess  # type: ignore[misc, assignment]
    server = StoredFarm(root)
    wrong = Answers(root.parent / "answers").compare(server)
    server.stop()
    lines: list[str] = []
    if check_store(root, Settings(), NOW, lines.append) or any(
        "not as the journal" in line for line in lines
    ):
        wrong += lines
    if wrong:
        raise AssertionError("\n".join(wrong))


def _client(server: StoredFarm, answers: Answers, rnd: random.Random, number: int) -> None:
    """Submit, edit and delete jobs; each client has its own."""
    while True:
        own = [
            job
            for job in server.farm.jobs
            if job.id != SYSJOB_ID and job.serial % CLIENTS == number and not job.deleting
        ]
        what = rnd.choice(["submit", "edit", "edit", "delete"]) if own else "submit"
        if what == "submit" and len(server.farm.jobs) > JOBS_MOST:
            what = "delete" if own else "wait"
        if what == "submit":
            _submit(server, answers, rnd)
        elif what == "edit":
            job, text = rnd.choice(own), str(rnd.random())
            serial = job.serial
            answers.note("try", "edit", serial, text=text)
            server.act("jobs", [job.id], params={"annotation": text})
            answers.note("ok", "edit", serial, text=text)
        elif what == "delete":
            job = rnd.choice(own)
            serial = job.serial
            answers.note("try", "delete", serial)
            server.act("jobs", [job.id], operation={"type": "delete"})
            answers.note("ok", "delete", serial)
        gevent.sleep(rnd.random() * PAUSE_SECONDS)


def _submit(server: StoredFarm, answers: Answers, rnd: random.Random) -> None:
    serial = server.farm.jobs_serial + 1
    frames = rnd.randint(1, 6)
    names = [{"name": f"t{n}", "command": "c" * rnd.randint(1, 500)} for n in range(rnd.randint(1, 4))]
    block = {"service": "generic", "capacity": 1000}
    blocks = [
        {**block, "name": "frames", "flags": 1, "frame_first": 1, "frame_last": frames},
        {**block, "name": "listed", "tasks": names},
    ]
    answers.note("try", "submit", serial, tasks=[frames, len(names)])
    server.add_job(f"job{serial}", blocks=blocks)
    answers.note("ok", "submit", serial, tasks=[frames, len(names)])


def _host(server: StoredFarm, answers: Answers) -> None:
    """Finish one task after the other."""
    render = server.farm.renders.by_name["host"]
    while True:
        if render.runs:
            job_id, block_num, number = next(iter(render.runs))
            job = server.farm.jobs.by_id[job_id]
            serial = job.serial
            place, starts = [block_num, number], job.blocks[block_num].tasks.starts[number]
            answers.note("try", "finish", serial, task=place, starts=starts)
            server.end_run(render, data=b"output of a task\n" * 20)
            answers.note("ok", "finish", serial, task=place, starts=starts)
        gevent.sleep(PAUSE_SECONDS / 4)


def _in_child(work: Callable[..., None], *args: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            work(*args)
        except BaseException:  # noqa: BLE001 - the parent has to see it, whatever it is
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def main() -> int:
    """Live and die; return 0 if nothing was ever missing."""
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    rnd = random.Random(seed)
    root = folder / "store"
    changes = 0
    for number in range(kills):
        reader, writer = os.pipe()
        child = _in_child(live, root, seed * 1_000_003 + number, writer)
        os.close(writer)
        loaded = os.read(reader, 1)
        os.close(reader)
        if loaded:
            time.sleep(rnd.random() * LIFE_SECONDS)
            if rnd.random() < LONG_LIVES:
                time.sleep(2.0)  # time for the mirror to come to work
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stderr.write(f"life {number} ended by itself\n")
            return 1
        if number % 100 == 99:
            sys.stdout.write(f"{number + 1} kills\n")
            sys.stdout.flush()
        changes += sum('"ok"' in line for line in (folder / "answers").read_text().splitlines())
    _, status = os.waitpid(_in_child(end, root), 0)
    sys.stdout.write(f"kills={kills} changes={changes}\n")
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
