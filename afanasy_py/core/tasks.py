"""The tasks of one block, in arrays: a task that never ran costs six bytes.

`Tasks` keeps what each task is (state, starts, errors, times, host) and the sums over all of them that a
block shows. It knows nothing of renders, dependencies or limits. Run figures are allocated when the first
task of the block starts; texts, logs and error hosts are kept only for tasks that have them.

Source: spec scheduling 3.2, 3.4, 5; json-api 4.4.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from afanasy_py.core.task_states import BAR_LETTERS, DON, ERR, FACTS, RDY
from afanasy_py.msg.records.taskprogress import TaskProgress

BAR_WIDTH = 128
_LETTERS = tuple(letter.encode() for letter in BAR_LETTERS)


def _deltas(old: int, new: int) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for name in FACTS[old].counters:
        sums[name] = sums.get(name, 0) - 1
    for name in FACTS[new].counters:
        sums[name] = sums.get(name, 0) + 1
    return tuple((name, delta) for name, delta in sums.items() if delta)


class _DeltasTable(dict[tuple[int, int], tuple[tuple[str, int], ...]]):
    """{(old state, new state): changes of the counters}."""

    def __missing__(self, key: tuple[int, int]) -> tuple[tuple[str, int], ...]:
        deltas = self[key] = _deltas(*key)
        return deltas


_DELTAS = _DeltasTable()


class Tasks:
    """All tasks of a block."""

    __slots__ = (
        "_bar",
        "_bar_stale",
        "_bar_text",
        "_sums_stale",
        "activity",
        "counts",
        "erring",
        "error_hosts",
        "errors",
        "frame",
        "frame_percent",
        "host",
        "leading",
        "logs",
        "num",
        "order",
        "parsed_files",
        "percent",
        "percents_sum",
        "place",
        "rank",
        "ready",
        "resources",
        "run_time_max",
        "run_time_min",
        "run_time_sum",
        "st",
        "starts",
        "time_done",
        "time_start",
        "undone",
    )

    def __init__(self, num: int, st: int = RDY) -> None:
        self.num = num
        #: State bits of each task.
        self.st = array("I", [st]) * num
        #: Rank of each task's progress letter.
        self.rank = bytearray([FACTS[st].rank]) * num
        #: 1 for each task that has RDY, in the order in which tasks are offered.
        self.ready = bytearray([1 if st & RDY else 0]) * num
        #: 1 for each task that has not DON, by number.
        self.undone = bytearray([0 if st & DON else 1]) * num
        #: {task number}: tasks that have ERR.
        self.erring: dict[int, None] = {}
        #: Place in the offered order -> task number, and back; None: the order of numbers.
        self.order: array[int] | None = None
        self.place: array[int] | None = None
        #: How many places are offered while the job waits for the approval of its preview.
        self.leading = num
        #: {counter of the block: number of tasks}; see `task_states.COUNTED`.
        self.counts: dict[str, int] = dict.fromkeys(FACTS[st].counters, num)
        #: Sum of the percents of all tasks.
        self.percents_sum = (FACTS[st].percent or 0) * num
        self.run_time_sum = 0
        self.run_time_min = 0
        self.run_time_max = 0
        self._sums_stale = False
        #: Letters of the progress bar, None: to be made; {changed place: a task there}; the bar as a text.
        self._bar: bytearray | None = None
        self._bar_stale: dict[int, int] = {}
        self._bar_text = ""
        #: Run figures by task number; empty until the first start.
        self.percent = array("b")
        self.frame = array("i")
        self.frame_percent = array("b")
        self.starts = array("i")
        self.errors = array("i")
        self.time_start = array("q")
        self.time_done = array("q")
        self.host: list[str] = []
        #: {task number: text}; no empty texts.
        self.activity: dict[int, str] = {}
        self.resources: dict[int, str] = {}
        #: {task number: [time, subject, text, time, subject, text, ...]}
        self.logs: dict[int, list[int | str]] = {}
        #: {task number: {host: [errors, time of the last one]}}
        self.error_hosts: dict[int, dict[str, list[int]]] = {}
        #: {task number: files that the parser of its render found}
        self.parsed_files: dict[int, list[str]] = {}

    def has_run(self) -> bool:
        """Return whether run figures are kept, that is whether any task ever started."""
        return len(self.starts) > 0

    def prepare_run(self) -> None:
        """Make room for run figures."""
        if not self.starts and self.num:
            zeros = bytes(self.num)
            self.percent = array("b", zeros)
            self.frame_percent = array("b", zeros)
            self.frame = array("i", [0]) * self.num
            self.starts = array("i", [0]) * self.num
            self.errors = array("i", [0]) * self.num
            self.time_start = array("q", [0]) * self.num
            self.time_done = array("q", [0]) * self.num
            self.host = [""] * self.num

    def append(self, count: int, st: int) -> None:
        """Add `count` tasks with the state `st`; the offered order must be set anew."""
        had_run = self.has_run()
        facts = FACTS[st]
        self.num += count
        self.st.extend([st] * count)
        self.rank.extend(bytes([facts.rank]) * count)
        self.undone.extend(bytes([0 if st & DON else 1]) * count)
        for name in facts.counters:
            self.counts[name] = self.counts.get(name, 0) + count
        self.percents_sum += (facts.percent or 0) * count
        if had_run:
            for figures in (self.percent, self.frame_percent, self.frame, self.starts, self.errors):
                figures.extend([0] * count)
            self.time_start.extend([0] * count)
            self.time_done.extend([0] * count)
            self.host.extend([""] * count)
        self._bar = None
        self.set_order(None, self.num)

    def set_order(self, order: array[int] | None, leading: int) -> None:
        """Set in which order tasks are offered (spec scheduling 5)."""
        self.order = order
        self.leading = leading
        st = self.st
        if order is None:
            self.place = None
            self.ready = bytearray([bits & RDY for bits in st])
            return
        place = array("i", [0]) * self.num
        for position, number in enumerate(order):
            place[number] = position
        self.place = place
        self.ready = bytearray([st[number] & RDY for number in order])

    def first_ready(self, places: int) -> int:
        """Return the first task on offer among the first `places` places, or -1."""
        position = self.ready.find(1, 0, places)
        if position < 0 or self.order is None:
            return position
        return self.order[position]

    def ready_tasks(self) -> Iterator[int]:
        """Yield all tasks that have RDY, in the offered order."""
        position = self.ready.find(1)
        while position >= 0:
            yield position if self.order is None else self.order[position]
            position = self.ready.find(1, position + 1)

    def set_st(self, number: int, st: int) -> None:
        """Set the state of a task and keep all sums right.

        When a run ends its `time_done` must be set before its state.
        """
        old = self.st[number]
        if old == st:
            return
        self.st[number] = st
        before, after = FACTS[old], FACTS[st]
        counts = self.counts
        for name, delta in _DELTAS[old, st]:
            counts[name] = counts.get(name, 0) + delta
        if before.rank != after.rank:
            self.rank[number] = after.rank
            self._bar_stale[BAR_WIDTH * number // self.num] = number
        if (old ^ st) & RDY:
            self.ready[number if self.place is None else self.place[number]] = st & RDY
        if (old ^ st) & DON:
            self.undone[number] = 0 if st & DON else 1
        if (old ^ st) & ERR:
            if st & ERR:
                self.erring[number] = None
            else:
                del self.erring[number]
        self.percents_sum += self._share(number, st) - self._share(number, old)
        if self.starts:
            if before.in_sum or after.in_sum:
                spent = self.time_done[number] - self.time_start[number]
                self.run_time_sum += spent * (after.in_sum - before.in_sum)
                if after.in_range and not before.in_range:
                    self.run_time_max = max(self.run_time_max, spent)
                    if not self._sums_stale:
                        self.run_time_min = min(self.run_time_min or spent, spent)
            if before.in_range or before.in_max:
                self._sums_stale = self._sums_stale or before.in_range or not after.in_range

    def _share(self, number: int, st: int) -> int:
        percent = FACTS[st].percent
        if percent is not None:
            return percent
        return min(max(self.percent[number], 0), 99) if self.starts else 0

    def on_start(self, number: int, host: str, now: int) -> None:
        """Note the figures of a new run; the state is still the old one."""
        if not self.starts:
            self.prepare_run()
        self.forget_run_time(number)
        self.percents_sum -= self._share(number, self.st[number])
        self.percent[number] = -1
        self.frame[number] = -1
        self.frame_percent[number] = -1
        self.percents_sum += self._share(number, self.st[number])
        self.starts[number] += 1
        self.time_start[number] = now
        self.time_done[number] = now
        self.host[number] = host
        self.activity.pop(number, None)
        self.resources.pop(number, None)

    def forget_run_time(self, number: int) -> None:
        """Take the run time of a task out of the sums before its times change."""
        facts = FACTS[self.st[number]]
        if facts.in_sum:
            self.run_time_sum -= self.time_done[number] - self.time_start[number]
            self._sums_stale = True

    def set_progress(self, number: int, percent: int, frame: int, frame_percent: int, now: int) -> None:
        """Note what a render reported of a running task."""
        st = self.st[number]
        self.percents_sum -= self._share(number, st)
        self.percent[number] = percent
        self.percents_sum += self._share(number, st)
        self.frame[number] = frame
        self.frame_percent[number] = frame_percent
        self.set_time_done(number, now)
        self.run_time_max = max(self.run_time_max, now - self.time_start[number])

    def set_time_done(self, number: int, now: int) -> None:
        """Note when a task was last heard of."""
        if FACTS[self.st[number]].in_sum:
            self.run_time_sum += now - self.time_done[number]
        self.time_done[number] = now

    def run_times(self) -> tuple[int, int, int]:
        """Return (minimum, maximum, sum) of run times in seconds (spec scheduling 3.4.3)."""
        if self._sums_stale:
            low = high = 0
            for number in range(self.num):
                facts = FACTS[self.st[number]]
                if facts.in_range or facts.in_max:
                    spent = self.time_done[number] - self.time_start[number]
                    high = max(high, spent)
                    if facts.in_range:
                        low = min(low or spent, spent)
            self.run_time_min, self.run_time_max = low, high
            self._sums_stale = False
        return self.run_time_min, self.run_time_max, self.run_time_sum

    def percentage(self) -> int:
        """Return the mean percent, rounded down."""
        return self.percents_sum // self.num if self.num else 0

    def bar(self) -> str:
        """Return the progress bar: 128 letters, the most important state of each place."""
        if self._bar is None:
            self._bar = bytearray(b" " * BAR_WIDTH)
            numbers = range(self.num) if self.num <= BAR_WIDTH else self._one_of_each_place()
            self._set_letters(self._bar, numbers)
        elif self._bar_stale:
            self._set_letters(self._bar, self._bar_stale.values())
        else:
            return self._bar_text
        self._bar_stale.clear()
        self._bar_text = self._bar.decode("ascii")
        return self._bar_text

    def _one_of_each_place(self) -> Iterator[int]:
        """Yield one task of each place of the bar."""
        return (-(-place * self.num // BAR_WIDTH) for place in range(BAR_WIDTH))

    def _set_letters(self, letters: bytearray, numbers: Iterable[int]) -> None:
        """Set the letters of the places that some tasks cover.

        Task t of n covers the places 128t/n to 128(t+1)/n - 1, at least one; where several tasks meet,
        that is when there are more than 128, the highest rank counts.
        """
        num, rank = self.num, self.rank
        for number in numbers:
            first = BAR_WIDTH * number // num
            if num <= BAR_WIDTH:
                last = max(first + 1, BAR_WIDTH * (number + 1) // num)
                letters[first:last] = _LETTERS[rank[number]] * (last - first)
            else:
                begin, end = -(-first * num // BAR_WIDTH), -(-(first + 1) * num // BAR_WIDTH)
                letters[first] = _LETTERS[max(rank[begin:end])][0]

    def progress(self, number: int) -> TaskProgress:
        """Return the progress of a task as it travels."""
        if not self.starts:
            return TaskProgress(st=self.st[number])
        return TaskProgress(
            st=self.st[number],
            per=self.percent[number],
            frm=self.frame[number],
            pfr=self.frame_percent[number],
            starts_count=self.starts[number],
            errors_count=self.errors[number],
            time_start=self.time_start[number],
            time_done=self.time_done[number],
            hostname=self.host[number],
            activity=self.activity.get(number, ""),
            resources=self.resources.get(number, ""),
        )

    def log(self, number: int, limit: int, now: int, subject: str, text: str) -> None:
        """Add a line to the log of a task; the oldest beyond `limit` lines go."""
        lines = self.logs.setdefault(number, [])
        lines += (now, subject, text)
        if len(lines) > limit * 3:
            del lines[: len(lines) - limit * 3]

    def validate(self) -> None:
        """Recompute every sum and assert that nothing drifted."""
        counts: dict[str, int] = {}
        percents = spent = 0
        for number, st in enumerate(self.st):
            facts = FACTS[st]
            for name in facts.counters:
                counts[name] = counts.get(name, 0) + 1
            percents += self._share(number, st)
            if facts.in_sum and self.starts:
                spent += self.time_done[number] - self.time_start[number]
            assert self.rank[number] == facts.rank
            assert (number in self.erring) == bool(st & ERR)
            assert self.undone[number] == (0 if st & DON else 1)
            assert self.ready[number if self.place is None else self.place[number]] == (st & RDY)
        assert counts == {name: count for name, count in self.counts.items() if count}, (counts, self.counts)
        assert percents == self.percents_sum
        assert spent == self.run_time_sum, (spent, self.run_time_sum)
