"""Names under which browsers may call this server, and pages that may use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gevent import socket

from afanasy_py.msg.http import Headers, HttpError, HttpHead, check_site, listed_origin, site_headers

if TYPE_CHECKING:
    from afanasy_py.settings import Settings


class HostNames:
    """Knows the names of this host, and checks who asks."""

    def __init__(self) -> None:
        #: Names that the settings give, in lower case, with a port or without.
        self._listed: frozenset[str] = frozenset()
        self._origins: frozenset[str] = frozenset()
        self._own = with_short_names([socket.gethostname()])
        self._asked = False

    def reconfigure(self, settings: Settings) -> None:
        """Take over what the settings list."""
        self._listed = frozenset(name.lower() for name in (*settings.af_http_hosts, settings.af_servername))
        self._origins = frozenset(origin.lower().rstrip("/") for origin in settings.af_http_origins)

    def check(self, head: HttpHead, *, secure: bool = False) -> None:
        """Refuse requests under a foreign name, and of pages of other sites; may wait for the resolver once.

        Args:
            head: What came.
            secure: It came by TLS.

        Raises:
            HttpError: 403.
        """
        try:
            self._check(head, secure=secure)
        except HttpError:
            if self._asked:
                raise
            self._asked = True
            # Only now, and only once: without a name server the answer takes seconds.
            self._own |= with_short_names(_names_of_this_host())
            self._check(head, secure=secure)

    def _check(self, head: HttpHead, *, secure: bool) -> None:
        check_site(head, self._own | self._listed, self._origins, secure=secure)

    def more_headers(self, head: HttpHead) -> Headers:
        """Return the headers that let a page of a listed site read the answer."""
        origin = listed_origin(head, self._origins)
        return site_headers(origin) if origin else ()


def with_short_names(names: Iterable[str]) -> frozenset[str]:
    """Return names in lower case, whole and cut at their first dot."""
    lower = {name.lower().rstrip(".") for name in names}
    return frozenset(lower | {name.partition(".")[0] for name in lower}) - {""}


def _names_of_this_host() -> list[str]:
    """Return the full name of this host and its aliases, as the resolver knows them."""
    names = [socket.getfqdn()]
    try:
        name, aliases, _ = socket.gethostbyname_ex(socket.gethostname())
    except OSError:
        return names
    return [*names, name, *aliases]
