"""Files for browsers: what may be fetched, and nothing else. Source: http-auth 3; wire-protocol 1.6."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from gevent import get_hub

from afanasy_py.msg.http import HttpAnswer, HttpError

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


class Files:
    """Answers GET, HEAD and OPTIONS."""

    def __init__(self, root: str, store: Path, settings: Settings) -> None:
        """Prepare.

        Args:
            root: Folder whose files are served; empty: none.
            store: The server's store; files of tasks in it can be fetched as `@TMP@<absolute path>`.
            settings: Names of index files.
        """
        self._root = Path(root).resolve() if root else None
        self._jobs = (store / "jobs").absolute()
        self._settings = settings

    def answer(self, request: Request) -> HttpAnswer:
        """Return a file, or why not."""
        head = request.head
        if head is None:
            raise HttpError(400, "a GET without a head")
        if head.method == "OPTIONS":
            return HttpAnswer(204, more=(("Allow", "GET, HEAD, POST, OPTIONS"),))
        raw = unquote_to_bytes(head.path())
        if b"\0" in raw:
            raise HttpError(400, "the path has a NUL")
        path = raw.decode("utf-8", "surrogateescape").lstrip("/").lstrip("\\")
        answer = get_hub().threadpool.apply(self._find, (path,))
        etag = answer.more[0][1] if answer.more else None
        if etag is not None and head.headers.get("if-none-match") == etag:
            return HttpAnswer(304, answer.content_type, more=answer.more, with_body=False)
        if head.method == "HEAD":
            return HttpAnswer(answer.status, answer.content_type, answer.body, answer.more, with_body=False)
        return answer

    def list_folder(self, path: str) -> list[str]:
        """Return the names in a folder below the root, without those that begin with a dot (json-api 4.8)."""
        if not path or ".." in path or ":" in path or path[0] in "/\\" or self._root is None:
            return []
        folder = (self._root / path).resolve()
        if not folder.is_relative_to(self._root) or not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))

    def _find(self, path: str) -> HttpAnswer:
        if path.startswith("@TMP@"):
            return self._task_file(path[len("@TMP@") :])
        if self._root is None:
            return HttpAnswer(200, TYPES[".html"], _PAGE) if len(path) <= 1 else not_found()
        settings = self._settings
        if len(path) <= 1:
            path = settings.af_http_site_index.lstrip("/")
            if not path or not (self._root / path).is_file():
                return HttpAnswer(200, TYPES[".html"], _PAGE)
        elif path.endswith("/"):
            path += settings.af_http_directory_index
        elif "." not in path.rpartition("/")[2]:
            path += "/" + settings.af_http_directory_index
        if any(part.startswith(".") for part in path.split("/")):
            return not_found()
        target = (self._root / path).resolve()
        if not target.is_relative_to(self._root) or target.suffix.lower() not in TYPES:
            return not_found()
        return _read(target, TYPES[target.suffix.lower()])

    def _task_file(self, text: str) -> HttpAnswer:
        """Return a file of a task: below the jobs of the store, in its task's folder."""
        wanted = Path(text)
        if not wanted.is_absolute():
            return not_found()
        target, jobs = wanted.resolve(), self._jobs.resolve()
        if not target.is_relative_to(jobs):
            return not_found()
        parts = target.relative_to(jobs).parts
        # <T>/<id>.<name>/tasks/<B>.<t>/files/<name>
        if len(parts) != 6 or parts[2] != "tasks" or parts[4] != "files" or parts[5].startswith("."):
            return not_found()
        kind = TYPES.get(target.suffix.lower(), _ANY_TYPE)
        # A file that a task made must not run as a page of this server.
        return _read(target, kind if kind.startswith("image/") and "svg" not in kind else _ANY_TYPE)


def _read(path: Path, kind: str) -> HttpAnswer:
    try:
        if not path.is_file() or not 0 < path.stat().st_size <= SIZE_MOST:
            return not_found()
        body = path.read_bytes()
    except OSError:
        return not_found()
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return HttpAnswer(200, kind, body, (("ETag", etag),))
