"""Progress of all tasks of a job. Source: json-api 4.4; wire-protocol 4.16."""

from __future__ import annotations

import struct
from collections.abc import Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from afanasy_py.core.requests import SlowAnswer
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.types import MsgType

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.job import Job

_I32 = struct.Struct(">i")

#: Tasks that one step encodes, some milliseconds of work; the progress of so many is kept with the job.
STEP = 2000

#: (block, first task, behind the last one)
_Span = tuple["Block", int, int]


def job_progress(job: Job, *, binary: bool) -> Answer | SlowAnswer:
    """Return the progress of all tasks of a job as an answer."""
    key: Any = MsgType.TJobProgress if binary else "progress"
    data = job.encoded.get(key)
    if data is not None:
        return _answer(data, binary=binary)
    if sum(block.tasks.num for block in job.blocks) > STEP:
        return SlowAnswer(_in_steps(job, binary=binary))
    parts = [[_encode((block, 0, block.tasks.num), binary=binary)] for block in job.blocks]
    data = job.encoded[key] = _joined(job, parts, binary=binary)
    return _answer(data, binary=binary)


def _answer(data: bytes, *, binary: bool) -> Answer:
    return BinaryAnswer(MsgType.TJobProgress, data) if binary else JsonAnswer(data)


def _in_steps(job: Job, *, binary: bool) -> Generator[None, None, Answer]:
    parts: list[list[bytes]] = []
    # Blocks and tasks may be added between two steps: what is there at the first counts.
    counts = [block.tasks.num for block in job.blocks]
    blocks = list(job.blocks)
    for block, count in zip(blocks, counts, strict=True):
        mine: list[bytes] = []
        for first in range(0, count, STEP):
            mine.append(_encode((block, first, min(first + STEP, count)), binary=binary))
            yield
        parts.append(mine)
    return _answer(_joined(job, parts, binary=binary, counts=counts), binary=binary)


def _encode(span: _Span, *, binary: bool) -> bytes:
    """Return the encoded progress of some tasks of a block."""
    block, first, end = span
    tasks = block.tasks
    st, starts = tasks.st, tasks.starts
    one = _binary_of if binary else _json_of
    parts = []
    for number in range(first, end):
        if starts and starts[number]:
            progress = tasks.progress(number)
            parts.append(progress.encode() if binary else dump_json(progress.to_json()))
        else:
            parts.append(one(st[number]))
    return (b"" if binary else b",").join(parts)


@lru_cache(maxsize=1024)
def _json_of(st: int) -> bytes:
    return dump_json(TaskProgress(st=st).to_json())


@lru_cache(maxsize=1024)
def _binary_of(st: int) -> bytes:
    return TaskProgress(st=st).encode()


def _joined(job: Job, parts: list[list[bytes]], *, binary: bool, counts: list[int] | None = None) -> bytes:
    if binary:
        sizes = counts if counts is not None else [block.tasks.num for block in job.blocks]
        blocks = [_I32.pack(size) + b"".join(mine) for size, mine in zip(sizes, parts, strict=True)]
        return _I32.pack(job.id) + _I32.pack(len(blocks)) + b"".join(blocks)
    lists = [b"[" + b",".join(mine) + b"]" for mine in parts]
    return b'{"job_progress":{"id":%d,"progress":[' % job.id + b",\n".join(lists) + b"]}}"
