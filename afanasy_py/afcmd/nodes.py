"""What all kinds of nodes have: list, show, log, set. One row for each kind says what its table shows."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from afanasy_py.afcmd.command import Session, UsageError, Words, add, chosen, singular
from afanasy_py.afcmd.params import read_params
from afanasy_py.afcmd.tables import Column, details, moment, table
from afanasy_py.client import Json
from afanasy_py.errors import RequestError


def state(node: Json) -> str:
    """Return the state of a node as text."""
    return str(node.get("state", "")).strip() or ("PAU" if node.get("paused") else "")


def _sum(key: str) -> Any:
    return lambda job: sum(block.get(key, 0) for block in job.get("blocks", ()))


def _running(node: Json) -> str:
    """Return how many tasks a node runs, and its limit."""
    number, most = node.get("running_tasks_num", 0), node.get("max_running_tasks", -1)
    return f"{number}/{most}" if most >= 0 else f"{number}"


def _tasks(render: Json) -> str:
    return ", ".join(
        f"{task.get('job_name', '')}[{task.get('block_name', '')}][{task.get('name', '')}]"
        for task in render.get("tasks", ())
    )


def _capacity(node: Json) -> str:
    used, most = node.get("capacity_used", node.get("run_capacity", 0)), node.get("capacity_host", -1)
    return f"{used}/{most}" if most >= 0 else f"{used}"


def _created(node: Json) -> str:
    return moment(node.get("time_creation", 0))


_ID = Column("ID", "id")
_NAME = Column("NAME", "name")
_PRIORITY = Column("PRIO", "priority")
_USER = Column("USER", "user_name")
_RUNNING = Column("RUNNING", _running, ("running_tasks_num", "max_running_tasks"))
_STATE = Column("STATE", state, ("state", "paused"))

BLOCK_COLUMNS = (
    Column("BLOCK", "block_num"),
    _NAME,
    Column("SERVICE", "service"),
    Column("STATE", state),
    Column("%", lambda block: block.get("p_percentage", 0)),
    Column("TASKS", "tasks_num"),
    Column("DONE", lambda block: block.get("p_tasks_done", 0)),
    Column("READY", lambda block: block.get("p_tasks_ready", 0)),
    Column("RUN", lambda block: block.get("running_tasks_counter", 0)),
    Column("ERR", lambda block: block.get("p_tasks_error", 0)),
    Column("CAPACITY", "capacity"),
    Column("WAITS FOR", lambda block: block.get("depend_mask", "") or block.get("tasks_depend_mask", "")),
)

_RUN_COLUMNS = (
    Column("JOB", "job_id"),
    Column("BLOCK", "block_num"),
    Column("TASK", "task_num"),
    Column("USER", "user_name"),
    Column("NAME", lambda task: f"{task.get('job_name', '')}[{task.get('block_name', '')}][{task['name']}]"),
    Column("SINCE", lambda task: moment(task.get("time_start", 0))),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node.

    Attributes:
        noun: Its name in requests and the member of its lists.
        columns: What its table shows.
        inner: Lists of objects that `show` shows as tables below: {member: columns}.
        aliases: What the C++ `afcmd` calls (list, show, log).
        mode: Mode of `get` that shows more of one node; empty: there is none.
    """

    noun: str
    columns: Sequence[Column]
    inner: tuple[tuple[str, Sequence[Column]], ...] = ()
    aliases: tuple[str, str, str] = ("", "", "")
    mode: str = ""


KINDS = {
    kind.noun: kind
    for kind in (
        Kind(
            "jobs",
            (
                _ID,
                _NAME,
                _USER,
                _PRIORITY,
                Column("STATE", state, ("state",)),
                Column("TASKS", _sum("tasks_num"), ("blocks",)),
                Column("DONE", _sum("p_tasks_done"), ("blocks",)),
                Column("READY", _sum("p_tasks_ready"), ("blocks",)),
                _RUNNING,
                Column("ERR", _sum("p_tasks_error"), ("blocks",)),
                Column("BRANCH", "branch"),
                Column("CREATED", _created, ("time_creation",)),
            ),
            (("blocks", BLOCK_COLUMNS),),
            aliases=("jlist", "jid", "jlog"),
            mode="full",
        ),
        Kind(
            "renders",
            (
                _ID,
                _NAME,
                _PRIORITY,
                Column("STATE", state, ("state",)),
                _USER,
                Column("POOL", "pool"),
                Column("CAPACITY", _capacity, ("capacity_used", "capacity_host")),
                Column("ENGINE", "engine"),
                Column("TASKS", _tasks, ("tasks",)),
            ),
            (("tasks", _RUN_COLUMNS),),
            aliases=("rlist", "", ""),
        ),
        Kind(
            "users",
            (
                _ID,
                _NAME,
                _PRIORITY,
                _STATE,
                Column("JOBS", lambda user: user.get("jobs_num", 0), ("jobs_num",)),
                Column("RUNNING JOBS", lambda user: user.get("running_jobs_num", 0), ("running_jobs_num",)),
                _RUNNING,
                Column("HOST", "host_name"),
                Column("LAST SEEN", lambda user: moment(user.get("time_activity", 0)), ("time_activity",)),
            ),
            aliases=("ulist", "", ""),
        ),
        Kind(
            "branches",
            (
                _ID,
                _NAME,
                _PRIORITY,
                _STATE,
                Column("JOBS", lambda branch: branch.get("jobs_total", 0), ("jobs_total",)),
                Column("DONE", lambda branch: branch.get("jobs_done", 0), ("jobs_done",)),
                Column("READY TASKS", lambda branch: branch.get("tasks_ready", 0), ("tasks_ready",)),
                _RUNNING,
                Column("ERR TASKS", lambda branch: branch.get("tasks_error", 0), ("tasks_error",)),
                Column(
                    "SOLVES", lambda branch: "jobs" if branch.get("solve_jobs") else "users", ("solve_jobs",)
                ),
            ),
            (
                ("active_jobs", (_ID, _NAME, _USER, Column("STATE", state), _RUNNING)),
                ("active_users", (_ID, _NAME, _RUNNING)),
            ),
        ),
        Kind(
            "pools",
            (
                _ID,
                _NAME,
                _PRIORITY,
                Column("STATE", state, ("state",)),
                Column("HOSTS", "renders_total"),
                Column("ONLINE", "renders_online"),
                Column("BUSY", "renders_busy"),
                Column("READY", "renders_ready"),
                Column("TASKS", lambda pool: pool.get("run_tasks", 0), ("run_tasks",)),
                Column("PATTERN", "pattern"),
            ),
            aliases=("plist", "", "plog"),
        ),
        Kind(
            "monitors",
            (
                _ID,
                _NAME,
                Column("ENGINE", "engine"),
                Column("ADDRESS", lambda monitor: monitor.get("address", {}).get("ip", ""), ("address",)),
                Column("SINCE", lambda monitor: moment(monitor.get("time_launch", 0)), ("time_launch",)),
                Column("EVENTS", lambda monitor: len(monitor.get("events", ())), ("events",)),
            ),
            aliases=("mlist", "", "mlog"),
        ),
    )
}


def nodes(session: Session, noun: str, words: Iterable[str], **members: Any) -> list[Json]:
    """Return nodes of a kind in the order of the server: all, or those with one of the ids or names.

    Raises:
        UsageError: An expression is none.
    """
    wanted = list(words)
    found: list[Json]
    if wanted and "ids" in (selected := chosen(wanted)):
        found = session.get(noun, **selected, **members).get(noun) or []
        return found
    try:
        names = [re.compile(word) for word in wanted]
    except re.error as error:
        raise UsageError(f"not an expression: {error}") from None
    found = session.get(noun, **members).get(noun) or []
    # The mask of a `get` is no expression but beginnings of names (json-api 4), so it is not for this.
    return [node for node in found if not names or any(name.fullmatch(node["name"]) for name in names)]


def the_id(session: Session, noun: str, word: str) -> int:
    """Return the id of one node, given as id or as name.

    Raises:
        RequestError: No node, or several, have this name.
    """
    if word.isdecimal():
        return int(word)
    found = nodes(session, noun, [f"{re.escape(word)}|{word}"], fields=["id", "name"])
    found = [node for node in found if node["name"] == word] or found
    if len(found) != 1:
        raise RequestError(f"{len(found) or 'no'} {noun} have the name {word}; one is needed")
    return int(found[0]["id"])


def _list(kind: Kind, session: Session, words: Words) -> None:
    members: Json = {}
    if not session.as_json:  # servers that do not know `fields` send everything
        keys = ["id", "name", *(key for column in kind.columns for key in column.members())]
        members["fields"] = list(dict.fromkeys(keys))
    if words.get("--users"):
        members["users"] = words["--users"].split(",")
    found = nodes(session, kind.noun, words[f"<{singular(kind.noun)}>"], **members)
    session.show({kind.noun: found}, table(found, kind.columns))


def _show(kind: Kind, session: Session, words: Words) -> None:
    word = words[f"<{singular(kind.noun)}>"]
    mode = {"mode": kind.mode} if kind.mode else {}
    found = nodes(session, kind.noun, [str(the_id(session, kind.noun, word))], **mode)
    if not found:
        raise RequestError(f"no {singular(kind.noun)} has the id {word}")
    if session.as_json:
        session.show_json(found[0])
        return
    for node in found:
        session.say(details(node, skip=[member for member, _ in kind.inner]))
        for member, columns in kind.inner:
            if node.get(member):
                session.say(f"\n{member}:\n" + table(node[member], columns))


def show_lines(session: Session, noun: str, word: str, mode: str) -> None:
    """Show what a node answers in lines: its log and the like."""
    answer = session.get(noun, ids=[the_id(session, noun, word)], mode=mode)
    session.show(answer, "\n".join(answer.get("message", {}).get("list", [])))


def _log(kind: Kind, session: Session, words: Words) -> None:
    show_lines(session, kind.noun, words[f"<{singular(kind.noun)}>"], "log")


def _set(kind: Kind, session: Session, words: Words) -> None:
    params = read_params(kind.noun, words["<name=value>"])
    session.act(kind.noun, chosen(words[f"<{singular(kind.noun)}>"]), params=params)


def _add_all() -> None:
    for noun, kind in KINDS.items():
        one = f"<{singular(noun)}>"
        listing, showing, log = kind.aliases
        users = (
            (("--users=NAMES", "Only jobs of these users, separated by commas."),) if noun == "jobs" else ()
        )
        what = f"{noun}, or those with one of the ids or names."
        add(
            f"{noun} list",
            f"[{one}...]",
            partial(_list, kind),
            f"List all {what}",
            alias=listing,
            options=users,
        )
        add(f"{noun} show", one, partial(_show, kind), "Show all that is known of one.", alias=showing)
        add(f"{noun} log", one, partial(_log, kind), "Show the log of one.", alias=log)
        add(f"{noun} set", f"{one} <name=value>...", partial(_set, kind), "Set parameters.")


_add_all()
