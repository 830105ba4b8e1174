"""What people see, and commands that ask more than one question."""

import json
from pathlib import Path

import pytest

from afanasy_py.afcmd.cli import main
from afanasy_py.afcmd.command import COMMANDS
from afanasy_py.afcmd.jobs import WAIT_STEP_S

RUNNING = {"task": {"type": "TOutput", "render_id": 0, "data": "ERROR: Can't get ouput of a running task."}}
MONITOR = {"monitor": {"id": 9}}


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# -- tables


def test_a_list_of_jobs(afcmd) -> None:
    ran = afcmd("jobs", "list", "2")
    assert lines(ran.out) == [
        [
            "ID",
            "NAME",
            "USER",
            "PRIO",
            "STATE",
            "TASKS",
            "DONE",
            "READY",
            "RUNNING",
            "ERR",
            "BRANCH",
            "CREATED",
        ],
        ["2", "jobops", "artist", "99", "RDY", "OFF", "5", "0", "5", "0", "0", "/", "<time>"],
    ]
    assert (ran.code, ran.err) == (0, "")


def test_a_list_asks_only_for_what_it_shows(afcmd, server) -> None:
    afcmd("users", "list")
    fields = server.asked[0]["get"]["fields"]
    assert fields[:3] == ["id", "name", "priority"]
    assert "jobs_num" in fields
    assert "errors_retries" not in fields
    afcmd("users", "list", "--json")
    assert "fields" not in server.asked[1]["get"]


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ("renders list 1", "1 render01 99 ONL RUN artist / 1000 3.4.1 run[sim][f01]"),
        ("renders resources", '1 render01 6% 8 12000/16000 50/4000 400/500 512/8192 21/22 artist, ro"ot'),
        ("renders show 1", "2 0 0 artist run[sim][f01] <time>"),
        ("users list", "2 artist 99 1 1 1 ws01 <time>"),
        ("branches list", "2 /show 99 2 0 8 0 0 users"),
        ("pools list", "3 /auto 99 0 0 0 0 0 render.*"),
        ("monitors list", "1 artist@ws01 test 127.0.0.1 <time> 0"),
        ("jobs show 2", "0 b0 generic RDY 0 10 0 10 0 0 1000"),
        ("jobs show 2", "branch /"),
        ("tasks list 2 1", "1 1 RDY 0 0"),
        ("tasks info 2 0 0", "files_block /projects/demo/@#@.exr"),
        ("tasks log 2 0 0", "<time>: afanasy: Finished success."),
        ("tasks files 2 0 0", "<dir>/store/jobs/0/2.run/tasks/0.0/files/thumb.jpg"),
        ("jobs error_hosts 2", "render01: 1 at <time>"),
        ("renders tasks_log 1", "<time> : Finished task: [nuke(nuke):1000] artist: run[post][task 0]"),
        ("users jobs 2", "5 2 3 4 7 6"),
        ("monitors events 1", "monitors_change [1]"),
    ],
)
def test_a_table_has_this_row(afcmd, words: str, row: str) -> None:
    ran = afcmd(*words.split())
    assert ran.code == 0, ran.err
    assert row.split() in lines(ran.out)


def test_lists_by_name_take_expressions_for_whole_names(afcmd) -> None:
    assert [row[1] for row in lines(afcmd("pools", "list", "/f.*", "/").out)[1:]] == ["/", "/farm"]
    assert lines(afcmd("pools", "list", "/f").out)[1:] == []
    assert afcmd("pools", "list", "(").code == 2


def test_one_node_may_be_named(afcmd, server) -> None:
    server.queued = [
        {"pools": [{"id": 1, "name": "/"}, {"id": 7, "name": "/a.c"}, {"id": 8, "name": "/abc"}]}
    ]
    afcmd("pools", "log", "/a.c")
    assert server.requests[-1] == {"get": {"type": "pools", "ids": [7], "mode": "log"}}
    ran = afcmd("pools", "log", "/.+")
    assert (ran.code, ran.err) == (1, "afcmd: 2 pools have the name /.+; one is needed\n")


def test_json_is_the_answer_as_it_came(afcmd) -> None:
    ran = afcmd("monitors", "events", "1", "--json")
    assert json.loads(ran.out) == {
        "events": {"monitors_change": [1], "message": "hello you\n - artist@ws01 127.0.0.1"}
    }


def test_what_a_terminal_could_obey_is_not_written(afcmd, server) -> None:
    server.queued = [{"users": [{"id": 2, "name": "a\x1b[2Jb\udcff\nc", "priority": 99}]}]
    out = afcmd("users", "list").out
    assert "a?[2Jb? c" in out
    assert "\x1b" not in out


# -- refusals and exit codes


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("jobs show 77", 1, "Invalid ID"),
        ("tasks output 1 0 0", 1, "This is an empty dummy task"),
        ("jobs pause", 2, "usage: afcmd jobs pause [options] <job>..."),
        ("jobs pause 2 --quickly", 2, "usage: afcmd jobs pause"),
        ("jobs pause 2 a.*", 2, "either ids or expressions, not both: 2 a.*"),
        ("jobs puase 2", 2, "jobs what? There is: pause"),
        ("jobs", 2, "There is: list, show, log, set, start, pause"),
        ("jbos list", 2, "there is no command jbos; near is: jobs"),
        ("jobs set 2 prioritee=5", 2, "jobs have no parameter prioritee; there is: priority"),
        ("jobs set 2 priority=high", 2, "priority should be a whole number: high"),
        ("tasks log 2 a 0", 2, "<block> should be a number: a"),
        ("tasks skip 2 0 1-x", 2, "not a number or a range of numbers: 1-x"),
        ("submit /no/such/file", 2, "/no/such/file: "),
        ("watch cats", 2, "there is no class cats"),
        ("users list --port 0", 2, "--port should be 1 to 65535"),
        ("users list --timeout never", 2, "--port and --timeout should be numbers"),
        ("users list --port 1", 3, "127.0.0.1:1: "),
    ],
)
def test_a_failure_has_its_exit_code_and_says_why(afcmd, server, words: str, code: int, said: str) -> None:
    if words.startswith("watch"):
        server.queued = [MONITOR]
    ran = afcmd(*words.split())
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_a_refused_request_is_shown_as_json_too(afcmd) -> None:
    ran = afcmd("jobs", "show", "77", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["info"]["text"] == "Invalid ID"


def test_an_answer_that_cannot_be_read_is_no_connection(afcmd, server) -> None:
    server.queued = [b"hello", None]
    assert afcmd("users", "list").code == 3
    assert afcmd("users", "list").code == 3


def test_help_names_each_command_and_needs_no_server(afcmd, server) -> None:
    for words in ((), ("--help",), ("help",)):
        ran = afcmd(*words)
        assert all(f"  {name}" in ran.out for name in COMMANDS)
    assert "Parameters of jobs" in afcmd("jobs", "set", "-h").out
    assert "hosts_mask_exclude" in afcmd("help", "jobs", "set").out
    assert afcmd("--version").out.startswith("afcmd ")
    assert server.asked == []


def test_words_may_be_written_in_other_ways(afcmd, server) -> None:
    for words in (
        "jobs restart_errors 2",
        "job restart-errors 2",
        "jobs --user al restart_errors 2 --user bob",
    ):
        afcmd(*words.split())
    assert server.requests[0] == server.requests[1] == server.requests[2]
    assert server.asked[2]["action"]["user_name"] == "bob"
    afcmd("jpause", "2")
    assert server.requests[3]["action"]["operation"] == {"type": "pause"}


def test_the_server_is_found_in_the_environment(afcmd, server, monkeypatch, capsys, no_config) -> None:
    monkeypatch.setenv("CGRU_AF_SERVERNAME", "127.0.0.1")
    monkeypatch.setenv("CGRU_AF_SERVERPORT", str(server.port))
    assert main(["users", "list"]) == 0
    assert "artist" in capsys.readouterr().out


def test_the_server_is_found_in_a_file(server, no_config, tmp_path: Path, monkeypatch, capsys) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"cgru_config": {"af_servername": "127.0.0.1", "af_serverport": server.port}}),
        encoding="utf-8",
    )
    monkeypatch.setenv("CGRU_CUSTOM_CONFIG", str(path))
    assert main(["users", "list"]) == 0
    path.write_text(json.dumps({"cgru_config": {"af_servername": "no..name"}}), encoding="utf-8")
    assert main(["users", "list"]) == 3
    assert "no..name" in capsys.readouterr().err


# -- jobs


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_job_is_submitted_from_a_file(afcmd, server, tmp_path: Path, *, wrapped: bool) -> None:
    job = {"name": "j", "user_name": "ann", "blocks": []}
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"job": job} if wrapped else job), encoding="utf-8")
    server.queued = [{"id": 5, "serial": 3}]
    ran = afcmd("submit", str(path), "--token", "t1", "--paused", "--name", "other")
    assert (ran.code, ran.out) == (0, "5\n")
    more = {"host_name": "ws01", "name": "other", "token": "t1", "offline": True}
    assert server.asked == [{"job": {**job, **more}}]


def test_a_refused_job_is_a_failure(afcmd, server, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text("{}", encoding="utf-8")
    server.queued = [{"id": 0, "serial": 0, "error": "Invalid job."}]
    ran = afcmd("submit", str(path))
    assert (ran.code, ran.out, ran.err) == (1, "", "afcmd: Invalid job.\n")
    path.write_text("[]", encoding="utf-8")
    assert afcmd("submit", str(path)).code == 2


def test_any_request_can_be_sent(afcmd, server, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text('{"get":{"type":"users"}}', encoding="utf-8")
    assert len(json.loads(afcmd("json", str(path)).out)["users"]) == 2


def jobs(st: int) -> dict[str, object]:
    return {"jobs": [{"id": 2, "name": "j", "st": st}]}


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        ([jobs(1), jobs(2), jobs(16)], 0, "Job 2 is done."),
        ([jobs(2 | 32), jobs(32)], 1, "job 2 has an error"),
        ([jobs(1), {"jobs": []}], 1, "job 2 is not there"),
        ([jobs(1), {"info": {"kind": "error", "text": "Invalid ID"}}], 1, "Invalid ID"),
        ([jobs(1)] * 3, 1, "not done yet: 2"),
    ],
)
def test_waiting_for_a_job(afcmd, server, answers: list, code: int, said: str) -> None:
    server.queued = [*answers]
    ran = afcmd("jobs", "wait", "2", "--limit", str(2 * WAIT_STEP_S))
    assert ran.code == code
    assert said in ran.out + ran.err
    assert server.queued == []


def test_blocks_are_listed_and_shown(afcmd, server) -> None:
    block = {"block_num": 0, "name": "a", "service": "s", "tasks_num": 2, "capacity": 10, "depend_mask": "b"}
    full = {**block, "tasks": [{"name": "t1", "command": "c"}, {"name": "t2", "command": "d"}]}
    job = {"jobs": [{"id": 2, "name": "j", "blocks": [{}]}]}
    server.queued = [job, {"blocks": [block]}, job, {"blocks": [full]}]
    assert lines(afcmd("blocks", "list", "2").out)[1] == [*"0as0200", "0", "0", "10", "b"]
    assert lines(afcmd("blocks", "show", "2", "0").out)[-1] == ["1", "t2", "d"]
    assert server.requests[3]["get"] == {"type": "jobs", "ids": [2], "block_ids": [0], "mode": ["full"]}
    server.queued = [job, {"blocks": [full]}]
    assert afcmd("blocks", "show", "2", "1").err == "afcmd: the job has no block 1\n"


def test_appended_tasks_are_named(afcmd, server, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text('[{"name":"t"}]', encoding="utf-8")
    server.queued = [{"object": {"task_ids": [5]}}]
    assert afcmd("blocks", "append_tasks", "2", "0", str(path)).out == '{"task_ids": [5]}\n'
    path.write_text('{"blocks":[]}', encoding="utf-8")
    assert afcmd("blocks", "append_tasks", "2", "0", str(path)).code == 2


# -- the farm


def test_the_summary_of_the_farm(afcmd, server) -> None:
    tasks = {"total": 9, "running": 2, "wait_depend": 3}
    server.queued = [{"farm": {"time": 0, "jobs": {"total": 4, "RUN": 1}, "tasks": tasks, "users": 2}}]
    assert afcmd("farm").out.splitlines() == [
        "time",
        "jobs   4  RUN: 1",
        "tasks  9  running: 2  wait depend: 3",
        "users  2",
    ]


# -- monitors


def test_output_of_a_running_task_comes_from_its_host(afcmd, server) -> None:
    waiting = {"task": {"render_id": 1, "data": "Retrieving running task output from render..."}}
    server.queued = [
        RUNNING,
        MONITOR,
        waiting,
        {"events": None},
        {"events": {"tasks_outputs": [{"data": "line 1\n"}]}},
        None,  # deregistered
    ]
    ran = afcmd("tasks", "output", "2", "0", "0")
    assert (ran.code, ran.out, ran.err) == (0, "line 1\n", "")
    assert server.requests[2]["get"]["mon_id"] == 9
    assert server.requests[-1]["action"]["operation"] == {"type": "deregister"}


def test_a_task_that_ends_meanwhile_has_its_stored_output(afcmd, server) -> None:
    server.queued = [RUNNING, MONITOR, {"task": {"render_id": 0, "data": "all of it"}}, None]
    assert afcmd("tasks", "output", "2", "0", "0").out == "all of it\n"


def test_a_host_that_is_silent_is_given_up(afcmd, server) -> None:
    waiting = {"task": {"render_id": 1, "data": "Retrieving"}}
    server.queued = [RUNNING, MONITOR, waiting, *[{"events": None}] * 30, None]
    ran = afcmd("tasks", "output", "2", "0", "0")
    assert ran.err == "afcmd: the host has not sent the output within 30 seconds\n"
    assert (ran.code, server.queued) == (1, [])


def test_a_task_is_followed_until_it_ends(afcmd, server) -> None:
    done = {"info": {"kind": "log", "text": "Subscribed on 'x'"}}
    progress = {"job_id": 2, "blocks": [0, 0], "tasks": [1, 0], "progress": [{"st": 16}, {"st": 2}]}
    server.queued = [
        MONITOR,
        done,
        done,
        {"task": {"progress": {"st": 2}}},
        {"events": {"tasks_listens": [{"data": "a\n"}], "tasks_progress": [progress]}},
        {"events": {"tasks_listens": [{"data": "b\n"}]}},
        {"events": {"tasks_progress": [{**progress, "progress": [{"st": 2}, {"st": 16}]}]}},
        None,
    ]
    ran = afcmd("tasks", "follow", "2", "0", "0")
    assert (ran.code, ran.out, ran.err, server.queued) == (0, "a\nb\n", "", [])
    listen, tasks = (request["action"]["operation"] for request in server.requests[1:3])
    assert listen == {
        "type": "watch",
        "class": "listen",
        "status": "subscribe",
        "job": 2,
        "block": 0,
        "task": 0,
    }
    assert tasks == {"type": "watch", "class": "tasks", "status": "subscribe", "ids": [2]}


def test_the_farm_is_watched_until_the_server_forgets(afcmd, server) -> None:
    done = {"info": {"kind": "log", "text": "x"}}
    server.queued = [
        MONITOR, done, done, {"events": {"jobs_add": [5], "message": "hi"}}, {"events": None},
        {"monitor": {"id": 0}}, {"info": {"kind": "error", "text": "Action node ID not found: 9."}},
    ]  # fmt: skip
    ran = afcmd("watch", "jobs")
    assert ran.out == "jobs_add [5]\nmessage hi\n"
    assert ran.err == "afcmd: the server has forgotten this monitor\n"
    assert server.queued == []


def test_a_deregistered_monitor_gives_no_answer(afcmd, server) -> None:
    server.queued = [None]
    ran = afcmd("monitors", "deregister", "2")
    assert (ran.code, ran.out) == (0, "Done.\n")
