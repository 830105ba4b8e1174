"""Records: classes whose columns say how they travel, compiled to readers and writers.

A record declares its columns once, in wire order, each in the groups that carry it, and the layouts: which
groups a message type has. Readers and writers are compiled when a layout is first used. A subclass without
columns of its own (a node of the farm) travels like its base and compares by identity; it may replace columns
by properties.
"""

# ruff: noqa: D102 - what `emit_read` and `emit_write` do is said once, by Codec

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.codecs import MAX_ITEMS, Codec, ListOf, bad_count
from afanasy_py.msg.json_forms import Form, Forms, Json
from afanasy_py.msg.source import Read, ReadSource, Write, WriteSource

if TYPE_CHECKING:
    from typing_extensions import Self  # of Python itself from 3.11 on; it need not be installed

T = TypeVar("T")
R = TypeVar("R", bound="Record")

#: {message type or name: groups of columns, in wire order}
Layouts = dict[Hashable, tuple[str, ...]]

_U32 = struct.Struct(">I")
_UNSET: Any = object()


class Column:
    """One column of a record: how it travels, what it is without a value, how JSON shows it."""

    __slots__ = ("codec", "count_of", "default", "doc", "emit", "groups", "json", "name", "when", "wire")

    def __init__(self, codec: Codec[Any], groups: tuple[str, ...], options: dict[str, Any]) -> None:
        self.name = ""
        self.codec = codec
        self.groups = groups
        self.default = options["default"]
        self.json: str = options["json"]
        self.emit: str = options["emit"]
        self.wire: bool = options["wire"]
        self.when: str = options["when"]
        self.count_of: str = options["count_of"]
        self.doc: str = options["doc"]

    @property
    def is_fresh(self) -> bool:
        """Whether each record needs a default of its own."""
        return self.default is _UNSET and self.codec.fresh

    def default_expression(self, source: ReadSource | WriteSource) -> str:
        """Return the source of the default value."""
        if self.default is not _UNSET:
            return source.bind(self.default, "default")
        return self.codec.default_expression(source)


def column(
    codec: Codec[T],
    *groups: str,
    default: T = _UNSET,
    json: str = "",
    emit: str = "",
    wire: bool = True,
    when: str = "",
    count_of: str = "",
    doc: str = "",
) -> T:
    """Declare a column; the record class turns it into an attribute.

    Args:
        codec: How the value travels.
        groups: Groups of columns that it is in, named by the layouts; none: see `Record.layouts`.
        default: Value of a new record; left out: the empty value of the codec.
        json: Its name in JSON; empty: the name of the attribute.
        emit: When JSON shows it: an expression of the value `v` (see `msg.json_forms`); empty: always.
        wire: False for a column that does not travel in binary form.
        when: An expression of the record `o`; the column travels only if it is true.
        count_of: Name of a list further down whose length is written in its place.
        doc: What it means, with units.
    """
    options = {
        "default": default, "json": json, "emit": emit, "wire": wire,
        "when": when, "count_of": count_of, "doc": doc,
    }  # fmt: skip
    return cast(T, Column(codec, groups, options))


class _Readers(dict[Hashable, Read]):
    """{layout: reader} of one class, compiled on demand."""

    def __init__(self, owner: type[Record]) -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, key: Hashable) -> Read:
        owner = self._owner
        source = ReadSource(key)
        source.line(f"o = {source.bind(owner.__new__)}({source.bind(owner)})")
        done = set()
        for col in owner.columns_of(key):
            _emit_read(source, col)
            done.add(col.name)
        source.flush()
        for col in owner.columns.values():
            if col.name not in done:
                source.line(f"o.{col.name} = {col.default_expression(source)}")
        reader = self[key] = source.compiled("o", f"read {owner.__name__} {key}")
        return reader


def _emit_read(source: ReadSource, col: Column) -> None:
    target = f"o.{col.name}"
    if not col.when:
        col.codec.emit_read(source, target)
        return
    source.flush()
    source.line(f"if {col.when}:")
    source.indent(1)
    col.codec.emit_read(source, target)
    source.flush()
    source.indent(-1)
    source.line("else:")
    source.line(f"    {target} = {col.default_expression(source)}")


class _Writers(dict[Hashable, Write]):
    """{layout: writer} of one class, compiled on demand."""

    def __init__(self, owner: type[Record]) -> None:
        super().__init__()
        self._owner = owner

    def __missing__(self, key: Hashable) -> Write:
        writer = self[key] = self._compiled(key, wrap=False)
        return writer

    def _compiled(self, key: Hashable, *, wrap: bool) -> Write:
        owner = self._owner
        source = WriteSource(key, wrap=wrap)
        for col in owner.columns_of(key):
            value = f"len(o.{col.count_of})" if col.count_of else f"o.{col.name}"
            if col.when:
                write = source.bind(col.codec.writer(key))
                source.part(f"({write}({value}) if {col.when} else b'')")
            else:
                col.codec.emit_write(source, value)
        # COMPAT(wrapped-numbers): a number that is too big for its column is cut, as the original does.
        again = None if wrap else lambda: self._compiled(key, wrap=True)
        return source.compiled(f"write {owner.__name__} {key}", again)


class RecordType(type):
    """Collects the columns of a class and gives it slots and `__init__`."""

    columns: dict[str, Column]
    layouts: Layouts

    def __new__(
        cls, name: str, bases: tuple[type, ...], names: dict[str, Any], *, part: bool = False
    ) -> RecordType:
        """Make the class.

        Args:
            cls: This metaclass.
            name: Name of the class.
            bases: Records and parts whose columns come first, and other classes.
            names: Its body.
            part: True for a set of columns that several records share; it has no objects of its own.
        """
        own = {key: value for key, value in names.items() if isinstance(value, Column)}
        columns: dict[str, Column] = {}
        for base in bases:
            columns.update(getattr(base, "columns", {}))
        for key, col in own.items():
            col.name = key
            columns.pop(key, None)
            columns[key] = col
            del names[key]
        if own or part or "layouts" in names:
            slotted = {
                slot for base in bases for link in base.__mro__ for slot in link.__dict__.get("__slots__", ())
            }
            names["__slots__"] = () if part else tuple(key for key in columns if key not in slotted)
            names["columns"] = columns
        elif bases and "__eq__" not in names:
            names["__eq__"], names["__hash__"] = object.__eq__, object.__hash__
        made = super().__new__(cls, name, bases, names)
        if not part and made.columns:
            record = cast("type[Record]", made)
            made._readers = _Readers(record)  # type: ignore[attr-defined]
            if "columns" in names:
                made._writers = _Writers(record)  # type: ignore[attr-defined]
                made._forms = Forms(record)  # type: ignore[attr-defined]
                made.__init__ = _compiled_init(record)  # type: ignore[misc]
        return made

    def __init__(cls, name: str, bases: tuple[type, ...], names: dict[str, Any], **_: Any) -> None:
        super().__init__(name, bases, names)


def _compiled_init(owner: type[Record]) -> Any:
    source = WriteSource(None)
    arguments = []
    for col in owner.columns.values():
        default = col.default_expression(source)
        if col.is_fresh:
            arguments.append(f"{col.name}=None")
            source.line(f"self.{col.name} = {default} if {col.name} is None else {col.name}")
        else:
            arguments.append(f"{col.name}={default}")
            source.line(f"self.{col.name} = {col.name}")
    return source.function(f"def function(self, *, {', '.join(arguments)}):", f"init {owner.__name__}")


class Record(metaclass=RecordType, part=True):
    """Base of everything that travels."""

    #: {column: how it travels}, in wire order; those of bases come first.
    columns: ClassVar[dict[str, Column]]

    #: {message type or name: groups that it carries, in wire order}. Empty: one layout of all columns.
    layouts: ClassVar[Layouts] = {}

    #: {name of a form: members in order}. Empty: one form "list" of all columns.
    json_forms: ClassVar[dict[str, Form]] = {}

    _readers: ClassVar[_Readers]
    _writers: ClassVar[_Writers]
    _forms: ClassVar[Forms]

    if TYPE_CHECKING:

        def __init__(self, **columns: Any) -> None: ...

    @classmethod
    def columns_of(cls, layout: Hashable) -> list[Column]:
        """Return the columns of a layout, in wire order; a column can be there twice.

        Raises:
            ValueError: The record does not travel in this layout.
        """
        if not cls.layouts:
            return [col for col in cls.columns.values() if col.wire]
        groups = cls.layouts.get(layout)
        if groups is None:
            raise ValueError(f"{cls.__name__} does not travel in layout {layout!r}")
        return [col for group in groups for col in cls.columns.values() if group in col.groups and col.wire]

    def encode(self, layout: Hashable = None) -> bytes:
        """Return the record as it travels in a message type, without header."""
        return self._writers[layout](self)

    def write(self, buffer: bytearray, layout: Hashable = None) -> None:
        """Add the record to a buffer."""
        buffer += self._writers[layout](self)

    def to_json(self, form: str = "list") -> Json:
        """Return the record as JSON shows it in a form.

        Lists and maps in it belong to the record: they are to be written, not to be changed.

        Raises:
            ValueError: The record has no such form.
        """
        return self._forms[form](self)

    @classmethod
    def decode(cls, layout: Hashable, data: bytes) -> Self:
        """Return the record of a message's data.

        Raises:
            ProtocolError: The data is no such record, or more than one.
        """
        try:
            record, pos = cls._readers[layout](data, 0)
        except struct.error as error:
            raise ProtocolError(f"{cls.__name__}: {error}") from None
        if pos != len(data):
            raise ProtocolError(f"{cls.__name__} of {pos} bytes in data of {len(data)}")
        return cast("Self", record)

    @classmethod
    def read(cls, data: bytes, offset: int = 0, layout: Hashable = None) -> tuple[Self, int]:
        """Return the record that begins at an offset, and the offset behind it.

        Raises:
            ProtocolError: There is no such record.
        """
        try:
            record, pos = cls._readers[layout](data, offset)
        except struct.error as error:
            raise ProtocolError(f"{cls.__name__}: {error}") from None
        if pos > len(data):
            raise ProtocolError(f"{cls.__name__} of {pos - offset} bytes, {len(data) - offset} are there")
        return cast("Self", record), pos

    @classmethod
    def decode_list(cls, layout: Hashable, data: bytes) -> list[Self]:
        """Return the records of a node list.

        Raises:
            ProtocolError: The data is no such list.
        """
        if len(data) < 4:
            raise ProtocolError(f"list of {cls.__name__} in {len(data)} bytes")
        (count,) = _U32.unpack_from(data)
        least = Sub(cls).least
        if count * least > len(data) - 4:
            raise bad_count(count)
        records, pos = [], 4
        for _ in range(count):
            record, pos = cls.read(data, pos, layout)
            records.append(record)
        if pos != len(data):
            raise ProtocolError(f"list of {cls.__name__} of {pos} bytes in data of {len(data)}")
        return records

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.columns)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        plain = type(self).plain_values()
        shown = [
            f"{name}={value!r}"
            for name in self.columns
            if (value := getattr(self, name, None)) != plain.get(name, _UNSET)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def plain_values(cls) -> dict[str, Any]:
        """Return the values of a new record."""
        source = WriteSource(None)
        return {
            name: eval(col.default_expression(source), source.names)  # noqa: S307 - of our own columns
            for name, col in cls.columns.items()
        }


class Sub(Codec[R]):
    """A record inside of another.

    Args:
        record: Its class.
        layout: The layout in which it travels; None: that of the message type.
        form: The form in which JSON shows it.
    """

    fresh = True

    def __init__(self, record: type[R], layout: Hashable = None, form: str = "list") -> None:
        self.record = record
        self.layout = layout
        self.form = form
        groups = record.layouts.values()
        sets = [record.columns_of(key) for key in record.layouts] if groups else [record.columns_of(None)]
        #: The fewest bytes of any layout.
        self.least = min(sum(col.codec.least for col in cols if not col.when) for cols in sets)

    def default_expression(self, source: ReadSource | WriteSource) -> str:
        return f"{source.bind(self.record)}()"

    def json_expression(self, source: WriteSource, value: str) -> str:
        del source
        return f"{value}.to_json({self.form!r})"

    def _key(self, key: Hashable) -> Hashable:
        return key if self.layout is None else self.layout

    def reader(self, key: Hashable) -> Read:
        return self.record._readers[self._key(key)]

    def writer(self, key: Hashable) -> Write:
        return self.record._writers[self._key(key)]

    def emit_read(self, source: ReadSource, target: str) -> None:
        source.flush()
        source.line(f"{target}, pos = {source.bind(self.reader(source.key))}(data, pos)")

    def emit_write(self, source: WriteSource, value: str) -> None:
        source.part(f"{source.bind(self.writer(source.key))}({value})")


def records(
    record: type[R], count_format: str = "I", layout: Hashable = None, most: int = MAX_ITEMS
) -> Codec[list[R]]:
    """Return the codec of a count and as many records, at most `most`."""
    return ListOf(Sub(record, layout), count_format, most)


def join_encoded(nodes: Iterable[bytes]) -> bytes:
    """Return the node list of nodes that are encoded already."""
    parts = list(nodes)
    return _U32.pack(len(parts)) + b"".join(parts)


def encode_list(layout: Hashable, nodes: Iterable[Record]) -> bytes:
    """Return the node list of a message type, without header."""
    return join_encoded(node.encode(layout) for node in nodes)
