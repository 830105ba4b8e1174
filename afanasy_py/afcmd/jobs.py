"""Commands for jobs and their blocks; what a job waits for."""

import json
import sys
from pathlib import Path
from typing import Any

from afanasy_py.afcmd import why
from afanasy_py.afcmd.command import (
    Session,
    UsageError,
    Words,
    chosen,
    command,
    integer,
    integers,
    operation,
)
from afanasy_py.afcmd.nodes import BLOCK_COLUMNS, nodes, show_lines, the_id
from afanasy_py.afcmd.params import read_params
from afanasy_py.afcmd.tables import Column, details, table
from afanasy_py.client import Json
from afanasy_py.errors import RequestError
from afanasy_py.msg.types import State

for _name, _about, _alias in (
    ("start", "Let paused jobs start tasks again.", "jstart"),
    ("pause", "Start no more tasks; what runs goes on.", "jpause"),
    ("stop", "Stop running tasks and pause.", "jstop"),
    ("restart", "Begin anew: all tasks become ready.", "jrestart"),
    ("restart_pause", "Begin anew, paused.", ""),
    ("restart_errors", "Make tasks with an error ready again.", ""),
    ("restart_running", "Stop running tasks and make them ready again.", ""),
    ("restart_skipped", "Make skipped tasks ready again.", ""),
    ("restart_done", "Make done tasks ready again.", ""),
    ("restart_warnings", "Make tasks with a warning ready again.", ""),
    ("reset_error_hosts", "Forget which hosts had errors.", ""),
    ("reset_trying_next_tasks", "Forget which tasks should be tried next.", ""),
    ("delete", "Delete jobs; what runs is stopped.", "jdel"),
):
    operation("jobs", _name, _about, alias=_alias)

WAIT_STEP_S = 1.0


@command("jobs error_hosts", "<job>")
def error_hosts(session: Session, words: Words) -> None:
    """Show which hosts had errors, and which are avoided."""
    show_lines(session, "jobs", words["<job>"], "error_hosts")


@command(
    "jobs why",
    "<job> [<block> [<task>...]]",
    options=(("--host=NAME", "List all that this host lacks, in place of counting hosts by reason."),),
)
def show_why(session: Session, words: Words) -> None:
    """Show why tasks do not start: what is paused, waits or is used up, and how many hosts lack what.

    `<block>`: its number, or numbers as 0,2-3. Asked of this server; the C++ one gives the job instead.
    """
    asked: Json = {"ids": [the_id(session, "jobs", words["<job>"])], "mode": "why"}
    if words["<block>"]:
        asked["block_ids"] = integers(words["<block>"])
    if words["<task>"]:
        asked["task_ids"] = [number for word in words["<task>"] for number in integers(word)]
    if words["--host"]:
        asked["host"] = words["--host"]
    answer = session.get("jobs", **asked)
    if "why" not in answer:
        raise RequestError("this server cannot say why tasks wait")
    session.show(answer, why.text(answer["why"]))


@command(
    "jobs wait",
    "<job>...",
    options=(("--limit=SECONDS", "Give up after so many seconds."),),
)
def wait(session: Session, words: Words) -> None:
    """Wait until jobs are done.

    Fails when one has an error and nothing of it runs or is ready any more, when it is gone, or at the limit.
    """
    left = [the_id(session, "jobs", word) for word in words["<job>"]]
    limit = float(words["--limit"] or "inf")
    while True:
        found = {
            job["id"]: job for job in nodes(session, "jobs", map(str, left), fields=["id", "name", "st"])
        }
        for number in list(left):
            if number not in found:
                raise RequestError(f"job {number} is not there")
            st = State(found[number]["st"])
            if st & State.DON:
                left.remove(number)
                session.show({"job": found[number]}, f"Job {number} is done.")
            elif st & State.ERR and not st & (State.RDY | State.RUN):
                raise RequestError(f"job {number} has an error")
        if not left:
            return
        if limit <= 0:
            raise RequestError(f"not done yet: {', '.join(map(str, left))}")
        session.pause(min(WAIT_STEP_S, limit))
        limit -= WAIT_STEP_S


@command("jobs append_blocks", "<job> <file>")
def append_blocks(session: Session, words: Words) -> None:
    """Append blocks that a JSON file describes: a list of blocks, or an object with one.

    `-`: standard input.
    """
    blocks = read_list(words["<file>"], "blocks")
    session.act("jobs", chosen(words["<job>"]), operation={"type": "append_blocks", "blocks": blocks})


# -- blocks


def chosen_blocks(word: str) -> Json:
    """Return which blocks an action is for: `all`, numbers, or beginnings of names."""
    if word == "all":
        return {"block_ids": [-1]}
    if word[:1].isdecimal():
        return {"block_ids": integers(word)}
    return {"block_mask": word}


def blocks_of(session: Session, job: int, form: str) -> list[Json]:
    """Return the blocks of a job: `progress`, `properties` or `full`."""
    found = nodes(session, "jobs", [str(job)])
    if not found:
        raise RequestError(f"job {job} is not there")
    numbers = list(range(len(found[0]["blocks"])))
    blocks: list[Json] = session.get("jobs", ids=[job], block_ids=numbers, mode=[form] * len(numbers))[
        "blocks"
    ]
    return blocks


@command("blocks list", "<job>")
def list_blocks(session: Session, words: Words) -> None:
    """List the blocks of a job."""
    blocks = blocks_of(session, the_id(session, "jobs", words["<job>"]), "properties")
    session.show({"blocks": blocks}, table(blocks, BLOCK_COLUMNS))


@command("blocks show", "<job> <block>")
def show_block(session: Session, words: Words) -> None:
    """Show all that is known of one block, with its tasks if they are explicit."""
    number = integer(words, "<block>")
    blocks = blocks_of(session, the_id(session, "jobs", words["<job>"]), "full")
    if not 0 <= number < len(blocks):
        raise RequestError(f"the job has no block {number}")
    block = blocks[number]
    if session.as_json:
        session.show_json(block)
        return
    session.say(details(block, skip=["tasks", "p_progressbar"]))
    rows = [{"task": number, **task} for number, task in enumerate(block.get("tasks", []))]
    if rows:
        columns = (Column("TASK", "task"), Column("NAME", "name"), Column("COMMAND", "command"))
        session.say("\ntasks:\n" + table(rows, columns))


@command("blocks set", "<job> <block> <name=value>...")
def set_block(session: Session, words: Words) -> None:
    """Set parameters of blocks.

    `<block>`: `all`, numbers as 0,2-3, or the beginning of a name; the same below.
    """
    params = read_params("blocks", words["<name=value>"])
    # The server reads some parameters of blocks for the job as well and shows a hidden job (json-api 8.3).
    session.act("jobs", chosen(words["<job>"]), **chosen_blocks(words["<block>"]), params=params)


def act_on_blocks(session: Session, words: Words, **members: Any) -> None:
    """Do an operation to blocks or their tasks."""
    session.act("jobs", chosen(words["<job>"]), **chosen_blocks(words["<block>"]), operation=members)


@command("blocks reset_error_hosts", "<job> <block>")
def reset_block_error_hosts(session: Session, words: Words) -> None:
    """Forget which hosts had errors in blocks."""
    act_on_blocks(session, words, type="reset_error_hosts")


@command("blocks append_tasks", "<job> <block> <file>")
def append_tasks(session: Session, words: Words) -> None:
    """Append tasks that a JSON file describes: a list of tasks, or an object with one."""
    act_on_blocks(session, words, type="append_tasks", tasks=read_list(words["<file>"], "tasks"))


@command("blocks tickets", "<job> <block> <name> <count>")
def block_tickets(session: Session, words: Words) -> None:
    """Set how many of a ticket each task takes; -1: none any more."""
    act_on_blocks(session, words, type="tickets", name=words["<name>"], count=integer(words, "<count>"))


# -- files


def read_json(path: str) -> Any:
    """Return what a JSON file holds; `-` is standard input.

    Raises:
        UsageError: It cannot be read, or is not JSON.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        return json.loads(text, strict=False)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from None


def read_list(path: str, member: str) -> list[Any]:
    """Return a list that a JSON file holds, as a whole or as a member.

    Raises:
        UsageError: There is none.
    """
    value = read_json(path)
    value = value.get(member) if isinstance(value, dict) else value
    if not isinstance(value, list):
        raise UsageError(f'{path}: neither a list nor an object with a list "{member}"')
    return value
