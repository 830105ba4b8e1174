import pytest

from afanasy_py.clock import SLEW, Clock


class Machine:
    """A machine whose clocks stand until a test moves them."""

    def __init__(self) -> None:
        self.wall_s = 1_000_000.0
        self.steady_s = 50.0

    def run(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> Clock:
    return Clock(wall=lambda: machine.wall_s, steady=lambda: machine.steady_s)


def test_it_tells_unix_time(machine: Machine, clock: Clock) -> None:
    assert clock.now() == 1_000_000.0
    machine.run(5)
    assert clock.now() == 1_000_005.0
    assert clock.now() == 1_000_005.0


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_is_worked_off(machine: Machine, clock: Clock, step: float) -> None:
    machine.wall_s += step
    assert clock.now() == 1_000_000.0
    before = clock.now()
    for _ in range(int(3600 / SLEW) - 1):
        machine.run(1)
        now = clock.now()
        assert 1 - SLEW - 1e-6 <= now - before <= 1 + SLEW + 1e-6
        before = now
    machine.run(20)
    assert clock.now() == pytest.approx(machine.wall_s, abs=1e-3)
    assert clock.behind() == pytest.approx(0, abs=1e-3)


def test_it_never_runs_backwards(machine: Machine, clock: Clock) -> None:
    machine.run(10)
    before = clock.now()
    machine.steady_s -= 5
    machine.wall_s -= 5
    assert clock.now() == before


def test_by_default_it_reads_the_system() -> None:
    clock = Clock()
    assert abs(clock.behind()) < 1
