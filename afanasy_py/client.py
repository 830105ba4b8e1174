"""Asks a server in JSON, one request for each connection, in the text form that every 3.4.1 server takes.

Waits for the answer; knows what an answer says (refused or not), not what to do about it. For programs beside
the server and for tests; the server itself never asks anybody. Source: spec wire-protocol 1.3, json-api 2.
"""

import json
import socket
from dataclasses import dataclass
from typing import Any

from afanasy_py.errors import AfanasyError, ProtocolError
from afanasy_py.reach import PLAIN, Reach

Json = dict[str, Any]

TIMEOUT_S = 20.0
#: The most bytes of an answer; the protocol allows no greater message.
BODY_MOST = 16384 * 4096
#: The head of an answer, `AFANASY <bytes> JSON`, is never longer.
HEAD_MOST = 64
_PIECE = 1 << 18
_MARK = b" JSON"
#: How texts begin that come in place of a task's output (json-api 4.2); the output itself may be anything.
_NO_OUTPUT = tuple(
    f"ERROR: {text}"
    for text in (
        "Invalid job ID",
        "Invalid block and task numbers",
        "Task is not started.",
        "Task was started ",
        "Can't get ouput of a running task.",
        "Can't get file:\n",
        "File is empty:\n",
        "MonitorContainer::waitOutput: ",
        "Render not founded with ID",
        "This is an empty dummy task in a system job",
    )
)


class ConnectionFailedError(AfanasyError):
    """There is no answer: the server was not reached, went away, or is silent."""


class NoAnswerError(ConnectionFailedError):
    """The server has closed the connection without a word, as it does for some requests."""


@dataclass(frozen=True, slots=True)
class Client:
    """Where a server is, and how long to wait for it."""

    host: str
    port: int
    timeout_s: float = TIMEOUT_S
    reach: Reach = PLAIN

    def ask(self, request: Json) -> Json:
        """Return the answer to a request; see `ask`."""
        return ask(self.host, self.port, request, timeout_s=self.timeout_s, reach=self.reach)


def ask(host: str, port: int, request: Json, *, timeout_s: float = TIMEOUT_S, reach: Reach = PLAIN) -> Json:
    """Return the answer to a request.

    Args:
        host: Name or address of the server.
        port: Its port.
        request: What to ask, an object with one root member.
        timeout_s: Seconds to wait for the connection, and for each further piece of the answer.
        reach: Whether by TLS, and with which token.

    Raises:
        ConnectionFailedError: The server was not reached, or it was silent for too long.
        NoAnswerError: It has closed the connection without an answer.
        ProtocolError: The answer is no JSON object, or is too big or cut short.
    """
    if reach.token:
        request = {**request, "auth": {"token": reach.token}}
    body = json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogateescape")
    where = f"{host}:{port}"
    try:
        with reach.connect(host, port, timeout_s) as sock:
            sock.sendall(b"AFANASY %d JSON" % len(body) + body)
            return parse(_receive(sock))
    except ProtocolError as error:
        raise ProtocolError(f"{where}: {error}") from error
    except NoAnswerError as error:
        raise NoAnswerError(f"{where}: {error}") from error
    except TimeoutError as error:
        raise ConnectionFailedError(f"{where}: no answer within {timeout_s:g} seconds") from error
    except (OSError, UnicodeError, OverflowError) as error:  # the last two: what is no host name, or no port
        raise ConnectionFailedError(f"{where}: {error}") from error


def _receive(sock: socket.socket) -> bytes:
    """Return the JSON of an answer."""
    received = bytearray()
    size = start = -1
    while size < 0 or len(received) < start + size:
        piece = sock.recv(_PIECE)
        if not piece:
            break
        received += piece
        if size < 0:
            start, size = _read_head(received)
    if not received:
        raise NoAnswerError("the server has closed the connection without an answer")
    if size < 0 or len(received) < start + size:
        raise ProtocolError(f"the answer is cut short after {len(received)} bytes")
    return bytes(received[start : start + size])


def _read_head(received: bytearray) -> tuple[int, int]:
    """Return where the body starts and its size, or a pair of -1 while the head is not complete."""
    end = received.find(_MARK, 0, HEAD_MOST)
    if end < 0:
        if len(received) >= HEAD_MOST:
            raise ProtocolError("the answer does not begin as one of an Afanasy server")
        return -1, -1
    words = received[:end].split()
    if len(words) != 2 or words[0].upper() != b"AFANASY" or not words[1].isdigit():
        raise ProtocolError("the answer does not begin as one of an Afanasy server")
    size = int(words[1])
    if size > BODY_MOST:
        raise ProtocolError(f"an answer of {size} bytes is too big")
    return end + len(_MARK), size


def parse(body: bytes) -> Json:
    """Return the object that an answer holds; control characters inside of texts are let through.

    Bytes that are no UTF-8 come as lone surrogates, so that a name that was received can be sent again.

    Raises:
        ProtocolError: It is no JSON, or no object.
    """
    try:
        answer = json.loads(body.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the answer is not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise ProtocolError(f"the answer is no object but {type(answer).__name__}")
    return answer


def refusal(answer: Json) -> str | None:
    """Return why the server has refused a request, or None when it has not."""
    info = answer.get("info")
    if isinstance(info, dict) and info.get("kind") == "error":
        return str(info.get("text", "")) or "The server has refused the request."
    if answer.get("error"):
        return str(answer["error"])
    if "realm" in answer:
        return "The server asks for a password."
    if answer.get("status") == "error":
        return "The server reports an error."
    if answer.get("id") == 0 and "serial" in answer:
        return "The server has refused the job."
    return None


def no_output(task: Json) -> str | None:
    """Return why there is no output in the answer to a question for it, or None when there is."""
    text = str(task.get("data", ""))
    return text.removeprefix("ERROR: ") if text.startswith(_NO_OUTPUT) else None
