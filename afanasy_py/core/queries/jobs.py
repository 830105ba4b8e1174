"""Jobs: lists, progress, blocks, error hosts, and why a job waits.

Source: json-api 4.1 to 4.5; wire-protocol 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afanasy_py.core import replies
from afanasy_py.core.fields import INT64, get_strs
from afanasy_py.core.job import Job
from afanasy_py.core.queries import progress, tasks
from afanasy_py.core.queries.encoding import binary_node, json_node, kept, list_answer, with_fields
from afanasy_py.core.queries.nodes import log_answer, text_lines
from afanasy_py.core.queries.query import INVALID_ID, UNANSWERED, Query, query
from afanasy_py.core.requests import ReadFiles
from afanasy_py.core.why import explain
from afanasy_py.errors import RequestError
from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer
from afanasy_py.msg.codecs import write_text
from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.record import join_encoded
from afanasy_py.msg.types import BLOCK_MODES, MsgType

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.requests import Result

#: {word: message type that brings so much of a block}
_BLOCK_TYPES = {word: msg_type for msg_type, word in BLOCK_MODES.items()}

#: {(form, binary): how a job of a list is encoded}
_ENCODERS: dict[tuple[str, bool], Callable[[Any], bytes]] = {
    ("list", False): json_node("list"),
    ("full", False): json_node("full"),
    ("list", True): binary_node(MsgType.TJobsList),
    ("full", True): binary_node(MsgType.TJob),
}


@query("jobs")
def _jobs(asked: Query) -> Result:
    """Answer in the order in which the original looks at the members."""
    farm = asked.farm
    if "users" in asked.params:
        names = get_strs(asked.params, "users")
        if not names:
            raise RequestError(UNANSWERED)
        users = [farm.users.by_name[name] for name in names if name in farm.users.by_name]
        return _list(asked, [job for user in users for job in user.jobs])
    uids = asked.ints("uids")
    if asked.mode == "output" and not uids:
        return tasks.output_answer(asked)
    if len(asked.ids) == 1 and asked.mode != "output":
        job = asked.node(farm.jobs)
        answer = _of_one(asked, job)
        if answer is not None:
            return answer
    if uids:
        return _list(asked, [job for i in uids if i in farm.users.by_id for job in farm.users.by_id[i].jobs])
    serials = asked.params.get("serials")
    if type(serials) is list:
        wanted = {item for item in serials if type(item) is int and item in INT64}
        return _list(asked, [job for job in farm.jobs if job.serial in wanted] if wanted else [])
    return _list(asked, asked.select(farm.jobs))


def _of_one(asked: Query, job: Job) -> Result | None:
    """Return what a query about one job asks for besides the job; None: the job itself."""
    if asked.mode == "why":
        return _why(asked, job)
    block_ids, task_ids = asked.ints("block_ids"), asked.ints("task_ids")
    if block_ids and block_ids[0] != -1:
        if task_ids and task_ids[0] != -1:
            return tasks.task_answer(asked, job, block_ids[0], task_ids[0])
        return _blocks(asked, job, block_ids)
    mode = _MODES.get(asked.mode)
    return mode(asked, job) if mode is not None else None


def _list(asked: Query, jobs: list[Job]) -> Result:
    form = "full" if asked.mode == "full" else "list"
    msg_type = MsgType.TJob if form == "full" else MsgType.TJobsList
    if asked.fields:
        some = with_fields(Job, form, asked.fields)
        return list_answer(asked, "jobs", jobs, lambda job: dump_json(some(job)), msg_type)
    return list_answer(asked, "jobs", jobs, _ENCODERS[form, asked.binary], msg_type)


# -- blocks


def _blocks(asked: Query, job: Job, numbers: list[int]) -> Result | None:
    """Return blocks of a job in the forms that the mode names, one for each block."""
    words = [asked.mode] if asked.binary and asked.mode else asked.modes
    if len(words) != len(numbers) or not all(0 <= number < len(job.blocks) for number in numbers):
        return None
    blocks = [job.blocks[number] for number in numbers]
    if asked.binary:
        msg_type = _BLOCK_TYPES.get(words[0])
        if msg_type is None:
            return None
        return BinaryAnswer(msg_type, join_encoded(_block(block, msg_type) for block in blocks))
    parts = [
        _block(block, word if word in _BLOCK_TYPES else "store")
        for block, word in zip(blocks, words, strict=True)
    ]
    return JsonAnswer(b'{"blocks":[\n' + b",\n".join(parts) + b"\n]}")


def _block(block: Block, form: str | MsgType) -> bytes:
    """Return an encoded block; it is kept with its job, whose changes are those of its blocks."""

    def encode(_job: object) -> bytes:
        if isinstance(form, MsgType):
            data: bytes = block.encode(form)
            return data
        return dump_json(block.to_json(form))

    return kept(block.job, (block.block_num, form), encode)


# -- other modes


def _progress(asked: Query, job: Job) -> Result:
    return progress.job_progress(job, binary=asked.binary)


def _error_hosts(asked: Query, job: Job) -> Result:
    lines: list[str] = []
    for block in job.blocks:
        lines.append(f"Block['{block.name}'] error hosts:")
        lines += tasks.error_lines(asked, block.error_hosts, block.avoid_host_errors())
        for number, hosts in sorted(block.tasks.error_hosts.items()):
            if hosts:
                lines.append(tasks.error_hosts_title(number))
                lines += tasks.error_lines(asked, hosts, block.task_same_host_errors())
    if asked.binary:
        return BinaryAnswer(
            MsgType.TString, write_text("\n".join((f'Job "{job.name}" error hosts:', *lines)))
        )
    return text_lines(asked, job, "error_hosts", lines)


def _thumbnail(asked: Query, job: Job) -> Result | None:
    """Return the thumbnail of a job; JSON cannot carry one, so the list comes instead."""
    if not asked.binary:
        return None
    return ReadFiles(
        job.id, -1, -1, True, lambda files: tasks.files_message(job.id, -1, -1, files or [("", b"")])
    )


def _why(asked: Query, job: Job) -> Result:
    host = asked.params.get("host")
    blocks, numbers = asked.ints("block_ids"), asked.ints("task_ids")
    for number in blocks:
        if not 0 <= number < len(job.blocks):
            raise RequestError("Invalid block/task number.")
    if blocks and any(not 0 <= n < job.blocks[b].tasks.num for b in blocks for n in numbers):
        raise RequestError("Invalid block/task number.")
    render = None
    if type(host) is str:
        render = asked.farm.renders.by_name.get(host)
        if render is None:
            raise RequestError(INVALID_ID)
    return replies.reply({"why": explain(asked.farm, job, blocks, numbers, render)})


_MODES: dict[str, Callable[[Query, Job], Result | None]] = {
    "thumbnail": _thumbnail,
    "progress": _progress,
    "error_hosts": _error_hosts,
    "log": log_answer,
}
