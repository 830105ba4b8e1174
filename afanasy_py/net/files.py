"""Files for browsers: what may be fetched, and nothing else.

A path is decoded, its links are followed, and what comes out must lie below one of two folders: the one that
is served, where only files of known types can be fetched, and the files of tasks in the store. No name of a
folder of this host goes out. Source: http-auth 3; wire-protocol 1.6.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import unquote_to_bytes

from gevent.threadpool import ThreadPool

from afanasy_py.msg.http import ALLOWED_METHODS, HttpAnswer, HttpError

if TYPE_CHECKING:
    from afanasy_py.msg.framing import Request
    from afanasy_py.settings import Settings

#: Types by ending. A file of another ending is not served from the tree.
TYPES = {
    ".html": "text/html; charset=UTF-8",
    ".htm": "text/html; charset=UTF-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".webp": "image/webp",
    ".txt": "text/plain; charset=UTF-8",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
}
_ANY_TYPE = "application/octet-stream"
#: A bigger file is not sent; the web GUI's and thumbnails are far smaller.
SIZE_MOST = 64 * 1024 * 1024
#: Threads that read; the served folder may be on a slow disk of the network.
THREADS = 4
#: What a path of the store begins with.
_STORE_MARK = "@TMP@"

T = TypeVar("T")

_NOT_FOUND = (
    b"<!DOCTYPE html><html><head><title>AFANASY 404</title></head>"
    b"<body><h1>404</h1><p>There is no such file on this server.</p></body></html>"
)
_PAGE = (
    b"<!DOCTYPE html><html><head><title>afserver</title></head>"
    b"<body><h1>afserver</h1><p>The server works. The web GUI of CGRU is served when the server runs in a "
    b"CGRU tree (<code>af_http_serve_dir</code>).</p></body></html>"
)


def not_found() -> HttpAnswer:
    """Return the answer for what there is not; it tells nothing of this host's folders."""
    return HttpAnswer(404, "text/html; charset=UTF-8", _NOT_FOUND)


def _file_answer(path: Path, kind: str, known_tag: str | None) -> HttpAnswer:
    """Return a file; reads the disk.

    Args:
        path: Its links are followed already.
        kind: Content type.
        known_tag: `ETag` of what the browser has.
    """
    number = -1
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode) or not 0 < facts.st_size <= SIZE_MOST:
            return not_found()
        tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'
        more = (("ETag", tag),)
        if known_tag == tag:
            return HttpAnswer(304, kind, more=more)
        with open(number, "rb", closefd=False) as file:
            return HttpAnswer(200, kind, file.read(SIZE_MOST), more)
    except OSError:
        return not_found()
    finally:
        if number >= 0:
            os.close(number)


def _shows(path: PurePath) -> bool:
    """Return whether no part of a path below its root is hidden."""
    return not any(part.startswith(".") for part in path.parts)


class Files:
    """Answers GET, HEAD and OPTIONS."""

    def __init__(self, root: str, store: Path, settings: Settings) -> None:
        """Prepare.

        Args:
            root: Folder whose files are served; empty: none.
            store: The server's store; files of tasks in it can be fetched as `@TMP@<absolute path>`.
            settings: Names of index files.
        """
        self._jobs = (store / "jobs").absolute()
        self._pool = ThreadPool(THREADS)
        self.reconfigure(root, settings)

    def reconfigure(self, root: str, settings: Settings) -> None:
        """Take over what may change while the server runs."""
        self._root = Path(root).resolve() if root else None
        self._settings = settings

    def answer(self, request: Request) -> HttpAnswer:
        """Return a file, or why not; waits for the disk.

        Raises:
            HttpError: The path is broken.
        """
        head = request.head
        assert head is not None
        if head.method == "OPTIONS":
            return HttpAnswer(204, more=(("Allow", ALLOWED_METHODS),))
        raw = unquote_to_bytes(head.path())
        if not raw.startswith(b"/") or b"\0" in raw:
            raise HttpError(400, "the path is broken")
        path = raw.decode("utf-8", "surrogateescape").lstrip("/\\")
        known_tag = head.headers.get("if-none-match")
        answer = self._in_thread(lambda: self._find(path, known_tag))
        if head.method == "HEAD":
            return HttpAnswer(answer.status, answer.content_type, answer.body, answer.more, with_body=False)
        return answer

    def list_folder(self, path: str) -> list[str]:
        """Return the names in a folder below the root, without those that begin with a dot (json-api 4.8)."""
        root = self._root
        if not path or ".." in path or ":" in path or path[0] in "/\\" or "\0" in path or root is None:
            return []

        def names() -> list[str]:
            try:
                folder = (root / path).resolve()
                if not folder.is_relative_to(root) or not _shows(folder.relative_to(root)):
                    return []
                return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
            except (OSError, RuntimeError):
                return []

        return self._in_thread(names)

    def _in_thread(self, function: Callable[[], T]) -> T:
        # GEVENT: the farm changes meanwhile.
        return cast("T", self._pool.apply(function))

    def _find(self, path: str, known_tag: str | None) -> HttpAnswer:
        """Return the file of a path; runs in a thread."""
        try:
            if path.startswith(_STORE_MARK):
                found = self._in_store(path[len(_STORE_MARK) :])
            elif len(path) <= 1:
                # COMPAT(http-one-letter): a path of one letter is the site's index too.
                found = self._in_root(self._settings.af_http_site_index.lstrip("/"))
                if found is None:
                    return HttpAnswer(200, TYPES[".html"], _PAGE)
            else:
                found = self._in_root(path)
        except (OSError, RuntimeError):  # a name that is too long, or links in a circle
            found = None
        return _file_answer(*found, known_tag) if found is not None else not_found()

    def _in_root(self, path: str) -> tuple[Path, str] | None:
        """Return the file that is served for a path, and its type."""
        root = self._root
        if root is None or not path:
            return None
        if path.endswith("/"):
            path += self._settings.af_http_directory_index
        elif "." not in path.rpartition("/")[2]:
            path += "/" + self._settings.af_http_directory_index
        target = (root / path).resolve()
        kind = TYPES.get(target.suffix.lower())
        if kind is None or not target.is_relative_to(root) or not target.is_file():
            return None
        return (target, kind) if _shows(target.relative_to(root)) else None

    def _in_store(self, text: str) -> tuple[Path, str] | None:
        """Return a file of a task, given by its absolute path, and its type."""
        wanted = Path(text)
        if not wanted.is_absolute():
            return None
        target, jobs = wanted.resolve(), self._jobs.resolve()
        if not target.is_relative_to(jobs):
            return None
        parts = target.relative_to(jobs).parts
        # <T>/<id>.<name>/tasks/<B>.<t>/files/<name>
        if len(parts) != 6 or parts[2] != "tasks" or parts[4] != "files" or parts[5].startswith("."):
            return None
        kind = TYPES.get(target.suffix.lower(), _ANY_TYPE)
        # A file that a task made must not run as a page of this server.
        return target, kind if kind.startswith("image/") and "svg" not in kind else _ANY_TYPE
