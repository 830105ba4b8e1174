"""One task: what it executes, its log, error hosts, output and files. Source: json-api 4.2, 4.3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from afanasy_py.core import replies, watching
from afanasy_py.core.queries.query import UNANSWERED, Query
from afanasy_py.core.requests import ReadFiles, ReadOutput
from afanasy_py.core.running import make_exec
from afanasy_py.errors import RequestError
from afanasy_py.msg.answers import Answer, BinaryAnswer
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import MAX_DATA, MsgType, TaskKind

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.job import Job
    from afanasy_py.core.requests import Result

RETRIEVING = "Retrieving running task output from render..."
SYSTEM_OUTPUT = (
    "This is an empty dummy task in a system job block.\nError tasks output are stored in this task log."
)


def task_answer(asked: Query, job: Job, block_num: int, number: int) -> Result:
    """Answer a query about one task.

    Raises:
        RequestError: There is no such task.
    """
    if not 0 <= block_num < len(job.blocks) or not 0 <= number < job.blocks[block_num].tasks.num:
        raise RequestError("Invalid block/task number.")
    mode = _MODES.get(asked.mode)
    if mode is None:
        return replies.reply({})
    return mode(asked, job.blocks[block_num], number)


def send_task(asked: Query, task: McTask) -> Answer:
    """Return a task as an answer."""
    if asked.binary:
        return BinaryAnswer(MsgType.TTask, task.encode(MsgType.TTask))
    return replies.reply({"task": task.to_json()})


def _info(asked: Query, block: Block, number: int) -> Result:
    task = watching.task_message(block, number, TaskKind.Exec)
    task.exec = make_exec(asked.farm, block, number)
    return send_task(asked, task)


def _log(asked: Query, block: Block, number: int) -> Result:
    task = watching.task_message(block, number, TaskKind.Log)
    lines = block.tasks.logs.get(number, [])
    time_text = asked.farm.time_text
    task.text = "\n".join(
        f"{time_text(int(lines[i]))}: {lines[i + 1]}: {lines[i + 2]}" for i in range(0, len(lines), 3)
    )
    return send_task(asked, task)


def error_hosts_title(number: int) -> str:
    """Return the line above the hosts with errors of a task."""
    return f"Task[{number}] error hosts: "


def error_lines(asked: Query, hosts: dict[str, list[int]], limit: int) -> Iterator[str]:
    """Yield the hosts with errors of a block or a task.

    Args:
        asked: The query.
        hosts: {host: [errors, time of the last one]}
        limit: After so many errors the host is avoided; 0: never.
    """
    for host, (count, when) in hosts.items():
        avoiding = " - ! AVOIDING !" if 0 < limit <= count else ""
        yield f"{host}: {count} at {asked.farm.time_text(when)}{avoiding}"


def _error_hosts(asked: Query, block: Block, number: int) -> Result:
    task = watching.task_message(block, number, TaskKind.ErrorHosts)
    hosts = block.tasks.error_hosts.get(number)
    if hosts:
        lines = error_lines(asked, hosts, block.task_same_host_errors())
        task.text = "\n".join((error_hosts_title(number), *lines))
    return send_task(asked, task)


def _files(asked: Query, block: Block, number: int) -> Result:
    job_id, block_num, binary = block.job.id, block.block_num, asked.binary

    def finish(files: list[tuple[str, bytes]]) -> Answer:
        if binary:
            return files_message(job_id, block_num, number, files)
        shown = TaskUp(job_id=job_id, block_num=block_num, task_num=number, files=files).to_json("files")
        return replies.reply({"task_files": shown})

    return ReadFiles(job_id, block_num, number, binary, finish)


def files_message(job_id: int, block_num: int, number: int, files: list[tuple[str, bytes]]) -> Answer:
    """Return files of a task as a binary message."""
    update = TaskUp(job_id=job_id, block_num=block_num, task_num=number, files=files)
    return BinaryAnswer(MsgType.TTaskFiles, update.encode(MsgType.TTaskFiles))


_MODES: dict[str, Callable[[Query, Block, int], Result]] = {
    "info": _info,
    "log": _log,
    "error_hosts": _error_hosts,
    "files": _files,
}


# -- output


def output_answer(asked: Query) -> Result:
    """Answer with the output of a start of a task, or ask the render that runs it.

    Raises:
        RequestError: The query does not name exactly one task.
    """
    places = (asked.ids, asked.ints("block_ids"), asked.ints("task_ids"))
    if any(len(place) != 1 for place in places):
        raise RequestError(UNANSWERED)
    job_id, block_num, number = (place[0] for place in places)
    start = asked.int("number")
    pos = TaskPos(job_id=job_id, block_num=block_num, task_num=number, number=start)
    task = McTask(kind=TaskKind.Output, pos=pos)
    job = asked.farm.jobs.by_id.get(job_id)
    if job is None:
        return _failed(asked, task, "Invalid job ID")
    if job.is_sysjob():
        return _failed(asked, task, SYSTEM_OUTPUT)
    if not 0 <= block_num < len(job.blocks) or not 0 <= number < job.blocks[block_num].tasks.num:
        return _failed(asked, task, "Invalid block and task numbers")
    block = job.blocks[block_num]
    task = watching.task_message(block, number, TaskKind.Output)
    task.pos = pos
    started = block.tasks.starts[number] if block.tasks.has_run() else 0
    if started < 1:
        return _failed(asked, task, "Task is not started.")
    if start > started:
        return _failed(asked, task, f"Task was started {started} times ( less than {start} times ).")
    run = block.runs.get(number)
    if start == 0 and run is not None:
        return _ask_render(asked, task, block, number)
    return _read(asked, task, start if start > 0 else started)


def _failed(asked: Query, task: McTask, reason: str) -> Answer:
    task.text = f"ERROR: {reason}"
    return send_task(asked, task)


def _ask_render(asked: Query, task: McTask, block: Block, number: int) -> Answer:
    task.render_id = block.runs[number].render.id
    monitor_id = asked.params.get("mon_id")
    if type(monitor_id) is not int:
        return _failed(asked, task, "Can't get ouput of a running task.")
    monitor = asked.farm.monitors.by_id.get(monitor_id)
    if monitor is None:
        return _failed(asked, task, f"MonitorContainer::waitOutput: No monitor with ID = {monitor_id}")
    watching.wait_output(asked.farm, monitor, block, number, task)
    answer = McTask(**{name: getattr(task, name) for name in McTask.columns})
    answer.text = RETRIEVING
    return send_task(asked, answer)


def _read(asked: Query, task: McTask, start: int) -> Result:
    def finish(content: bytes | str) -> Answer:
        if isinstance(content, str):
            return _failed(asked, task, content)
        task.text = content[:MAX_DATA].decode("utf-8", "surrogateescape")
        return send_task(asked, task)

    pos = task.pos
    return ReadOutput(pos.job_id, pos.block_num, pos.task_num, start, finish)
