"""A user: who owns jobs. Source: spec wire-protocol 4.13; json-api 5.5."""

from typing import ClassVar

from afanasy_py.msg.codecs import I32, I64, STR, U8
from afanasy_py.msg.json_forms import FILLED, POSITIVE, Form, flag
from afanasy_py.msg.record import column
from afanasy_py.msg.records.node import HEAD, WORK, Work
from afanasy_py.msg.types import USER_PAUSED

_LIST: Form = (
    *HEAD,
    *WORK,
    flag("paused", "st", USER_PAUSED),
    "time_register", "time_activity", "errors_retries", "errors_avoid_host", "errors_task_same_host",
    "errors_forgive_time", "jobs_life_time", "host_name", "jobs_num", "running_jobs_num",
)  # fmt: skip


class User(Work):
    """A user; state bit 0: paused."""

    json_forms: ClassVar[dict[str, Form]] = {"list": _LIST, "store": _LIST}

    time_activity: int = column(I64, doc="Unix seconds.")
    host_name: str = column(STR, emit=FILLED, doc="Where the last job came from.")
    errors_retries: int = column(U8)
    errors_avoid_host: int = column(U8)
    errors_task_same_host: int = column(U8)
    errors_forgive_time: int = column(I32, doc="Seconds.")
    time_register: int = column(I64, doc="Unix seconds.")
    jobs_life_time: int = column(I32, default=-1, emit=POSITIVE, doc="Seconds.")
    jobs_num: int = column(I32, emit=POSITIVE)
    running_jobs_num: int = column(I32, emit=POSITIVE)
