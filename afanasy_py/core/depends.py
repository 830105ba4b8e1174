"""Who waits for whom: tasks for tasks of other blocks, blocks for blocks, jobs for jobs.

Nothing here is stored per pair of tasks: the source tasks of a task are a range that is worked out from
its frames, and so are the tasks that wait for one. Source: spec scheduling 4.2, 4.3, 4.4.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from afanasy_py.core.block import DEPEND_SUB_TASK
from afanasy_py.core.frames import div_trunc
from afanasy_py.core.masks import matches_regex
from afanasy_py.core.task_states import DON, RDY, RUN, WDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from afanasy_py.core.block import Block
    from afanasy_py.core.job import Job


def find_sources(job: Job, block: Block) -> None:
    """Work out which blocks of the job the masks of a block name; names are read now and not again."""
    others = [other for other in job.blocks if other is not block]
    block.source_blocks = [o.block_num for o in others if matches_regex(block.depend_mask, o.name)]
    block.task_sources = [o.block_num for o in others if matches_regex(block.tasks_depend_mask, o.name)]


def _frames_at_source(block: Block, source: Block, number: int) -> tuple[int, int]:
    """Return the first and last frame that a task needs, in the frames of the source (4.4, steps 1, 2)."""
    first, last, _ = block.task_frames(number)
    if block.is_numeric() and not source.is_numeric():
        first -= block.frame_first
        last -= block.frame_first
    elif not block.is_numeric() and source.is_numeric():
        first += source.frame_first
        last += source.frame_first
    if source.frames_per_task < 0:
        last += 1
    return first, last


def _task_of_frame(source: Block, frame: int) -> tuple[int, bool]:
    """Return the task that has a frame, and whether the frame is one of the block's (4.4, step 3)."""
    first, last = (source.frame_first, source.frame_last) if source.is_numeric() else (0, 0)
    per_task = source.frames_per_task
    number = frame - first
    number = div_trunc(number, per_task) if per_task > 0 else number * -per_task
    if source.frames_inc > 1:
        number = div_trunc(number, source.frames_inc)
    top = source.tasks.num - 1
    inside = 0 <= number <= top and first <= frame <= last
    return min(max(number, 0), top), inside


def source_range(block: Block, source: Block, number: int) -> tuple[int, int]:
    """Return the first and last task of `source` that task `number` of `block` waits for."""
    first_frame, last_frame = _frames_at_source(block, source, number)
    first, _ = _task_of_frame(source, first_frame)
    last, inside = _task_of_frame(source, last_frame)
    if inside and source.frames_per_task < 0:
        last -= 1
    return first, last


def waiting_tasks(block: Block, source: Block, number: int) -> range:
    """Return the tasks of `block` that wait for task `number` of `source`.

    Both ends of the source ranges grow with the task number, so the tasks are found by bisection.
    """
    numbers = range(block.tasks.num)
    low = bisect_left(numbers, number, key=lambda n: source_range(block, source, n)[1])
    high = bisect_right(numbers, number, key=lambda n: source_range(block, source, n)[0])
    return range(low, max(low, high))


def has_unmet_source(job: Job, block: Block, number: int) -> bool:
    """Return whether a task waits for a task of another block."""
    for source_num in block.task_sources:
        source = job.blocks[source_num]
        first, last = source_range(block, source, number)
        undone = source.tasks.undone
        position = undone.find(1, first, last + 1)
        while position >= 0:
            if not _is_passed(block, source, number, position):
                return True
            position = undone.find(1, position + 1, last + 1)
    return False


def _is_passed(block: Block, source: Block, number: int, position: int) -> bool:
    """Return whether a running source task has already passed the frames that are needed (4.4.2)."""
    if not source.flags & DEPEND_SUB_TASK or not source.tasks.st[position] & RUN:
        return False
    _, last_frame = _frames_at_source(block, source, number)
    start, _, _ = source.task_frames(position)
    return bool(start + source.tasks.frame[position] > last_frame)


def check_task(job: Job, block: Block, number: int) -> bool:
    """Let a task wait or be ready by its source tasks; return whether its state changed (4.4.1)."""
    st = block.tasks.st[number]
    if not st & (RDY | WDP):
        return False
    new = (st & ~RDY) | WDP if has_unmet_source(job, block, number) else (st & ~WDP) | RDY
    if new == st:
        return False
    block.tasks.set_st(number, new)
    return True


def check_all_tasks(job: Job, block: Block) -> Iterator[int]:
    """Check every task of a block; yield those whose state changed."""
    if block.task_sources and not block.st & DON:
        for number in range(block.tasks.num):
            if check_task(job, block, number):
                yield number


def release_all_tasks(block: Block) -> Iterator[int]:
    """Let all waiting tasks of a block that has no sources any more be ready (4.4.3)."""
    for number in range(block.tasks.num):
        st = block.tasks.st[number]
        if st & WDP:
            block.tasks.set_st(number, (st & ~WDP) | RDY)
            yield number


def block_waits(job: Job, block: Block) -> bool:
    """Return whether a block waits for other blocks (4.3)."""
    return any(not job.blocks[number].st & DON for number in block.source_blocks)


def is_waited_for(other: Job, job: Job) -> bool:
    """Return whether a mask of `job` names `other` (4.2)."""
    return (other.user is job.user and matches_regex(job.depend_mask, other.name)) or matches_regex(
        job.depend_mask_global, other.name
    )
