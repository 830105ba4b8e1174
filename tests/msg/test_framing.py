"""Requests come out the same however their bytes are cut, and answers go out in the form of the request."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer, NoAnswer
from afanasy_py.msg.framing import Form, Framer, Request, frame_answer, whole_message
from afanasy_py.msg.http import HttpAnswer
from afanasy_py.msg.types import MAX_DATA, MsgType
from tests.msg.framing_cases import CASES, GET, Outcome, binary, outcome


def without_head(result: Outcome) -> Outcome:
    return result._replace(head=None) if isinstance(result, Request) else result


@pytest.mark.parametrize("name", CASES)
def test_bytes_in_one_piece(name: str) -> None:
    data, expected = CASES[name]
    assert without_head(outcome([data])) == expected


@pytest.mark.parametrize("name", CASES)
def test_bytes_one_at_a_time(name: str) -> None:
    data, expected = CASES[name]
    assert without_head(outcome(data[i : i + 1] for i in range(len(data)))) == expected


@pytest.mark.parametrize("name", CASES)
def test_bytes_in_two_pieces_cut_anywhere(name: str) -> None:
    data, expected = CASES[name]
    step = 1 if len(data) < 400 else 97
    for cut in range(1, len(data), step):
        assert without_head(outcome([data[:cut], data[cut:]])) == expected, cut


@pytest.mark.parametrize("name", CASES)
def test_the_short_way_agrees_with_the_framer(name: str) -> None:
    data, expected = CASES[name]
    short = whole_message(data)
    assert short is None or short == expected


def test_the_short_way_takes_messages_of_renders_and_monitors() -> None:
    assert whole_message(binary(35, 3, b"abc")) is not None
    assert whole_message(binary(6, 3)) is not None


PARTS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([data[:200] for data, _ in CASES.values()]),
    st.sampled_from(
        [b"AFANASY ", b"26", b" JSON", b"{", b"\r\n", b"\r\n\r\n", b"GET / HTTP/1.1", b"POST ", GET]
    ),
    st.tuples(st.integers(80, 82), st.integers(-2, 70), st.integers(-3, 40)).map(
        lambda numbers: binary(numbers[1], numbers[2], version=numbers[0])
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=6).map(b"".join), st.lists(st.integers(0, 300), max_size=12))
def test_what_comes_out_does_not_depend_on_the_pieces(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    assert outcome(pieces) == outcome([data])


def test_a_framer_takes_a_message_of_the_greatest_size_in_small_pieces() -> None:
    framer = Framer()
    assert framer.feed(binary(27, MAX_DATA)) is None
    piece = bytes(1 << 20)
    request = None
    for _ in range(MAX_DATA // len(piece) + 1):
        request = framer.feed(piece)
    assert request is not None
    assert len(request.body) == MAX_DATA


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_request_for_a_file_has_its_head(method: str) -> None:
    request = outcome([f"{method} /a%20b?x=1#y HTTP/1.1\r\nHost: A:51000\r\nX-Y:  z \r\n\r\n".encode()])
    assert isinstance(request, Request)
    assert request[:4] == (Form.GET, MsgType.THTTPGET, 0, b"")
    assert request.head is not None
    assert (request.head.method, request.head.target) == (method, "/a%20b?x=1#y")
    assert request.head.path() == "/a%20b"
    assert request.head.headers == {"host": "A:51000", "x-y": "z"}


def test_a_request_for_a_file_can_come_in_a_binary_message() -> None:
    data = b"GET /lib/styles.css HTTP/1.1\r\nHost: a\r\n\r\n"
    request = outcome([binary(26, len(data), data)])
    assert isinstance(request, Request)
    assert request.form is Form.GET
    assert request.head is not None
    assert request.head.target == "/lib/styles.css"


JSON = JsonAnswer(b'{"a":1}')
IN_TEXT = b'AFANASY 7 JSON{"a":1}'
IN_BINARY = b'\0\0\0\x51\0\0\0\x18\0\0\0\7{"a":1}'
IN_HTTP = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\nContent-Type: application/json\r\n"
    b'Cache-Control: max-age=0\r\nServer: afanasy/3.4.1\r\n\r\n{"a":1}'
)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(Form.TEXT, MsgType.TJSON), IN_TEXT),
        (Request(Form.TEXT, MsgType.TInvalid), IN_TEXT),
        (Request(Form.BINARY, MsgType.TJSONBIN), IN_BINARY),
        (Request(Form.BINARY, MsgType.TJSON), IN_TEXT),
        (Request(Form.BINARY, MsgType.TRenderDeregister), IN_TEXT),
        (Request(Form.BINARY, MsgType.THTTP), IN_HTTP),
        (Request(Form.POST, MsgType.THTTP), IN_HTTP),
        (Request(Form.GET, MsgType.THTTPGET), IN_HTTP),
        (None, IN_TEXT),
    ],
)
def test_json_goes_out_in_the_form_of_the_request(request_: Request | None, expected: bytes) -> None:
    assert frame_answer(request_, JSON, "3.4.1") == expected


@pytest.mark.parametrize("form", Form)
def test_a_binary_answer_is_bare_in_every_form(form: Form) -> None:
    request = Request(form, MsgType.THTTP)
    assert frame_answer(request, BinaryAnswer(8, value=5), "3.4.1") == b"\0\0\0\x51\0\0\0\x08\0\0\0\5"
    assert frame_answer(request, BinaryAnswer(36, b"ab"), "3.4.1") == b"\0\0\0\x51\0\0\0\x24\0\0\0\2ab"


def test_no_answer_is_no_bytes() -> None:
    assert frame_answer(Request(Form.POST, MsgType.THTTP), NoAnswer(), "3.4.1") == b""


def test_a_file_goes_out_with_its_head() -> None:
    answer = HttpAnswer(200, "text/css", b"p {}")
    assert frame_answer(Request(Form.GET, MsgType.THTTPGET), answer, "3.4.1") == (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\nContent-Type: text/css\r\n"
        b"Cache-Control: max-age=3600\r\nServer: afanasy/3.4.1\r\nX-Content-Type-Options: nosniff\r\n\r\np {}"
    )
