"""Long work in steps: others have their turn between two of them."""

import gevent

#: The pause between steps. Without any, gevent would go on for fifty steps before it looks whether somebody
#: has asked something.
TURN_SECONDS = 1e-6


def let_others() -> None:
    """Let all others run who can, and take in what has come."""
    gevent.sleep(TURN_SECONDS)
