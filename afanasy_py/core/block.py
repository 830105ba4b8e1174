"""A block of a job: its parameters, its tasks and what the solver counts on it.

Source: spec scheduling 2.3.4, 3.3, 3.4, 4.3, 4.4, 5, 6.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from afanasy_py.core import frames
from afanasy_py.core.job import FLAG_MAINTENANCE
from afanasy_py.core.task_states import COUNTED, DON, ERR, RDY, RUN, SKP, SUS, WDP, WRN
from afanasy_py.core.tasks import Tasks
from afanasy_py.msg.records.block import Block as BlockRecord

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job
    from afanasy_py.core.render import Render
    from afanasy_py.core.run import Run
    from afanasy_py.core.solver.profile import Profile
    from afanasy_py.msg.records.taskup import TaskUp

NUMERIC = 1 << 0
VAR_CAPACITY = 1 << 1
MULTIHOST = 1 << 2
MASTER_ON_SLAVE = 1 << 3
DEPEND_SUB_TASK = 1 << 4
APPENDED_TASKS = 1 << 9
SUSPEND_NEW_TASKS = 1 << 10

#: A block may not have more tasks than this; the original has no bound and dies of it.
TASKS_MAX = 10_000_000


class Block(BlockRecord):
    """A block and its tasks."""

    #: True for a block of the system job, which makes its tasks of commands.
    keeps_own_runs = False

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.job: Job
        #: {task number: environment}; joined over the block's.
        self.task_environments: dict[int, dict[str, str]] = {}
        self.tasks = Tasks(0)
        #: {task number: its run}; only running tasks.
        self.runs: dict[int, Run] = {}
        #: {render id: running tasks}; no zero counts.
        self.tasks_on: dict[int, int] = {}
        #: {host: [errors, time of the last one]}
        self.error_hosts: dict[str, list[int]] = {}
        #: Numbers of the blocks that `depend_mask` and `tasks_depend_mask` name.
        self.source_blocks: list[int] = []
        self.task_sources: list[int] = []
        #: Numbers of the blocks whose tasks wait for tasks of this block.
        self.feeds: list[int] = []
        #: Tasks whose error is new, or all of them when the settings of retries may have changed.
        self.to_retry: dict[int, None] = {}
        #: The profile under which the solver has the block on offer; None: it is not on offer.
        self.profile: Profile | None = None
        #: {form: encoded block}, emptied by each change.
        self.encoded: dict[Any, bytes] = {}
        #: What the block demands of renders (`solver.checks`); None: to be worked out.
        self.demands: tuple[tuple[int, Any], ...] | None = None

    # -- what is derived from the tasks; named as the columns that travel

    @property
    def tasks_num(self) -> int:
        """Number of tasks."""
        return self.tasks.num

    @tasks_num.setter
    def tasks_num(self, value: int) -> None:
        pass

    def is_numeric(self) -> bool:
        """Return whether tasks are made of a frame range."""
        return bool(self.flags & NUMERIC)

    def new_task_state(self) -> int:
        """Return the state of a task that was just made."""
        return SUS if self.flags & SUSPEND_NEW_TASKS else RDY

    def set_offered_order(self) -> None:
        """Put the tasks in the order of `sequential`."""
        numeric = self.is_numeric()
        order = frames.offered_order(
            self.sequential,
            self.tasks.num,
            self.frame_first if numeric else 0,
            self.frame_last if numeric else 0,
            self.frames_per_task,
            self.frames_inc,
        )
        if order is None:
            self.tasks.set_order(None, self.tasks.num)
        else:
            self.tasks.set_order(order[0], order[1])

    def task_frames(self, number: int) -> tuple[int, int, int]:
        """Return (start, finish, number of frames) of a task."""
        if self.is_numeric():
            return frames.numeric_frames(
                self.frame_first, self.frame_last, self.frames_per_task, self.frames_inc, number
            )
        return frames.explicit_frames(self.frames_per_task, number)

    def task_name(self, number: int) -> str:
        """Return the name of a task as users see it."""
        if self.is_numeric():
            start, finish, _ = self.task_frames(number)
            return frames.numeric_task_name(self.tasks_name, start, finish, self.frames_inc)
        name: str = self.tasks_data[number].name
        return self.tasks_name.replace("@#@", name) if self.tasks_name else name

    def min_capacity(self) -> int:
        """Return the least capacity that a task takes of a host."""
        if self.flags & VAR_CAPACITY and self.capacity_coeff_min > 0:
            return int(self.capacity * self.capacity_coeff_min)
        return int(self.capacity)

    def start_own_run(self, farm: Farm, number: int, render: Render) -> None:
        """Start a task that the block keeps itself."""
        raise NotImplementedError

    def update_own_run(self, farm: Farm, update: TaskUp, render: Render | None) -> None:
        """Take in an update of a run that the block keeps itself."""
        raise NotImplementedError

    def stop_own_run(self, farm: Farm, run: Run, text: str) -> None:
        """Ask the render to stop a run that the block keeps itself."""
        raise NotImplementedError

    def check_own_run(self, farm: Farm, run: Run) -> None:
        """Look whether a run that the block keeps itself takes too long."""
        raise NotImplementedError

    def restart_own(self, farm: Farm, subject: str) -> None:
        """Forget the tasks that the block keeps itself; `subject` is who wants that, for their log."""
        raise NotImplementedError

    def offered_task(self) -> int:
        """Return the one task that the block offers now, or -1 (spec scheduling 2.1.6, 5)."""
        tasks = self.tasks
        return tasks.first_ready(tasks.leading if self.job.waits_approval() else tasks.num)

    def offered_task_on(self, render: Render) -> int:
        """Return the task that the block offers a render; a maintenance job: the one named like it."""
        if self.job.flags & FLAG_MAINTENANCE:
            for number in sorted(self.tasks.ready_tasks()):
                if self.task_name(number) == render.name:
                    return number
            return -1
        return self.offered_task()

    def is_off(self) -> bool:
        """Return whether the block's own limits forbid any start now."""
        return self.max_running_tasks_per_host == 0 or (
            0 <= self.max_running_tasks <= self.running_tasks_counter
        )

    # -- error settings: the block's own, else its user's

    def retries(self) -> int:
        """Return how often a task in error is tried again."""
        own: int = self.errors_retries
        return own if own > -1 else int(self.job.user.errors_retries)

    def avoid_host_errors(self) -> int:
        """Return after how many errors the block avoids a host; 0: never."""
        own: int = self.errors_avoid_host
        return own if own > -1 else int(self.job.user.errors_avoid_host)

    def task_same_host_errors(self) -> int:
        """Return after how many errors a task avoids a host; 0: never."""
        own: int = self.errors_task_same_host
        return own if own > -1 else int(self.job.user.errors_task_same_host)

    def forgive_time(self) -> int:
        """Return after how many seconds the errors of a host are forgiven; 0: never."""
        own: int = self.errors_forgive_time
        return own if own > -1 else int(self.job.user.errors_forgive_time)

    def avoids(self, host: str) -> bool:
        """Return whether the block avoids a host."""
        if not self.error_hosts:
            return False
        found = self.error_hosts.get(host)
        limit = self.avoid_host_errors()
        return found is not None and 0 < limit <= found[0]

    def task_avoids(self, number: int, host: str) -> bool:
        """Return whether a task avoids a host."""
        hosts = self.tasks.error_hosts.get(number)
        if not hosts:
            return False
        found = hosts.get(host)
        limit = self.task_same_host_errors()
        return found is not None and 0 < limit <= found[0]

    def percent_of(self, number: int) -> int:
        """Return the percent that a running task reported; -1: not known."""
        return self.tasks.percent[number]

    def ready_tasks_num(self) -> int:
        """Return the number of ready tasks."""
        return self.tasks.counts.get("p_tasks_ready", 0)

    def refresh(self, now: int) -> bool:
        """Work the block's state out of its tasks; return whether it changed (spec 3.4.1)."""
        count = self.tasks.counts.get
        st = self.st & WDP
        if count("p_tasks_ready", 0) and not st:
            st |= RDY
        if self.running_tasks_counter > 0:
            st |= RUN
        if count("p_tasks_done", 0) == self.tasks.num:
            st |= DON
            if not self.time_done:
                self.time_done = now
        if count("p_tasks_warning", 0):
            st |= WRN
        if count("p_tasks_suspended", 0):
            st |= SUS
        if count("p_tasks_error", 0):
            st |= ERR
        if count("p_tasks_skipped", 0):
            st |= SKP
        changed = st != self.st
        self.st = st
        return changed


def _counter(name: str) -> property:
    def get(self: Block) -> int:
        return self.tasks.counts.get(name, 0)

    def ignore(self: Block, _value: int) -> None:
        """The count follows the tasks."""

    return property(get, ignore, doc=f"Number of tasks that `{name}` counts.")


def derived(doc: str, read: Any) -> property:
    """Return a column that is worked out when it is read; what is written to it is ignored."""

    def ignore(self: Block, _value: Any) -> None:
        """The value follows the tasks."""

    return property(read, ignore, doc=doc)


#: Columns that follow the tasks: {column: (what it says, how it is worked out)}.
_DERIVED: dict[str, tuple[str, Any]] = {
    "p_percentage": ("Mean percent of the tasks.", lambda block: block.tasks.percentage()),
    "p_progressbar": ("Progress bar.", lambda block: block.tasks.bar()),
    "p_tasks_run_time_min": ("Shortest run, seconds.", lambda block: block.tasks.run_times()[0]),
    "p_tasks_run_time_max": ("Longest run, seconds.", lambda block: block.tasks.run_times()[1]),
    "p_tasks_run_time_sum": ("Sum of runs, seconds.", lambda block: block.tasks.run_times()[2]),
    "p_error_hosts": ("Hosts with errors.", lambda block: len(block.error_hosts)),
    "p_avoid_hosts": (
        "Hosts that are avoided.",
        lambda block: sum(1 for host in block.error_hosts if block.avoids(host)),
    ),
}

for _bit, _name in COUNTED:
    setattr(Block, _name, _counter(_name))
for _name, (_doc, _read) in _DERIVED.items():
    setattr(Block, _name, derived(_doc, _read))
