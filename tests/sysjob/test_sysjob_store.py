"""What waits in the system job, and how people set it up, is the same after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core import registration
from afanasy_py.core.task_states import OFF
from afanasy_py.msg.types import TaskStatus
from afanasy_py.store import records
from afanasy_py.store import store as store_module
from afanasy_py.store.image import Image
from afanasy_py.sysjob.commands import decode_command
from afanasy_py.sysjob.job import EVENTS, POST_COMMANDS, WAKE_ON_LAN
from tests.store.store_farm import FaultyDisk, StoredFarm


@pytest.fixture
def server(tmp_path: Path) -> StoredFarm:
    return StoredFarm(tmp_path / "store")


def texts(server: StoredFarm) -> list[str]:
    return [command.text for _, command in server.keeper.commands()]


def queue(server: StoredFarm, *commands: str, block: int = POST_COMMANDS) -> None:
    """Queue commands; an answer that is waited for takes them along to the disk."""
    for text in commands:
        server.keeper.add_command(block, text, "/film", "artist", "job")
    server.farm.settle()
    sync(server)


def sync(server: StoredFarm) -> None:
    server.add_job("marker")


def test_all_of_a_command_is_kept(server: StoredFarm) -> None:
    for number, text in (
        (EVENTS, '{\n"events":["A"]\n}'),
        (WAKE_ON_LAN, "\u043f\udcff"),
        (POST_COMMANDS, ""),
    ):
        server.keeper.add_command(number, text, "/film", "artist", "a b", "name")
    server.farm.settle()
    sync(server)
    before = sorted(server.keeper.commands())
    assert len(before) == 3
    assert sorted(server.again().keeper.commands()) == before


@pytest.mark.parametrize("clean", [False, True])
def test_a_long_queue_is_kept_in_order(server: StoredFarm, clean: bool) -> None:
    names = [f"rm {number}" for number in range(3000)]
    queue(server, *names)
    for _ in range(2):
        server = server.again(clean=clean)
        assert texts(server) == names


def test_what_ran_does_not_come_back_and_what_did_not_end_well_does(server: StoredFarm) -> None:
    queue(server, "done", "failed", "running", "waiting")
    render = server.add_render(room=1)
    server.end_run(render)
    server.end_run(render, TaskStatus.FinishedError)
    sync(server)
    server = server.again()
    assert sorted(texts(server)) == ["failed", "running", "waiting"]
    # Numbers go on behind those that are known.
    queue(server, "new")
    numbers = [command.number for _, command in server.keeper.commands()]
    assert sorted(set(numbers)) == sorted(numbers)
    assert sorted(texts(server.again())) == ["failed", "new", "running", "waiting"]


def test_a_post_command_is_kept_with_the_deletion_of_its_job(server: StoredFarm) -> None:
    job = server.add_job("one", command_post="echo gone")
    server.act("jobs", [job.id], operation={"type": "delete"})
    server = server.again()
    assert job.id not in server.farm.jobs.by_id
    assert texts(server) == ["echo gone"]


def test_a_job_whose_pre_commands_were_cut_off_waits_for_somebody_to_look(server: StoredFarm) -> None:
    block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1}
    job = {"user_name": "artist", "host_name": "ws", "blocks": [block], "command_pre": "true"}
    first = server.ask({"job": {**job, "name": "finished"}})
    server.farm.begin(server.now)
    registration.finish_commands(server.farm, first.job, ["true"])
    server.farm.settle()
    server.keep()
    server.ask({"job": {**job, "name": "cut off"}})
    server = server.again()
    finished, cut_off = (
        next(job for job in server.farm.jobs if job.name == name) for name in ("finished", "cut off")
    )
    assert not finished.st & OFF
    assert cut_off.st & OFF
    assert "Paused: the server was stopped while the pre commands ran." in cut_off.log_lines[-1].info
    server = server.again()
    server.act("jobs", [cut_off.id], operation={"type": "start"})
    server = server.again()
    assert not server.farm.jobs.by_id[cut_off.id].st & OFF


def test_an_emptied_queue_stays_empty(server: StoredFarm) -> None:
    queue(server, *(f"rm {number}" for number in range(2000)))
    queue(server, "event", block=EVENTS)
    server = server.again()
    server.act("jobs", [1], block_ids=[POST_COMMANDS], operation={"type": "restart"})
    sync(server)
    assert texts(server.again()) == ["event"]


def test_the_age_of_a_command_goes_on_over_a_restart(tmp_path: Path) -> None:
    server = StoredFarm(tmp_path / "store", af_sysjob_tasklife=100)
    queue(server, "old")
    server.now += 60
    server = server.again()
    server.farm.tick(server.now + 40)
    assert texts(server) == ["old"]
    server.farm.tick(server.now + 41)
    assert texts(server) == []
    assert "old" in server.keeper.job.log_lines[-1].info  # type: ignore[index]
    sync(server)
    assert texts(server.again()) == []


@pytest.mark.parametrize("clean", [False, True])
def test_how_people_set_up_the_system_job_is_kept(server: StoredFarm, clean: bool) -> None:
    params = {
        "priority": 7, "hosts_mask": "a", "hosts_mask_exclude": "b", "pools": {"/": 5}, "max_running_tasks": 3,
        "max_running_tasks_per_host": 2, "ignorenimby": True, "annotation": "note", "custom_data": "{}",
        "need_os": "linux", "need_memory": 12,
    }  # fmt: skip
    of_block = {
        "capacity": 11,
        "hosts_mask": "c",
        "service": "other",
        "errors_retries": 2,
        "task_max_run_time": 5,
    }
    server.act("jobs", [1], params=params)
    server.act("jobs", [1], block_ids=[EVENTS], params=of_block)
    server.act("jobs", [1], operation={"type": "pause"})

    def picture(server: StoredFarm) -> Any:
        shown = server.farm.jobs.by_id[1].to_json("full")
        blocks = [{k: v for k, v in block.items() if k != "p_progressbar"} for block in shown["blocks"]]
        return {k: v for k, v in shown.items() if k not in ("time_creation", "blocks")}, blocks

    before = picture(server)
    server = server.again(clean=clean)
    assert picture(server) == before
    job = server.farm.jobs.by_id[1]
    assert job.st & OFF
    assert {name: getattr(job, name) for name in params if name != "ignorenimby"} == {
        name: value for name, value in params.items() if name != "ignorenimby"
    }
    assert not job.minds_nimby()
    assert {name: getattr(job.blocks[EVENTS], name) for name in of_block} == of_block


def test_commands_are_there_after_writes_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RETRY_SECONDS", 0.01)
    disk = FaultyDisk()
    server = StoredFarm(tmp_path / "store", disk)
    queue(server, "first", "second")
    disk.error = 5
    server.keeper.add_command(POST_COMMANDS, "third", "", "artist", "job")
    server.store.commit(server.farm)
    server.keeper.block(POST_COMMANDS).restart_own(server.farm, "admin")
    server.keeper.add_command(POST_COMMANDS, "fourth", "", "artist", "job")
    server.farm.settle()
    server.store.commit(server.farm)
    disk.error = 0
    sync(server)
    assert texts(server.again()) == ["fourth"]


def test_an_image_forgets_few_and_many_commands() -> None:
    for first, last, left in ((2, 2, [0, 1, 3]), (1, 2, [0, 3]), (0, 10**12, [])):
        image = Image()
        for number in range(4):
            image.apply(records.Command(POST_COMMANDS, number, b"[]"))
        image.apply(records.Command(EVENTS, 2, b"[]"))
        image.apply(records.CommandsGone(POST_COMMANDS, first, last))
        assert list(image.commands[POST_COMMANDS]) == left
        assert list(image.commands[EVENTS]) == [2]


def test_commands_that_were_written_all_in_one_are_read() -> None:
    old = {
        "block": 2, "text": "t", "working_directory": "/d", "user_name": "u", "job_name": "j", "task_name": "n",
        "queued_at": 5,
    }  # fmt: skip
    image = Image()
    image.apply(records.Commands(json.dumps([old]).encode()))
    [document] = image.commands[2].values()
    assert decode_command(document) == (0, 5, "t", "/d", "u", "j", "n")
