"""One action of a client: what it asks, whom it is about, and what is answered and logged.

Source: json-api 7 and 12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from afanasy_py.core import replies
from afanasy_py.msg.answers import Answer, NoAnswer

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller

Json = dict[str, Any]
N = TypeVar("N")


class Action:
    """An action on its way through the nodes that it names.

    Attributes:
        request: The whole action as it came.
        operation: Its operation; None when it has none. `type` is a text that is not empty.
        params: Its parameters; None when it has none.
    """

    def __init__(self, farm: Farm, request: Json, caller: Caller) -> None:
        self.farm = farm
        self.request = request
        self.caller = caller
        self.user_name: str = request["user_name"]
        self.host_name: str = request["host_name"]
        #: Who acts, as logs name them.
        self.subject = f"{self.user_name}@{self.host_name} {caller.address}"
        self.operation: Json | None = None
        self.params: Json | None = None
        #: The log line of the node that is acted on now.
        self.log_type = ""
        self.log_object = ""
        self.log_info = ""
        self._answer: Answer | None = None

    def begin(self, log_type: str, log_object: str) -> None:
        """Begin with a node: its log line is empty so far."""
        self.log_type, self.log_object, self.log_info = log_type, log_object, ""

    def note(self, text: str) -> None:
        """Note a change for the log of the node, on a line of its own."""
        self.log_info += "\n" + text

    def add_log_type(self, word: str) -> None:
        """Add a word to the type of the log line."""
        self.log_type += " " + word

    def write_log(self, node: Any, *, store: bool = True) -> None:
        """Write the log line into the log of a node; `store`: into the statistics too."""
        info = self.log_info
        self.farm.log(
            node,
            " " + info[1:] if info.startswith("\n") else info,
            kind=self.log_type,
            named=self.log_object,
            subject=self.subject,
            store=store,
        )

    # -- answers: the last one is sent

    def error(self, text: str) -> None:
        """Answer with a refusal; it is not logged."""
        self._answer = replies.error(text)

    def log(self, text: str) -> None:
        """Answer with a text of little weight, which is logged in place of the changes."""
        self.log_info = text
        self._answer = replies.info(text, "log")

    def info(self, text: str) -> None:
        """Answer with a text for the user, which is logged in place of the changes."""
        self.log_info = text
        self._answer = replies.info(text)

    def object(self, document: Json) -> None:
        """Answer with a document."""
        self._answer = replies.reply({"object": document})

    def hang_up(self) -> None:
        """Give no answer at all."""
        self._answer = NoAnswer()

    def answer(self, default: Answer) -> Answer:
        """Return what is to be sent."""
        return self._answer or default


class Operations(Generic[N]):
    """The operations of one kind of node, by name.

    An operation is a function of the action and the node. It answers through the action.
    """

    def __init__(self, unknown: str = "Unknown operation: {}") -> None:
        self.unknown = unknown
        self.by_name: dict[str, Callable[[Action, N], None]] = {}

    def __call__(self, *names: str) -> Callable[[Callable[[Action, N], None]], Callable[[Action, N], None]]:
        """Make a function the operation of these names."""

        def register(function: Callable[[Action, N], None]) -> Callable[[Action, N], None]:
            for name in names:
                assert name not in self.by_name, name
                self.by_name[name] = function
            return function

        return register

    def run(self, action: Action, node: N) -> None:
        """Do the operation of an action to a node, or answer that there is none of that name."""
        assert action.operation is not None
        name = action.operation["type"]
        function = self.by_name.get(name)
        if function is None:
            action.error(self.unknown.format(name))
        else:
            function(action, node)
