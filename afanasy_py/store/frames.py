"""Frames: pieces of a journal file, each whole or not there.

A frame is a mark, its number, the size and the checksum of its payload, and the payload. Numbers rise by one
from frame to frame, over all files of a journal. A file that breaks off in its last frame was being written
when the power went: that frame was never acknowledged. Anything else that does not fit is damage.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

MARK = b"AFJ1"
_HEAD = struct.Struct("<4sQII")
_COUNTS = struct.Struct("<QI")
HEAD_SIZE = _HEAD.size


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a file."""

    number: int
    #: Where it begins and ends in the file.
    begin: int
    end: int
    payload: bytes


@dataclass(slots=True)
class Reading:
    """What a file holds."""

    frames: list[Frame] = field(default_factory=list)
    #: Where the last whole frame ends.
    end: int = 0
    #: What is wrong; empty: nothing, or only a last frame that breaks off.
    damage: str = ""


def encode_frame(number: int, payload: bytes) -> bytes:
    """Return a frame."""
    return _HEAD.pack(MARK, number, len(payload), _checksum(number, payload)) + payload


def _checksum(number: int, payload: bytes) -> int:
    # The size counts too: what is left of a frame that was written over zeros must not pass for an empty one.
    return zlib.crc32(payload, zlib.crc32(_COUNTS.pack(number, len(payload))))


def _read_one(data: bytes, at: int) -> Frame | None:
    if len(data) - at < HEAD_SIZE:
        return None
    mark, number, size, checksum = _HEAD.unpack_from(data, at)
    begin = at + HEAD_SIZE
    if mark != MARK or len(data) - begin < size:
        return None
    payload = data[begin : begin + size]
    if _checksum(number, payload) != checksum:
        return None
    return Frame(number, at, begin + size, payload)


def read_frames(data: bytes, start: int = 0) -> Reading:
    """Return all frames of a file from an offset on; frames behind a damaged place are there too."""
    reading = Reading(end=start)
    at = start
    while at < len(data):
        frame = _read_one(data, at)
        if frame is None:
            later = _find_next(data, at + 1, reading.frames[-1].number if reading.frames else -1)
            if later is None:
                break
            reading.damage = reading.damage or f"bytes {at} to {later.begin} are no frame"
            frame = later
        elif reading.frames and frame.number != reading.frames[-1].number + 1:
            reading.damage = (
                reading.damage or f"frame {frame.number} at {at} follows {reading.frames[-1].number}"
            )
        reading.frames.append(frame)
        reading.end = at = frame.end
    return reading


def _find_next(data: bytes, at: int, number: int) -> Frame | None:
    """Return the first whole frame from an offset on with a number behind `number`."""
    while (at := data.find(MARK, at)) >= 0:
        frame = _read_one(data, at)
        if frame is not None and frame.number > number:
            return frame
        at += 1
    return None


def frame_size(head: bytes) -> int:
    """Return the size of the payload that a head tells; 0 if it is no head."""
    if len(head) < HEAD_SIZE:
        return 0
    mark, _, size, _ = _HEAD.unpack(head)
    return int(size) if mark == MARK else 0
