"""What each request needs of who sends it, while access control is on, and what the audit log hears of it.

Who somebody is, the gate says (`access.gate`); the rights of roles are in `access.roles`. Functions here do
nothing while access control is off: then callers have no identity.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from afanasy_py.access.roles import Right, denial
from afanasy_py.core.changes import AuditEntry
from afanasy_py.errors import RequestError
from afanasy_py.msg.types import MsgType

if TYPE_CHECKING:
    from afanasy_py.access.gate import DeniedError, Gate
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller

#: So many nodes of one action are named in the audit log; the others are counted.
NAMED_MOST = 20

#: {binary message: the right that it needs}; others need `Right.READ`.
_MESSAGE_RIGHTS: dict[int, Right] = {
    MsgType.TRenderRegister: Right.RENDER,
    MsgType.TRenderUpdate: Right.RENDER,
    MsgType.TRenderDeregister: Right.RENDER,
    MsgType.TMonitorDeregister: Right.READ,
    MsgType.TString: Right.OWN_JOBS,
}
#: Answered to everybody: nothing of the farm is in the answer, and nothing happens.
_HARMLESS = frozenset({MsgType.TVersionMismatch, MsgType.TInvalid})


# -- who it is


def identify(farm: Farm, gate: Gate, caller: Caller, auth: Any) -> Caller:
    """Return a caller with its identity.

    Raises:
        DeniedError: It is not known.
    """
    identity = gate.identify(caller.address, auth, caller.token, farm.now, secure=caller.secure)
    return caller._replace(identity=identity)


def check_message(farm: Farm, gate: Gate, caller: Caller, msg_type: int) -> Caller:
    """Return the sender of a binary message with its identity.

    Raises:
        DeniedError: It is not known.
        RequestError: It may not send that.
    """
    if msg_type in _HARMLESS:
        return caller
    caller = identify(farm, gate, caller, None)
    try:
        require(caller, _MESSAGE_RIGHTS.get(msg_type, Right.READ))
    except RequestError as error:
        _tell(farm, gate, caller, str(error))
        raise
    return caller


def _tell(farm: Farm, gate: Gate, caller: Caller, why: str) -> None:
    """Write into the server's log that somebody was refused; programs of the farm ask again and again."""
    if gate.is_news(caller.address, farm.now):
        farm.line(f"Refused: peer={caller.address} {why}", logging.WARNING)


def note_denied(farm: Farm, gate: Gate, caller: Caller, error: DeniedError) -> None:
    """Tell the log that somebody is not known, and the audit log of a login that failed."""
    _tell(farm, gate, caller, str(error))
    if error.failed:
        entry = AuditEntry("", caller.address, "", error.failed, refused=str(error))
        farm.changes.audits.append(entry)


# -- what it may do


def require(caller: Caller, right: Right, what: str = "") -> None:
    """Refuse a caller that lacks a right.

    Args:
        caller: Who asks.
        right: What is needed.
        what: What exactly was asked for, after "may not"; empty: the right in general.

    Raises:
        RequestError: It lacks it.
    """
    if caller.identity is not None and not caller.identity.has(right):
        raise RequestError(denial(caller.identity, right, what))


def user_of(caller: Caller, claimed: str) -> str:
    """Return the user that somebody is: as the server knows it, else what it says itself."""
    return caller.identity.user or claimed if caller.identity is not None else claimed


def check_job(caller: Caller, params: Any) -> None:
    """Refuse a job of another user.

    Raises:
        RequestError: It may not be sent.
    """
    if caller.identity is None:
        return
    require(caller, Right.OWN_JOBS)
    claimed = params.get("user_name") if type(params) is dict else ""
    owner = claimed if type(claimed) is str else ""
    if owner != user_of(caller, owner):
        require(caller, Right.ALL_JOBS, f"send jobs of the user {owner}")


def check_user(caller: Caller, name: str) -> None:
    """Refuse to make another user.

    Raises:
        RequestError: It may not be made.
    """
    if caller.identity is not None:
        own = name == user_of(caller, name)
        require(caller, Right.OWN_JOBS if own else Right.FARM, f"make the user {name}")


def check_monitor(caller: Caller, monitor: Any) -> None:
    """Refuse the monitor of somebody else: who reads its events takes them away.

    Raises:
        RequestError: It is another's.
    """
    if caller.identity is not None and monitor.user_name != user_of(caller, monitor.user_name):
        require(caller, Right.FARM, f"use the monitor of {monitor.user_name}")


def check_action(caller: Caller, kind: str, node: Any, request: dict[str, Any]) -> None:
    """Refuse an action on a node.

    Args:
        caller: Who acts.
        kind: jobs, renders, ...
        node: What is acted on.
        request: The action; its `user_name` is the one that the server knows, when it knows one.

    Raises:
        RequestError: It may not be done.
    """
    if caller.identity is None:
        return
    user: str = request["user_name"]
    if kind == "jobs":
        right = Right.OWN_JOBS if node.user_name == user else Right.ALL_JOBS
        require(caller, right, f"change the job {node.name} of {node.user_name}")
        params = request.get("params")
        if type(params) is dict and params.get("user_name", node.user_name) != node.user_name:
            require(caller, Right.ALL_JOBS, f"give the job {node.name} to another user")
    elif kind == "monitors":
        require(caller, Right.READ)
        if node.user_name != user or operation_type(request) == "message":
            require(caller, Right.FARM, f"do this to the monitor {node.name}")
    elif kind == "users" and node.name == user and "params" not in request and _moves_jobs(request):
        require(caller, Right.OWN_JOBS)
    else:
        require(caller, Right.FARM, f"change {kind}, as {node.name}")


def _moves_jobs(request: dict[str, Any]) -> bool:
    name = operation_type(request)
    return type(name) is str and name.startswith("move_jobs_")


def operation_type(request: dict[str, Any]) -> Any:
    """Return what an action calls its operation, which may be of any type; None: it has no operation."""
    operation = request.get("operation")
    return operation.get("type") if type(operation) is dict else None


# -- the audit log


def note(farm: Farm, caller: Caller, action: str, *, user: str = "", refused: str = "") -> None:
    """Tell the audit log of something that somebody did, or was refused.

    Args:
        farm: Where.
        caller: Who.
        action: What, in a few words.
        user: Who it says it is, when the server does not know.
        refused: Why not; empty: it was done.
    """
    if not farm.keeps_audit:
        return
    identity = caller.identity
    how = f"{identity.how} {identity.role.value}" if identity is not None else "open"
    farm.changes.audits.append(AuditEntry(user_of(caller, user), caller.address, how, action, refused))


def note_action(
    farm: Farm, caller: Caller, request: dict[str, Any], names: Iterable[str], refused: str = ""
) -> None:
    """Tell the audit log of an action on nodes."""
    if not farm.keeps_audit:
        return
    named = list(names)
    if not named:
        return
    operation, params = operation_type(request), request.get("params")
    if not refused and request["type"] == "monitors" and operation == "watch":
        return  # who watches only looks
    words = [str(request["type"])]
    words += [str(operation)] if type(request.get("operation")) is dict else []
    words += [f"set {','.join(map(str, params))[:200]}"] if type(params) is dict else []
    more = f" and {len(named) - NAMED_MOST} more" if len(named) > NAMED_MOST else ""
    what = f"{' '.join(words)}: {', '.join(named[:NAMED_MOST])}{more}"
    note(farm, caller, what, user=request["user_name"], refused=refused)
