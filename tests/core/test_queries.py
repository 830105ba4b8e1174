"""Tests of `get`: selection, modes, caches, pieces, and the members of our own."""

from typing import Any

import pytest

from afanasy_py.core.queries import encoding, progress
from afanasy_py.core.queries.tasks import RETRIEVING, SYSTEM_OUTPUT
from afanasy_py.core.requests import AskServer, SlowAnswer
from afanasy_py.msg.types import MsgType, TaskStatus
from tests.core.action_farm import explicit, numeric
from tests.core.query_farm import QueryFarm


@pytest.fixture
def farm() -> QueryFarm:
    """A farm with the system job only."""
    return QueryFarm()


def ids(answer: Any) -> list[int]:
    """Return the ids of a list."""
    return [node["id"] for node in next(iter(answer.values()))]


def test_an_unknown_type_is_refused(farm: QueryFarm) -> None:
    assert farm.error("zzz") == "Invalid get type = 'zzz'"
    assert farm.json({"get": {}}) == {"info": {"kind": "error", "text": "Invalid get type = ''"}}


def test_jobs_are_selected_by_ids_masks_users_and_serials(farm: QueryFarm) -> None:
    first, other = farm.add_job("shot_a"), farm.add_job("shot_b", user_name="second")
    assert ids(farm.get("jobs", ids=[other.id, 99, first.id, other.id])) == [other.id, first.id, other.id]
    assert ids(farm.get("jobs", mask="shot_b|nothing")) == [other.id]
    assert farm.get("jobs", mask="hot") == {"jobs": []}
    assert ids(farm.get("jobs", users=["second", "nobody", "artist"])) == [other.id, first.id]
    assert ids(farm.get("jobs", uids=[second_uid(farm)])) == [other.id]
    assert ids(farm.get("jobs", serials=[first.serial])) == [first.id]
    assert farm.get("jobs", serials=[]) == {"jobs": []}
    assert farm.error("jobs", users=[]) == "Invalid action."
    assert farm.error("jobs", ids=[77]) == "Invalid ID"


def second_uid(farm: QueryFarm) -> int:
    """Return the id of the second user."""
    return farm.farm.users.by_name["second"].id


def test_a_changed_node_is_encoded_again(farm: QueryFarm) -> None:
    job = farm.add_job()
    assert farm.get("jobs", ids=[job.id])["jobs"][0]["st"] == 1
    kept = job.encoded["list"]
    farm.get("jobs")
    assert job.encoded["list"] is kept
    farm.act("jobs", job, operation="pause")
    assert farm.get("jobs", ids=[job.id])["jobs"][0]["state"] == " RDY OFF"


def test_the_last_update_of_a_render_is_at_most_some_seconds_old(farm: QueryFarm) -> None:
    render = farm.add_render()
    farm.get("renders")
    render.time_update += 1 << encoding.UPDATE_SHIFT
    assert farm.get("renders")["renders"][0]["time_update"] == render.time_update


def test_a_branch_shows_its_active_jobs_and_users_as_they_are_now(farm: QueryFarm) -> None:
    job = farm.add_job()
    farm.get("branches")
    farm.act("jobs", job, operation="pause")
    shown = farm.get("branches")["branches"][0]
    assert shown["active_jobs"][-1] == {
        "id": job.id,
        "name": "job",
        "user_name": "artist",
        "state": " RDY OFF",
    }
    assert shown["active_users"] == []
    farm.act("jobs", job, operation="start")
    farm.add_render()
    shown = farm.get("branches")["branches"][0]
    counts = {"running_tasks_num": 1, "running_capacity_total": 1000}
    assert shown["active_jobs"][-1] == {
        "id": job.id, "name": "job", "user_name": "artist", "state": " RDY RUN", **counts
    }  # fmt: skip
    assert shown["active_users"] == [{"id": job.user.id, "name": "artist", **counts}]
    some = farm.get("branches", fields=["active_users", "name"])["branches"][0]
    assert some == {"name": "/", "active_users": shown["active_users"]}


def test_fields_give_some_members_only(farm: QueryFarm) -> None:
    job = farm.add_job(blocks=[numeric("a"), numeric("b")])
    some = farm.get("jobs", ids=[job.id], fields=["id", "name", "blocks.st", "no_such"])
    assert some == {"jobs": [{"name": "job", "id": job.id, "blocks": [{"st": 1}, {"st": 1}]}]}
    assert farm.get("users", mask="artist", fields=["name"]) == {"users": [{"name": "artist"}]}
    farm.add_render()
    assert farm.get("renders", mode="resources", fields=["host_name"]) == {"renders": [{"host_name": "host"}]}


def test_a_page_is_a_part_of_a_list_and_tells_the_total(farm: QueryFarm) -> None:
    made = [farm.add_job(f"j{n}") for n in range(4)]
    page = farm.get("jobs", mask="j", offset=1, limit=2)
    assert [job["id"] for job in page["jobs"]] == [made[1].id, made[2].id]
    assert page["total"] == 4
    assert farm.get("jobs", mask="j", offset=9) == {"jobs": [], "total": 4}
    assert len(farm.get("jobs", mask="j", limit=-1)["jobs"]) == 4


def test_a_long_list_is_made_in_steps_and_nodes_may_go_meanwhile(
    farm: QueryFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding.in_steps, "__defaults__", (2,))
    made = [farm.add_job(f"j{n}") for n in range(4)]
    slow = farm.call(MsgType.TJSON, body=b'{"get":{"type":"jobs","mask":"j"}}')
    assert isinstance(slow, SlowAnswer)
    next(slow.steps)
    farm.act("jobs", made[3], operation="delete")
    answer = slow.finish()
    assert answer.text.count(b'"serial"') == 3  # type: ignore[union-attr]


def test_progress_is_the_same_at_once_and_in_steps(farm: QueryFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    job = farm.add_job(blocks=[numeric("a", 5), explicit("b", 3)])
    farm.add_render(room=2)
    at_once = farm.get("jobs", ids=[job.id], mode="progress")
    assert at_once["job_progress"]["progress"][0][0]["hst"] == "host"
    assert [len(block) for block in at_once["job_progress"]["progress"]] == [5, 3]
    binary = farm.binary("jobs", ids=[job.id], mode="progress")
    job.encoded.clear()
    monkeypatch.setattr(progress, "STEP", 2)
    assert farm.get("jobs", ids=[job.id], mode="progress") == at_once
    assert farm.binary("jobs", ids=[job.id], mode="progress") == binary


def test_blocks_come_in_the_form_that_the_mode_names(farm: QueryFarm) -> None:
    job = farm.add_job(blocks=[numeric("a"), numeric("b")])
    blocks = farm.get("jobs", ids=[job.id], block_ids=[1, 0], mode=["progress", "full"])["blocks"]
    assert [block["block_num"] for block in blocks] == [1, 0]
    assert "name" not in blocks[0]
    assert blocks[1]["command"] == ""
    for more in (
        {"block_ids": [0, 1], "mode": ["full"]},
        {"block_ids": [9], "mode": ["full"]},
        {"block_ids": [-3, 0]},
    ):
        assert ids(farm.get("jobs", ids=[job.id], **more)) == [job.id]


@pytest.mark.parametrize(
    ("mode", "name"),
    [("progress", "TBlocksProgress"), ("properties", "TBlocksProperties"), ("full", "TBlocks")],
)
def test_binary_blocks_go_by_the_first_word(farm: QueryFarm, mode: str, name: str) -> None:
    job = farm.add_job(blocks=[numeric("a"), explicit("b")])
    answer = farm.binary("jobs", ids=[job.id], block_ids=[0, 1], mode=[mode, "progress"])
    assert (answer[0], len(answer[1])) == (name, 2)
    assert farm.binary("jobs", ids=[job.id], block_ids=[1], mode=mode)[0] == name
    assert farm.binary("jobs", ids=[job.id], block_ids=[1], mode="zzz")[0] == "TJobsList"


def test_one_task_is_described(farm: QueryFarm) -> None:
    job = farm.add_job()
    place = {"ids": [job.id], "block_ids": [0], "task_ids": [1]}
    task = farm.get("jobs", **place, mode="info")["task"]
    assert (task["type"], task["task_name"], task["exec"]["frame_start"]) == ("TExec", "frame 2", 2)
    assert "user_name" not in task["exec"]
    assert farm.get("jobs", **place, mode="zzz") == {}
    assert farm.get("jobs", **place, mode="files")["task_files"]["files"] == [{"name": "/store/thumb.jpg"}]
    assert farm.binary("jobs", **place, mode="files")[1].files == [("/store/thumb.jpg", b"jpeg")]
    assert farm.binary("jobs", ids=[job.id], mode="thumbnail")[0] == "TTaskFiles"
    assert farm.binary("jobs", **place, mode="log")[1].kind == 3
    assert (
        farm.error("jobs", ids=[job.id], block_ids=[0], task_ids=[7], mode="log")
        == "Invalid block/task number."
    )


def test_errors_of_hosts_are_listed(farm: QueryFarm) -> None:
    job = farm.add_job(blocks=[numeric("a", last=1)])
    render = farm.add_render()
    for _ in range(2):
        farm.end_run(render, TaskStatus.FinishedError)
    lines = farm.get("jobs", ids=[job.id], mode="error_hosts")["message"]["list"]
    assert lines == ["Block['a'] error hosts:", "host: 2 at 1000", "Task[0] error hosts: ", "host: 2 at 1000"]
    told = farm.binary("jobs", ids=[job.id], mode="error_hosts")
    assert told == ("TString", "\n".join(['Job "job" error hosts:', *lines]))
    task = farm.get("jobs", ids=[job.id], block_ids=[0], task_ids=[0], mode="error_hosts")["task"]
    assert task["data"] == "Task[0] error hosts: \nhost: 2 at 1000"


def test_output_is_read_from_the_store(farm: QueryFarm) -> None:
    job = farm.add_job()
    place = {"ids": [job.id], "block_ids": [0], "task_ids": [0], "mode": "output"}
    assert farm.get("jobs", **place)["task"]["data"] == "ERROR: Task is not started."
    farm.end_run(farm.add_render(), TaskStatus.FinishedSuccess)
    assert farm.get("jobs", **place)["task"]["data"] == "stored output"
    assert farm.get("jobs", **place, number=1)["task"]["pos"]["number"] == 1
    few = farm.get("jobs", **place, number=2)["task"]["data"]
    assert few == "ERROR: Task was started 1 times ( less than 2 times )."
    farm.output = "File is empty:\n/x"
    assert farm.get("jobs", **place)["task"]["data"] == "ERROR: File is empty:\n/x"


def test_output_without_a_task_is_refused(farm: QueryFarm) -> None:
    job = farm.add_job()
    assert farm.error("jobs", mode="output") == "Invalid action."
    for wanted, reason in (
        ({"ids": [77], "block_ids": [0], "task_ids": [0]}, "Invalid job ID"),
        ({"ids": [1], "block_ids": [0], "task_ids": [0]}, SYSTEM_OUTPUT),
        ({"ids": [job.id], "block_ids": [5], "task_ids": [0]}, "Invalid block and task numbers"),
    ):
        task = farm.get("jobs", **wanted, mode="output")["task"]
        assert (task["data"], task["job_name"]) == (f"ERROR: {reason}", "")


def test_output_of_a_running_task_needs_a_monitor(farm: QueryFarm) -> None:
    job = farm.add_job()
    render = farm.add_render()
    place = {"ids": [job.id], "block_ids": [0], "task_ids": [0], "mode": "output"}
    task = farm.get("jobs", **place)["task"]
    assert (task["data"], task["render_id"]) == ("ERROR: Can't get ouput of a running task.", render.id)
    task = farm.get("jobs", **place, mon_id=5)["task"]
    assert task["data"] == "ERROR: MonitorContainer::waitOutput: No monitor with ID = 5"
    monitor_id = farm.add_monitor()
    for _ in range(2):
        assert farm.get("jobs", **place, mon_id=monitor_id)["task"]["data"] == RETRIEVING
    assert [pos.task_num for pos in render.events().outputs] == [0]


def test_nodes_have_logs_and_modes(farm: QueryFarm) -> None:
    job = farm.add_job()
    render = farm.add_render()
    for kind, node in (
        ("jobs", job),
        ("renders", render),
        ("users", job.user),
        ("pools", farm.farm.root_pool),
    ):
        log = farm.get(kind, ids=[node.id], mode="log")["message"]
        assert (log["name"], log["type"]) == (node.name, "log")
        assert farm.binary(kind, ids=[node.id], mode="log") == ("TStringList", log["list"])
        assert farm.error(kind, ids=[99], mode="log") == "Invalid ID"
    order = farm.get("users", ids=[job.user.id], mode="jobs_order")
    assert order == {"events": {"jobs_order": {"uids": [job.user.id], "jids": [[job.id]]}}}
    assert farm.binary("users", ids=[job.user.id], mode="jobs_order")[1].list == [job.id]
    full = farm.get("renders", ids=[render.id], mode="full")["object"]
    assert full["render"]["name"] == "host"
    assert "host_resources" in full
    assert farm.binary("renders", ids=[render.id], mode="full")[0] == "TString"
    assert farm.binary("renders", mode="resources")[0] == "TRendersResources"
    assert "Starting task" in farm.get("renders", ids=[render.id], mode="tasks_log")["message"]["list"][0]
    idle = farm.add_render("idle")
    idle.tasks_log.clear()
    assert farm.binary("renders", ids=[idle.id], mode="tasks_log") == ("TString", "No tasks execution.")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("jobs", "TJobsList"),
        ("renders", "TRendersList"),
        ("users", "TUsersList"),
        ("branches", "TBranchesList"),
        ("pools", "TPoolsList"),
        ("monitors", "TMonitorsList"),
    ],
)
def test_binary_lists_hold_what_json_lists_hold(farm: QueryFarm, kind: str, name: str) -> None:
    farm.add_job()
    farm.add_render()
    farm.add_monitor()
    msg_type, nodes = farm.binary(kind)
    assert msg_type == name
    assert [node.id for node in nodes] == ids(farm.get(kind))


def test_the_server_is_asked_for_what_is_not_the_farms(farm: QueryFarm) -> None:
    for name in ("files", "config"):
        asked = farm.ask({"get": {"type": name, "path": "icons"}})
        assert isinstance(asked, AskServer)
        assert asked.what == name


def test_the_farm_has_a_summary(farm: QueryFarm) -> None:
    farm.add_job()
    farm.add_render()
    shown = farm.get("farm")["farm"]
    assert shown["jobs"] == {"total": 2, "RDY": 2, "RUN": 1, "OFF": 1}
    assert shown["tasks"] == {"total": 3, "running": 1, "ready": 2}
    assert shown["renders"] == {"total": 1, "ONL": 1, "RUN": 1, "capacity": 1000, "capacity_used": 1000}


def test_a_token_makes_one_job_a_day(farm: QueryFarm) -> None:
    job = {"name": "once", "user_name": "artist", "token": "ws1-7", "blocks": [numeric()]}
    first = farm.json({"job": job})
    assert farm.json({"job": job}) == first
    assert len(farm.get("jobs", mask="once")["jobs"]) == 1
    farm.now += 86401
    later = farm.json({"job": job})
    assert later["serial"] != first["serial"]
    assert "token" in farm.json({"job": {**job, "token": "x" * 300}})["error"]
    fresh = QueryFarm()
    fresh.farm.tokens.learn(farm.farm.jobs, farm.now)
    made = fresh.farm.tokens.find("ws1-7", farm.now)
    assert made is not None
    assert made.serial == later["serial"]
