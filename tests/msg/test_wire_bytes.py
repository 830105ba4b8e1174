"""Messages written by hand from the specification, both ways."""

import pytest

from afanasy_py.errors import ProtocolError
from afanasy_py.msg import codecs
from afanasy_py.msg.record import Record, encode_list, join_encoded
from afanasy_py.msg.records.address import Address, NetIF
from afanasy_py.msg.records.block import Block, TaskData
from afanasy_py.msg.records.branch import Branch
from afanasy_py.msg.records.general import General
from afanasy_py.msg.records.job import Job
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.registry import decode_message, encode_message
from afanasy_py.msg.types import MAX_RENDER_TASKS, MsgType

EMPTY = b"\0\0\0\1\0"
ZERO = b"\0\0\0\0"


def text(value: bytes) -> bytes:
    return len(value + b"\0").to_bytes(4, "big") + value + b"\0"


TASK_UP_HEAD = (
    b"\0\0\0\5"  # client_id
    b"\0\0\0\2\0\0\0\1\0\0\0\3\0\0\0\0"  # job_id block_num task_num number
    b"\5\x64"  # status percent
    b"\xff\xff\xff\xff\xff"  # frame percent_frame
    b"y"  # progress_changed
)

CASES: dict[str, tuple[Record, object, bytes]] = {
    "an idle update is 13 bytes": (
        RenderUpdate(id=7),
        MsgType.TRenderUpdate,
        b"\0\0\0\7" + ZERO + ZERO + b"n",
    ),
    "progress of a task": (
        TaskProgress(st=2, per=-1, frm=258, pfr=50, starts_count=1, time_start=3, hostname="r"),
        None,
        b"\0\0\0\0\0\0\0\2"  # state
        b"\xff"  # percent
        b"\0\0\0\0\0\0\1\2"  # frame
        b"\x32"  # percentframe
        b"\0\0\0\1\0\0\0\0"  # starts_count errors_count
        b"\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0"  # time_start time_done
        + text(b"r") + EMPTY + EMPTY,
    ),
    "an update with output and two files": (
        TaskUp(
            client_id=5, job_id=2, block_num=1, task_num=3, number=0, status=5, percent=100,
            progress_changed=True, log="\u00e9", data=b"out", files=[("a", b"12"), ("b", b"")],
        ),
        None,
        TASK_UP_HEAD + EMPTY * 3 + text(b"\xc3\xa9") + EMPTY + ZERO
        + b"\0\0\0\3\0\0\0\2"  # data_len files_num
        + b"out"
        + b"\0\0\0\2"  # bytes of all files
        + b"\0\0\0\2\0\0\0\2\0\0\0\0"  # sizes
        + b"\0\0\0\2" + text(b"a") + text(b"b")
        + b"12",
    ),
    "an update without output": (
        TaskUp(
            client_id=5, job_id=2, block_num=1, task_num=3, number=0, status=5, percent=100,
            progress_changed=True,
        ),
        None,
        TASK_UP_HEAD + EMPTY * 5 + ZERO + ZERO + ZERO,
    ),
    "a render is sent to register again": (
        RenderEvents(id=-1, log="No such render."),
        MsgType.TRenderEvents,
        b"\xff\xff\xff\xff" + ZERO * 4 + ZERO * 6 + EMPTY + EMPTY + text(b"No such render."),
    ),
    "a task to close": (
        RenderEvents(id=1, closes=[TaskPos(job_id=1, block_num=2, task_num=3, number=0)]),
        MsgType.TRenderEvents,
        b"\0\0\0\1" + ZERO * 4 + ZERO
        + b"\0\0\0\1" + b"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\0"
        + ZERO * 4 + EMPTY * 3,
    ),
    "a running task in a list of renders": (
        TaskExec(service="s", name="n", capacity=1000, time_start=9, job_id=1, task_num=2, tickets={"t": 1}),
        "list",
        text(b"s") + text(b"n") + EMPTY * 3
        + b"\0\0\0\0\0\0\3\xe8\0\0\0\0"  # number capacity capacity_coeff
        + b"\0\0\0\0\0\0\0\x09"  # time_start
        + b"\0\0\0\1\0\0\0\0\0\0\0\2"  # job_id block_num task_num
        + b"\0\0\0\1" + text(b"t") + b"\0\0\0\1",
    ),
    "an interface": (
        NetIF(name="eth0", mac=b"\2\0\0\0\0\1", addresses=[Address.from_ip("192.0.2.2")]),
        None,
        text(b"eth0") + b"\2\0\0\0\0\1" + b"\1" + b"\0" + b"\0\0" + b"\xc0\0\2\2" + bytes(12),
    ),
    "numbers and texts of a general message": (
        General(user_name="u", name="mask", id=-1, list=[1, -2]),
        MsgType.TRendersResourcesRequestIds,
        text(b"u") + EMPTY + text(b"mask") + EMPTY + ZERO + b"\xff\xff\xff\xff"
        + b"\0\0\0\2\0\0\0\1\xff\xff\xff\xfe",
    ),
    "a task of an explicit block": (
        TaskData(name="t", command="c", files=["f"]),
        None,
        text(b"t") + text(b"c") + EMPTY + EMPTY + b"\0\0\0\1" + text(b"f"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("record", "layout", "data"), CASES.values(), ids=CASES)
def test_bytes_of_a_record(record: Record, layout: object, data: bytes) -> None:
    assert record.encode(layout) == data
    assert type(record).decode(layout, data) == record


@pytest.mark.parametrize(("record", "layout", "data"), CASES.values(), ids=CASES)
def test_a_record_that_is_cut_or_too_long_is_refused(record: Record, layout: object, data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            type(record).decode(layout, data[:size])
    with pytest.raises(ProtocolError):
        type(record).decode(layout, data + b"\0")
    with pytest.raises(ProtocolError):
        type(record).read(data[:-1], 0, layout)


@pytest.mark.parametrize(("record", "layout", "data"), CASES.values(), ids=CASES)
def test_a_record_is_read_from_the_middle_and_written_to_the_end(
    record: Record, layout: object, data: bytes
) -> None:
    buffer = bytearray(b"before")
    record.write(buffer, layout)
    assert buffer == b"before" + data
    assert type(record).read(b"before" + data + b"after", 6, layout) == (record, 6 + len(data))


def test_flags_of_a_block_travel_twice_where_it_is_whole() -> None:
    flags = b"\0\0\0\0\0\0\0\x21"
    numeric = Block(flags=0x21)
    assert numeric.encode(MsgType.TBlocks).startswith(flags + b"\0\0\0\1")  # then parser_coeff
    assert numeric.encode(MsgType.TBlocks).count(flags) == 2
    assert numeric.encode(MsgType.TBlocksProperties).count(flags) == 1
    assert numeric.encode(MsgType.TJobsList).startswith(flags)
    assert numeric.encode(MsgType.TBlocksProgress).count(flags) == 0


def test_only_an_explicit_block_has_tasks() -> None:
    tasks = [TaskData(name="t")]
    explicit, numeric = Block(tasks_data=tasks), Block(flags=1, tasks_data=tasks)
    assert Block.decode(MsgType.TBlocks, explicit.encode(MsgType.TBlocks)).tasks_data == tasks
    assert Block.decode(MsgType.TBlocks, numeric.encode(MsgType.TBlocks)).tasks_data == []


def test_progress_of_a_block_ends_with_its_bar() -> None:
    data = Block(p_progressbar="R" * 128).encode(MsgType.TBlocksProgress)
    assert data.endswith(EMPTY + b"R" * 128)
    counters = 4 + 8 + 1 + 12 * 4 + 8  # of running tasks, percentage, hosts and tasks, run times
    assert len(data) == counters + 8 + 4 + 4 + 8 + 8 + len(EMPTY) + 128


def test_the_root_pool_has_no_pattern() -> None:
    root, other = Pool(name="/", pattern="x"), Pool(name="/a", pattern="x")
    assert len(other.encode()) - len(root.encode()) == len("a" + "x") + 5
    assert Pool.decode(None, root.encode()).pattern == ""
    assert Pool.decode(None, other.encode()).pattern == "x"


def test_a_task_message_has_what_it_executes_only_for_that_kind() -> None:
    info, log = McTask(kind=1), McTask(kind=3)
    assert info.encode() == b"\0\0\0\1" + log.encode()[4:] + TaskExec().encode("full")


def test_a_job_counts_its_blocks() -> None:
    job = Job(blocks=[Block(name="a"), Block(name="b")])
    decoded = Job.decode(MsgType.TJobsList, job.encode(MsgType.TJobsList))
    assert decoded.blocks_num == 2
    assert [block.name for block in decoded.blocks] == ["a", "b"]


def test_resources_of_a_render_end_with_its_id() -> None:
    render = Render(id=0x01020304, tasks_percents=[-1])
    data = render.encode(MsgType.TRendersResources)
    assert data.startswith(b"\0\0\0\1\xff\xff\xff\xff")
    assert data.endswith(b"\1\2\3\4")
    resources = 3 * 4 + 3 + 7 + 10 * 4 + 1 + 2 * 4 + 2 + 2 * 4 + len(EMPTY) + 4 + len(EMPTY) + 1
    assert len(data) == 8 + 8 + 8 + resources + 4


def test_maps_go_out_in_the_order_of_their_keys() -> None:
    task = TaskExec(environment={"b": "2", "a": "1"})
    assert b"\0\0\0\2" + text(b"a") + text(b"1") + text(b"b") + text(b"2") in task.encode("full")


def test_a_text_of_size_zero_is_refused() -> None:
    with pytest.raises(ProtocolError, match="size 0"):
        TaskData.decode(None, ZERO + EMPTY * 3 + ZERO)


@pytest.mark.parametrize("count", [b"\xff\xff\xff\xff", b"\0\0\0\2", b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
def test_a_count_without_its_values_is_refused(count: bytes) -> None:
    with pytest.raises(ProtocolError):
        RenderUpdate.decode(None, b"\0\0\0\1" + count + ZERO + b"n")
    with pytest.raises(ProtocolError):
        Branch.decode_list(None, count + Branch(name="/").encode())


def test_bytes_that_are_no_text_pass_unharmed() -> None:
    data = text(b"\xff\xfe\xed\xa0\x80ok") + EMPTY * 3 + ZERO
    task = TaskData.decode(None, data)
    assert task.name.endswith("ok")
    assert task.encode() == data


def test_a_lone_surrogate_of_json_goes_out_as_bytes() -> None:
    data = TaskData(name="\ud800x").encode()
    assert data.startswith(b"\0\0\0\5\xed\xa0\x80x\0")
    assert TaskData.decode(None, data).encode() == data


def test_a_number_that_is_too_big_is_cut_to_its_column() -> None:
    """COMPAT(wrapped-numbers)"""
    pos = TaskPos(job_id=2**32 + 5, block_num=2**31, task_num=-1, number=0)
    assert TaskPos.decode(None, pos.encode()) == TaskPos(job_id=5, block_num=-(2**31), task_num=-1)


def test_a_value_that_is_no_number_is_a_bug_and_not_cut() -> None:
    with pytest.raises(TypeError):
        TaskPos(job_id="1").encode()


def test_a_record_does_not_travel_in_a_layout_that_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="Block does not travel in layout"):
        Block().encode(MsgType.TUsersList)


def test_node_lists() -> None:
    nodes = [Branch(name="/"), Branch(name="/a")]
    data = encode_list(MsgType.TBranchesList, nodes)
    assert data == b"\0\0\0\2" + nodes[0].encode() + nodes[1].encode()
    assert data == join_encoded(node.encode() for node in nodes)
    assert Branch.decode_list(MsgType.TBranchesList, data) == nodes
    assert encode_list(MsgType.TBranchesList, []) == ZERO
    for wrong in (b"", b"\0\0", data + b"\0", data[:-1]):
        with pytest.raises(ProtocolError):
            Branch.decode_list(MsgType.TBranchesList, wrong)


def test_a_running_task_is_encoded_for_lists_alone() -> None:
    task = TaskExec(name="t", command_block="c")
    assert task.encode_part_b() == task.encode(MsgType.TRendersList)


def test_a_list_of_numbers_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    data = General(list=[1, 2, 3]).encode()
    monkeypatch.setattr(codecs, "MAX_INTS", 3)
    assert General.decode(None, data).list == [1, 2, 3]
    monkeypatch.setattr(codecs, "MAX_INTS", 2)
    with pytest.raises(ProtocolError):
        General.decode(None, data)
    monkeypatch.setattr(codecs, "MAX_ITEMS", 2)
    with pytest.raises(ProtocolError):
        TaskData.decode(None, TaskData(files=["a", "b", "c"]).encode())


def test_an_update_of_too_many_tasks_is_refused() -> None:
    update = TaskUp().encode()
    count = MAX_RENDER_TASKS + 1
    data = b"\0\0\0\1" + count.to_bytes(4, "big") + update * count + ZERO + b"n"
    with pytest.raises(ProtocolError, match=str(count)):
        RenderUpdate.decode(None, data)


def test_messages_without_a_record() -> None:
    info = ("error", "text")
    assert encode_message(MsgType.TInfo, info) == text(b"error") + text(b"text")
    assert decode_message(MsgType.TInfo, text(b"error") + text(b"text")) == info
    assert decode_message(MsgType.TRenderId, b"") is None
    assert encode_message(MsgType.TRenderId, None) == b""
    assert encode_message(MsgType.TJSON, bytearray(b"{}")) == b"{}"
    for msg_type in (MsgType.TLAST, 64, -1):
        with pytest.raises(ValueError, match="no message of type"):
            encode_message(msg_type, None)
        with pytest.raises(ProtocolError):
            decode_message(msg_type, b"")
