"""A value of a wrong type counts as absent."""

from typing import Any

import pytest

from afanasy_py.msg import json_fields as fields

BIG = 2**31


@pytest.mark.parametrize("value", [5.0, "5", True, None, [], {}, BIG, -BIG - 1])
def test_what_is_no_int32(value: Any) -> None:
    assert fields.get_int32({"a": value}, "a") is None
    assert fields.get_int32({"a": value}, "a", 7) == 7


def test_integers() -> None:
    assert fields.get_int32({"a": -BIG}, "a") == -BIG
    assert fields.get_int32({}, "a") is None
    assert fields.get_int64({"a": BIG}, "a") == BIG
    assert fields.get_int64({"a": 2**63}, "a", 1) == 1


@pytest.mark.parametrize(
    ("value", "fmt", "kept"),
    [(300, "b", 44), (200, "b", -56), (70000, "H", 4464), (-5, "B", 251), (BIG, "B", None), ("1", "B", None)],
)
def test_small_fields_wrap(value: Any, fmt: str, kept: int | None) -> None:
    """COMPAT(wrapped-numbers)"""
    assert fields.get_wrapped({"a": value}, "a", fmt) == kept


def test_bools_texts_objects_and_lists() -> None:
    obj = {"b": False, "s": "x", "o": {"k": 1}, "l": [1, "a"]}
    assert fields.get_bool(obj, "b") is False
    assert fields.get_bool(obj, "s") is None
    assert fields.get_bool(obj, "s", True) is True
    assert fields.get_str(obj, "s") == "x"
    assert fields.get_str(obj, "b") is None
    assert fields.get_str(obj, "none", "d") == "d"
    assert fields.get_object(obj, "o") == {"k": 1}
    assert fields.get_object(obj, "l") is None
    assert fields.get_list(obj, "l") == [1, "a"]
    assert fields.get_list(obj, "o") is None


def test_lists_leave_out_items_of_a_wrong_type() -> None:
    obj = {"l": [1, "a", True, 2.0, BIG, None, -3], "s": "text"}
    assert fields.get_int_list(obj, "l") == [1, -3]
    assert fields.get_int64_list(obj, "l") == [1, BIG, -3]
    assert fields.get_str_list(obj, "l") == ["a"]
    for get in (fields.get_int_list, fields.get_int64_list, fields.get_str_list):
        assert get(obj, "s") is None


def test_a_text_map_is_merged_and_empty_or_other_values_erase() -> None:
    kept = {"stays": "1", "goes": "2", "goes too": "3", "changes": "4"}
    obj = {"m": {"goes": "", "goes too": 5, "changes": "new", "was never": ""}, "s": "x"}
    assert fields.merge_str_map(obj, "m", kept) == {
        "goes": "", "goes too": "", "changes": "new", "was never": "",
    }  # fmt: skip
    assert kept == {"stays": "1", "changes": "new"}
    assert fields.merge_str_map(obj, "s", kept) is None


def test_tickets_are_read_up_to_the_first_wrong_value_and_pools_all_or_nothing() -> None:
    obj = {"m": {"a": 1, "b": "x", "c": 3}, "good": {"a": 1, "b": 2}, "no": []}
    assert fields.get_leading_ints(obj, "m") == {"a": 1}
    assert fields.get_all_ints(obj, "m") is None
    assert fields.get_leading_ints(obj, "good") == fields.get_all_ints(obj, "good") == {"a": 1, "b": 2}
    assert fields.get_leading_ints(obj, "no") is None
    assert fields.get_all_ints(obj, "no") is None
