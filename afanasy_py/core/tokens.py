"""Tokens of submissions: who sends a job twice, since the first answer got lost, gets the first job again.

An addition of this server: a client may put a text of its own into `"token"` of a job. The same token within a
day is answered with the id and serial of the job that it made, whatever became of that job, and no second job is
made. `Job.token` goes to the store with the job, so that this holds over a restart while the job is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from afanasy_py.core.fields import ABSENT, get_str
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.job import Job

#: Seconds for which a token is known.
TOKEN_TIME = 86400
#: Characters of a token.
TOKEN_SIZE_MAX = 256
#: So many tokens are known; the oldest go first.
TOKENS_MAX = 100_000


class Made(NamedTuple):
    """The job that a token made."""

    id: int
    serial: int
    #: When the token is forgotten, Unix seconds.
    until: float


def read_token(params: Any) -> str:
    """Return the token of a submission; empty: it has none.

    Raises:
        RequestError: It is too long.
    """
    token = get_str(params, "token") if type(params) is dict else ABSENT
    if token is ABSENT:
        return ""
    if len(token) > TOKEN_SIZE_MAX:
        raise RequestError(f"Invalid job: its token is longer than {TOKEN_SIZE_MAX} characters.")
    return str(token)


class Tokens:
    """The tokens of the last day."""

    def __init__(self) -> None:
        #: {token: what it made}, the oldest first.
        self._made: dict[str, Made] = {}

    def __len__(self) -> int:
        return len(self._made)

    def find(self, token: str, now: float) -> Made | None:
        """Return what a token made; None: it is not known."""
        made = self._made.get(token) if token else None
        return made if made is not None and now < made.until else None

    def keep(self, token: str, job: Job, now: float) -> None:
        """Note the job that a token made."""
        if not token:
            return
        job.token = token
        self._made.pop(token, None)
        self._made[token] = Made(job.id, job.serial, now + TOKEN_TIME)
        while self._made:
            oldest = next(iter(self._made))
            if len(self._made) <= TOKENS_MAX and now < self._made[oldest].until:
                break
            del self._made[oldest]

    def learn(self, jobs: Iterable[Job], now: float) -> None:
        """Take in the tokens of jobs that were loaded."""
        for job in sorted(jobs, key=lambda job: (job.time_creation, job.id)):
            if job.token and now < job.time_creation + TOKEN_TIME:
                self._made[job.token] = Made(job.id, job.serial, job.time_creation + TOKEN_TIME)
