"""The states of a task, what each counts for, and the letters of a progress bar.

A task's state is a set of bits (spec scheduling 3.1). Everything that is derived from the state of a
single task is in the tables here, so that a block can keep its counters while states change.
"""

from dataclasses import dataclass

RDY = 1 << 0
RUN = 1 << 1
WDP = 1 << 2
WTM = 1 << 3
DON = 1 << 4
ERR = 1 << 5
SKP = 1 << 8
OFF = 1 << 9
WRN = 1 << 10
PER = 1 << 11
PBR = 1 << 12
PSC = 1 << 13
FAILED_POST = 1 << 14
BAD_FILES = 1 << 15
PPA = 1 << 16
RER = 1 << 17
WRC = 1 << 18
TRY = 1 << 19
SUS = 1 << 20
PARSER_FATAL = 1 << 21

#: Bits that are stored and sent; the original leaks a mark of its solver in bit 62.
ALL_BITS = (1 << 22) - 1

#: (bit, counter of the block): a task may count in several.
COUNTED: tuple[tuple[int, str], ...] = (
    (RDY, "p_tasks_ready"),
    (DON, "p_tasks_done"),
    (ERR, "p_tasks_error"),
    (SKP, "p_tasks_skipped"),
    (WRN, "p_tasks_warning"),
    (WRC, "p_tasks_waitrec"),
    (WDP, "p_tasks_waitdep"),
    (SUS, "p_tasks_suspended"),
)

_BAR_BITS = DON | SKP | WDP | WRN | RDY | TRY | RUN | RER | ERR | WRC | SUS

#: Letters by rising rank, with the states that show them; the highest rank of a position wins.
BAR_LETTERS = " DUSGrTWRNYEC"
_BAR_STATES: dict[int, int] = {
    DON: 1,
    SUS: 2,
    SKP | DON: 3,
    DON | WRN: 4,
    RDY: 5,
    TRY | RDY: 6,
    WDP: 7,
    RUN: 8,
    RUN | WRN: 9,
    RER | RDY: 10,
    RER | RDY | WRN: 10,
    ERR: 11,
    ERR | WRN: 11,
    WRC: 12,
}


@dataclass(frozen=True, slots=True)
class StateFacts:
    """What one set of state bits means to its block."""

    #: Names of the block's counters that this state counts in.
    counters: tuple[str, ...]
    #: Rank of its letter in `BAR_LETTERS`.
    rank: int
    #: Percent of a task that does not run: 100, 0, or None where the reported percent counts.
    percent: int | None
    #: Whether its run time counts in the sum, in the minimum and maximum, or in the maximum only.
    in_sum: bool
    in_range: bool
    in_max: bool


def _facts(st: int) -> StateFacts:
    percent: int | None = 0
    if st & DON:
        percent = 100
    if st & RUN:
        percent = None
    if st & ERR:
        percent = 0
    if st & SKP:
        percent = 100
    finished = bool(st & DON) and not st & SKP
    return StateFacts(
        counters=tuple(name for bit, name in COUNTED if st & bit),
        rank=_BAR_STATES.get(st & _BAR_BITS, 0),
        percent=percent,
        in_sum=finished or bool(st & ERR),
        in_range=finished,
        in_max=bool(st & RUN) and not finished,
    )


class _FactsTable(dict[int, StateFacts]):
    """{state bits: facts}, filled as states are met; there are only a few dozen in a farm's life."""

    def __missing__(self, st: int) -> StateFacts:
        facts = self[st] = _facts(st)
        return facts


FACTS: dict[int, StateFacts] = _FactsTable()
