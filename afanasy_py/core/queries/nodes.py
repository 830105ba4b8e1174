"""Renders, users, branches, pools and monitors: lists, logs and the few other modes.

Source: json-api 4.5 to 4.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afanasy_py.core import access, replies, watching
from afanasy_py.core.branch import Branch
from afanasy_py.core.monitor import Monitor
from afanasy_py.core.node import Logged
from afanasy_py.core.pool import Pool
from afanasy_py.core.queries.encoding import (
    binary_node,
    fresh,
    json_branch,
    json_node,
    list_answer,
    with_fields,
)
from afanasy_py.core.queries.query import Query, query
from afanasy_py.core.render import Render
from afanasy_py.core.user import User
from afanasy_py.msg.answers import BinaryAnswer
from afanasy_py.msg.codecs import STRS, write_text
from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.records.general import General
from afanasy_py.msg.types import MsgType, render_state_text

if TYPE_CHECKING:
    from afanasy_py.core.requests import Result
    from afanasy_py.core.table import Table
    from afanasy_py.msg.record import Record

_write_texts = STRS.writer(None)

NO_TASKS = "No tasks execution."


# -- texts


def text_lines(asked: Query, node: Any, type_: str, lines: list[str]) -> Result:
    """Return lines about a node."""
    if asked.binary:
        return BinaryAnswer(MsgType.TStringList, _write_texts(lines))
    return replies.message(node.name, type_, lines)


def log_answer(asked: Query, node: Logged) -> Result:
    """Return the log of a node."""
    time_text = asked.farm.time_text
    lines = [
        f"{time_text(line.time)}: {line.subject}: {line.type}: {line.object}: {line.info}"
        for line in node.log_lines or ()
    ]
    return text_lines(asked, node, "log", lines)


# -- lists


def node_list(asked: Query, kind: str, record: type[Record], form: str, msg_type: MsgType) -> Result:
    """Return the list of nodes that a query selects."""
    nodes = asked.select(getattr(asked.farm, kind))
    if asked.fields:
        some = with_fields(record, form, asked.fields)
        return list_answer(asked, kind, nodes, lambda node: dump_json(some(node)), msg_type)
    encode = _ENCODERS[kind, "binary" if asked.binary else form]
    return list_answer(asked, kind, nodes, encode, msg_type)


_ENCODERS: dict[tuple[str, str], Callable[[Any], bytes]] = {
    ("renders", "list"): fresh(json_node("list")),
    ("renders", "binary"): fresh(binary_node(MsgType.TRendersList)),
    ("users", "list"): json_node("list"),
    ("users", "binary"): binary_node(MsgType.TUsersList),
    ("branches", "list"): json_branch,
    ("branches", "binary"): binary_node(MsgType.TBranchesList),
    ("pools", "list"): json_node("list"),
    ("pools", "binary"): binary_node(MsgType.TPoolsList),
    ("monitors", "list"): json_node("list"),
    ("monitors", "binary"): binary_node(MsgType.TMonitorsList),
}

_resources_json = fresh(json_node("resources"))
_resources_binary = fresh(binary_node(MsgType.TRendersResources))


def _single(asked: Query, table: Table[Any]) -> Any:
    """Return the node that a mode asks about, None if the mode does not count."""
    return asked.node(table) if asked.mode and len(asked.ids) == 1 else None


@query("renders")
def _renders(asked: Query) -> Result:
    farm = asked.farm
    render = _single(asked, farm.renders)
    if render is not None:
        match asked.mode:
            case "full":
                return _full_render(asked, render)
            case "log":
                return log_answer(asked, render)
            case "tasks_log":
                return _tasks_log(asked, render)
    if asked.mode == "resources":
        encode = _resources_binary if asked.binary else _resources_json
        nodes = asked.select(farm.renders)
        if asked.fields:
            some = with_fields(Render, "resources", asked.fields)
            return list_answer(
                asked, "renders", nodes, lambda node: dump_json(some(node)), MsgType.TRendersResources
            )
        return list_answer(asked, "renders", nodes, encode, MsgType.TRendersResources)
    return node_list(asked, "renders", Render, "list", MsgType.TRendersList)


def _full_render(asked: Query, render: Render) -> Result:
    if asked.binary:
        return BinaryAnswer(MsgType.TString, write_text(_describe(asked, render)))
    shown: dict[str, Any] = {
        "name": render.name,
        "id": render.id,
        "render": render.to_json(),
        "custom_data": render.custom_data,
    }
    if render.is_online():
        shown["host_resources"] = render.host_resources.to_json()
    return replies.reply({"object": shown})


def _describe(asked: Query, render: Render) -> str:
    """Return a render as a text for people."""
    time_text, r = asked.farm.time_text, render.host_resources
    lines = [
        f"{render.name} (id {render.id}) of {render.user_name}:{render_state_text(render.st)}",
        f"Address: {render.address.ip}, engine: {render.engine}, system: {render.os}",
        f"Pool: {render.pool}, priority: {render.priority}",
        f"Capacity: {render.capacity_used} of {render.capacity}, tasks: {len(render.runs)} of {render.max_tasks}",
        f"Registered: {time_text(render.time_register)}, last update: {time_text(render.time_update)}",
    ]
    lines += [f"Interface {netif.name}: {netif.mac.hex(':')}" for netif in render.netifs]
    lines += [
        f"Runs {task.user_name}: {task.job_name}[{task.block_name}][{task.name}]" for task in render.tasks
    ]
    if render.is_online():
        lines += [
            f"Launched: {time_text(render.time_launch)}",
            f"CPU: {r.cpu_num} x {r.cpu_mhz} MHz, {r.cpu_idle}% idle",
            f"Memory: {r.mem_free_mb} of {r.mem_total_mb} MB free",
            f"Swap: {r.swap_used_mb} of {r.swap_total_mb} MB used",
            f"Disk: {r.hdd_free_gb} of {r.hdd_total_gb} GB free, {r.hdd_busy}% busy",
            f"Network: {r.net_recv_kbsec} KB/s in, {r.net_send_kbsec} KB/s out",
        ]
    return "\n".join(lines)


def _tasks_log(asked: Query, render: Render) -> Result:
    time_text = asked.farm.time_text
    lines = [f"{time_text(when)} : {text}" for when, text in render.tasks_log]
    if not lines and asked.binary:
        return BinaryAnswer(MsgType.TString, write_text(NO_TASKS))
    return text_lines(asked, render, "tasks_log", lines or [NO_TASKS])


@query("users")
def _users(asked: Query) -> Result:
    user = _single(asked, asked.farm.users)
    if user is not None:
        match asked.mode:
            case "log":
                return log_answer(asked, user)
            case "jobs_order":
                return _jobs_order(asked, user)
    return node_list(asked, "users", User, "list", MsgType.TUsersList)


def _jobs_order(asked: Query, user: User) -> Result:
    ids = [job.id for job in user.jobs]
    if asked.binary:
        order = General(id=user.id, list=ids, user_name="afadmin", host_name="afserver")
        return BinaryAnswer(MsgType.TUserJobsOrder, order.encode(MsgType.TUserJobsOrder))
    return replies.reply({"events": {"jobs_order": {"uids": [user.id], "jids": [ids]}}})


@query("branches")
def _branches(asked: Query) -> Result:
    branch = _single(asked, asked.farm.branches)
    if branch is not None and asked.mode == "log":
        return log_answer(asked, branch)
    return node_list(asked, "branches", Branch, "list", MsgType.TBranchesList)


@query("pools")
def _pools(asked: Query) -> Result:
    pool = _single(asked, asked.farm.pools)
    if pool is not None and asked.mode == "log":
        return log_answer(asked, pool)
    return node_list(asked, "pools", Pool, "list", MsgType.TPoolsList)


@query("monitors")
def _monitors(asked: Query) -> Result:
    farm = asked.farm
    if asked.mode and len(asked.ids) == 1:
        monitor = farm.monitors.by_id.get(asked.ids[0])
        if monitor is None:
            # The sign for clients to register again.
            return replies.reply({"monitor": {"id": 0}})
        access.check_monitor(asked.caller, monitor)
        match asked.mode:
            case "events":
                return watching.json_events(farm, monitor)
            case "log":
                return log_answer(asked, monitor)
    return node_list(asked, "monitors", Monitor, "list", MsgType.TMonitorsList)
