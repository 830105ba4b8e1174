"""A monitor: what a client that watches subscribed to, and what only it is to hear.

Source: json-api 5.9, 10.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

from afanasy_py.core.node import Logged
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor import Monitor as MonitorRecord
from afanasy_py.msg.types import EVENT_NAMES

#: A task, or with -1 and -1 all tasks of a job: (job id, block number, task number)
Place = tuple[int, int, int]


class Monitor(Logged, MonitorRecord):
    """A monitor."""

    kind: ClassVar[str] = "monitors"

    #: The names of the events that it subscribed to: {event name: None}.
    events: dict[str, None]

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.prepare_node()
        self.events = {}
        #: The last frame of events that it got.
        self.frame = 0
        self.instruction = ""
        self.message = ""
        #: {task: the message that its output will fill in}
        self.awaited: dict[Place, McTask] = {}
        #: {task: output that has come}
        self.outputs: dict[Place, McTask] = {}
        #: What it listens to.
        self.listening: dict[Place, None] = {}
        #: {task: what was heard since it asked last}
        self.heard: dict[Place, McTask] = {}
        #: See `interest`; None: to be worked out.
        self._interest: tuple[Hashable, ...] | None = None

    def interest(self) -> tuple[Hashable, ...]:
        """Return what it wants to hear of the farm: monitors with equal interests share their events."""
        if self._interest is None:
            events = tuple(name for name in EVENT_NAMES if name in self.events)
            self._interest = (events, self.uid, tuple(self.jobs_ids))
        return self._interest

    def interest_changed(self) -> None:
        """Note that it subscribed to something, or its user was set."""
        self._interest = None

    def has_news(self) -> bool:
        """Return whether there is something that only it is to hear."""
        return bool(self.message or self.outputs or self.heard or self.instruction)

    def clear_news(self) -> None:
        """Forget what it has heard now."""
        self.instruction = self.message = ""
        self.outputs = {}
        self.heard = {}
