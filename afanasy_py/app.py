"""The one place that builds the server's objects and owns its loop.

It binds before it touches the store, carries out what the farm wants after each call, and ends in order.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent
from gevent.event import Event

from afanasy_py.audit import AuditLog
from afanasy_py.clock import Clock
from afanasy_py.config import Config, config_answer, reload_config
from afanasy_py.core import registration, replies
from afanasy_py.core.dispatch import JSON_TYPES, handle
from afanasy_py.core.farm import Farm
from afanasy_py.core.job import SYSJOB_ID
from afanasy_py.core.requests import (
    AskServer,
    Caller,
    ReadFiles,
    ReadOutput,
    RunFirst,
    SlowAction,
    SlowAnswer,
)
from afanasy_py.errors import ConfigError, StoreError
from afanasy_py.guard import Guard
from afanasy_py.metrics import Metrics
from afanasy_py.msg.answers import Answer
from afanasy_py.msg.framing import Form, Request
from afanasy_py.net.files import Files
from afanasy_py.net.server import Server
from afanasy_py.net.work import CHEAP_SECONDS, WAIT_MOST, Work, measure
from afanasy_py.pre_command import run_command
from afanasy_py.site import Site
from afanasy_py.stats.statistics import Statistics
from afanasy_py.stats_rows import LogRow
from afanasy_py.store.store import Store
from afanasy_py.supervisor import Supervisor
from afanasy_py.sysjob.job import SystemJobKeeper
from afanasy_py.turns import let_others

log = logging.getLogger(__name__)

#: The longest sleep of the loop, seconds; timers of the farm decide when it is shorter.
IDLE_SECONDS = 1.0
#: When the farm's loop has not turned for so long, seconds, the server is not well: it does so each second.
STUCK_SECONDS = 15.0
#: A stop takes no longer, seconds; files of the original's layout that are not complete then are written on
#: by the process that does it.
STOP_SECONDS = 4.0
#: Name of the audit log in the store.
AUDIT_FILE = "audit.log"


class App:
    """The server: a farm and all that surrounds it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = Clock()
        settings = config.settings
        self.farm = Farm(
            settings,
            self.clock.now(),
            time_text=self._time_text,
            version=config.machine.version,
            stopwatch=perf_counter,
        )
        self.farm.demo = config.arguments.demo
        self.store = Store(Path(settings.af_store_folder), settings, self.clock)
        self.store.on_trouble = self._announce
        self.farm.why_no_jobs = self.store.refusal
        self.stats = Statistics(
            settings,
            Path(settings.af_store_folder),
            self._announce,
            self.clock.now,
            enabled=not config.arguments.nosql,
        )
        self.farm.keeps_statistics = not config.arguments.nosql
        self.guard = Guard(config, self.farm, Path(settings.af_store_folder), self.clock.now)
        self.audit: AuditLog | None = None
        self._keep_audit()
        self.files = Files(config.serve_dir, Path(settings.af_store_folder), settings)
        self.work = Work()
        self.work.share = settings.af_limit_work_ms / 1000
        self.supervisor = Supervisor(os.environ)
        self.metrics = Metrics(self.farm, self.store, self.stats, self.clock.now())
        self.site = Site(self.files, self.guard, self.metrics, self._why_not_alive, self._why_not_ready)
        self.server = Server(settings, self.metrics.timed(self.dispatch), config.machine.version)
        self.metrics.server = self.server
        self._turned_at = perf_counter()
        self._wake = Event()
        self._sleeps_until = 0.0
        self._stopping = Event()

    def _keep_audit(self) -> None:
        """Begin the audit log, if there is to be one; it then stays until the end."""
        settings = self.config.settings
        if self.audit is None and (settings.af_access or settings.af_audit_log):
            folder = Path(settings.af_store_folder)
            self.audit = AuditLog(
                Path(settings.af_audit_log) if settings.af_audit_log else folder / AUDIT_FILE
            )
            self.farm.keeps_audit = True

    def _time_text(self, when: int) -> str:
        return datetime.fromtimestamp(when).strftime(self.config.settings.timeformat)

    def _announce(self, text: str) -> None:
        from afanasy_py.core.watching import announce

        announce(self.farm, text)

    # -- life

    def run(self) -> int:
        """Serve until the process is told to stop; return the exit code."""
        self.server.bind()
        self.store.lock()
        farm = self.farm
        now = self.clock.now()
        self._add_server_row(now, "Starting server. Reading store...")
        farm.now = now
        farm.sysjob = keeper = SystemJobKeeper(farm, self.config.machine.af_root)
        self.store.load(farm, now)
        farm.make_roots()
        if SYSJOB_ID not in farm.jobs.by_id:
            keeper.make()
        farm.begin(now)
        farm.settle()
        self._add_server_row(now, "Server started. Reading store finished.")
        self.stats.start()
        if self.audit is not None:
            self.audit.start()
        self.carry_out()
        _spare_the_collector()
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop)
        if hasattr(signal, "SIGHUP"):
            gevent.signal_handler(signal.SIGHUP, self._reload)
        loop = gevent.spawn(self._loop)
        loop.name = "farm loop"
        self.server.serve()
        log.info("Listening %d port...", self.config.settings.af_serverport)
        self.supervisor.ready()
        self._stopping.wait()
        latest = perf_counter() + STOP_SECONDS
        self.supervisor.stopping()
        self.server.stop()
        loop.kill()
        self._add_server_row(self.clock.now(), "Server shutdown.")
        self.carry_out()
        statistics = gevent.spawn(self.stats.stop)
        self.store.close(max(latest - perf_counter(), 0.5))
        statistics.join(max(latest - perf_counter(), 0.5))
        if self.audit is not None:
            self.audit.stop()
        log.info("Exiting process...")
        return 0

    def _stop(self) -> None:
        log.info("SIG INT")
        self._stopping.set()

    def _reload(self) -> None:
        self.supervisor.reloading()
        self._answer_reload()
        self.supervisor.ready()

    def _why_not_alive(self) -> str:
        """Return why the server should be started again; empty: it is well."""
        silent = perf_counter() - self._turned_at
        return f"the farm's loop stands still for {silent:.0f} s" if silent > STUCK_SECONDS else ""

    def _why_not_ready(self) -> str:
        """Return why clients should not come here; no path of this host is in it."""
        if self._stopping.is_set():
            return "the server stops"
        if self.store.refusal():
            return "the store cannot be written"
        return self._why_not_alive()

    def _loop(self) -> None:
        """Let the farm do what is due, whenever something is."""
        while True:
            self._wake.clear()
            now = self.clock.now()
            self._turned_at = perf_counter()
            self.supervisor.beat(self._turned_at)
            try:
                self.farm.tick(now)
                self.carry_out()
            except Exception:
                log.exception("The farm's loop caught a bug")
            due = self.farm.next_time()
            pause = IDLE_SECONDS if due is None else min(max(due - now, 0.0), IDLE_SECONDS)
            self._sleeps_until = now + pause
            self._wake.wait(pause)

    # -- requests

    def dispatch(self, request: Request, peer: str) -> Any:
        """Answer one request; called in the greenlet of its connection."""
        if request.form is Form.GET:
            return self.site.answer(request, peer)
        caller = Caller(peer) if self.farm.gate is None else self.guard.caller_of(request, peer)
        if request.msg_type in JSON_TYPES:
            if self.work and (refusal := self._wait_for_others(caller.address)):
                return refusal
            begin = measure()
            result: Any = self._handle(request, caller)
            self.work.note(caller.address, measure() - begin, perf_counter())
        else:
            result = self._handle(request, caller)
        self._keep(self.carry_out())
        if isinstance(result, ReadOutput):
            return self._read_output(result)
        if isinstance(result, ReadFiles):
            return result.finish(
                self.store.read_files(result.job_id, result.block_num, result.task_num, result.contents)
            )
        if isinstance(result, SlowAnswer):
            return self._make_slowly(result, caller.address)
        if isinstance(result, AskServer):
            return self._ask_server(result)
        if isinstance(result, RunFirst):
            return self._run_first(result)
        return result

    def _handle(self, request: Request, caller: Caller) -> Any:
        return handle(self.farm, request.msg_type, request.value, request.body, caller, self.clock.now())

    def _keep(self, ticket: Any) -> None:
        """Wait until what an answer promises is safe; with a failing disk the farm goes on in memory.

        The store says in its log and to all monitors that it cannot write, and writes later what is missing.
        """
        if ticket is not None:
            try:
                self.store.wait(ticket)
            except StoreError as error:
                log.debug("answered though the store cannot be written: %s", error)

    def carry_out(self) -> Any:
        """Carry out what the farm wants; return what to wait for before answering, or None."""
        farm = self.farm
        changes = farm.changes
        if changes.lines:
            for level, text in changes.lines:
                log.log(level, "%s", text)
            changes.lines.clear()
        if changes.audits:
            if self.audit is not None:
                self.audit.add(changes.audits, self.clock.now())
            changes.audits.clear()
        if changes.rows:
            self.stats.add(changes.rows)
            changes.rows = []
        ticket = self.store.commit(farm) if changes.is_durable() else None
        due = farm.timers.next_time()
        if due is not None and due < self._sleeps_until:
            self._sleeps_until = due
            self._wake.set()
        return ticket

    def _add_server_row(self, now: float, text: str) -> None:
        self.farm.changes.rows.append(LogRow(int(now), "afanasy", "server", "server", text))

    def _read_output(self, wanted: ReadOutput) -> Answer:
        content = self.store.read_output(wanted.job_id, wanted.block_num, wanted.task_num, wanted.start)
        return wanted.finish(content)

    def _wait_for_others(self, address: str) -> Answer | None:
        """Let an address wait that took much of the server's time; return the refusal of one that took more."""
        wait = self.work.wait(address, perf_counter())
        if wait > WAIT_MOST:
            return replies.error(
                f"Too many expensive requests from {address}: try again in {wait:.0f} s (af_limit_work_ms)."
            )
        if wait:
            # GEVENT: the request is not looked at yet.
            gevent.sleep(wait)
        return None

    def _make_slowly(self, slow: SlowAnswer, address: str) -> Answer:
        """Make an answer in steps; those of an action are calls of the farm like any other."""
        acts = isinstance(slow, SlowAction)
        took = 0.0
        ticket = None
        answer: Answer | None = None
        while answer is None:
            begin = measure()
            try:
                if acts:
                    self.farm.begin(self.clock.now())
                next(slow.steps)
            except StopIteration as stop:
                answer = stop.value
            finally:
                if acts:
                    self.farm.settle()
                    ticket = _later(ticket, self.carry_out())
                took += measure() - begin
                if took > CHEAP_SECONDS:
                    self.work.note(address, took, perf_counter())
                    took = 0.0
            if answer is None:
                # GEVENT: others have their turn; the steps look nodes up again.
                let_others()
        self._keep(ticket)
        return answer

    def _ask_server(self, asked: AskServer) -> Answer:
        answers: dict[str, Callable[[Any], Answer]] = {
            "access": self._answer_access,
            "config": lambda _: replies.raw(config_answer(self.config)),
            "files": self._answer_files,
            "reload_config": lambda _: self._answer_reload(),
            "save": self._answer_save,
        }
        return answers[asked.what](asked.params)

    def _answer_access(self, params: Any) -> Answer:
        # GEVENT: tokens are few and small, writing them in place keeps them in order.
        return self.guard.answer(params)

    def _answer_files(self, params: Any) -> Answer:
        path = params.get("path", "")
        path = path if isinstance(path, str) else ""
        return replies.reply({"path": path, "files": self.files.list_folder(path)})

    def _answer_reload(self) -> Answer:
        try:
            config = reload_config(self.config, os.environ)
            self.guard.configure(config)
            try:
                self.server.reconfigure(config.settings)
            except ConfigError:
                self.guard.configure(self.config)
                raise
            self.config = config
        except ConfigError as error:
            log.error("%s", error)  # noqa: TRY400 - the text says what is wrong, a trace would not
            return replies.status("reload_config", "Failed, see server logs fo details.", good=False)
        for message in self.config.messages:
            log.log(message.level, "%s", message.text)
        self.farm.settings = self.config.settings
        if self.audit is None:
            self._keep_audit()
            if self.audit is not None:
                self.audit.start()
        self.work.share = self.config.settings.af_limit_work_ms / 1000
        self.files.reconfigure(self.config.serve_dir, self.config.settings)
        if self.config.failed:
            return replies.status("reload_config", "Failed, see server logs fo details.", good=False)
        return replies.status("reload_config", "Reloaded successfully.", good=True)

    def _answer_save(self, params: Any) -> Answer:
        """Write a JSON object of the web GUI below the CGRU root (json-api 3)."""
        if not self.config.settings.af_server_save:
            return replies.error("Saving files is switched off (af_server_save).")
        if not isinstance(params, dict):
            return replies.error('"save" is not an object.')
        path, document = params.get("path"), params.get("object")
        if not isinstance(path, str):
            return replies.error('"path" is not an string.')
        if not isinstance(document, dict):
            return replies.error('"object" is not an object.')
        root = Path(self.config.machine.location or self.config.serve_dir or ".").resolve()
        target = root / (path.lstrip("/.") + ".json")
        try:
            above = target.resolve().parents
            inside = bool(self.config.machine.location) and root in above
            inside = inside and Path(self.config.settings.af_store_folder).resolve() not in above
            existed = inside and target.exists()
        except (OSError, ValueError, RuntimeError):  # a name that is too long, or links in a circle
            inside = existed = False
        if not inside:
            return replies.error(f'Unable to write to "{target}", see server log for details.')
        text = json.dumps(
            {"__cgru__": f"Created by afserver at {self._time_text(int(self.clock.now()))}", **document},
            indent="\t",
            ensure_ascii=False,
        )
        data = text.encode("utf-8", "surrogateescape")
        try:
            gevent.get_hub().threadpool.apply(target.write_bytes, (data,))
        except OSError as error:
            log.error("save: %s", error)  # noqa: TRY400 - the path is in the text
            return replies.error(f'Unable to write to "{target}", see server log for details.')
        answer: dict[str, Any] = {"path": str(target)}
        if existed:
            answer["overwrite"] = True
        answer["size"] = len(data)
        return replies.reply({"save": answer})

    def _run_first(self, wanted: RunFirst) -> Answer:
        """Run the pre commands of a job, then let it begin; only this answer waits for them."""
        job = wanted.job
        limit = self.config.settings.af_server_pre_command_sec
        lines = []
        for whose, command, directory in wanted.commands:
            log.info("Executing command:\n%s", command)
            # GEVENT: the farm goes on; the job may be deleted meanwhile.
            lines.append(whose + run_command(command, directory, limit))
        farm = self.farm
        farm.begin(self.clock.now())
        answer = registration.finish_commands(farm, job, lines)
        farm.settle()
        self._keep(self.carry_out())
        return answer


def _later(ticket: Any, newer: Any) -> Any:
    return ticket if newer is None else newer


def _spare_the_collector() -> None:
    """Let the collector of reference cycles look at new objects only: the farm's own live long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(config: Config) -> int:
    """Run the server until it is stopped; return the exit code.

    Raises:
        AfanasyError: It cannot start; the text is for the user.
    """
    return App(config).run()
