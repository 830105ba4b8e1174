"""The journal: a snapshot and the segments that were written since, in `<store>/journal`.

    snapshot.<N>   everything as it was when segment N began
    segment.<N>    frames of records, appended and synced by the server
    mirror         how far the files of the original's layout are, kept by `store.mirror`

A segment begins with a head that names the journal and tells where its predecessor ended, so that what a
failed write left behind there is known for what it is. Numbers of segments and frames only rise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from errno import ENOENT
from pathlib import Path
from typing import Any, BinaryIO

from afanasy_py.errors import StoreError
from afanasy_py.store import records
from afanasy_py.store.disk import Disk
from afanasy_py.store.frames import HEAD_SIZE, Frame, encode_frame, frame_size, read_frames
from afanasy_py.store.image import Image

FOLDER = "journal"
#: A file of the folder: a server that starts lets the mirror of the one before leave, whatever is left to write.
LEAVE = "mirror.leave"
#: A segment that is longer is followed by a new one, bytes; so much is replayed at a start at most, roughly.
SEGMENT_MOST = 16 * 1024 * 1024
#: When a start had to replay more bytes it writes a snapshot at once: a server that is killed again and again
#: before the mirror came to write one would start more slowly each time.
REPLAY_MOST = 2 * SEGMENT_MOST
#: A segment is made longer by so many zeros at once, bytes: to write over them is all that a frame needs,
#: while a file that grows has its size written too, together with whatever else the file system holds back.
_ROOM = 1 << 20
#: Size of a frame of a snapshot, bytes, roughly.
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a journal; everything before it is meant."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Mirror:
    """How far the files of the original's layout are."""

    position: Position
    #: True after a stop that wrote everything.
    clean: bool
    #: Identifies the run of the machine: another one means that files may have been lost with the power.
    boot: str


def boot_id() -> str:
    """Return what identifies this run of the machine; empty where that is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _numbered(disk: Disk, folder: Path, kind: str) -> list[int]:
    names = (name.partition(".") for name in disk.names(folder))
    return sorted(int(number) for head, _, number in names if head == kind and number.isdigit())


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"segment.{number}"


def snapshot_path(folder: Path, number: int) -> Path:
    """Return the path of a snapshot."""
    return folder / f"snapshot.{number}"


def _encode_head(head: dict[str, Any]) -> bytes:
    return json.dumps(head).encode()


def _decode_head(frames: list[Frame], path: Path) -> dict[str, Any]:
    try:
        head = json.loads(frames[0].payload)
        if type(head) is not dict:
            raise ValueError
    except (IndexError, ValueError, UnicodeDecodeError):
        raise StoreError(f"{path}: it has no head") from None
    return head


# -- reading


@dataclass(slots=True)
class Loaded:
    """What a journal holds."""

    journal_id: str
    image: Image
    #: Number of the next segment, of the next frame, and where the last segment ends.
    next_segment: int = 0
    next_frame: int = 0
    end: Position = field(default_factory=lambda: Position(0, 0))
    #: Bytes that were replayed.
    replayed: int = 0


@dataclass(slots=True)
class Segment:
    """A segment that was read."""

    number: int
    head: dict[str, Any]
    frames: list[Frame]
    end: int


def read_segment(disk: Disk, folder: Path, number: int) -> Segment:
    """Read a segment whole.

    Raises:
        StoreError: It is damaged.
    """
    path = segment_path(folder, number)
    reading = read_frames(disk.read(path))
    if reading.damage:
        raise StoreError(f"{path}: {reading.damage}")
    if not reading.frames:
        # Made and never written: the power went in between.
        return Segment(number, {}, [], 0)
    return Segment(number, _decode_head(reading.frames, path), reading.frames[1:], reading.end)


def read_snapshot(disk: Disk, path: Path) -> tuple[str, Image, int]:
    """Return the id of the journal, everything in a snapshot, and the number of the next frame.

    Raises:
        StoreError: It is damaged.
    """
    reading = read_frames(disk.read(path))
    if reading.damage:
        raise StoreError(f"{path}: {reading.damage}")
    head = _decode_head(reading.frames, path)
    frames = reading.frames[1:]
    if len(frames) != head.get("frames") or type(head.get("journal")) is not str:
        raise StoreError(f"{path}: it is not complete")
    image = Image()
    for frame in frames:
        for _, record in records.decode_all(frame.payload):
            image.apply(record)
    return head["journal"], image, int(head["next_frame"])


def load_snapshot(disk: Disk, folder: Path, before: Position | None = None) -> tuple[str, Image, int, int]:
    """Return the id of the journal, a snapshot, the number of the segment and the frame after it.

    Args:
        disk: Does the reading.
        folder: Of the journal.
        before: Take the newest snapshot that has nothing of what is behind this place, or the oldest of all.
            None: the newest of all.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    snapshots = _numbered(disk, folder, "snapshot")
    if not snapshots:
        raise StoreError(f"{folder}: there is no snapshot")
    number = snapshots[-1]
    if before is not None:
        number = max((n for n in snapshots if n <= before.segment), default=snapshots[0])
    name, image, next_frame = read_snapshot(disk, snapshot_path(folder, number))
    return name, image, number, next_frame


def has_journal(disk: Disk, folder: Path) -> bool:
    """Return whether there is a journal, whatever its state."""
    return bool(_numbered(disk, folder, "snapshot") or _numbered(disk, folder, "segment"))


def journal_id(disk: Disk, folder: Path) -> str:
    """Return the id of the journal; empty if that cannot be read."""
    for kind in ("snapshot", "segment"):
        for number in reversed(_numbered(disk, folder, kind)):
            path = folder / f"{kind}.{number}"
            try:
                with path.open("rb") as file:
                    found = _decode_head(read_frames(file.read(4096)).frames, path).get("journal")
            except (OSError, StoreError):
                continue
            if type(found) is str:
                return found
    return ""


def load(disk: Disk, folder: Path) -> Loaded:
    """Read the newest snapshot and all segments since.

    Raises:
        StoreError: Something is missing or damaged; the text says what.
        OSError: A file cannot be read.
    """
    name, image, first, next_frame = load_snapshot(disk, folder)
    loaded = Loaded(name, image, first, next_frame, Position(first, 0))
    there = _numbered(disk, folder, "segment")
    numbers = [number for number in there if number >= first]
    if not numbers and first - 1 in there:
        # The mirror still reads it, and the writer cuts it off where it ends.
        loaded.end = Position(first - 1, read_segment(disk, folder, first - 1).end)
    if numbers != list(range(first, first + len(numbers))):
        raise StoreError(f"{folder}: of the segments from {first} on there are only {numbers}")
    segments = [read_segment(disk, folder, number) for number in numbers]
    followers: list[Segment | None] = [*segments[1:], None]
    for segment, follower in zip(segments, followers, strict=False):
        frames = segment.frames
        if not segment.head:
            if follower is not None:
                raise StoreError(f"{segment_path(folder, segment.number)}: it is empty")
            break  # it was being made; the next one takes its place
        if segment.head.get("journal") != name:
            raise StoreError(f"{segment_path(folder, segment.number)}: it is of another journal")
        if follower is not None and follower.head:
            end = follower.head["previous_end"]
            if segment.end < end:
                raise StoreError(f"{segment_path(folder, segment.number)}: {segment.end} bytes of {end}")
            frames = [frame for frame in frames if frame.end <= end]
        if segment.head.get("frame") != loaded.next_frame:
            raise StoreError(f"{segment_path(folder, segment.number)}: it does not follow the one before")
        for frame in frames:
            loaded.replayed += len(frame.payload)
            for _, record in records.decode_all(frame.payload):
                image.apply(record)
        loaded.next_frame = (frames[-1].number if frames else int(segment.head["frame"])) + 1
        loaded.end = Position(segment.number, frames[-1].end if frames else segment.end)
        loaded.next_segment = segment.number + 1
    return loaded


def salvage(disk: Disk, folder: Path, image: Image, start: Position | None) -> list[str]:
    """Apply every frame that can be read from a position on to an image; return what could not be read."""
    problems = []
    for number in _numbered(disk, folder, "segment"):
        if start is not None and number < start.segment:
            continue
        path = segment_path(folder, number)
        try:
            reading = read_frames(disk.read(path))
        except OSError as error:
            problems.append(f"{path}: {error}")
            continue
        if reading.damage:
            problems.append(f"{path}: {reading.damage}")
        for frame in reading.frames:
            if start is not None and number == start.segment and frame.begin < start.offset:
                continue
            try:
                for _, record in records.decode_all(frame.payload):
                    image.apply(record)
            except (StoreError, ValueError) as error:
                if frame.payload[:1] != b"{":
                    problems.append(f"{path}: {error}")
    return problems


def read_mirror(disk: Disk, folder: Path) -> Mirror | None:
    """Return how far the layout is; None: not known."""
    try:
        found = json.loads(disk.read(folder / "mirror"))
        return Mirror(Position(found["segment"], found["offset"]), found["clean"], found["boot"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_mirror(disk: Disk, folder: Path, mirror: Mirror) -> None:
    """Note how far the layout is."""
    position = mirror.position
    document = {
        "segment": position.segment,
        "offset": position.offset,
        "clean": mirror.clean,
        "boot": mirror.boot,
    }
    disk.replace(folder / "mirror", json.dumps(document).encode())


# -- writing


def write_snapshot(disk: Disk, folder: Path, name: str, image: Image, number: int, next_frame: int) -> None:
    """Write everything as it is at the beginning of a segment, synced.

    Raises:
        OSError: It cannot be written; what was there before is untouched.
    """
    payloads = list(_pieces(image.encode()))
    head = {"journal": name, "frames": len(payloads), "next_frame": next_frame}
    data = b"".join(encode_frame(at, payload) for at, payload in enumerate([_encode_head(head), *payloads]))
    disk.replace_synced(snapshot_path(folder, number), data)


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    piece: list[bytes] = []
    size = 0
    for part in parts:
        piece.append(part)
        size += len(part)
        if size >= _PIECE:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def older(disk: Disk, folder: Path, number: int) -> list[Path]:
    """Return the segments and snapshots that a newer snapshot stands for, in the order in which they may go."""
    return [
        folder / f"{kind}.{old}"
        for kind in ("segment", "snapshot")
        for old in _numbered(disk, folder, kind)
        if old < number
    ]


class Writer:
    """Appends to a journal. Its methods block and are called by one thread at a time."""

    def __init__(
        self, disk: Disk, folder: Path, name: str, next_segment: int, next_frame: int, end: int
    ) -> None:
        """Prepare; the first `append` makes the first segment.

        Args:
            disk: Does the writing.
            folder: Of the journal.
            name: Id of the journal.
            next_segment: Its number.
            next_frame: Number of its first frame.
            end: Where the segment before it ends.
        """
        self._disk = disk
        self._folder = folder
        self._name = name
        self._next_segment = next_segment
        self._next_frame = next_frame
        self._fd: int | None = None
        #: Where the last frame that was synced ends, in the segment before `_next_segment`.
        self._end = end
        #: Where the zeros behind it end.
        self._room = 0
        #: Bytes written since the start.
        self.written = 0
        #: True once the folder went away under it; then it writes no more.
        self.is_lost = False

    @property
    def position(self) -> Position:
        """Where the next frame goes."""
        return Position(self._next_segment - 1, self._end)

    def append(self, payload: bytes) -> Position:
        """Write a frame and return where its payload begins, when it is safe on the disk.

        Raises:
            OSError: It is not, and must be written again.
        """
        try:
            if self.is_lost:
                raise FileNotFoundError(ENOENT, "the folder of the store is gone")
            fd = self._fd
            if fd is None or self._end >= SEGMENT_MOST:
                fd = self._begin_segment()
            frame = encode_frame(self._next_frame, payload)
            self._write(fd, frame)
        except OSError:
            self._give_up()
            raise
        begin = self._end + len(frame) - len(payload)
        self._end += len(frame)
        self._next_frame += 1
        self.written += len(frame)
        return Position(self._next_segment - 1, begin)

    def look(self) -> bool:
        """Return whether the journal is where it was; if not, nothing is written to it any more.

        A file whose folder was removed takes writes, and nobody will ever find them.
        """
        if not self.is_lost:
            self.is_lost = not self._disk.is_same(
                self._fd, segment_path(self._folder, self._next_segment - 1)
            )
            if self.is_lost:
                self._give_up()
        return not self.is_lost

    def _write(self, fd: int, frame: bytes) -> None:
        end = self._end + len(frame)
        if end > self._room:
            room = end + _ROOM
            self._disk.write_at(fd, bytes(room - self._room), self._room)
            self._room = room
        self._disk.write_at(fd, frame, self._end)

    def _begin_segment(self) -> int:
        number = self._next_segment
        path = segment_path(self._folder, number)
        self._disk.remove(path)
        fd = self._disk.open_new(path)
        try:
            head = {"journal": self._name, "previous_end": self._end, "frame": self._next_frame}
            frame = encode_frame(self._next_frame, _encode_head(head))
            self._disk.write_at(fd, frame, 0)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(fd)
            raise
        self._leave_old()
        self._fd = fd
        self._next_segment = number + 1
        self._next_frame += 1
        self._end = self._room = len(frame)
        return fd

    def _leave_old(self) -> None:
        """Close the segment before, or give back the room that a killed server left in it."""
        try:
            if self._fd is None and self._next_segment:
                self._disk.shorten(segment_path(self._folder, self._next_segment - 1), self._end)
            self.close()
        except OSError:
            pass  # the head of the new segment tells where that one ends

    def _give_up(self) -> None:
        """Leave a segment in which a write failed: nobody knows what of it is on the disk."""
        try:
            self.close()
        except OSError:
            pass  # the head of the next segment tells where this one ends

    def close(self) -> None:
        """Cut off the room that is left and close the segment."""
        fd, self._fd = self._fd, None
        if fd is not None:
            try:
                self._disk.truncate(fd, self._end)
            finally:
                self._disk.close(fd)


def read_payload(file: BinaryIO, offset: int) -> bytes:
    """Return the payload of the frame whose payload begins at an offset.

    Raises:
        StoreError: There is no such frame.
    """
    file.seek(offset - HEAD_SIZE)
    head = file.read(HEAD_SIZE)
    size = frame_size(head)
    reading = read_frames(head + file.read(size))
    if not reading.frames:
        raise StoreError(f"no frame at {offset}")
    return reading.frames[0].payload
