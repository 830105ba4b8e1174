"""The records of the journal: what changed, as bytes. Each sets a state, so doing one twice does no harm.

A record is its type, its size and its body; a frame of the journal (`store.frames`) holds many. This module
knows how they look and nothing of what they change: `store.image` applies them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from afanasy_py.errors import StoreError

(
    TASK,
    NODE,
    TASKS,
    REMOVED,
    OUTPUT,
    FILE,
    SERIAL,
    COMMANDS,
    LOG,
    ERRORS,
    ARRAYS,
    CREATED,
    STATE,
    COMMAND,
    COMMANDS_GONE,
) = range(1, 16)

#: Kinds of nodes; their numbers are part of the format.
KINDS = ("jobs", "renders", "users", "branches", "pools")
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}

HEAD = struct.Struct("<BI")
#: Type, size; job, block, task, state, starts, errors, time of start, time of end, size of the host's name.
TASK_RECORD = struct.Struct("<BIIIIIiiqqH")
TASK_FIXED = TASK_RECORD.size - HEAD.size
_TASK = struct.Struct("<IIIIiiqqH")
#: Type, size; id, state, time of start, time of end, place in the user's list; then times for each block.
STATE_RECORD = struct.Struct("<BIIqqqi")
STATE_FIXED = STATE_RECORD.size - HEAD.size
_STATE = struct.Struct("<Iqqqi")
BLOCK_TIMES = struct.Struct("<qq")
_NODE = struct.Struct("<BIqHHII")
_BLOCK = struct.Struct("<II")
_KEY = struct.Struct("<BIq")
_PLACE = struct.Struct("<II")
_OUTPUT = struct.Struct("<IIII")
_FILE = struct.Struct("<IIIH")
_NUMBER = struct.Struct("<q")
#: Block, number.
_COMMAND = struct.Struct("<Iq")
#: Block, first number, last number.
_COMMANDS_GONE = struct.Struct("<Iqq")
_LOG = struct.Struct("<BI")
#: Job, block, number of tasks, number of those for which figures are kept (all or none), size of the hosts.
_ARRAYS = struct.Struct("<IIIII")


class Task(NamedTuple):
    """State and figures of a task."""

    job_id: int
    block_num: int
    task_num: int
    st: int
    starts: int
    errors: int
    time_start: int
    time_done: int
    host: bytes
    resources: bytes


class State(NamedTuple):
    """What changes all the time of a job."""

    job_id: int
    st: int
    time_started: int
    time_done: int
    user_list_order: int
    #: [(time of start, time of end)] for each block.
    blocks: list[tuple[int, int]]


class Node(NamedTuple):
    """A node whole."""

    kind: str
    id: int
    #: Of a job; else 0.
    serial: int
    #: Its folder, relative to the root of the store.
    folder: str
    #: [(number of tasks, state of a task that was never touched)] of a job.
    blocks: list[tuple[int, int]]
    #: The text of `data.json`.
    document: bytes
    #: JSON of what the layout of the original does not hold; may be empty.
    extras: bytes


class Tasks(NamedTuple):
    """The list of tasks of an explicit block: the text of `block<N>_tasks.json`."""

    job_id: int
    block_num: int
    document: bytes


class Removed(NamedTuple):
    """A node is gone."""

    kind: str
    id: int
    serial: int
    folder: str


class Output(NamedTuple):
    """The output of one start of a task."""

    job_id: int
    block_num: int
    task_num: int
    start: int
    data: bytes


class File(NamedTuple):
    """A file that a render sent for a task."""

    job_id: int
    block_num: int
    task_num: int
    name: str
    data: bytes


class Serial(NamedTuple):
    """The last serial given to a job."""

    value: int


class Created(NamedTuple):
    """When the store was made, Unix seconds."""

    value: int


class Commands(NamedTuple):
    """JSON of all waiting commands of the system job, as they were once written; now each has a record."""

    document: bytes


class Command(NamedTuple):
    """JSON of a waiting command of the system job."""

    block_num: int
    number: int
    document: bytes


class CommandsGone(NamedTuple):
    """Commands from number `first` to `last` wait no longer."""

    block_num: int
    first: int
    last: int


class Log(NamedTuple):
    """JSON of lines of a node's log, to be added to those before: [[time, subject, type, object, text]]."""

    kind: str
    id: int
    document: bytes


#: Key of a record `Errors` that makes all records before it void.
ALL_BEFORE = "*"


class Errors(NamedTuple):
    """JSON of hosts with errors: {"": those of the block, "<task>": those of a task}; empty ones are gone."""

    job_id: int
    block_num: int
    document: bytes


class Arrays(NamedTuple):
    """All tasks of a block: packed arrays, as `store.image` keeps them."""

    job_id: int
    block_num: int
    num: int
    kept: int
    #: JSON: [names of hosts, {task: resources}]
    texts: bytes
    packed: bytes


Record = (
    Task
    | Node
    | Tasks
    | Removed
    | Output
    | File
    | Serial
    | Commands
    | Command
    | CommandsGone
    | Log
    | Errors
    | Arrays
    | Created
    | State
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _record(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return HEAD.pack(kind, len(body)) + body


# -- encoding


def encode_node(node: Node) -> bytes:
    """Return the record of a node."""
    folder = _bytes(node.folder)
    sizes = (len(folder), len(node.blocks), len(node.document), len(node.extras))
    return _record(
        NODE,
        _NODE.pack(KIND_NUMBERS[node.kind], node.id, node.serial, *sizes),
        folder,
        *(_BLOCK.pack(num, st) for num, st in node.blocks),
        node.document,
        node.extras,
    )


def encode_tasks(job_id: int, block_num: int, document: bytes) -> bytes:
    """Return the record of the list of tasks of a block."""
    return _record(TASKS, _PLACE.pack(job_id, block_num), document)


def encode_removed(kind: str, node_id: int, serial: int, folder: str) -> bytes:
    """Return the record of a node that is gone."""
    return _record(REMOVED, _KEY.pack(KIND_NUMBERS[kind], node_id, serial), _bytes(folder))


def encode_output(job_id: int, block_num: int, task_num: int, start: int, data: bytes) -> bytes:
    """Return the record of the output of a start."""
    return _record(OUTPUT, _OUTPUT.pack(job_id, block_num, task_num, start), data)


def encode_file(job_id: int, block_num: int, task_num: int, name: str, data: bytes) -> bytes:
    """Return the record of a file of a task."""
    raw = _bytes(name)
    return _record(FILE, _FILE.pack(job_id, block_num, task_num, len(raw)), raw, data)


def encode_serial(value: int) -> bytes:
    """Return the record of the last serial."""
    return _record(SERIAL, _NUMBER.pack(value))


def encode_created(value: int) -> bytes:
    """Return the record of the time when the store was made."""
    return _record(CREATED, _NUMBER.pack(value))


def encode_command(block_num: int, number: int, document: bytes) -> bytes:
    """Return the record of a waiting command of the system job."""
    return _record(COMMAND, _COMMAND.pack(block_num, number), document)


def encode_commands_gone(block_num: int, first: int, last: int) -> bytes:
    """Return the record of commands that wait no longer."""
    return _record(COMMANDS_GONE, _COMMANDS_GONE.pack(block_num, first, last))


def encode_log(kind: str, node_id: int, document: bytes) -> bytes:
    """Return the record of new lines of a log."""
    return _record(LOG, _LOG.pack(KIND_NUMBERS[kind], node_id), document)


def encode_errors(job_id: int, block_num: int, document: bytes) -> bytes:
    """Return the record of hosts with errors."""
    return _record(ERRORS, _PLACE.pack(job_id, block_num), document)


def encode_arrays(arrays: Arrays) -> bytes:
    """Return the record of all tasks of a block."""
    numbers = (arrays.job_id, arrays.block_num, arrays.num, arrays.kept, len(arrays.texts))
    return _record(ARRAYS, _ARRAYS.pack(*numbers), arrays.texts, arrays.packed)


def encode_task(task: Task) -> bytes:
    """Return the record of a task; `store.capture` makes most of them itself, faster."""
    size = TASK_FIXED + len(task.host) + len(task.resources)
    return TASK_RECORD.pack(TASK, size, *task[:8], len(task.host)) + task.host + task.resources


def encode_state(state: State) -> bytes:
    """Return the record of the state of a job."""
    size = STATE_FIXED + BLOCK_TIMES.size * len(state.blocks)
    times = b"".join(BLOCK_TIMES.pack(*pair) for pair in state.blocks)
    return STATE_RECORD.pack(STATE, size, *state[:5]) + times


# -- decoding


def _decode_task(body: bytes) -> Task:
    values = _TASK.unpack_from(body)
    end = _TASK.size + values[8]
    return Task._make((*values[:8], body[_TASK.size : end], body[end:]))


def _decode_state(body: bytes) -> State:
    return State._make((*_STATE.unpack_from(body), list(BLOCK_TIMES.iter_unpack(body[_STATE.size :]))))


def _decode_node(body: bytes) -> Node:
    kind, node_id, serial, folder_size, blocks_num, document_size, extras_size = _NODE.unpack_from(body)
    at = _NODE.size
    folder = body[at : at + folder_size]
    at += folder_size
    end = at + blocks_num * _BLOCK.size
    blocks = list(_BLOCK.iter_unpack(body[at:end]))
    document = body[end : end + document_size]
    extras = body[end + document_size : end + document_size + extras_size]
    return Node(KINDS[kind], node_id, serial, _text(folder), blocks, document, extras)


def _decode_removed(body: bytes) -> Removed:
    kind, node_id, serial = _KEY.unpack_from(body)
    return Removed(KINDS[kind], node_id, serial, _text(body[_KEY.size :]))


def _decode_file(body: bytes) -> File:
    job_id, block_num, task_num, size = _FILE.unpack_from(body)
    end = _FILE.size + size
    return File(job_id, block_num, task_num, _text(body[_FILE.size : end]), body[end:])


def _decode_log(body: bytes) -> Log:
    kind, node_id = _LOG.unpack_from(body)
    return Log(KINDS[kind], node_id, body[_LOG.size :])


def _decode_arrays(body: bytes) -> Arrays:
    job_id, block_num, num, kept, size = _ARRAYS.unpack_from(body)
    end = _ARRAYS.size + size
    return Arrays(job_id, block_num, num, kept, body[_ARRAYS.size : end], body[end:])


_DECODERS: dict[int, Callable[[bytes], Record]] = {
    TASK: _decode_task,
    NODE: _decode_node,
    TASKS: lambda body: Tasks._make((*_PLACE.unpack_from(body), body[_PLACE.size :])),
    REMOVED: _decode_removed,
    OUTPUT: lambda body: Output._make((*_OUTPUT.unpack_from(body), body[_OUTPUT.size :])),
    FILE: _decode_file,
    SERIAL: lambda body: Serial(*_NUMBER.unpack(body)),
    COMMANDS: Commands,
    COMMAND: lambda body: Command._make((*_COMMAND.unpack_from(body), body[_COMMAND.size :])),
    COMMANDS_GONE: lambda body: CommandsGone(*_COMMANDS_GONE.unpack(body)),
    LOG: _decode_log,
    ERRORS: lambda body: Errors._make((*_PLACE.unpack_from(body), body[_PLACE.size :])),
    ARRAYS: _decode_arrays,
    CREATED: lambda body: Created(*_NUMBER.unpack(body)),
    STATE: _decode_state,
}


def decode_all(payload: bytes) -> Iterator[tuple[int, Record]]:
    """Yield the offset and the value of each record of a frame.

    Raises:
        StoreError: It is no row of records. Frames carry a checksum, so this is a bug or a newer format.
    """
    at, size = 0, len(payload)
    try:
        while at < size:
            kind, length = HEAD.unpack_from(payload, at)
            begin = at + HEAD.size
            if begin + length > size:
                raise StoreError(f"a record of {length} bytes at {begin} of {size}")
            yield at, _DECODERS[kind](payload[begin : begin + length])
            at = begin + length
    except (struct.error, KeyError, IndexError) as error:
        raise StoreError(f"no record of this version at {at} of {size}: {error!r}") from None
