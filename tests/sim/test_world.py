"""Simulated farms: the same trace for the same seed, every task done, sums that agree."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from afanasy_py.errors import ConfigError
from afanasy_py.sim.scenario import read_scenario
from afanasy_py.sim.summary import as_text, summarise
from afanasy_py.sim.world import World

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "docs" / "scenarios" / "small.json"


def small_world(seed: int = 1) -> World:
    world = World(read_scenario(json.loads(SMALL.read_text())), seed)
    world.run()
    return world


def test_every_task_of_a_small_farm_gets_done() -> None:
    world = small_world()
    world.farm.validate()
    summary = summarise(world, 1)
    assert summary.jobs_done == summary.jobs == 6
    assert summary.starts == 6 * 21
    assert sum(user.starts for user in summary.users) == summary.starts
    assert 0 < summary.utilisation < 1
    assert "anna" in as_text(summary)


def test_a_block_that_waits_starts_after_its_source() -> None:
    world = small_world()
    first_comp = {start.job: start.time for start in world.trace if start.block == 1}
    for start in world.trace:
        if start.block == 0:
            assert start.time < first_comp[start.job]


def test_the_same_seed_gives_the_same_trace_under_any_hash_seed() -> None:
    code = (
        "import json, hashlib; from afanasy_py.sim.scenario import read_scenario; "
        "from afanasy_py.sim.world import World; "
        f"w = World(read_scenario(json.load(open({str(SMALL)!r}))), 3); w.run(); "
        "print(hashlib.sha256(repr(w.trace).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert digests == {hashlib.sha256(repr(small_world(3).trace).encode()).hexdigest() + "\n"}


def test_hosts_die_and_the_farm_goes_on() -> None:
    scenario = json.loads(SMALL.read_text())
    scenario["hosts"].append({"name": "weak", "count": 5, "lifetime": [100, 400]})
    world = World(read_scenario(scenario), 2)
    world.run()
    world.farm.validate()
    assert summarise(world, 2).jobs_done == 6


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jobs": [{"name": "x", "count": 1}]}, "jobs[0] needs blocks and users"),
        ({"hosts": [{"name": "a"}]}, "hosts[0]"),
        ({"hosts": 3}, "hosts should be a list"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match="scenario") as refused:
        read_scenario({**json.loads(SMALL.read_text()), **change})
    assert text in str(refused.value)
