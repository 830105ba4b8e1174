"""Nodes and lists of nodes as bytes. A node is encoded when it is asked for and kept until it changes.

Long lists are made in steps: a list that needs more work than one step may take becomes a `SlowAnswer`, and
the shell lets others have their turn between its steps. Source: json-api 2, 5; wire-protocol 3, 6.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from afanasy_py.core.requests import SlowAnswer
from afanasy_py.msg.answers import Answer, BinaryAnswer, JsonAnswer
from afanasy_py.msg.json_forms import Entry, Member, compiled
from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.record import Record, join_encoded
from afanasy_py.msg.records.block import Block
from afanasy_py.msg.types import state_text

if TYPE_CHECKING:
    from afanasy_py.core.branch import Branch
    from afanasy_py.core.node import Logged
    from afanasy_py.core.queries.query import Query
    from afanasy_py.core.render import Render

Encode = Callable[[Any], bytes]
Json = dict[str, Any]

#: Nodes that one step encodes anew, some milliseconds of work.
STEP = 250

#: The time of the last update of a render may be shown so old, as power of two of seconds.
UPDATE_SHIFT = 2


def kept(node: Logged, key: Any, encode: Encode) -> bytes:
    """Return the encoded form of a node from its cache, or encode it."""
    data = node.encoded.get(key)
    if data is None:
        data = node.encoded[key] = encode(node)
    return data


def json_node(form: str) -> Encode:
    """Return the function that gives a node as JSON text in a form."""

    def encode(node: Any) -> bytes:
        return dump_json(node.to_json(form))

    def get(node: Any) -> bytes:
        return kept(node, form, encode)

    return get


def binary_node(msg_type: int) -> Encode:
    """Return the function that gives a node as it travels in a message type."""

    def encode(node: Any) -> bytes:
        data: bytes = node.encode(msg_type)
        return data

    def get(node: Any) -> bytes:
        return kept(node, msg_type, encode)

    return get


def fresh(encode: Encode) -> Encode:
    """Let the encoded forms of renders be dropped after some seconds.

    A heartbeat alone is no change that anybody hears of, but its time is shown.
    """

    def get(render: Render) -> bytes:
        stamp = b"%d" % (render.time_update >> UPDATE_SHIFT)
        cache = render.encoded
        if cache.get("stamp") != stamp:
            cache.clear()
            cache["stamp"] = stamp
        return encode(render)

    return get


# -- branches


def active_jobs(branch: Branch) -> list[Json]:
    """Return what a branch shows of its own jobs that are not done."""
    return [_active(job, job, st=True) for job in branch.jobs_in_order() if not job.is_done()]


def active_users(branch: Branch) -> list[Json]:
    """Return what a branch shows of the users whose tasks run in it."""
    links = [link for link in branch.users.values() if link.running_tasks_num]
    return [_active(link.user, link, st=False) for link in sorted(links, key=lambda link: link.user.id)]


def _active(node: Any, counts: Any, *, st: bool) -> Json:
    shown: Json = {"id": node.id, "name": node.name}
    if st:
        shown["user_name"] = node.user_name
        shown["state"] = state_text(node.st)
    if counts.running_tasks_num:
        shown["running_tasks_num"] = counts.running_tasks_num
    if counts.running_capacity_total:
        shown["running_capacity_total"] = counts.running_capacity_total
    return shown


def json_branch(branch: Branch) -> bytes:
    """Return a branch as JSON text.

    A big farm has all its jobs in one branch, which changes all the time, so what it shows of a job is kept
    with the job.
    """
    head = kept(branch, "head", _encode_head)
    jobs = [kept(job, "active", _encode_active) for job in branch.jobs_in_order() if not job.is_done()]
    users = dump_json(active_users(branch))
    return b"".join((head, b',"active_jobs":[', b",".join(jobs), b'],"active_users":', users, b"}"))


def _encode_active(job: Any) -> bytes:
    return dump_json(_active(job, job, st=True))


def _encode_head(branch: Any) -> bytes:
    members = branch.to_json()
    del members["active_jobs"], members["active_users"]
    return dump_json(members)[:-1]


#: Members that are worked out when they are asked for.
_LIVE: dict[str, Entry] = {
    "active_jobs": Member("active_jobs", active_jobs),
    "active_users": Member("active_users", active_users),
}


# -- some members only


def with_fields(record: type[Record], form: str, fields: tuple[str, ...]) -> Callable[[Any], Json]:
    """Return the function that gives some members of a node; names that it does not have are left out.

    `blocks.st` gives the blocks of a job with this member of each.
    """
    return _with_fields(record, form, fields)


@lru_cache(maxsize=256)
def _with_fields(record: type[Record], form: str, fields: tuple[str, ...]) -> Callable[[Any], Json]:
    entries = record.json_forms[form]
    inner = tuple(name.partition(".")[2] for name in fields if name.startswith("blocks."))
    wanted = [entry for entry in entries if _key(record, entry) in fields]
    if inner and "blocks" not in fields and any(_key(record, entry) == "blocks" for entry in entries):
        wanted.append(Member("blocks", _some_of_blocks(form, inner)))
    wanted = [_LIVE.get(_key(record, entry), entry) for entry in wanted]
    return compiled(tuple(wanted), record.columns, f"json {record.__name__} {' '.join(fields)[:80]}")


def _some_of_blocks(form: str, fields: tuple[str, ...]) -> Callable[[Any], list[Json]]:
    some = _with_fields(Block, form, fields)
    return lambda job: [some(block) for block in job.blocks]


def _key(record: type[Record], entry: Entry) -> str:
    if isinstance(entry, Member):
        return entry.key
    column = record.columns[entry if isinstance(entry, str) else entry[0]]
    return column.json or column.name


# -- lists


def list_answer(
    query: Query, kind: str, nodes: Sequence[Any], encode: Encode, msg_type: int
) -> Answer | SlowAnswer:
    """Return a list of nodes as an answer, or its part that is asked for.

    Args:
        query: The request.
        kind: Name of the list in JSON.
        nodes: All nodes that were selected.
        encode: Gives a node as JSON text, or as it travels in `msg_type` if the query wants that.
        msg_type: Type of the binary answer.
    """
    found = len(nodes)
    if query.has_page():
        nodes = query.page(nodes)
    tail = b'],"total":%d}' % found if query.has_page() else b"\n]}"

    def finish(parts: list[bytes]) -> Answer:
        if query.binary:
            return BinaryAnswer(msg_type, join_encoded(parts))
        return JsonAnswer(b'{"%s":[\n' % kind.encode() + b",\n".join(parts) + tail)

    return in_steps(nodes, encode, finish)


def in_steps(
    nodes: Sequence[Any], encode: Encode, finish: Callable[[list[bytes]], Answer], step: int = STEP
) -> Answer | SlowAnswer:
    """Encode nodes and finish the answer: at once, or in steps when there are many."""
    if len(nodes) <= step:
        return finish([encode(node) for node in nodes])
    return SlowAnswer(_encode_in_steps(nodes, encode, finish, step))


def _encode_in_steps(
    nodes: Sequence[Any], encode: Encode, finish: Callable[[list[bytes]], Answer], step: int
) -> Generator[None, None, Answer]:
    parts: list[bytes] = []
    for first in range(0, len(nodes), step):
        if first:
            yield
        # Nodes may leave the farm between two steps.
        parts += [encode(node) for node in nodes[first : first + step] if not node.gone]
    return finish(parts)
