"""The examples of docs/api.md are played, and its tables are those of the records."""

import json
import re
from pathlib import Path
from typing import Any

from afanasy_py.api_docs import with_tables
from afanasy_py.core.queries import QUERIES
from afanasy_py.core.solver.checks import CHECKS
from tests.core.query_farm import QueryFarm

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")


def difference(wanted: Any, got: Any, where: str = "") -> str:
    """Return where an answer does not match that of the page; empty: it does.

    Objects may have more members than on the page; "..." is any value, and as a last item any items.
    """
    if wanted == "...":
        return ""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in wanted.items():
            if key not in got:
                return f"{where}/{key} is missing"
            if found := difference(value, got[key], f"{where}/{key}"):
                return found
        return ""
    if isinstance(wanted, list) and isinstance(got, list):
        if wanted and wanted[-1] == "...":
            wanted, got = wanted[:-1], got[: len(wanted) - 1]
        if len(wanted) != len(got):
            return f"{where} has {len(got)} items"
        found = (difference(*pair, f"{where}/{n}") for n, pair in enumerate(zip(wanted, got, strict=True)))
        return next((text for text in found if text), "")
    return "" if wanted == got else f"{where} is {got!r}"


def test_the_examples_are_answered_as_the_page_says() -> None:
    pairs = re.findall(r"```json request\n(.*?)```\n\n```json answer\n(.*?)```", TEXT, re.DOTALL)
    assert len(pairs) > 15
    assert len(pairs) == TEXT.count("```json request") == TEXT.count("```json answer")
    farm = QueryFarm()
    for request, answer in pairs:
        got = farm.json(json.loads(request))
        assert not difference(json.loads(answer), got), (request, got)
        farm.farm.cycle.end()  # as a second later


def test_the_tables_are_those_of_the_records() -> None:
    assert with_tables(TEXT) == TEXT, "run: python -m afanasy_py.api_docs docs/api.md"


def test_every_type_of_get_is_on_the_page() -> None:
    assert [name for name in QUERIES if f"`{name}`" not in TEXT and f'"type": "{name}"' not in TEXT] == []


def test_every_check_of_the_solver_is_on_the_page() -> None:
    assert [check.name for check in CHECKS if f"`{check.name}`" not in TEXT] == []
