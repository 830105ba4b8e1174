"""A render: a host that runs tasks, and what it may take. Source: spec scheduling 2.5, 2.8, 7."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from afanasy_py.core.farmpart import inherited, inherited_text
from afanasy_py.core.node import Logged
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_events import RenderEvents

if TYPE_CHECKING:
    from afanasy_py.core.pool import Pool
    from afanasy_py.core.run import Run
    from afanasy_py.msg.records.taskexec import TaskExec

ONLINE = 1 << 0
NIMBY_OWN = 1 << 1
NIMBY_ALL = 1 << 2
BUSY = 1 << 3
DIRTY = 1 << 4
WOL_FALLING = 1 << 5
WOL_SLEEPING = 1 << 6
WOL_WAKING = 1 << 7
PAUSED = 1 << 8
SICK = 1 << 9

#: Ids in render events that are no ids.
REGISTER_AGAIN = -1
EXIT = -2


class Render(Logged, RenderRecord):
    """A render."""

    kind: ClassVar[str] = "renders"

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_node()
        self.pool_node: Pool | None = None
        #: {(job id, block number, task number): its run}, in the order of starts.
        self.runs: dict[tuple[int, int, int], Run] = {}
        #: Number of the moment when it became busy or free (`Farm.turn`); 0: never since it registered.
        self.turn = 0
        #: True once a busy render has run out of tasks; its busy flag goes a second later.
        self.vacant = False
        #: What the next answer to an update brings; None: nothing.
        self.pending: RenderEvents | None = None
        #: What the render adds to its pools: see `pool.TOTALS`.
        self.share: tuple[int, ...] = (0,) * 8
        #: Values that are inherited, worked out when something above changes.
        self.capacity = 0
        self.max_tasks = 0
        self.power = -1
        self.properties = ""
        #: {profile id: whether the fixed demands of that profile are met}
        self.accepts: dict[int, bool] = {}
        #: Key in the order of ready renders; None: not among them.
        self.ready_key: tuple[Any, ...] | None = None
        #: Users whose tasks ended in error lately, latest first; one entry each.
        self.sick_users: list[str] = []
        #: "Starting task" and "Finished task" lines with their times.
        self.tasks_log: deque[tuple[int, str]] = deque()
        #: How many RENDER_NO_TASK and RENDER_OVERLOAD events came since the state began; when it began.
        self.no_task_events = 0
        self.no_task_since = 0
        self.overload_events = 0
        self.overload_since = 0

    # -- state bits

    def is_online(self) -> bool:
        """Return whether the render is connected."""
        return bool(self.st & ONLINE)

    def is_busy(self) -> bool:
        """Return whether the busy flag is set."""
        return bool(self.st & BUSY)

    def is_free(self) -> bool:
        """Return whether the render is neither nimby nor paused."""
        return not self.st & (NIMBY_OWN | NIMBY_ALL | PAUSED)

    def set_bit(self, bit: int, *, on: bool) -> None:
        """Set or clear a state bit."""
        self.st = self.st | bit if on else self.st & ~bit

    def is_ready(self) -> bool:
        """Return whether the solver may give it a task (spec 7.2)."""
        st = self.st
        return (
            bool(st & ONLINE)
            and not st & (SICK | WOL_FALLING)
            and self.priority > 0
            and self.pool_node is not None
            and self.has_room()
            and self.pool_node.is_ready()
        )

    def has_room(self) -> bool:
        """Return whether capacity and number of tasks leave room (spec 2.8.2)."""
        return len(self.runs) < self.max_tasks and (self.capacity < 0 or self.capacity_used < self.capacity)

    def could_be_woken(self) -> bool:
        """Return whether it sleeps and a job may wake it (sysjob-events 5)."""
        st = self.st
        return (
            bool(st & WOL_SLEEPING)
            and not st & (ONLINE | WOL_WAKING | WOL_FALLING | SICK)
            and bool(self.netifs)
            and self.priority > 0
            and self.max_tasks > 0
            and self.capacity != 0
            and self.pool_node is not None
            and self.pool_node.is_ready()
        )

    # -- derived values

    def refresh_inherited(self) -> None:
        """Work out the values that come from the pools above (spec 2.8.1)."""
        self.capacity = inherited(self, "capacity_host", 0)
        self.max_tasks = inherited(self, "max_tasks_host", 0)
        self.power = inherited(self, "power_host", 0)
        self.properties = inherited_text(self, "properties_host")
        self.accepts.clear()

    def order_key(self) -> tuple[Any, ...]:
        """Return the sort key of this render among those of pools of one priority (spec 2.5, points 3-9)."""
        return (
            len(self.runs),
            -(self.capacity - self.capacity_used),
            -self.priority,
            self.turn,
            -self.capacity,
            -self.max_tasks,
            self.name,
        )

    @property
    def tasks(self) -> list[Any]:
        """Descriptions of the running tasks."""
        return [run.exec for run in self.runs.values()]

    @tasks.setter
    def tasks(self, value: list[Any]) -> None:
        pass

    @property
    def tasks_percents(self) -> list[int]:
        """Percents of the running tasks."""
        return [run.block.percent_of(run.number) for run in self.runs.values()]

    @tasks_percents.setter
    def tasks_percents(self, value: list[int]) -> None:
        pass

    @property
    def pool(self) -> str:
        """Path of its pool."""
        return self.pool_node.name if self.pool_node is not None else ""

    @pool.setter
    def pool(self, value: str) -> None:
        pass

    def events(self) -> RenderEvents:
        """Return what the next answer brings, for adding to it."""
        if self.pending is None:
            self.pending = RenderEvents(id=self.id)
        return self.pending

    def take_events(self) -> RenderEvents | None:
        """Return what has collected and begin anew."""
        pending, self.pending = self.pending, None
        return pending

    def take_answer(self) -> RenderEvents | None:
        """Return what the answer to a heartbeat brings; a task that it closes starts with the next one.

        afrender starts the tasks of an answer before it closes others, and refuses one that it still has:
        the run would never end.
        """
        events = self.take_events()
        if events is None or not events.closes or not events.tasks:
            return events
        closed = {(at.job_id, at.block_num, at.task_num, at.number) for at in events.closes}
        now: list[TaskExec] = []
        later: list[TaskExec] = []
        for task in events.tasks:
            place = (task.job_id, task.block_num, task.task_num, task.number)
            (later if place in closed else now).append(task)
        if later:
            events.tasks = now
            self.events().tasks.extend(later)
        return events
