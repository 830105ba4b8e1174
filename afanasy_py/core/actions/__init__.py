"""Actions: what clients do to nodes, chosen by ids or a mask; one module for each kind of node.

`act` checks the envelope and goes through the nodes; what an operation or a parameter does is said by the
functions of the modules, each registered under the name that clients send. Source: json-api 7.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from afanasy_py.core import access, replies
from afanasy_py.core.actions import branches, jobs, monitors, pools, renders, users
from afanasy_py.core.actions.action import Action, Json
from afanasy_py.core.farm import LOG_KINDS
from afanasy_py.core.fields import ABSENT, apply_node_params, get_ints, get_str
from afanasy_py.core.masks import compile_pattern, why_invalid
from afanasy_py.core.requests import SlowAction
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller
    from afanasy_py.core.table import Table
    from afanasy_py.msg.answers import Answer

#: {type of an action: what is done to each of its nodes}
KINDS: dict[str, Callable[[Action, Any], None]] = {
    "branches": branches.act_on,
    "jobs": jobs.act_on,
    "monitors": monitors.act_on,
    "pools": pools.act_on,
    "renders": renders.act_on,
    "users": users.act_on,
}

#: Kinds whose log lines are kept from the statistics.
_UNRECORDED = frozenset({"monitors"})

#: So many jobs are deleted in one step, a millisecond or two of work.
STEP_JOBS = 20


def act(farm: Farm, request: Any, caller: Caller) -> Answer | SlowAction:
    """Answer an action; very many jobs are deleted in steps.

    Raises:
        RequestError: The request as a whole is refused.
    """
    if caller.identity is not None and caller.identity.user and type(request) is dict:
        request["user_name"] = caller.identity.user
    kind, ids, mask = _read_envelope(request)
    operation = access.operation_type(request)
    if operation == "launch_cmd" and not farm.settings.af_server_launch_cmd:
        raise RequestError("Commands on hosts are switched off (af_server_launch_cmd).")
    action = Action(farm, request, caller)
    table: Table[Any] = getattr(farm, kind)
    found = [] if ids else _find_by_mask(table, mask)
    steps = SlowAction(_act_on_all(action, kind, _each_of_ids(action, table, ids) if ids else iter(found)))
    is_long = kind == "jobs" and operation == "delete" and (len(ids) or len(found)) > STEP_JOBS
    return steps if is_long else steps.finish()


def _act_on_all(action: Action, kind: str, nodes: Iterator[Any]) -> Generator[None, None, Answer]:
    """Do an action to all its nodes, end the cycle and return the answer; a step takes `STEP_JOBS` nodes."""
    farm, request, caller = action.farm, action.request, action.caller
    answer: Answer = replies.error("Action node(s) not found.")
    done: list[str] = []
    refused: list[str] = []
    why = ""
    for node in nodes:
        answer = replies.info("Action processed.", "log")
        if node.gone or node.locked:
            continue
        try:
            access.check_action(caller, kind, node, request)
        except RequestError as error:
            why = str(error)
            action.error(why)
            refused.append(node.name)
            continue
        done.append(node.name)
        _act_on_node(action, kind, node)
        if not len(done) % STEP_JOBS:
            yield
    access.note_action(farm, caller, request, done)
    access.note_action(farm, caller, request, refused, why)
    answer = action.answer(answer)
    farm.cycle.pass_one()
    return answer


def _read_envelope(request: Any) -> tuple[str, list[int], str]:
    """Return the type, the ids and the mask of an action."""
    kind = get_str(request, "type") if type(request) is dict else ABSENT
    if kind is ABSENT or not kind:
        raise RequestError("Invalid action.")
    ids = get_ints(request, "ids")
    mask = get_str(request, "mask")
    if not ids and (mask is ABSENT or not mask):
        raise RequestError("JSON action should have nodes ids or mask to operate with.")
    for key in ("user_name", "host_name"):
        value = get_str(request, key)
        if value is ABSENT or not value:
            raise RequestError(f'Action should have a not empty "{key}" string.')
    if kind not in KINDS:
        raise RequestError(f"Action has unknown type: '{kind}'")
    return kind, ids, mask


def _each_of_ids(action: Action, table: Table[Any], ids: list[int]) -> Iterator[Any]:
    """Yield the nodes of ids, in their order; a bad id is answered when its turn comes."""
    for node_id, node in [(node_id, table.by_id.get(node_id)) for node_id in ids]:
        if node is not None:
            yield node
        elif node_id >= table.capacity:
            action.error(f"Action node ID above container capacity: {node_id} >= {table.capacity}.")
        else:
            action.error(f"Action node ID not found: {node_id}.")


def _find_by_mask(table: Table[Any], mask: str) -> list[Any]:
    """Return the nodes whose whole name matches an expression, in list order."""
    compiled = compile_pattern(mask)
    if compiled is None:
        raise RequestError(f"AfContainer::action: Name pattern '{mask}' is invalid: {why_invalid(mask)}")
    nodes = [node for node in table if compiled.matches(node.name)]
    if not nodes:
        raise RequestError(f"{table.title}: No node matches '{mask}' found.")
    return nodes


def _act_on_node(action: Action, kind: str, node: Any) -> None:
    """Do an action to one node and write the log line; a malformed action is answered and not logged."""
    farm = action.farm
    action.begin(LOG_KINDS.get(kind, kind), node.name)
    try:
        _read_contents(action)
    except RequestError as error:
        action.error(str(error))
        return
    if action.operation is not None:
        action.add_log_type(action.operation["type"])
    if action.params is not None:
        apply_node_params(node, action.params, action.note)
        node.encoded.clear()
        action.add_log_type("params")
    KINDS[kind](action, node)
    user = farm.users.by_name.get(action.user_name)
    if user is not None and action.log_info:
        action.write_log(user, store=False)
        user.time_activity = int(farm.now)
        user.encoded.clear()
    action.write_log(node, store=kind not in _UNRECORDED)


def _read_contents(action: Action) -> None:
    request: Json = action.request
    if "operation" in request:
        operation = request["operation"]
        if type(operation) is not dict:
            raise RequestError('Action "operation" should be an object.')
        name = get_str(operation, "type")
        if name is ABSENT:
            raise RequestError('Action "operation" "type" should be a string.')
        if not name:
            raise RequestError('Action "operation" "type" string is empty.')
        action.operation = operation
    if "params" in request:
        if type(request["params"]) is not dict:
            raise RequestError('Action "params" should be an object.')
        action.params = request["params"]
    if action.operation is None and action.params is None:
        raise RequestError('Action should have an "operation" or(and) "params" object.')
