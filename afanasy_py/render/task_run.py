"""One start of a task, as a machine: what happens to it comes in, what must be done comes out.

Rules of this file: it has no processes, no clock and no files; times are seconds of a clock that never jumps.
The service is called as an object that judges; it may be anybody's code and its mistakes are caught here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from afanasy_py.msg.types import BlockFlag, TaskStatus
from afanasy_py.render.output import OutputBuffer

log = logging.getLogger(__name__)

KILL_AFTER_SEC = 10
LISTENED_MAX = 1 << 16

NO_COMMANDS: list[str] = []

T = TypeVar("T")


class Signal(Enum):
    """What to do to the process group."""

    TERMINATE = "terminate"
    KILL = "kill"


class Judge(Protocol):
    """The part of a service that is asked at the end. Names are those of services."""

    def checkExitStatus(self, i_status: int) -> bool: ...  # noqa: D102, N802
    def checkRenderedFiles(self) -> bool: ...  # noqa: D102, N802
    def doPost(self) -> list[str]: ...  # noqa: D102, N802
    def doPostLimitSec(self) -> int: ...  # noqa: D102, N802


@dataclass(frozen=True)
class ParserReport:
    """What a parser made of a piece of output."""

    percent: int = 0
    frame: int = 0
    percentframe: int = 0
    activity: str = ""
    resources: str = ""
    report: str = ""
    progress_changed: bool = False
    warning: bool = False
    error: bool = False
    fatalerror: bool = False
    badresult: bool = False
    finishedsuccess: bool = False


#: What a parser can say that ends the task: attribute, status, in order of weight.
PARSER_VERDICTS = (
    ("fatalerror", TaskStatus.FinishedParserFatalError),
    ("error", TaskStatus.FinishedParserError),
    ("finishedsuccess", TaskStatus.FinishedParserSuccess),
)


class TaskRun:
    """State of one start of a task.

    Args:
        block_flags: Of its block.
    """

    def __init__(self, block_flags: int = 0) -> None:
        self.block_flags = block_flags
        self.status = TaskStatus.Percent
        self.running = False  # a command runs
        self.closed = False  # the server needs nothing more of it
        self.stop_asked_at: float | None = None
        self.kill_sent_at: float | None = None
        self.verdict: TaskStatus | None = None  # why a parser stopped it
        self.bad_result = False
        self.doing_post = False
        self.post_commands: list[str] = []
        self.post_limit_sec = 0
        self.command_started_at = 0.0
        self.parsed = ParserReport()
        self.progress_changed = False  # since the last delivered update
        self.log: list[str] = []  # lines for the server not delivered yet
        self.listening = False
        self.listened = bytearray()  # output not delivered yet, only while listening
        self.output = OutputBuffer()

    @property
    def finished(self) -> bool:
        """Whether its result is known."""
        return self.status > TaskStatus.Warning

    @property
    def gone(self) -> bool:
        """Whether it can be forgotten."""
        return self.closed and not self.running

    def skip(self) -> None:
        """The service says that it needs not run."""
        self.status = TaskStatus.Skip

    def fail_to_start(self, reason: str) -> None:
        """It could not be started."""
        self.status = TaskStatus.FailedToStart
        self.running = False
        self.log.append(reason)

    def command_started(self, now: float) -> None:
        """Its command, or one of its post commands, runs."""
        self.running = True
        self.command_started_at = now

    def on_output(self, text: bytes, report: ParserReport | None, now: float) -> Signal | None:
        """Take a piece of output, maybe empty, and what the parser made of it."""
        self.output.append(text)
        if self.listening:
            self.listened += text
            del self.listened[:-LISTENED_MAX]
        if report is None:
            self.progress_changed = self.progress_changed or bool(text)
            return None
        self.parsed = report
        self.progress_changed = self.progress_changed or report.progress_changed
        self.bad_result = self.bad_result or report.badresult
        if report.warning and self.status == TaskStatus.Percent:
            self.status = TaskStatus.Warning
        for name, verdict in PARSER_VERDICTS:
            if getattr(report, name) and self.verdict is None and self.stop_asked_at is None:
                self.verdict = verdict
                return self.stop(now)
        return None

    def on_exit(self, exit_status: int, judge: Judge) -> str | None:
        """The command has ended; return the next post command to run, or None when the task has ended.

        Args:
            exit_status: Negative for a signal.
            judge: The task's service.
        """
        self.running = False
        if self.closed:
            return None
        status = self._judge(exit_status, judge)
        if status is TaskStatus.FinishedSuccess:
            if not self.doing_post:
                self.doing_post = True
                self.post_commands = list(_asked(judge.doPost, NO_COMMANDS))
                self.post_limit_sec = _asked(judge.doPostLimitSec, 0)
            if self.post_commands:
                return self.post_commands.pop(0)
        self.status = status
        return None

    def _judge(self, exit_status: int, judge: Judge) -> TaskStatus:
        if self.verdict is not None:
            return self.verdict
        success = exit_status >= 0 and _asked(lambda: judge.checkExitStatus(exit_status), exit_status == 0)
        if self.stop_asked_at is not None or not success:
            if self.doing_post:
                return TaskStatus.FinishedFailedPost
            killed = self.stop_asked_at is not None or exit_status < 0
            return TaskStatus.FinishedKilled if killed else TaskStatus.FinishedError
        if self.bad_result:
            return TaskStatus.FinishedParserBadResult
        if self.doing_post or not self.block_flags & BlockFlag.CHECK_RENDERED_FILES:
            return TaskStatus.FinishedSuccess
        if not _asked(judge.checkRenderedFiles, True):
            return TaskStatus.BadRenderedFiles
        return TaskStatus.FinishedSuccess

    def stop(self, now: float) -> Signal | None:
        """Somebody wants it to end."""
        if not self.running or self.stop_asked_at is not None:
            return None
        self.stop_asked_at = now
        return Signal.TERMINATE

    def close(self, now: float) -> Signal | None:
        """The server needs nothing more of it; a running one must end."""
        self.closed = True
        return self.stop(now)

    def tick(self, now: float) -> Signal | None:
        """Time has passed: a task that does not obey is killed, a post command that takes too long too."""
        if not self.running:
            return None
        limited = self.doing_post and self.stop_asked_at is None and self.post_limit_sec > 0
        if limited and now - self.command_started_at > self.post_limit_sec:
            self.log.append(f"A post command took more than {self.post_limit_sec} seconds.")
            self.stop_asked_at = self.kill_sent_at = now
            return Signal.KILL
        asked_at = self.kill_sent_at if self.kill_sent_at is not None else self.stop_asked_at
        if asked_at is not None and now - asked_at > KILL_AFTER_SEC:
            self.kill_sent_at = now
            return Signal.KILL
        return None

    def listen(self, listening: bool) -> None:
        """Somebody wants new output with each update, or nobody does any more."""
        self.listening = listening
        if not listening:
            self.listened.clear()

    def delivered(self, lines: int, listened: int) -> None:
        """The server has got an update with so many lines of log and bytes of new output."""
        del self.log[:lines]
        del self.listened[:listened]
        self.progress_changed = False


def _asked(question: Callable[[], T], default: T) -> T:
    try:
        return question()
    except Exception:  # a service is anybody's code
        log.exception("service failed")
        return default
