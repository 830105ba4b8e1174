"""The loop of a render host: carries out what the machine decides, talks to the server at each heartbeat.

One thread does everything; threads of the tasks' processes only wake it. A task that ends wakes the loop too,
so the server learns of it, and may give the next one, before the next heartbeat.
"""

import logging
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.types import MsgType, RenderState
from afanasy_py.render import client
from afanasy_py.render import machine as m
from afanasy_py.render.client import Answer
from afanasy_py.render.interfaces import net_interfaces
from afanasy_py.render.resources import Meter
from afanasy_py.render.runner import Surroundings, TaskRunner, resources_text, tasks_environ
from afanasy_py.render.services import ServiceLoader, task_info

log = logging.getLogger(__name__)

#: Ended tasks are reported at once, but not more often than this.
UPDATE_GAP_SEC = 0.05
#: How soon a signal is noticed.
SIGNAL_POLL_SEC = 0.5
#: At the end tasks get so long to end by themselves.
EXIT_GRACE_SEC = 3


Exchange = Callable[[tuple[str, int], MsgType, int | bytes], Answer]


@dataclass(frozen=True)
class Identity:
    """Who the host says it is."""

    name: str
    user_name: str
    os: str
    engine: str
    state: int = RenderState.ONLINE


class RenderHost:
    """A render host.

    Args:
        server: Host and port.
        identity: Who this is.
        loader: Of services.
        store: Folder for files of tasks; it is there.
        now: Clock that never jumps.
        nice: Niceness of tasks.
        wol_service: Name of the service that puts the machine to sleep.
        exchange: Sends one message and returns the answer.
    """

    def __init__(
        self,
        server: tuple[str, int],
        identity: Identity,
        loader: ServiceLoader,
        store: Path,
        now: Callable[[], float],
        *,
        nice: int = 0,
        wol_service: str = "wakeonlan",
        exchange: Exchange = client.exchange,
    ) -> None:
        self.server = server
        self.identity = identity
        self.loader = loader
        self.now = now
        self.wol_service = wol_service
        self.exchange = exchange
        self.launched_at = int(now())
        self.machine = m.RenderMachine(connected_at=now(), busy_at=now())
        self.meter = Meter()
        self.resources = self.meter.measure(now())
        self.resources_text = resources_text(self.resources)
        self.interfaces = net_interfaces()
        self.runners: dict[m.TaskKey, TaskRunner] = {}  # tasks that the server has not closed
        self.leaving: list[TaskRunner] = []  # closed ones whose processes have not ended
        self.outputs: list[tuple[TaskPos, str]] = []  # asked for, not sent yet
        self.beats = 0
        self.exit: m.Exit | None = None
        self.woken = threading.Event()
        self.around = Surroundings(loader, store, nice, self.woken.set, tasks_environ())

    def run(self) -> int:
        """Work until something ends it; return the exit status of the program."""
        while self.exit is None:
            beat_at = self.now()
            try:
                self.beat()
            except Exception:  # a bug; the running tasks shall not pay for it
                log.exception("heartbeat failed")
            next_beat_at = beat_at + self.machine.heartbeat_sec
            while self.exit is None and (left := next_beat_at - self.now()) > 0:
                if not self.woken.wait(min(left, SIGNAL_POLL_SEC)):
                    continue
                self.woken.clear()
                self.work()
                if any(runner.run.finished for runner in self.runners.values()):
                    next_beat_at = min(next_beat_at, beat_at + UPDATE_GAP_SEC)
        log.info("exit: %s", self.exit.reason)
        self.shut_down()
        return 1 if self.exit.failed else 0

    def ask_to_exit(self, reason: str) -> None:
        """End the loop soon; may be called by a signal handler or another thread.

        It touches no lock: a handler may interrupt this very thread while it holds one.
        """
        self.exit = self.exit or m.Exit(reason)

    def work(self) -> None:
        """Let all tasks take their output."""
        now = self.now()
        for runner in [*self.runners.values(), *self.leaving]:
            runner.work(now, self.resources_text)
        for runner in [runner for runner in self.leaving if runner.run.gone]:
            self.leaving.remove(runner)
            runner.remove_store()

    def beat(self) -> None:
        """Do one heartbeat: tasks, update, answer."""
        self.work()
        now = self.now()
        with_resources = self.machine.resources_wanted(self.beats)
        self.beats += 1
        if with_resources:
            self.resources = self.meter.measure(now)
            self.resources_text = resources_text(self.resources)
        self.perform(self.machine.tick(now))
        if self.exit is not None:
            return
        outputs, self.outputs = self.outputs, []
        registering = self.machine.registering
        try:
            if registering:
                answer = self.exchange(self.server, MsgType.TRenderRegister, self.registration())
            else:
                update = self.update(self.resources if with_resources else None, outputs)
                answer = self.exchange(self.server, MsgType.TRenderUpdate, update)
            actions = self.react(answer)
        except (OSError, ProtocolError) as error:
            level = logging.DEBUG if registering and self.beats > 1 else logging.WARNING
            log.log(level, "no answer from %s:%d: %s", *self.server, error)
            self.outputs = outputs + self.outputs
            self.perform(self.machine.on_failure(self.now()))
            return
        if not registering:
            for runner in self.runners.values():
                runner.delivered()
        self.perform(actions)

    def react(self, answer: Answer) -> list[m.Action]:
        """Return what the machine makes of an answer.

        Raises:
            ProtocolError: The events can not be decoded.
        """
        now = self.now()
        if answer.type == MsgType.TRenderId:
            return self.machine.on_id(answer.value, now)
        if answer.type == MsgType.TRenderEvents:
            return self.machine.on_events(RenderEvents.decode(MsgType.TRenderEvents, answer.data), now)
        if answer.type == MsgType.TVersionMismatch:
            return self.machine.on_version_mismatch()
        raise ProtocolError(f"unexpected answer of type {answer.type}: {answer.data[:80]!r}")

    def registration(self) -> bytes:
        """Return the data of a register message, with all tasks that the server may take over."""
        who = self.identity
        tasks = list(self.machine.tasks.values())
        render = Render(
            tasks=tasks,
            os=who.os,
            engine=who.engine,
            name=who.name,
            user_name=who.user_name,
            st=who.state,
            priority=99,
            time_launch=self.launched_at,
            tasks_percents=[self.runners[key].run.parsed.percent for key in self.machine.tasks],
            idle_time=self.launched_at,
            busy_time=self.launched_at,
            host_resources=self.resources,
            id=self.machine.id,
            netifs=self.interfaces,
        )
        return render.encode(MsgType.TRenderRegister)

    def update(self, resources: HostRes | None, outputs: list[tuple[TaskPos, str]]) -> bytes:
        """Return the data of an update message."""
        update = RenderUpdate(
            id=self.machine.id,
            taskups=[runner.update(self.machine.id) for runner in self.runners.values()],
            outputs=outputs,
            host_resources=resources,
        )
        return update.encode(MsgType.TRenderUpdate)

    def perform(self, actions: list[m.Action]) -> None:
        """Carry out actions. Knows how, never whether."""
        for action in actions:
            log.debug("action: %.80r", action)
            match action:
                case m.Exit():
                    self.exit = self.exit or action
                case m.Note(text, warning):
                    log.log(logging.WARNING if warning else logging.INFO, "%s", text)
                case m.Launch(command):
                    self.launch(command)
                case m.Sleep(render):
                    self.sleep(render)
                case m.StartTask(task):
                    self.start(task)
                case m.CloseTask(key):
                    self.close(key)
                case m.SendOutput(key):
                    self.outputs.append((pos_of(key), self.output_of(key)))
                case m.StopTask(key) if key in self.runners:
                    self.runners[key].stop(self.now())
                case m.Listen(key, listening) if key in self.runners:
                    self.runners[key].run.listen(listening)
                case _:
                    log.warning("the task is not here: %r", action)

    def start(self, task: TaskExec) -> None:
        """Run a task; one that could not be started is reported at once."""
        runner = TaskRunner(task, self.around, self.now())
        self.runners[runner.key] = runner
        if runner.run.finished:
            self.woken.set()

    def close(self, key: m.TaskKey) -> None:
        """Forget a task as soon as its processes have ended."""
        runner = self.runners.pop(key, None)
        if runner is None:
            log.debug("asked to close an unknown task: %s", key)
            return
        runner.close(self.now())
        if runner.run.gone:
            runner.remove_store()
        else:
            self.leaving.append(runner)

    def output_of(self, key: m.TaskKey) -> str:
        """Return the output of a task so far."""
        runner = self.runners.get(key)
        return runner.output() if runner is not None else f"Render has no task: {key}"

    def launch(self, command: str) -> None:
        """Start a command that is no task; nobody waits for it."""
        log.info("launching: %s", command)
        try:
            subprocess.Popen(command, shell=True, start_new_session=True)  # noqa: S602 - a farm admin asked
        except OSError as error:
            log.warning("not launched: %s", error)

    def sleep(self, render: str) -> None:
        """Put this machine to sleep, in the way that the service knows."""
        task = TaskExec(
            service=self.wol_service, name="sleep", working_directory="SLEEP", command_task=render
        )
        try:
            command = self.loader.make(self.wol_service, task_info(task, "")).getCommand()
        except Exception:  # a service is anybody's code
            log.exception("service failed: %s", self.wol_service)
            return
        if command:
            self.launch(command)

    def shut_down(self) -> None:
        """End all tasks and tell the server that this host is gone."""
        runners = [*self.runners.values(), *self.leaving]
        end = self.now() + EXIT_GRACE_SEC
        for runner in runners:
            runner.close(self.now())
        while any(runner.run.running for runner in runners) and self.now() < end:
            self.woken.wait(0.1)
            self.woken.clear()
            for runner in runners:
                runner.work(self.now(), self.resources_text)
        for runner in runners:
            runner.kill()
            runner.remove_store()
        if self.machine.registering:
            return
        try:
            self.exchange(self.server, MsgType.TRenderDeregister, self.machine.id)
        except (OSError, ProtocolError) as error:
            log.warning("not deregistered: %s", error)


def pos_of(key: m.TaskKey) -> TaskPos:
    """Return a key as it travels."""
    job_id, block_num, task_num, number = key
    return TaskPos(job_id=job_id, block_num=block_num, task_num=task_num, number=number)
