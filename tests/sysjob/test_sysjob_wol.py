"""Hosts fall asleep and are woken, by people and by themselves; who does neither is not waited for for ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core import hosts
from afanasy_py.core.render import ONLINE, WOL_FALLING, WOL_SLEEPING, WOL_WAKING, Render
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.sysjob.job import WAKE_ON_LAN
from tests.store.store_farm import StoredFarm
from tests.sysjob.system_farm import ADDRESS, SystemFarm

WOL_BITS = WOL_FALLING | WOL_SLEEPING | WOL_WAKING


def fall_asleep(system: SystemFarm, name: str = "host") -> Render:
    """Register a render and let it sleep."""
    render = system.add_render(name)
    system.act("renders", [render.id], operation="wol_sleep")
    go(system, render)
    return render


def go(system: SystemFarm, render: Render) -> None:
    """Let a render say that it goes."""
    hosts.deregister(system.farm, render.id)
    system.settle()


def come(system: SystemFarm, render: Render) -> None:
    """Let a render come back."""
    hosts.register(system.farm, RenderRecord(name=render.name, st=1, netifs=render.netifs), ADDRESS)
    system.settle()


def wakes(system: SystemFarm) -> list[str]:
    """Return whom the waiting commands wake."""
    return [json.loads(command.text)["name"] for command in system.block(WAKE_ON_LAN).commands]


def log(render: Render) -> list[str]:
    return [line.info for line in render.log_lines or ()]


def test_a_host_sleeps_and_wakes_by_order() -> None:
    system = SystemFarm()
    system.act("jobs", [1], operation="pause")
    render = system.add_render()
    system.act("renders", [render.id], operation="wol_sleep")
    assert render.st & WOL_BITS == WOL_FALLING
    assert render.pending is not None
    assert render.pending.instruction == "sleep"
    assert json.loads(render.pending.command)["name"] == "host"
    go(system, render)
    assert render.st & (WOL_BITS | ONLINE) == WOL_SLEEPING
    system.act("renders", [render.id], operation="wol_wake")
    assert render.st & WOL_BITS == WOL_SLEEPING | WOL_WAKING
    assert wakes(system) == ["host"]
    come(system, render)
    assert render.st & (WOL_BITS | ONLINE) == ONLINE


def test_a_host_that_falls_asleep_gets_no_tasks() -> None:
    system = SystemFarm()
    render = system.add_render()
    system.act("renders", [render.id], operation="wol_sleep")
    system.queue("a")
    assert not render.runs


@pytest.mark.parametrize(
    ("operation", "state", "reason"),
    [
        ("wol_sleep", "asleep", "Render is already sleeping."),
        ("wol_sleep", "waking", "Render is already sleeping."),
        ("wol_sleep", "offline", "Can't sleep offline render."),
        ("wol_sleep", "offline waking", "Can't sleep waking up render."),
        ("wol_sleep", "busy", "Can't perform Wake-On-Line operations. Render is busy."),
        ("wol_sleep", "bare", "Can't perform Wake-On-Line operations. No network interfaces information."),
        ("wol_wake", "online", " Can't wake up online render."),
        (
            "wol_wake",
            "bare offline",
            "Can't perform Wake-On-Line operations. No network interfaces information.",
        ),
    ],
)
def test_what_cannot_be_is_told_in_the_log(operation: str, state: str, reason: str) -> None:
    system = SystemFarm()
    system.act("jobs", [1], operation="pause")
    render = system.add_render(netifs=[]) if "bare" in state else system.add_render()
    if state in ("asleep", "waking"):
        system.act("renders", [render.id], operation="wol_sleep")
    if state == "busy":
        system.act("jobs", [1], operation="start")
        system.queue("a")
    if state not in ("online", "busy", "bare"):
        go(system, render)
    if state in ("waking", "offline waking"):
        system.act("renders", [render.id], operation="wol_wake")
    before = render.st
    answer = system.act("renders", [render.id], operation=operation)
    assert answer["info"]["text"] == "Action processed."
    assert reason in log(render)
    assert render.st == before


def test_a_host_that_does_not_fall_asleep_works_again() -> None:
    system = SystemFarm(af_wolsleep_timeout=100)
    render = system.add_render()
    system.act("renders", [render.id], operation="wol_sleep")
    system.queue("a")
    system.wait(100)
    assert render.st & WOL_FALLING
    assert not render.runs
    system.wait(1)
    assert not render.st & WOL_BITS
    assert len(render.runs) == 1
    assert "Did not fall asleep in 100 seconds." in log(render)


def test_a_host_that_does_not_wake_may_be_woken_again() -> None:
    system = SystemFarm(af_wolwake_timeout=100)
    system.act("jobs", [1], operation="pause")
    render = fall_asleep(system)
    system.act("renders", [render.id], operation="wol_wake")
    system.wait(100)
    assert render.st & WOL_WAKING
    system.wait(1)
    assert render.st & WOL_BITS == WOL_SLEEPING
    assert "Did not wake in 100 seconds." in log(render)


def test_without_timeouts_both_wait_for_ever() -> None:
    system = SystemFarm(af_wolsleep_timeout=0, af_wolwake_timeout=0)
    system.act("jobs", [1], operation="pause")
    falling = system.add_render("falling")
    system.act("renders", [falling.id], operation="wol_sleep")
    waking = fall_asleep(system, "waking")
    system.act("renders", [waking.id], operation="wol_wake")
    system.wait(100_000)
    assert falling.st & WOL_FALLING
    assert waking.st & WOL_WAKING


def test_a_host_that_woke_in_time_is_left_alone() -> None:
    system = SystemFarm(af_wolwake_timeout=100)
    system.act("jobs", [1], operation="pause")
    render = fall_asleep(system)
    system.act("renders", [render.id], operation="wol_wake")
    system.wait(50)
    come(system, render)
    go(system, render)
    system.act("renders", [render.id], operation="wol_wake")
    system.wait(60)
    assert render.st & WOL_WAKING  # the second time counts for itself
    system.wait(60)
    assert not render.st & WOL_WAKING


def add_film(system: SystemFarm) -> int:
    block = {"name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1}
    return system.add_job(offline=False, blocks=[block])


def test_a_job_wakes_one_host_at_a_time_and_tries_again_when_it_does_not_come() -> None:
    system = SystemFarm(af_wolwake_interval=3, af_wolwake_timeout=30)
    system.act("jobs", [1], operation="pause")
    for name in ("one", "two"):
        fall_asleep(system, name)
    system.wait(10)
    assert wakes(system) == []
    add_film(system)
    system.wait(3)
    assert len(wakes(system)) == 1
    system.wait(4)
    assert sorted(wakes(system)) == ["one", "two"]
    system.wait(20)
    assert len(wakes(system)) == 2
    system.wait(20)
    assert sorted(wakes(system)) == ["one", "one", "two", "two"]


def beat(system: SystemFarm, render: Render, idle: int) -> None:
    """Let a render report how idle its processor is, in percent."""
    hosts.update(system.farm, RenderUpdate(id=render.id, host_resources=HostRes(cpu_idle=idle)))
    system.settle()


def test_an_idle_host_sleeps_by_itself_and_one_that_cannot_is_asked_again_later() -> None:
    system = SystemFarm(af_wolsleep_timeout=30)
    render = system.add_render()
    system.act("pools", [1], params={"idle_wolsleep_time": 60, "idle_cpu": 10})
    asked = []
    for second in range(1, 200):
        beat(system, render, idle=50 if second < 20 else 99)
        if render.pending is not None and render.pending.instruction == "sleep":
            asked.append(second)
            render.pending = None
        system.wait(1)
    # Idle since 19, longer than 60 s; the time-out; idle for more than 60 s again.
    assert asked == [80, 172]
    text = next(text for text in log(render) if text.startswith("Automatic WOL Sleep"))
    assert text.endswith("WOL idle sleep time = 1m")


def test_a_busy_host_does_not_sleep_by_itself() -> None:
    system = SystemFarm()
    render = system.add_render()
    system.act("pools", [1], params={"idle_wolsleep_time": 5, "idle_cpu": 10})
    system.queue("a")
    for _ in range(20):
        beat(system, render, idle=99)
        system.wait(1)
    assert not render.st & WOL_BITS


def test_a_host_that_was_waking_is_not_waited_for_for_ever_after_a_restart(tmp_path: Path) -> None:
    server = StoredFarm(tmp_path / "store", af_wolwake_timeout=100)
    waking, falling = server.add_render("waking"), server.add_render("falling")
    waking.st = waking.st & ~ONLINE | WOL_SLEEPING | WOL_WAKING
    falling.st |= WOL_FALLING
    for render in (waking, falling):
        server.farm.save(render)
    server.keep()
    server = server.again()
    waking, falling = (server.farm.renders.by_name[name] for name in ("waking", "falling"))
    assert waking.st & WOL_BITS == WOL_SLEEPING | WOL_WAKING
    # It went while the server was away: it can be woken.
    assert falling.st & WOL_BITS == WOL_SLEEPING
    server.farm.tick(server.now + 101)
    assert waking.st & WOL_BITS == WOL_SLEEPING


def test_the_texts_tell_of_the_render_as_recorded(shared_dir: Path) -> None:
    folder = shared_dir / "golden" / "sysjob"
    recorded: Callable[[str], Any] = lambda name: json.loads((folder / f"{name}.txt").read_text())  # noqa: E731
    system = SystemFarm()
    system.act("jobs", [1], operation="pause")
    render = system.add_render("render01", user_name="artist", engine="3.4.1", os="linux")
    system.act("renders", [render.id], operation="wol_sleep")
    assert render.pending is not None
    assert list(json.loads(render.pending.command)) == list(recorded("WOL_SLEEP"))
    go(system, render)
    system.act("renders", [render.id], operation="wol_wake")
    [command] = system.block(WAKE_ON_LAN).commands
    assert list(json.loads(command.text)) == list(recorded("WOL_WAKE"))
    assert (command.user_name, command.job_name, command.task_name) == ("render01", "render01", "wake")
