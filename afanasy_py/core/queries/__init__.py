"""Answers to `get`: one function for each type, registered by name, found here.

A query reads the farm and changes nothing but the caches of encoded nodes; the query of a monitor's events
is the exception, since reading them empties them. Source: json-api 4; wire-protocol 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core.queries import jobs, nodes, server  # noqa: F401 - they register what they answer
from afanasy_py.core.queries.query import QUERIES, Json, Query
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.requests import Caller, Result


def answer_get(farm: Farm, params: Json, caller: Caller) -> Result:
    """Answer a `get`.

    Raises:
        RequestError: There is no such type, or what is asked for is not there.
    """
    name = params.get("type")
    answerer = QUERIES.get(name) if type(name) is str else None
    if answerer is None:
        raise RequestError(f"Invalid get type = '{name if type(name) is str else ''}'")
    return answerer(Query(farm, params, caller))


__all__ = ["QUERIES", "answer_get"]
