"""Commands of the system job, and the queue in which they wait for a render.

A farm without a host for them may collect a million commands, so all but the two ends of a long queue are
kept compressed, and a queue has a bound. Knows nothing of tasks and renders.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from afanasy_py.msg.json_text import dump_json

#: A queue has so many commands at most.
COMMANDS_MOST = 1_000_000
#: The texts of a queue have so many characters at most, as they are before compression.
TEXT_MOST = 512 * 1024 * 1024
#: Commands with so many characters together are compressed in one piece: a millisecond of work.
_PACK_SIZE = 64 * 1024
#: What a command takes besides its texts, in the same measure.
_COMMAND_SIZE = 100
#: The fastest level; commands are alike, so it does well.
_LEVEL = 1


class Command(NamedTuple):
    """Something that the system job has to do."""

    #: Rises with each command of its block.
    number: int
    #: Unix seconds.
    queued_at: int
    text: str
    working_directory: str
    user_name: str
    job_name: str
    task_name: str

    def encode(self) -> bytes:
        """Return the command as JSON on one line."""
        return dump_json(list(self))

    @property
    def size(self) -> int:
        """What it counts for in the bound of a queue, characters."""
        return len(self.text) + len(self.working_directory) + len(self.job_name) + _COMMAND_SIZE


def decode_command(document: bytes) -> Command:
    """Return what was encoded."""
    return Command(*json.loads(document.decode("utf-8", "surrogateescape")))


class Numbers(NamedTuple):
    """Commands of a block that wait no longer: those with numbers from `first` to `last`."""

    first: int
    last: int
    #: How many these were; some numbers between may have gone before.
    total: int


@dataclass(slots=True)
class _Pack:
    """Some commands in a row, compressed."""

    numbers: Numbers
    #: When the last of them was queued, Unix seconds.
    newest: int
    size: int
    lines: bytes


def _unpack(pack: _Pack) -> Iterator[Command]:
    return map(decode_command, zlib.decompress(pack.lines).split(b"\n"))


class CommandQueue:
    """Commands in the order in which they came.

    When it is full the oldest go, see `drop_oldest`: their time to be dropped for age would be next.
    """

    def __init__(self, commands_most: int = COMMANDS_MOST, text_most: int = TEXT_MOST) -> None:
        self._commands_most, self._text_most = commands_most, text_most
        self._head: deque[Command] = deque()
        self._packs: deque[_Pack] = deque()
        self._tail: list[Command] = []
        self._tail_size = 0
        self._len = 0
        self._size = 0

    def __len__(self) -> int:
        return self._len

    def is_full(self) -> bool:
        """Return whether it is beyond its bound."""
        return self._len > self._commands_most or self._size > self._text_most

    def append(self, command: Command) -> None:
        """Put a command behind the others."""
        size = command.size
        self._tail.append(command)
        self._tail_size += size
        self._len += 1
        self._size += size
        if self._tail_size >= _PACK_SIZE:
            self._pack_tail()

    def _pack_tail(self) -> None:
        tail = self._tail
        lines = zlib.compress(b"\n".join(command.encode() for command in tail), _LEVEL)
        numbers = Numbers(tail[0].number, tail[-1].number, len(tail))
        self._packs.append(_Pack(numbers, tail[-1].queued_at, self._tail_size, lines))
        self._tail, self._tail_size = [], 0

    def _fill_head(self) -> None:
        if self._head:
            return
        if self._packs:
            self._head.extend(_unpack(self._packs.popleft()))
        else:
            self._head.extend(self._tail)
            self._tail, self._tail_size = [], 0

    def first(self) -> Command:
        """Return the oldest command.

        Raises:
            IndexError: There is none.
        """
        self._fill_head()
        return self._head[0]

    def popleft(self) -> Command:
        """Take the oldest command out.

        Raises:
            IndexError: There is none.
        """
        self._fill_head()
        command = self._head.popleft()
        self._len -= 1
        self._size -= command.size
        return command

    def drop_oldest(self, before: int | None = None) -> Numbers | None:
        """Take some of the oldest commands out; return which, None: there were none.

        Args:
            before: Only those that were queued before this moment, Unix seconds; None: whenever.
        """
        if not self._len:
            return None
        if not self._head and self._packs and (before is None or self._packs[0].newest < before):
            pack = self._packs.popleft()
            self._len -= pack.numbers.total
            self._size -= pack.size
            return pack.numbers
        gone = 0
        first = last = self.first().number
        while self._head and (before is None or self._head[0].queued_at < before):
            last = self.popleft().number
            gone += 1
            if before is None and not self._packs:
                break  # the youngest stay
        return Numbers(first, last, gone) if gone else None

    def clear(self) -> Numbers | None:
        """Take all commands out; return which, None: there were none."""
        if not self._len:
            return None
        first = self.first().number
        last = self._tail[-1].number if self._tail else self._packs[-1].numbers.last if self._packs else None
        numbers = Numbers(first, self._head[-1].number if last is None else last, self._len)
        self._head.clear()
        self._packs.clear()
        self._tail, self._tail_size = [], 0
        self._len = self._size = 0
        return numbers

    def __iter__(self) -> Iterator[Command]:
        """Yield all commands, the oldest first."""
        yield from self._head
        for pack in self._packs:
            yield from _unpack(pack)
        yield from self._tail
