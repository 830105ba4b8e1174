"""The recorded decisions of the original, played against the core on a virtual clock.

`g08` is not here: it needs a server process to restart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.sched_player import Player

SCENARIOS = sorted((Path(__file__).parents[1] / "golden" / "scheduling").glob("*.json"))


def first_difference(expected: Any, got: Any, where: str = "step") -> str:
    """Return the first difference between two traces, empty for none."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted({*expected, *got}):
            if key not in expected or key not in got:
                return f"{where}.{key}: {expected.get(key, 'nothing')!r} is not {got.get(key, 'nothing')!r}"
            if found := first_difference(expected[key], got[key], f"{where}.{key}"):
                return found
        return ""
    if isinstance(expected, list) and isinstance(got, list):
        for index, pair in enumerate(zip(expected, got, strict=False)):
            if found := first_difference(*pair, f"{where}[{index}]"):
                return found
        return "" if len(expected) == len(got) else f"{where}: {expected!r} is not {got!r}"
    return "" if expected == got else f"{where}: {expected!r} is not {got!r}"


def test_there_are_recordings() -> None:
    assert len(SCENARIOS) == 61


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_decisions_are_those_of_the_original(path: Path) -> None:
    scenario = json.loads(path.read_text(encoding="utf-8"))
    assert not first_difference(scenario["expect"], Player().play(scenario))
