"""What columns are made of: numbers, texts, lists and maps, and how each is read and written.

A codec adds the statements for one value to the source of a reader or a writer; see `msg.source`. Counts
and sizes are compared with the bytes that are left before anything is allocated.

Source: spec wire-protocol 3.
"""

# ruff: noqa: D102 - what `emit_read` and `emit_write` do is said once, by Codec

from __future__ import annotations

import codecs as _codecs
import struct
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.source import Read, ReadSource, Write, WriteSource

T = TypeVar("T")

_U32 = struct.Struct(">I")
_MAP_VALUES = {fmt: struct.Struct(f">{fmt}") for fmt in "iq"}

#: Handler of bytes that are no UTF-8 and of characters that have no bytes.
TEXT_ERRORS = "afanasy-text"

#: The most values of one list: messages of the greatest size with honest lists have fewer.
MAX_ITEMS = 1 << 22

#: The most numbers of one list. They take ten times more memory than bytes of a message.
MAX_INTS = 1 << 21


def _on_text_error(error: UnicodeError) -> tuple[str | bytes, int]:
    """Let bytes that are no UTF-8 through, both ways, and lone surrogates of JSON out."""
    if isinstance(error, UnicodeDecodeError):
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + byte) for byte in bad), error.end
    if isinstance(error, UnicodeEncodeError):
        out = bytearray()
        for char in error.object[error.start : error.end]:
            code = ord(char)
            out += (
                bytes([code - 0xDC00]) if 0xDC80 <= code <= 0xDCFF else char.encode("utf-8", "surrogatepass")
            )
        return bytes(out), error.end
    raise error


_codecs.register_error(TEXT_ERRORS, _on_text_error)


def text_to_bytes(text: str) -> bytes:
    """Return a text as it travels; bytes that were no UTF-8 come out as they came in."""
    return text.encode("utf-8", TEXT_ERRORS)


def bytes_to_text(data: bytes) -> str:
    """Return the text of bytes that may be no UTF-8."""
    return data.decode("utf-8", TEXT_ERRORS)


# -- errors, made where they are raised in compiled sources


def no_text() -> ProtocolError:
    """Return the error of a text that has not even its closing zero."""
    return ProtocolError("text of size 0")


def bad_count(count: int) -> ProtocolError:
    """Return the error of a count that is negative or needs more bytes than there are."""
    return ProtocolError(f"count {count} does not fit into the data")


# -- readers and writers of repeated values


def read_text(data: bytes, pos: int) -> tuple[str, int]:
    """Read one text."""
    (size,) = _U32.unpack_from(data, pos)
    if not size:
        raise no_text()
    end = pos + 4 + size
    return data[pos + 4 : end - 1].decode("utf-8", TEXT_ERRORS), end


def write_text(text: str) -> bytes:
    """Return one text with its size and closing zero."""
    raw = text.encode("utf-8", TEXT_ERRORS)
    return _U32.pack(len(raw) + 1) + raw + b"\0"


def _check(data: bytes, pos: int, count: int, least: int) -> None:
    if not 0 <= count <= MAX_ITEMS or count * least > len(data) - pos:
        raise bad_count(count)


def read_items(
    data: bytes, pos: int, count: int, read: Read, least: int, most: int = MAX_ITEMS
) -> tuple[list[Any], int]:
    """Read `count` values of at least `least` bytes each, if they are not more than `most`."""
    _check(data, pos, count, least)
    if count > most:
        raise bad_count(count)
    items = []
    for _ in range(count):
        item, pos = read(data, pos)
        items.append(item)
    return items, pos


def _read_texts(data: bytes, pos: int, count: int) -> tuple[list[str], int]:
    return read_items(data, pos, count, read_text, 5)


def _read_ints(data: bytes, pos: int, count: int) -> tuple[list[int], int]:
    _check(data, pos, count, 4)
    if count > MAX_INTS:
        raise bad_count(count)
    return list(struct.unpack_from(f">{count}i", data, pos)), pos + 4 * count


def _write_ints(values: list[int]) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def _read_text_map(data: bytes, pos: int, count: int) -> tuple[dict[str, str], int]:
    _check(data, pos, count, 10)
    values = {}
    for _ in range(count):
        key, pos = read_text(data, pos)
        values[key], pos = read_text(data, pos)
    return values, pos


def _write_text_map(values: Iterable[tuple[str, str]]) -> bytes:
    return b"".join([write_text(key) + write_text(value) for key, value in values])


def _int_map_reader(fmt: str) -> Callable[[bytes, int, int], tuple[dict[str, int], int]]:
    packer = _MAP_VALUES[fmt]
    size = packer.size

    def read(data: bytes, pos: int, count: int) -> tuple[dict[str, int], int]:
        _check(data, pos, count, 5 + size)
        values = {}
        for _ in range(count):
            key, pos = read_text(data, pos)
            (values[key],) = packer.unpack_from(data, pos)
            pos += size
        return values, pos

    return read


def _int_map_writer(fmt: str) -> Callable[[Iterable[tuple[str, int]]], bytes]:
    pack = _MAP_VALUES[fmt].pack

    def write(values: Iterable[tuple[str, int]]) -> bytes:
        return b"".join([write_text(key) + pack(value) for key, value in values])

    return write


# -- codecs


class Codec(Generic[T]):
    """How one value travels."""

    #: The fewest bytes of a value.
    least = 1
    #: Source of the default value; a new object each time it is evaluated.
    default_source = "None"
    #: True if the default value can be changed, so that each record needs one of its own.
    fresh = False

    def emit_read(self, source: ReadSource, target: str) -> None:
        """Add the statements that read a value into `target`."""
        raise NotImplementedError

    def emit_write(self, source: WriteSource, value: str) -> None:
        """Add the statements that write the value of the expression `value`."""
        raise NotImplementedError

    def default_expression(self, source: ReadSource | WriteSource) -> str:
        """Return an expression that makes a default value."""
        del source
        return self.default_source

    def json_expression(self, source: WriteSource, value: str) -> str:
        """Return an expression of what JSON shows of the value of the expression `value`."""
        del source
        return value

    def reader(self, key: Hashable) -> Read:
        """Return a reader of one value on its own."""
        source = ReadSource(key)
        self.emit_read(source, "o")
        return source.compiled("o", f"read {type(self).__name__}")

    def writer(self, key: Hashable) -> Write:
        """Return a writer of one value on its own."""
        source = WriteSource(key)
        self.emit_write(source, "o")
        return source.compiled(f"write {type(self).__name__}")


class Int(Codec[int]):
    """An integer of 1 to 8 bytes."""

    default_source = "0"

    def __init__(self, fmt: str) -> None:
        self.format = fmt
        self.least = struct.calcsize(">" + fmt)

    def emit_read(self, source: ReadSource, target: str) -> None:
        source.fixed(self.format, target)

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.integer(self.format, value)


class Bool(Codec[bool]):
    """A letter: `y` is true; everything else, written as `n`, is false."""

    default_source = "False"

    def emit_read(self, source: ReadSource, target: str) -> None:
        letter = source.temp()
        source.fixed("B", letter)
        source.after(f"{target} = {letter} == {ord('y')}")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.fixed("B", f"{ord('y')} if {value} else {ord('n')}")


class Text(Codec[str]):
    """A size that counts the closing zero, UTF-8 by habit, and the zero."""

    least = 5
    default_source = "''"

    def emit_read(self, source: ReadSource, target: str) -> None:
        size = source.temp()
        source.fixed("I", size)
        source.flush()
        source.line(f"if {size} > 1:")
        source.line(f"    end = pos + {size}")
        source.line(f"    {target} = data[pos:end - 1].decode('utf-8', {TEXT_ERRORS!r})")
        source.line("    pos = end")
        source.line(f"elif {size}:")
        source.line(f"    {target} = ''")
        source.line("    pos += 1")
        source.line("else:")
        source.line(f"    raise {source.bind(no_text)}()")

    def emit_write(self, source: WriteSource, value: str) -> None:
        raw = source.temp()
        source.line(f"{raw} = {value}.encode('utf-8', {TEXT_ERRORS!r})")
        source.fixed("I", f"len({raw}) + 1")
        source.part(raw)
        source.fixed("x")


class Raw(Codec[bytes]):
    """Bytes of a fixed number; shorter ones are filled up with zeros."""

    def __init__(self, size: int) -> None:
        self.least = size
        self.default_source = repr(bytes(size)) if size < 32 else f"bytes({size})"
        self.size = size

    def emit_read(self, source: ReadSource, target: str) -> None:
        source.fixed(f"{self.size}s", target)

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.fixed(f"{self.size}s", value)


class RawText(Codec[str]):
    """A text of a fixed number of bytes."""

    def __init__(self, size: int, default: str) -> None:
        self.least = size
        self.default_source = repr(default)
        self.size = size

    def emit_read(self, source: ReadSource, target: str) -> None:
        raw = source.temp()
        source.fixed(f"{self.size}s", raw)
        source.after(f"{target} = {raw}.decode('utf-8', {TEXT_ERRORS!r})")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.fixed(f"{self.size}s", f"{value}.encode('utf-8', {TEXT_ERRORS!r})")


class FixedInts(Codec[list[int]]):
    """A known number of integers of one kind."""

    fresh = True

    def __init__(self, fmt: str, number: int) -> None:
        self.format = fmt
        self.number = number
        self.least = number * struct.calcsize(">" + fmt)
        self.default_source = f"[0] * {number}"

    def emit_read(self, source: ReadSource, target: str) -> None:
        names = [source.temp() for _ in range(self.number)]
        source.fixed(self.format * self.number, *names)
        source.after(f"{target} = [{', '.join(names)}]")

    def emit_write(self, source: WriteSource, value: str) -> None:
        for index in range(self.number):
            source.integer(self.format, f"{value}[{index}]")


class _Counted(Codec[T]):
    """A count and as many values, read and written by helper functions."""

    fresh = True

    def __init__(
        self,
        default_source: str,
        read: Callable[..., Any] | None,
        write: Callable[..., Any] | None,
        *,
        is_sorted: bool = False,
        count_format: str = "I",
    ) -> None:
        self.default_source = default_source
        self._read = read
        self._write = write
        self._items = "sorted({}.items())" if is_sorted else "{}"
        self._sorted = is_sorted
        self._count_format = count_format
        self.least = struct.calcsize(">" + count_format)

    def emit_read(self, source: ReadSource, target: str) -> None:
        count = source.temp()
        source.fixed(self._count_format, count)
        source.flush()
        source.line(f"if {count}:")
        source.line(f"    {target}, pos = {self.read_call(source, count)}")
        source.line("else:")
        source.line(f"    {target} = {self.default_source}")

    def json_expression(self, source: WriteSource, value: str) -> str:
        del source
        return f"dict(sorted({value}.items()))" if self._sorted else value

    def read_call(self, source: ReadSource, count: str) -> str:
        """Return the call that reads `count` values, giving them and the position."""
        return f"{source.bind(self._read)}(data, pos, {count})"

    def emit_write(self, source: WriteSource, value: str) -> None:
        values = source.temp()
        source.line(f"{values} = {value}")
        source.fixed(self._count_format, f"len({values})")
        source.part(f"({self.write_call(source, values)} if {values} else b'')")

    def write_call(self, source: WriteSource, values: str) -> str:
        """Return the expression of the bytes of all values."""
        return f"{source.bind(self._write)}({self._items.format(values)})"


class ListOf(_Counted[list[T]]):
    """A count and as many values of one codec, at most `most`."""

    def __init__(self, item: Codec[T], count_format: str = "I", most: int = MAX_ITEMS) -> None:
        super().__init__("[]", None, None, count_format=count_format)
        self.item = item
        self.most = most

    def json_expression(self, source: WriteSource, value: str) -> str:
        return f"[{self.item.json_expression(source, 'i')} for i in {value}]"

    def read_call(self, source: ReadSource, count: str) -> str:
        read = source.bind(self.item.reader(source.key))
        return f"{source.bind(read_items)}(data, pos, {count}, {read}, {self.item.least}, {self.most})"

    def write_call(self, source: WriteSource, values: str) -> str:
        write = source.bind(self.item.writer(source.key))
        return f"b''.join([{write}(v) for v in {values}])"


class CountedBy(ListOf[T]):
    """As many values of one codec as an expression of the earlier columns says."""

    least = 0

    def __init__(self, item: Codec[T], count: str, default_source: str = "[]") -> None:
        super().__init__(item)
        self.least = 0
        self.default_source = default_source
        self._count = count

    def emit_read(self, source: ReadSource, target: str) -> None:
        source.flush()
        source.line(f"{target}, pos = {self.read_call(source, self._count)}")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.part(self.write_call(source, value))


class Optional(Codec[T | None]):
    """A bool and, if it is true, a value."""

    least = 1
    default_source = "None"

    def __init__(self, item: Codec[T]) -> None:
        self.item = item

    def emit_read(self, source: ReadSource, target: str) -> None:
        letter = source.temp()
        source.fixed("B", letter)
        source.flush()
        source.line(f"if {letter} == {ord('y')}:")
        source.line(f"    {target}, pos = {source.bind(self.item.reader(source.key))}(data, pos)")
        source.line("else:")
        source.line(f"    {target} = None")

    def emit_write(self, source: WriteSource, value: str) -> None:
        item = source.temp()
        source.line(f"{item} = {value}")
        source.fixed("B", f"{ord('n')} if {item} is None else {ord('y')}")
        source.part(f"(b'' if {item} is None else {source.bind(self.item.writer(source.key))}({item}))")


class Custom(Codec[T]):
    """A value that functions of its own read and write."""

    fresh = True

    def __init__(self, read: Read, write: Write, default_source: str, least: int) -> None:
        self._read = read
        self._write = write
        self.default_source = default_source
        self.least = least

    def emit_read(self, source: ReadSource, target: str) -> None:
        source.flush()
        source.line(f"{target}, pos = {source.bind(self._read)}(data, pos)")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.part(f"{source.bind(self._write)}({value})")


class OffWire(Codec[Any]):
    """A value that never travels in binary form."""

    least = 0
    fresh = True

    def __init__(self, default_source: str) -> None:
        self.default_source = default_source


I8: Codec[int] = Int("b")
U8: Codec[int] = Int("B")
I16: Codec[int] = Int("h")
U16: Codec[int] = Int("H")
I32: Codec[int] = Int("i")
U32: Codec[int] = Int("I")
I64: Codec[int] = Int("q")
BOOL: Codec[bool] = Bool()
STR: Codec[str] = Text()
#: The pattern of a name mask; a text like any other.
MASK: Codec[str] = STR
STRS: Codec[list[str]] = _Counted(
    "[]", _read_texts, lambda texts: b"".join([write_text(text) for text in texts])
)
I32S: Codec[list[int]] = _Counted("[]", _read_ints, _write_ints)
#: Maps go out in the order of their keys; readers must not depend on it.
STR_MAP: Codec[dict[str, str]] = _Counted("{}", _read_text_map, _write_text_map, is_sorted=True)
I32_MAP: Codec[dict[str, int]] = _Counted("{}", _int_map_reader("i"), _int_map_writer("i"), is_sorted=True)
I64_MAP: Codec[dict[str, int]] = _Counted("{}", _int_map_reader("q"), _int_map_writer("q"), is_sorted=True)
