"""A job: its blocks, its owner and branch, and what it waits for.

Source: spec scheduling 3.5, 4.1, 4.2, 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from afanasy_py.core.node import Worked
from afanasy_py.core.solver.tree import Member
from afanasy_py.core.task_states import DON, OFF, PPA, WDP, WTM
from afanasy_py.msg.records.job import Job as JobRecord
from afanasy_py.msg.types import state_text

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.branch import Branch
    from afanasy_py.core.user import User

FLAG_PPA = 1 << 32
FLAG_MAINTENANCE = 1 << 33
FLAG_IGNORE_NIMBY = 1 << 34
FLAG_IGNORE_PAUSED = 1 << 35
FLAG_APPENDED_BLOCKS = 1 << 36

#: The id of the system job.
SYSJOB_ID = 1


class Job(Member, Worked, JobRecord):
    """A job."""

    kind: ClassVar[str] = "jobs"

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_work()
        self.prepare_member()
        self.blocks: list[Block] = []
        self.user: User
        self.branch_node: Branch
        #: Its index among the jobs of its user; `user_list_order` is what clients see of that.
        self.list_place = 0
        #: What its sender put into `token`, so that it is not made twice.
        self.token = ""
        #: Who sent it, as the statistics name it: `user@host address`.
        self.sender = "afanasy"
        #: What the statistics name as its folder; empty: see `folder`.
        self.own_folder = ""
        #: Its priority when it joined its branch: its place there.
        self.joined_priority = self.priority
        #: True from the request to delete it until its last running task ended.
        self.deleting = False
        #: True while commands run on the server's host that come before it.
        self.runs_first = False
        #: True until the end of the cycle in which it came, see `to_json`.
        self.is_new = False
        #: A done job is refreshed only when this is set.
        self.force_refresh = True
        #: Blocks whose tasks changed since the last refresh: {block number}
        self.dirty_blocks: dict[int, None] = {}
        #: Tasks whose state changed since then, of blocks that wait or are waited for.
        self.changed_tasks: dict[tuple[int, int], None] = {}
        #: A job that is not done and that this one waits for; it is asked first.
        self.blocked_by: Job | None = None
        #: What the job adds to its branches: see `Branch.totals`.
        self.share: tuple[int, ...] = (0,) * 7
        #: True while its user counts it as running.
        self.counted_running = False

    def to_json(self, form: str = "list") -> dict[str, Any]:
        """Return the job as JSON shows it.

        COMPAT(new-job-looks-new): in the cycle in which it came, and unless it started, it shows no states
        and counts yet, although they are decided: so do the recordings of the original.
        """
        shown: dict[str, Any] = super().to_json(form)
        if not self.is_new or self.time_started or form == "store":
            return shown
        shown["st"] = (self.st & OFF) | (0 if self.locked else WDP)
        shown["state"] = state_text(shown["st"])
        if not shown["state"]:
            del shown["state"]
        shown.pop("tasks_ready", None)
        for block in shown["blocks"]:
            for key in [key for key in block if key == "state" or key.startswith("p_tasks_")]:
                del block[key]
            block["st"] = 0
            block["p_progressbar"] = " " * len(block["p_progressbar"])
        return shown

    @property
    def blocks_num(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @blocks_num.setter
    def blocks_num(self, value: int) -> None:
        pass

    def is_sysjob(self) -> bool:
        """Return whether this is the server's own job."""
        return self.id == SYSJOB_ID

    def is_done(self) -> bool:
        """Return whether all blocks are done."""
        return bool(self.st & DON)

    def is_offline(self) -> bool:
        """Return whether the job is paused."""
        return bool(self.st & OFF)

    def waits(self) -> bool:
        """Return whether the job waits for other jobs or for its time."""
        return bool(self.st & (WDP | WTM))

    def waits_approval(self) -> bool:
        """Return whether a preview of the job waits for approval, so that only leading tasks start."""
        return bool(self.flags & FLAG_PPA)

    def minds_nimby(self) -> bool:
        """Return whether renders in nimby are not for this job, unless they are its user's."""
        return not self.flags & FLAG_IGNORE_NIMBY

    def set_flag(self, flag: int, *, on: bool) -> None:
        """Set or clear a flag; clearing `FLAG_PPA` drops the PPA state at the next offer."""
        self.flags = self.flags | flag if on else self.flags & ~flag

    def clear_approval(self) -> bool:
        """Drop the PPA state; return whether it was set."""
        if self.st & PPA:
            self.st &= ~PPA
            return True
        return False

    def folder(self) -> str:
        """Return the value of the first key of `folders`, or the branch (statistics)."""
        if self.own_folder:
            return self.own_folder
        if self.folders:
            return str(self.folders[min(self.folders)])
        return str(self.branch)

    def drop_invalid_tries(self) -> None:
        """Empty the lists of tasks to try next unless they fit the blocks."""
        tasks, blocks = self.try_this_tasks_num, self.try_this_blocks_num
        fits = len(tasks) == len(blocks) and all(
            0 <= b < len(self.blocks) and 0 <= t < self.blocks[b].tasks.num
            for b, t in zip(blocks, tasks, strict=True)
        )
        if not fits:
            self.try_this_tasks_num, self.try_this_blocks_num = [], []
