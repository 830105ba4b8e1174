"""Rows of the statistics tables, as values.

Attribute names and their order are the columns of the tables `jobs`, `tasks` and `logs`. All times are
Unix seconds. Texts may be of any length and have any characters: what the tables cannot hold is cut or
taken out on the way there.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobRow:
    """One block of a deleted job; `time_started` and `time_done` are of the job."""

    serial: int
    id_block: int
    annotation: str
    blockname: str
    capacity: int
    description: str
    folder: str
    jobname: str
    hostname: str
    service: str
    tasks_done: int
    tasks_quantity: int
    run_time_sum: int
    time_done: int
    time_started: int
    username: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One finished run of a task."""

    serial: int
    id_block: int
    id_task: int
    annotation: str
    blockname: str
    capacity: int
    command: str
    description: str
    error: int
    errors_count: int
    folder: str
    frame_pertask: int
    hostname: str
    jobname: str
    resources: str
    service: str
    starts_count: int
    time_done: int
    time_started: int
    username: str


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of the farm's journal of events."""

    time: int
    subject: str
    type: str
    object: str
    info: str


StatsRow = JobRow | TaskRow | LogRow
