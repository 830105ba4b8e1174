"""What each command asks the server: one row for each of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.afcmd.catalogue import find
from afanasy_py.afcmd.command import COMMANDS

Json = dict[str, Any]


def act(kind: str, **members: Any) -> Json:
    members.setdefault("ids", [2])
    return {"action": {"type": kind, **{k: v for k, v in members.items() if v is not None}}}


def operate(kind: str, type_: str, ids: list[int] | None = None, /, **members: Any) -> Json:
    return act(kind, ids=ids or [2], operation={"type": type_, **members})


def on_blocks(type_: str, blocks: list[int], /, **members: Any) -> Json:
    return act("jobs", block_ids=blocks, operation={"type": type_, **members})


def get(kind: str, **members: Any) -> Json:
    return {"get": {"type": kind, **members}}


TASK = {"ids": [2], "block_ids": [0], "task_ids": [0]}

#: (words, what is asked, without who asks). Commands that ask more than once have tests of their own.
ROWS: list[tuple[str, Json]] = [
    ("farm", get("farm")),
    ("announce hello", {"announce": "hello"}),
    ("reload_config", {"reload_config": True}),
    ("config", get("config")),
    (
        "tokens create anna artist --days 7",
        {"access": {"operation": "create", "user": "anna", "role": "artist", "days": 7, "note": ""}},
    ),
    ("tokens list", {"access": {"operation": "list"}}),
    ("token revoke 0badcafe", {"access": {"operation": "revoke", "id": "0badcafe"}}),
    ("files icons/software", get("files", path="icons/software")),
    # jobs
    ("jobs list", get("jobs")),
    ("jobs list 2 5,7", get("jobs", ids=[2, 5, 7])),
    ("jobs list --users ann,bob", get("jobs", users=["ann", "bob"])),
    ("jobs show 2", get("jobs", ids=[2], mode="full")),
    ("jobs log 2", get("jobs", ids=[2], mode="log")),
    ("jobs error_hosts 2", get("jobs", ids=[2], mode="error_hosts")),
    ("jobs set 2 priority=7 annotation=a=b", act("jobs", params={"priority": 7, "annotation": "a=b"})),
    ("jobs set sh.* ppa=yes pools=", act("jobs", ids=None, mask="sh.*", params={"ppa": True, "pools": {}})),
    *(
        (f"jobs {name} 2", operate("jobs", name))
        for name in (
            "start", "pause", "stop", "restart", "restart_pause", "restart_errors", "restart_running",
            "restart_skipped", "restart_done", "restart_warnings", "reset_error_hosts",
            "reset_trying_next_tasks", "delete",
        )
    ),
    ("jobs pause 2 3,4", operate("jobs", "pause", [2, 3, 4])),
    ("jobs pause a.* b", act("jobs", ids=None, mask="(a.*)|(b)", operation={"type": "pause"})),
    ("jobs append_blocks 2 {blocks}", operate("jobs", "append_blocks", blocks=[{"name": "b"}])),
    ("jobs why 2", get("jobs", ids=[2], mode="why")),
    (
        "jobs why 2 0 1-2 --host r1",
        get("jobs", mode="why", host="r1", ids=[2], block_ids=[0], task_ids=[1, 2]),
    ),
    ("jobs pause -- -5", act("jobs", ids=None, mask="-5", operation={"type": "pause"})),
    # blocks and tasks
    ("blocks set 2 all capacity=5", act("jobs", block_ids=[-1], params={"capacity": 5})),
    ("blocks set 2 0,2-3 capacity=5", act("jobs", block_ids=[0, 2, 3], params={"capacity": 5})),
    ("blocks set 2 sim service=x", act("jobs", block_mask="sim", params={"service": "x"})),
    ("blocks reset_error_hosts 2 1", on_blocks("reset_error_hosts", [1])),
    ("blocks append_tasks 2 0 {tasks}", on_blocks("append_tasks", [0], tasks=[{"name": "t"}])),
    ("blocks tickets 2 0 LIC -1", on_blocks("tickets", [0], name="LIC", count=-1)),
    ("tasks list 2", get("jobs", ids=[2], mode="progress")),
    ("tasks info 2 0 0", get("jobs", mode="info", **TASK)),
    ("tasks log 2 0 0", get("jobs", mode="log", **TASK)),
    ("tasks error_hosts 2 0 0", get("jobs", mode="error_hosts", **TASK)),
    ("tasks files 2 0 0", get("jobs", mode="files", **TASK)),
    ("tasks output 2 0 0 --number 3", get("jobs", mode="output", number=3, **TASK)),
    *(
        (f"tasks {name} 2 0 1 4-5", on_blocks(name, [0], task_ids=[1, 4, 5]))
        for name in (
            "skip", "done", "suspend", "continue", "restart", "restart_running", "restart_skipped",
            "restart_done", "restart_errors",
        )
    ),
    ("tasks skip 2 0", on_blocks("skip", [0])),
    ("tasks skip 2 0 --affect-depends", on_blocks("skip", [0], mode="affect_depends")),
    ("tasks trynext 2 0 1", on_blocks("trynext", [0], mode="append", task_ids=[1])),
    ("tasks trynext 2 0 1 --remove", on_blocks("trynext", [0], mode="remove", task_ids=[1])),
    # renders
    ("renders list", get("renders")),
    ("renders show 2", get("renders", ids=[2])),
    ("renders log 2", get("renders", ids=[2], mode="log")),
    ("renders tasks_log 2", get("renders", ids=[2], mode="tasks_log")),
    ("renders resources", get("renders", mode="resources")),
    ("renders set 2 services=a,b", act("renders", params={"services": ["a", "b"]})),
    *(
        (f"renders {name} 2", operate("renders", name))
        for name in (
            "eject_tasks", "eject_tasks_keep_my", "heal_sick", "exit", "reboot", "shutdown", "wol_sleep",
            "wol_wake", "reassign_pool", "delete",
        )
    ),
    ("renders nimby 2", act("renders", params={"nimby": True})),
    ("renders NIMBY 2", act("renders", params={"NIMBY": True})),
    ("renders free 2", act("renders", params={"nimby": False})),
    ("renders pause 2", act("renders", params={"paused": True})),
    ("renders unpause 2", act("renders", params={"paused": False})),
    ("renders set_pool 2 /p", operate("renders", "set_pool", name="/p")),
    # renders and pools
    *(
        row
        for noun in ("renders", "pools")
        for row in (
            (f"{noun} launch_cmd 2 ls", operate(noun, "launch_cmd", cmd="ls", exit=False)),
            (f"{noun} launch_cmd 2 ls --exit", operate(noun, "launch_cmd", cmd="ls", exit=True)),
            (f"{noun} service_add 2 s", operate(noun, "farm", mode="service_add", name="s")),
            (f"{noun} service_remove 2 s", operate(noun, "farm", mode="service_remove", mask="s")),
            (f"{noun} service_disable 2 s", operate(noun, "farm", mode="service_disable", mask="s")),
            (f"{noun} service_enable 2 s", operate(noun, "farm", mode="service_enable", mask="s")),
            (f"{noun} clear_services 2", operate(noun, "farm", mode="clear_services")),
        )
    ),
    ("renders tickets 2 T 5", operate("renders", "tickets", name="T", count=5, host=True)),
    ("pools tickets 2 T 5", operate("pools", "tickets", name="T", count=5, host=False)),
    (
        "pools tickets 2 T 5 --per-host --max-hosts 3",
        operate("pools", "tickets", name="T", count=5, host=True, max_hosts=3),
    ),
    # pools
    ("pools list", get("pools")),
    ("pools show 2", get("pools", ids=[2])),
    ("pools log 2", get("pools", ids=[2], mode="log")),
    ("pools set 2 tickets_pool=T:5:2", act("pools", params={"tickets_pool": {"T": [5, 0, 0, 2]}})),
    *(
        (f"pools {name} 2", operate("pools", name))
        for name in ("delete", "heal_sick", "eject_tasks", "exit", "delete_renders")
    ),
    ("pools pause 2", act("pools", params={"paused": True})),
    ("pools unpause 2", act("pools", params={"paused": False})),
    ("pools add_pool / p", act("pools", ids=None, mask="/", operation={"type": "add_pool", "name": "p"})),
    # users
    ("users list", get("users")),
    ("users show 2", get("users", ids=[2])),
    ("users log 2", get("users", ids=[2], mode="log")),
    ("users jobs 2", get("users", ids=[2], mode="jobs_order")),
    ("users set 2 solve_method=solve_priority", act("users", params={"solve_method": "solve_priority"})),
    ("users delete 2", operate("users", "delete")),
    ("users add bob", {"user": {"name": "bob"}}),
    *(
        (f"users move_jobs_{where} 2 5,3 7", operate("users", f"move_jobs_{where}", jids=[5, 3, 7]))
        for where in ("up", "down", "top", "bottom")
    ),
    # branches
    ("branches list", get("branches")),
    ("branches show 2", get("branches", ids=[2])),
    ("branches log 2", get("branches", ids=[2], mode="log")),
    ("branches set 2 solve_jobs=off", act("branches", params={"solve_jobs": False})),
    *(
        (f"branches {name} 2", operate("branches", name))
        for name in ("pause", "start", "delete", "delete_done_jobs")
    ),
    # monitors
    ("monitors list", get("monitors")),
    ("monitors show 2", get("monitors", ids=[2])),
    ("monitors log 2", get("monitors", ids=[2], mode="log")),
    ("monitors events 2", get("monitors", ids=[2], mode="events")),
    ("monitors set 2 annotation=x", act("monitors", params={"annotation": "x"})),
    ("monitors exit 2", operate("monitors", "exit")),
    ("monitors message 2 hi", operate("monitors", "message", text="hi")),
    ("monitors deregister 2", operate("monitors", "deregister")),
    ("monitors watch 2 jobs", operate("monitors", "watch", **{"class": "jobs"}, status="subscribe")),
    (
        "monitors watch 2 tasks --ids 5,7 --unsubscribe",
        operate("monitors", "watch", **{"class": "tasks"}, status="unsubscribe", ids=[5, 7]),
    ),
    (
        "monitors watch 2 listen --place 5,1,0",
        operate("monitors", "watch", **{"class": "listen"}, status="subscribe", job=5, block=1, task=0),
    ),
    (
        "monitors watch 2 perm --uid 0",
        operate("monitors", "watch", **{"class": "perm"}, status="subscribe", uid=0),
    ),
]  # fmt: skip

#: Commands that ask several questions or none; test_commands.py and test_database.py have them.
OTHERS = {
    "submit", "json", "watch", "jobs wait", "blocks list", "blocks show", "tasks follow", "db_check",
    "db_reset_all", "db_reset_jobs", "db_reset_tasks", "db_reset_logs", "db_updatetables",
}  # fmt: skip


@pytest.mark.parametrize(("words", "request_"), ROWS, ids=[words for words, _ in ROWS])
def test_a_command_asks_the_server_for_this(
    server, afcmd, tmp_path: Path, words: str, request_: Json
) -> None:
    files = {"blocks": [{"name": "b"}], "tasks": [{"name": "t"}]}
    for name, value in files.items():
        (tmp_path / name).write_text(json.dumps({name: value}), encoding="utf-8")
    ran = afcmd(*words.format(**{name: tmp_path / name for name in files}).split())
    assert server.requests == [request_], ran.err
    if "action" in request_:
        assert ran == (0, "Action processed.\n", "")
        assert server.asked[0]["action"]["user_name"] == "artist"
        assert server.asked[0]["action"]["host_name"] == "ws01"


def test_each_command_has_a_row_here() -> None:
    assert {find(words.split())[0].name for words, _ in ROWS} | OTHERS == set(COMMANDS)


def operations(request_: Json) -> set[tuple[str, str]]:
    """Return {(kind of nodes, operation)} of an action."""
    action = request_.get("action")
    operation = action.get("operation") if isinstance(action, dict) else None
    if not isinstance(operation, dict) or not isinstance(operation.get("type"), str):
        return set()
    kind = "blocks" if "block_ids" in action or "block_mask" in action else action.get("type")
    name = operation["type"] + (f" {operation.get('mode')}" if operation["type"] == "farm" else "")
    return {(kind, name)}


def test_each_operation_that_the_original_has_done_can_be_asked_for(shared_dir: Path) -> None:
    done = set()
    for path in (shared_dir / "golden" / "api").glob("*.json"):
        for step in json.loads(path.read_text(encoding="utf-8"))["steps"]:
            answer = step.get("answer", {}).get("json")
            refused = not isinstance(answer, dict) or answer.get("info", {}).get("kind") == "error"
            if isinstance(step.get("send"), dict) and not refused:
                done |= operations(step["send"])
    assert ("jobs", "restart_errors") in done
    here = {operation for _, request_ in ROWS for operation in operations(request_)}
    unknown = {("users", "zzz"), ("users", "move_jobs_zzz")}  # the server takes them and does nothing
    assert done - here - unknown == set()
