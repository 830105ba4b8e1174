"""What records promise to those who subclass and compare them."""

from typing import Any, ClassVar

import pytest

from afanasy_py.msg.codecs import I8, I32, I32S, STR
from afanasy_py.msg.json_forms import POSITIVE, Form, Member
from afanasy_py.msg.record import Layouts, Record, column
from afanasy_py.msg.records.block import Block
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.job import Job
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.registry import LISTS, RECORDS
from afanasy_py.msg.types import MsgType


class Sample(Record):
    layouts: ClassVar[Layouts] = {"small": ("a",), "big": ("b", "a")}
    json_forms: ClassVar[dict[str, Form]] = {
        "list": ("name", "count", Member("twice", "2 * o.count")),
        "shown": (("count", ""),),
    }

    name: str = column(STR, "b", default="none")
    count: int = column(I8, "a", json="number", emit=POSITIVE)
    ids: list[int] = column(I32S, "b")
    memo: int = column(I32, wire=False)


class Farmed(Sample):
    """A node of a farm: state of its own, and a column that is worked out."""

    def __init__(self, **columns: Any) -> None:
        super().__init__(**columns)
        self.extra = {"a": 1}

    @property
    def count(self) -> int:
        return len(self.extra)

    @count.setter
    def count(self, value: int) -> None:
        pass


def test_a_new_record_has_defaults_and_lists_of_its_own() -> None:
    first, second = Sample(), Sample(count=2, ids=[1])
    assert (first.name, first.count, first.ids, first.memo) == ("none", 0, [], 0)
    first.ids.append(5)
    assert Sample().ids == []
    assert second.ids == [1]
    assert Render().host_resources is not Render().host_resources
    assert isinstance(Render().host_resources, HostRes)
    assert RenderUpdate().host_resources is None


def test_a_record_takes_only_its_columns() -> None:
    with pytest.raises(TypeError):
        Sample(other=1)
    with pytest.raises(AttributeError):
        Sample().other = 1  # type: ignore[attr-defined]


def test_records_compare_by_value_and_say_what_they_are() -> None:
    assert Sample(count=1) == Sample(count=1) != Sample(count=2)
    assert Sample(count=1) != 1
    assert repr(Sample(count=1, ids=[3])) == "Sample(count=1, ids=[3])"
    with pytest.raises(TypeError):
        hash(Sample())


def test_layouts_choose_groups_in_their_order() -> None:
    record = Sample(name="x", count=3, ids=[7], memo=9)
    assert record.encode("small") == b"\3"
    assert record.encode("big") == b"\0\0\0\2x\0\0\0\0\1\0\0\0\7\3"
    assert Sample.decode("small", b"\3") == Sample(count=3)
    assert Sample.decode("big", record.encode("big")) == Sample(name="x", count=3, ids=[7])


def test_a_subclass_travels_like_its_base_with_its_own_values() -> None:
    farmed = Farmed(name="x")
    assert farmed.encode("small") == b"\1"
    farmed.extra["b"] = 2
    assert farmed.encode("small") == b"\2"
    assert farmed.to_json() == {"name": "x", "number": 2, "twice": 4}
    assert Sample.decode("big", farmed.encode("big")) == Sample(name="x", count=2)


def test_a_subclass_compares_by_identity() -> None:
    first, second = Farmed(), Farmed()
    assert first == first
    assert first != second
    assert {first: 1}[first] == 1
    assert first in [second, first]


def test_a_subclass_may_put_columns_and_other_classes_together() -> None:
    class Counted:
        def prepare(self) -> None:
            self.counted = 3

    class Longer(Counted, Sample):
        tail: int = column(I8, "a", default=7)

    longer = Longer(count=1)
    longer.prepare()
    assert longer.encode("small") == b"\1\7"
    assert Longer.decode("small", b"\1\7").tail == 7


def test_json_shows_members_by_their_conditions() -> None:
    assert Sample(name="x").to_json() == {"name": "x", "twice": 0}
    assert Sample(count=2).to_json() == {"name": "none", "number": 2, "twice": 4}
    assert Sample().to_json("shown") == {"number": 0}
    with pytest.raises(ValueError, match="no JSON form 'other'"):
        Sample().to_json("other")


def test_blocks_in_a_job_may_be_nodes_of_a_farm() -> None:
    class FarmBlock(Block):
        def __init__(self, **columns: Any) -> None:
            super().__init__(**columns)
            self.runs: list[int] = []

        @property
        def tasks_num(self) -> int:
            return 12

        @tasks_num.setter
        def tasks_num(self, value: int) -> None:
            pass

    class FarmJob(Job):
        @property
        def blocks_num(self) -> int:
            return len(self.blocks)

        @blocks_num.setter
        def blocks_num(self, value: int) -> None:
            pass

    job = FarmJob(name="j", blocks=[FarmBlock(name="b")])
    for msg_type in (MsgType.TJob, MsgType.TJobsList):
        assert Job.decode(msg_type, job.encode(msg_type)).blocks[0].tasks_num == 12
    assert job.to_json("full")["blocks"][0]["tasks_num"] == 12


def test_all_records_have_a_doc_and_columns_in_known_groups() -> None:
    for record in {*RECORDS.values(), *LISTS.values()}:
        assert record.__doc__
        groups = {group for layout in record.layouts.values() for group in layout}
        for col in record.columns.values():
            assert not record.layouts or not col.groups or set(col.groups) & groups, (record, col.name)


def test_all_columns_of_nodes_are_shown_in_some_form() -> None:
    hidden = {
        Job: {"flags", "work_flags", "blocks_num", "blocks"},
        Pool: {"pattern", "flags", "tickets_pool", "tickets_host"},
        Render: {"flags", "tickets_pool", "tickets_host", "address", "host_resources"},
        Block: {
            "tasks_data", "parser_coeff", "capacity_coeff_min", "capacity_coeff_max", "multihost_min",
            "multihost_max", "multihost_service_wait", "multihost_max_wait",
        },
    }  # fmt: skip
    for record, members in hidden.items():
        shown = {
            entry if isinstance(entry, str) else entry[0]
            for form in record.json_forms.values()
            for entry in form
            if not isinstance(entry, Member)
        }
        assert set(record.columns) - shown == members, record
