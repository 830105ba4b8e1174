"""Every recorded action is answered with the same text and leaves the same lines in the logs.

The recordings are played against the core alone, without renders that run tasks, so only those are here in
which nothing runs.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core import hosts
from afanasy_py.core.requests import Caller, handle_json
from afanasy_py.msg.answers import Answer, JsonAnswer
from afanasy_py.msg.records.address import NetIF
from afanasy_py.msg.records.render import Render as RenderRecord
from tests.core.action_farm import ActionFarm

RECORDINGS = (
    "a04_action_errors",
    "b10_flags",
    "c01_job_operations",
    "c02_job_params",
    "c03_job_owner_branch",
    "c04_block_operations",
    "c05_block_params",
    "c06_append",
    "c07_try_next",
    "d01_users",
    "d02_jobs_order",
    "d03_branches",
    "d04_pools",
    "d05_pool_farm",
    "e01_renders",
    "e02_render_farm",
    "e03_render_commands",
    "g02_events_jobs",
    "g03_events_nodes",
)

CALLER = Caller("127.0.0.1")


class Player:
    """Plays one recording, a second for each step."""

    def __init__(self, recording: dict[str, Any]) -> None:
        self.fake = ActionFarm()
        self.farm = self.fake.farm
        self.replace = recording.get("normalise", {}).get("replace_text", [])
        self.checked = 0

    def same(self, value: Any) -> str:
        """Return a value as a text in which what may differ is replaced."""
        text = json.dumps(value, indent=1, ensure_ascii=False)
        for pattern, new in self.replace:
            text = re.sub(pattern.replace('"', '\\\\?"').replace("(?s)", ""), new.replace('"', r'\\"'), text)
        return text

    def play(self, step: dict[str, Any]) -> None:
        """Do one step."""
        for render in self.farm.renders:
            render.time_update = int(self.farm.now)
        self.farm.begin(self.farm.now + 1)
        send = step.get("send", {})
        if "render" in step:
            self._play_render(step)
        elif "job" in send or "user" in send:
            handle_json(self.farm, send, CALLER)
        elif "action" in send and send["action"].get("type") != "monitors":
            self._compare(step, handle_json(self.farm, send, CALLER))
        elif send.get("get", {}).get("mode") == "log" and "message" in step["answer"].get("json", {}):
            self._compare_log(step)
        self.fake.settle()

    def _play_render(self, step: dict[str, Any]) -> None:
        if step["do"] == "register":
            options = step["opts"]
            netifs = [NetIF(mac=bytes.fromhex(mac)) for mac in options.get("netifs", [])]
            told = RenderRecord(name=step["render"], user_name="artist", st=1, netifs=netifs)
            hosts.register(self.farm, told, CALLER.address)
        elif step["do"] == "quit":
            hosts.deregister(self.farm, self.farm.renders.by_name[step["render"]].id)

    def _compare(self, step: dict[str, Any], answer: Answer) -> None:
        assert isinstance(answer, JsonAnswer)
        wanted, got = self.same(step["answer"]["json"]), self.same(json.loads(answer.text))
        assert got == wanted, step["send"]
        self.checked += 1

    def _compare_log(self, step: dict[str, Any]) -> None:
        get = step["send"]["get"]
        wanted = step["answer"]["json"]["message"]["list"]
        node = getattr(self.farm, get["type"]).by_id[get["ids"][0]]
        got = [f"<time>: {n.subject}: {n.type}: {n.object}: {n.info}" for n in node.log_lines]
        differences = difflib.unified_diff(
            self.same(wanted).split("\n"), self.same(got).split("\n"), lineterm=""
        )
        assert not list(differences), get
        self.checked += 1


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_actions_are_answered_and_logged_alike(name: str, shared_dir: Path) -> None:
    recording = json.loads((shared_dir / "golden" / "api" / f"{name}.json").read_text())
    player = Player(recording)
    for step in recording["steps"]:
        player.play(step)
    assert player.checked
