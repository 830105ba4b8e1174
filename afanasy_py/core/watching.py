"""Monitors: how they come and go, what they subscribe to, and what they hear when they ask.

Ids of changed nodes are kept for all monitors in `farm.events`; what only one monitor is to hear (messages,
output that it asked for or listens to) is kept with the monitor until it asks. Source: json-api 4.2, 10;
wire-protocol 5.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from afanasy_py.core import replies
from afanasy_py.core.branch import clean_name
from afanasy_py.core.events import Frame, count
from afanasy_py.core.fields import ABSENT, get_int, get_ints, get_str
from afanasy_py.core.monitor import Monitor, Place
from afanasy_py.errors import RequestError
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.records.address import Address
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor_events import BlockChange, MonitorEvents, TasksProgress
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.types import BLOCK_MODES, EVENT_NAMES, MsgType, TaskKind, TaskStatus

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller
    from afanasy_py.msg.records.taskup import TaskUp

Json = dict[str, Any]


class _NoAnswer:
    """Tells that a request is not answered."""


#: The outcome of an operation after which the connection is closed without a word.
NO_ANSWER: Final = _NoAnswer()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation answers and what is logged of it.

    Attributes:
        kind: "log" or "error".
        text: The answer.
        word: A word that the type of the log line gets; None: no word.
        logged: The log line of an error; other answers are logged as they are.
    """

    kind: str
    text: str
    word: str | None = None
    logged: str = ""


#: Message types of block changes by their level in a frame.
_BLOCK_TYPES = tuple(BLOCK_MODES)

#: What was heard between two requests is kept up to so many characters of each task, and its end counts.
HEARD_MOST = 1 << 20

#: The greatest number of outputs that one monitor may wait for.
AWAITED_MOST = 1000


# -- life


def register_monitor(farm: Farm, params: Json, caller: Caller) -> Answer:
    """Take in a monitor.

    Raises:
        RequestError: There are too many.
    """
    if farm.monitors.is_full():
        raise RequestError("Unable to add node to container.")
    texts = {key: get_str(params, key) for key in ("user_name", "host_name", "engine")}
    user_name, host_name, engine = ("" if text is ABSENT else str(text) for text in texts.values())
    user = farm.users.by_name.get(user_name)
    now = int(farm.now)
    monitor = Monitor(
        name=farm.monitors.unique_name(f"{user_name}@{host_name}"),
        user_name=user_name,
        engine=engine,
        uid=user.id if user is not None else -1,
        time_launch=now,
        time_register=now,
        time_update=now,
        address=Address.from_ip(caller.address),
    )
    # It hears of its own registration only through others' eyes: it has not subscribed to anything yet.
    monitor.frame = farm.events.close_frame(farm.now, 0)
    farm.monitors.add(monitor)
    farm.events.mark("monitors_add", monitor.id)
    _count_order(farm, monitor, 1)
    _watch_silence(farm, monitor)
    farm.line(f"Monitor registered: {monitor.name}")
    if params.get("binary") is True:
        return BinaryAnswer(MsgType.TMonitor, monitor.encode(MsgType.TMonitor))
    return replies.reply({"monitor": monitor.to_json()})


def deregister_monitor(farm: Farm, monitor_id: int) -> Answer:
    """Let a monitor go at its own wish."""
    monitor = farm.monitors.by_id.get(monitor_id)
    if monitor is None:
        return replies.error("No monitor with provided ID found.")
    remove_monitor(farm, monitor)
    return replies.info("Deregistered.", "log")


def remove_monitor(farm: Farm, monitor: Monitor) -> None:
    """Let a monitor go: it holds nothing any more."""
    for event in monitor.events:
        count(farm.events.wanted, event, -1)
    for job_id in monitor.jobs_ids:
        _unwatch_job(farm, job_id)
    for place in list(monitor.listening):
        _set_listening(farm, monitor, place, on=False)
    for place in list(monitor.awaited):
        _stop_waiting(farm, monitor, place)
    _count_order(farm, monitor, -1)
    farm.monitors.remove(monitor)
    monitor.gone = True
    farm.events.mark("monitors_del", monitor.id)
    farm.line(f"Monitor removed: {monitor.name}")
    _forget_frames(farm)


def check_silence(farm: Farm, monitor_id: int) -> None:
    """Let a monitor go that has not asked for events for too long, or look again later."""
    monitor = farm.monitors.by_id.get(monitor_id)
    if monitor is None:
        return
    if monitor.time_update < int(farm.now) - farm.settings.af_monitor_zombietime:
        farm.line(f"Monitor is silent: {monitor.name}")
        remove_monitor(farm, monitor)
    else:
        _watch_silence(farm, monitor)


def _watch_silence(farm: Farm, monitor: Monitor) -> None:
    farm.timers.add(monitor.time_update + farm.settings.af_monitor_zombietime + 1, "monitor", monitor.id)


def _count_order(farm: Farm, monitor: Monitor, step: int) -> None:
    if monitor.uid > 0:
        count(farm.events.watched_orders, monitor.uid, step)


def announce(farm: Farm, text: str) -> None:
    """Give a text to all monitors."""
    for monitor in farm.monitors.by_id.values():
        monitor.message = text


# -- operations (json-api 10.2)


def operate_monitor(
    farm: Farm, monitor: Monitor, operation: Json, caller: Caller, user_name: str, host_name: str
) -> Outcome | _NoAnswer:
    """Do an operation to a monitor; return what is answered."""
    name = operation["type"]
    match name:
        case "watch":
            return _watch(farm, monitor, operation)
        case "message":
            text = get_str(operation, "text")
            told = "" if text is ABSENT else text
            monitor.message = f"{told}\n - {user_name}@{host_name} {caller.address}"
            return Outcome("log", "Message sent.")
        case "exit":
            monitor.instruction = "exit"
            return Outcome("log", "Instruction 'exit' set.")
        case "deregister":
            remove_monitor(farm, monitor)
            return NO_ANSWER
    return Outcome("error", f"Unknown operation '{name}'.")


def _watch(farm: Farm, monitor: Monitor, operation: Json) -> Outcome:
    given, word = get_str(operation, "class"), get_str(operation, "status")
    name, status = ("" if text is ABSENT else str(text) for text in (given, word))
    on = status == "subscribe"
    told = f"Subscribed on '{name}'" if on else f"Unsubscribed from '{name}'"
    watch = _CLASSES.get(name)
    if watch is None:
        return Outcome("error", f"Unknown operation 'watch' class '{name}'.", logged=told)
    watch(farm, monitor, operation, on)
    monitor.interest_changed()
    monitor.time_activity = int(farm.now)
    farm.changed(monitor)
    return Outcome("log", "Permissions set." if name == "perm" else told, word=status)


def _watch_nodes(kind: str) -> Callable[[Farm, Monitor, Json, bool], None]:
    names = tuple(name for name in EVENT_NAMES if name.startswith(f"{kind}_"))

    def watch(farm: Farm, monitor: Monitor, _operation: Json, on: bool) -> None:
        for name in names:
            if on != (name in monitor.events):
                count(farm.events.wanted, name, 1 if on else -1)
                if on:
                    monitor.events[name] = None
                else:
                    del monitor.events[name]

    return watch


def _watch_tasks(farm: Farm, monitor: Monitor, operation: Json, on: bool) -> None:
    for job_id in dict.fromkeys(get_ints(operation, "ids")):
        if on and job_id not in monitor.jobs_ids:
            job = farm.jobs.by_id.get(job_id)
            if job is not None:
                farm.events.watch_job(job)
            count(farm.events.watched_jobs, job_id, 1)
            monitor.jobs_ids.append(job_id)
        elif not on and job_id in monitor.jobs_ids:
            monitor.jobs_ids.remove(job_id)
            _unwatch_job(farm, job_id)


def _unwatch_job(farm: Farm, job_id: int) -> None:
    count(farm.events.watched_jobs, job_id, -1)
    if job_id not in farm.events.watched_jobs:
        farm.events.forget_job(job_id)


def _watch_perm(farm: Farm, monitor: Monitor, operation: Json, _on: bool) -> None:
    uid = get_int(operation, "uid")
    if uid is not ABSENT and uid >= 0:
        _count_order(farm, monitor, -1)
        monitor.uid = uid
        _count_order(farm, monitor, 1)


def _watch_listen(farm: Farm, monitor: Monitor, operation: Json, on: bool) -> None:
    job_id, block_num, number = (
        -1 if (value := get_int(operation, key)) is ABSENT else value for key in ("job", "block", "task")
    )
    if on and job_id not in farm.jobs.by_id:
        return
    _set_listening(farm, monitor, (job_id, block_num, number), on=on)


_CLASSES: dict[str, Callable[[Farm, Monitor, Json, bool], None]] = {
    **{kind: _watch_nodes(kind) for kind in ("jobs", "renders", "pools", "users", "branches", "monitors")},
    "tasks": _watch_tasks,
    "perm": _watch_perm,
    "listen": _watch_listen,
}


# -- listening


def _set_listening(farm: Farm, monitor: Monitor, place: Place, *, on: bool) -> None:
    """Let a monitor hear the output of a task, or of all tasks of a job; the renders are told."""
    if on == (place in monitor.listening):
        return
    listeners = farm.events.listeners
    if on:
        monitor.listening[place] = None
        if place not in listeners:
            listeners[place] = {}
            farm.listened[place] = None
            _tell_renders(farm, place, on=True)
        listeners[place][monitor.id] = None
        return
    del monitor.listening[place]
    del listeners[place][monitor.id]
    if not listeners[place]:
        del listeners[place], farm.listened[place]
        _tell_renders(farm, place, on=False)


def _tell_renders(farm: Farm, place: Place, *, on: bool) -> None:
    """Tell the renders that run the tasks of a place whether to send their output."""
    job_id, block_num, number = place
    job = farm.jobs.by_id.get(job_id)
    if job is None:
        return
    for block in job.blocks if block_num < 0 else job.blocks[block_num : block_num + 1]:
        runs = block.runs.values() if number < 0 else [block.runs[number]] if number in block.runs else []
        for run in runs:
            if on or not is_listened(farm, job_id, block.block_num, run.number):
                events = run.render.events()
                told = events.listens_add if on else events.listens_rem
                told.append(TaskPos(job_id=job_id, block_num=block.block_num, task_num=run.number))


def is_listened(farm: Farm, job_id: int, block_num: int, number: int) -> bool:
    """Return whether anybody listens to a task."""
    return (job_id, block_num, number) in farm.listened or (job_id, -1, -1) in farm.listened


def hear(farm: Farm, block: Block, number: int, update: TaskUp) -> None:
    """Give what a render sent of a running task to the monitors that listen to it or wait for its output."""
    if update.listened and farm.events.listeners:
        _hear_listened(farm, block, number, update)
    if update.status > TaskStatus.Warning and farm.events.awaited:
        _hear_end(farm, block, number, update)


def _hear_listened(farm: Farm, block: Block, number: int, update: TaskUp) -> None:
    place = (block.job.id, block.block_num, number)
    listeners = farm.events.listeners
    for monitor_id in {**listeners.get((block.job.id, -1, -1), {}), **listeners.get(place, {})}:
        monitor = farm.monitors.by_id[monitor_id]
        heard = monitor.heard.get(place)
        if heard is None:
            heard = monitor.heard[place] = task_message(block, number, TaskKind.Listen)
            heard.render_id = update.client_id
        heard.text = (heard.text + update.listened)[-HEARD_MOST:]


# -- output of running tasks


def task_message(block: Block, number: int, kind: TaskKind) -> McTask:
    """Return a message about a task, with its names and progress."""
    job = block.job
    return McTask(
        kind=kind,
        pos=TaskPos(job_id=job.id, block_num=block.block_num, task_num=number),
        progress=block.tasks.progress(number),
        job_name=job.name,
        block_name=block.name,
        task_name=block.task_name(number),
        service=block.service,
        parser=block.parser,
    )


def wait_output(farm: Farm, monitor: Monitor, block: Block, number: int, task: McTask) -> None:
    """Ask the render of a running task for its output, which the monitor is to get."""
    place = (block.job.id, block.block_num, number)
    waiting = farm.events.awaited.get(place)
    if waiting is None:
        waiting = farm.events.awaited[place] = {}
        block.runs[number].render.events().outputs.append(
            TaskPos(job_id=block.job.id, block_num=block.block_num, task_num=number)
        )
    if place not in monitor.awaited:
        if len(monitor.awaited) >= AWAITED_MOST:
            _stop_waiting(farm, monitor, next(iter(monitor.awaited)))
        monitor.awaited[place] = task
        waiting[monitor.id] = None


def _stop_waiting(farm: Farm, monitor: Monitor, place: Place) -> None:
    del monitor.awaited[place]
    waiting = farm.events.awaited.get(place)
    if waiting is not None:
        waiting.pop(monitor.id, None)
        if not waiting:
            del farm.events.awaited[place]


def take_output(farm: Farm, position: TaskPos, output: str) -> None:
    """Give the output that a render sent to the monitors that wait for it."""
    place = (position.job_id, position.block_num, position.task_num)
    for monitor_id in farm.events.awaited.pop(place, {}):
        monitor = farm.monitors.by_id.get(monitor_id)
        task = monitor.awaited.pop(place, None) if monitor is not None else None
        if monitor is not None and task is not None:
            task.text = output
            monitor.outputs[place] = task


def _hear_end(farm: Farm, block: Block, number: int, update: TaskUp) -> None:
    """Give the last output of a task to those who wait: its render will not answer any more."""
    pos = TaskPos(job_id=block.job.id, block_num=block.block_num, task_num=number)
    if (pos.job_id, pos.block_num, pos.task_num) in farm.events.awaited:
        take_output(farm, pos, update.data.decode("utf-8", "surrogateescape") or update.log)


def note_files(farm: Farm, block: Block, number: int, names: list[str]) -> None:
    """Note the files that a render sent of a task; the first is the thumbnail of its job."""
    job = block.job
    folder = f"{farm.settings.af_store_folder}/jobs/{job.id // 1000}/{job.id}.{clean_name(job.name)}"
    path = f"{folder}/tasks/{block.block_num}.{number}/files/{names[0]}"
    if path != job.thumb_path:
        job.thumb_path = path
        farm.changed(job)


# -- what a monitor hears when it asks (json-api 10.3)

#: A change of a node is left out when one of these events says as much.
_SAID_BY = {
    "jobs_change": ("jobs_del",),
    "users_change": ("users_del",),
    "renders_change": ("renders_add", "renders_del"),
    "monitors_change": ("monitors_add", "monitors_del"),
    "branches_change": ("branches_del",),
    "pools_change": ("pools_add", "pools_del"),
}


def update_monitor(farm: Farm, monitor_id: int) -> Answer:
    """Return the events of a monitor as a binary message."""
    monitor = farm.monitors.by_id.get(monitor_id)
    if monitor is None:
        return BinaryAnswer(MsgType.TMonitorId, value=0)
    frame = _take_frame(farm, monitor)
    if monitor.has_news():
        events = _all_events(farm, frame, monitor)
        monitor.clear_news()
        return BinaryAnswer(MsgType.TMonitorEvents, events.encode(MsgType.TMonitorEvents))
    key = ("binary", monitor.interest())
    body = frame.made.get(key)
    if body is None:
        body = frame.made[key] = _encode_binary(_all_events(farm, frame, monitor))
    if not body:
        return BinaryAnswer(MsgType.TMonitorId, value=monitor_id)
    return BinaryAnswer(MsgType.TMonitorEvents, body)


_NO_EVENTS = MonitorEvents()
_EMPTY = _NO_EVENTS.encode(MsgType.TMonitorEvents)


def _encode_binary(events: MonitorEvents) -> bytes:
    """Return events as they travel, nothing for none."""
    data = events.encode(MsgType.TMonitorEvents)
    return b"" if data == _EMPTY else data


def json_events(farm: Farm, monitor: Monitor) -> Answer:
    """Return the events of a monitor as JSON."""
    frame = _take_frame(farm, monitor)
    key = ("json", monitor.interest())
    members: bytes | None = frame.made.get(key)
    if members is None:
        members = frame.made[key] = _shared_members(farm, frame, monitor)
    if monitor.has_news():
        own = _members(_own_events(MonitorEvents(), monitor))
        members = members + b",\n" + own if members else own
        monitor.clear_news()
    if not members:
        return JsonAnswer(b'{"events":\nnull\n}')
    return JsonAnswer(b'{"events":{' + members + b"}}")


def _take_frame(farm: Farm, monitor: Monitor) -> Frame:
    """Return all that happened since the monitor asked last, and note that it asked."""
    now = int(farm.now)
    if monitor.time_update != now:
        monitor.time_update = now
        monitor.encoded.clear()
    events = farm.events
    last = events.close_frame(farm.now, len(farm.monitors))
    before = monitor.frame
    frame = events.after(before)
    monitor.frame = last
    if events.frames and before < events.frames[0].number:
        _forget_frames(farm)
    return frame if frame is not None else Frame(0)


def _forget_frames(farm: Farm) -> None:
    monitors = farm.monitors.by_id.values()
    last = min((monitor.frame for monitor in monitors), default=farm.events.current.number - 1)
    farm.events.forget(last)


def _all_events(farm: Farm, frame: Frame, monitor: Monitor) -> MonitorEvents:
    """Return everything that a monitor hears: what happened on the farm, and its own."""
    told = _farm_events(farm, frame, monitor)
    told.tasks_progress = [
        progress for job_id in _watched(frame, monitor) if (progress := _tasks(farm, frame, job_id))
    ]
    return _own_events(told, monitor)


def _own_events(told: MonitorEvents, monitor: Monitor) -> MonitorEvents:
    """Add what only this monitor is to hear."""
    told.instruction = monitor.instruction
    told.tasks_outputs = list(monitor.outputs.values())
    told.tasks_listens = list(monitor.heard.values())
    told.message = monitor.message
    return told


def _shared_members(farm: Farm, frame: Frame, monitor: Monitor) -> bytes:
    """Return the members of the JSON object that all monitors of equal interests get, without braces."""
    told = _farm_events(farm, frame, monitor)
    parts = [_members(MonitorEvents(events=told.events))]
    progress = [text for job_id in _watched(frame, monitor) if (text := _tasks_json(farm, frame, job_id))]
    if progress:
        parts.append(b'"tasks_progress":[' + b",".join(progress) + b"]")
    parts.append(_members(MonitorEvents(block_ids=told.block_ids, jobs_order_ids=told.jobs_order_ids)))
    return b",\n".join(part for part in parts if part)


def _members(events: MonitorEvents) -> bytes:
    return dump_json(events.to_json())[1:-1]


def _watched(frame: Frame, monitor: Monitor) -> Iterator[int]:
    """Yield the jobs with changed tasks that a monitor watches."""
    if monitor.jobs_ids:
        watched = set(monitor.jobs_ids)
        yield from (job_id for job_id in frame.tasks if job_id in watched)


def _tasks(farm: Farm, frame: Frame, job_id: int) -> TasksProgress | None:
    """Return the progress of the changed tasks of a job; None: the job is gone."""
    key = ("tasks", job_id)
    if key not in frame.made:
        frame.made[key] = _make_tasks(farm, frame, job_id)
    found: TasksProgress | None = frame.made[key]
    return found


def _make_tasks(farm: Farm, frame: Frame, job_id: int) -> TasksProgress | None:
    job = farm.jobs.by_id.get(job_id)
    if job is None:
        return None
    places = [(b, t) for b, t in frame.tasks[job_id] if b < len(job.blocks) and t < job.blocks[b].tasks.num]
    return TasksProgress(
        job_id=job_id,
        blocks=[block_num for block_num, _ in places],
        tasks=[number for _, number in places],
        progress=[job.blocks[block_num].tasks.progress(number) for block_num, number in places],
    )


def _tasks_json(farm: Farm, frame: Frame, job_id: int) -> bytes:
    key = ("tasks json", job_id)
    text: bytes | None = frame.made.get(key)
    if text is None:
        progress = _tasks(farm, frame, job_id)
        text = frame.made[key] = dump_json(progress.to_json()) if progress is not None else b""
    return text


def _farm_events(farm: Farm, frame: Frame, monitor: Monitor) -> MonitorEvents:
    """Return what happened to nodes, blocks and the order of jobs, as far as a monitor wants to know."""
    ids: dict[str, list[int]] = {}
    for event in monitor.events:
        happened = frame.ids.get(event)
        if happened:
            ids[event] = _jobs_of(happened, monitor.uid) if event.startswith("jobs_") else list(happened)
    for change, others in _SAID_BY.items():
        if change in ids:
            said = {node_id for other in others if other in ids for node_id in ids[other]}
            if said:
                ids[change] = [node_id for node_id in ids[change] if node_id not in said]
    told = MonitorEvents(events={event: found for event, found in ids.items() if found})
    if frame.blocks and monitor.jobs_ids:
        told.block_ids = [
            BlockChange(job_id=job_id, block_num=block_num, mode=_BLOCK_TYPES[level])
            for (job_id, block_num), level in frame.blocks.items()
            if job_id in monitor.jobs_ids and job_id in farm.jobs.by_id
        ]
    if monitor.uid > 0 and monitor.uid in frame.orders:
        user = farm.users.by_id.get(monitor.uid)
        told.jobs_order_ids = [job.id for job in user.jobs] if user is not None else []
    return told


def _jobs_of(happened: dict[int, int], uid: int) -> list[int]:
    """Return the jobs of a user; 0: of all users."""
    return [job_id for job_id, owner in happened.items() if uid in (0, owner)]
