"""Hosts that fall asleep and are woken: by users, by the limits of their pools, and by jobs.

Source: spec scheduling 7.12; sysjob-events 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core.render import WOL_FALLING, WOL_SLEEPING, WOL_WAKING, Render
from afanasy_py.msg.json_text import dump_json

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm


def wol_sleep(farm: Farm, render: Render) -> None:
    """Ask a render to fall asleep, or note in its log why not (spec 7.12)."""
    reason = ""
    if render.st & (WOL_SLEEPING | WOL_FALLING):
        reason = "Render is already sleeping."
    elif render.st & WOL_WAKING:
        reason = "Can't sleep waking up render."
    elif not render.is_online():
        reason = "Can't sleep offline render."
    elif render.is_busy():
        reason = "Can't perform Wake-On-Line operations. Render is busy."
    elif not render.netifs:
        reason = "Can't perform Wake-On-Line operations. No network interfaces information."
    if reason:
        farm.log(render, reason, kind="renders wol error")
        return
    farm.log(render, "Sending WOL sleep request.", kind="renders wol")
    render.st |= WOL_FALLING
    render.wol_operation_time = int(farm.now)
    watch_wol(farm, render)
    events = render.events()
    events.instruction = "sleep"
    events.command = dump_json(render.to_json()).decode("utf-8", "surrogateescape")
    farm.save(render)
    farm.changed(render)
    farm.place_render(render)


def wol_wake(farm: Farm, render: Render, because: str = "") -> None:
    """Ask the farm to wake a render, or note in its log why not."""
    reason = ""
    if render.is_online():
        reason = " Can't wake up online render."
    elif render.st & WOL_FALLING:
        reason = " Can't wake up render which is just falling a sleep."
    elif not render.netifs:
        reason = "Can't perform Wake-On-Line operations. No network interfaces information."
    if reason:
        farm.log(render, reason, kind="renders wol error")
        return
    farm.log(
        render,
        f"{because} Sending WOL wake request." if because else "Sending WOL wake request.",
        kind="renders wol",
    )
    render.st |= WOL_WAKING
    render.wol_operation_time = int(farm.now)
    farm.sysjob.wake(render)
    watch_wol(farm, render)
    farm.save(render)
    farm.changed(render)


def watch_wol(farm: Farm, render: Render) -> None:
    """Call for a look at a render when it should have fallen asleep or woken."""
    limit = _wol_limit(farm, render)
    if limit > 0:
        farm.timers.add(render.wol_operation_time + limit + 1, "wol", render.id)


def _wol_limit(farm: Farm, render: Render) -> int:
    """Return how many seconds a render may take to fall asleep or to wake."""
    settings = farm.settings
    return settings.af_wolsleep_timeout if render.st & WOL_FALLING else settings.af_wolwake_timeout


def check_wol(farm: Farm, render: Render) -> None:
    """End the state of a render that did not fall asleep, or did not wake; the original waits for ever."""
    limit = _wol_limit(farm, render)
    if not render.st & (WOL_FALLING | WOL_WAKING) or limit <= 0:
        return
    if int(farm.now) - render.wol_operation_time <= limit:
        watch_wol(farm, render)
        return
    if not render.st & WOL_FALLING:
        render.st &= ~WOL_WAKING
        text = f"Did not wake in {limit} seconds."
    else:
        render.st &= ~WOL_FALLING
        text = f"Did not fall asleep in {limit} seconds."
        # The host may be idle for a while before it is asked again.
        render.idle_time = int(farm.now)
    render.wol_operation_time = int(farm.now)
    farm.log(render, text, kind="renders wol error", store=True)
    farm.save(render)
    farm.changed(render)
    farm.place_render(render)
    farm.solver.touch_render(render)


# -- jobs that wake hosts


def watch_wake(farm: Farm) -> None:
    """Call for a try to wake renders by jobs, as long as any sleeps."""
    farm.timers.add(farm.now + farm.settings.af_wolwake_interval, "wake")


def wake_by_jobs(farm: Farm) -> None:
    """Wake sleeping renders on which jobs could run, and call for the next try."""
    if not any(render.st & WOL_SLEEPING for render in farm.renders):
        return
    watch_wake(farm)
    sleeping = [render for render in farm.renders if render.could_be_woken()]
    if not sleeping:
        return
    farm.refresh_dirty()

    def wake(_block: Block, _number: int, render: Render) -> None:
        wol_wake(farm, render, "Automatic waking by a job.")

    farm.solver.wake(sleeping, wake)
