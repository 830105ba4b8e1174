"""A process of its own that keeps the files of the original's layout like the journal, a little behind.

It follows the journal, writes what changed, each thing once however often it changed meanwhile, and notes
how far it is. When a segment is done it writes a snapshot and removes what that stands for. It runs with low
priority, so that the server, whose answers wait for nothing but the journal, does not feel it.

Its life hangs on its standard input: "stop" lets it finish everything, the end of it lets it leave at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from afanasy_py.errors import StoreError
from afanasy_py.store import layout, records
from afanasy_py.store.disk import Disk
from afanasy_py.store.follow import READ_MOST, Follower
from afanasy_py.store.frames import Frame
from afanasy_py.store.image import NodeImage
from afanasy_py.store.journal import (
    FOLDER,
    LEAVE,
    Mirror,
    Position,
    boot_id,
    load_snapshot,
    older,
    read_mirror,
    write_mirror,
    write_snapshot,
)

#: Pause between two looks at the journal, seconds: what changes twice within it is written once.
PAUSE_SECONDS = 1.0
#: So many files are written at once; then it is seen whether the server is still there.
PULSE_FILES = 16
#: With pauses between them so many files are written in a second, or more if they would take longer than that.
#: Without, a busy farm would share its processor with the kernel, which knows no priorities.
FILES_A_SECOND = 500
WRITE_SECONDS = 120.0
#: There are no pauses when the journal is so many segments ahead.
HURRY_SEGMENTS = 4
#: Pause after an error of the disk, seconds.
ERROR_PAUSE_SECONDS = 5.0
NICE = 19


class ServerGoneError(Exception):
    """The server has ended without a word, or another one waits; it must not be kept waiting."""


class Server:
    """What the server says on the standard input, and what the next one says."""

    def __init__(self, fd: int = 0, leave: Path | None = None) -> None:
        """Listen.

        Args:
            fd: File descriptor to read from.
            leave: A file that the next server makes when it does not want to wait until all is written.
        """
        self._fd = fd
        self._leave = leave
        #: True once it said that everything is to be finished.
        self.stops = False

    def listen(self, seconds: float = 0.0) -> None:
        """Wait for a word, not longer than told.

        Raises:
            ServerGoneError: The server is gone.
        """
        if self.stops:
            if self._leave is not None and self._leave.exists():
                raise ServerGoneError
            return
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if ready:
            if not os.read(self._fd, 100):
                raise ServerGoneError
            self.stops = True


class MirrorWriter:
    """Brings the files of the layout up to date."""

    def __init__(self, disk: Disk, root: Path, pulse: Callable[[float], object] = bool) -> None:
        """Read the snapshot.

        Args:
            disk: Does the reading and writing.
            root: Root of the store.
            pulse: Called again and again while much is written, with the seconds to wait before more is; what
                it raises ends the writing.
        """
        self._pulse = pulse
        self._disk = disk
        self._root = root
        self._folder = root / FOLDER
        mirror = read_mirror(disk, self._folder)
        self.journal, self.image, segment, _ = load_snapshot(
            disk, self._folder, mirror.position if mirror is not None else Position(0, 0)
        )
        self._drop_before(segment)
        start = Position(segment, 0)
        #: What is before it is in the files already.
        self._mirrored = mirror.position if mirror is not None else start
        self._follower = Follower(disk, self._folder, start)
        #: What has to be written: ("node", kind, id, 0), ("tasks", job, block, 0), ("task", job, block, task)
        self._dirty: dict[tuple[str, str | int, int, int], None] = {}
        #: Outputs and files, with the serials of their jobs.
        self._contents: deque[tuple[int, records.Output | records.File]] = deque()
        self._changed_since_snapshot = False
        self._noted: Position | None = None
        self._boot = boot_id()
        #: True while more waits than was read at once.
        self.is_behind = False
        if mirror is None or (not mirror.clean and mirror.boot != self._boot):
            self._mirrored = start
            self.mark_all()

    def mark_all(self) -> None:
        """Write every node again: nobody knows which files the disk has kept."""
        for kind, nodes in self.image.nodes.items():
            for node in nodes.values():
                self._mark_node(kind, node)

    def _mark_node(self, kind: str, node: NodeImage) -> None:
        self._dirty["node", kind, node.id, 0] = None
        for number, block in enumerate(node.blocks):
            if block.document is not None:
                self._dirty["tasks", node.id, number, 0] = None
            for task in range(len(block.st)):
                if block.st[task] != block.initial or block.starts[task]:
                    self._dirty["task", node.id, number, task] = None

    # -- following

    def step(self) -> bool:
        """Take in new frames and write what they changed; return whether there were any.

        Raises:
            OSError: Something cannot be written; it is tried again with the next step.
            StoreError: The store is gone.
        """
        frames = self._follower.take()
        much = sum(len(frame.payload) for frame in frames) > READ_MOST // 2
        self.is_behind = much or self._follower.has_next()
        for frame in frames:
            self._apply(frame)
        self.write()
        if frames:
            self._note()
            return True
        before = self._follower.position
        if self._follower.next_segment():
            if not self._follower.has_next():  # else the snapshot of that one does for both
                self._compact(before)
            return True
        self._note()
        return False

    def _apply(self, frame: Frame) -> None:
        position = Position(self._follower.position.segment, frame.begin)
        new = position >= self._mirrored
        self._changed_since_snapshot = True
        for _, record in records.decode_all(frame.payload):
            if new:
                self._before(record)
            self.image.apply(record)
            if new:
                self._after(record)

    def _before(self, record: records.Record) -> None:
        """Do what needs the image as it was."""
        match record:
            case records.Removed():
                self._disk.remove_tree(self._root / record.folder)
            case records.Node():
                known = self.image.nodes[record.kind].get(record.id)
                if known is None or known.serial != record.serial:
                    self._disk.remove_tree(self._root / record.folder)
                    return
                for number, (block, (_, initial)) in enumerate(
                    zip(known.blocks, record.blocks, strict=False)
                ):
                    if block.initial != initial:  # a task without a file would count as one of the new state
                        self._dirty.update(
                            dict.fromkeys(("task", known.id, number, task) for task in range(block.num))
                        )

    def _after(self, record: records.Record) -> None:
        """Note what has to be written."""
        match record:
            case records.Task():
                self._dirty["task", record.job_id, record.block_num, record.task_num] = None
            case records.State():
                self._dirty["node", "jobs", record.job_id, 0] = None
            case records.Node():
                self._dirty["node", record.kind, record.id, 0] = None
            case records.Tasks():
                self._dirty["tasks", record.job_id, record.block_num, 0] = None
            case records.Output() | records.File():
                job = self.image.nodes["jobs"].get(record.job_id)
                if job is not None:
                    self._contents.append((job.serial, record))
            case records.Arrays():
                block = self.image.block(record.job_id, record.block_num)
                for task in range(len(block.st) if block is not None else 0):
                    self._dirty["task", record.job_id, record.block_num, task] = None

    # -- writing

    def write(self) -> None:
        """Write everything that is to be written.

        Raises:
            OSError: Something cannot be written; all that is not written is still to be written.
            StoreError: The store is gone.
        """
        dirty, contents = self._dirty, self._contents
        pause = self._pause(len(dirty) + len(contents))
        # Nodes make the folders that the others go into.
        for count, key in enumerate(sorted(dirty, key=_order)):
            if count % PULSE_FILES == 0:
                self._pulse(pause)
            self._write_one(key)
            del dirty[key]
        while contents:
            if len(contents) % PULSE_FILES == 0:
                self._pulse(pause)
            serial, record = contents[0]
            job = self.image.nodes["jobs"].get(record.job_id)
            if job is not None and job.serial == serial:
                self._write_content(job, record)
            contents.popleft()

    def _pause(self, files: int) -> float:
        """Return how long to wait before each `PULSE_FILES` of so many files, seconds."""
        if files <= PULSE_FILES or self._follower.has_next(HURRY_SEGMENTS):
            return 0.0
        return PULSE_FILES * min(1 / FILES_A_SECOND, WRITE_SECONDS / files)

    def _write_one(self, key: tuple[str, str | int, int, int]) -> None:
        what, first, second, third = key
        if what == "node":
            node = self.image.nodes[str(first)].get(second)
            if node is not None:
                self._write_node(node)
            return
        job = self.image.nodes["jobs"].get(int(first))
        if job is None or second >= len(job.blocks):
            return
        block = job.blocks[second]
        folder = f"{self._root}/{job.folder}"
        if what == "tasks":
            if block.document is not None:
                self._disk.replace(f"{folder}/{layout.tasks_name(second)}", block.document)
        elif third < len(block.st):
            path = f"{folder}/{layout.task_folder(second, third)}/progress.json"
            self._create(path, layout.progress_text(block, third))

    def _write_node(self, node: NodeImage) -> None:
        folder = f"{self._root}/{node.folder}"
        if node.kind == "jobs":
            self._make_folder(f"{folder}/tasks")
            for number, block in enumerate(node.blocks):
                # The original deletes a job that lacks one, so they come first.
                if block.document is not None and ("tasks", node.id, number, 0) in self._dirty:
                    self._disk.replace(f"{folder}/{layout.tasks_name(number)}", block.document)
        self._replace(f"{folder}/data.json", layout.node_text(node))

    def _replace(self, path: str, data: bytes) -> None:
        try:
            self._disk.replace(path, data)
        except FileNotFoundError:
            self._make_folder(path.rpartition("/")[0])
            self._disk.replace(path, data)

    def _make_folder(self, path: str) -> None:
        if not self._folder.is_dir():
            raise StoreError(f"{self._root}: the folder of the store is gone")
        self._disk.make_folder(path)

    def _create(self, path: str, data: bytes) -> None:
        try:
            self._disk.create(path, data)
        except FileNotFoundError:
            self._make_folder(path.rpartition("/")[0])
            self._disk.create(path, data)

    def _write_content(self, job: NodeImage, record: records.Output | records.File) -> None:
        folder = f"{self._root}/{job.folder}"
        if isinstance(record, records.Output):
            path = f"{folder}/{layout.output_path(record.block_num, record.task_num, record.start)}"
        else:
            task = layout.task_folder(record.block_num, record.task_num)
            path = f"{folder}/{task}/files/{layout.safe_name(record.name)}"
        self._create(path, record.data)

    # -- how far it is

    def _note(self, *, clean: bool = False) -> None:
        position = self._follower.position
        if position < self._mirrored:
            return  # what it takes in is in the files already
        if position != self._noted or clean:
            write_mirror(self._disk, self._folder, Mirror(position, clean, self._boot))
            self._noted = position

    def _compact(self, end: Position) -> None:
        """Write a snapshot of what was before the segment that begins now."""
        number = end.segment + 1
        try:
            write_snapshot(
                self._disk, self._folder, self.journal, self.image, number, self._follower.head_frame()
            )
        except OSError:
            self._follower.position = end
            raise
        self._changed_since_snapshot = False
        self._note()
        if self._follower.position >= self._mirrored:
            self._drop_before(number)

    def _drop_before(self, number: int) -> None:
        """Remove the part of the journal that a snapshot stands for and that is in the files."""
        paths = older(self._disk, self._folder, number)
        if paths:
            os.sync()  # outputs are in the files only, once their segment is gone
        for path in paths:
            self._disk.remove(path)

    def finish(self) -> None:
        """Write everything, after the server has written its last frame.

        Raises:
            OSError: Not everything could be written.
        """
        while self.step():
            pass
        os.sync()
        if self._changed_since_snapshot:
            number = self._follower.position.segment + 1
            write_snapshot(
                self._disk, self._folder, self.journal, self.image, number, self._follower.frame + 1
            )
            self._follower.position = Position(number, 0)
            self._note(clean=True)
            self._drop_before(number)
        else:
            self._note(clean=True)


def _order(key: tuple[str, str | int, int, int]) -> int:
    return 0 if key[0] == "node" else 1


def _say(text: str) -> None:
    sys.stderr.write(f"store mirror: {text}\n")
    sys.stderr.flush()


def run(root: Path, disk: Disk, server: Server) -> int:
    """Follow the journal until the server stops; return the exit code."""
    try:
        while disk.lock(root / FOLDER / "mirror.lock") is None:
            server.listen(0.2)
        return _follow(MirrorWriter(disk, root, server.listen), server)
    except ServerGoneError:
        return 1
    except (OSError, StoreError) as error:
        _say(f"{error}; the files are not kept up to date until the server is started again.")
        return 2


def _follow(writer: MirrorWriter, server: Server) -> int:
    told = ""
    pause = PAUSE_SECONDS
    while True:
        server.listen(pause)
        try:
            if server.stops:
                writer.finish()
                return 0
            writer.step()
        except (OSError, StoreError, ValueError) as error:
            if str(error) != told:
                told = str(error)
                _say(f"{error}; it is tried again.")
            if server.stops:
                return 1
            pause = ERROR_PAUSE_SECONDS
        else:
            told = ""
            pause = 0.0 if writer.is_behind else PAUSE_SECONDS


def main() -> int:
    """Run as a program: the argument is the root of the store."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # sent to all at a stop; the server says when to end
    disk = Disk()
    disk.own_umask()
    try:
        os.nice(NICE)
    except OSError:
        pass  # it may not, and works all the same
    root = Path(sys.argv[1])
    return run(root, disk, Server(leave=root / FOLDER / LEAVE))


if __name__ == "__main__":
    sys.exit(main())
