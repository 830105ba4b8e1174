"""What a GET is answered with: files, and what the server says of itself at `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from afanasy_py.msg.http import HttpAnswer, HttpError

if TYPE_CHECKING:
    from afanasy_py.guard import Guard
    from afanasy_py.metrics import Metrics
    from afanasy_py.msg.framing import Request
    from afanasy_py.net.files import Files

#: Says what is wrong; an empty text: nothing.
Check = Callable[[], str]


class Site:
    """Answers GET, HEAD and OPTIONS."""

    def __init__(self, files: Files, guard: Guard, metrics: Metrics, alive: Check, ready: Check) -> None:
        """Prepare.

        Args:
            files: Answers all other paths.
            guard: Tells who may look.
            metrics: The numbers.
            alive: Why the server should be started again.
            ready: Why clients should not be sent here.
        """
        self._files = files
        self._guard = guard
        self._metrics = metrics
        self._checks = {"/healthz": alive, "/readyz": ready}

    def answer(self, request: Request, peer: str) -> HttpAnswer:
        """Return the answer to a request; may wait.

        Raises:
            HttpError: It is refused.
        """
        head = request.head
        assert head is not None
        path = head.path()
        if head.method == "OPTIONS" or (path != "/metrics" and path not in self._checks):
            return self._files.answer(request, with_tasks=self._guard.may_fetch(request, peer))
        with_body = head.method != "HEAD"
        if path == "/metrics":
            if not self._guard.may_fetch(request, peer):
                raise HttpError(403, "Access denied: the numbers are for those who may look at the farm")
            kind, text = self._metrics.page(head.headers.get("accept", ""))
            return HttpAnswer(200, kind, text, with_body=with_body)
        trouble = self._checks[path]()
        body = f"{trouble or 'ok'}\n".encode()
        return HttpAnswer(503 if trouble else 200, body=body, with_body=with_body)
