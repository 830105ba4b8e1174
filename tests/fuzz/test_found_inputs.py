"""What fuzzing found once, and seeds of each target, are played; and each target sees what it should see."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.msg import framing as framing_module
from afanasy_py.msg.answers import JsonAnswer
from tests.fuzz import targets
from tests.fuzz.targets import TARGETS, FindingError, FuzzedFarm, GuardedFarm
from tests.msg.wire_samples import load_samples

FOUND = Path(__file__).with_name("found")
GOLDEN = Path(__file__).resolve().parents[1] / "golden"

#: Odd inputs of each target, beside those that were found.
ODD: dict[str, list[bytes]] = {
    "framing": [
        b"\0" + capture["request"].encode("latin-1")
        for capture in json.loads((GOLDEN / "edges.json").read_text())
    ]
    + [
        b"\5AFTOKEN x\nAFANASY 5 JSON{   }",
        b"\0AFTOKEN x\nAFTOKEN y\n" + bytes(20),
        b"\1" + b"AFTOKEN " + b"x" * 300,
    ],
    "http": [
        b"GET / HTTP/1.1\r\nHost: a.b",
        b"GET / HTTP/1.1\r\nHost: EVIL.example",
        b"",
        b"\0",
        b"POST x HTTP/1.0",
    ],
    "records": [
        bytes([list(targets.MsgType).index(sample.type)]) + sample.data[:cut]
        for sample in load_samples()[::4]
        for cut in (None, 5, -3)
    ],
    "json_text": [b"{}", b'{"a":1e400}', b'{"a":"\\ud800"}', b'{"a":[[[]]]}', b"\xff", b'{"a":-0.0}'],
    "json_requests": [
        b"{}",
        b'{"job":{}}',
        b'{"get":{"type":"jobs","ids":[-1]}}',
        b'{"monitor":5}',
        b'{"action":[]}',
    ],
    "strangers": [
        b"{}",
        b'{"auth":[]}',
        b'{"auth":{"token":5}}',
        b'{"auth":{"token":"aft_"},"get":{"type":"jobs"}}',
    ],
    "messages": [bytes([number]) + b"\0\0\0\1" + bytes(40) for number in range(60)],
}


def test_each_target_has_odd_inputs() -> None:
    assert set(ODD) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_is_well(name: str) -> None:
    """A found input of a farm is a JSON list of all inputs since the farm was made."""
    target = TARGETS[name]()
    for data in ODD[name]:
        target(data)
    for path in sorted(FOUND.glob(f"{name}-*")):
        data = path.read_bytes()
        inputs = [item.encode("latin-1") for item in json.loads(data)] if path.suffix == ".json" else [data]
        target = TARGETS[name]()
        for each in inputs:
            target(each)


def test_a_framer_that_depends_on_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = framing_module.Framer.feed

    def forgetful(self: Any, data: bytes) -> Any:
        return feed(self, data.replace(b"{", b"["))

    monkeypatch.setattr(framing_module.Framer, "feed", forgetful)
    with pytest.raises(FindingError):
        targets.framing(
            b"\0" + (81).to_bytes(4, "big") + (30).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"{"
        )


@pytest.mark.parametrize("text", [b'{"a":NaN}', b"[]", b'{"a":"\1"}', b"{"])
def test_an_answer_that_is_no_json_is_found(text: bytes) -> None:
    with pytest.raises((FindingError, ValueError)):
        FuzzedFarm()._check(JsonAnswer(text))


def test_a_stranger_that_gets_in_is_found() -> None:
    farm = GuardedFarm()
    farm.small.farm.gate = None
    with pytest.raises(FindingError, match="a stranger"):
        targets.json_requests(farm)(b'{"get":{"type":"jobs"}}')
