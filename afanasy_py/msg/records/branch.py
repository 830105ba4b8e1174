"""A branch of the tree of jobs. Source: spec wire-protocol 4.13; json-api 5.6."""

from afanasy_py.msg.codecs import I8, I32, I64, STR
from afanasy_py.msg.json_forms import FILLED, POSITIVE
from afanasy_py.msg.record import column
from afanasy_py.msg.records.node import Work


class Branch(Work):
    """A branch; its name is the whole path. Numbers count what is in its children too."""

    flags_branch: int = column(I8, doc="Bits of BranchFlag.")
    time_creation: int = column(I64, doc="Unix seconds.")
    time_empty: int = column(I64, emit=FILLED, doc="Unix seconds: without jobs since; 0: it has some.")
    parent_path: str = column(STR, json="parent", doc="Empty for the root.")
    branches_total: int = column(I32, emit=POSITIVE)
    jobs_total: int = column(I32, emit=POSITIVE)
    jobs_running: int = column(I32, emit=POSITIVE)
    jobs_done: int = column(I32, emit=POSITIVE)
    jobs_ready: int = column(I32, emit=POSITIVE)
    jobs_error: int = column(I32, emit=POSITIVE)
    tasks_ready: int = column(I32, emit=POSITIVE)
    tasks_error: int = column(I32, emit=POSITIVE)
