"""The queue of commands: first in, first out, compressed in the middle, and bounded."""

import hashlib
import tracemalloc
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afanasy_py.sysjob.commands import Command, CommandQueue, Numbers, decode_command


def command(number: int, text: str = "rm scene", queued_at: int | None = None) -> Command:
    return Command(number, number if queued_at is None else queued_at, text, "/film", "artist", "job", "rm")


@pytest.mark.parametrize("text", ["", "a\nb", 'a "b" \\', "\u043f\u0440\u0438", "\udcff", "x" * 100_000])
def test_a_command_is_the_same_after_it_was_encoded(text: str) -> None:
    assert b"\n" not in command(1, text).encode()
    assert decode_command(command(1, text).encode()) == command(1, text)


def test_a_long_queue_gives_all_commands_in_order() -> None:
    queue = CommandQueue()
    for number in range(5000):
        queue.append(command(number))
    assert len(queue._packs) > 1
    assert [c.number for c in queue] == list(range(5000))
    assert [queue.popleft() for _ in range(5000)] == [command(number) for number in range(5000)]
    assert len(queue) == 0
    with pytest.raises(IndexError):
        queue.popleft()


@given(st.lists(st.tuples(st.sampled_from("appppo"), st.integers(0, 70_000))))
def test_it_does_what_a_plain_queue_does(steps: list[tuple[str, int]]) -> None:
    queue, plain = CommandQueue(), deque[Command]()
    for number, (step, size) in enumerate(steps):
        if step in "ap":
            queue.append(command(number, "x" * size))
            plain.append(command(number, "x" * size))
        elif plain:
            assert queue.first() == plain[0]
            assert queue.popleft() == plain.popleft()
        assert len(queue) == len(plain)
    assert list(queue) == list(plain)
    assert queue._size == sum(c.size for c in plain)


def test_the_oldest_go_up_to_a_moment() -> None:
    queue = CommandQueue()
    for number in range(3000):
        queue.append(command(number))
    gone: list[Numbers] = []
    while (numbers := queue.drop_oldest(before=2000)) is not None:
        gone.append(numbers)
    assert sum(numbers.total for numbers in gone) == 2000
    assert (gone[0].first, gone[-1].last) == (0, 1999)
    assert queue.first().number == 2000
    assert len(queue) == 1000


def test_it_is_full_by_number_and_by_size() -> None:
    queue = CommandQueue(commands_most=10)
    for number in range(10):
        queue.append(command(number))
    assert not queue.is_full()
    queue.append(command(10))
    assert queue.is_full()
    queue = CommandQueue(text_most=1_000_000)
    queue.append(command(0, "x" * 1_000_000))
    assert queue.is_full()
    assert queue.drop_oldest() == Numbers(0, 0, 1)
    assert not queue.is_full()
    assert queue.drop_oldest() is None


@pytest.mark.parametrize(("total", "popped"), [(1, 0), (10, 3), (2000, 0), (2000, 1), (2000, 1999)])
def test_all_are_taken_out_at_once(total: int, popped: int) -> None:
    queue = CommandQueue()
    for number in range(total):
        queue.append(command(number))
    for _ in range(popped):
        queue.popleft()
    assert queue.clear() == Numbers(popped, total - 1, total - popped)
    assert queue.clear() is None
    queue.append(command(total))
    assert list(queue) == [command(total)]
    assert queue._size == command(total).size


def test_a_long_queue_takes_little_memory() -> None:
    total = 50_000
    tracemalloc.start()
    try:
        queue = CommandQueue()
        for number in range(total):
            name = hashlib.sha256(str(number).encode()).hexdigest()[:32]
            queue.append(Command(number, 0, f"rm -f /film/scenes/{name}.ma", "/film", "artist", "shot", "rm"))
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(queue) == total
    # The names alone are 16 bytes of chance each; as objects they would be 500.
    assert size / total < 100
    assert peak - size < 10_000_000
