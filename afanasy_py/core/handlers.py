"""Binary messages: one function for each type that clients send. Source: wire-protocol 2, 5."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from afanasy_py.core import access, hosts, replies
from afanasy_py.core.render import Render
from afanasy_py.core.requests import Caller, Result
from afanasy_py.msg.answers import BinaryAnswer
from afanasy_py.msg.records.general import General, JobsWeight, Stat
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.types import MsgType

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

#: Answers with the value of the header (types without data) and the data (types with data).
Handler = Callable[["Farm", int, bytes, Caller], Result]

HANDLERS: dict[int, Handler] = {}

_INT_MOST = 2**31 - 1


def handles(*types: MsgType) -> Callable[[Handler], Handler]:
    """Make a function the handler of message types."""

    def register(handler: Handler) -> Handler:
        for type_ in types:
            HANDLERS[type_] = handler
        return handler

    return register


def handle_message(farm: Farm, msg_type: int, value: int, body: bytes, caller: Caller) -> Result:
    """Answer a binary message that is not JSON.

    Raises:
        ProtocolError: The data is not what the type needs.
    """
    if 0 <= msg_type < MsgType.TLAST:
        size, count, greatest = farm.traffic.get(msg_type, (0, 0, 0))
        farm.traffic[msg_type] = (size + len(body) + 12, count + 1, max(greatest, len(body) + 12))
    handler = HANDLERS.get(msg_type)
    if handler is None:
        return _unknown(farm, msg_type, value, body, caller)
    return handler(farm, value, body, caller)


def _unknown(_farm: Farm, msg_type: int, _value: int, body: bytes, caller: Caller) -> Result:
    try:
        name = MsgType(msg_type).name
    except ValueError:
        name = "UNKNOWN"
    return replies.error(
        f"Unknown message was received by run thread: {name}[{len(body) + 12}]: {caller.address}"
    )


@handles(MsgType.TRenderUpdate)
def _render_update(farm: Farm, _value: int, body: bytes, _caller: Caller) -> Result:
    told = RenderUpdate.decode(MsgType.TRenderUpdate, body)
    render = hosts.update(farm, told)
    if not isinstance(render, Render):
        return BinaryAnswer(MsgType.TRenderEvents, render.encode(MsgType.TRenderEvents))
    farm.settle()
    events = render.take_answer()
    if events is None:
        return BinaryAnswer(MsgType.TRenderId, value=render.id)
    return BinaryAnswer(MsgType.TRenderEvents, events.encode(MsgType.TRenderEvents))


@handles(MsgType.TRenderRegister)
def _render_register(farm: Farm, _value: int, body: bytes, caller: Caller) -> Result:
    told = RenderRecord.decode(MsgType.TRenderRegister, body)
    if not told.st & 1:
        return hosts.register_offline(farm, told, caller.address)
    answer = hosts.register(farm, told, caller.address)
    render = farm.renders.by_id.get(answer.id)
    if render is not None:
        # New tasks wait for the first heartbeat: a host takes them only once it knows its id.
        render.take_events()
    return BinaryAnswer(MsgType.TRenderEvents, answer.encode(MsgType.TRenderEvents))


@handles(MsgType.TRenderDeregister)
def _render_deregister(farm: Farm, value: int, _body: bytes, _caller: Caller) -> Result:
    if hosts.deregister(farm, value):
        return replies.info("Deregistered.", "log")
    return replies.error("No render with provided ID found.")


@handles(MsgType.TMonitorUpdateId)
def _monitor_update(farm: Farm, value: int, _body: bytes, caller: Caller) -> Result:
    from afanasy_py.core.watching import update_monitor

    _check_monitor(farm, value, caller)
    return update_monitor(farm, value)


@handles(MsgType.TMonitorDeregister)
def _monitor_deregister(farm: Farm, value: int, _body: bytes, caller: Caller) -> Result:
    from afanasy_py.core.watching import deregister_monitor

    _check_monitor(farm, value, caller)
    return deregister_monitor(farm, value)


def _check_monitor(farm: Farm, monitor_id: int, caller: Caller) -> None:
    monitor = farm.monitors.by_id.get(monitor_id)
    if monitor is not None:
        access.check_monitor(caller, monitor)


@handles(MsgType.TConfirm)
def _confirm(_farm: Farm, value: int, _body: bytes, _caller: Caller) -> Result:
    return replies.info(f"af::Msg::TConfirm: {value}", "log")


@handles(MsgType.TVersionMismatch)
def _version(_farm: Farm, _value: int, _body: bytes, _caller: Caller) -> Result:
    return BinaryAnswer(MsgType.TVersionMismatch, value=1)


@handles(MsgType.TInvalid)
def _invalid(_farm: Farm, _value: int, _body: bytes, _caller: Caller) -> Result:
    return replies.error("TInvalid message received.")


@handles(MsgType.TNULL, MsgType.TDATA, MsgType.TTESTDATA, MsgType.TStringList)
def _verbose(farm: Farm, _value: int, body: bytes, caller: Caller) -> Result:
    farm.line(f"Received {len(body)} bytes of data from {caller.address}.", logging.DEBUG)
    return replies.info("Received data verbosed.", "log")


@handles(MsgType.TString)
def _string(farm: Farm, _value: int, body: bytes, caller: Caller) -> Result:
    text = body[4:].split(b"\0", 1)[0].decode("utf-8", "replace")
    if text:
        farm.line(f"{caller.address}: {text}")
    return replies.info("Log appended.", "log")


@handles(MsgType.TJobsWeightRequest)
def _jobs_weight(farm: Farm, _value: int, _body: bytes, _caller: Caller) -> Result:
    """Answer with the memory that jobs take, roughly: what their tasks and logs hold."""
    jobs = list(farm.jobs)
    logs = [
        sum(len(lines) * 64 for block in job.blocks for lines in block.tasks.logs.values()) for job in jobs
    ]
    progress = [
        sum(block.tasks.num * (48 if block.tasks.has_run() else 7) for block in job.blocks) for job in jobs
    ]
    black = [sum(len(block.error_hosts) * 128 for block in job.blocks) for job in jobs]
    weights = JobsWeight(
        names=[job.name for job in jobs],
        ids=[job.id for job in jobs],
        log=logs,
        black=black,
        progress=progress,
        weight=[2048 + sum(parts) for parts in zip(logs, progress, black, strict=True)],
    )
    return BinaryAnswer(MsgType.TJobsWeight, weights.encode(MsgType.TJobsWeight))


@handles(MsgType.TStatRequest)
def _statistics(farm: Farm, _value: int, _body: bytes, _caller: Caller) -> Result:
    """Answer with the traffic by message type since the start, in the widest window."""
    stat = Stat()
    for msg_type, (size, count, greatest) in farm.traffic.items():
        for window in stat.windows:
            window[msg_type] = (min(size, _INT_MOST), min(count, _INT_MOST))
        stat.sizes[msg_type] = greatest
    return BinaryAnswer(MsgType.TStatData, stat.encode(MsgType.TStatData))


@handles(MsgType.TRendersResourcesRequestIds)
def _resources(farm: Farm, _value: int, body: bytes, caller: Caller) -> Result:
    from afanasy_py.core.queries import answer_get

    wanted = General.decode(MsgType.TRendersResourcesRequestIds, body)
    params = {
        "type": "renders",
        "mode": "resources",
        "ids": list(wanted.list),
        "mask": wanted.name,
        "binary": True,
    }
    return answer_get(farm, params, caller)
