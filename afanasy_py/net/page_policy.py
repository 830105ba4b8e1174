"""What a page may run: its own scripts and nothing that a name on the farm brings in.

The web GUI of CGRU writes names, annotations and masks into its pages as HTML, so whoever may name a job could
put a script into the browser of an admin. The policy lets a browser run files of this server, and of the
scripts inside of the page those that the file on the disk has, known by their digests.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afanasy_py.msg.http import Headers

#: Scripts inside of a bigger page are not looked for, so they do not run.
SIZE_MOST = 1024 * 1024


class _Scripts(HTMLParser):
    """Finds the scripts that are in a page itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: dict[str, None] = {}
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith("on") and value:
                self.found[value] = None
        if tag == "script" and not any(name == "src" for name, _ in attrs):
            self._text = []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._text is not None:
            self.found["".join(self._text)] = None
            self._text = None


@lru_cache(maxsize=32)
def page_headers(body: bytes) -> Headers:
    """Return the headers of a page that keep foreign scripts from running, and the page out of others' frames."""
    digests: list[str] = []
    if len(body) <= SIZE_MOST:
        parser = _Scripts()
        parser.feed(body.decode("utf-8", "replace").replace("\r\n", "\n"))
        parser.close()
        for script in parser.found:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            digests.append(f" 'sha256-{digest}'")
    inside = " 'unsafe-hashes'" + "".join(digests) if digests else ""
    policy = f"script-src 'self'{inside}; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
    return (("Content-Security-Policy", policy),)
