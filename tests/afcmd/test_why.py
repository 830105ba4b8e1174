from afanasy_py.afcmd.why import text


def test_each_reason_is_a_line() -> None:
    answer = {
        "job_id": 5,
        "name": "shot",
        "reasons": [{"reason": "paused", "node": "job shot"}],
        "blocks": [
            {
                "block_num": 0,
                "name": "sim",
                "reasons": [{"reason": "waits_blocks", "node": "block sim", "blocks": ["a", "b"]}],
                "tasks": [
                    {"task_num": 3, "name": "f4", "reasons": [{"reason": "after_task", "task_num": 0}]},
                    {"task_num": 4, "name": "f5", "reasons": []},
                ],
                "renders": {"total": 9, "could_start": 2, "reasons": {"offline": 3, "need_memory": 4}},
            },
            {
                "block_num": 1,
                "name": "out",
                "reasons": [],
                "host": {"name": "r1", "reasons": [], "can_start": True},
            },
        ],
    }
    assert text(answer).splitlines() == [
        "job 5 shot:",
        "  paused (job shot)",
        "  block 0 sim:",
        "    waits blocks (block sim): blocks: a, b",
        "    task 3 f4:",
        "      after task: task_num: 0",
        "    task 4 f5:",
        "      nothing of its own",
        "    2 of 9 hosts could start a task",
        "      4 refused: need memory",
        "      3 refused: offline",
        "  block 1 out:",
        "    host r1:",
        "      could start a task now",
    ]


def test_a_host_that_lacks_something() -> None:
    host = {"name": "r1", "reasons": [{"reason": "need_memory", "demand": 5}], "can_start": False}
    assert text({"blocks": [{"host": host}]}).splitlines()[-1] == "      need memory: demand: 5"


def test_an_empty_answer_is_no_failure() -> None:
    assert text({}) == "job  :\n"
