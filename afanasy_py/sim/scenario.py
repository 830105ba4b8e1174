"""Scenario files: which hosts, users and jobs a simulated farm has.

A scenario is a JSON object; docs/simulation.md shows one. All times are seconds from the beginning.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from afanasy_py.errors import ConfigError


@dataclass(frozen=True, slots=True)
class HostGroup:
    """Hosts of one kind; their names are `name` and a number."""

    name: str
    count: int
    #: When they come: earliest and latest.
    at: tuple[float, float] = (0.0, 1.0)
    cpu_num: int = 8
    memory_mb: int = 32000
    #: How long they live after coming; None: to the end.
    lifetime: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool and the pattern of its hosts."""

    name: str
    pattern: str
    priority: int = 99


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A user."""

    name: str
    priority: int = 99


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """A block: how many tasks, how long they take."""

    name: str
    tasks: int
    #: Least and greatest seconds of a task.
    seconds: tuple[float, float]
    #: More members of the block as the API takes them.
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobGroup:
    """Jobs of one kind; their names are `name` and a number, their users take turns."""

    name: str
    count: int
    users: tuple[str, ...]
    blocks: tuple[BlockSpec, ...]
    at: tuple[float, float] = (0.0, 0.0)
    more: dict[str, Any] = field(default_factory=dict)

    def json(self, index: int) -> dict[str, Any]:
        """Return a job as a client would submit it."""
        return {
            "name": f"{self.name}{index + 1:05d}",
            "user_name": self.users[index % len(self.users)],
            "host_name": "ws",
            "blocks": [
                {
                    "name": block.name,
                    "service": "generic",
                    "flags": 1,
                    "frame_first": 1,
                    "frame_last": block.tasks,
                    **block.more,
                }
                for block in self.blocks
            ],
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole simulated farm."""

    name: str
    #: Seconds.
    duration: float
    hosts: tuple[HostGroup, ...]
    jobs: tuple[JobGroup, ...]
    pools: tuple[PoolSpec, ...] = ()
    users: tuple[UserSpec, ...] = ()
    #: Share of runs that end in error.
    error_rate: float = 0.0
    max_tasks_per_second: int = 10000
    sample_seconds: float = 300.0

    def seconds_of(self, job_name: str, block_num: int, chance: random.Random) -> float:
        """Return how long a run of a task takes."""
        group = self._group_of(job_name)
        return chance.uniform(*group.blocks[block_num].seconds) if group is not None else 1.0

    def _group_of(self, job_name: str) -> JobGroup | None:
        for group in self.jobs:
            if job_name.startswith(group.name) and job_name[len(group.name) :].isdigit():
                return group
        return None


def _span(value: Any, where: str) -> tuple[float, float]:
    if isinstance(value, (int, float)):
        return float(value), float(value)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, (int, float)) for item in value):
        return float(value[0]), float(value[1])
    raise ConfigError(f"scenario: {where} should be a number or a list of two numbers, not {value!r}")


def _make(kind: type[Any], obj: Any, where: str, spans: tuple[str, ...] = ()) -> Any:
    if not isinstance(obj, dict):
        raise ConfigError(f"scenario: {where} should be an object")
    values = {key: _span(value, f"{where}.{key}") if key in spans else value for key, value in obj.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"scenario: {where}: {error}") from None


def _list(obj: dict[str, Any], key: str) -> list[Any]:
    value = obj.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"scenario: {key} should be a list")
    return value


def read_scenario(obj: Any) -> Scenario:
    """Return the scenario of a JSON document.

    Raises:
        ConfigError: What is wrong with it, and where.
    """
    if not isinstance(obj, dict):
        raise ConfigError("scenario: the root should be an object")
    jobs = []
    for number, item in enumerate(_list(obj, "jobs")):
        where = f"jobs[{number}]"
        if not isinstance(item, dict):
            raise ConfigError(f"scenario: {where} should be an object")
        blocks = tuple(
            _make(BlockSpec, block, f"{where}.blocks[{index}]", ("seconds",))
            for index, block in enumerate(_list(item, "blocks"))
        )
        users = tuple(_list(item, "users"))
        if not blocks or not users:
            raise ConfigError(f"scenario: {where} needs blocks and users")
        jobs.append(_make(JobGroup, {**item, "blocks": blocks, "users": users}, where, ("at",)))
    plain = {
        "hosts": tuple(
            _make(HostGroup, item, f"hosts[{n}]", ("at", "lifetime"))
            for n, item in enumerate(_list(obj, "hosts"))
        ),
        "pools": tuple(_make(PoolSpec, item, f"pools[{n}]") for n, item in enumerate(_list(obj, "pools"))),
        "users": tuple(_make(UserSpec, item, f"users[{n}]") for n, item in enumerate(_list(obj, "users"))),
        "jobs": tuple(jobs),
    }
    scenario: Scenario = _make(Scenario, {**obj, **plain}, "scenario")
    return scenario
