"""What users do to single tasks. Source: spec scheduling 6.9; json-api 8.3, 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import running
from afanasy_py.core.task_states import RDY

if TYPE_CHECKING:
    from afanasy_py.core.actions.action import Action
    from afanasy_py.core.block import Block

#: The operation that restarts tasks, whatever their state: (the bits that a task must have, its new state).
RESTART = (0, RDY)


def operate_task(action: Action, block: Block, number: int, with_st: int, set_st: int) -> None:
    """Apply an operation to a task that has any of the bits `with_st`, and log that at the task.

    A running task is asked to stop, which logs for itself. The tasks of the system job only stand for its
    queues: a restart empties the queue, and nothing else can be done to them.
    """
    if block.keeps_own_runs:
        if (with_st, set_st) == RESTART:
            block.restart_own(action.farm, action.subject)
        return
    runs = number in block.runs
    if running.operate(action.farm, block, number, with_st, set_st) and not runs:
        action.farm.log_task(block, number, action.log_info, action.subject)
