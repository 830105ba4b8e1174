"""A small farm that is asked as clients ask it: bytes in, JSON or a decoded binary message out."""

import json
from typing import Any

from afanasy_py.core.dispatch import handle
from afanasy_py.core.requests import Caller, ReadFiles, ReadOutput, Result, SlowAnswer
from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer
from afanasy_py.msg.registry import decode_message
from afanasy_py.msg.types import MsgType
from tests.core.action_farm import ADDRESS, ActionFarm

FILES = [("/store/thumb.jpg", b"jpeg")]


class QueryFarm(ActionFarm):
    """An action farm with the way in that a shell uses; it plays the shell for files of the store."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        #: What the store says of outputs: bytes, or why there are none.
        self.output: bytes | str = b"stored output"

    def call(self, msg_type: int, value: int = 0, body: bytes = b"") -> Result:
        """Send a message; return what the farm gives back."""
        result = handle(self.farm, msg_type, value, body, Caller(ADDRESS), self.now)
        self.farm.validate()
        return result

    def ask(self, root: Any) -> Result:
        """Send a JSON request; return the answer as the shell would send it."""
        result = self.call(MsgType.TJSON, body=json.dumps(root).encode())
        if isinstance(result, ReadOutput):
            return result.finish(self.output)
        if isinstance(result, ReadFiles):
            return result.finish([(name, data if result.contents else b"") for name, data in FILES])
        if isinstance(result, SlowAnswer):
            return result.finish()
        return result

    def json(self, root: Any) -> Any:
        """Send a JSON request; return the JSON answer."""
        answer = self.ask(root)
        assert isinstance(answer, JsonAnswer), answer
        return json.loads(answer.text)

    def get(self, kind: str, **params: Any) -> Any:
        """Send a `get`; return the JSON answer."""
        return self.json({"get": {"type": kind, **params}})

    def error(self, kind: str, **params: Any) -> str:
        """Send a `get` that is refused; return the text."""
        answer = self.get(kind, **params)
        assert answer["info"]["kind"] == "error", answer
        return str(answer["info"]["text"])

    def binary(self, kind: str, **params: Any) -> tuple[str, Any]:
        """Send a `get` with a binary answer; return its type and what it says."""
        answer = self.ask({"get": {"type": kind, "binary": True, **params}})
        assert isinstance(answer, BinaryAnswer), answer
        return MsgType(answer.msg_type).name, decode_message(answer.msg_type, answer.body)

    # -- monitors

    def add_monitor(self, user_name: str = "artist", *classes: str, uid: int | None = None) -> int:
        """Register a monitor that subscribes to some classes; return its id."""
        told = self.json({"monitor": {"user_name": user_name, "host_name": "ws", "engine": "test"}})
        monitor_id = int(told["monitor"]["id"])
        for name in classes:
            self.watch(monitor_id, name)
        if uid is not None:
            self.watch(monitor_id, "perm", uid=uid)
        self.events(monitor_id)
        return monitor_id

    def watch(self, monitor_id: int, name: str, status: str = "subscribe", **more: Any) -> Any:
        """Subscribe a monitor to a class of events."""
        operation = {"type": "watch", "class": name, "status": status, **more}
        return self.act("monitors", [monitor_id], operation=operation)

    def events(self, monitor_id: int) -> Any:
        """Return what a monitor hears now."""
        return self.get("monitors", ids=[monitor_id], mode="events")["events"]
