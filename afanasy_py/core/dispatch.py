"""One request in, one result out: the way into the farm that the shell uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.access.gate import DeniedError
from afanasy_py.core import access, replies
from afanasy_py.core.handlers import handle_message
from afanasy_py.core.requests import Caller, Result, handle_json
from afanasy_py.errors import ProtocolError, RequestError
from afanasy_py.msg.json_text import JsonError, parse_json
from afanasy_py.msg.types import MsgType

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

#: Messages whose body is a JSON request; all others are of hosts, of `afcmd` and of old monitors.
JSON_TYPES = frozenset({MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP})


def handle(farm: Farm, msg_type: int, value: int, body: bytes, caller: Caller, now: float) -> Result:
    """Answer one request; all that follows from it is decided when this returns.

    Args:
        msg_type: A number of `MsgType`; a client may send others too.
        value: What the header carries for types without data.
        body: The data, without any header.
        now: Unix seconds.
    """
    farm.begin(now)
    gate = farm.gate
    try:
        if msg_type in JSON_TYPES:
            root = parse_json(body)
            if gate is not None:
                caller = access.identify(farm, gate, caller, root.pop("auth", None))
            result = handle_json(farm, root, caller)
        else:
            if gate is not None:
                caller = access.check_message(farm, gate, caller, msg_type)
            result = handle_message(farm, msg_type, value, body, caller)
    except DeniedError as error:
        assert gate is not None
        access.note_denied(farm, gate, caller, error)
        result = replies.denied(str(error), error.challenge)
    except JsonError as error:
        result = replies.error(str(error))
    except RequestError as error:
        result = replies.error(str(error))
    except ProtocolError:
        result = replies.error("TInvalid message received.")
    finally:
        farm.settle()
    return result
