"""The journal: segments follow each other, failed writes leave no trace, damage is found."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import gevent
import pytest

from afanasy_py.errors import StoreError
from afanasy_py.store import journal, records
from afanasy_py.store.disk import Disk
from afanasy_py.store.image import Image
from afanasy_py.store.journal import Mirror, Position, Writer
from afanasy_py.store.mirror import (
    FILES_A_SECOND,
    HURRY_SEGMENTS,
    PULSE_FILES,
    WRITE_SECONDS,
    MirrorWriter,
    Server,
    ServerGoneError,
    run,
)
from afanasy_py.store.mirror_process import MirrorProcess
from tests.store.store_farm import FaultyDisk


def serial(value: int) -> bytes:
    return records.encode_serial(value)


def user(number: int, note: str = "") -> bytes:
    document = f'{{"name":"u{number}","note":"{note}"}}'.encode()
    return records.encode_node(records.Node("users", number, 0, f"users/0/{number}.u", [], document, b""))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / journal.FOLDER
    folder.mkdir()
    journal.write_snapshot(Disk(), folder, "id", Image(), 0, 0)
    return folder


def writer_of(folder: Path, disk: Disk | None = None) -> Writer:
    loaded = journal.load(Disk(), folder)
    return Writer(disk or Disk(), folder, "id", loaded.next_segment, loaded.next_frame, loaded.end.offset)


def users(folder: Path) -> list[int]:
    return sorted(journal.load(Disk(), folder).image.nodes["users"])


def test_what_was_appended_is_loaded_over_many_lives(folder: Path) -> None:
    for life in range(4):
        writer = writer_of(folder)
        for number in range(3):
            writer.append(user(life * 3 + number + 1))
        if life % 2:
            writer.close()
    assert users(folder) == list(range(1, 13))
    # Room that was left by those that did not close is given back, but for that of the last one.
    assert all((folder / f"segment.{life}").stat().st_size < 1000 for life in range(3))


def test_a_long_segment_is_followed_by_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_MOST", 200)
    writer = writer_of(folder)
    places = [writer.append(user(number)) for number in range(1, 10)]
    assert places[-1].segment > 2
    assert users(folder) == list(range(1, 10))
    # All but the last are cut to what they hold.
    assert (folder / "segment.0").stat().st_size < 400


def test_the_payload_of_a_frame_is_found_by_its_place(folder: Path) -> None:
    place = writer_of(folder).append(user(1))
    with journal.segment_path(folder, place.segment).open("rb") as file:
        assert journal.read_payload(file, place.offset) == user(1)
        with pytest.raises(StoreError):
            journal.read_payload(file, place.offset + 5)


@pytest.mark.parametrize("room", [None, 0, 10, 70, 300])
def test_a_failed_write_leaves_nothing_and_is_done_again(folder: Path, room: int | None) -> None:
    disk = FaultyDisk()
    writer = writer_of(folder, disk)
    writer.append(user(1))
    disk.error = errno.EIO if room is None else 0
    disk.room = room
    big = user(2, "x" * journal._ROOM)
    for _ in range(3):
        with pytest.raises(OSError, match=r"broken|No space"):
            writer.append(big)
    disk.error, disk.room = 0, None
    assert users(folder) == [1]
    writer.append(user(3))
    writer.append(big)
    assert users(folder) == [1, 2, 3]


def test_what_a_failed_write_left_behind_is_not_read(folder: Path) -> None:
    """The system said that a write failed, and it is on the disk all the same."""

    class LyingDisk(Disk):
        lies = False

        def write_at(self, fd: int, data: bytes, offset: int) -> None:
            super().write_at(fd, data, offset)
            if self.lies:
                raise OSError(errno.EIO, "lie")

        def truncate(self, fd: int, size: int) -> None:
            if self.lies:
                raise OSError(errno.EIO, "lie")
            super().truncate(fd, size)

    disk = LyingDisk()
    writer = writer_of(folder, disk)
    writer.append(user(1))
    disk.lies = True
    with pytest.raises(OSError, match="lie"):
        writer.append(user(2))
    disk.lies = False
    writer.append(user(3))
    assert users(folder) == [1, 3]


def test_a_segment_that_was_just_made_when_the_power_went_is_made_again(folder: Path) -> None:
    writer = writer_of(folder)
    writer.append(user(1))
    (folder / "segment.1").write_bytes(b"")
    writer_of(folder).append(user(2))
    assert users(folder) == [1, 2]


@pytest.mark.parametrize("what", ["segment.0", "segment.1", "snapshot.0", "cut", "other", "order"])
def test_damage_is_found(folder: Path, what: str) -> None:
    for number in range(1, 4):
        writer = writer_of(folder)
        for frame in range(3):
            writer.append(user(number * 3 + frame))
        writer.close()
    if what == "cut":
        path = folder / "segment.1"
        path.write_bytes(path.read_bytes()[:-10])
    elif what == "other":
        writer = Writer(Disk(), folder, "another", 3, 12, 0)
        writer.append(user(50))
    elif what == "order":
        writer = Writer(Disk(), folder, "id", 3, 99, 0)
        writer.append(user(50))
    else:
        path = folder / what
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    if what == "segment.1":
        (folder / "segment.1").unlink()
    with pytest.raises(StoreError):
        journal.load(Disk(), folder)
    image = Image()
    journal.salvage(Disk(), folder, image, None)
    assert len(image.nodes["users"]) >= 6


def test_the_place_of_the_mirror_is_kept(folder: Path) -> None:
    assert journal.read_mirror(Disk(), folder) is None
    mirror = Mirror(Position(3, 77), clean=True, boot="b")
    journal.write_mirror(Disk(), folder, mirror)
    assert journal.read_mirror(Disk(), folder) == mirror
    (folder / "mirror").write_text("{")
    assert journal.read_mirror(Disk(), folder) is None


# -- the mirror


def test_the_mirror_writes_follows_and_replaces_what_it_has_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_MOST", 500)
    root = folder.parent
    writer = writer_of(folder)
    mirror = MirrorWriter(Disk(), root)
    for number in range(1, 20):
        writer.append(user(number, "new"))
        if number % 3 == 0:
            while mirror.step():
                pass
    assert (root / "users/0/18.u/data.json").read_bytes() == b'{"name":"u18","note":"new"}'
    names = Disk().names(folder)
    assert len([name for name in names if name.startswith("snapshot")]) == 1
    assert "segment.0" not in names
    assert users(folder) == list(range(1, 20))
    writer.append(records.encode_removed("users", 18, 0, "users/0/18.u"))
    mirror.step()
    assert not (root / "users/0/18.u").exists()
    # Another mirror goes on where this one was.
    writer.append(user(30))
    MirrorWriter(Disk(), root).finish()
    assert (root / "users/0/30.u/data.json").exists()
    assert [name for name in Disk().names(folder) if name.startswith("segment")] == []
    assert users(folder) == [n for n in range(1, 20) if n != 18] + [30]


def test_a_snapshot_that_is_ahead_of_the_mirror_spares_the_start_and_keeps_what_the_mirror_lacks(
    folder: Path,
) -> None:
    root = folder.parent
    writer = writer_of(folder)
    writer.append(user(1))
    writer.append(user(2))
    mirror = MirrorWriter(Disk(), root)
    mirror.step()
    writer.append(records.encode_removed("users", 1, 0, "users/0/1.u"))
    writer.append(user(3))
    loaded = journal.load(Disk(), folder)
    journal.write_snapshot(
        Disk(), folder, "id", loaded.image, loaded.next_segment, loaded.next_frame
    )  # the server, at a start; it is killed before it writes anything
    again = journal.load(Disk(), folder)
    assert (again.replayed, again.next_segment, again.next_frame) == (0, 1, loaded.next_frame)
    writer_of(folder).append(user(4))
    assert users(folder) == [2, 3, 4]
    mirror = MirrorWriter(Disk(), root)
    while mirror.step():
        pass
    assert {path.name for path in root.glob("users/0/*")} == {"2.u", "3.u", "4.u"}
    # With the next one the old parts are gone, for the files have all that was in them.
    MirrorWriter(Disk(), root)
    assert Disk().names(folder).count("snapshot.0") == Disk().names(folder).count("segment.0") == 0
    assert users(folder) == [2, 3, 4]


def test_much_is_written_with_pauses_unless_the_journal_is_far_ahead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    writer = writer_of(folder)
    mirror = MirrorWriter(Disk(), folder.parent, pauses.append)
    writer.append(user(1))
    mirror.step()
    assert sum(pauses) == 0  # little is written at once
    for number in range(1, 501):
        writer.append(user(number, "a"))
    mirror.step()
    assert sum(pauses) == pytest.approx(500 / FILES_A_SECOND, rel=0.05)
    assert (folder.parent / "users/0/500.u/data.json").exists()
    pauses.clear()
    for number in range(1, 501):
        writer.append(user(number, "b"))
    monkeypatch.setattr(journal, "SEGMENT_MOST", 1)
    for number in range(HURRY_SEGMENTS):
        writer.append(user(number + 1, "c"))
    mirror.step()
    assert pauses
    assert sum(pauses) == 0
    assert mirror.is_behind


def test_a_million_files_are_not_written_for_longer_than_it_takes(folder: Path) -> None:
    mirror = MirrorWriter(Disk(), folder.parent)
    assert mirror._pause(1_000_000) * 1_000_000 / PULSE_FILES == pytest.approx(WRITE_SECONDS)


def test_a_mirror_that_cannot_write_tries_again(folder: Path) -> None:
    root = folder.parent
    writer = writer_of(folder)
    writer.append(user(1))
    disk = FaultyDisk()
    mirror = MirrorWriter(disk, root)
    disk.error = errno.ENOSPC
    with pytest.raises(OSError, match="broken"):
        mirror.step()
    with pytest.raises(OSError, match="broken"):
        mirror.step()
    disk.error = 0
    mirror.step()
    assert (root / "users/0/1.u/data.json").exists()


def test_a_mirror_that_finishes_leaves_when_the_next_server_waits(folder: Path) -> None:
    root = folder.parent
    writer = writer_of(folder)
    for number in range(1, 101):
        writer.append(user(number))
    reader, words = os.pipe()
    os.write(words, b"stop\n")
    leave = folder / journal.LEAVE
    leave.touch()
    assert run(root, Disk(), Server(reader, leave)) == 1
    assert len(list(root.glob("users/0/*"))) < 100
    MirrorWriter(Disk(), root).finish()
    assert len(list(root.glob("users/0/*"))) == 100
    os.close(reader)
    os.close(words)


def test_a_server_that_starts_lets_the_mirror_before_leave(folder: Path) -> None:
    lock = Disk().lock(folder / "mirror.lock")
    assert lock is not None
    leave = folder / journal.LEAVE

    def old() -> None:
        while not leave.exists():
            gevent.sleep(0.01)
        os.close(lock)

    waits = gevent.spawn(old)
    MirrorProcess(Disk(), folder.parent).wait_for_old()
    waits.join()
    assert not leave.exists()


def test_a_mirror_does_not_make_a_store_that_is_gone(folder: Path) -> None:
    root = folder.parent
    writer_of(folder).append(user(1))

    def remove(_seconds: float) -> None:
        shutil.rmtree(root)

    mirror = MirrorWriter(Disk(), root, remove)
    with pytest.raises(StoreError, match="is gone"):
        mirror.step()
    assert not root.exists()


def test_a_mirror_leaves_at_once_when_its_server_is_gone_and_finishes_when_told(folder: Path) -> None:
    root = folder.parent
    writer = writer_of(folder)
    writer.append(user(1))
    reader, words = os.pipe()
    os.close(words)
    assert run(root, Disk(), Server(reader)) == 1
    assert not (root / "users").exists()
    with pytest.raises(ServerGoneError):
        Server(reader).listen()
    os.close(reader)
    reader, words = os.pipe()
    os.write(words, b"stop\n")
    disk = Disk()
    disk.lock = lambda _: 1  # type: ignore[method-assign] - the first one still holds it
    assert run(root, disk, Server(reader)) == 0
    assert (root / "users/0/1.u/data.json").exists()
    mirror = journal.read_mirror(Disk(), folder)
    assert mirror is not None
    assert mirror.clean
