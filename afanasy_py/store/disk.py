"""Files: the few operations that the store needs, in one place so that tests can let them fail.

Nothing here switches greenlets: callers run it in a native thread or in a process of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

#: Modes of the original: everybody may enter folders, whatever the umask says.
FOLDER_MODE = 0o777
FILE_MODE = 0o644


class Disk:
    """The real thing."""

    def __init__(self) -> None:
        self._file_mode = FILE_MODE
        self._sets_modes = True

    def own_umask(self) -> None:
        """Switch off the umask of this process, so that new folders need no second call for their mode."""
        self._file_mode = FILE_MODE & ~os.umask(0)
        self._sets_modes = False

    def make_folder(self, path: Path | str) -> None:
        """Make a folder and those above it, open to everybody."""
        try:
            os.mkdir(path, FOLDER_MODE)  # noqa: PTH102 - the fast form, this is called for each task
        except FileExistsError:
            return
        except FileNotFoundError:
            self.make_folder(os.path.dirname(path))  # noqa: PTH120
            self.make_folder(path)
            return
        if self._sets_modes:
            os.chmod(path, FOLDER_MODE)  # noqa: PTH101

    def read(self, path: Path) -> bytes:
        """Return the content of a file."""
        with open(path, "rb") as file:
            return file.read()

    def create(self, path: str, data: bytes) -> None:
        """Write a file that nobody reads while it is being written, in place unless there is one."""
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self._file_mode)
        except FileExistsError:
            self.replace(path, data)
            return
        try:
            self.write(fd, data)
        finally:
            os.close(fd)

    def replace(self, path: Path | str, data: bytes) -> None:
        """Write a file whole or not at all, as far as this process is concerned."""
        self._write(path, data, sync=False)

    def replace_synced(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all, also when the power goes."""
        self._write(path, data, sync=True)
        self.sync_folder(path.parent)

    def _write(self, path: Path | str, data: bytes, *, sync: bool) -> None:
        temporary = f"{path}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, self._file_mode)
        try:
            self.write(fd, data)
            if sync:
                self.sync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)  # noqa: PTH105

    def open_new(self, path: Path) -> int:
        """Return the descriptor of a new file; a write to it returns when it is on the disk."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DSYNC | os.O_CLOEXEC
        return os.open(path, flags, self._file_mode)

    def write(self, fd: int, data: bytes) -> None:
        """Write all of the data."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        """Write all of the data at a place of the file."""
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            view = view[written:]
            offset += written

    def sync(self, fd: int) -> None:
        """Return when what was written is on the disk."""
        os.fdatasync(fd)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(fd, size)

    def shorten(self, path: Path, size: int) -> None:
        """Cut a file that is longer, if there is one."""
        try:
            if path.stat().st_size > size:
                os.truncate(path, size)
        except FileNotFoundError:
            pass  # then there is nothing to cut

    def is_same(self, fd: int | None, path: Path) -> bool:
        """Return whether an open file is the one of that path; without a file, whether its folder is there."""
        try:
            if fd is None:
                return path.parent.is_dir()
            return os.path.samestat(os.fstat(fd), path.stat())
        except OSError:
            return False

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder with all that is in it."""
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            pass

    def rename(self, path: Path, target: Path) -> None:
        """Move a file or folder."""
        os.rename(path, target)  # noqa: PTH104

    def names(self, path: Path) -> list[str]:
        """Return the names in a folder, sorted; none if there is no such folder."""
        try:
            return sorted(os.listdir(path))  # noqa: PTH208
        except FileNotFoundError:
            return []

    def folders(self, path: Path) -> Iterator[str]:
        """Yield the names of the folders in a folder that do not begin with a dot, sorted."""
        try:
            with os.scandir(path) as entries:
                found = [entry.name for entry in entries if entry.name[:1] != "." and entry.is_dir()]
        except FileNotFoundError:
            return
        yield from sorted(found)

    def lock(self, path: Path) -> int | None:
        """Return the descriptor of a lock file that nobody else holds, or None."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, self._file_mode)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return None
        return fd
