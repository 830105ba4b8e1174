"""What the farm wants stored, taken from it as records of the journal.

Keys of what changed are collected, and everything is encoded at once when it is written: so a thing that
changes often is written once, and what is written is the farm as it is at one moment between two calls.

Of a job that runs only its state changes, thousands of times a second. Whether more has changed is told by a
print of its other values; if not, a short record does.
"""

from __future__ import annotations

import json
import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from afanasy_py.core.block import Block
from afanasy_py.core.branch import clean_name
from afanasy_py.core.changes import CommandsGone
from afanasy_py.core.job import Job
from afanasy_py.core.task_states import OFF, RUN
from afanasy_py.msg.json_text import dump_json
from afanasy_py.store import records
from afanasy_py.store.records import (
    BLOCK_TIMES,
    KINDS,
    STATE,
    STATE_FIXED,
    STATE_RECORD,
    TASK,
    TASK_FIXED,
    TASK_RECORD,
)

if TYPE_CHECKING:
    from afanasy_py.core.changes import Changes, Output, Removed, TaskFile
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.node import LogLine

log = logging.getLogger(__name__)

#: Columns of jobs and blocks that a state record carries, or that nobody needs after a restart.
_STATE_COLUMNS = {
    "st", "time_started", "time_done", "tasks_ready", "tasks_error", "blocks",
    "blocks_num", "running_tasks_num", "running_capacity_total", "running_services",
    "running_tasks_counter", "tasks_data", "srv_info", "locked", "thumb_path", "report",
}  # fmt: skip


def _getters(record: type[Any], *more: str) -> tuple[Any, Any]:
    """Return getters of the plain values, and of the lists and maps, that make the print of a node."""
    plain = record.plain_values()
    names = [name for name in record.columns if name not in _STATE_COLUMNS and not name.startswith("p_")]
    filled = [name for name in names if isinstance(plain[name], list | dict)]
    return attrgetter(*(name for name in names if name not in filled), *more), attrgetter(*filled)


_job_plain, _job_filled = _getters(Job, "deleting", "runs_first")
_block_plain, _block_filled = _getters(Block)

Print = tuple[Any, ...]


def job_print(job: Job) -> Print:
    """Return the values of a job that change only when somebody edits it."""
    filled = _job_filled(job)
    parts = [_job_plain(job), job.st & OFF, _copied(filled) if any(filled) else None]
    for block in job.blocks:
        filled = _block_filled(block)
        parts += (_block_plain(block), _copied(filled) if any(filled) else None)
    return tuple(parts)


def _copied(filled: tuple[list[Any] | dict[str, Any], ...]) -> tuple[Any, ...]:
    """Copy lists and maps, which may be changed in place."""
    return tuple(value.copy() for value in filled)


class Batch:
    """Keys and values that wait to be written."""

    __slots__ = (
        "block_tasks",
        "commands",
        "commands_gone",
        "files",
        "lines",
        "more",
        "nodes",
        "outputs",
        "removed",
        "serial",
        "tasks",
    )

    def __init__(self) -> None:
        self.nodes: dict[tuple[str, int], None] = {}
        self.block_tasks: dict[tuple[int, int], None] = {}
        self.tasks: dict[tuple[int, int, int], None] = {}
        #: [(node, its serial, its folder)]
        self.removed: list[tuple[Removed, int, str]] = []
        self.outputs: list[Output] = []
        self.files: list[TaskFile] = []
        self.serial = False
        #: {(block of the system job, number): JSON of a waiting command}
        self.commands: dict[tuple[int, int], bytes] = {}
        self.commands_gone: list[CommandsGone] = []
        #: Records that are encoded already.
        self.more: list[bytes] = []
        #: {(kind, id): last line of the log that was stored before this batch}
        self.lines: dict[tuple[str, int], LogLine | None] = {}

    def put_before(self, later: Batch) -> Batch:
        """Return this batch with another one behind it: what was not written is written with it."""
        for removed, _, _ in later.removed:
            self.nodes.pop((removed.kind, removed.id), None)
            if removed.kind == "jobs":
                self.outputs = [output for output in self.outputs if output.job_id != removed.id]
                self.files = [file for file in self.files if file.job_id != removed.id]
        self.nodes.update(later.nodes)
        self.block_tasks.update(later.block_tasks)
        self.tasks.update(later.tasks)
        self.removed += later.removed
        self.outputs += later.outputs
        self.files += later.files
        self.serial = self.serial or later.serial
        for gone in later.commands_gone:
            self.forget_commands(gone)
        self.commands.update(later.commands)
        self.more += later.more
        return self

    def forget_commands(self, gone: CommandsGone) -> None:
        """Note that commands of the system job wait no longer."""
        waiting, block_num, first, last = self.commands, gone.block_num, gone.first, gone.last
        if last - first < len(waiting):
            for number in range(first, last + 1):
                waiting.pop((block_num, number), None)
        else:
            for key in [key for key in waiting if key[0] == block_num and first <= key[1] <= last]:
                del waiting[key]
        before = self.commands_gone[-1] if self.commands_gone else None
        if before is not None and (before.block_num, before.last + 1) == (block_num, first):
            self.commands_gone[-1] = CommandsGone(block_num, before.first, last)
        else:
            self.commands_gone.append(gone)


class Capture:
    """Collects what changed and encodes it."""

    def __init__(self) -> None:
        self.batch = Batch()
        #: {(kind, id): folder relative to the root}
        self.folders: dict[tuple[str, int], str] = {}
        #: {job id: serial as it was stored}
        self._serials: dict[int, int] = {}
        #: {job id: print as it was stored}
        self._prints: dict[int, Print] = {}
        #: {(kind, id): last line of the log that was stored}
        self._lines: dict[tuple[str, int], LogLine] = {}
        #: {(job id, block number)} that have stored hosts with errors.
        self.erring: dict[tuple[int, int], None] = {}
        #: {host: its name as bytes}
        self._hosts: dict[str, bytes] = {}

    def adopt(self, farm: Farm, folders: dict[tuple[str, int], str]) -> None:
        """Take the farm as it was loaded for what is stored."""
        self.folders.update(folders)
        for kind in KINDS:
            for node in getattr(farm, kind):
                if (kind, node.id) in folders and node.log_lines:
                    self._lines[kind, node.id] = node.log_lines[-1]
        for job in farm.jobs:
            if ("jobs", job.id) in folders:
                self._serials[job.id] = job.serial
                for block in job.blocks:
                    if block.error_hosts or block.tasks.error_hosts:
                        self.erring[job.id, block.block_num] = None

    def take(self, farm: Farm) -> bool:
        """Take the changes from the farm; return whether an answer has to wait for them."""
        changes = farm.changes
        batch = self.batch
        waits = self._must_wait(farm, changes)
        if changes.removed:
            for removed in changes.removed:
                self._note_removed(removed)
            changes.removed.clear()
        if changes.nodes:
            batch.nodes.update(changes.nodes)
            changes.nodes.clear()
        if changes.tasks:
            batch.tasks.update(changes.tasks)
            changes.tasks.clear()
        if changes.block_tasks:
            batch.block_tasks.update(changes.block_tasks)
            changes.block_tasks.clear()
        if changes.outputs:
            batch.outputs += changes.outputs
            changes.outputs.clear()
        if changes.files:
            batch.files += changes.files
            changes.files.clear()
        if changes.serial:
            batch.serial = True
            changes.serial = False
        if changes.commands:
            for change in changes.commands:
                if isinstance(change, CommandsGone):
                    batch.forget_commands(change)
                else:
                    batch.commands[change.block_num, change.number] = change.document
            changes.commands.clear()
        return waits

    def _must_wait(self, farm: Farm, changes: Changes) -> bool:
        """Return whether there is more than starts of tasks and what follows from them."""
        if changes.removed or changes.block_tasks:
            return True
        jobs = farm.jobs.by_id
        for job_id, block_num, number in changes.tasks:
            job = jobs.get(job_id)
            if job is not None and block_num < len(job.blocks):
                tasks = job.blocks[block_num].tasks
                if number >= tasks.num:
                    continue
                # A task that ran into an error may run again already.
                if not tasks.st[number] & RUN or tasks.errors[number]:
                    return True
        for kind, node_id in changes.nodes:
            if kind == "jobs":
                job = jobs.get(node_id)
                if job is not None and (
                    self._prints.get(node_id) != job_print(job) or self._forgotten_errors(job)
                ):
                    return True
            elif kind != "renders" or not changes.tasks:
                return True
        return False

    def _note_removed(self, removed: Removed) -> None:
        key = (removed.kind, removed.id)
        batch = self.batch
        batch.nodes.pop(key, None)
        self._lines.pop(key, None)
        folder = self.folders.pop(key, None)
        serial = 0
        if removed.kind == "jobs":
            serial = self._serials.pop(removed.id, 0)
            self._prints.pop(removed.id, None)
            for erring in [place for place in self.erring if place[0] == removed.id]:
                del self.erring[erring]
            if batch.outputs or batch.files:
                batch.outputs = [output for output in batch.outputs if output.job_id != removed.id]
                batch.files = [file for file in batch.files if file.job_id != removed.id]
        if folder is not None:  # else it came and went before it was written
            batch.removed.append((removed, serial, folder))

    # -- encoding

    def take_batch(self) -> Batch:
        """Return all that waits; a new batch begins."""
        batch, self.batch = self.batch, Batch()
        return batch

    def encode(self, farm: Farm, batch: Batch) -> bytes:
        """Return a batch as records: the farm as it is now."""
        out: list[bytes] = []
        if batch.serial:
            out.append(records.encode_serial(farm.jobs_serial))
        for removed, serial, folder in batch.removed:
            out.append(records.encode_removed(removed.kind, removed.id, serial, folder))
        if batch.nodes:
            self._encode_nodes(farm, batch, out)
        for job_id, block_num in batch.block_tasks:
            job = farm.jobs.by_id.get(job_id)
            if job is not None and block_num < len(job.blocks):
                out.append(records.encode_tasks(job_id, block_num, _tasks_document(job.blocks[block_num])))
        if batch.tasks:
            self._encode_tasks(farm, batch, out)
        out += [
            records.encode_output(o.job_id, o.block_num, o.task_num, o.start, o.data) for o in batch.outputs
        ]
        out += [records.encode_file(f.job_id, f.block_num, f.task_num, f.name, f.data) for f in batch.files]
        out += [
            records.encode_commands_gone(gone.block_num, gone.first, gone.last)
            for gone in batch.commands_gone
        ]
        out += [records.encode_command(*place, document) for place, document in batch.commands.items()]
        out += batch.more
        return b"".join(out)

    def put_back(self, batch: Batch) -> None:
        """Take back a batch that could not be written."""
        for key, line in batch.lines.items():
            if line is None:
                self._lines.pop(key, None)
            elif key in self._lines:
                self._lines[key] = line
        batch.lines.clear()
        for kind, node_id in batch.nodes:
            if kind == "jobs":
                self._prints.pop(node_id, None)
        self.batch = batch.put_before(self.batch)

    def take_all(self, farm: Farm) -> None:
        """Put everything that the farm has into the batch, as if nothing were stored."""
        batch = self.batch
        self._prints.clear()
        self._lines.clear()
        keeper: Any = farm.sysjob
        if hasattr(keeper, "commands"):
            batch.commands = {(block, c.number): c.encode() for block, c in keeper.commands()}
        batch.commands_gone.clear()
        batch.serial = True
        batch.removed.clear()
        for kind in KINDS:
            batch.nodes.update(dict.fromkeys((kind, node.id) for node in getattr(farm, kind)))
        for job in farm.jobs:
            for block in job.blocks:
                place = (job.id, block.block_num)
                if not block.is_numeric():
                    batch.block_tasks[place] = None
                new = block.new_task_state()
                states = block.tasks.st
                touched = block.tasks.has_run()
                batch.tasks.update(
                    dict.fromkeys(
                        (*place, number) for number, st in enumerate(states) if touched or st != new
                    )
                )

    def add_logs(self, farm: Farm) -> None:
        """Put all lines of logs that are not stored yet into the batch."""
        for kind in KINDS:
            for node in getattr(farm, kind):
                self._encode_log(kind, node, self.batch.more, {})

    def _encode_nodes(self, farm: Farm, batch: Batch, out: list[bytes]) -> None:
        tables = {kind: getattr(farm, kind).by_id for kind in KINDS}
        with_tasks = {job_id for job_id, _ in batch.block_tasks}
        for kind, node_id in batch.nodes:
            node = tables[kind].get(node_id)
            if node is None:
                continue
            try:
                if kind == "jobs":
                    self._encode_job(node, out, whole=node_id in with_tasks)
                else:
                    self._encode_node(kind, node, out)
            except Exception:
                # A bug with one node must not keep all others from the disk.
                log.exception("store: it cannot be encoded, and is not stored: %s %d", kind, node_id)
            self._encode_log(kind, node, out, batch.lines)

    def _encode_node(self, kind: str, node: Any, out: list[bytes]) -> None:
        document = dump_json(node.to_json("store"))
        folder = self._folder(kind, node)
        out.append(records.encode_node(records.Node(kind, node.id, 0, folder, [], document, b"")))

    def _folder(self, kind: str, node: Any) -> str:
        folder = self.folders.get((kind, node.id))
        if folder is None:
            folder = self.folders[kind, node.id] = node_folder(kind, node.id, node.name)
        return folder

    def _encode_job(self, job: Job, out: list[bytes], *, whole: bool) -> None:
        made = job_print(job)
        job_id = job.id
        if not whole and self._prints.get(job_id) == made:
            _encode_state(job, out)
        else:
            out.append(records.encode_node(job_record(job, self._folder("jobs", job))))
            self._prints[job_id] = made
            self._serials[job_id] = job.serial
        for place in self._forgotten_errors(job):
            del self.erring[place]
            out.append(records.encode_errors(*place, json.dumps({records.ALL_BEFORE: {}}).encode()))

    def _forgotten_errors(self, job: Job) -> list[tuple[int, int]]:
        """Return the blocks of a job of which hosts with errors are stored that are forgotten by now."""
        if not self.erring:
            return []
        return [
            (job.id, block.block_num)
            for block in job.blocks
            if (job.id, block.block_num) in self.erring
            and not block.error_hosts
            and not block.tasks.error_hosts
        ]

    def _encode_log(
        self, kind: str, node: Any, out: list[bytes], before: dict[tuple[str, int], LogLine | None]
    ) -> None:
        lines = node.log_lines
        if not lines:
            return
        key = (kind, node.id)
        stored = self._lines.get(key)
        last = lines[-1]
        if stored is last:
            return
        before[key] = stored
        self._lines[key] = last
        new: list[LogLine] = []
        for line in reversed(lines):
            if line is stored:
                break
            new.append(line)
        document = json.dumps(
            [[line.time, line.subject, line.type, line.object, line.info] for line in reversed(new)]
        )
        out.append(records.encode_log(kind, node.id, document.encode()))

    def _encode_tasks(self, farm: Farm, batch: Batch, out: list[bytes]) -> None:
        jobs = farm.jobs.by_id
        hosts = self._hosts
        pack = TASK_RECORD.pack
        failed: dict[tuple[int, int], list[int]] = {}
        # The times of blocks follow from those of tasks.
        for job_id in {job_id for job_id, _, _ in batch.tasks}:
            if ("jobs", job_id) not in batch.nodes and job_id in jobs:
                _encode_state(jobs[job_id], out)
        for job_id, block_num, number in batch.tasks:
            job = jobs.get(job_id)
            if job is None or block_num >= len(job.blocks):
                continue
            tasks = job.blocks[block_num].tasks
            if number >= tasks.num:
                continue
            st = tasks.st[number]
            if not tasks.starts:
                out.append(pack(TASK, TASK_FIXED, job_id, block_num, number, st, 0, 0, 0, 0, 0))
                continue
            name = tasks.host[number]
            host = hosts.get(name)
            if host is None:
                host = hosts[name] = name.encode("utf-8", "surrogateescape")[:0xFFFF]
            text = tasks.resources.get(number)
            resources = text.encode("utf-8", "surrogateescape") if text else b""
            out.append(
                pack(
                    TASK,
                    TASK_FIXED + len(host) + len(resources),
                    job_id,
                    block_num,
                    number,
                    st,
                    tasks.starts[number],
                    tasks.errors[number],
                    tasks.time_start[number],
                    tasks.time_done[number],
                    len(host),
                )
            )
            out.append(host)
            if resources:
                out.append(resources)
            if tasks.error_hosts and number in tasks.error_hosts:
                failed.setdefault((job_id, block_num), []).append(number)
        for (job_id, block_num), numbers in failed.items():
            block = jobs[job_id].blocks[block_num]
            self._encode_errors(block, numbers, out)

    def _encode_errors(self, block: Block, numbers: list[int], out: list[bytes]) -> None:
        of_tasks = block.tasks.error_hosts
        if not block.error_hosts and not of_tasks:
            return
        self.erring[block.job.id, block.block_num] = None
        document = {"": block.error_hosts, **{str(n): of_tasks.get(n, {}) for n in numbers}}
        out.append(records.encode_errors(block.job.id, block.block_num, json.dumps(document).encode()))


def node_folder(kind: str, node_id: int, name: str) -> str:
    """Return the folder of a new node, relative to the root."""
    return f"{kind}/{node_id // 1000}/{node_id}.{clean_name(name)}"


def _encode_state(job: Job, out: list[bytes]) -> None:
    blocks = job.blocks
    size = STATE_FIXED + BLOCK_TIMES.size * len(blocks)
    times = (job.time_started, job.time_done)
    out.append(STATE_RECORD.pack(STATE, size, job.id, job.st, *times, job.user_list_order))
    out += [BLOCK_TIMES.pack(block.time_started, block.time_done) for block in blocks]


def job_record(job: Job, folder: str) -> records.Node:
    """Return a job whole."""
    extras: dict[str, Any] = {"flags": job.flags}
    if job.deleting:
        extras["deleting"] = True
    if job.runs_first:
        extras["runs_first"] = True
    if job.token:
        extras["token"] = job.token
    if any(block.parser_coeff != 1 for block in job.blocks):
        extras["parser_coeffs"] = [block.parser_coeff for block in job.blocks]
    # A block of the system job makes its tasks itself.
    blocks = [(b.tasks.num, 0 if b.keeps_own_runs else b.new_task_state()) for b in job.blocks]
    document = dump_json(job.to_json("store"))
    return records.Node("jobs", job.id, job.serial, folder, blocks, document, dump_json(extras))


def _tasks_document(block: Block) -> bytes:
    """Return the text of `block<N>_tasks.json`; environments of tasks are an addition of ours."""
    items = []
    for number, task in enumerate(block.tasks_data):
        item = task.to_json()
        environment = block.task_environments.get(number)
        if environment:
            item["environment"] = environment
        items.append(item)
    return dump_json({"tasks": items})
