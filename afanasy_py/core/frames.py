"""Frames of tasks: how a block is cut into tasks, how tasks are named, in which order they are offered.

Pure arithmetic. Source: spec scheduling 3.3, 4.4 and 5; json-api 6.5.
"""

from __future__ import annotations

import re
from array import array

_NUMBER_PATTERN = re.compile(r"@(#+)@|;")


def div_trunc(a: int, b: int) -> int:
    """Divide as C does: the quotient is cut toward zero."""
    quotient = abs(a) // abs(b)
    return quotient if (a >= 0) == (b >= 0) else -quotient


def mod_trunc(a: int, b: int) -> int:
    """Remainder of `div_trunc`: it has the sign of `a`."""
    return a - div_trunc(a, b) * b


def numeric_tasks_num(first: int, last: int, per_task: int, inc: int) -> int:
    """Return the number of tasks of a numeric block; arguments are already in bounds."""
    frames = (last - first) // inc + 1
    return (frames + per_task - 1) // per_task


def numeric_frames(first: int, last: int, per_task: int, inc: int, number: int) -> tuple[int, int, int]:
    """Return (start, finish, number of frames) of task `number` of a numeric block."""
    start = first + number * per_task * inc
    finish = min(start + per_task * inc - 1, last)
    finish -= (finish - start) % inc
    return start, finish, (finish - start) // inc + 1


def explicit_frames(per_task: int, number: int) -> tuple[int, int, int]:
    """Return (start, finish, number of frames) of a task that is not numeric; they only serve depends."""
    if per_task > 0:
        start = number * per_task
        return start, start + per_task - 1, per_task
    frame = number // -per_task
    return frame, frame, per_task


def fill_numbers(pattern: str, start: int, finish: int) -> str:
    """Put frame numbers into `@###@` patterns: first, last, first, ... in turn; `;` begins anew."""
    turn = 0

    def put(match: re.Match[str]) -> str:
        nonlocal turn
        if match.group(0) == ";":
            turn = 0
            return ";"
        number = finish if turn % 2 else start
        turn += 1
        return str(number).zfill(len(match.group(1)))

    return _NUMBER_PATTERN.sub(put, pattern)


def numeric_task_name(tasks_name: str, start: int, finish: int, inc: int) -> str:
    """Return the name of a task of a numeric block."""
    if tasks_name:
        return fill_numbers(tasks_name, start, finish)
    if start == finish:
        return f"frame {start}"
    return f"frame {start}-{finish} / {inc}" if inc > 1 else f"frame {start}-{finish}"


def offered_order(
    sequential: int, tasks_num: int, first: int, last: int, per_task: int, inc: int
) -> tuple[array[int], int] | None:
    """Return the order in which tasks are offered, and how many of them are "sequential" ones.

    None stands for the plain order 0, 1, 2, ... The second value is the number of leading tasks that a
    job waiting for a preview approval may still start (all, unless `sequential` is above 1).

    Args:
        first: First frame; 0 for a block that is not numeric. `last` likewise.
        per_task: Frames per task; negative: tasks per frame (blocks that are not numeric).

    Source: spec scheduling 5.
    """
    if sequential == 1 or tasks_num == 0:
        return None
    top = tasks_num - 1
    if sequential == -1:
        return array("i", range(top, -1, -1)), tasks_num
    picked: dict[int, None] = {}
    if sequential == 0:
        parts = 1
        while len(picked) < tasks_num:
            parts = min(parts, tasks_num)
            for k in range(parts + 1):
                picked[min(k * tasks_num // parts, top)] = None
            parts *= 2
        return array("i", picked), tasks_num

    def task_of(frame: int) -> int:
        offset = frame - first
        number = div_trunc(offset, per_task) if per_task > 0 else offset * -per_task
        return div_trunc(number, inc) if inc > 1 else number

    step = abs(sequential)
    if sequential > 1:
        picked[0] = None
        picked[top] = None
        frame = first - mod_trunc(first, step)
        if frame < first:
            frame += step
        while frame <= last:
            number = task_of(frame)
            if not 0 <= number <= top:
                break
            picked[number] = None
            frame += step
        leading = len(picked)
        rest = range(tasks_num)
    else:
        frame = last - mod_trunc(last, step)
        while frame >= first:
            number = task_of(frame)
            if not 0 <= number <= top:
                break
            picked[number] = None
            frame -= step
        leading = tasks_num
        rest = range(top, -1, -1)
    for number in rest:
        picked.setdefault(number, None)
    return array("i", picked), leading
