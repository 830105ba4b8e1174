"""Whatever happens to a farm, its counters are right, no task runs twice and nothing that could start waits."""

from __future__ import annotations

import os

import pytest

from afanasy_py.core.farm import Farm
from tests.sim.chaos import Chaos, check_limits, check_nothing_was_missed

#: 20,000 seeds were played once; so many are played each time.
SEEDS = int(os.environ.get("AFSERVER_CHAOS_SEEDS", "1000"))
STEPS = 80
SHARES = 10


def check(farm: Farm) -> None:
    """Assert what must always hold."""
    farm.validate()
    check_limits(farm)
    check_nothing_was_missed(farm)


@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_breaks_in_a_farm_under_stress(share: int) -> None:
    for seed in range(share, SEEDS, SHARES):
        chaos = Chaos(seed)
        steps = []
        for _ in range(STEPS):
            steps.append(chaos.step())
            try:
                check(chaos.farm)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, step {len(steps)}: {steps[-5:]}: {error}") from error


def test_the_same_seed_gives_the_same_life() -> None:
    lives = []
    for _ in range(2):
        chaos = Chaos(7)
        steps = [chaos.step() for _ in range(200)]
        lives.append((steps, [(job.name, job.st) for job in chaos.farm.jobs], chaos.farm.solver.turns))
    assert lives[0] == lives[1]
