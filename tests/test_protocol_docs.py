"""docs/protocol.md is what the declarations of the records say.

`python -m tests.test_protocol_docs > docs/protocol.md` writes the page.
"""

import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

from afanasy_py.core.handlers import HANDLERS
from afanasy_py.msg import codecs, registry, types
from afanasy_py.msg.record import Column, Record, Sub
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor_events import MonitorEvents
from afanasy_py.msg.types import MsgType

PAGE = Path(__file__).resolve().parent.parent / "docs" / "protocol.md"

HEAD = f"""# The binary protocol

Version {types.VERSION}, as clients of CGRU Afanasy 3.4.1 speak it. This page is made of the declarations in
`afanasy_py/msg`; `python -m tests.test_protocol_docs > docs/protocol.md` writes it again, and a test fails while it is
out of date. The JSON requests are in [api.md](api.md).

## Messages

A client opens a TCP connection, sends one request, gets at most one answer, and closes. All numbers are big-endian. A
message begins with {types.HEADER_SIZE} bytes, three `i32`: the version, the type, and

- for types below {types.FIRST_TYPE_WITH_DATA}, a value, and nothing follows;
- for the others, the size of the data that follows, at least 1 and at most {types.MAX_DATA:,}.

| type | name | data |
| ---: | --- | --- |
"""

FORMS = """
"Node list of X" is a `u32` count and as many X, one after the other.

## Values

| form | bytes |
| --- | --- |
| `i8` `i16` `i32` `i64`, `u8` `u16` `u32` | an integer with or without sign, of so many bits |
| bool | one byte: the letter `y` is true, anything else false, written as `n` |
| text | a `u32` size that counts a closing zero, the text in UTF-8, the zero; a size of 0 is refused |
| list of X | a `u32` count (or another integer, where named) and as many X |
| map of X | a `u32` count and as many pairs of a text and X; written in the order of the keys |
| optional X | a bool, and X if it is true |

A text that is no UTF-8 passes unharmed. A number that is too big for its column is cut
([quirks.md](quirks.md)).

## Records

Columns in wire order. "In" says in which types of messages a column travels, where not in all; a word in quotes is a
form inside of other records. A column that is there twice travels twice. `JSON` is its name in answers where that is
another.
"""

_INTS = {"b": "i8", "B": "u8", "h": "i16", "H": "u16", "i": "i32", "I": "u32", "q": "i64"}

_NAMED: tuple[tuple[codecs.Codec[Any], str], ...] = (
    (codecs.BOOL, "bool"),
    (codecs.STR, "text"),
    (codecs.STRS, "list of text"),
    (codecs.I32S, "list of `i32`"),
    (codecs.STR_MAP, "map of text"),
    (codecs.I32_MAP, "map of `i32`"),
    (codecs.I64_MAP, "map of `i64`"),
)

_TICKETS = "`u32` count of a text and four `i32`: count, usage, hosts, most hosts"

#: Types that the server takes without a function in `core.handlers`.
_BY_FRAMING = (MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTPGET)

#: Columns whose form is code of its own: {(record, column): form}.
_OWN_FORMS = {
    ("Monitor", "events"): f"{len(types.EVENT_NAMES)} bools, what it hears of, in the order of MonitorEvents",
    **{
        (record, column): _TICKETS
        for record in ("Pool", "Render")
        for column in ("tickets_pool", "tickets_host")
    },
    ("MonitorEvents", "events"): f"{len(types.EVENT_NAMES)} lists of `i32`, ids of nodes, in this order: "
    + ", ".join(f"`{name}`" for name in types.EVENT_NAMES),
    ("RenderUpdate", "outputs"): "list (`i32` count) of a [TaskPos](#taskpos) and a text",
    ("Stat", "windows"): "5 times 63 pairs of `i32`",
    ("Stat", "sizes"): "63 `i32`",
    (
        "TaskUp",
        "data",
    ): "`i32` size, `i32` number of files, the bytes; if there are files: `i32` sum of their sizes, "
    "list of `i32` sizes, list of text names, the contents",
    ("TaskUp", "files"): "with `data`",
    ("TestMessage", "rows"): "as many pairs of an `i32` and a text as `number` says",
}


def link(record: type[Record]) -> str:
    """Return a link to the table of a record."""
    return f"[{record.__name__}](#{record.__name__.lower()})"


def form_of(codec: codecs.Codec[Any]) -> str:
    """Return how values of a codec travel.

    Raises:
        KeyError: Only its code knows.
    """
    for known, name in _NAMED:
        if codec is known:
            return name
    match codec:
        case codecs.Int():
            return f"`{_INTS[codec.format]}`"
        case codecs.Raw() | codecs.RawText():
            return f"{codec.size} bytes"
        case codecs.FixedInts():
            return f"{codec.number} `{_INTS[codec.format]}`"
        case codecs.Optional():
            return f"optional {form_of(codec.item)}"
        case Sub():
            return link(codec.record)
        case codecs.CountedBy():
            return f"as many {form_of(codec.item)} as {codec._count.replace('o.', '')}"
        case codecs.ListOf():
            count = _INTS[codec._count_format]
            return f"list{'' if count == 'u32' else f' (`{count}` count)'} of {form_of(codec.item)}"
    raise KeyError(type(codec).__name__)


def column_form(record: type[Record], column: Column) -> str:
    """Return how a column of a record travels."""
    form = _OWN_FORMS.get((record.__name__, column.name))
    if form is None:
        form = form_of(column.codec)
    return f"{form}, if {column.when.replace('o.', '')}" if column.when else form


def layout_name(layout: Hashable) -> str:
    """Return how the page names a layout."""
    return f"`{layout.name}`" if isinstance(layout, MsgType) else f'"{layout}"'


def ordered(record: type[Record]) -> Iterator[tuple[Column, str]]:
    """Yield each column with the layouts that carry it, in wire order; empty: all of them.

    Groups stand in an order that agrees with that of each layout, as far as there is one.
    """
    if not record.layouts:
        for column in record.columns.values():
            if column.wire:
                yield column, ""
        return
    users: dict[str, list[Hashable]] = {}
    for layout, groups in sorted(record.layouts.items(), key=lambda item: -len(item[1])):
        place = 0
        for group in groups:
            if group not in users:
                names = list(users)
                names.insert(place, group)
                users = {name: users.get(name, []) for name in names}
            users[group].append(layout)
            place = list(users).index(group) + 1
    for group, layouts in users.items():
        where = sorted(map(layout_name, layouts)) if len(layouts) < len(record.layouts) else []
        for column in record.columns.values():
            if group in column.groups and column.wire:
                yield column, ", ".join(where)


def inner_records(record: type[Record]) -> Iterator[type[Record]]:
    """Yield the records inside of a record."""
    for column in record.columns.values():
        codec: Any = column.codec
        while codec is not None:
            if isinstance(codec, Sub):
                yield codec.record
            codec = getattr(codec, "item", None)


def all_records() -> list[type[Record]]:
    """Return all records that travel, by name."""
    found: dict[str, type[Record]] = {}
    waiting = [*registry.RECORDS.values(), *registry.LISTS.values()]
    while waiting:
        record = waiting.pop()
        if record.__name__ not in found:
            found[record.__name__] = record
            waiting += inner_records(record)
    return [found[name] for name in sorted(found)]


def carried(kind: MsgType) -> str:
    """Return what the data of a message type is."""
    if kind in registry.RECORDS:
        return link(registry.RECORDS[kind])
    if kind in registry.LISTS:
        return f"node list of {link(registry.LISTS[kind])}"
    if kind in registry.PLAIN:
        return {MsgType.TString: "text", MsgType.TStringList: "list of text", MsgType.TInfo: "two texts"}[
            kind
        ]
    if kind in registry.BYTES:
        return "bytes"
    return "a value in the header" if kind < types.FIRST_TYPE_WITH_DATA else "refused"


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for kind in MsgType:
        if kind.name.startswith("TRESERVED") or kind is MsgType.TLAST:
            continue
        asked = " *" if kind in HANDLERS or kind in _BY_FRAMING else ""
        parts.append(f"| {int(kind)} | `{kind.name}`{asked} | {carried(kind)} |\n")
    parts.append("\n\\* The server takes it from clients; the others are answers, or refused.\n")
    parts.append(FORMS)
    for record in all_records():
        about = (record.__doc__ or "").strip().partition("\n")[0]
        parts.append(f"\n### {record.__name__}\n\n{about}\n\n")
        some = any(where for _, where in ordered(record))
        parts.append("| column | form | in | meaning |\n| --- | --- | --- | --- |\n" if some else "")
        parts.append("" if some else "| column | form | meaning |\n| --- | --- | --- |\n")
        for column, where in ordered(record):
            shown = f"`{column.name}`" + (f", JSON `{column.json}`" if column.json else "")
            cells = [shown, column_form(record, column), *([where or "all"] if some else []), column.doc]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


def test_the_page_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.test_protocol_docs > docs/protocol.md"


def test_each_link_has_its_table() -> None:
    text = page()
    tables = {line[4:].lower() for line in text.splitlines() if line.startswith("### ")}
    links = {part.partition(")")[0] for part in text.split("](#")[1:]}
    assert links
    assert links - tables == set()


def test_forms_that_only_code_knows_are_those_of_the_page() -> None:
    found = set()
    for record in all_records():
        for column in filter(lambda column: column.wire, record.columns.values()):
            try:
                form_of(column.codec)
            except KeyError:
                found.add((record.__name__, column.name))
    assert {key for key in found if key not in _OWN_FORMS} == set()
    assert {name for name, _ in _OWN_FORMS} <= {record.__name__ for record in all_records()}


def test_columns_of_a_layout_are_in_their_order() -> None:
    for record in (*all_records(), McTask, MonitorEvents):
        for layout in record.layouts:
            names = [
                column.name
                for column, where in ordered(record)
                if not where or layout_name(layout) in where.split(", ")
            ]
            assert names == [column.name for column in record.columns_of(layout)], (record, layout)


if __name__ == "__main__":
    sys.stdout.write(page())
