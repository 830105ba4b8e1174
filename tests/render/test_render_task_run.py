"""One start of a task: from its output and its end to the status that the server gets."""

from dataclasses import dataclass, field

import pytest

from afanasy_py.msg.types import BlockFlag, TaskStatus
from afanasy_py.render.task_run import ParserReport, Signal, TaskRun


@dataclass
class FakeService:
    good: tuple[int, ...] = (0,)
    files_are_good: bool = True
    post: list[str] = field(default_factory=list)
    limit_sec: int = 16

    def checkExitStatus(self, i_status: int) -> bool:  # noqa: N802
        return i_status in self.good

    def checkRenderedFiles(self) -> bool:  # noqa: N802
        return self.files_are_good

    def doPost(self) -> list[str]:  # noqa: N802
        return self.post

    def doPostLimitSec(self) -> int:  # noqa: N802
        return self.limit_sec


class BrokenService(FakeService):
    def checkExitStatus(self, i_status: int) -> bool:  # noqa: N802
        raise ValueError(i_status)


def running(block_flags: int = 0) -> TaskRun:
    run = TaskRun(block_flags)
    run.command_started(now=0)
    return run


@pytest.mark.parametrize(
    ("exit_status", "status"),
    [(0, TaskStatus.FinishedSuccess), (1, TaskStatus.FinishedError), (-9, TaskStatus.FinishedKilled)],
)
def test_the_exit_status_decides(exit_status: int, status: TaskStatus) -> None:
    run = running()
    assert run.on_exit(exit_status, FakeService()) is None
    assert run.status is status
    assert run.finished


def test_a_service_may_have_other_good_exit_statuses() -> None:
    run = running()
    run.on_exit(3, FakeService(good=(3,)))
    assert run.status is TaskStatus.FinishedSuccess


def test_a_broken_service_does_not_change_the_result() -> None:
    run = running()
    run.on_exit(1, BrokenService())
    assert run.status is TaskStatus.FinishedError


def test_a_stopped_task_is_killed_whatever_its_exit_status() -> None:
    run = running()
    assert run.stop(now=5) is Signal.TERMINATE
    assert run.stop(now=6) is None
    run.on_exit(0, FakeService())
    assert run.status is TaskStatus.FinishedKilled


def test_a_task_that_does_not_obey_is_killed_after_ten_seconds() -> None:
    run = running()
    run.stop(now=5)
    assert run.tick(now=15) is None
    assert run.tick(now=15.5) is Signal.KILL
    assert run.tick(now=16) is None


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (ParserReport(error=True), TaskStatus.FinishedParserError),
        (ParserReport(fatalerror=True, error=True), TaskStatus.FinishedParserFatalError),
        (ParserReport(finishedsuccess=True), TaskStatus.FinishedParserSuccess),
    ],
)
def test_a_parser_may_end_the_task(report: ParserReport, status: TaskStatus) -> None:
    run = running()
    assert run.on_output(b"text", report, now=1) is Signal.TERMINATE
    assert run.status is TaskStatus.Percent
    run.on_exit(-15, FakeService())
    assert run.status is status


def test_a_bad_result_lets_the_task_end_by_itself() -> None:
    run = running()
    assert run.on_output(b"text", ParserReport(badresult=True), now=1) is None
    run.on_output(b"more", ParserReport(), now=2)
    run.on_exit(0, FakeService())
    assert run.status is TaskStatus.FinishedParserBadResult


def test_a_warning_stays() -> None:
    run = running()
    run.on_output(b"text", ParserReport(warning=True), now=1)
    run.on_output(b"more", ParserReport(percent=7), now=2)
    assert (run.status, run.parsed.percent) == (TaskStatus.Warning, 7)
    assert not run.finished


def test_bad_files_fail_the_task_only_when_the_block_asks() -> None:
    for flags, status in (
        (0, TaskStatus.FinishedSuccess),
        (BlockFlag.CHECK_RENDERED_FILES, TaskStatus.BadRenderedFiles),
    ):
        run = running(flags)
        run.on_exit(0, FakeService(files_are_good=False))
        assert run.status is status


def test_post_commands_run_after_a_success() -> None:
    run, service = running(), FakeService(post=["first", "second"])
    assert run.on_exit(0, service) == "first"
    assert not run.finished
    run.command_started(now=10)
    assert run.on_exit(0, service) == "second"
    run.command_started(now=11)
    assert run.on_exit(0, service) is None
    assert run.status is TaskStatus.FinishedSuccess


def test_a_failed_post_command_fails_the_task() -> None:
    run, service = running(), FakeService(post=["first"])
    run.on_exit(0, service)
    run.command_started(now=10)
    run.on_exit(1, service)
    assert run.status is TaskStatus.FinishedFailedPost


def test_a_post_command_has_a_time_limit() -> None:
    run, service = running(), FakeService(post=["first"])
    run.on_exit(0, service)
    run.command_started(now=10)
    assert run.tick(now=26) is None
    assert run.tick(now=27) is Signal.KILL
    run.on_exit(-9, service)
    assert run.status is TaskStatus.FinishedFailedPost
    assert run.log


def test_a_closed_running_task_is_ended_and_then_forgotten() -> None:
    run = running()
    assert run.close(now=1) is Signal.TERMINATE
    assert not run.gone
    run.on_exit(-15, FakeService(post=["never"]))
    assert run.gone


def test_output_is_kept_until_delivered_only_while_somebody_listens() -> None:
    run = running()
    run.on_output(b"one", None, now=1)
    assert run.listened == b""
    run.listen(True)
    run.on_output(b"two", None, now=2)
    run.on_output(b"three", None, now=3)
    run.delivered(lines=0, listened=3)
    assert run.listened == b"three"
    run.listen(False)
    assert run.listened == b""
    assert run.output.value() == b"onetwothree"


def test_progress_is_what_happened_since_the_last_update() -> None:
    run = running()
    run.on_output(b"text", None, now=1)
    run.on_output(b"", None, now=2)
    assert run.progress_changed
    run.delivered(lines=0, listened=0)
    assert not run.progress_changed


def test_a_skipped_task_is_finished() -> None:
    run = TaskRun()
    run.skip()
    assert run.finished
    assert run.status is TaskStatus.Skip
