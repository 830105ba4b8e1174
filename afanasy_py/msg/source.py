"""Source text of readers and writers, built column by column and compiled.

A reader is ``read(data, pos) -> (value, pos)``, a writer ``write(value) -> bytes``. Neighbouring numbers of
fixed size, the sizes of texts and the counts of lists among them, are taken by one `struct.Struct`. A reader
lets `struct.error` out when bytes are missing; whoever calls it from outside turns that into a ProtocolError
and checks that the position did not run past the end (a text that is cut short moves it there).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from typing import Any

Read = Callable[[bytes, int], tuple[Any, int]]
Write = Callable[[Any], bytes]

_INDENT = "    "

#: Bits of the integer formats of `struct`; signed ones are in lower case.
INT_BITS = {"b": 8, "h": 16, "i": 32, "q": 64}


def wrapped(value: int, fmt: str) -> int:
    """Return an integer cut to the bits of a format, as the original cuts it."""
    bits = INT_BITS[fmt.lower()]
    value &= (1 << bits) - 1
    if fmt.islower() and value >> (bits - 1):
        value -= 1 << bits
    return value


class _Source:
    """Lines of a function and the objects that they name."""

    def __init__(self, key: Hashable) -> None:
        #: Layout that nested records take.
        self.key = key
        self.names: dict[str, Any] = {"error": struct.error}
        self._lines: list[str] = []
        self._depth = 1
        self._temps = 0

    def line(self, text: str) -> None:
        """Add a statement."""
        self._lines.append(_INDENT * self._depth + text)

    def indent(self, by: int) -> None:
        """Let the following statements stand deeper or, with a negative number, less deep."""
        self._depth += by

    def temp(self) -> str:
        """Return a new name of a local variable."""
        self._temps += 1
        return f"t{self._temps}"

    def bind(self, value: Any, hint: str = "k") -> str:
        """Return a name under which the function finds an object."""
        name = f"{hint}_{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, head: str, name: str) -> Any:
        """Return the function of the statements so far; `head` is its first line."""
        text = "\n".join([head, *self._lines])
        exec(compile(text, f"<{name}>", "exec"), self.names)  # noqa: S102 - built from our own columns only
        return self.names["function"]


class ReadSource(_Source):
    """A reader in the making; the value under construction is called `o`."""

    def __init__(self, key: Hashable) -> None:
        super().__init__(key)
        self._format = ""
        self._targets: list[str] = []
        self._after: list[str] = []

    def fixed(self, fmt: str, *targets: str) -> None:
        """Read numbers or raw bytes of fixed size into targets."""
        self._format += fmt
        self._targets += targets

    def after(self, text: str) -> None:
        """Add a statement that needs what `fixed` read."""
        self._after.append(text)

    def flush(self) -> None:
        """Read the numbers that have collected; `pos` is then behind them."""
        if self._format:
            packer = struct.Struct(">" + self._format)
            left = ", ".join(self._targets) + ("," if len(self._targets) == 1 else "")
            self.line(f"{left} = {self.bind(packer.unpack_from)}(data, pos)")
            self.line(f"pos += {packer.size}")
            for text in self._after:
                self.line(text)
        self._format, self._targets, self._after = "", [], []

    def compiled(self, result: str, name: str) -> Read:
        """Return the function."""
        self.flush()
        self.line(f"return {result}, pos")
        reader: Read = self.function("def function(data, pos):", name)
        return reader


class WriteSource(_Source):
    """A writer in the making; what it writes is called `o`."""

    def __init__(self, key: Hashable, *, wrap: bool = False) -> None:
        super().__init__(key)
        self._wrap = wrap
        self._format = ""
        self._values: list[str] = []
        self._parts: list[str] = []

    def fixed(self, fmt: str, *values: str) -> None:
        """Write numbers or raw bytes of fixed size."""
        self._format += fmt
        self._values += values

    def integer(self, fmt: str, value: str) -> None:
        """Write an integer that may be too big for its format."""
        if self._wrap:
            value = f"{self.bind(wrapped)}({value}, {fmt!r})"
        self.fixed(fmt, value)

    def part(self, expression: str) -> None:
        """Write the bytes of an expression."""
        self.flush()
        self._parts.append(expression)

    def flush(self) -> None:
        """End the numbers that have collected."""
        if self._format:
            packer = struct.Struct(">" + self._format)
            if self._values:
                self._parts.append(f"{self.bind(packer.pack)}({', '.join(self._values)})")
            else:
                self._parts.append(repr(packer.pack()))
        self._format, self._values = "", []

    def compiled(self, name: str, again: Callable[[], Write] | None = None) -> Write:
        """Return the function.

        Args:
            name: Shown in tracebacks.
            again: Makes the function that is tried when a number did not fit.
        """
        self.flush()
        parts = self._parts
        result = "b''" if not parts else parts[0] if len(parts) == 1 else f"b''.join(({', '.join(parts)}))"
        if again is None:
            self.line(f"return {result}")
        else:
            self._lines = [_INDENT + text for text in self._lines]
            self._lines.insert(0, f"{_INDENT}try:")
            self.line(f"{_INDENT}return {result}")
            self.line("except error:")
            self.line(f"{_INDENT}return {self.bind(again)}()(o)")
        writer: Write = self.function("def function(o):", name)
        return writer
