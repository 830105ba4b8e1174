"""Rows of the statistics tables, as values.

Attribute names and their order are the columns of the tables `jobs`, `tasks` and `logs`. All times are
Unix seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobRow:
    """One block of a deleted job."""

    annotation: str
    blockname: str
    capacity: int
    description: str
    folder: str
    hostname: str
    id_block: int
    jobname: str
    run_time_sum: int
    serial: int
    service: str
    tasks_done: int
    tasks_quantity: int
    time_done: int
    time_started: int
    username: str


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One finished run of a task."""

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
    id_block: int
    id_task: int
    jobname: str
    resources: str
    serial: int
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
