"""What a viewer gets to know about one task. Source: spec wire-protocol 4.16; json-api 4.3."""

from __future__ import annotations

from typing import ClassVar

from afanasy_py.msg.codecs import I32, STR
from afanasy_py.msg.json_forms import Form, Member
from afanasy_py.msg.record import Record, Sub, column
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.types import TASK_KIND_NAMES, TaskKind


def _kind_name(task: McTask) -> str:
    return TASK_KIND_NAMES[task.kind] if 0 <= task.kind < len(TASK_KIND_NAMES) else TASK_KIND_NAMES[0]


class McTask(Record):
    """One task with a text: output, log, error hosts, or with what it executes."""

    json_forms: ClassVar[dict[str, Form]] = {
        "list": (
            Member("type", _kind_name),
            "render_id", "job_name", "block_name", "task_name", "service", "parser", "pos", "progress",
            Member("exec", "o.exec.to_json('full')", f"o.kind == {TaskKind.Exec.value}"),
            "text",
        )
    }  # fmt: skip

    kind: int = column(I32, doc="A TaskKind.")
    pos: TaskPos = column(Sub(TaskPos))
    progress: TaskProgress = column(Sub(TaskProgress))
    render_id: int = column(I32, doc="0 unless it runs and its output is asked for.")
    job_name: str = column(STR)
    block_name: str = column(STR)
    task_name: str = column(STR)
    service: str = column(STR)
    parser: str = column(STR)
    text: str = column(STR, json="data")
    exec: TaskExec = column(Sub(TaskExec, "full"), when="o.kind == 1")
