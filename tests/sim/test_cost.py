"""What a decision costs does not grow with the farm."""

import pytest

from afanasy_py.sim.cost import build, measure


def test_each_host_runs_a_task_before_anything_is_measured() -> None:
    farm, renders = build(20, 60)
    assert all(len(render.runs) == 1 for render in renders)
    assert len(farm.users) == 3
    farm.validate()


@pytest.mark.slow
def test_twenty_times_the_farm_costs_at_most_three_times_as_much() -> None:
    small = min(measure(100, 100, 600) for _ in range(3))
    large = min(measure(2000, 2000, 2200) for _ in range(2))
    assert large < 3 * small, f"{small:.0f} us in the small farm, {large:.0f} us in the large one"
