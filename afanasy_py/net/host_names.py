"""Names under which browsers may call this server."""

from __future__ import annotations

import logging

from gevent import socket

from afanasy_py.msg.http import HttpError, HttpHead, check_site

log = logging.getLogger(__name__)


class HostNames:
    """Knows the names of this host, and checks who asks."""

    def __init__(self) -> None:
        #: `af_http_hosts`, in lower case.
        self.listed: frozenset[str] = frozenset()
        self._own = {socket.gethostname().lower()}
        self._asked = False

    def check(self, head: HttpHead) -> None:
        """Refuse requests under a foreign name, and of pages of other sites; may wait for the resolver once.

        Raises:
            HttpError: 403.
        """
        try:
            check_site(head, self._own, self.listed)
        except HttpError:
            if self._asked:
                raise
            self._asked = True
            # Only now, and only once: without a name server the answer takes seconds.
            self._own.add(socket.getfqdn().lower())
            check_site(head, self._own, self.listed)
