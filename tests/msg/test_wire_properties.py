"""What must hold for any record and for any bytes."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.record import Record
from afanasy_py.msg.registry import RECORDS, decode_message, encode_message
from afanasy_py.msg.types import MsgType
from tests.msg.record_strategies import MESSAGES, records
from tests.msg.wire_samples import load_samples

RELAXED = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(
    ("cls", "msg_type"), MESSAGES, ids=lambda value: getattr(value, "__name__", str(value))
)
@RELAXED
@given(data=st.data())
def test_a_record_survives_its_journey(cls: type[Record], msg_type: MsgType, data: st.DataObject) -> None:
    record = data.draw(records(cls, msg_type))
    raw = record.encode(msg_type)
    assert cls.decode(msg_type, raw) == record
    message = record if msg_type in RECORDS else [record, record]
    assert decode_message(msg_type, encode_message(msg_type, message)) == message


@pytest.mark.parametrize("msg_type", [*MsgType, -1, 64, 2**31 - 1])
@RELAXED
@given(data=st.binary(max_size=200))
def test_garbage_is_refused_or_decoded(msg_type: int, data: bytes) -> None:
    assert_value_or_refusal(msg_type, data)


def assert_value_or_refusal(msg_type: int, data: bytes) -> bool:
    """Decode data; what can be read can be written and read again."""
    try:
        value = decode_message(msg_type, data)
    except ProtocolError:
        return False
    again = encode_message(msg_type, value)
    try:
        assert encode_message(msg_type, decode_message(msg_type, again)) == again
    except ProtocolError:
        # A block whose two flags contradict each other, or a list that its count contradicts.
        assert msg_type in (MsgType.TJob, MsgType.TBlocks)
    return True


ODD_COUNTS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\0\1\0\0"]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return data with one to three changes: bytes, counts, cuts, doubled parts."""
    raw = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(raw) + 1)
        match chance.randrange(5):
            case 0 if raw:
                raw[place % len(raw)] = chance.randrange(256)
            case 1:
                raw[place : place + 4] = chance.choice(ODD_COUNTS)
            case 2:
                del raw[place:]
            case 3:
                raw[place:place] = raw[place : place + chance.randint(1, 40)]
            case _:
                del raw[place : place + chance.randint(1, 8)]
    return bytes(raw)


def mutate_samples(number: int, seed: int) -> int:
    """Decode mutated recordings; return how many had a value."""
    chance = random.Random(seed)
    samples = load_samples()
    decoded = 0
    for _ in range(number):
        sample = chance.choice(samples)
        msg_type = sample.type if chance.random() < 0.95 else chance.choice(list(RECORDS))
        decoded += assert_value_or_refusal(msg_type, mutated(sample.data, chance))
    return decoded


def test_mutated_messages_are_refused_or_decoded() -> None:
    assert 0 < mutate_samples(3_000, seed=1) < 3_000


@pytest.mark.slow
def test_a_hundred_thousand_mutated_messages_are_refused_or_decoded() -> None:
    assert 0 < mutate_samples(100_000, seed=2) < 100_000
