"""Tables of the members of nodes for `docs/api.md`, made of the declarations of the records.

`python -m afanasy_py.api_docs docs/api.md` writes them into the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from afanasy_py.msg.json_forms import Entry, Member
from afanasy_py.msg.record import Record
from afanasy_py.msg.records.block import Block, TaskData
from afanasy_py.msg.records.branch import Branch
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.job import Job
from afanasy_py.msg.records.monitor import Monitor
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.records.user import User

BEGIN, END = "<!-- members -->\n", "<!-- end of members -->\n"

#: (title, record, form)
SHOWN: tuple[tuple[str, type[Record], str], ...] = (
    ("job", Job, "list"),
    ("block, in full", Block, "full"),
    ("task of a block", TaskData, "list"),
    ("progress of a task", TaskProgress, "list"),
    ("render", Render, "list"),
    ("host_resources", HostRes, "list"),
    ("exec of a running task", TaskExec, "full"),
    ("user", User, "list"),
    ("branch", Branch, "list"),
    ("pool", Pool, "list"),
    ("monitor", Monitor, "list"),
)


def member_tables() -> str:
    """Return the tables of all nodes."""
    return "\n".join("\n".join(_table(*shown)) + "\n" for shown in SHOWN)


def _table(title: str, record: type[Record], form: str) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield "| member | when | meaning |"
    yield "| --- | --- | --- |"
    for entry in record.json_forms[form]:
        yield "| {} | {} | {} |".format(*_row(record, entry))


def _row(record: type[Record], entry: Entry) -> tuple[str, str, str]:
    if isinstance(entry, Member):
        when = f"`{entry.when}`".replace("o.", "") if entry.when else ""
        return f"`{entry.key}`", when.replace("|", "\\|"), ""
    name, emit = (entry, record.columns[entry].emit) if isinstance(entry, str) else entry
    column = record.columns[name]
    when = {"": "", "v": "not empty"}.get(emit, f"`{emit}`")
    return f"`{column.json or name}`", when, column.doc.replace("|", "\\|")


def with_tables(page: str) -> str:
    """Return the text of the page with the tables of now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{member_tables()}\n{END}{after}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_tables(target.read_text(encoding="utf-8")), encoding="utf-8")
