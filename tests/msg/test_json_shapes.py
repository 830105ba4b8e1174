"""JSON of what was not recorded as a node of its own."""

from afanasy_py.msg.records.address import Address, NetIF
from afanasy_py.msg.records.general import JobProgress
from afanasy_py.msg.records.hostres import CustomRes, HostRes
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor_events import BlockChange, MonitorEvents, TasksProgress
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MsgType


def test_addresses() -> None:
    assert Address.from_ip("127.0.0.1", 5).to_json() == {"family": 4, "ip": "127.0.0.1", "port": 5}
    assert Address.from_ip("::ffff:10.1.2.3").ip == "10.1.2.3"
    assert Address.from_ip("fe80::fc:ff:fe00:1%eth0").ip == "fe80:0000:0000:0000:00fc:00ff:fe00:0001"
    assert Address.from_ip("nowhere") == Address()
    assert Address().ip == ""
    interface = NetIF(name="eth0", mac=bytes.fromhex("00155d010203"))
    assert interface.to_json() == {"name": "eth0", "mac": "00:15:5d:01:02:03"}


def test_an_unknown_address_is_not_shown() -> None:
    assert "address" not in Render().to_json()


def test_events_of_a_monitor() -> None:
    progress = TaskProgress(st=2)
    events = MonitorEvents(
        events={"users_change": [2], "jobs_add": [1, 5]},
        tasks_progress=[TasksProgress(job_id=5, blocks=[0], tasks=[3], progress=[progress])],
        block_ids=[
            BlockChange(job_id=5, block_num=0, mode=MsgType.TBlocksProgress),
            BlockChange(job_id=5, block_num=1, mode=MsgType.TBlocks),
        ],
        tasks_listens=[McTask(kind=5, text="heard")],
        message="hello",
    )
    shown = events.to_json()
    assert list(shown) == [
        "jobs_add", "users_change", "tasks_progress", "block_ids", "tasks_listens", "message",
    ]  # fmt: skip
    assert shown["jobs_add"] == [1, 5]
    assert shown["tasks_progress"] == [
        {"job_id": 5, "blocks": [0], "tasks": [3], "progress": [{"state": " RUN", "st": 2}]}
    ]
    assert shown["block_ids"] == {"job_id": [5, 5], "block_num": [0, 1], "mode": ["progress", "full"]}
    assert shown["tasks_listens"][0]["type"] == "TListen"
    assert shown["tasks_listens"][0]["data"] == "heard"
    assert MonitorEvents().to_json() == {}


def test_files_of_a_task() -> None:
    files = TaskUp(job_id=6, block_num=0, task_num=1, files=[("/store/a.jpg", b"x")])
    assert files.to_json("files") == {
        "job_id": 6, "block_id": 0, "task_id": 1, "files": [{"name": "/store/a.jpg"}],
    }  # fmt: skip


def test_progress_of_a_job() -> None:
    progress = JobProgress(job_id=3, blocks=[[TaskProgress()], []])
    assert progress.to_json() == {"id": 3, "progress": [[{"state": "", "st": 0}], []]}


def test_a_running_task_is_shown_short_in_a_render() -> None:
    task = TaskExec(name="t", command_block="secret", parser="p")
    shown = Render(tasks=[task], tasks_percents=[-1]).to_json()
    assert next(iter(shown)) == "tasks_percents"
    assert "command_block" not in shown["tasks"][0]
    assert list(task.to_json("full"))[-6:] == [
        "command_task", "frame_start", "frame_finish", "frames_inc", "frames_num", "parser",
    ]  # fmt: skip


def test_custom_resources() -> None:
    custom = CustomRes(value=1, valuemax=2, graph_clr=[1, 2, 3], label="meter")
    assert HostRes(custom=[custom]).to_json()["custom"] == [
        {
            "value": 1, "value_max": 2, "width": 0, "height": 0, "label_size": 0, "label": "meter",
            "tooltip": "", "graph_clr": [1, 2, 3], "label_clr": [0, 0, 0], "back_clr": [0, 0, 0],
        }
    ]  # fmt: skip


def test_tickets_show_their_limit_only_if_they_have_one() -> None:
    pool = Pool(name="/", tickets_pool={"A": [5, 1, 1, -1], "B": [5, 1, 1, 2]})
    assert pool.to_json()["tickets_pool"] == {"A": [5, 1, 1], "B": [5, 1, 1, 2]}


def test_an_unknown_kind_of_task_is_none() -> None:
    assert McTask(kind=77).to_json()["type"] == McTask().to_json()["type"] == "TNULL"
