"""A user: the order of its jobs, and its defaults for errors. Source: spec scheduling 8.4, 8.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from afanasy_py.core.node import Worked
from afanasy_py.msg.records.user import User as UserRecord

if TYPE_CHECKING:
    from afanasy_py.core.job import Job
    from afanasy_py.core.solver.tree import UserInBranch

USER_PAUSED = 1


class User(Worked, UserRecord):
    """A user."""

    kind: ClassVar[str] = "users"

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_work()
        #: All jobs, greater priority first; equal ones in the order of adding and of moves.
        self.jobs: list[Job] = []
        #: {branch id: what this user has in that branch}
        self.in_branch: dict[int, UserInBranch] = {}

    @property
    def paused(self) -> bool:
        """Whether no job of the user is solved."""
        return bool(self.st & USER_PAUSED)

    @paused.setter
    def paused(self, value: bool) -> None:
        self.st = self.st | USER_PAUSED if value else self.st & ~USER_PAUSED

    def insert_job(self, job: Job) -> list[Job]:
        """Put a job behind all jobs of equal or greater priority; return the jobs whose place changed."""
        self._put(job)
        return self.renumber()

    def adopt_job(self, job: Job) -> None:
        """Put a job of another user behind all jobs of equal or greater priority.

        COMPAT(adopted-order): it shows the place that it had in the other list until this one changes.
        """
        self._put(job)
        self._set_places()

    def _put(self, job: Job) -> None:
        index = len(self.jobs)
        while index and self.jobs[index - 1].priority < job.priority:
            index -= 1
        self.jobs.insert(index, job)

    def _set_places(self) -> None:
        for index, job in enumerate(self.jobs):
            job.list_place = index

    def renumber(self) -> list[Job]:
        """Set `user_list_order` of all jobs to their index; return the jobs for which it changed."""
        self._set_places()
        moved = [job for job in self.jobs if job.user_list_order != job.list_place]
        for job in moved:
            job.user_list_order = job.list_place
        return moved

    def move_job(self, job: Job, step: int) -> bool:
        """Move a job by one place up (-1) or down (1) among jobs of equal priority; return success."""
        index = self.jobs.index(job)
        other = index + step
        if not 0 <= other < len(self.jobs) or self.jobs[other].priority != job.priority:
            return False
        self.jobs[index], self.jobs[other] = self.jobs[other], self.jobs[index]
        return True
