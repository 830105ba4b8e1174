"""Commands for tasks: their states, output and logs, and what can be done to them."""

from functools import partial

from afanasy_py.afcmd.command import Session, UsageError, Words, add, command, integer, integers
from afanasy_py.afcmd.jobs import act_on_blocks, chosen_blocks
from afanasy_py.afcmd.monitors import Monitor
from afanasy_py.afcmd.nodes import state, the_id
from afanasy_py.afcmd.tables import Column, details, moment, table
from afanasy_py.client import Json, no_output
from afanasy_py.errors import RequestError
from afanasy_py.msg.types import State

#: How the server answers for a task that runs when nobody can be told later (json-api 4.2, sic).
RUNNING = "Can't get ouput of a running task."
OUTPUT_LIMIT_S = 30
_WHERE = "<job> <block> <task>"

TASK_COLUMNS = (
    Column("BLOCK", "block"),
    Column("TASK", "task"),
    Column("STATE", state),
    Column("%", "per"),
    Column("STARTS", lambda task: task.get("str", 0)),
    Column("ERRORS", lambda task: task.get("err", 0)),
    Column("HOST", "hst"),
    Column("STARTED", lambda task: moment(task.get("tst", 0))),
    Column("DONE", lambda task: moment(task.get("tdn", 0))),
    Column("ACTIVITY", "act"),
)


def _place(session: Session, words: Words) -> Json:
    """Return the members of a request that say which task."""
    return {
        "ids": [the_id(session, "jobs", words["<job>"])],
        "block_ids": [integer(words, "<block>")],
        "task_ids": [integer(words, "<task>")],
    }


@command("tasks list", "<job> [<block>]", alias="jprog")
def list_tasks(session: Session, words: Words) -> None:
    """List the tasks of a job, or of some of its blocks, with their states."""
    answer = session.get("jobs", ids=[the_id(session, "jobs", words["<job>"])], mode="progress")
    blocks = answer.get("job_progress", {}).get("progress", [])
    wanted = integers(words["<block>"]) if words["<block>"] else range(len(blocks))
    if any(number >= len(blocks) for number in wanted):
        raise RequestError(f"the job has {len(blocks)} blocks")
    rows = [
        {"block": block, "task": number, **task}
        for block in wanted
        for number, task in enumerate(blocks[block])
    ]
    session.show({"tasks": rows}, table(rows, TASK_COLUMNS))


@command("tasks info", _WHERE)
def info(session: Session, words: Words) -> None:
    """Show what a task is: its commands, frames, progress."""
    answer = session.get("jobs", mode="info", **_place(session, words))
    task = answer.get("task", {})
    shown = {key: value for key, value in task.items() if key not in {"data", "type", "exec", "render_id"}}
    session.show(answer, details({**shown, **task.get("exec", {})}))


def _texts(mode: str, session: Session, words: Words) -> None:
    answer = session.get("jobs", mode=mode, **_place(session, words))
    session.show(answer, str(answer.get("task", {}).get("data", "")))


add("tasks log", _WHERE, partial(_texts, "log"), "Show the log of a task.", alias="tlog")
add("tasks error_hosts", _WHERE, partial(_texts, "error_hosts"), "Show which hosts had errors in a task.")


@command("tasks files", _WHERE)
def files(session: Session, words: Words) -> None:
    """List the files that hosts have sent for a task, as thumbnails."""
    answer = session.get("jobs", mode="files", **_place(session, words))
    names = [file.get("name", "") for file in answer.get("task_files", {}).get("files", [])]
    session.show(answer, "\n".join(names))


@command(
    "tasks output",
    _WHERE,
    options=(("--number=N", "Output of start N, counted from 1; else of the last one."),),
    alias="tout",
)
def output(session: Session, words: Words) -> None:
    """Show what a task has written; of a running one the host is asked for it."""
    place = _place(session, words)
    if words["--number"]:
        place["number"] = integer(words, "--number")
    answer = session.get("jobs", mode="output", **place)
    if answer.get("task", {}).get("data") == f"ERROR: {RUNNING}":
        answer = _running_output(session, place)
    refused = no_output(answer.get("task", {}))
    if refused is not None:
        raise RequestError(refused)
    session.show(answer, str(answer.get("task", {}).get("data", "")))


def _running_output(session: Session, place: Json) -> Json:
    """Return the output of a running task, which the server fetches from the host.

    Raises:
        RequestError: It does not come in time.
    """
    with Monitor(session) as monitor:
        answer = session.get("jobs", mode="output", mon_id=monitor.id, **place)
        if not answer.get("task", {}).get("render_id"):  # the task has ended meanwhile, or has gone
            return answer
        for events in monitor.events(OUTPUT_LIMIT_S):
            for task in events.get("tasks_outputs", []):
                return {"task": task}
    raise RequestError(f"the host has not sent the output within {OUTPUT_LIMIT_S} seconds")


@command("tasks follow", _WHERE)
def follow(session: Session, words: Words) -> None:
    """Show what a running task writes, until it ends or Ctrl-C."""
    place = _place(session, words)
    job, block, task = place["ids"][0], place["block_ids"][0], place["task_ids"][0]
    with Monitor(session) as monitor:
        monitor.watch("listen", job=job, block=block, task=task)
        monitor.watch("tasks", ids=[job])
        state = session.get("jobs", mode="info", **place)["task"]["progress"]["st"]
        for events in monitor.events():
            for heard in events.get("tasks_listens", []):
                session.show({"task": heard}, str(heard.get("data", "")))
            for changed in events.get("tasks_progress", []):
                for where in zip(changed["blocks"], changed["tasks"], changed["progress"], strict=True):
                    if changed["job_id"] == job and where[:2] == (block, task):
                        state = where[2]["st"]
            if not state & State.RUN:
                return


# -- operations

_DEPENDS = (("--affect-depends", "Do the same to the tasks that these depend on."),)


def _operate(name: str, session: Session, words: Words) -> None:
    members: Json = {"type": name}
    numbers = [number for word in words["<task>"] for number in integers(word)]
    if numbers:  # none: all tasks
        members["task_ids"] = numbers
    if words["--affect-depends"]:
        members["mode"] = "affect_depends"
    act_on_blocks(session, words, **members)


for _name, _about, _alias in (
    ("skip", "Skip tasks: they count as done.", ""),
    ("done", "Make tasks done.", ""),
    ("suspend", "Suspend tasks until `continue`.", ""),
    ("continue", "Make suspended tasks ready again.", ""),
    ("restart", "Make tasks ready again, whatever they are.", "trestart"),
    ("restart_running", "Stop running tasks and make them ready again.", ""),
    ("restart_skipped", "Make skipped tasks ready again.", ""),
    ("restart_done", "Make done tasks ready again.", ""),
    ("restart_errors", "Make tasks with an error ready again.", ""),
):
    _arguments = "<job> <block> [<task>...]"
    add(f"tasks {_name}", _arguments, partial(_operate, _name), _about, options=_DEPENDS, alias=_alias)


@command("tasks trynext", "<job> <block> <task>...", options=(("--remove", "Take them off again."),))
def trynext(session: Session, words: Words) -> None:
    """Start these tasks before others."""
    numbers = [number for word in words["<task>"] for number in integers(word)]
    if not chosen_blocks(words["<block>"]).get("block_ids"):
        raise UsageError("trynext needs numbers of blocks")
    mode = "remove" if words["--remove"] else "append"
    act_on_blocks(session, words, type="trynext", mode=mode, task_ids=numbers)
