"""What fuzzing tries: one function for each way in, which raises when something is wrong.

`fuzz.py` drives them with coverage; `test_found_inputs.py` plays what was found once.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from afanasy_py.access.gate import Gate, Rules
from afanasy_py.access.networks import Networks
from afanasy_py.core.dispatch import handle
from afanasy_py.core.requests import AskServer, Caller, ReadFiles, ReadOutput, RunFirst, SlowAnswer
from afanasy_py.errors import ProtocolError
from afanasy_py.ip_masks import parse_mask
from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer, NoAnswer
from afanasy_py.msg.framing import BrokenRequestError, Framer, Request, frame_answer, whole_message
from afanasy_py.msg.http import HttpAnswer, HttpError, HttpHead, check_site, parse_head
from afanasy_py.msg.registry import decode_message, encode_message
from afanasy_py.msg.types import HEADER_SIZE, MAX_DATA, MsgType
from tests.core.action_farm import ActionFarm, explicit, numeric

#: Nothing that one input asks may take so long, seconds.
MOST_SECONDS = 2.0
#: A farm is played with so many inputs, and checked after each so many.
FARM_INPUTS = 400
CHECK_INPUTS = 40


class FindingError(Exception):
    """Something is wrong."""


# -- bytes


def _frame(pieces: list[bytes]) -> Any:
    """Return what a framer makes of pieces: a request, or the error that ends it, or None."""
    framer = Framer()
    try:
        for piece in pieces:
            request = framer.feed(piece)
            if request is not None:
                return request
    except BrokenRequestError as error:
        return ("broken", str(error), error.answer)
    except HttpError as error:
        return ("http", error.answer)
    return None


def framing(data: bytes) -> None:
    """Frame bytes in one piece, in some and byte by byte: all say the same."""
    cut = data[0] if data else 0
    data = data[1:]
    whole = _frame([data])
    size = cut % 17 + 1
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    if (others := _frame(pieces)) != whole:
        raise FindingError(f"pieces of {size}: {others!r:.200} and not {whole!r:.200}")
    quick = whole_message(data)
    if quick is not None and quick != whole:
        raise FindingError(f"the quick way: {quick!r:.200} and not {whole!r:.200}")
    if isinstance(whole, Request):
        if len(whole.body) > MAX_DATA:
            raise FindingError("a body beyond the limit")
        for answer in (JsonAnswer(b"{}"), BinaryAnswer(5, value=1), NoAnswer(), HttpAnswer(200)):
            frame_answer(whole, answer, "3.4.1")


def http(data: bytes) -> None:
    """Read a head; what comes out has no line end, and who may ask does not depend on letters' case."""
    try:
        head = parse_head(data)
    except HttpError:
        return
    for text in (head.method, head.target, *head.headers, *head.headers.values()):
        if "\r" in text or "\n" in text or "\0" in text:
            raise FindingError(f"a control character in {text!r}")
    head.path()
    names = frozenset({"farm.example"})

    def allowed(asked: HttpHead) -> bool:
        try:
            check_site(asked, names)
        except HttpError:
            return False
        return True

    host = head.headers.get("host", "")
    # Of a sharp s upper() makes two letters of ASCII, which are another name.
    other = host.upper() if host.isascii() else host
    upper = HttpHead(head.method, head.target, {**head.headers, **({"host": other} if host else {})})
    if allowed(head) != allowed(upper):
        raise FindingError(f"case matters in {host!r}")
    if allowed(head) and "evil.example" in host.lower():
        raise FindingError(f"a foreign name is let in: {host!r}")


def records(data: bytes) -> None:
    """Decode a message of any type; what can be decoded can be encoded, and decoded to the same."""
    if not data:
        return
    types = list(MsgType)
    msg_type = types[data[0] % len(types)]
    try:
        value = decode_message(msg_type, data[1:])
    except ProtocolError:
        return
    encoded = encode_message(msg_type, value)
    again = encode_message(msg_type, decode_message(msg_type, encoded))
    if again != encoded:
        raise FindingError(f"{msg_type.name} is not the same when read again")
    if len(encoded) > 40 * len(data) + 100_000:
        raise FindingError(f"{msg_type.name}: {len(data)} bytes became {len(encoded)}")


# -- a farm


class FuzzedFarm:
    """A small farm that takes any input, made anew from time to time."""

    #: How much later each input comes.
    step_seconds = 0.25

    def __init__(self) -> None:
        self.inputs: list[bytes] = []
        self.now = 1000.0
        self._make()

    def _make(self) -> None:
        self.inputs.clear()
        self.now = 1000.0
        self.small = small = ActionFarm()
        small.add_render("render01", room=4)
        small.add_render("render02", room=2)
        small.add_job(
            "numeric", user_name="anna", blocks=[numeric(last=5), numeric("other", depend_mask="render")]
        )
        small.add_job("explicit", user_name="bert", blocks=[explicit(tasks=3)])
        handle(small.farm, MsgType.TJSON, 0, b'{"monitor":{"engine":"x"}}', Caller("127.0.0.1"), self.now)

    def send(self, msg_type: int, value: int, body: bytes, data: bytes) -> None:
        """Let the farm answer, and look at what it says."""
        if len(self.inputs) >= FARM_INPUTS:
            self._make()
        self.inputs.append(data)
        self.now += self.step_seconds
        farm = self.small.farm
        begin = time.perf_counter()
        result: Any = handle(farm, msg_type, value, body, self._caller(), self.now)
        self._check(result)
        if len(self.inputs) % CHECK_INPUTS == 0:
            farm.tick(self.now)
            farm.validate()
        farm.changes.lines.clear()
        farm.changes.rows.clear()
        if (took := time.perf_counter() - begin) > MOST_SECONDS:
            raise FindingError(f"{took:.1f} seconds")

    def _caller(self) -> Caller:
        return Caller("127.0.0.1")

    def _check(self, result: Any) -> None:
        match result:
            case ReadOutput():
                self._check(result.finish(b"output"))
            case ReadFiles():
                self._check(result.finish([("a.png", b"x")]))
            case SlowAnswer():
                self._check(result.finish())
            case RunFirst():
                from afanasy_py.core import registration

                self._check(registration.finish_commands(self.small.farm, result.job, ["done"]))
                self.small.farm.settle()
            case JsonAnswer():
                document = json.loads(
                    result.text.decode("utf-8", "surrogateescape"), parse_constant=_not_json
                )
                if not isinstance(document, dict):
                    raise FindingError("the answer is no object")
                if any(byte < 32 and byte not in b"\n\t" for byte in result.text):
                    raise FindingError("a control character in an answer")
            case BinaryAnswer() | NoAnswer() | AskServer():
                pass
            case _:
                raise FindingError(f"no answer but {type(result)}")


class GuardedFarm(FuzzedFarm):
    """The same with access control on: whatever a stranger sends, nothing comes of it."""

    #: Time stands still, for hosts and monitors that are silent would go by themselves.
    step_seconds = 0.0

    def _make(self) -> None:
        super()._make()
        rules = Rules(networks=Networks([parse_mask("127.0.0.1")]), realm="CGRU")
        self.gate = Gate(rules, b"secret", 5)
        self.gate.digests = {"anna": "0" * 32}
        farm = self.small.farm
        farm.gate, farm.keeps_audit = self.gate, True
        self.told = set(farm.changes.nodes)
        self.counts = self._count()

    def _count(self) -> list[int]:
        farm = self.small.farm
        tables = (farm.jobs, farm.renders, farm.users, farm.branches, farm.pools, farm.monitors)
        return [len(table) for table in tables]

    def _caller(self) -> Caller:
        return Caller("203.0.113.5")

    def _check(self, result: Any) -> None:
        super()._check(result)
        farm = self.small.farm
        if not isinstance(result, JsonAnswer) or b'"kind":"error"' not in result.text.replace(b" ", b""):
            raise FindingError(f"a stranger was answered: {result!r:.200}")
        if self._count() != self.counts or set(farm.changes.nodes) != self.told:
            raise FindingError("a stranger changed the farm")
        farm.changes.audits.clear()


def _not_json(word: str) -> float:
    raise FindingError(f"{word} in an answer")


def json_requests(farm: FuzzedFarm) -> Callable[[bytes], None]:
    """Return a target that sends JSON to a farm."""
    return lambda data: farm.send(MsgType.TJSON, 0, data, data)


def messages(farm: FuzzedFarm) -> Callable[[bytes], None]:
    """Return a target that sends binary messages: a byte for the type, four for the value, then the data."""

    def send(data: bytes) -> None:
        if len(data) >= HEADER_SIZE - 7:
            types = [int(t) for t in MsgType if t not in (MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP)]
            value = int.from_bytes(data[1:5], "big", signed=True)
            farm.send(types[data[0] % len(types)], value if value % 3 else value % 7, data[5:], data)

    return send


def json_text(data: bytes) -> None:
    """Read JSON: what is taken is what Python's own reader takes, or stricter."""
    from afanasy_py.msg.json_text import JsonError, dump_json, parse_json

    try:
        root = parse_json(data)
    except JsonError:
        return
    dumped = dump_json(root)
    if not _same(json.loads(dumped.decode("utf-8", "surrogateescape")), root):
        raise FindingError("what was written is read otherwise")


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9) or left == right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return (type(left) is type(right) and left == right) or left == right


#: {name: makes the target}
TARGETS: dict[str, Callable[[], Callable[[bytes], None]]] = {
    "framing": lambda: framing,
    "http": lambda: http,
    "records": lambda: records,
    "json_text": lambda: json_text,
    "json_requests": lambda: json_requests(FuzzedFarm()),
    "strangers": lambda: json_requests(GuardedFarm()),
    "messages": lambda: messages(FuzzedFarm()),
}
