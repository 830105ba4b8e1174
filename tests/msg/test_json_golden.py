"""Nodes that the original showed as JSON and stored come out with the same members in the same order."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.msg.record import Record
from afanasy_py.msg.records.block import Block
from afanasy_py.msg.records.branch import Branch
from afanasy_py.msg.records.job import Job
from afanasy_py.msg.records.mctask import McTask
from afanasy_py.msg.records.monitor import Monitor
from afanasy_py.msg.records.pool import Pool
from afanasy_py.msg.records.render import Render
from afanasy_py.msg.records.taskprogress import TaskProgress
from afanasy_py.msg.records.user import User
from tests.msg.json_records import from_json

RECORDS: dict[str, type[Record]] = {
    cls.__name__: cls for cls in (Job, Block, User, Branch, Pool, Render, Monitor, TaskProgress, McTask)
}

NODES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "golden" / "json_nodes.json").read_text()
)

CASES = [(name, number) for name, nodes in NODES.items() for number in range(len(nodes))]


def without_doubled_commands(shown: Any) -> Any:
    """Take out what the store has on top of the original: pre and post commands under the names of input."""
    if "blocks" in shown:
        shown["blocks"] = [without_doubled_commands(block) for block in shown["blocks"]]
    elif "cmd_pre" in shown or "cmd_post" in shown:
        shown.pop("command_pre", None)
        shown.pop("command_post", None)
    return shown


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_recorded_node_is_shown_as_it_was(name: str, number: int) -> None:
    cls, node = RECORDS[name], NODES[name][number]["node"]
    record = from_json(cls, node)
    forms = cls.json_forms
    shown = {form: json.dumps(without_doubled_commands(record.to_json(form))) for form in forms}
    # Each form is another choice of members, so the node is in just one of the forms, or in twins of it.
    assert json.dumps(node) in shown.values(), next(iter(shown.values()))


def test_all_forms_were_recorded() -> None:
    inside_of_jobs = {("Block", "list")}
    seen = set()
    for name, nodes in NODES.items():
        for case in nodes:
            record = from_json(RECORDS[name], case["node"])
            for form in RECORDS[name].json_forms:
                if json.dumps(without_doubled_commands(record.to_json(form))) == json.dumps(case["node"]):
                    seen.add((name, form))
    assert seen | inside_of_jobs == {(name, form) for name, cls in RECORDS.items() for form in cls.json_forms}
