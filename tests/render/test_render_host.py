"""The host with a server that is a function: real services and processes, no sockets, no sleeping."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.types import MsgType, TaskStatus
from afanasy_py.render.client import Answer
from afanasy_py.render.host import Identity, RenderHost
from afanasy_py.render.services import ServiceLoader

pytestmark = pytest.mark.skipif(os.name != "posix", reason="commands of a POSIX shell")

POS = TaskPos(job_id=7, block_num=0, task_num=3, number=0)


def task(command: str, **more: Any) -> TaskExec:
    fields: dict[str, Any] = {"service": "generic", "parser": "generic", "name": "task", **more}
    return TaskExec(job_id=7, block_num=0, task_num=3, number=0, command_task=command, frames_num=1, **fields)


@dataclass
class FakeServer:
    """Answers with the events it is given, one by one, then with the render's id."""

    events: list[RenderEvents] = field(default_factory=list)
    is_down: bool = False
    registrations: list[Render] = field(default_factory=list)
    updates: list[RenderUpdate] = field(default_factory=list)
    deregistered: list[int] = field(default_factory=list)

    def exchange(self, _: tuple[str, int], msg_type: MsgType, payload: int | bytes) -> Answer:
        if self.is_down:
            raise ConnectionRefusedError("nobody is there")
        if msg_type == MsgType.TRenderDeregister:
            assert isinstance(payload, int)
            self.deregistered.append(payload)
            return Answer(None, data=b"AFANASY 2 JSON{}")
        assert isinstance(payload, bytes)
        if msg_type == MsgType.TRenderRegister:
            self.registrations.append(Render.decode(msg_type, payload))
            events = RenderEvents(id=5)
        else:
            self.updates.append(RenderUpdate.decode(msg_type, payload))
            if not self.events:
                return Answer(MsgType.TRenderId, 5)
            events = self.events.pop(0)
        return Answer(MsgType.TRenderEvents, data=events.encode(MsgType.TRenderEvents))

    @property
    def last(self) -> Any:
        """The last task update."""
        return self.updates[-1].taskups[0]


class Farm:
    """A host and its server."""

    def __init__(self, store: Path) -> None:
        self.time = 1000.0
        self.server = FakeServer()
        loader = ServiceLoader([paths.python_dir()])
        identity = Identity(name="render01", user_name="artist", os="unix linux", engine="3.4.1")
        self.host = RenderHost(
            ("192.0.2.1", 51000), identity, loader, store, lambda: self.time, exchange=self.server.exchange
        )

    def beat(self, events: RenderEvents | None = None) -> None:
        """Let a heartbeat pass, answered with some events."""
        self.time += 1
        if events is not None:
            self.server.events.append(events)
        self.host.beat()

    def run(self, command: str, **more: Any) -> Any:
        """Run a task to its end and return the update that reports it."""
        self.beat(RenderEvents(id=5, tasks=[task(command, **more)]))
        self.wait_for(lambda: self.runner.run.finished)
        self.beat()
        return self.server.last

    @property
    def runner(self) -> Any:
        [runner] = self.host.runners.values()
        return runner

    def wait_for(self, happened: Callable[[], bool]) -> None:
        for _ in range(1000):
            self.host.work()
            if happened():
                return
            self.host.woken.wait(0.01)
            self.host.woken.clear()
        raise AssertionError("it never happened")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(tmp_path)
    farm.beat()
    yield farm
    for runner in [*farm.host.runners.values(), *farm.host.leaving]:
        runner.kill()


def test_it_says_who_it_is(farm: Farm) -> None:
    [render] = farm.server.registrations
    assert (render.name, render.user_name, render.os, render.engine) == (
        "render01",
        "artist",
        "unix linux",
        "3.4.1",
    )
    assert (render.st, render.id, render.tasks, render.time_launch) == (1, 0, [], 1000)


def test_an_idle_update_is_small(farm: Farm) -> None:
    farm.beat()
    assert len(farm.server.updates[-1].encode(MsgType.TRenderUpdate)) == 13


def test_resources_come_with_every_fifth_update(farm: Farm) -> None:
    for _ in range(10):
        farm.beat()
    assert [update.host_resources is not None for update in farm.server.updates] == [
        beat % 5 == 0 for beat in range(1, 11)
    ]


def test_a_good_task(farm: Farm) -> None:
    update = farm.run(
        "echo PROGRESS: 50%; echo $AF_JOB_ID $AF_BLOCK_ID $AF_TASK_ID $X", environment={"X": "y"}
    )
    assert (update.status, update.percent) == (TaskStatus.FinishedSuccess, 50)
    assert update.data == b"PROGRESS: 50%\n7 0 3 y\n"
    assert (update.client_id, update.job_id, update.block_num, update.task_num) == (5, 7, 0, 3)


def test_a_result_is_repeated_until_it_is_closed(farm: Farm) -> None:
    for _ in range(2):
        if not farm.host.runners:
            farm.run("true")
        assert farm.server.last.status == TaskStatus.FinishedSuccess
        farm.beat()
    farm.beat(RenderEvents(id=5, closes=[POS]))
    assert farm.host.runners == {}
    farm.beat()
    assert farm.server.updates[-1].taskups == []
    assert list(farm.host.around.store.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 3", TaskStatus.FinishedError),
        ("kill -9 $$", TaskStatus.FinishedKilled),
        ("echo '[ PARSER BAD RESULT ]'", TaskStatus.FinishedParserBadResult),
        ("echo '[ PARSER ERROR ]'; sleep 60", TaskStatus.FinishedParserError),
        ("echo '[ PARSER FATAL ERROR ]'; sleep 60", TaskStatus.FinishedParserFatalError),
        ("echo '[ PARSER FINISHED SUCCESS ]'; sleep 60", TaskStatus.FinishedParserSuccess),
        ("", TaskStatus.FailedToStart),
    ],
)
def test_other_ends(farm: Farm, command: str, status: TaskStatus) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task(command)]))

    def ended() -> bool:
        # Without a parser's marker in its output the loop would be woken by the end only.
        return bool(farm.runner.run.finished)

    farm.wait_for(ended)
    farm.beat()
    assert farm.server.last.status == status


def test_a_task_may_be_skipped_by_its_service(farm: Farm) -> None:
    update = farm.run("not JSON", service="events", parser="")
    assert update.status == TaskStatus.Skip
    assert "This is not the JSON of events" in update.log


def test_a_broken_service_fails_the_task(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(farm.host.loader, "make", broken)
    update = farm.run("true")
    assert update.status == TaskStatus.FailedToStart
    assert "ZeroDivisionError" in update.log


def test_rendered_files_are_checked_when_the_block_asks(farm: Farm) -> None:
    update = farm.run("true", block_flags=1 << 7, files_block=["absent"])
    assert update.status == TaskStatus.BadRenderedFiles
    assert "File does not exist" in update.log


def test_small_files_of_the_store_folder_are_sent(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    real = farm.host.loader.make

    def make(name: str, info: dict[str, Any]) -> Any:
        info["command_task"] = (
            f"echo small > {info['store_dir']}/a; head -c 100000 /dev/zero > {info['store_dir']}/b"
        )
        return real(name, info)

    monkeypatch.setattr(farm.host.loader, "make", make)
    assert farm.run("x").files == [("a", b"small\n")]


def test_stop_ends_the_task_and_reports_it(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("echo begun; sleep 60")]))
    farm.wait_for(lambda: farm.runner.run.output.value() == b"begun\n")
    farm.beat(RenderEvents(id=5, stops=[POS]))
    assert farm.server.last.status == TaskStatus.Percent
    farm.wait_for(lambda: farm.runner.run.finished)
    farm.beat()
    assert (farm.server.last.status, farm.server.last.data) == (TaskStatus.FinishedKilled, b"begun\n")


def test_what_does_not_obey_is_killed(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("trap '' TERM; echo begun; while :; do sleep 0.05; done")]))
    farm.wait_for(lambda: farm.runner.run.output.value() == b"begun\n")
    farm.beat(RenderEvents(id=5, stops=[POS]))
    farm.time += 11
    farm.wait_for(lambda: farm.runner.run.finished)
    farm.beat()
    assert farm.server.last.status == TaskStatus.FinishedKilled


def test_programs_that_outlive_their_shell_are_killed_too(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("(trap '' TERM; echo $$; sleep 60) & wait; echo")]))
    farm.wait_for(lambda: bool(farm.runner.run.output.value()))
    farm.beat(RenderEvents(id=5, stops=[POS]))
    farm.wait_for(lambda: farm.runner.process.exit_status() is not None)
    farm.beat()
    assert farm.server.last.status == TaskStatus.Percent
    farm.time += 11
    farm.wait_for(lambda: farm.runner.run.finished)
    assert not farm.runner.process.has_group()


def test_a_task_that_removes_its_store_folder_is_no_harm(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("sleep 60")]))
    farm.runner.remove_store()
    farm.beat(RenderEvents(id=5, stops=[POS]))
    farm.wait_for(lambda: farm.runner.run.finished)
    farm.beat()
    assert farm.server.last.files == []


def test_a_closed_running_task_is_ended_and_its_place_is_free(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("sleep 60")]))
    farm.beat(RenderEvents(id=5, closes=[POS], tasks=[task("echo second")]))
    assert len(farm.host.leaving) == 1
    farm.wait_for(lambda: not farm.host.leaving and farm.runner.run.finished)
    farm.beat()
    assert farm.server.last.data == b"second\n"


def test_the_output_of_a_running_task_is_sent_on_demand(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("echo begun; sleep 60")], outputs=[POS]))
    farm.beat()
    assert [text for _, text in farm.server.updates[-1].outputs] == ["Render task process: Silence..."]
    farm.wait_for(lambda: farm.runner.run.output.value() == b"begun\n")
    farm.beat(RenderEvents(id=5, outputs=[POS]))
    farm.beat()
    assert farm.server.updates[-1].outputs == [(POS, "begun\n")]
    farm.beat()
    assert farm.server.updates[-1].outputs == []


def test_the_output_of_an_unknown_task_is_an_excuse(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, outputs=[POS]))
    farm.beat()
    [(pos, text)] = farm.server.updates[-1].outputs
    assert pos == POS
    assert text.startswith("Render has no task:")


def test_new_output_goes_with_updates_while_somebody_listens(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("echo one; sleep 60", flags=1)]))
    farm.wait_for(lambda: bool(farm.runner.run.listened))
    farm.server.is_down = True
    farm.beat()
    farm.server.is_down = False
    farm.beat()
    assert farm.server.last.listened == "one\n"
    farm.beat(RenderEvents(id=5, listens_rem=[POS]))
    assert farm.server.last.listened == ""


def test_it_registers_again_with_its_tasks_after_the_zombie_time(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("sleep 60")]))
    farm.server.is_down = True
    for _ in range(17):
        farm.beat()
    farm.server.is_down = False
    farm.beat()
    render = farm.server.registrations[-1]
    assert len(farm.server.registrations) == 2
    assert render.id == 5
    assert [(exec_.job_id, exec_.task_num, exec_.command_task) for exec_ in render.tasks] == [
        (7, 3, "sleep 60")
    ]
    farm.beat(RenderEvents(id=5, tasks=render.tasks))
    assert len(farm.host.runners) == 1


def test_an_instruction_to_exit_ends_tasks_and_deregisters(farm: Farm) -> None:
    farm.beat(RenderEvents(id=5, tasks=[task("sleep 60")]))
    farm.server.events.append(RenderEvents(id=5, instruction="exit"))
    assert farm.host.run() == 0
    assert farm.server.deregistered == [5]
    assert not farm.runner.run.running


def test_sleep_runs_the_service_for_it(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []
    monkeypatch.setattr(farm.host, "launch", launched.append)
    render = '{"name": "render01", "address": {"ip": "192.0.2.2"}, "netifs": [{"mac": "02:00:00:00:00:01"}]}'
    farm.beat(RenderEvents(id=5, instruction="sleep", command=render))
    [command] = launched
    assert command.endswith('sleep --sleep --ip "192.0.2.2" --hostname "render01" 020000000001')


def test_a_refused_name_is_a_failure(farm: Farm) -> None:
    farm.server.events.append(RenderEvents(id=-2, log="Render with the same name exists."))
    assert farm.host.run() == 1
