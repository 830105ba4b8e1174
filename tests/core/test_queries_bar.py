"""The progress bar that is kept and patched equals the one that is drawn plainly from its definition."""

from hypothesis import given
from hypothesis import strategies as st

from afanasy_py.core.task_states import BAR_LETTERS, DON, ERR, RDY, RUN, SKP, SUS, WDP, WRN
from afanasy_py.core.tasks import BAR_WIDTH, Tasks

STATES = (RDY, RUN, DON, DON | SKP, DON | WRN, ERR, SUS, WDP, 0)


def plain_bar(tasks: Tasks) -> str:
    """Draw the bar by its definition (json-api 11.2)."""
    ranks = [0] * BAR_WIDTH
    for number, rank in enumerate(tasks.rank):
        first = BAR_WIDTH * number // tasks.num
        last = max(first, BAR_WIDTH * (number + 1) // tasks.num - 1)
        for place in range(first, last + 1):
            ranks[place] = max(ranks[place], rank)
    return "".join(BAR_LETTERS[rank] for rank in ranks)


@given(
    st.one_of(st.integers(1, 140), st.integers(141, 1000)),
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(STATES)), max_size=150),
    st.integers(0, 50),
)
def test_a_patched_bar_equals_a_plain_one(num: int, changes: list[tuple[int, int]], looks: int) -> None:
    tasks = Tasks(num)
    for step, (number, state) in enumerate(changes):
        if looks and step % looks == 0:
            assert tasks.bar() == plain_bar(tasks)
        tasks.set_st(number % num, state)
    assert tasks.bar() == plain_bar(tasks)
    tasks.append(3, RDY)
    assert tasks.bar() == plain_bar(tasks)
    assert len(tasks.bar()) == BAR_WIDTH


def test_a_block_without_tasks_has_an_empty_bar() -> None:
    assert Tasks(0).bar() == " " * BAR_WIDTH
