"""What monitors must hear: ids of changed nodes, tasks and blocks, collected once for all of them.

Events are kept in frames. A monitor remembers the last frame that it got; when it asks, the current frame
is closed and the ones after its last are merged. So marking a change costs the same for one monitor and
for a hundred, and nothing while nobody watches that kind of event.

With many monitors frames are closed at most some times a second, so that monitors which ask at nearly the
same time get the same frames, and what is merged and encoded for one of them serves the others.

Source: json-api 10.3 and 11.6.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from afanasy_py.msg.types import MsgType

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.job import Job

BLOCK_MODES = ("progress", "properties", "full")
_LEVELS = {mode: level for level, mode in enumerate(BLOCK_MODES)}

#: Up to so many monitors each request closes a frame, so that it shows everything.
FEW_MONITORS = 8
#: With more of them a frame lasts so long at least, seconds: events may be seen one request later.
FRAME_TIME = 0.25
#: More frames than this are not kept: the oldest are joined, and who has not asked for long hears some twice.
FRAMES_MOST = 128


K = TypeVar("K")


def count(counts: MutableMapping[K, int], key: K, step: int) -> None:
    """Count one more (1) or one less (-1); zeros are not kept."""
    number = counts.get(key, 0) + step
    if number > 0:
        counts[key] = number
    else:
        counts.pop(key, None)


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
    #: {what and for whom: encoded}: for those who ask next; only the last frame keeps it.
    made: dict[Hashable, Any] = field(default_factory=dict)

    def is_empty(self) -> bool:
        """Return whether nothing happened."""
        return not (self.ids or self.tasks or self.blocks or self.orders)

    def add(self, later: Frame) -> None:
        """Add what happened in a later frame."""
        for event, ids in later.ids.items():
            self.ids.setdefault(event, {}).update(ids)
        for job_id, tasks in later.tasks.items():
            self.tasks.setdefault(job_id, {}).update(tasks)
        for key, level in later.blocks.items():
            self.blocks[key] = max(level, self.blocks.get(key, 0))
        self.orders.update(later.orders)
        self.number = later.number


class Events:
    """The frames of the last seconds."""

    def __init__(self) -> None:
        self.current = Frame(1)
        self.frames: deque[Frame] = deque()
        #: {event name: number of monitors that subscribed to it}; these three hold no zeros.
        self.wanted: Counter[str] = Counter()
        #: {job id: number of monitors that watch its tasks}
        self.watched_jobs: dict[int, int] = {}
        #: {user id: number of monitors of that user}
        self.watched_orders: dict[int, int] = {}
        #: {task, or with -1 and -1 all tasks of a job: {id of a monitor that listens to it}}
        self.listeners: dict[tuple[int, int, int], dict[int, None]] = {}
        #: {task: {id of a monitor that waits for its output}}
        self.awaited: dict[tuple[int, int, int], dict[int, None]] = {}
        #: {(job id, block number): encoded progress that was told last}; of watched jobs only.
        self._shown: dict[tuple[int, int], bytes] = {}
        #: When the last frame was closed, Unix seconds.
        self._closed_at = 0.0
        #: {first frame: all frames from it on, merged}
        self._merged: dict[int, Frame] = {}

    def mark(self, event: str, node_id: int, uid: int = -1) -> None:
        """Note an event of a node, `uid` for jobs: the id of their user."""
        if event in self.wanted:
            ids = self.current.ids.get(event)
            if ids is None:
                ids = self.current.ids[event] = {}
            ids[node_id] = uid

    def task(self, job_id: int, block_num: int, task_num: int) -> None:
        """Note that the progress of a task changed."""
        if job_id in self.watched_jobs:
            self.current.tasks.setdefault(job_id, {})[block_num, task_num] = None

    def block(self, job_id: int, block_num: int, mode: str) -> None:
        """Note that a block changed: its "progress", "properties" or "full"."""
        if job_id in self.watched_jobs:
            key = (job_id, block_num)
            self.current.blocks[key] = max(_LEVELS[mode], self.current.blocks.get(key, 0))

    def block_refreshed(self, block: Block) -> None:
        """Note that a block was refreshed: its "progress" changed if it looks different."""
        job_id = block.job.id
        if job_id in self.watched_jobs:
            key = (job_id, block.block_num)
            shown: bytes = block.encode(MsgType.TBlocksProgress)
            if self._shown.get(key) != shown:
                self._shown[key] = shown
                self.block(job_id, block.block_num, "progress")

    def watch_job(self, job: Job) -> None:
        """Note how the blocks of a job look that is watched from now on."""
        if job.id not in self.watched_jobs:
            for block in job.blocks:
                self._shown[job.id, block.block_num] = block.encode(MsgType.TBlocksProgress)

    def forget_job(self, job_id: int) -> None:
        """Forget how the blocks of a job looked that nobody watches any more."""
        for key in [key for key in self._shown if key[0] == job_id]:
            del self._shown[key]

    def jobs_order(self, user_id: int) -> None:
        """Note that the jobs of a user changed their order."""
        if user_id in self.watched_orders:
            self.current.orders[user_id] = None

    def close_frame(self, now: float, monitors: int) -> int:
        """Close the current frame if it is time; return the number of the last closed one.

        Args:
            now: Unix seconds.
            monitors: How many monitors there are.
        """
        current = self.current
        if current.is_empty() or (monitors > FEW_MONITORS and 0 <= now - self._closed_at < FRAME_TIME):
            return current.number - 1
        if self.frames:
            self.frames[-1].made.clear()
        self.frames.append(current)
        self.current = Frame(current.number + 1)
        self._closed_at = now
        self._merged.clear()
        if len(self.frames) > FRAMES_MOST:
            oldest = self.frames.popleft()
            oldest.add(self.frames[0])
            self.frames[0] = oldest
        return current.number

    def after(self, number: int) -> Frame | None:
        """Return everything that happened in the closed frames after frame `number`; None: nothing.

        The frame belongs to all who asked for it and must not be changed.
        """
        found: list[Frame] = []
        for frame in reversed(self.frames):
            if frame.number <= number:
                break
            found.append(frame)
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        first = found[-1].number
        merged = self._merged.get(first)
        if merged is None:
            merged = self._merged[first] = Frame(0)
            for frame in reversed(found):
                merged.add(frame)
        return merged

    def forget(self, number: int) -> None:
        """Drop the frames that every monitor has: up to `number`."""
        while self.frames and self.frames[0].number <= number:
            self.frames.popleft()
