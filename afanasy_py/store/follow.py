"""Following a journal while it is written: the frames behind a position, in order, over all segments."""

from __future__ import annotations

import json
from pathlib import Path

from afanasy_py.store.disk import Disk
from afanasy_py.store.frames import Frame, read_frames
from afanasy_py.store.journal import Position, segment_path

#: Bytes that are read at first, and at once at most unless one frame is bigger.
READ_LEAST = 64 * 1024
READ_MOST = 32 * 1024 * 1024


class Follower:
    """Reads what was appended since the last time."""

    def __init__(self, disk: Disk, folder: Path, position: Position) -> None:
        self._disk = disk
        self._folder = folder
        #: Everything before it was given.
        self.position = position
        #: Number of the last frame that was given; 0: not known.
        self.frame = 0

    def take(self) -> list[Frame]:
        """Return new frames of the current segment, without its head; none: there are none now."""
        segment, offset = self.position.segment, self.position.offset
        size = READ_LEAST
        while True:
            try:
                with segment_path(self._folder, segment).open("rb") as file:
                    file.seek(offset)
                    data = file.read(size)
            except FileNotFoundError:
                return []
            reading = read_frames(data)
            frames = reading.frames
            # Behind the last frame there are zeros, or the beginning of the next one.
            if len(data) < size or not data[reading.end :].strip(b"\0") or (frames and size >= READ_MOST):
                break
            size *= 4
        if not frames:
            return []
        self.frame = frames[-1].number
        self.position = Position(segment, offset + frames[-1].end)
        moved = [Frame(f.number, f.begin + offset, f.end + offset, f.payload) for f in frames]
        return moved[1:] if offset == 0 else moved

    def next_segment(self) -> bool:
        """Go on to the next segment if there is one and this one has been given whole; return whether so."""
        number = self.position.segment + 1
        if not self._has_head(number):
            return False
        self.position = Position(number, 0)
        return True

    def has_next(self, count: int = 1) -> bool:
        """Return whether there are so many segments behind the current one."""
        return self._has_head(self.position.segment + count)

    def _has_head(self, number: int) -> bool:
        try:
            with segment_path(self._folder, number).open("rb") as file:
                frames = read_frames(file.read(4096)).frames
        except FileNotFoundError:
            return False
        return bool(frames) and type(json.loads(frames[0].payload)) is dict

    def head_frame(self) -> int:
        """Return the number of the head of the current segment.

        Raises:
            OSError: It cannot be read.
        """
        with segment_path(self._folder, self.position.segment).open("rb") as file:
            return read_frames(file.read(4096)).frames[0].number
