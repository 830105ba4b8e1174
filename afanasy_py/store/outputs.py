"""Outputs of tasks between the journal and their files: where to read one that was answered a moment ago."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent

from afanasy_py.errors import StoreError
from afanasy_py.store import journal, records
from afanasy_py.store.disk import Disk
from afanasy_py.store.journal import Position

if TYPE_CHECKING:
    from afanasy_py.core.changes import Output

#: (job, block, task, start)
Key = tuple[int, int, int, int]


class Outputs:
    """Knows which outputs may not be in their files yet."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder
        #: Those that are being written into the journal.
        self._held: dict[Key, bytes] = {}
        #: Where the frame of an output begins, oldest first.
        self._places: dict[Key, Position] = {}
        #: Jobs whose folders may still hold files of an older job of that id: {job id: where that ended}
        self._older: dict[int, Position] = {}

    def hold(self, outputs: Iterable[Output]) -> None:
        """Keep outputs while they are being written."""
        for output in outputs:
            self._held[_key(output)] = output.data

    def note(self, outputs: Iterable[Output], position: Position) -> None:
        """Note that outputs are in the journal."""
        self._held.clear()
        for output in outputs:
            _put_last(self._places, _key(output), position)

    def note_removed(self, job_id: int, position: Position) -> None:
        """Note that a job is gone while its files may be there for a moment."""
        _put_last(self._older, job_id, position)

    def forget_before(self, position: Position) -> None:
        """Note that everything before a position is in the files."""
        _drop_before(self._places, position)
        _drop_before(self._older, position)

    def read(self, key: Key, path: Path) -> bytes | str:
        """Return an output, or why it cannot be read in the words of the original."""
        if key in self._held:
            return self._held[key]
        place, may_be_older = self._places.get(key), key[0] in self._older
        # GEVENT: may switch here; only values are used in the thread.
        found: bytes | str = gevent.get_hub().threadpool.apply(self._read, (key, path, place, may_be_older))
        return found

    def _read(self, key: Key, path: Path, place: Position | None, may_be_older: bool) -> bytes | str:
        data = self._read_from_journal(key, place) if place is not None else None
        if data is None:
            try:
                if may_be_older:
                    raise FileNotFoundError(2, os.strerror(2))
                data = self._disk.read(path)
            except OSError as error:
                return f"Can't get file:\n{path}\n{error.strerror}"
        return data or f"File is empty:\n{path}"

    def _read_from_journal(self, key: Key, place: Position) -> bytes | None:
        try:
            with journal.segment_path(self._folder, place.segment).open("rb") as file:
                payload = journal.read_payload(file, place.offset)
        except (OSError, StoreError):
            return None  # by now it is in its file
        found = None
        for _, record in records.decode_all(payload):
            if isinstance(record, records.Output) and record[:4] == key:
                found = record.data
        return found


def _key(output: Output) -> Key:
    return output.job_id, output.block_num, output.task_num, output.start


def _put_last(places: dict[Any, Position], key: Any, position: Position) -> None:
    places.pop(key, None)
    places[key] = position


def _drop_before(places: dict[Any, Position], end: Position) -> None:
    done = []
    for key, position in places.items():
        if position >= end:
            break
        done.append(key)
    for key in done:
        del places[key]
