"""What the store holds, as plain values: documents of nodes, and tasks in packed arrays.

An `Image` is made of the files of the original's layout or of a journal, takes records in, and gives itself
back as records. It knows neither the farm nor the disk.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from typing import Any

from afanasy_py.store import records
from afanasy_py.store.records import (
    Arrays,
    Command,
    Commands,
    CommandsGone,
    Created,
    Errors,
    File,
    Log,
    Node,
    Output,
    Record,
    Removed,
    Serial,
    State,
    Task,
    Tasks,
)

#: Lines kept of the log of a node.
LOG_LINES_MOST = 100
#: {host: [errors, time of the last one]}
Hosts = dict[str, list[int]]


class BlockImage:
    """The tasks of a block."""

    __slots__ = (
        "document",
        "errors",
        "errors_of",
        "host",
        "host_numbers",
        "hosts",
        "initial",
        "num",
        "resources",
        "st",
        "starts",
        "time_done",
        "time_start",
        "times",
    )

    def __init__(self, num: int, initial: int) -> None:
        self.num = num
        #: State of a task that was never touched.
        self.initial = initial
        #: Text of `block<N>_tasks.json`, None for a numeric block.
        self.document: bytes | None = None
        #: Arrays by task number; empty until the first task is touched.
        self.st = array("I")
        self.starts = array("i")
        self.errors = array("i")
        self.time_start = array("q")
        self.time_done = array("q")
        #: Indices in `hosts`.
        self.host = array("I")
        self.hosts: list[str] = [""]
        self.host_numbers: dict[str, int] = {"": 0}
        #: {task: resources}; no empty ones.
        self.resources: dict[int, str] = {}
        #: {"": hosts with errors of the block, "<task>": those of a task}; no empty ones.
        self.errors_of: dict[str, Hosts] = {}
        #: (time of start, time of end) if newer than the document of the job.
        self.times: tuple[int, int] | None = None

    def keep_arrays(self) -> None:
        """Make the arrays."""
        if not self.st and self.num:
            self.st = array("I", [self.initial]) * self.num
            self.starts = array("i", [0]) * self.num
            self.errors = array("i", [0]) * self.num
            self.time_start = array("q", [0]) * self.num
            self.time_done = array("q", [0]) * self.num
            self.host = array("I", [0]) * self.num

    def resize(self, num: int, initial: int) -> None:
        """Take another number of tasks; those that are there stay as they are."""
        if initial != self.initial:
            self.keep_arrays()  # those that were never touched stay what they are
            self.initial = initial
        if num == self.num:
            return
        more, self.num = num - self.num, num
        if not self.st:
            return
        if more < 0:
            for figures in (self.st, self.starts, self.errors, self.time_start, self.time_done, self.host):
                del figures[num:]
            return
        self.st.extend([initial] * more)
        for figures in (self.starts, self.errors, self.time_start, self.time_done, self.host):
            figures.extend([0] * more)

    def host_number(self, name: str) -> int:
        """Return the index of a host's name."""
        number = self.host_numbers.get(name)
        if number is None:
            number = self.host_numbers[name] = len(self.hosts)
            self.hosts.append(name)
        return number

    def set_task(self, task: Task) -> None:
        """Take in the state of a task."""
        number = task.task_num
        if number >= self.num:
            return
        self.keep_arrays()
        self.st[number] = task.st
        self.starts[number] = task.starts
        self.errors[number] = task.errors
        self.time_start[number] = task.time_start
        self.time_done[number] = task.time_done
        self.host[number] = self.host_number(_text(task.host))
        if task.resources:
            self.resources[number] = _text(task.resources)
        elif self.resources:
            self.resources.pop(number, None)

    def arrays(self, job_id: int, block_num: int) -> Arrays:
        """Return all tasks as a record."""
        texts = json.dumps([self.hosts, self.resources]).encode()
        packed = b"".join(
            figures.tobytes()
            for figures in (self.st, self.starts, self.errors, self.time_start, self.time_done, self.host)
        )
        return Arrays(job_id, block_num, self.num, len(self.st), texts, packed)

    def set_arrays(self, record: Arrays) -> None:
        """Take in all tasks."""
        self.num = record.num
        at = 0
        for name in ("st", "starts", "errors", "time_start", "time_done", "host"):
            figures = array(getattr(self, name).typecode)
            size = figures.itemsize * record.kept
            figures.frombytes(record.packed[at : at + size])
            setattr(self, name, figures)
            at += size
        hosts, resources = json.loads(record.texts)
        self.hosts = hosts
        self.host_numbers = {name: number for number, name in enumerate(hosts)}
        self.resources = {int(number): text for number, text in resources.items()}


class NodeImage:
    """A node."""

    __slots__ = ("blocks", "document", "extras", "folder", "id", "kind", "log", "serial", "state")

    def __init__(self, kind: str, node_id: int, folder: str) -> None:
        self.kind = kind
        self.id = node_id
        self.folder = folder
        self.serial = 0
        #: Text of `data.json`.
        self.document = b""
        #: JSON of what that does not hold.
        self.extras = b""
        #: Last lines: [[time, subject, type, object, text]]
        self.log: list[list[Any]] = []
        self.blocks: list[BlockImage] = []
        #: What of a job is newer than its document.
        self.state: State | None = None


class Image:
    """All that the store holds."""

    def __init__(self) -> None:
        #: {kind: {id: node}}
        self.nodes: dict[str, dict[int, NodeImage]] = {kind: {} for kind in records.KINDS}
        self.jobs_serial = 0
        #: Unix seconds; 0: not known.
        self.time_created = 0
        #: {block of the system job: {number: JSON of a waiting command}}
        self.commands: dict[int, dict[int, bytes]] = {}

    def block(self, job_id: int, block_num: int) -> BlockImage | None:
        """Return a block, or None."""
        job = self.nodes["jobs"].get(job_id)
        return job.blocks[block_num] if job is not None and block_num < len(job.blocks) else None

    def apply(self, record: Record) -> None:  # noqa: C901, PLR0912 - a table of records and what they set
        """Take a record in."""
        match record:
            case Task():
                block = self.block(record.job_id, record.block_num)
                if block is not None:
                    block.set_task(record)
            case State():
                job = self.nodes["jobs"].get(record.job_id)
                if job is not None:
                    job.state = record
                    for own, times in zip(job.blocks, record.blocks, strict=False):
                        own.times = times
            case Node():
                self._set_node(record)
            case Tasks():
                block = self.block(record.job_id, record.block_num)
                if block is not None:
                    block.document = record.document
            case Removed():
                node = self.nodes[record.kind].get(record.id)
                if node is not None and node.serial == record.serial:
                    del self.nodes[record.kind][record.id]
            case Serial():
                self.jobs_serial = max(self.jobs_serial, record.value)
            case Created():
                self.time_created = record.value
            case Command():
                self.commands.setdefault(record.block_num, {})[record.number] = record.document
            case CommandsGone():
                self._forget_commands(record)
            case Commands():
                self._set_old_commands(record)
            case Log():
                node = self.nodes[record.kind].get(record.id)
                if node is not None:
                    node.log += json.loads(record.document)
                    del node.log[:-LOG_LINES_MOST]
            case Errors():
                block = self.block(record.job_id, record.block_num)
                if block is not None:
                    for key, hosts in json.loads(record.document).items():
                        if key == records.ALL_BEFORE:
                            block.errors_of.clear()
                        elif hosts:
                            block.errors_of[key] = hosts
                        else:
                            block.errors_of.pop(key, None)
            case Arrays():
                block = self.block(record.job_id, record.block_num)
                if block is not None:
                    block.set_arrays(record)
            case Output() | File():
                pass  # these are files and nothing else

    def _forget_commands(self, record: CommandsGone) -> None:
        waiting = self.commands.get(record.block_num)
        if waiting is None:
            return
        if record.last - record.first < len(waiting):
            for number in range(record.first, record.last + 1):
                waiting.pop(number, None)
        else:
            for number in [n for n in waiting if record.first <= n <= record.last]:
                del waiting[number]

    def _set_old_commands(self, record: Commands) -> None:
        self.commands = {}
        for number, old in enumerate(json.loads(record.document)):
            names = ("queued_at", "text", "working_directory", "user_name", "job_name", "task_name")
            document = json.dumps([number, *(old[name] for name in names)]).encode()
            self.commands.setdefault(old["block"], {})[number] = document

    def _set_node(self, record: Node) -> None:
        nodes = self.nodes[record.kind]
        node = nodes.get(record.id)
        if node is None or node.serial != record.serial:
            node = nodes[record.id] = NodeImage(record.kind, record.id, record.folder)
        node.folder = record.folder
        node.serial = record.serial
        node.document = record.document
        node.extras = record.extras
        node.state = None
        for block, (num, initial) in zip(node.blocks, record.blocks, strict=False):
            block.resize(num, initial)
            block.times = None
        for num, initial in record.blocks[len(node.blocks) :]:
            node.blocks.append(BlockImage(num, initial))

    def encode(self) -> Iterator[bytes]:
        """Yield everything as records, one piece for each node."""
        yield records.encode_created(self.time_created) + records.encode_serial(self.jobs_serial)
        for block_num, waiting in self.commands.items():
            for number, document in waiting.items():
                yield records.encode_command(block_num, number, document)
        for nodes in self.nodes.values():
            for node in nodes.values():
                yield b"".join(_encode_node(node))


def _encode_node(node: NodeImage) -> Iterator[bytes]:
    blocks = [(block.num, block.initial) for block in node.blocks]
    yield records.encode_node(
        Node(node.kind, node.id, node.serial, node.folder, blocks, node.document, node.extras)
    )
    if node.state is not None:
        yield records.encode_state(node.state)
    if node.log:
        yield records.encode_log(node.kind, node.id, json.dumps(node.log).encode())
    for number, block in enumerate(node.blocks):
        if block.document is not None:
            yield records.encode_tasks(node.id, number, block.document)
        if block.st:
            yield records.encode_arrays(block.arrays(node.id, number))
        if block.errors_of:
            yield records.encode_errors(node.id, number, json.dumps(block.errors_of).encode())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
