"""The shapes in which the farm answers in JSON. Source: json-api 2, "Common answer envelopes"."""

from __future__ import annotations

from typing import Any

from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.json_text import dump_json


def reply(document: Any) -> JsonAnswer:
    """Return a document as an answer."""
    return JsonAnswer(dump_json(document))


def info(text: str, kind: str = "info") -> JsonAnswer:
    """Return a text for the user; kinds: log, info, error."""
    return reply({"info": {"kind": kind, "text": text}})


def error(text: str) -> JsonAnswer:
    """Return a refusal."""
    return info(text, "error")


def denied(text: str, challenge: dict[str, str] | None) -> JsonAnswer:
    """Return the refusal of somebody unknown; `realm` and `nonce` let the web GUI ask for a password."""
    return reply({**(challenge or {}), "info": {"kind": "error", "text": text}})


def message(name: str, type_: str, lines: list[str]) -> JsonAnswer:
    """Return lines about a node."""
    return reply({"message": {"name": name, "type": type_, "list": lines}})


def status(what: str, text: str, *, good: bool) -> JsonAnswer:
    """Return the outcome of a request to the server itself."""
    word = "success" if good else "error"
    return reply({"status": word, what: text, word: text})


def list_of(kind: str, encoded: list[bytes]) -> JsonAnswer:
    """Return a list of nodes that are already encoded."""
    return JsonAnswer(b'{"%s":[\n' % kind.encode() + b",\n".join(encoded) + b"\n]}")


def raw(text: str) -> JsonAnswer:
    """Return a text that is JSON already as an answer."""
    return JsonAnswer(text.encode("utf-8", "surrogateescape"))
