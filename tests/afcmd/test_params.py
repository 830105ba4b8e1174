import pytest

from afanasy_py.afcmd.command import UsageError
from afanasy_py.afcmd.params import KINDS, PARAMS, read_params
from afanasy_py.core import fields


def names(rows: tuple[fields.Field, ...]) -> set[str]:
    return {row.name for row in rows}


@pytest.mark.parametrize(
    ("noun", "rows"),
    [
        ("jobs", fields.NODE_FIELDS + fields.JOB_PARAMS),
        ("blocks", fields.BLOCK_PARAMS),
        ("renders", fields.NODE_FIELDS + fields.RENDER_PARAMS),
        ("users", fields.NODE_FIELDS + fields.USER_PARAMS),
        ("branches", fields.NODE_FIELDS + fields.BRANCH_PARAMS),
        ("pools", fields.NODE_FIELDS + fields.POOL_PARAMS),
        ("monitors", fields.NODE_FIELDS),
    ],
)
def test_parameters_are_those_of_the_server(noun: str, rows: tuple[fields.Field, ...]) -> None:
    assert set(PARAMS[noun]) == names(rows)
    assert set(PARAMS[noun].values()) <= set(KINDS)


@pytest.mark.parametrize(
    ("noun", "word", "params"),
    [
        ("jobs", "priority=-5", {"priority": -5}),
        ("jobs", "annotation=a=b, c", {"annotation": "a=b, c"}),
        ("jobs", "annotation=two\nlines", {"annotation": "two\nlines"}),
        ("jobs", "hidden=True", {"hidden": True}),
        ("jobs", "hidden=0", {"hidden": False}),
        ("jobs", "time_wait=1700000000", {"time_wait": 1700000000}),
        ("jobs", "time_wait=2001-02-03T04:05+00:00", {"time_wait": 981173100}),
        ("jobs", "pools=/a:10,b:-100", {"pools": {"/a": 10, "b": -100}}),
        ("jobs", "pools=", {"pools": {}}),
        ("jobs", "folders=out:/a:b,in:", {"folders": {"out": "/a:b", "in": ""}}),
        ("blocks", "files=a,b", {"files": ["a", "b"]}),
        ("blocks", "files=", {"files": []}),
        ("blocks", 'environment:={"A":"b,c"}', {"environment": {"A": "b,c"}}),
        ("blocks", "future_parameter:=[1]", {"future_parameter": [1]}),
        ("renders", "tickets_host=MEM:64", {"tickets_host": {"MEM": [64]}}),
        ("pools", "tickets_pool=LIC:5:2", {"tickets_pool": {"LIC": [5, 0, 0, 2]}}),
        ("users", "hosts_mask_type=regex", {"hosts_mask_type": "regex"}),
    ],
)
def test_a_word_becomes_a_parameter(noun: str, word: str, params: dict[str, object]) -> None:
    assert read_params(noun, [word]) == params


@pytest.mark.parametrize(
    ("noun", "word"),
    [
        ("jobs", "priority"),
        ("jobs", "priority=1.5"),
        ("jobs", "hidden=maybe"),
        ("jobs", "pools=/a"),
        ("jobs", "pools=/a:many"),
        ("jobs", "time_wait=tomorrow"),
        ("jobs", "solve_method=fast"),
        ("jobs", "capacity=5"),
        ("blocks", "environment:={"),
        ("pools", "tickets_pool=LIC:x"),
    ],
)
def test_a_word_that_the_server_would_not_notice_is_refused(noun: str, word: str) -> None:
    with pytest.raises(UsageError):
        read_params(noun, [word])
