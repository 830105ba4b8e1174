"""Requests of clients: which function answers what.

JSON requests go by the first known member of their root (json-api 3), binary ones by their type
(`core.handlers`). A request that is understood and refused raises `RequestError`, whose text is the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from afanasy_py.access.roles import Right
from afanasy_py.core import access, registration, replies
from afanasy_py.core.tokens import read_token
from afanasy_py.errors import RequestError
from afanasy_py.msg.answers import Answer, JsonAnswer

if TYPE_CHECKING:
    from afanasy_py.access.roles import Identity
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job

Json = dict[str, Any]


class Caller(NamedTuple):
    """Who asks; one is made for each message, so it is the quickest kind of value."""

    #: Its address, without the port.
    address: str
    #: True when the request came as a binary message, so that answers may be binary too.
    binary: bool = False
    #: What came beside the request to say who asks, empty: nothing; and whether it came by TLS.
    token: str = ""
    secure: bool = False
    #: Who it is; None: access control is off.
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class ReadOutput:
    """An answer that needs a file of the store: the output of start number `start` of a task.

    The shell reads the file and calls `finish` with its bytes, or with the text that says why not.
    """

    job_id: int
    block_num: int
    task_num: int
    start: int
    finish: Callable[[bytes | str], Answer]


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """An answer that needs the files that a render sent of a task; block and task -1: the thumbnail of the job.

    The shell calls `finish` with (path, content) of each file; it leaves the contents empty unless they are wanted.
    """

    job_id: int
    block_num: int
    task_num: int
    contents: bool
    finish: Callable[[list[tuple[str, bytes]]], Answer]


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """An answer that takes long to make: the shell lets others have their turn at each step."""

    steps: Generator[None, None, Answer]

    def finish(self) -> Answer:
        """Make the answer without a pause."""
        while True:
            try:
                next(self.steps)
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer


@dataclass(frozen=True, slots=True)
class SlowAction(SlowAnswer):
    """An action on very many nodes: each step changes the farm, and is a call of its own for the shell."""


@dataclass(frozen=True, slots=True)
class AskServer:
    """A request to the server and not to the farm: its configuration, files, or log.

    `what` is one of: access, config, files, reload_config, save.
    """

    what: str
    params: Any


@dataclass(frozen=True, slots=True)
class RunFirst:
    """A job with commands that must run on the server before its answer.

    The job is part of the farm, locked. The shell runs the commands in order and then calls
    `registration.finish_commands`, which unlocks it and returns the answer.
    """

    job: Job
    #: (what the log puts before the command, command, working directory)
    commands: tuple[tuple[str, str, str], ...]


#: What a call of the farm gives back.
Result = Answer | ReadOutput | ReadFiles | SlowAnswer | AskServer | RunFirst

Handler = Callable[["Farm", Any, Caller], Result]


def handle_json(farm: Farm, root: Json, caller: Caller) -> Result:
    """Answer a JSON request."""
    if caller.identity is not None:
        access.require(caller, Right.READ)
    for name, handler in _ROOTS:
        if name in root and (name != "get" or type(root["get"]) is dict):
            try:
                return handler(farm, root[name], caller)
            except RequestError as error:
                return replies.error(str(error))
    return replies.error("Invalid action.")


def _get(farm: Farm, params: Any, caller: Caller) -> Result:
    from afanasy_py.core.queries import answer_get

    return answer_get(farm, params, caller)


def _action(farm: Farm, params: Any, caller: Caller) -> Result:
    from afanasy_py.core.actions import act

    return act(farm, params, caller)


def _job(farm: Farm, params: Any, caller: Caller) -> Result:
    if farm.demo:
        raise RequestError("Job registration is not allowed: Server demo mode.")
    try:
        token = read_token(params)
        made = farm.tokens.find(token, farm.now)
        if made is not None:
            return replies.reply({"id": made.id, "serial": made.serial})
        if refusal := farm.why_no_jobs():
            raise RequestError(refusal)
        access.check_job(caller, params)
        job = registration.read_job(farm, params)
        registration.check_commands(farm, job)
        commands = registration.commands_before(job)
        if commands:
            access.require(caller, Right.SERVER, "run commands on the server (command_pre)")
        job.sender = f"{job.user_name}@{job.host_name} {caller.address}"
        job.runs_first = bool(commands)
        registration.register(farm, job)
        farm.tokens.keep(token, job, farm.now)
    except RequestError as error:
        farm.line(f"Job refused: {error}", logging.WARNING)
        access.note(
            farm, caller, f"job {_claimed(params, 'name')}", user=_claimed(params), refused=str(error)
        )
        return replies.reply({"id": 0, "serial": 0, "error": str(error)})
    access.note(farm, caller, f"job {job.name}[{job.id}] of {job.user_name}", user=job.user_name)
    if commands:
        return RunFirst(job, commands)
    return registration.finish(farm, job)


def _monitor(farm: Farm, params: Any, caller: Caller) -> Result:
    from afanasy_py.core.watching import register_monitor

    params = params if type(params) is dict else {}
    if caller.identity is not None and caller.identity.user:
        params["user_name"] = caller.identity.user
    return register_monitor(farm, params, caller)


def _user(farm: Farm, params: Any, caller: Caller) -> Result:
    params = params if type(params) is dict else {}
    access.check_user(caller, _claimed(params, "name"))
    access.note(farm, caller, f"user {_claimed(params, 'name')}")
    return registration.register_user(farm, params)


def _announce(farm: Farm, params: Any, caller: Caller) -> Result:
    access.require(caller, Right.FARM, "speak to all monitors")
    access.note(farm, caller, f"announce {params!s:.200}")
    if type(params) is not str or not params:
        return replies.error("Invalid action.")
    from afanasy_py.core.watching import announce

    announce(farm, params)
    return replies.status("announce", "OK", good=True)


def _claimed(params: Any, key: str = "user_name") -> str:
    """Return a text of a request, empty when it is none."""
    value = params.get(key) if type(params) is dict else None
    return value[:200] if type(value) is str else ""


def _ask_server(what: str, *named: str) -> Handler:
    """Make a handler of what the server itself answers.

    Args:
        what: See `AskServer`.
        named: Members that the audit log names.
    """

    def ask(farm: Farm, params: Any, caller: Caller) -> Result:
        told = " ".join([what, *(f"{key}={text}" for key in named if (text := _claimed(params, key)))])
        try:
            access.require(caller, Right.SERVER, told)
        except RequestError as error:
            access.note(farm, caller, told, refused=str(error))
            raise
        access.note(farm, caller, told)
        return AskServer(what, params)

    return ask


#: In the order in which they are looked for.
_ROOTS: tuple[tuple[str, Handler], ...] = (
    ("get", _get),
    ("action", _action),
    ("job", _job),
    ("monitor", _monitor),
    ("user", _user),
    ("reload_config", _ask_server("reload_config")),
    ("announce", _announce),
    ("save", _ask_server("save", "path")),
    ("access", _ask_server("access", "operation", "user", "role", "id")),
)

__all__ = [
    "AskServer",
    "Caller",
    "JsonAnswer",
    "ReadFiles",
    "ReadOutput",
    "Result",
    "RunFirst",
    "SlowAnswer",
    "handle_json",
]
