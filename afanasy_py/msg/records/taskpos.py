"""Which task. Source: spec wire-protocol 4.8."""

from typing import ClassVar

from afanasy_py.msg.codecs import I32
from afanasy_py.msg.json_forms import Form, Member
from afanasy_py.msg.record import Record, column


class TaskPos(Record):
    """The place of a task."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            Member("job", "o.job_id"),
            Member("block", "o.block_num"),
            Member("task", "o.task_num"),
            "number",
        )
    }

    job_id: int = column(I32)
    block_num: int = column(I32)
    task_num: int = column(I32)
    number: int = column(I32, doc="Multi-host tasks: number of the host. Outputs: number of the start.")
