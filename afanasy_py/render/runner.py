"""Runs one start of a task: joins its service, its process and its state (``task_run``)."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import EXEC_LISTENED
from afanasy_py.render.machine import TaskKey, key_of
from afanasy_py.render.process import ChildProcess
from afanasy_py.render.services import ServiceLoader, task_info
from afanasy_py.render.task_run import ParserReport, Signal, TaskRun

log = logging.getLogger(__name__)

#: Files of the store folder that are this big or bigger are not sent.
FILE_SIZE_MAX = 100_000
SILENCE = "Render task process: Silence..."


@dataclass(frozen=True)
class Surroundings:
    """What all tasks of a host share."""

    loader: ServiceLoader
    store: Path  # folder for the tasks' files
    nice: int
    wake: Callable[[], None]  # may be called from any thread
    environ: Mapping[str, str]


class TaskRunner:
    """One start of a task on this host. It never raises: what goes wrong is the result of the task."""

    def __init__(self, task: TaskExec, around: Surroundings, now: float) -> None:
        self.task = task
        self.key: TaskKey = key_of(task)
        self.around = around
        self.run = TaskRun(task.block_flags)
        self.run.listen(bool(task.flags & EXEC_LISTENED))
        self.process: ChildProcess | None = None
        self.service: Any = None
        self.sent_files: set[str] = set()
        self.sent_lines = self.sent_listened = 0  # of the last update, until it is delivered
        self.store = Path()
        self._begin(now)

    def _begin(self, now: float) -> None:
        prefix = ".".join(map(str, self.key[:3])) + "_"
        try:
            self.store = Path(tempfile.mkdtemp(prefix=prefix, dir=self.around.store))
            self.service = self.around.loader.make(self.task.service, task_info(self.task, str(self.store)))
            skipped = self.service.skipTask()
            command = "" if skipped else self.service.getCommand()
        except Exception as error:  # a service is anybody's code
            log.exception("service failed: %s task=%s", self.task.service, self.key)
            self.run.fail_to_start(f"Service {self.task.service} failed: {error!r}")
            return
        if skipped:
            log.info("task skipped by its service: %s", self.key)
            self.run.skip()
        elif command:
            self._launch(command, now)
        else:
            self.run.fail_to_start("The command is empty.")

    def _launch(self, command: str, now: float) -> None:
        job_id, block_num, task_num, _ = self.key
        wdir = self.service.getWDir()
        if not wdir or not Path(wdir).is_dir():
            if wdir:
                log.warning("no such working directory: %s task=%s", wdir, self.key)
            wdir = str(self.around.store)
        environ = {
            **self.around.environ,
            **self.service.getEnvironment(),
            "AF_JOB_ID": str(job_id),
            "AF_BLOCK_ID": str(block_num),
            "AF_TASK_ID": str(task_num),
        }
        try:
            self.process = ChildProcess(command, wdir, environ, self.around.nice, self.around.wake)
        except (OSError, ValueError) as error:
            log.warning("not started: task=%s: %s", self.key, error)
            self.run.fail_to_start(f"The command could not be started: {error}")
            return
        log.info("started: pid=%d task=%s %s", self.process.pid, self.key, self.task.name)
        self.run.command_started(now)

    def work(self, now: float, resources: str) -> None:
        """Take output and the end of the process, and see to its signals.

        Args:
            now: Seconds of a clock that never jumps.
            resources: JSON text of the host's resources.
        """
        if self.process is None or not self.run.running:
            return
        status = self.process.exit_status()  # before reading: after it no more output comes
        if status is not None and self.run.stop_asked_at is not None and self.process.has_group():
            status = None  # the shell has obeyed, but not all that it has started
        mode = "RUN" if status is None else f"{wait_status(status)}:{int(self.run.stop_asked_at or 0)}"
        text = self.process.read()
        if not self.run.closed:
            text, report = self._parse(text, mode, resources)
            self._signal(self.run.on_output(text, report, now))
        if status is None:
            self._signal(self.run.tick(now))
            return
        log.info("ended: pid=%d task=%s status=%d", self.process.pid, self.key, status)
        command = self.run.on_exit(status, self.service)
        if command is not None:
            self._launch(command, now)

    def _parse(self, text: bytes, mode: str, resources: str) -> tuple[bytes, ParserReport | None]:
        """Return the output, which a parser may replace, and what the parser says."""
        assert self.process is not None
        words = {"mode": mode, "pid": self.process.pid, "data": text.decode("utf-8", "replace")}
        try:
            parser = self.service.parse({**words, "resources": resources})
            if parser is None:
                return text, None
            report = ParserReport(
                **{name: kind(getattr(parser, name, kind())) for name, kind in REPORT_FIELDS.items()}
            )
            result = getattr(parser, "result", None)
        except Exception:  # a parser is anybody's code
            log.exception("parser failed: %s task=%s", self.task.parser, self.key)
            return text, None
        if isinstance(result, str):
            result = result.encode("utf-8", "surrogateescape")
        return (result if isinstance(result, bytes) else text), report

    def stop(self, now: float) -> None:
        """End it; the result is reported."""
        self._signal(self.run.stop(now))

    def close(self, now: float) -> None:
        """End it when it runs; nobody wants its result."""
        self._signal(self.run.close(now))

    def kill(self) -> None:
        """End it at once."""
        if self.run.running:
            self._signal(Signal.KILL)

    def _signal(self, signal: Signal | None) -> None:
        if signal is None or self.process is None:
            return
        log.info("%s: pid=%d task=%s", signal.value, self.process.pid, self.key)
        if signal is Signal.TERMINATE:
            self.process.terminate()
        else:
            self.process.kill()

    def remove_store(self) -> None:
        """Delete the task's files."""
        if self.store.name:
            shutil.rmtree(self.store, ignore_errors=True)

    def output(self) -> str:
        """Return the output so far, for people."""
        return self.run.output.value().decode("utf-8", "surrogateescape") or SILENCE

    def update(self, render_id: int) -> TaskUp:
        """Return what the server shall know now; with a final status the whole output."""
        run = self.run
        parsed = run.parsed
        job_id, block_num, task_num, number = self.key
        lines = list(run.log)
        self.sent_lines, self.sent_listened = len(lines), len(run.listened)
        if run.finished and self.service is not None:
            lines += [text for text in [self._asked("getLog", "")] if text]
        return TaskUp(
            client_id=render_id,
            job_id=job_id,
            block_num=block_num,
            task_num=task_num,
            number=number,
            status=int(run.status),
            percent=max(0, min(100, parsed.percent)),
            frame=parsed.frame,
            percent_frame=max(0, min(100, parsed.percentframe)),
            progress_changed=run.progress_changed,
            activity=parsed.activity,
            resources=parsed.resources,
            report=parsed.report,
            log="\n".join(lines),
            listened=run.listened.decode("utf-8", "replace"),
            parsed_files=[str(name) for name in self._asked("getParsedFiles", [])],
            data=run.output.value() if run.finished else b"",
            files=self._files() if run.finished else [],
        )

    def _asked(self, name: str, default: Any) -> Any:
        if self.service is None:
            return default
        try:
            return getattr(self.service, name)()
        except Exception:  # a service is anybody's code
            log.exception("service failed: %s.%s task=%s", self.task.service, name, self.key)
            return default

    def _files(self) -> list[tuple[str, bytes]]:
        """Return name and content of the small files of the task's store folder."""
        if not self.store.name:
            return []
        try:
            paths = [path for path in sorted(self.store.iterdir()) if path.is_file()]
            return [(path.name, path.read_bytes()) for path in paths if path.stat().st_size < FILE_SIZE_MAX]
        except OSError as error:  # the folder is the task's, it may have removed it
            log.warning("files not sent: task=%s: %s", self.key, error)
            return []

    def delivered(self) -> None:
        """The server has got the last update."""
        self.run.delivered(self.sent_lines, self.sent_listened)


REPORT_FIELDS: dict[str, Callable[..., Any]] = {
    "percent": int,
    "frame": int,
    "percentframe": int,
    "activity": str,
    "resources": str,
    "report": str,
    "progress_changed": bool,
    "warning": bool,
    "error": bool,
    "fatalerror": bool,
    "badresult": bool,
    "finishedsuccess": bool,
}


def wait_status(exit_status: int) -> int:
    """Return an exit status as parsers know it: as the system call ``wait`` gives it."""
    return -exit_status if exit_status < 0 else exit_status << 8


def resources_text(resources: HostRes) -> str:
    """Return the resources of the host as parsers get them: JSON with the names of the record's columns."""
    values = {name: getattr(resources, name) for name in HostRes.columns if name != "custom"}
    return json.dumps({"host_resources": values})


def tasks_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that tasks get from the host."""
    return dict(environ)
