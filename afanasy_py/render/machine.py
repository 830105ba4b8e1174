"""The conversation of a render with its server, as a machine without I/O.

Rules of this file: no sockets, no clock, no processes. ``request`` gives what to send at a heartbeat;
``on_events``, ``on_id`` and ``on_failure`` take what came of it and return actions, in the order in which
they are to be carried out. Times are seconds of a clock that never jumps.
"""

from dataclasses import dataclass, field
from typing import Any

from afanasy_py.msg.records.render_events import RenderEvents

#: Periods that a negative number of the server stands for.
HEARTBEAT_SEC = 1
RESOURCES_UPDATE_PERIOD = 5
ZOMBIE_TIME = 16
EXIT_NO_TASK_TIME = -1

RECONNECT_ID = -1
EXIT_ID = -2

#: job, block, task, number
TaskKey = tuple[int, int, int, int]


@dataclass(frozen=True)
class StartTask:
    """Run a task."""

    task: Any


@dataclass(frozen=True)
class CloseTask:
    """The server needs nothing more of a task."""

    key: TaskKey


@dataclass(frozen=True)
class StopTask:
    """End a task and report it."""

    key: TaskKey


@dataclass(frozen=True)
class SendOutput:
    """Send the output of a task so far with the next update."""

    key: TaskKey


@dataclass(frozen=True)
class Listen:
    """Send new output of a task with each update, or stop doing so."""

    key: TaskKey
    listening: bool


@dataclass(frozen=True)
class Launch:
    """Run a command that is no task."""

    command: str


@dataclass(frozen=True)
class Sleep:
    """Put the machine to sleep; the text is this render as JSON."""

    render: str


@dataclass(frozen=True)
class Exit:
    """Stop the host. ``failed``: not because somebody wanted it."""

    reason: str
    failed: bool = False


@dataclass(frozen=True)
class Note:
    """Something for the log."""

    text: str
    warning: bool = False


Action = StartTask | CloseTask | StopTask | SendOutput | Listen | Launch | Sleep | Exit | Note


def key_of(value: Any) -> TaskKey:
    """Return the key of anything that names a task: a TaskExec, TaskPos or TaskUp."""
    return (value.job_id, value.block_num, value.task_num, value.number)


@dataclass
class RenderMachine:
    """State of the conversation."""

    id: int = 0
    registering: bool = True
    connected_at: float = 0.0  # last time the server answered
    busy_at: float = 0.0  # last time there was a task
    heartbeat_sec: int = HEARTBEAT_SEC
    resources_update_period: int = RESOURCES_UPDATE_PERIOD
    zombie_time: int = ZOMBIE_TIME
    exit_no_task_time: int = EXIT_NO_TASK_TIME
    #: {key: what the server sent} of all tasks from their start until the server closes them.
    tasks: dict[TaskKey, Any] = field(default_factory=dict)

    def resources_wanted(self, beat: int) -> bool:
        """Return whether resources go with the update of a heartbeat, counted from 0."""
        return beat % self.resources_update_period == 0

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        if self.tasks:
            self.busy_at = now
        elif 0 < self.exit_no_task_time <= now - self.busy_at:
            return [Exit(f"no task for {self.exit_no_task_time} seconds")]
        return []

    def on_failure(self, now: float) -> list[Action]:
        """No answer, or none that could be understood."""
        if not self.registering and now - self.connected_at >= self.zombie_time:
            return self._lose(f"no answer for {self.zombie_time} seconds")
        return []

    def on_id(self, render_id: int, now: float) -> list[Action]:
        """The server has nothing to say, or does not know this render any more."""
        if render_id == -1:
            return [Exit("a render with this name is registered already", failed=True)]
        if render_id != self.id or self.registering:
            return self._lose(f"the server answers to render {render_id}")
        self.connected_at = now
        return []

    def on_version_mismatch(self) -> list[Action]:
        """The server speaks another version of the protocol."""
        return [Exit("the server speaks another version of the protocol", failed=True)]

    def on_events(self, events: RenderEvents, now: float) -> list[Action]:
        """The server has something to say."""
        said: list[Action] = [Note(f"server: {events.log}")] if events.log else []
        if events.id == EXIT_ID:
            return [Exit(events.log or "the server refuses this render", failed=True)]
        if events.id == RECONNECT_ID:
            return self._lose(events.log or "the server does not know this render")
        if self.registering:
            self.id = events.id
            self.registering = False
            self.busy_at = now
            said.append(Note(f"registered: id={self.id}"))
        elif events.id != self.id:
            return said + self._lose(f"the server answers to render {events.id}")
        self.connected_at = now
        self._take_periods(events)
        return said + self._take_tasks(events) + self._take_instruction(events)

    def _lose(self, reason: str) -> list[Action]:
        self.registering = True
        return [Note(f"registering again: {reason}; {len(self.tasks)} tasks are kept", warning=True)]

    def _take_periods(self, events: RenderEvents) -> None:
        defaults = {
            "heartbeat_sec": HEARTBEAT_SEC,
            "resources_update_period": RESOURCES_UPDATE_PERIOD,
            "zombie_time": ZOMBIE_TIME,
            "exit_no_task_time": EXIT_NO_TASK_TIME,
        }
        for name, default in defaults.items():
            value = getattr(events, name)
            if value:
                setattr(self, name, value if value > 0 else default)

    def _take_tasks(self, events: RenderEvents) -> list[Action]:
        # Closes come first: a failed task may be closed and started again by one answer.
        actions: list[Action] = [CloseTask(key_of(pos)) for pos in events.closes]
        for pos in events.closes:
            self.tasks.pop(key_of(pos), None)
        for task in events.tasks:
            key = key_of(task)
            if key in self.tasks:
                # After a reconnection the server sends tasks again that it has taken over.
                actions.append(Note(f"task is here already: {key}"))
            else:
                self.tasks[key] = task
                actions.append(StartTask(task))
        actions += [StopTask(key_of(pos)) for pos in events.stops]
        actions += [SendOutput(key_of(pos)) for pos in events.outputs]
        actions += [Listen(key_of(pos), True) for pos in events.listens_add]
        actions += [Listen(key_of(pos), False) for pos in events.listens_rem]
        return actions

    def _take_instruction(self, events: RenderEvents) -> list[Action]:
        command = events.command
        match events.instruction:
            case "":
                return []
            case "exit":
                return [Exit("the server says so")]
            case "launch":
                return [Launch(command)]
            case "launch_exit":
                return [Launch(command), Exit("the server says so")]
            case "sleep":
                return [Sleep(command)]
            case "reboot" | "shutdown" as word:
                return [
                    Note(f"{word} of the machine is asked, this host only exits", warning=True),
                    Exit(word),
                ]
            case word:
                return [Note(f"unknown instruction: {word}", warning=True)]
