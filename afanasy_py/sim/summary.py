"""What a simulated farm did: figures for people and programs, and a picture of its day."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from afanasy_py.errors import ConfigError

if TYPE_CHECKING:
    from afanasy_py.sim.world import World


@dataclass(frozen=True, slots=True)
class UserSummary:
    """One user's day."""

    name: str
    starts: int
    #: Jobs of which a task started, and how long they waited for it, seconds.
    jobs_started: int
    wait_mean: float
    wait_most: float
    #: Seconds of work that hosts did.
    worked: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A whole simulation."""

    scenario: str
    seed: int
    hosts: int
    jobs: int
    jobs_done: int
    starts: int
    #: Seconds from the beginning to the end of the last job that got done.
    makespan: float
    #: Share of the hosts' time in which they worked, 0 to 1.
    utilisation: float
    users: tuple[UserSummary, ...]


def summarise(world: World, seed: int) -> Summary:
    """Return the figures of a simulation that has run."""
    starts: dict[str, int] = {}
    for start in world.trace:
        starts[start.user] = starts.get(start.user, 0) + 1
    users = tuple(
        UserSummary(
            name=name,
            starts=count,
            jobs_started=len(world.waited.get(name, [])),
            wait_mean=round(mean(world.waited.get(name) or [0.0]), 1),
            wait_most=round(max(world.waited.get(name) or [0.0]), 1),
            worked=round(world.worked.get(name, 0.0), 1),
        )
        for name, count in sorted(starts.items())
    )
    busy = [sample[1] for sample in world.samples]
    hosts = sum(group.count for group in world.scenario.hosts)
    return Summary(
        scenario=world.scenario.name,
        seed=seed,
        hosts=hosts,
        jobs=sum(group.count for group in world.scenario.jobs),
        jobs_done=len(world.done_at),
        starts=len(world.trace),
        makespan=round(max(world.done_at.values(), default=0.0), 1),
        utilisation=round(mean(busy) / hosts, 4) if busy and hosts else 0.0,
        users=users,
    )


def as_text(summary: Summary) -> str:
    """Return the figures for a person."""
    lines = [
        f"{summary.scenario}: {summary.hosts} hosts, {summary.jobs} jobs, seed {summary.seed}",
        f"  tasks started  {summary.starts}",
        f"  jobs done      {summary.jobs_done}",
        f"  makespan       {_clock(summary.makespan)}",
        f"  utilisation    {summary.utilisation:.1%}",
        "",
        f"  {'user':<16}{'starts':>9}{'jobs':>7}{'mean wait':>12}{'longest':>12}{'work, h':>10}",
    ]
    for user in summary.users:
        lines.append(
            f"  {user.name:<16}{user.starts:>9}{user.jobs_started:>7}{_clock(user.wait_mean):>12}"
            f"{_clock(user.wait_most):>12}{user.worked / 3600:>10.1f}"
        )
    return "\n".join(lines)


def as_dict(summary: Summary) -> dict[str, object]:
    """Return the figures for a program."""
    return asdict(summary)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def plot(world: World, path: Path) -> None:
    """Draw busy hosts and waiting tasks over the day into a PNG file.

    Raises:
        ConfigError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ConfigError("a plot needs Matplotlib: pip install 'afserver[plot]'") from None
    hours = [sample[0] / 3600 for sample in world.samples]
    figure = Figure(figsize=(10, 5))
    axes = figure.add_subplot()
    axes.fill_between(hours, [sample[1] for sample in world.samples], color="#5b8db8", label="busy hosts")
    axes.set_xlabel("hours")
    axes.set_ylabel("busy hosts")
    axes.set_ylim(bottom=0)
    waiting = axes.twinx()
    waiting.plot(hours, [sample[2] for sample in world.samples], color="#b8655b", label="waiting tasks")
    waiting.set_ylabel("waiting tasks")
    waiting.set_ylim(bottom=0)
    axes.set_title(world.scenario.name)
    figure.legend(loc="upper right")
    figure.savefig(path, dpi=100)
