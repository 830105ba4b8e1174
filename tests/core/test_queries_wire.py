"""Recorded binary requests of the original's clients get answers of the recorded types."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core.requests import AskServer
from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer
from afanasy_py.msg.registry import decode_message
from afanasy_py.msg.types import MsgType
from tests.core.action_farm import explicit, numeric
from tests.core.query_farm import QueryFarm

#: Captures whose answer the shell gives.
_OF_THE_SHELL = {"get_files"}


def busy_farm() -> QueryFarm:
    """Return a farm like the recorded one: job 2 with four blocks, a render that runs tasks, a monitor."""
    farm = QueryFarm()
    blocks = [explicit("tasks"), numeric("frames"), numeric("long", last=2), numeric("parser", last=4)]
    farm.add_job("demo", blocks=blocks)
    farm.add_job("second")
    farm.add_render("render01", room=4)
    farm.add_monitor()
    return farm


def requests(folder: Path) -> list[tuple[str, Any, dict[str, Any]]]:
    """Return (name, request, recorded answer) of the captures of binary gets."""
    found = []
    for capture in json.loads((folder / "index.json").read_text())["captures"]:
        name, request = capture["capture"], capture["request"]
        if not name.startswith("get_"):
            continue
        decoded = request["decoded"]
        text = decoded.get("text") or decoded["bytes"]["text"]
        found.append((name, json.loads(text), capture["answer"]))
    return found


def test_recorded_gets_have_answers_of_the_recorded_types(shared_dir: Path) -> None:
    farm = busy_farm()
    asked = requests(shared_dir / "golden" / "wire")
    assert len(asked) > 50
    for name, root, recorded in asked:
        answer = farm.ask(root)
        if name in _OF_THE_SHELL:
            assert isinstance(answer, AskServer)
        elif recorded["form"] == "text" or recorded["name"] == "TJSONBIN":
            assert isinstance(answer, JsonAnswer), name
            told = recorded["decoded"].get("text") or recorded["decoded"]["bytes"]["text"]
            assert next(iter(json.loads(answer.text))) == next(iter(json.loads(told))), name
        else:
            assert isinstance(answer, BinaryAnswer), name
            assert MsgType(answer.msg_type).name == recorded["name"], name
            decode_message(answer.msg_type, answer.body)


@pytest.mark.parametrize("folder", ["api_quirks"])
def test_texts_are_escaped_where_the_original_breaks_its_answers(shared_dir: Path, folder: str) -> None:
    names = ['b "q"', "back\\slash", "new\nline"]
    for path in sorted((shared_dir / "golden" / folder).glob("*.json")):
        assert json.loads(path.read_text())["steps"]
    farm = QueryFarm()
    farm.add_job('j "q"', user_name='u "q"', blocks=[numeric(name, service='s "q"') for name in names])
    for kind in ("jobs", "users", "branches"):
        assert farm.get(kind)
    assert [block["name"] for block in farm.get("jobs", mask="j")["jobs"][0]["blocks"]] == names
    monitor = farm.add_monitor()
    farm.json({"announce": 'he said "no"\n'})
    assert farm.events(monitor)["message"] == 'he said "no"\n'
