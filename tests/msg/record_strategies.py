"""Random records, made from their columns."""

from collections.abc import Hashable
from typing import Any

from hypothesis import strategies as st

from afanasy_py.msg import codecs
from afanasy_py.msg.record import Record, Sub
from afanasy_py.msg.records.monitor import Monitor
from afanasy_py.msg.records.monitor_events import MonitorEvents, TasksProgress
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.registry import LISTS, RECORDS
from afanasy_py.msg.source import INT_BITS
from afanasy_py.msg.types import EVENT_NAMES, MsgType

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.builds(
    lambda raw: raw.decode("utf-8", "surrogateescape"), st.binary(max_size=6)
)
ids = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3)


def ints(fmt: str) -> st.SearchStrategy[int]:
    bits = INT_BITS[fmt.lower()]
    return (
        st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if fmt.islower() else st.integers(0, 2**bits - 1)
    )


def int_map(fmt: str) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(texts, ints(fmt), max_size=3)


#: Codecs that are told apart by what they are.
KNOWN: dict[int, st.SearchStrategy[Any]] = {
    id(codecs.BOOL): st.booleans(),
    id(codecs.STR): texts,
    id(codecs.STRS): st.lists(texts, max_size=3),
    id(codecs.I32S): ids,
    id(codecs.STR_MAP): st.dictionaries(texts, texts, max_size=3),
    id(codecs.I32_MAP): int_map("i"),
    id(codecs.I64_MAP): int_map("q"),
}

#: Columns whose values only their record knows.
SPECIAL: dict[tuple[type[Record] | None, str], st.SearchStrategy[Any]] = {
    (None, "tickets_pool"): st.dictionaries(texts, st.lists(ints("i"), min_size=4, max_size=4), max_size=2),
    (None, "tickets_host"): st.dictionaries(texts, st.lists(ints("i"), min_size=4, max_size=4), max_size=2),
    (None, "files"): st.lists(st.tuples(texts, st.binary(max_size=9)), max_size=2),
    (None, "data"): st.binary(max_size=9),
    (None, "p_progressbar"): st.text("DSrRNEC ", min_size=128, max_size=128),
    (None, "rows"): st.lists(st.tuples(ints("i"), texts), max_size=2),
    (None, "windows"): st.lists(
        st.tuples(ints("i"), ints("i")).map(lambda pair: [pair] * 63), min_size=5, max_size=5
    ),
    (None, "sizes"): st.lists(ints("i"), min_size=63, max_size=63),
    (Monitor, "events"): st.lists(st.sampled_from(EVENT_NAMES), unique=True).map(
        lambda names: sorted(names, key=EVENT_NAMES.index)
    ),
    (MonitorEvents, "events"): st.dictionaries(
        st.sampled_from(EVENT_NAMES), ids.filter(bool), max_size=4
    ).map(lambda events: {name: events[name] for name in EVENT_NAMES if name in events}),
    (TasksProgress, "progress"): st.nothing(),  # made below: one for each task
    (RenderUpdate, "outputs"): st.lists(
        st.tuples(st.deferred(lambda: records(TaskPos, None)), texts), max_size=2
    ),
}


def values(codec: Any, layout: Hashable) -> st.SearchStrategy[Any]:
    """Return values of a codec."""
    if id(codec) in KNOWN:
        return KNOWN[id(codec)]
    match codec:
        case codecs.Int():
            return ints(codec.format)
        case codecs.FixedInts():
            return st.lists(ints(codec.format), min_size=codec.number, max_size=codec.number)
        case codecs.Raw():
            return st.binary(min_size=codec.size, max_size=codec.size)
        case codecs.Optional():
            return st.none() | values(codec.item, layout)
        case codecs.ListOf():
            return st.lists(values(codec.item, layout), max_size=2)
        case Sub():
            return records(codec.record, layout if codec.layout is None else codec.layout)
    raise TypeError(f"no values for {codec}")


@st.composite
def records(draw: st.DrawFn, cls: type[Record], layout: Hashable) -> Record:
    """Return a record whose columns of a layout are random; the others are as in a new one."""
    drawn: dict[str, Any] = {}
    for col in cls.columns_of(layout):
        special = SPECIAL.get((cls, col.name), SPECIAL.get((None, col.name)))
        if cls is not TaskUp and col.name in ("files", "data"):
            special = None
        if (cls, col.name) == (TasksProgress, "progress"):
            drawn[col.name] = [TaskProgress(per=number % 100) for number in drawn["tasks"]]
        else:
            drawn[col.name] = draw(special if special is not None else values(col.codec, layout))
    record = cls(**drawn)
    plain = cls()
    for col in cls.columns_of(layout):
        if col.count_of:
            setattr(record, col.name, len(getattr(record, col.count_of)))
        if col.when and not eval(col.when, {"o": record}):
            setattr(record, col.name, getattr(plain, col.name))
    return record


#: (record, message type) of all messages.
MESSAGES: list[tuple[type[Record], MsgType]] = [
    (cls, msg_type) for table in (RECORDS, LISTS) for msg_type, cls in table.items()
]
