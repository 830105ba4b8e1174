"""How far a task is. Source: spec wire-protocol 4.7; json-api 4.4."""

from typing import ClassVar

from afanasy_py.msg.codecs import I8, I32, I64, STR
from afanasy_py.msg.json_forms import FILLED, POSITIVE, Form, Member
from afanasy_py.msg.record import Record, column
from afanasy_py.msg.types import state_text


class TaskProgress(Record):
    """State and figures of a task; percents and frame are -1 from its start to the first report."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            Member("state", lambda task: state_text(task.st)),
            "st", "per", "frm", "pfr", "starts_count", "errors_count", "time_start", "time_done",
            "hostname", "activity", "resources",
        )
    }  # fmt: skip

    st: int = column(I64, doc="Bits of State.")
    per: int = column(I8, emit=POSITIVE, doc="Percent of the task.")
    frm: int = column(I64, emit=POSITIVE, doc="Frame in work.")
    pfr: int = column(I8, emit=POSITIVE, doc="Percent of the frame.")
    starts_count: int = column(I32, json="str", emit=POSITIVE)
    errors_count: int = column(I32, json="err", emit=POSITIVE)
    time_start: int = column(I64, json="tst", emit=POSITIVE, doc="Unix seconds.")
    time_done: int = column(
        I64, json="tdn", emit=POSITIVE, doc="Unix seconds; of the last update while it runs."
    )
    hostname: str = column(STR, json="hst", emit=FILLED, doc="Name of the render.")
    activity: str = column(STR, json="act", emit=FILLED)
    resources: str = column(STR, json="res", emit=FILLED, doc="JSON text of the parser.")
