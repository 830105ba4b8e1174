"""A branch of the tree of jobs, with the totals of all that is below it. Source: spec scheduling 8.6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from afanasy_py.core.node import Worked
from afanasy_py.core.solver.tree import Member, Shelf
from afanasy_py.msg.records.branch import Branch as BranchRecord

if TYPE_CHECKING:
    from afanasy_py.core.job import Job
    from afanasy_py.core.solver.tree import UserInBranch

CREATE_CHILDS = 1
SOLVE_JOBS = 2
BRANCH_PAUSED = 4

#: Names of what a job adds to its branch and all branches above.
TOTALS = ("jobs_total", "jobs_running", "jobs_done", "jobs_ready", "jobs_error", "tasks_ready", "tasks_error")

_FORBIDDEN = frozenset("\"\\ /|!$&?()[]{}*^<>%`',:;")


class Branch(Member, Worked, BranchRecord):
    """A branch; its name is the whole path."""

    kind: ClassVar[str] = "branches"

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_work()
        self.prepare_member()
        self.parent_node: Branch | None = None
        self.shelf = Shelf(self)
        #: {name of a total: what the branch above does not know yet}
        self.rising: dict[str, int] = {}
        #: The same of the cycle before; it is told with the end of this one.
        self.risen: dict[str, int] = {}
        #: {branch id: child}
        self.children: dict[int, Branch] = {}
        #: {job id: job}: own jobs, not those of children.
        self.jobs: dict[int, Job] = {}
        #: {user id: what that user has in this branch}
        self.users: dict[int, UserInBranch] = {}

    def _set_flag(self, bit: int, *, on: bool) -> None:
        self.flags_branch = self.flags_branch | bit if on else self.flags_branch & ~bit

    @property
    def create_childs(self) -> bool:
        """Whether a job may make new branches below."""
        return bool(self.flags_branch & CREATE_CHILDS)

    @create_childs.setter
    def create_childs(self, value: bool) -> None:
        self._set_flag(CREATE_CHILDS, on=value)

    @property
    def solve_jobs(self) -> bool:
        """Whether jobs are solved directly, not through their users."""
        return bool(self.flags_branch & SOLVE_JOBS)

    @solve_jobs.setter
    def solve_jobs(self, value: bool) -> None:
        self._set_flag(SOLVE_JOBS, on=value)

    @property
    def paused(self) -> bool:
        """Whether nothing below is solved."""
        return bool(self.flags_branch & BRANCH_PAUSED)

    @paused.setter
    def paused(self, value: bool) -> None:
        self._set_flag(BRANCH_PAUSED, on=value)

    def is_root(self) -> bool:
        """Return whether this is the branch `/`."""
        return self.parent_node is None

    def jobs_in_order(self) -> list[Job]:
        """Return the jobs by priority at joining the branch, equal ones by age."""
        return sorted(self.jobs.values(), key=lambda job: -job.joined_priority)

    def parent_of(self) -> Branch | None:
        """Return the branch above."""
        return self.parent_node

    def path(self) -> list[Branch]:
        """Return this branch and all above it, the root last."""
        path: list[Branch] = []
        branch: Branch | None = self
        while branch is not None:
            path.append(branch)
            branch = branch.parent_node
        return path


def clean_name(text: str) -> str:
    """Replace what may not stand in a name of a folder, byte by byte (json-api 11.7)."""
    return "".join(
        chr(byte) if 0x20 < byte <= 0x7A and chr(byte) not in _FORBIDDEN else "_"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def clean_path(text: str) -> str:
    """Return a branch path in its clean form (spec scheduling 8.6)."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/" + "/".join(clean_name(part) for part in parts)


def parent_path(path: str) -> str:
    """Return the path above; the root's is empty."""
    if path == "/":
        return ""
    return path.rsplit("/", 1)[0] or "/"
