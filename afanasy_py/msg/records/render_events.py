"""What the server answers to a render. Source: spec wire-protocol 4.11."""

from afanasy_py.msg.codecs import I32, STR
from afanasy_py.msg.record import Record, column, records
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos


class RenderEvents(Record):
    """What a render is to do. Periods: 0 no change, negative back to the default."""

    id: int = column(I32, doc="The render's; -1: register again, -2: exit.")
    heartbeat_sec: int = column(I32)
    resources_update_period: int = column(I32, doc="In heartbeats.")
    zombie_time: int = column(I32, doc="Seconds.")
    exit_no_task_time: int = column(I32, doc="Seconds.")
    tasks: list[TaskExec] = column(records(TaskExec, "i", "full"), doc="To run.")
    closes: list[TaskPos] = column(records(TaskPos, "i"), doc="To be forgotten.")
    stops: list[TaskPos] = column(records(TaskPos, "i"))
    outputs: list[TaskPos] = column(records(TaskPos, "i"), doc="Whose output is wanted.")
    listens_add: list[TaskPos] = column(records(TaskPos, "i"))
    listens_rem: list[TaskPos] = column(records(TaskPos, "i"))
    instruction: str = column(STR, doc="exit, reboot, shutdown, sleep, launch, launch_exit.")
    command: str = column(STR, doc="Of a launch; for sleep the render as JSON.")
    log: str = column(STR)
