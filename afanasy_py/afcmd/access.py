"""Commands for access tokens of this server; the C++ one has none."""

from afanasy_py.afcmd.command import Session, UsageError, Words, command
from afanasy_py.afcmd.tables import Column, moment, table


@command(
    "tokens create",
    "<user> <role>",
    options=(
        ("--days=N", "It is valid for so many days, else until it is revoked."),
        ("--note=TEXT", "What it is for."),
    ),
)
def create(session: Session, words: Words) -> None:
    """Make an access token, and show it: the server keeps only its digest.

    Roles are read, render, artist, manager and admin.
    """
    try:
        days = int(words["--days"] or 0)
    except ValueError:
        raise UsageError("--days should be a number") from None
    answer = session.ask(
        {
            "access": {
                "operation": "create",
                "user": words["<user>"],
                "role": words["<role>"],
                "days": days,
                "note": words["--note"] or "",
            }
        }
    )
    session.show(answer, str(answer["token"]["text"]))


@command("tokens list")
def list_tokens(session: Session, _words: Words) -> None:
    """List access tokens; what they are themselves nobody knows."""
    answer = session.ask({"access": {"operation": "list"}})
    session.show(answer, table(answer["tokens"], _COLUMNS))


def _time(key: str) -> Column:
    return Column(key, lambda token: moment(token[key]) or "never")


_COLUMNS = (
    *(Column(key, key) for key in ("id", "user", "role")),
    *map(_time, ("created", "expires", "used")),
    Column("note", "note"),
)


@command("tokens revoke", "<id>")
def revoke(session: Session, words: Words) -> None:
    """Make an access token worth nothing, at once."""
    answer = session.ask({"access": {"operation": "revoke", "id": words["<id>"]}})
    session.show(answer, str(answer["info"]["text"]))
