"""Files for browsers: what may be fetched, and nothing else.

A path is decoded, its links are followed, and what comes out must lie in one of the folders of the web site,
where only files of known types can be fetched, or be a file of a task in the store. No name of a folder of
this host goes out. Source: http-auth 3; wire-protocol 1.6.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import unquote_to_bytes

from gevent.threadpool import ThreadPool

from afanasy_py.msg.http import ALLOWED_METHODS, HttpAnswer, HttpError
from afanasy_py.net.page_policy import page_headers
from afanasy_py.paths import web_dir

if TYPE_CHECKING:
    from afanasy_py.msg.framing import Request
    from afanasy_py.msg.http import Headers, HttpHead
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

#: A file that a task made must not run as a page of this server.
_TASK_HEADERS = (("Content-Security-Policy", "sandbox; default-src 'none'"),)

_NOT_FOUND = (
    b"<!DOCTYPE html><html><head><title>AFANASY 404</title></head>"
    b"<body><h1>404</h1><p>There is no such file on this server.</p></body></html>"
)
#: Where the server's own page is, also beside the web GUI of CGRU.
_OWN = "afserver"
#: It loads nothing from elsewhere, runs no script but its own, and a new version is seen at once.
_OWN_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_OWN_HEADERS = (
    ("Content-Security-Policy", _OWN_POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
)


def not_found() -> HttpAnswer:
    """Return the answer for what there is not; it tells nothing of this host's folders."""
    return HttpAnswer(404, "text/html; charset=UTF-8", _NOT_FOUND)


def _file_answer(path: Path, kind: str, more: Headers, head: HttpHead) -> HttpAnswer:
    """Return a file, or only that it is still the one that the browser has; reads the disk.

    Args:
        path: Its links are followed already.
        kind: Content type.
        more: Headers of the answer.
        head: Of the request.
    """
    number = -1
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode) or not 0 < facts.st_size <= SIZE_MOST:
            return not_found()
        tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'
        more = (("ETag", tag), ("Last-Modified", formatdate(int(facts.st_mtime), usegmt=True)), *more)
        if _is_known(head, tag, facts.st_mtime):
            return HttpAnswer(304, kind, more=more)
        with open(number, "rb", closefd=False) as file:
            body = file.read(SIZE_MOST)
        return HttpAnswer(
            200, kind, body, (*more, *page_headers(body)) if kind.startswith("text/html") else more
        )
    except OSError:
        return not_found()
    finally:
        if number >= 0:
            os.close(number)


def _is_known(head: HttpHead, tag: str, changed_at: float) -> bool:
    """Return whether a browser says that it has a file as it is now; its tag counts more than its time."""
    tags = head.headers.get("if-none-match")
    if tags is not None:
        # What lies between may have made the tags weak ones; the file is the same all the same.
        return tags.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in tags.split(","))
    since = head.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return int(changed_at) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError, OSError):
        return False


def _shows(path: PurePath) -> bool:
    """Return whether no part of a path below its root is hidden."""
    return not any(part.startswith(".") for part in path.parts)


def _own_file(name: str) -> tuple[Path, str, Headers] | None:
    """Return a file of the server's own page, its type and headers."""
    target = web_dir() / (name or "index.html")
    kind = TYPES.get(target.suffix)
    if "/" in name or "\\" in name or kind is None or not target.is_file():
        return None
    return target, kind, _OWN_HEADERS


class Files:
    """Answers GET, HEAD and OPTIONS."""

    def __init__(self, root: str, store: Path, settings: Settings) -> None:
        """Prepare.

        Args:
            root: Folder whose files are served; empty: none.
            store: The server's store; files of tasks in it can be fetched as `@TMP@<absolute path>`.
            settings: Names of folders and of index files.
        """
        self._jobs = (store / "jobs").absolute()
        self._pool = ThreadPool(THREADS)
        self.reconfigure(root, settings)

    def reconfigure(self, root: str, settings: Settings) -> None:
        """Take over what may change while the server runs."""
        self._root = Path(root).resolve() if root else None
        self._settings = settings
        index_folder = str(PurePath(settings.af_http_site_index.lstrip("/")).parent)
        #: Folders of the web site; those that are links are followed.
        self._folders = [
            (self._root / folder.strip("/")).resolve()
            for folder in (
                *settings.af_http_folders,
                *([index_folder] if settings.af_http_site_index else ()),
            )
            if self._root is not None and folder and ".." not in PurePath(folder).parts
        ]

    def answer(self, request: Request, *, with_tasks: bool = True) -> HttpAnswer:
        """Return a file, or why not; waits for the disk.

        Args:
            request: What was asked.
            with_tasks: Whether files of tasks may be fetched.

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
        if path.startswith(_STORE_MARK) and not with_tasks:
            raise HttpError(403, "Access denied: files of tasks are for those who have logged in")
        answer = self._in_thread(lambda: self._find(path, head))
        if head.method == "HEAD":
            return HttpAnswer(answer.status, answer.content_type, answer.body, answer.more, with_body=False)
        return answer

    def list_folder(self, path: str) -> list[str]:
        """Return the names in a folder of the web site, without those that begin with a dot (json-api 4.8)."""
        root = self._root
        if not path or ".." in path or ":" in path or path[0] in "/\\" or "\0" in path or root is None:
            return []

        def names() -> list[str]:
            try:
                folder = (root / path).resolve()
                if not self._is_of_site(folder):
                    return []
                return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
            except (OSError, RuntimeError):
                return []

        return self._in_thread(names)

    def _in_thread(self, function: Callable[[], T]) -> T:
        # GEVENT: the farm changes meanwhile.
        return cast("T", self._pool.apply(function))

    def _is_of_site(self, target: Path) -> bool:
        """Return whether a path, its links followed, is in a folder of the web site and not hidden."""
        return any(
            target.is_relative_to(folder) and _shows(target.relative_to(folder)) for folder in self._folders
        )

    def _find(self, path: str, head: HttpHead) -> HttpAnswer:
        """Return the file of a path; runs in a thread."""
        try:
            if path.startswith(_STORE_MARK):
                found = self._in_store(path[len(_STORE_MARK) :])
            elif len(path) <= 1:
                # COMPAT(http-one-letter): a path of one letter is the site's index too.
                found = self._in_root(self._settings.af_http_site_index.lstrip("/"))
                found = found or _own_file("")
            elif path == _OWN or path.startswith(f"{_OWN}/"):
                found = _own_file(path[len(_OWN) + 1 :])
            else:
                found = self._in_root(path)
        except (OSError, RuntimeError):  # a name that is too long, or links in a circle
            found = None
        return _file_answer(*found, head) if found is not None else not_found()

    def _in_root(self, path: str) -> tuple[Path, str, Headers] | None:
        """Return the file that is served for a path, its type and headers."""
        root = self._root
        if root is None or not path:
            return None
        if path.endswith("/"):
            path += self._settings.af_http_directory_index
        elif "." not in path.rpartition("/")[2]:
            path += "/" + self._settings.af_http_directory_index
        target = (root / path).resolve()
        kind = TYPES.get(target.suffix.lower())
        if kind is None or not self._is_of_site(target) or not target.is_file():
            return None
        return target, kind, ()

    def _in_store(self, text: str) -> tuple[Path, str, Headers] | None:
        """Return a file of a task, given by its absolute path, its type and headers."""
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
        kind = kind if kind.startswith("image/") and "svg" not in kind else _ANY_TYPE
        return target, kind, _TASK_HEADERS
