"""The server by a clock that a test moves.

Usage: clocked_server.py FILE ARGUMENTS...; the file holds Unix seconds, the rest is for `afserver`.
"""

import sys
from pathlib import Path

from afanasy_py import (
    app,
    cli,  # the first import: it patches
    clock,
)

FILE = Path(sys.argv.pop(1))


def read() -> float:
    return float(FILE.read_text())


class MovedClock(clock.Clock):
    """Goes where the test wants it, at once."""

    def __init__(self) -> None:
        super().__init__(read, read)


if __name__ == "__main__":
    app.Clock = MovedClock  # type: ignore[misc]
    sys.exit(cli.main())
