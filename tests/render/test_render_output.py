"""Output within bounds."""

from hypothesis import given
from hypothesis import strategies as st

from afanasy_py.render import output
from afanasy_py.render.output import CUT_TEXT, HALF, OUTPUT_MAX, OutputBuffer


def test_short_output_is_kept_as_it_is() -> None:
    buffer = OutputBuffer()
    buffer.append(b"one ")
    buffer.append(b"two")
    assert buffer.value() == b"one two"


def test_of_long_output_the_beginning_and_the_end_are_kept() -> None:
    buffer = OutputBuffer()
    buffer.append(b"first" + b"x" * OUTPUT_MAX)
    buffer.append(b"y" * OUTPUT_MAX + b"last")
    value = buffer.value()
    assert value.startswith(b"first")
    assert value.endswith(b"last")
    assert CUT_TEXT in value
    assert len(value) == 2 * HALF + len(CUT_TEXT)


@given(st.lists(st.integers(0, HALF), max_size=8))
def test_pieces_make_no_difference_while_it_is_not_long(sizes: list[int]) -> None:
    buffer = OutputBuffer()
    text = b""
    for number, size in enumerate(sizes):
        piece = bytes([number]) * size
        buffer.append(piece)
        text += piece
    assert len(buffer.head) + len(buffer.tail) <= OUTPUT_MAX + 2 * HALF
    if len(text) <= OUTPUT_MAX:
        assert buffer.value() == text
    else:
        assert buffer.value() == text[: output.HALF] + CUT_TEXT + text[-output.HALF :]
