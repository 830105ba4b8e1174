"""Numbers and words of the protocol."""

import pytest

from afanasy_py.msg import types
from afanasy_py.msg.types import MsgType, State, TaskStatus


def test_all_message_types_have_their_number() -> None:
    assert [msg_type.value for msg_type in MsgType] == list(range(64))
    assert MsgType.TJSON == 23
    assert MsgType.TTaskFiles == 52


def test_limits() -> None:
    assert types.VERSION == 81
    assert types.HEADER_SIZE == 12
    assert types.MAX_DATA == 67108852


def test_task_statuses() -> None:
    assert [status.value for status in TaskStatus] == list(range(27))
    assert TaskStatus.Skip == 20


@pytest.mark.parametrize(
    ("st", "text"),
    [
        (0, ""),
        (State.DON | State.SKP, " DON SKP"),
        (State.RDY | State.SUS | State.WDP, " RDY WDP SUS"),
        (State.FAILED_POST | State.BAD_FILES | State.PARSER_FATAL | State.ERR, " ERR"),
        (1 << 62, ""),
        (
            (1 << 22) - 1,
            " RDY RUN DON ERR SKP OFF WRN PER PBR PSC WDP WTM STO STE PPA RER WRC TRY SUS",
        ),
    ],
)
def test_texts_of_states(st: int, text: str) -> None:
    assert types.state_text(int(st)) == text


def test_texts_of_renders_and_pools() -> None:
    assert types.render_state_text(0) == " OFF"
    assert types.render_state_text(25) == " ONL RUN DRT"
    assert types.render_state_text(2) == " OFF NbY"
    assert types.render_state_text(1023) == " ONL NbY NBY RUN DRT WFL WSL WWK PAU SIC"
    assert types.pool_state_text(0) == ""
    assert types.pool_state_text(3) == " RUN PAU"


def test_texts_do_not_pile_up() -> None:
    for st in range(3 * types._Texts.LIMIT):
        types.state_text(st)
    assert len(types._STATE_TEXTS) <= types._Texts.LIMIT


def test_there_are_nineteen_events() -> None:
    assert len(types.EVENT_NAMES) == 19
    assert types.EVENT_NAMES[3] == "JOBS_COUNT"
