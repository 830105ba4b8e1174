"""The files of the original: what it left is read as it would read it, and nothing broken is deleted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core.task_states import RDY
from afanasy_py.settings import Settings
from afanasy_py.store.check import check_store
from afanasy_py.store.disk import Disk
from afanasy_py.store.layout_read import LayoutReader, parse
from tests.store.store_farm import StoredFarm, differences

#: When the recorded answers were given.
NOW = 1_795_489_514.0

#: What is "now" in the recorded answers, or counts slowly.
NOT_COMPARED = {
    "time_activity", "idle_time", "busy_time", "time_register", "time_update", "active_jobs", "active_users",
    "thumb_path", "tdn",
}  # fmt: skip


def start(root: Path) -> StoredFarm:
    """Start a server at that time: later some jobs have lived for too long."""
    return StoredFarm(root, now=NOW)


@pytest.fixture
def root(shared_dir: Path, tmp_path: Path) -> Path:
    """A copy of the store that the original left."""
    root = tmp_path / "store"
    shutil.copytree(shared_dir / "golden/store/cpp_store", root)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


@pytest.fixture
def answers(shared_dir: Path) -> Any:
    """What the original answered a second after it had read that store."""
    return json.loads((shared_dir / "golden/store/answers_after_load.json").read_text())


def _compared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _compared(item) for key, item in value.items() if key not in NOT_COMPARED}
    return [_compared(item) for item in value] if isinstance(value, list) else value


def test_a_store_of_the_original_loads_with_every_value_right(root: Path, answers: Any) -> None:
    server = start(root)
    farm = server.farm
    for cycle in (1, 2):  # totals rise slowly, and the recording was made while they did
        farm.tick(NOW + cycle)
    farm.validate()
    wrong = []
    for kind, form in (
        ("jobs", "full"),
        ("users", "list"),
        ("branches", "list"),
        ("pools", "list"),
        ("renders", "list"),
    ):
        nodes = {node.id: node for node in getattr(farm, kind)}
        assert nodes.keys() == {answer["id"] for answer in answers[kind]}
        for answer in answers[kind]:
            wrong += differences(
                f"{kind}.{answer['id']}", _compared(answer), _compared(nodes[answer["id"]].to_json(form))
            )
    for job_id, blocks in answers["progress"].items():
        job = farm.jobs.by_id[int(job_id)]
        for block, wanted in zip(job.blocks, blocks, strict=True):
            found = [block.tasks.progress(number).to_json() for number in range(block.tasks.num)]
            wrong += differences(f"progress.{job_id}.{block.block_num}", _compared(wanted), _compared(found))
    assert sorted(wrong) == [
        # The system job is as old as the server.
        "jobs.1.time_creation: 1795489513 != 1795489514",
        # The original writes this under one name and reads it under another.
        "jobs.8.blocks[0].cmd_pre: 'absent' != 'true'",
        # The last job that is read sets the host of its user; the original reads in the order of the disk.
        "users.3.host_name: 'ws01' != 'ws02'",
    ]
    assert farm.jobs.by_id[2].thumb_path == str(root / "jobs/0/2.done_job/tasks/0.0/files/frame.0001.jpg.jpg")
    assert [[job.id for job in farm.users.by_id[3].jobs]] == answers["order_artist"]["events"]["jobs_order"][
        "jids"
    ]
    assert farm.jobs_serial == 9


def test_outputs_and_files_of_the_original_are_read(root: Path, answers: Any) -> None:
    server = start(root)
    wanted = answers["tasks_info"]["2.0.1 output"]["task"]["data"]
    assert server.store.read_output(2, 0, 1, 2) == wanted.encode()
    files = server.store.read_files(2, 0, 1, False)
    assert [Path(name).name for name, _ in files] == ["frame.0002.jpg.jpg"]
    assert server.store.read_files(2, -1, -1, False) == [(server.farm.jobs.by_id[2].thumb_path, b"")]


def test_ours_and_the_files_agree_after_a_stop(root: Path) -> None:
    server = start(root)
    server.act("jobs", [8], params={"annotation": "ours"})
    server.stop()
    lines: list[str] = []
    assert check_store(root, Settings(), NOW, lines.append) == 0
    assert "The store is sound." in lines
    assert not any("not as the journal" in line for line in lines)


# -- what is broken


def _cut(name: str) -> Callable[[Path], None]:
    def cut(root: Path) -> None:
        path = next(root.glob(name))
        path.write_bytes(path.read_bytes()[:-20])

    return cut


def _empty(name: str) -> Callable[[Path], None]:
    return lambda root: next(root.glob(name)).write_bytes(b"")


def _remove(name: str) -> Callable[[Path], None]:
    return lambda root: next(root.glob(name)).unlink()


def _same_id(root: Path) -> None:
    shutil.copytree(root / "jobs/0/5.paused_job", root / "jobs/0/55.copy")


def _obsolete_sysjob(root: Path) -> None:
    path = root / "jobs/0/1.afanasy/data.json"
    document = parse(path.read_bytes())
    del document["blocks"][2]
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("breakage", "aside", "gone"),
    [
        (_cut("jobs/0/5.*/data.json"), "jobs/0/5.paused_job", {5}),
        (_empty("jobs/0/5.*/data.json"), "jobs/0/5.paused_job", {5}),
        (_remove("jobs/0/5.*/data.json"), "jobs/0/5.paused_job", {5}),
        (_cut("jobs/0/8.*/block0_tasks.json"), "jobs/0/8.two_blocks", {8}),
        (_remove("jobs/0/8.*/block0_tasks.json"), "jobs/0/8.two_blocks", {8}),
        (_empty("jobs/0/2.*/tasks/0.1/progress.json"), "jobs/0/2.done_job/tasks/0.1/progress.json", set()),
        (_cut("users/0/3.*/data.json"), "users/0/3.artist", set()),
        (_cut("branches/0/1.*/data.json"), "branches/0/1._", set()),
        (_cut("branches/0/2.*/data.json"), "branches/0/2._demo", set()),
        (_cut("pools/0/1.*/data.json"), "pools/0/1._", set()),
        (_cut("pools/0/2.*/data.json"), "pools/0/2._cpu", set()),
        (_cut("renders/0/1.*/data.json"), "renders/0/1.render02", set()),
        (_cut("server.json"), "server.json", set()),
        (_same_id, "jobs/0/55.copy", set()),
        (_obsolete_sysjob, "jobs/0/1.afanasy", set()),
    ],
)
def test_what_is_broken_is_put_aside_and_told(
    root: Path,
    breakage: Callable[[Path], None],
    aside: str,
    gone: set[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    breakage(root)
    lines: list[str] = []
    assert check_store(root, Settings(), NOW, lines.append) == 1
    assert not (root / "broken").exists()
    server = start(root)
    server.farm.validate()
    assert (root / "broken" / aside).exists()
    assert f"/{aside}: " in caplog.text
    assert set(server.farm.jobs.by_id) == set(range(1, 11)) - gone
    assert server.farm.jobs_serial == 9
    again = server.again(clean=True)
    assert set(again.farm.jobs.by_id) == set(range(1, 11)) - gone


def test_orphans_get_a_parent_again(root: Path) -> None:
    shutil.rmtree(root / "branches/0/2._demo")
    shutil.rmtree(root / "pools/0/2._cpu")
    farm = start(root).again().farm
    parent = farm.branches.by_name["/demo/fx"].parent_node
    assert parent is not None
    assert parent.name == "/demo"
    pool = farm.pools.by_name["/cpu/big"].pool_node
    assert pool is not None
    assert pool.name == "/cpu"
    assert [render.pool for render in farm.renders] == ["/cpu", "/cpu"]


def test_a_task_with_broken_progress_is_ready_again(root: Path) -> None:
    _empty("jobs/0/2.*/tasks/0.1/progress.json")(root)
    tasks = start(root).farm.jobs.by_id[2].blocks[0].tasks
    assert [st & RDY for st in tasks.st] == [0, RDY]


def test_foreign_folders_are_left_alone(root: Path) -> None:
    for name in ("tasks/1", "jobs/0/.hidden", "other"):
        (root / name).mkdir(parents=True)
    (root / "jobs/note.txt").write_text("x")
    reader = LayoutReader(Disk(), root, put_aside=True)
    reader.read()
    assert reader.problems == []
    assert (root / "jobs/0/.hidden").exists()


def test_a_moved_folder_is_known_by_what_is_in_it_and_stays_where_it_is(root: Path) -> None:
    (root / "jobs/7").mkdir()
    (root / "jobs/0/5.paused_job").rename(root / "jobs/7/77.other")
    server = start(root)
    server.act("jobs", [5], params={"annotation": "moved"})
    server = server.again(clean=True)
    assert server.farm.jobs.by_id[5].annotation == "moved"
    assert b"moved" in (root / "jobs/7/77.other/data.json").read_bytes()
    assert not (root / "jobs/0/5.paused_job").exists()


def test_other_forms_of_json_are_read(root: Path) -> None:
    path = root / "users/0/3.artist/data.json"
    document = dict(reversed(list(parse(path.read_bytes()).items())))
    document["unknown"] = [1]
    document["priority"] = 50.0
    document["annotation"] = "тест"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    user = start(root).farm.users.by_id[3]
    assert (user.name, user.annotation, user.priority) == ("artist", "тест", 99)


def test_a_job_without_id_and_serial_gets_both(root: Path) -> None:
    path = root / "jobs/0/5.paused_job/data.json"
    document = parse(path.read_bytes())
    del document["id"], document["serial"]
    path.write_text(json.dumps(document))
    job = start(root).farm.jobs.by_name["paused_job"]
    assert (job.id, job.serial) == (5, 10)
