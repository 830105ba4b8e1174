"""One run of a task on a render: what was taken for it and whether it was asked to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from afanasy_py.msg.records.taskexec import TaskExec

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.render import Render


@dataclass(slots=True, eq=False)
class Run:
    """A task that runs.

    The counters of block, job, user, branches, render and pools grew by this run when it was made and
    shrink by the same amounts when it ends.
    """

    block: Block
    number: int
    render: Render
    exec: TaskExec
    #: Capacity with the coefficient: what the run takes of its render.
    capacity: int
    #: {ticket: count} that the run holds, whatever the block says later.
    tickets: dict[str, int]
    #: Unix seconds of the last change of the progress that the render reported.
    progressed_at: int
    #: True once the render was asked to stop it.
    stopping: bool = False
