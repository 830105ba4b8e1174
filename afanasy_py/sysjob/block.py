"""A block of the system job: a queue of commands that become tasks when a render takes them.

Its single task in the lists is a dummy that stands for the queue. A command gets the smallest free number
below `af_sysjob_tasksmax` at the moment it starts; tasks that wait for a retry go before new commands.
Source: sysjob-events 2.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from afanasy_py.core.block import Block, derived
from afanasy_py.core.changes import CommandsGone, CommandWaits
from afanasy_py.core.render import Render
from afanasy_py.core.run import Run
from afanasy_py.core.running import (
    BAD_ENDS,
    GOOD_ENDS,
    LOST_ENDS,
    add_row,
    append_error,
    give_back_resources,
    take_resources,
)
from afanasy_py.core.task_states import ERR, RDY, RUN
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.sysjob.commands import Command, CommandQueue, Numbers

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

DUMMY_NAME = "Dummy task. See all tasks logs here."
_LINE = "=" * 55
#: So many commands that are dropped at once are reported one by one.
_REPORTED = 100
#: The log takes so much of the end of an output, bytes.
_OUTPUT_MOST = 20_000

#: How the log of the system job names ends that are no success.
_JOB_LOG_TEXTS: dict[int, str] = {
    TaskStatus.Warning: "Warning",
    TaskStatus.FailedToStart: "Failed to start",
    TaskStatus.FinishedKilled: "Finished crashed",
    TaskStatus.FinishedParserError: "Parser error",
    TaskStatus.FinishedParserBadResult: "Parser bad result",
    TaskStatus.FinishedError: "Finished error",
    TaskStatus.Eject: "Ejected",
    TaskStatus.RenderDeregister: "Render deregistered",
    TaskStatus.RenderExit: "Render exit",
    TaskStatus.RenderZombie: "Render zombie",
}


@dataclass(slots=True)
class SystemTask:
    """A command that a render took at least once."""

    command: Command
    number: int
    born_at: int
    ready: bool = False
    #: True when it was forgotten while it ran: it ends with its run.
    dropped: bool = False
    starts: int = 0
    errors: int = 0
    time_start: int = 0
    percent: int = -1
    resources: str = ""
    #: {host: [errors, time of the last one]}
    error_hosts: dict[str, list[int]] = field(default_factory=dict)


class SystemBlock(Block):
    """A queue of commands."""

    keeps_own_runs = True

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.commands = CommandQueue()
        #: Number of the next command.
        self.next_number = 0
        #: {number: task}, in the order in which they began.
        self.system_tasks: dict[int, SystemTask] = {}
        #: Finished since the start of the server.
        self.finished = 0

    def max_tasks(self, farm: Farm) -> int:
        """Return how many tasks may be there at once."""
        return int(farm.settings.af_sysjob_tasksmax)

    # -- what the solver asks

    def offered_task(self) -> int:
        """Return the number of the task that would start next, or -1."""
        for task in self.system_tasks.values():
            if task.ready:
                return task.number
        if not self.commands or len(self.system_tasks) >= self.tasks_max:
            return -1
        number = 0
        while number in self.system_tasks:
            number += 1
        return number

    #: Set from the settings when the farm refreshes the block.
    tasks_max = 1000

    def percent_of(self, number: int) -> int:
        """Return the percent that a running task reported; -1: not known."""
        task = self.system_tasks.get(number)
        return task.percent if task is not None else -1

    def ready_tasks_num(self) -> int:
        """Return the number of waiting commands."""
        return len(self.commands)

    def refresh(self, now: int) -> bool:
        """Set the state of the block and of its dummy task (sysjob-events 2)."""
        ready = bool(self.commands) or any(task.ready for task in self.system_tasks.values())
        dummy = (RDY if ready else 0) | (RUN if self.runs else 0)
        old = (self.st, self.tasks.st[0])
        self.tasks.set_st(0, dummy)
        self.st = (RDY if self.offered_task() >= 0 else 0) | (RUN if self.runs else 0)
        return old != (self.st, dummy)

    # -- runs

    def start_own_run(self, farm: Farm, number: int, render: Render) -> None:
        """Give a render a waiting task, or make one of the first command."""
        now = int(farm.now)
        task = self.system_tasks.get(number)
        if task is None:
            task = self.system_tasks[number] = SystemTask(self.commands.popleft(), number, now)
        command = task.command
        task.ready = False
        task.starts += 1
        task.time_start = now
        task.percent = -1
        description = TaskExec(
            block_flags=self.flags,
            frames_num=1,
            frames_inc=1,
            command_task=command.text,
            working_directory=command.working_directory,
            parser=self.parser,
            environment=self.environment,
            data_strings={"task_custom_data": ""},
            service=self.service,
            name=command.task_name,
            user_name=command.user_name,
            job_name=command.job_name,
            block_name=self.name,
            capacity=self.capacity,
            time_start=now,
            job_id=self.job.id,
            block_num=self.block_num,
            task_num=number,
            tickets=self.tickets,
        )
        self.tasks.prepare_run()
        self.tasks.starts[0] += 1
        if not self.time_started:
            self.time_started = now
        job = self.job
        if not job.time_started:
            job.time_started = now
            farm.log(job, "Started.")
        job.st |= RUN
        self.srv_info = render.name
        take_resources(farm, self, number, render, description)
        render.events().tasks.append(description)
        self.log(farm, task.command, f'SESSION #{task.starts}: Starting on "{render.name}"')
        self._watch_run(farm, task)
        self._tell(farm)

    def update_own_run(self, farm: Farm, update: TaskUp, render: Render | None) -> None:
        """Take in what a render tells of one of the tasks."""
        task = self.system_tasks.get(update.task_num)
        run = self.runs.get(update.task_num)
        if task is None or run is None:
            if update.status in (TaskStatus.Percent, TaskStatus.Warning) and render is not None:
                render.events().closes.append(
                    TaskPos(job_id=self.job.id, block_num=self.block_num, task_num=update.task_num)
                )
            return
        if render is not run.render:
            return
        status = update.status
        if update.resources:
            task.resources = update.resources
        if update.log:
            self.log(farm, task.command, update.log)
        if status in (TaskStatus.Percent, TaskStatus.Warning):
            task.percent = update.percent
        elif status in GOOD_ENDS:
            self._end(farm, run, task, 0, GOOD_ENDS[status][1])
            self.finished += 1
            self._forget_task(farm, task)
        elif status in BAD_ENDS and run.stopping:
            self._end(farm, run, task, 0, "Stopped.")
            self._retry(farm, task)
        elif status in BAD_ENDS:
            task.errors += 1
            self._end(farm, run, task, ERR, BAD_ENDS[status][1])
            self._tell_error(farm, task, update, run.render)
            self._note_error_host(farm, task, run.render.name)
            self._retry(farm, task)
            return
        elif status in LOST_ENDS:
            self._end(farm, run, task, 0, LOST_ENDS[status])
            self._wait_again(farm, task)
        elif status == TaskStatus.Eject:
            self.stop_own_run(farm, run, "Host owner ejected.")
        self._tell_error(farm, task, update, run.render)

    def stop_own_run(self, farm: Farm, run: Run, text: str) -> None:
        """Ask the render to stop a run."""
        if not run.stopping:
            run.stopping = True
            run.render.events().stops.append(
                TaskPos(job_id=self.job.id, block_num=self.block_num, task_num=run.number)
            )
            task = self.system_tasks.get(run.number)
            if task is not None:
                self.log(farm, task.command, text)

    def check_own_run(self, farm: Farm, run: Run) -> None:
        """Stop a run that takes too long, as an error."""
        task = self.system_tasks.get(run.number)
        limit = self.task_max_run_time
        if task is None or run.stopping or limit <= 0:
            return
        if int(farm.now) - task.time_start <= limit:
            self._watch_run(farm, task)
        else:
            task.errors += 1
            self.stop_own_run(farm, run, "Task maximum run time reached.")
            self._note_error_host(farm, task, run.render.name)

    def _watch_run(self, farm: Farm, task: SystemTask) -> None:
        """Call for a look at a run when it will have taken too long."""
        if self.task_max_run_time > 0:
            when = task.time_start + self.task_max_run_time + 1
            farm.timers.add(when, "run", self.job.id, self.block_num, task.number)

    def _end(self, farm: Farm, run: Run, task: SystemTask, st: int, text: str) -> None:
        give_back_resources(farm, run, failed=bool(st & ERR))
        self.log(farm, task.command, text)
        add_row(
            farm,
            run,
            st=st,
            errors=task.errors,
            starts=task.starts,
            times=(task.time_start, int(farm.now)),
            resources=task.resources,
        )
        self._tell(farm)

    def _retry(self, farm: Farm, task: SystemTask) -> None:
        """Let a failed task wait for another render, or give it up."""
        limit = self.retries()
        if task.errors > limit and not task.dropped:
            self._give_up(farm, task)
            return
        if task.errors and not task.dropped:
            self.log(farm, task.command, f"Automatically retrying error task{task.errors} of {limit}.")
        self._wait_again(farm, task)

    def _wait_again(self, farm: Farm, task: SystemTask) -> None:
        """Let a task wait for a render, unless it was forgotten meanwhile."""
        if task.dropped:
            self._forget_task(farm, task)
            return
        task.ready = True
        self._watch_age(farm, task.born_at)
        self._tell(farm)

    def _give_up(self, farm: Farm, task: SystemTask) -> None:
        self.tasks.prepare_run()
        self.tasks.errors[0] += 1
        self._forget_task(farm, task)

    def _forget_task(self, farm: Farm, task: SystemTask) -> None:
        del self.system_tasks[task.number]
        number = task.command.number
        self._note_gone(farm, Numbers(number, number, 1))
        self._tell(farm)

    def _note_gone(self, farm: Farm, numbers: Numbers) -> None:
        farm.changes.commands.append(CommandsGone(self.block_num, numbers.first, numbers.last))

    def _note_error_host(self, farm: Farm, task: SystemTask, host: str) -> None:
        now = int(farm.now)
        if append_error(self.error_hosts, host, now) >= self.avoid_host_errors() > 0:
            farm.log(self.job, f'Block["{self.name}"]: {host} - AVOIDING HOST !', store=True)
        if append_error(task.error_hosts, host, now) > 1:
            self.log(farm, task.command, f"AVOIDING HOST: {host}")
        forgive = self.forgive_time()
        if forgive > 0:
            farm.timers.add(now + forgive + 1, "forgive", self.job.id, self.block_num)

    # -- queue

    def queue(self, farm: Farm, command: Command) -> None:
        """Put a new command behind the others; it takes the next number."""
        farm.changes.commands.append(CommandWaits(self.block_num, command.number, command.encode()))
        self.queue_again(farm, command)
        dropped = 0
        while self.commands.is_full() and (numbers := self.commands.drop_oldest()) is not None:
            self._note_gone(farm, numbers)
            dropped += numbers.total
        if dropped:
            self._report_dropped(farm, f"{dropped} commands are dropped, too many wait.")

    def queue_again(self, farm: Farm, command: Command) -> None:
        """Put a command behind the others that waited in the store."""
        self.commands.append(command)
        self.next_number = command.number + 1
        self._watch_age(farm, command.queued_at)
        self._tell(farm)

    def all_commands(self) -> Iterator[Command]:
        """Yield the commands that are not done, in the order in which they were queued, more or less."""
        for task in self.system_tasks.values():
            if not task.dropped:
                yield task.command
        yield from self.commands

    def restart_own(self, farm: Farm, subject: str) -> None:
        """Forget all commands and tasks; what runs is asked to stop.

        The documentation of CGRU says so of a restart; the original does nothing.
        """
        waiting = len(self.commands)
        numbers = self.commands.clear()
        if numbers is not None:
            self._note_gone(farm, numbers)
        for task in list(self.system_tasks.values()):
            run = self.runs.get(task.number)
            if run is None:
                waiting += 1
                self._forget_task(farm, task)
            else:
                task.dropped = True
                self.stop_own_run(farm, run, "The queue is emptied.")
        self.finished = 0
        self.tasks.prepare_run()
        self.tasks.starts[0] = self.tasks.errors[0] = 0
        text = f"Restarted: {waiting} waiting commands are dropped, {len(self.runs)} running are stopped."
        farm.log_task(self, 0, text, subject)
        self._tell(farm)

    def drop_old(self, farm: Farm) -> None:
        """Give up tasks and commands that waited for longer than `af_sysjob_tasklife`."""
        now, life = int(farm.now), int(farm.settings.af_sysjob_tasklife)
        for task in list(self.system_tasks.values()):
            age = now - task.born_at
            if task.ready and age > life:
                self._report_age(farm, task.command, task.number, age, life)
                self._give_up(farm, task)
        dropped = self._drop_old_commands(farm, now, life)
        if dropped:
            self._report_dropped(farm, f"{dropped} more commands are dropped, they are older than {life} s.")
        for task in self.system_tasks.values():
            if task.ready:
                self._watch_age(farm, task.born_at)
        if len(self.commands):
            self._watch_age(farm, self.commands.first().queued_at)

    def _drop_old_commands(self, farm: Farm, now: int, life: int) -> int:
        """Drop commands that are too old; return how many were not reported one by one."""
        commands = self.commands
        for _ in range(_REPORTED):
            if not len(commands) or now - commands.first().queued_at <= life:
                return 0
            command = commands.popleft()
            self._note_gone(farm, Numbers(command.number, command.number, 1))
            self._report_age(farm, command, 0, now - command.queued_at, life)
            self._tell(farm)
        dropped = 0
        while (numbers := commands.drop_oldest(now - life)) is not None:
            self._note_gone(farm, numbers)
            dropped += numbers.total
        return dropped

    def _watch_age(self, farm: Farm, since: int) -> None:
        """Call for a look at the queue when what waits since a moment will be too old."""
        farm.timers.add(max(since + farm.settings.af_sysjob_tasklife, farm.now) + 1, "sysjob")

    def _report_age(self, farm: Farm, command: Command, number: int, age: int, life: int) -> None:
        text = f"Error: Task age({age}) > {life}"
        self.log(farm, command, text)
        self._log_job(farm, command, number, text)

    def _report_dropped(self, farm: Farm, text: str) -> None:
        text = f'Block["{self.name}"]: {text}'
        farm.log(self.job, text, store=True)
        farm.line(f"System job: {text}", logging.WARNING)

    # -- logs

    def log(self, farm: Farm, command: Command, text: str) -> None:
        """Add a line about a command to the log of the dummy task."""
        farm.log_task(self, 0, text, f"{command.job_name}@{command.user_name}")

    def _log_job(self, farm: Farm, command: Command, number: int, text: str) -> None:
        farm.log(
            self.job,
            f'Task[{number}]: {text}: {command.user_name}: "{command.job_name}":\n{command.text}',
            store=True,
        )

    def _tell_error(self, farm: Farm, task: SystemTask, update: TaskUp, render: Render) -> None:
        text = _JOB_LOG_TEXTS.get(update.status)
        if text is None:
            return
        self._log_job(farm, task.command, task.number, f'{text} on "{render.name}"')
        if update.data:
            output = update.data[-_OUTPUT_MOST:].decode("utf-8", "surrogateescape")
            self.log(farm, task.command, f"Error task output:\n{_LINE}\n{output}\n{_LINE}")

    def _tell(self, farm: Farm) -> None:
        """Note that the queue changed."""
        self.tasks_max = self.max_tasks(farm)
        farm.touch_job(self.job, self)
        farm.events.task(self.job.id, self.block_num, 0)
        self.encoded.clear()


for _name, _doc, _read in (
    ("p_tasks_ready", "Waiting commands.", lambda block: len(block.commands)),
    (
        "p_tasks_error",
        "Tasks that wait for a retry.",
        lambda block: sum(1 for task in block.system_tasks.values() if task.ready),
    ),
    ("p_tasks_done", "Finished since the start.", lambda block: block.finished),
    ("p_progressbar", "Nothing to see.", lambda _: " " * 128),
    ("p_percentage", "Always 0.", lambda _: 0),
):
    setattr(SystemBlock, _name, derived(_doc, _read))
