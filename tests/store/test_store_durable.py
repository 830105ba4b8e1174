"""What was answered is there after a kill: jobs, edits, deletions, finished tasks, and what comes along."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from pathlib import Path

import gevent
import pytest

from afanasy_py.core.block import SUSPEND_NEW_TASKS
from afanasy_py.core.task_states import DON, ERR, RDY, RUN, WRC
from afanasy_py.errors import StoreError
from afanasy_py.msg.types import TaskStatus
from afanasy_py.store import journal
from afanasy_py.store import store as store_module
from tests.store.store_farm import NOW, FaultyDisk, InlineMirror, StoredFarm, picture, until


@pytest.fixture
def server(tmp_path: Path) -> StoredFarm:
    return StoredFarm(tmp_path / "store")


@pytest.mark.parametrize("clean", [False, True])
def test_a_farm_is_the_same_after_a_restart(server: StoredFarm, clean: bool) -> None:
    render = server.add_render()
    job = server.add_job(
        "one",
        frames=5,
        annotation='quotes " and \\ and\nlines',
        priority=120,
        folders={"input": "/a", "output": "/b"},
        command_post="post",
        branch="/film/shot",
        pools={"/": 3},
    )
    server.end_run(render)
    server.end_run(render, TaskStatus.FinishedError)
    server.act("jobs", [job.id], params={"annotation": "edited", "time_wait": int(NOW) + 100})
    server.act("users", [2], params={"annotation": "a user"})
    server.act("branches", [1], params={"max_tasks_per_second": 7})
    server.act("pools", [1], params={"annotation": "a pool"})
    before = picture(server.farm)
    again = server.again(clean=clean)
    assert picture(again.farm) == before


def test_a_new_job_is_there_with_all_it_came_with(server: StoredFarm) -> None:
    blocks = [
        {
            "name": "sim",
            "service": "s",
            "command_pre": "before",
            "command_post": "after",
            "environment": {"A": "1"},
            "tickets": {"lic": 2},
            "files": ["a.jpg"],
            "tasks": [
                {"name": "t0", "command": "c0", "environment": {"B": "2"}, "files": ["x"]},
                {"name": 'back\\slash "q"', "command": "c1"},
            ],
        },
        {
            "name": "r",
            "service": "s",
            "flags": 1,
            "frame_last": 9,
            "tasks_depend_mask": "sim",
            "sequential": 5,
        },
    ]
    job = server.add_job("rich", blocks=blocks, custom_data="{}")
    block = server.again().farm.jobs.by_id[job.id].blocks[0]
    assert (block.command_pre, block.command_post) == ("before", "after")
    assert block.environment == {"A": "1"}
    assert block.task_environments == {0: {"B": "2"}}
    assert [task.name for task in block.tasks_data] == ["t0", 'back\\slash "q"']
    assert block.tickets == {"lic": 2}


def test_a_deleted_job_does_not_come_back_and_its_id_and_serial_are_kept_apart(server: StoredFarm) -> None:
    first = server.add_job("one")
    serial = first.serial
    server.act("jobs", [first.id], operation={"type": "delete"})
    second = server.add_job("two", frames=7)
    assert second.id == first.id
    again = server.again()
    assert [job.name for job in again.farm.jobs if job.id != 1] == ["two"]
    assert again.farm.jobs.by_id[second.id].serial == serial + 1
    third = again.add_job("three")
    assert third.serial == serial + 2


def test_appended_blocks_and_tasks_are_kept(server: StoredFarm) -> None:
    job = server.add_job(
        "one", blocks=[{"name": "e", "service": "s", "tasks": [{"name": "t", "command": "c"}]}]
    )
    server.act(
        "jobs", [job.id], operation={"type": "append_blocks", "blocks": [
            {"name": "more", "service": "s", "flags": 1, "frame_last": 3},
        ]}
    )  # fmt: skip
    server.act(
        "jobs",
        [job.id],
        block_ids=[0],
        operation={"type": "append_tasks", "tasks": [{"name": "u", "command": "d"}]},
    )
    for clean in (False, True):
        server = server.again(clean=clean)
        blocks = server.farm.jobs.by_id[job.id].blocks
        assert [block.tasks.num for block in blocks] == [2, 4]
        assert [task.name for task in blocks[0].tasks_data] == ["t", "u"]


def test_tasks_that_were_ready_stay_so_when_new_ones_are_to_be_suspended(server: StoredFarm) -> None:
    job = server.add_job("one", frames=3)
    block = job.blocks[0]
    block.flags |= SUSPEND_NEW_TASKS
    server.farm.save(job)
    server.keep()
    for clean in (False, True):
        server = server.again(clean=clean)
        assert list(server.farm.jobs.by_id[job.id].blocks[0].tasks.st) == [RDY] * 3
    assert len(list(server.root.glob("jobs/0/2.one/tasks/0.*/progress.json"))) == 3


def test_running_tasks_wait_for_their_render_and_then_run_again(server: StoredFarm) -> None:
    server.add_render(room=2)
    job = server.add_job("one", frames=3)
    tasks = job.blocks[0].tasks
    assert [st & RUN for st in tasks.st] == [RUN, RUN, 0]
    gevent.sleep(store_module.LAZY_SECONDS * 2)
    server = server.again()
    tasks = server.farm.jobs.by_id[job.id].blocks[0].tasks
    assert list(tasks.st) == [WRC, WRC, RDY]
    assert tasks.logs[0][2] == "Task was running at server start. Waiting for render reconnect..."
    server.farm.tick(NOW + server.settings.af_task_reconnect_timeout + 2)
    assert list(tasks.st) == [RDY, RDY, RDY]
    assert tasks.starts[0] == 1


def test_a_token_makes_no_second_job_after_a_restart(server: StoredFarm) -> None:
    request = {"job": {"name": "one", "user_name": "artist", "token": "t1", "blocks": [{"flags": 1}]}}
    first = server.ask(request)
    for clean in (False, True):
        server = server.again(clean=clean)
        assert server.ask(request) == first
    assert [job.name for job in server.farm.jobs] == ["afanasy", "one"]
    assert server.ask({"job": {**request["job"], "token": "t2"}}) != first


def test_error_hosts_are_kept_and_forgotten(server: StoredFarm) -> None:
    render = server.add_render(room=1)
    job = server.add_job("one", frames=1)
    server.end_run(render, TaskStatus.FinishedError)
    server = server.again()
    block = server.farm.jobs.by_id[job.id].blocks[0]
    assert block.error_hosts["host"][0] == 1
    assert block.tasks.error_hosts[0]["host"][0] == 1
    server.act("jobs", [job.id], operation={"type": "reset_error_hosts"})
    block = server.again().farm.jobs.by_id[job.id].blocks[0]
    assert block.error_hosts == {}
    assert block.tasks.error_hosts == {}


def test_logs_of_nodes_are_kept(server: StoredFarm) -> None:
    job = server.add_job("one")
    server.act("jobs", [job.id], params={"annotation": "x"})
    lines = [line.info for line in server.farm.jobs.by_id[job.id].log_lines or ()]
    kept = [line.info for line in server.again().farm.jobs.by_id[job.id].log_lines or ()]
    assert kept[: len(lines)] == lines


def test_commands_of_the_system_job_wait_over_a_restart(server: StoredFarm) -> None:
    job = server.add_job("one", command_post="echo gone")
    server.act("jobs", [job.id], operation={"type": "delete"})
    for clean in (True, False):
        server = server.again(clean=clean)
        assert [command.text for _, command in server.keeper.commands()] == ["echo gone"]


def test_a_deletion_that_waited_for_running_tasks_goes_on(server: StoredFarm) -> None:
    server.add_render()
    job = server.add_job("one")
    server.act("jobs", [job.id], operation={"type": "delete"})
    assert job.id in server.farm.jobs.by_id
    assert job.id not in server.again().farm.jobs.by_id


def test_an_output_can_be_read_before_and_after_it_is_in_its_file(server: StoredFarm) -> None:
    render = server.add_render(room=1)
    job = server.add_job("one", frames=2)
    server.end_run(render, data=b"all went well\n")
    assert server.store.read_output(job.id, 0, 0, 1) == b"all went well\n"
    path = server.store.output_path(job.id, 0, 0, 1)
    assert not path.exists()
    missing = server.store.read_output(job.id, 0, 1, 1)
    assert isinstance(missing, str)
    assert missing.startswith("Can't get file:\n")
    assert missing.endswith("0.1/output/1.txt\nNo such file or directory")
    server = server.again(clean=True)
    assert path.read_bytes() == b"all went well\n"
    assert server.store.read_output(job.id, 0, 0, 1) == b"all went well\n"


def test_files_of_a_task_are_written_and_listed(server: StoredFarm) -> None:
    render = server.add_render(room=1)
    job = server.add_job("one")
    server.end_run(render, files=[("../../../x.jpg", b"picture")])
    server = server.again(clean=True)
    found = server.store.read_files(job.id, 0, 0, True)
    assert [(Path(name).name, data) for name, data in found] == [("x.jpg", b"picture")]
    assert not (server.root / "jobs/x.jpg").exists()


# -- waiting


def test_only_what_must_be_safe_is_waited_for(server: StoredFarm) -> None:
    job = server.add_job("one", frames=4)
    render = server.add_render(room=1)
    # A start and what follows from it needs no wait, once the job itself is stored.
    key = next(iter(render.runs))
    assert key[0] == job.id
    server.farm.task_changed(job.blocks[0], key[2], store=True)
    server.farm.save(job)
    assert server.store.commit(server.farm) is None
    server.farm.save(render)
    assert server.store.commit(server.farm) is not None
    job.annotation = "edited"
    server.farm.save(job)
    assert server.store.commit(server.farm) is not None


def test_many_that_wait_share_one_write(tmp_path: Path) -> None:
    disk = FaultyDisk()
    server = StoredFarm(tmp_path / "store", disk)
    jobs = [server.add_job(f"j{n}") for n in range(20)]
    writes = disk.writes

    def edit(number: int) -> None:
        jobs[number].annotation = "x"
        server.farm.save(jobs[number])
        server.keep()

    gevent.joinall([gevent.spawn(edit, number) for number in range(20)], raise_error=True)
    assert disk.writes - writes <= 2
    assert all(job.annotation == "x" for job in server.again().farm.jobs if job.id > 1)


def test_after_a_batch_of_many_the_next_one_collects_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "GATHER_SECONDS", 0.9)
    disk = FaultyDisk()
    server = StoredFarm(tmp_path / "store", disk)
    jobs = [server.add_job(f"j{n}") for n in range(store_module.GATHER_FROM)]

    def edit(number: int) -> None:
        jobs[number].annotation += "x"
        server.farm.save(jobs[number])
        server.keep()

    def edit_one_by_one() -> int:
        writes = disk.writes
        for number in range(len(jobs)):
            edit(number)
        return disk.writes - writes

    def edit_all(pause: float) -> int:
        writes = disk.writes
        gevent.joinall([gevent.spawn_later(n * pause, edit, n) for n in range(len(jobs))], raise_error=True)
        return disk.writes - writes

    assert edit_one_by_one() == len(jobs)
    edit_all(0)
    assert edit_all(0.05) == 1


# -- trouble


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RETRY_SECONDS", 0.01)


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("partly", [False, True])
def test_a_full_disk_is_told_and_nothing_is_missing_when_there_is_room_again(
    tmp_path: Path, partly: bool, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk()
    server = StoredFarm(tmp_path / "store", disk)
    told: list[str] = []
    server.store.on_trouble = told.append
    one = server.add_job("one")
    two = server.add_job("two")
    if partly:
        disk.room = 100
    else:
        disk.error = errno.EIO
    with pytest.raises(StoreError):
        server.act("jobs", [one.id], params={"annotation": "kept"})
    assert server.store.refusal()
    assert not server.store.state()["healthy"]
    with pytest.raises(StoreError):
        server.act("jobs", [two.id], operation={"type": "delete"})
    with pytest.raises(StoreError):
        server.add_job("three")
    disk.error, disk.room = 0, None
    until(lambda: server.store.refusal() == "")
    assert len(told) == 2
    assert "ALARM" in told[0]
    assert caplog.text.count("the farm goes on in memory") == 1
    server.act("users", [2], params={"annotation": "later"})
    before = picture(server.farm)
    server = server.again()
    assert picture(server.farm) == before
    assert server.farm.jobs.by_id[one.id].annotation == "kept"
    assert sorted(job.name for job in server.farm.jobs) == ["afanasy", "one", "three"]


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("remade", ["root", "journal"])
def test_a_vanished_folder_is_told_and_all_is_written_anew_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remade: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "KEEP_SECONDS", 0.01)
    server = StoredFarm(tmp_path / "store")
    listed = [{"name": "l", "service": "s", "tasks": [{"name": "t", "command": "c"}]}]
    job = server.add_job("one", command_post="echo gone")
    server.act("jobs", [job.id], operation={"type": "delete"})
    render = server.add_render()
    server.add_job("two", blocks=listed)
    third = server.add_job("three")
    server.end_run(render)
    shutil.rmtree(server.root if remade == "root" else server.root / journal.FOLDER)
    if remade == "root":
        until(lambda: "Make it again" in server.store.refusal())
        with pytest.raises(StoreError):
            server.act("jobs", [third.id], params={"annotation": "kept"})
        server.root.mkdir()
        until(lambda: server.store.refusal() == "")
    else:
        until(lambda: "gone" in caplog.text and server.store.refusal() == "")
        server.act("jobs", [third.id], params={"annotation": "kept"})
    assert server.store.refusal() == ""
    server.store.flush()
    before = picture(server.farm)
    assert before["jobs"][third.id]["annotation"] == "kept"
    server = server.again()
    assert picture(server.farm) == before
    server = server.again(clean=True)
    assert picture(server.farm) == before
    assert "the folder of the store is gone" in caplog.text


def test_answers_do_not_wait_when_the_settings_say_so(tmp_path: Path) -> None:
    server = StoredFarm(tmp_path / "store", af_store_durable=False)
    job = server.add_job("one")
    server.farm.save(job)
    assert server.store.commit(server.farm) is None
    gevent.sleep(store_module.LAZY_SECONDS * 2)
    assert job.id in server.again().farm.jobs.by_id


def test_a_bug_while_writing_is_told_and_nobody_waits_for_ever(
    server: StoredFarm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = server.add_job("one")
    monkeypatch.setattr(store_module, "RETRY_SECONDS", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(server.store, "_append", lambda _: 1 / 0)
        with pytest.raises(StoreError, match="a bug in the store"):
            server.act("jobs", [job.id], params={"annotation": "x"})
    assert "caught a bug" in caplog.text
    until(lambda: server.store.refusal() == "")
    assert server.again().farm.jobs.by_id[job.id].annotation == "x"


def test_one_node_that_cannot_be_encoded_does_not_keep_the_others_from_the_disk(
    server: StoredFarm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = server.add_job("bad"), server.add_job("good")
    with monkeypatch.context() as broken:
        broken.setattr(type(bad), "to_json", lambda job, form: 1 / 0 if job is bad else {"name": job.name})
        bad.annotation = good.annotation = "x"
        server.farm.save(bad)
        server.farm.save(good)
        server.keep()
    assert f"it cannot be encoded, and is not stored: jobs {bad.id}" in caplog.text
    server.act("users", [2], params={"annotation": "y"})
    server.kill()
    image = journal.load(server.disk, server.root / journal.FOLDER).image
    assert image.nodes["jobs"][good.id].document == b'{"name":"good"}'
    assert b'"bad"' in image.nodes["jobs"][bad.id].document


def test_a_second_server_is_refused(server: StoredFarm) -> None:
    with pytest.raises(StoreError, match="another server is running"):
        StoredFarm(server.root)


def test_an_unusable_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be used") as caught:
        StoredFarm(tmp_path / "file" / "store")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["snapshot", "middle", "first frame"])
def test_a_damaged_journal_falls_back_to_the_files_and_what_can_be_read(
    server: StoredFarm, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        server.add_job(f"before{number}")
    server = server.again(clean=True)
    jobs = [server.add_job(f"after{number}") for number in range(5)]
    server.act("jobs", [jobs[4].id], params={"annotation": "last"})
    server.kill()
    server._unlock()
    folder = server.root / journal.FOLDER
    kind = "snapshot" if place == "snapshot" else "segment"
    path = next(path for path in folder.iterdir() if path.name.startswith(kind))
    data = bytearray(path.read_bytes())
    at = (
        data.index(b"after0")
        if place == "first frame"
        else data.index(b"after2")
        if place == "middle"
        else 200
    )
    data[at] ^= 1
    path.write_bytes(data)
    again = StoredFarm(server.root)
    names = {job.name for job in again.farm.jobs}
    assert {f"before{number}" for number in range(5)} <= names
    lost = {"first frame": "after0", "middle": "after2"}.get(place, "")
    assert {f"after{number}" for number in range(5)} - names == ({lost} if lost else set())
    assert again.farm.jobs.by_id[jobs[4].id].annotation == "last"
    assert "The journal is damaged" in caplog.text
    assert (server.root / "broken/journal").is_dir()
    # All files are written again, for they lacked what only the journal had.
    again.again(clean=True)
    assert {p.parent.name.partition(".")[2] for p in server.root.glob("jobs/0/*/data.json")} == names


def test_many_short_lives_do_not_make_the_start_longer(
    server: StoredFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "REPLAY_MOST", 5000)
    replayed = []
    for life in range(12):
        server.add_job(f"job{life}", frames=30)
        server.act("jobs", [server.farm.jobs_serial + 1], operation={"type": "skip"})
        server = server.again()
        replayed.append(journal.load(server.disk, server.root / journal.FOLDER).replayed)
    assert max(replayed) < 6000, replayed
    assert len(server.farm.jobs) == 13
    server = server.again(clean=True)
    assert len(list(server.root.glob("jobs/0/*/data.json"))) == 13
    assert [name for name in server.disk.names(server.root / journal.FOLDER) if "segment" in name][1:] == []


def test_a_write_that_broke_off_is_as_if_it_never_was(server: StoredFarm) -> None:
    server.add_job("kept")
    server.add_job("torn")
    server.kill()
    server._unlock()
    path = next(p for p in (server.root / journal.FOLDER).iterdir() if p.name.startswith("segment"))
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"torn")])
    again = StoredFarm(server.root)
    assert sorted(job.name for job in again.farm.jobs) == ["afanasy", "kept"]
    again.add_job("next")
    assert sorted(job.name for job in again.again().farm.jobs) == ["afanasy", "kept", "next"]


# -- the original takes turns


def test_files_are_complete_after_a_clean_stop(server: StoredFarm) -> None:
    jobs = [server.add_job(f"j{number}") for number in range(300)]
    gone = [server.add_job(f"gone{number}") for number in range(300)]
    for job in jobs:
        server.act("jobs", [job.id], params={"annotation": "edited"})
    for job in gone:
        server.act("jobs", [job.id], operation={"type": "delete"})
    server.stop()
    documents = [json.loads(path.read_bytes()) for path in server.root.glob("jobs/0/*/data.json")]
    assert len(documents) == 301
    assert all(d["annotation"] == "edited" for d in documents if d["id"] > 1)
    found = json.loads((server.root / "server.json").read_bytes())
    assert found["jobs_serial"] == 600


def test_files_are_read_when_the_original_ran_last(server: StoredFarm) -> None:
    job = server.add_job("one")
    server.stop()
    path = server.root / server.store._capture.folders["jobs", job.id] / "data.json"
    document = json.loads(path.read_bytes())
    document["annotation"] = "by the original"
    path.write_text(json.dumps(document))
    (server.root / "server.json").write_text('{"time_created":5,"jobs_serial":77}')
    again = StoredFarm(server.root)
    assert again.farm.jobs.by_id[job.id].annotation == "by the original"
    assert again.add_job("two").serial == 78
    again.again()


def test_a_journal_that_the_files_lack_is_put_aside_when_the_original_ran_last(
    server: StoredFarm, caplog: pytest.LogCaptureFixture
) -> None:
    server.add_job("one")
    server.kill()
    server._unlock()
    (server.root / "server.json").write_text('{"time_created":5,"jobs_serial":7}')
    StoredFarm(server.root)
    assert "Another server ran on the store" in caplog.text
    assert list((server.root / "broken/journal").glob("segment.*"))


def test_all_files_are_written_again_after_a_loss_of_power(
    server: StoredFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = server.add_job("one")
    path = server.root / server.store._capture.folders["jobs", job.id] / "data.json"
    server = server.again(clean=True)
    path.write_bytes(b"")
    InlineMirror(server.disk, server.root)
    mirror = journal.read_mirror(server.disk, server.root / journal.FOLDER)
    assert mirror is not None
    journal.write_mirror(
        server.disk, server.root / journal.FOLDER, journal.Mirror(mirror.position, clean=False, boot="older")
    )
    server.stop()
    assert json.loads(path.read_bytes())["name"] == "one"


def test_the_log_says_what_was_loaded(server: StoredFarm, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        server.again()
    assert "store loaded: from=journal jobs=1" in caplog.text


def test_a_finished_task_is_done_and_counted_once(server: StoredFarm) -> None:
    render = server.add_render(room=1)
    job = server.add_job("one", frames=2)
    server.end_run(render)
    server.end_run(render)
    server = server.again()
    tasks = server.farm.jobs.by_id[job.id].blocks[0].tasks
    assert [st & (DON | ERR) for st in tasks.st] == [DON, DON]
    assert list(tasks.starts) == [1, 1]
