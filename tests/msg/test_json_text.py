"""JSON is read by the rules of the original's parser, and refused in its words at its places."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afanasy_py.msg import json_text
from afanasy_py.msg.json_text import DEPTH_MOST, PARTS_MOST, JsonError, dump_json, parse_json


def refusal(body: bytes) -> str:
    with pytest.raises(JsonError) as caught:
        parse_json(body)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", {}),
        (b' \t\r\n{ "a" : [ 1 , -2.5e3 , true , false , null ] } ', {"a": [1, -2500.0, True, False, None]}),
        (b'{"a":1,"a":2,"b":{"c":1,"c":2}}', {"a": 1, "b": {"c": 1}}),
        (b'{"a":"\\u0416\\n\\/\\"\\\\\\ud83d\\ude00"}', {"a": 'Ж\n/"\\😀'}),
        ('{"имя":"тест"}'.encode(), {"имя": "тест"}),
        (b'{"a":"\\\\ud800"}', {"a": "\\ud800"}),
        (b'{"a":"\\\\\\u0041"}', {"a": "\\A"}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":1}\0rest', {"a": 1}),
        (b'{"a":99999999999999999999999999}', {"a": 99999999999999999999999999}),
        (b'{"a":"x\xff"}', {"a": "x\udcff"}),
        (b'{"a":"\x7f"}', {"a": "\x7f"}),
    ],
)
def test_an_object_is_read(body: bytes, expected: dict[str, Any]) -> None:
    assert parse_json(body) == expected


# Reasons and places are those of the parser of the original, asked with the same bytes.
@pytest.mark.parametrize(
    ("body", "reason", "at"),
    [
        (b"", "The document is empty.", 0),
        (b"  ", "The document is empty.", 2),
        (b'{"get":}', "Invalid value.", 7),
        (b'{"get":', "Invalid value.", 7),
        (b'{"a":tru}', "Invalid value.", 8),
        (b'{"a":-}', "Invalid value.", 6),
        (b'{"a":NaN}', "Invalid value.", 5),
        (b'{"a":Infinity}', "Invalid value.", 5),
        (b'{"a":-Infinity}', "Invalid value.", 6),
        (b'{"a":[1,]}', "Invalid value.", 8),
        (b"{'a':1}", "Missing a name for object member.", 1),
        (b'{"a":1,}', "Missing a name for object member.", 7),
        (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
        (b'{"a":1 "b":2}', "Missing a comma or '}' after an object member.", 7),
        (b'{"a":01}', "Missing a comma or '}' after an object member.", 6),
        (b'{"a":[1,2}', "Missing a comma or ']' after an array element.", 9),
        (b'{"a":[1,2', "Missing a comma or ']' after an array element.", 9),
        (b'{"a":"b', "Missing a closing quotation mark in string.", 7),
        (b'{"a":"b\0"}', "Missing a closing quotation mark in string.", 7),
        (b'{"a":"\\x"}', "Invalid escape character in string.", 6),
        (b'{"a":"\\', "Invalid escape character in string.", 6),
        (b'{"a":"\\u12g4"}', "Incorrect hex digit after \\u escape in string.", 6),
        (b'{"a":"\t"}', "Invalid encoding in string.", 6),
        (b'{"a":"\n"}', "Invalid encoding in string.", 6),
        (b'{"a":"\\ud800"}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\udc00"}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\ud800\\ud800"}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\ud83d\\ude00\\ude00"}', "The surrogate pair in string is invalid.", 18),
        (b'{"a":"\\ud83d\\\\ude00"}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\ud800",}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\udc00",}', "The surrogate pair in string is invalid.", 6),
        (b'{"a":"\\ud83d\\ude00\\n",}', "Missing a name for object member.", 22),
        (b'{"a":1.}', "Miss fraction part in number.", 7),
        (b'{"a":1e}', "Miss exponent in number.", 7),
        (b'{"a":1e+}', "Miss exponent in number.", 8),
        (b'{"a":1e999}', "Number too big to be stored in double.", 5),
        (b'{"a":' + b"9" * 5000 + b"}", "Number too big to be stored in double.", 5),
        (b'{"a":1} x', "The document root must not be followed by other values.", 8),
        (b"{}{}", "The document root must not be followed by other values.", 2),
        ('{"имя":}'.encode(), "Invalid value.", 10),
        ('{"имя":"\\ud800"}'.encode(), "The surrogate pair in string is invalid.", 11),
    ],
)
def test_what_is_wrong_is_told_with_its_place_in_bytes(body: bytes, reason: str, at: int) -> None:
    size = len(body)
    assert refusal(body).partition("\n")[0] == f"{reason} (at character {at} of {size}):"


def test_the_place_is_shown_between_fifty_bytes_on_each_side() -> None:
    assert refusal(b'{"get":}') == "Invalid value. (at character 7 of 8):\n" + " " * 50 + '!\n{"get":'
    assert refusal(b'{"get":') == "Invalid value. (at character 7 of 7):\n"
    body = b'{"a":"' + b"x" * 80 + b'",\n\tb:' + b"y" * 80
    shown = b"x" * 46 + b'",  ' + b"b:" + b"y" * 48
    assert refusal(body) == (
        "Missing a name for object member. (at character 90 of 172):\n" + " " * 50 + "!\n" + shown.decode()
    )


def test_a_root_that_is_no_object_is_quoted() -> None:
    assert refusal(b"[1,2]") == "JSON frist 100 characters:\n[1,2]:\nJSON: Can't find root object."
    assert refusal(b'"' + b"x" * 200 + b'"') == (
        'JSON frist 100 characters:\n"' + "x" * 99 + ":\nJSON: Can't find root object."
    )


@pytest.mark.parametrize("levels", [DEPTH_MOST + 1, 10_000, 1_000_000])
@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_too_many_levels_are_refused(levels: int, begin: bytes, end: bytes) -> None:
    value = b"1" if b"{" in begin else b""
    body = b'{"a":' + begin * (levels - 1) + value + end * (levels - 1) + b"}"
    assert refusal(body).startswith("More than 256 arrays and objects inside of each other. (at character ")


def test_as_many_levels_as_are_allowed_are_read() -> None:
    body = b'{"a":' + b"[" * (DEPTH_MOST - 1) + b"]" * (DEPTH_MOST - 1) + b"}"
    assert parse_json(body)["a"]


def test_many_brackets_that_are_not_deep_are_read() -> None:
    body = b'{"a":[' + b"{}," * 1000 + b"[]]}"
    assert len(parse_json(body)["a"]) == 1001


def test_too_many_values_are_refused_before_they_are_read() -> None:
    assert refusal(b'{"a":[' + b"[]," * PARTS_MOST + b"[]]}").startswith("More than 6000000 values.")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (b"x]}", "Invalid value. (at character {at} of {size}):"),
        (b"1}", "Missing a comma or a closing bracket. (at character {after} of {size}):"),
        (b"NaN]}", "Invalid value. (in {size} bytes)"),
        (b'"\\ud800"]}', "The surrogate pair in string is invalid. (at character {after} of {size}):"),
    ],
)
def test_an_error_far_in_a_big_text_is_told_in_short(
    end: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_text, "_READ_MOST", 100)
    begin = b'{"a":[' + b"1," * 1000
    at, size = len(begin), len(begin + end)
    assert refusal(begin + end).partition("\n")[0] == reason.format(at=at, after=at + 1, size=size)


def test_a_string_of_many_escapes_does_not_keep_the_slow_reader_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_READ_MOST", 100)
    body = b'{"a":"' + b"\\n" * 1000 + b'",}'
    assert "Missing a name" in refusal(body) or "Invalid value" in refusal(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
def test_what_the_standard_library_writes_is_read(document: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if "\\ud" not in body.decode("utf-8", "surrogatepass"):
        assert parse_json(body) == document


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0dD8e1.-+tfn x', max_size=40).map(str.encode))
def test_garbage_is_refused_or_read(body: bytes) -> None:
    for data in (body, b'{"a":' + body + b"}"):
        try:
            assert isinstance(parse_json(data), dict)
        except JsonError:
            continue


def test_documents_go_out_raw_and_compact() -> None:
    assert dump_json({"a": ["имя", "x/y", 'q"\n', True, None, -5]}) == (
        '{"a":["имя","x/y","q\\"\\n",true,null,-5]}'.encode()
    )


def test_broken_utf8_goes_out_as_it_came() -> None:
    assert dump_json(parse_json(b'{"a":"x\xff\xd0"}')) == b'{"a":"x\xff\xd0"}'


def test_half_a_pair_that_was_never_a_byte_goes_out_as_a_question_mark() -> None:
    assert dump_json({"a": "\ud800"}) == b'{"a":"?"}'


def test_a_number_of_any_size_goes_out() -> None:
    assert dump_json({"a": 2**80}) == b'{"a":%d}' % 2**80
