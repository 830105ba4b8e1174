"""Frames and records: whole or not there, and the same bytes both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afanasy_py.errors import StoreError
from afanasy_py.store import records
from afanasy_py.store.frames import HEAD_SIZE, encode_frame, frame_size, read_frames
from afanasy_py.store.image import Image
from afanasy_py.store.records import ALL_BEFORE, Node, Output, Record, Removed, State, Task, decode_all

PAYLOADS = [b"one", b"", b"three" * 100]
FILE = b"".join(encode_frame(5 + n, payload) for n, payload in enumerate(PAYLOADS))


def test_a_frame_looks_like_this() -> None:
    data = (
        b"AFJ1"
        b"\x07\0\0\0\0\0\0\0"  # number
        b"\x02\0\0\0"  # size
        b"\x5f\x4a\xf4\x60"  # CRC-32 of number, size and payload
        b"hi"
    )
    assert encode_frame(7, b"hi") == data
    assert read_frames(b"AFJ1" + bytes(100)).frames == []
    assert frame_size(data[:HEAD_SIZE]) == 2
    assert frame_size(b"AFJ2" + data[4:HEAD_SIZE]) == frame_size(b"AF") == 0


def test_all_frames_of_a_file_are_read() -> None:
    reading = read_frames(FILE)
    assert [frame.payload for frame in reading.frames] == PAYLOADS
    assert [frame.number for frame in reading.frames] == [5, 6, 7]
    assert (reading.end, reading.damage) == (len(FILE), "")


def test_a_file_that_breaks_off_lacks_its_last_frame_and_is_not_damaged() -> None:
    for cut in range(len(FILE)):
        for rest in (b"", bytes(100)):  # the room behind the last frame is zeros
            reading = read_frames(FILE[:cut] + rest)
            assert reading.damage == ""
            assert len(reading.frames) == sum(cut >= end for end in (23, 43, len(FILE)))
            assert reading.end == ([0] + [frame.end for frame in reading.frames])[-1]


@pytest.mark.parametrize("at", [0, 3, 4, 12, 16, 21, 30])
def test_a_changed_byte_before_the_last_frame_is_damage_and_later_frames_are_read(at: int) -> None:
    data = bytearray(FILE)
    data[at] ^= 0x40
    reading = read_frames(bytes(data))
    assert reading.damage
    assert reading.frames[-1].payload == PAYLOADS[2]
    assert len(reading.frames) == 2


def test_a_missing_frame_is_damage() -> None:
    assert read_frames(encode_frame(1, b"a") + encode_frame(3, b"b")).damage == "frame 3 at 21 follows 1"


@given(st.binary(max_size=200))
def test_garbage_is_read_as_nothing_or_frames(data: bytes) -> None:
    reading = read_frames(data)
    assert reading.end <= len(data)


TEXT = st.text(max_size=20)
NUMBER = st.integers(0, 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
KIND = st.sampled_from(records.KINDS)
BLOCKS = st.lists(st.tuples(NUMBER, NUMBER), max_size=3)


def _encode(record: Record) -> bytes:
    match record:
        case Task():
            return records.encode_task(record)
        case State():
            return records.encode_state(record)
        case Node():
            return records.encode_node(record)
        case records.Arrays():
            return records.encode_arrays(record)
        case records.CommandsGone():
            return records.encode_commands_gone(*record)
    name = type(record).__name__.lower()
    found: bytes = getattr(records, f"encode_{name}")(*record)
    return found


RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        Task, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, LONG, LONG, st.binary(max_size=20), st.binary()
    ),
    st.builds(State, NUMBER, LONG, LONG, LONG, NUMBER, st.lists(st.tuples(LONG, LONG), max_size=3)),
    st.builds(Node, KIND, NUMBER, LONG, TEXT, BLOCKS, st.binary(), st.binary()),
    st.builds(records.Tasks, NUMBER, NUMBER, st.binary()),
    st.builds(Removed, KIND, NUMBER, LONG, TEXT),
    st.builds(Output, NUMBER, NUMBER, NUMBER, NUMBER, st.binary()),
    st.builds(records.File, NUMBER, NUMBER, NUMBER, TEXT, st.binary()),
    st.builds(records.Serial, LONG),
    st.builds(records.Created, LONG),
    st.builds(records.Command, NUMBER, LONG, st.binary()),
    st.builds(records.CommandsGone, NUMBER, LONG, LONG),
    st.builds(records.Log, KIND, NUMBER, st.binary()),
    st.builds(records.Errors, NUMBER, NUMBER, st.binary()),
    st.builds(records.Arrays, NUMBER, NUMBER, NUMBER, NUMBER, st.binary(), st.binary()),
)


@given(st.lists(RECORDS, max_size=5))
def test_records_are_read_as_they_were_written(wanted: list[Record]) -> None:
    payload = b"".join(map(_encode, wanted))
    assert [record for _, record in decode_all(payload)] == wanted


@given(st.binary(max_size=100))
def test_garbage_is_refused_or_read(data: bytes) -> None:
    try:
        list(decode_all(data))
    except (StoreError, UnicodeDecodeError):
        pass


def _image() -> Image:
    image = Image()
    for record in (
        records.Serial(7),
        Node("jobs", 2, 5, "jobs/0/2.j", [(3, 1), (2, 1)], b'{"name":"j"}', b""),
        records.Tasks(2, 1, b'{"tasks":[{},{}]}'),
        Task(2, 0, 1, 16, 2, 1, 100, 200, b"host", b'{"cpu":1}'),
        State(2, 16, 90, 0, 4, [(1, 2), (3, 4)]),
        records.Errors(2, 0, b'{"":{"host":[1,5]},"1":{"host":[1,5]}}'),
        records.Log("jobs", 2, b'[[1,"a","jobs","j","made"]]'),
        Node("users", 1, 0, "users/0/1.u", [], b"{}", b""),
    ):
        image.apply(record)
    return image


def _again(image: Image) -> Image:
    made = Image()
    for piece in image.encode():
        for _, record in decode_all(piece):
            made.apply(record)
    return made


def test_an_image_gives_itself_back_as_records() -> None:
    again = _again(_image())
    assert b"".join(again.encode()) == b"".join(_image().encode())
    job = again.nodes["jobs"][2]
    block = job.blocks[0]
    assert list(block.st) == [1, 16, 1]
    assert (block.hosts[block.host[1]], block.resources) == ("host", {1: '{"cpu":1}'})
    assert block.errors_of == {"": {"host": [1, 5]}, "1": {"host": [1, 5]}}
    assert job.state is not None
    assert job.state.user_list_order == 4
    assert job.log == [[1, "a", "jobs", "j", "made"]]
    assert again.jobs_serial == 7


def test_records_of_what_is_not_there_change_nothing() -> None:
    image = _image()
    before = b"".join(image.encode())
    for record in (
        Task(9, 0, 0, 16, 1, 0, 1, 1, b"", b""),
        Task(2, 0, 99, 16, 1, 0, 1, 1, b"", b""),
        Task(2, 7, 0, 16, 1, 0, 1, 1, b"", b""),
        State(9, 1, 1, 1, 1, []),
        Removed("jobs", 2, 4, "jobs/0/2.j"),  # an older job of that id
        Output(2, 0, 0, 1, b"x"),
        records.Errors(2, 1, b'{"*":{}}'),
    ):
        image.apply(record)
    assert b"".join(image.encode()) == before


def test_a_new_job_of_the_same_id_has_nothing_of_the_old_one() -> None:
    image = _image()
    image.apply(Node("jobs", 2, 6, "jobs/0/2.k", [(1, 1)], b"{}", b""))
    job = image.nodes["jobs"][2]
    assert (len(job.blocks), len(job.blocks[0].st), job.log, job.state) == (1, 0, [], None)


def test_appended_tasks_are_as_new_ones_and_errors_can_be_forgotten() -> None:
    image = _image()
    image.apply(Node("jobs", 2, 5, "jobs/0/2.j", [(5, 1 << 20), (2, 1), (1, 1)], b"{}", b""))
    image.apply(records.Errors(2, 0, f'{{"{ALL_BEFORE}":{{}}}}'.encode()))
    job = image.nodes["jobs"][2]
    assert list(job.blocks[0].st) == [1, 16, 1, 1 << 20, 1 << 20]
    assert len(job.blocks) == 3
    assert job.blocks[0].errors_of == {}
