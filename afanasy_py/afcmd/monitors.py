"""Commands for monitors, and a monitor of our own for commands that wait for news."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from afanasy_py.afcmd.command import Session, UsageError, Words, chosen, command, compact, integer, operation
from afanasy_py.client import Json, NoAnswerError
from afanasy_py.errors import RequestError

POLL_S = 1.0
#: Kinds of nodes whose events a monitor can watch.
CLASSES = ("jobs", "renders", "pools", "users", "branches", "monitors")

operation("monitors", "exit", "Ask GUIs to exit.")


@command("monitors message", "<monitor> <text>")
def message(session: Session, words: Words) -> None:
    """Show a text in GUIs."""
    operation_ = {"type": "message", "text": words["<text>"]}
    session.act("monitors", chosen(words["<monitor>"]), operation=operation_)


@command("monitors deregister", "<monitor>...")
def deregister(session: Session, words: Words) -> None:
    """Forget monitors; those that live register again."""
    try:
        session.act("monitors", chosen(words["<monitor>"]), operation={"type": "deregister"})
    except NoAnswerError:  # that is how the server does it
        session.show({}, "Done.")


@command(
    "monitors watch",
    "<monitor> <class>",
    options=(
        ("--unsubscribe", "Watch it no more."),
        ("--ids=IDS", "Jobs, for class tasks."),
        ("--uid=ID", "Whose jobs it may see, for class perm; 0: all."),
        ("--place=J,B,T", "Job, or job, block and task, for class listen."),
    ),
)
def watch(session: Session, words: Words) -> None:
    """Change what a monitor is told of.

    `<class>`: jobs, renders, pools, users, branches, monitors, tasks, perm or listen.
    """
    status = "unsubscribe" if words["--unsubscribe"] else "subscribe"
    members: Json = {"type": "watch", "class": words["<class>"], "status": status}
    try:
        if words["--ids"]:
            members["ids"] = [int(word) for word in words["--ids"].split(",")]
        if words["--uid"]:
            members["uid"] = int(words["--uid"])
        if words["--place"]:
            places = [int(word) for word in words["--place"].split(",")]
            members.update(zip(("job", "block", "task"), places, strict=False))
    except ValueError as error:
        raise UsageError(f"not a number: {error}") from None
    session.act("monitors", chosen(words["<monitor>"]), operation=members)


@command("monitors events", "<monitor>")
def take_events(session: Session, words: Words) -> None:
    """Take the events that wait for a monitor; it will not get them any more."""
    answer = session.get("monitors", ids=[integer(words, "<monitor>")], mode="events")
    if "events" not in answer:
        raise RequestError(f"there is no monitor {words['<monitor>']}")
    session.show(answer, _lines(answer["events"] or {}))


def _lines(events: Json) -> str:
    return "\n".join(
        f"{name} {value if isinstance(value, str) else compact(value)}" for name, value in events.items()
    )


@command("watch", "[<class>...]")
def watch_farm(session: Session, words: Words) -> None:
    """Show what happens on the farm, one event in a line, until Ctrl-C; without <class> everything."""
    classes = words["<class>"] or CLASSES
    with Monitor(session) as monitor:
        monitor.watch("perm", uid=0)
        for name in classes:
            if name not in CLASSES:
                raise UsageError(f"there is no class {name}; there are: {' '.join(CLASSES)}")
            monitor.watch(name)
        for events in monitor.events():
            if events:
                session.show({"events": events}, _lines(events))


class Monitor:
    """A monitor that lives as long as a `with` block."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._who = {"user_name": session.user_name, "host_name": session.host_name}
        self.id = 0

    def __enter__(self) -> "Monitor":  # noqa: PYI034 - Self is not in Python 3.10
        answer = self._session.ask({"monitor": {**self._who, "engine": "afcmd"}})
        self.id = int(answer.get("monitor", {}).get("id", 0))
        if self.id <= 0:
            raise RequestError("the server takes no more monitors")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._act({"type": "deregister"})
        except NoAnswerError:
            pass  # that is how the server does it
        except Exception:
            if error is None:  # else the first one tells more
                raise

    def watch(self, name: str, **members: Any) -> None:
        """Let the server tell of a class of things."""
        self._act({"type": "watch", "class": name, "status": "subscribe", **members})

    def _act(self, operation: Json) -> None:
        action = {**self._who, "type": "monitors", "ids": [self.id], "operation": operation}
        self._session.ask({"action": action})

    def events(self, limit_s: float = float("inf")) -> Iterator[Json]:
        """Yield the events of each second, an empty object when there are none.

        Raises:
            RequestError: The server does not know the monitor any more.
        """
        while limit_s > 0:
            answer = self._session.get("monitors", ids=[self.id], mode="events")
            if "events" not in answer:
                raise RequestError("the server has forgotten this monitor")
            yield answer["events"] or {}
            self._session.pause(POLL_S)
            limit_s -= POLL_S
