"""What one call of the farm wants from the outside, as plain values.

The shell takes them after each call: it stores, sends and prints them in this order. Changes of nodes
and tasks are sets of keys, so that many changes of one thing are written once; the store asks the farm
for the contents when it writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from afanasy_py.stats_rows import StatsRow


@dataclass(frozen=True, slots=True)
class Removed:
    """A node is gone for good; its folder may go too."""

    kind: str
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Output:
    """The whole output of start number `start` of a task."""

    job_id: int
    block_num: int
    task_num: int
    start: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file that a render sent for a task, a thumbnail mostly."""

    job_id: int
    block_num: int
    task_num: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CommandWaits:
    """A command of the system job waits; `document` is its JSON. Numbers rise within a block."""

    block_num: int
    number: int
    document: bytes


@dataclass(frozen=True, slots=True)
class CommandsGone:
    """Commands of the system job wait no longer: those of a block from number `first` to `last`."""

    block_num: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that somebody did, or was refused, for the audit log."""

    user: str
    address: str
    #: How it was known who it is, and the role; `open`: access control is off, empty: it was not known.
    how: str
    action: str
    #: Why it was refused; empty: it was done.
    refused: str = ""


@dataclass(slots=True)
class Changes:
    """Everything that waits to be taken by the shell."""

    #: {(kind, id)}: nodes whose stored form changed; kinds: jobs, renders, users, branches, pools.
    nodes: dict[tuple[str, int], None] = field(default_factory=dict)
    #: {(job id, block number)}: blocks whose list of tasks changed.
    block_tasks: dict[tuple[int, int], None] = field(default_factory=dict)
    #: {(job id, block number, task number)}: tasks whose stored progress changed.
    tasks: dict[tuple[int, int, int], None] = field(default_factory=dict)
    #: True when the counter of job serials changed.
    serial: bool = False
    removed: list[Removed] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    files: list[TaskFile] = field(default_factory=list)
    #: What happened to the queues of the system job, in order.
    commands: list[CommandWaits | CommandsGone] = field(default_factory=list)
    #: Rows for the statistics.
    rows: list[StatsRow] = field(default_factory=list)
    #: (level, text) for the server's own log; levels of `logging`.
    lines: list[tuple[int, str]] = field(default_factory=list)
    audits: list[AuditEntry] = field(default_factory=list)

    def is_durable(self) -> bool:
        """Return whether anything here must be on disk before the answer leaves."""
        return bool(
            self.nodes
            or self.tasks
            or self.removed
            or self.outputs
            or self.block_tasks
            or self.files
            or self.commands
        )
