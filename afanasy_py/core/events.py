"""What monitors must hear: ids of changed nodes, tasks and blocks, collected once for all of them.

Events are kept in frames. A monitor remembers the last frame that it got; when it asks, the current frame
is closed and the ones after its last are merged. So marking a change costs the same for one monitor and
for a hundred, and nothing while nobody watches that kind of event.

Source: json-api 10.3 and 11.6.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

EVENT_KINDS = ("jobs", "users", "renders", "monitors", "branches", "pools")
BLOCK_MODES = ("progress", "properties", "full")


@dataclass(slots=True)
class Frame:
    """Events between two requests of monitors."""

    number: int
    #: {event name: {node id: id of the job's user, -1 for other nodes}}, in order of happening.
    ids: dict[str, dict[int, int]] = field(default_factory=dict)
    #: {job id: {(block number, task number)}}
    tasks: dict[int, dict[tuple[int, int], None]] = field(default_factory=dict)
    #: {(job id, block number): index in BLOCK_MODES}; the biggest counts.
    blocks: dict[tuple[int, int], int] = field(default_factory=dict)
    #: {user id}: users whose jobs changed their order.
    orders: dict[int, None] = field(default_factory=dict)


class Events:
    """The frames of the last seconds."""

    def __init__(self) -> None:
        self.current = Frame(1)
        self.frames: deque[Frame] = deque()
        #: {event name: number of monitors that subscribed to it}
        self.wanted: Counter[str] = Counter()
        #: {job id: number of monitors that watch its tasks}
        self.watched_jobs: Counter[int] = Counter()
        #: {user id: number of monitors of that user}
        self.watched_orders: Counter[int] = Counter()

    def mark(self, event: str, node_id: int, uid: int = -1) -> None:
        """Note an event of a node, `uid` for jobs: the id of their user."""
        if self.wanted[event]:
            ids = self.current.ids.get(event)
            if ids is None:
                ids = self.current.ids[event] = {}
            ids.setdefault(node_id, uid)

    def task(self, job_id: int, block_num: int, task_num: int) -> None:
        """Note that the progress of a task changed."""
        if self.watched_jobs and self.watched_jobs[job_id]:
            self.current.tasks.setdefault(job_id, {})[block_num, task_num] = None

    def block(self, job_id: int, block_num: int, mode: str) -> None:
        """Note that a block changed: its "progress", "properties" or "full"."""
        if self.watched_jobs and self.watched_jobs[job_id]:
            key = (job_id, block_num)
            level = BLOCK_MODES.index(mode)
            self.current.blocks[key] = max(level, self.current.blocks.get(key, 0))

    def jobs_order(self, user_id: int) -> None:
        """Note that the jobs of a user changed their order."""
        if self.watched_orders[user_id]:
            self.current.orders[user_id] = None

    def close_frame(self) -> int:
        """Close the current frame unless it is empty; return the number of the last closed one."""
        current = self.current
        if current.ids or current.tasks or current.blocks or current.orders:
            self.frames.append(current)
            self.current = Frame(current.number + 1)
        return self.current.number - 1

    def after(self, number: int) -> list[Frame]:
        """Return the closed frames after frame `number`, oldest first."""
        found: list[Frame] = []
        for frame in reversed(self.frames):
            if frame.number <= number:
                break
            found.append(frame)
        return found[::-1]

    def forget(self, number: int) -> None:
        """Drop the frames that every monitor has: up to `number`."""
        while self.frames and self.frames[0].number <= number:
            self.frames.popleft()
