"""The life of renders: register, update, silence, nimby by itself, going offline. Source: spec scheduling 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import emitted, replies, running, waking, watching
from afanasy_py.core.farmpart import inherited, pool_value
from afanasy_py.core.render import (
    BUSY,
    DIRTY,
    EXIT,
    NIMBY_ALL,
    NIMBY_OWN,
    ONLINE,
    PAUSED,
    REGISTER_AGAIN,
    WOL_FALLING,
    WOL_SLEEPING,
    WOL_WAKING,
    Render,
)
from afanasy_py.core.spans import span_text
from afanasy_py.msg.records.address import Address
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.records.render_events import RenderEvents
from afanasy_py.msg.records.render_update import RenderUpdate
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.pool import Pool
    from afanasy_py.core.requests import Result

#: Seconds of silence after which a render is lost, when no pool says otherwise.
ZOMBIE_TIME = 16

#: Statuses above this end the life of a task on its render, which keeps reporting until told to close.
_LAST_OPEN_STATUS = TaskStatus.Warning

_WOL_BITS = WOL_FALLING | WOL_SLEEPING | WOL_WAKING

#: Names of the limits by which a host becomes nimby or free by itself; the nearest pool with a value counts.
AUTOMATICS = (
    "idle_wolsleep_time",
    "idle_free_time",
    "busy_nimby_time",
    *(
        f"{when}_{what}"
        for when in ("idle", "busy")
        for what in ("cpu", "mem", "swp", "hddgb", "hddio", "netmbs")
    ),
)

#: Farm settings that travel to renders, and the least value that counts as set.
PERIODS = ("heartbeat_sec", "resources_update_period", "zombie_time", "exit_no_task_time")


def set_periods(render: Render, events: RenderEvents) -> None:
    """Put the periods of a render's pools into what it will hear; -1: back to its default (spec 7.11)."""
    for name in PERIODS:
        value = -1
        pool = render.pool_node
        while pool is not None:
            if getattr(pool, name) > 0:
                value = getattr(pool, name)
                break
            pool = pool.pool_node
        setattr(events, name, value)


def register(farm: Farm, told: RenderRecord, peer: str) -> RenderEvents:
    """Take a render in, or back (spec 7.3, wire-protocol 5.1)."""
    known = farm.renders.by_name.get(told.name)
    if known is not None:
        if known.is_online():
            return RenderEvents(id=EXIT, log="Render with the same name exists.")
        return _come_back(farm, known, told, peer)
    if farm.renders.is_full():
        return RenderEvents(id=EXIT, log="Unable to add render. See server log for details.")
    return _add(farm, told, peer)


def _take_over(farm: Farm, render: Render, told: RenderRecord, peer: str) -> None:
    now = int(farm.now)
    render.os = told.os
    render.engine = told.engine
    render.time_launch = told.time_launch
    render.netifs = told.netifs
    render.host_resources = told.host_resources
    render.address = Address.from_ip(peer)
    render.time_update = now
    render.time_register = now
    render.idle_time = render.busy_time = now


def _add(farm: Farm, told: RenderRecord, peer: str) -> RenderEvents:
    render = Render(
        name=told.name, user_name=told.user_name, priority=told.priority, st=told.st & ~(BUSY | DIRTY)
    )
    _take_over(farm, render, told, peer)
    farm.add_render(render)
    pool = render.pool_node
    assert pool is not None
    modes = []
    for mode, bit in (("nimby", NIMBY_OWN), ("paused", PAUSED)):
        if any(getattr(link, f"new_{mode}") for link in _pools_above(render)):
            render.set_bit(bit, on=True)
            modes.append(mode)
    farm.log(render, " ".join(["Registered", *modes]) + ".", store=True)
    farm.line(f"New Render registered: {render.name}")
    farm.save(render)
    return _welcome(farm, render, told, "New render registered.")


def _pools_above(render: Render) -> list[object]:
    pools: list[object] = []
    pool = render.pool_node
    while pool is not None:
        pools.append(pool)
        pool = pool.pool_node
    return pools


def _come_back(farm: Farm, render: Render, told: RenderRecord, peer: str) -> RenderEvents:
    _take_over(farm, render, told, peer)
    render.st = (render.st | ONLINE) & ~_WOL_BITS
    render.wol_operation_time = int(farm.now)
    render.task_start_finish_time = render.turn = 0
    render.accepts.clear()
    farm.log(render, f"Online '{render.engine}'.", kind="renders online")
    farm.line(f"Render: {render.name}")
    farm.save(render)
    return _welcome(farm, render, told, "Render became online.")


def _welcome(farm: Farm, render: Render, told: RenderRecord, text: str) -> RenderEvents:
    render.pending = None
    events = render.events()
    set_periods(render, events)
    events.log = text
    for description in told.tasks:
        running.reconnect(farm, render, description)
    render.no_task_since = int(farm.now)
    render.no_task_events = 0
    watch_silence(farm, render)
    farm.changed(render)
    farm.place_render(render)
    farm.solver.touch_render(render)
    return events


def update(farm: Farm, told: RenderUpdate) -> Render | RenderEvents:
    """Take in a heartbeat; return the render, or the answer that refuses it."""
    render = farm.renders.by_id.get(told.id)
    if render is None:
        return RenderEvents(id=REGISTER_AGAIN, log="No such render.")
    if not render.is_online():
        return RenderEvents(id=REGISTER_AGAIN, log="Render is offline.")
    render.time_update = int(farm.now)
    if told.host_resources is not None:
        _take_resources(farm, render, told)
    for task_update in told.taskups:
        if task_update.status > _LAST_OPEN_STATUS:
            render.events().closes.append(
                TaskPos(
                    job_id=task_update.job_id,
                    block_num=task_update.block_num,
                    task_num=task_update.task_num,
                    number=task_update.number,
                )
            )
        running.update_task(farm, task_update, render)
    for position, output in told.outputs:
        watching.take_output(farm, position, output)
    _mind_automatics(farm, render)
    return render


def _take_resources(farm: Farm, render: Render, told: RenderUpdate) -> None:
    if told.host_resources is not None and told.host_resources != render.host_resources:
        render.host_resources = told.host_resources
        farm.solver.touch_render(render)
        farm.changed(render)
        emitted.check_overload(farm, render)


def heed_pool(farm: Farm, pool: Pool) -> None:
    """Note that the parameters of a pool changed: all renders below see them."""
    farm.automatics.clear()
    for render in pool.all_renders():
        if render.is_online():
            set_periods(render, render.events())
            watch_silence(farm, render)
        emitted.watch_no_task(farm, render)
    farm.solver.touch_pool(pool)
    for render in pool.all_renders():
        farm.place_render(render)
    farm.changed(pool)
    farm.save(pool)


def watch_silence(farm: Farm, render: Render) -> None:
    """Call for a look at a render when it will have been silent for too long."""
    farm.timers.add(render.time_update + zombie_time(render) + 1, "zombie", render.id)


def zombie_time(render: Render) -> int:
    """Return after how many seconds of silence the render is lost."""
    value = pool_value(render, "zombie_time", 1)
    return value if value > 0 else ZOMBIE_TIME


def check_silence(farm: Farm, render: Render) -> None:
    """Let a silent render go offline, or look again later (spec 7.4)."""
    if not render.is_online():
        return
    limit = zombie_time(render)
    if render.time_update < int(farm.now) - limit:
        farm.log(render, f"ZOMBIETIME: {limit}s", kind="renders zombie", store=True)
        farm.line(f'Render: "{render.name}" - ZOMBIETIME: {limit}s')
        emitted.emit_render_event(farm, render, "RENDER_ZOMBIE")
        go_offline(farm, render, TaskStatus.RenderZombie)
    else:
        watch_silence(farm, render)


def go_offline(farm: Farm, render: Render, status: int) -> None:
    """Take a render out of service; its runs end with `status`."""
    for run in list(render.runs.values()):
        update_ = TaskUp(
            client_id=render.id,
            job_id=run.exec.job_id,
            block_num=run.exec.block_num,
            task_num=run.exec.task_num,
            number=run.exec.number,
            status=status,
        )
        running.update_task(farm, update_, render)
    asleep = render.st & WOL_FALLING
    render.st &= ~(ONLINE | BUSY | WOL_FALLING)
    if asleep:
        render.st |= WOL_SLEEPING
        waking.watch_wake(farm)
    render.wol_operation_time = int(farm.now)
    render.time_launch = 0
    render.task_start_finish_time = render.turn = 0
    render.pending = None
    farm.freed.pop(render.id, None)
    farm.log(render, "Offline.")
    farm.line(f"Offline. {render.name}")
    farm.save(render)
    farm.changed(render)
    farm.place_render(render)


def deregister(farm: Farm, render_id: int) -> bool:
    """Take a render out of service at its own wish; return whether it is known."""
    render = farm.renders.by_id.get(render_id)
    if render is None:
        return False
    if render.is_online():
        farm.log(render, "Render deregister request.", store=True)
        go_offline(farm, render, TaskStatus.RenderDeregister)
    return True


# -- nimby by itself (spec 7.7)


def _automatics_of(farm: Farm, pool: Pool) -> dict[str, int] | None:
    """Return the limits of a pool's automatics, None when all are off (spec 7.7)."""
    if pool.id not in farm.automatics:
        limits = {name: inherited(pool, name, 0) for name in AUTOMATICS}
        farm.automatics[pool.id] = limits if any(value > 0 for value in limits.values()) else None
    return farm.automatics[pool.id]


def _mind_automatics(farm: Farm, render: Render) -> None:
    now = int(farm.now)
    pool = render.pool_node
    if pool is None:
        return
    limits = _automatics_of(farm, pool)
    if limits is None:
        render.busy_time = render.idle_time = now
        return
    if not render.is_free() or render.is_busy() or _is_quiet(limits, render):
        render.busy_time = now
    elif 0 < limits["busy_nimby_time"] < now - render.busy_time:
        text = (
            f"Automatic Nimby: \n Busy since: {farm.time_text(render.busy_time)}"
            f"\n Nimby busy free time = {span_text(limits['busy_nimby_time'])}"
        )
        farm.log(render, text, kind="renders auto nimby", store=True)
        set_nimby(farm, render, NIMBY_ALL)
        farm.save(render)
    if render.is_busy() or not _is_idle(limits, render):
        render.idle_time = now
        return
    idle_for = now - render.idle_time
    if 0 < limits["idle_wolsleep_time"] < idle_for and not render.st & (WOL_SLEEPING | WOL_FALLING):
        text = (
            f"Automatic WOL Sleep: \n Idle since: {farm.time_text(render.idle_time)}"
            f"\n WOL idle sleep time = {span_text(limits['idle_wolsleep_time'])}"
        )
        farm.log(render, text, kind="renders auto wol sleep", store=True)
        waking.wol_sleep(farm, render)
    if 0 < limits["idle_free_time"] < idle_for and render.st & (NIMBY_OWN | NIMBY_ALL):
        text = (
            f"Automatic Nimby Free: \n Idle since: {farm.time_text(render.idle_time)}"
            f"\n Nimby idle free time = {span_text(limits['idle_free_time'])}"
        )
        farm.log(render, text, kind="renders auto nimby free")
        set_nimby(farm, render, 0)
        farm.save(render)


#: Names of the limits: (suffix, how much of it a render uses; None: not known).
def _usage(render: Render) -> dict[str, int | None]:
    r = render.host_resources
    return {
        "cpu": 100 - r.cpu_idle,
        "mem": 100 * (r.mem_total_mb - r.mem_free_mb) // r.mem_total_mb if r.mem_total_mb > 0 else None,
        "swp": 100 * r.swap_used_mb // r.swap_total_mb if r.swap_total_mb > 0 else None,
        "hddgb": -r.hdd_free_gb if r.hdd_total_gb > 0 else None,
        "hddio": r.hdd_busy,
        "netmbs": r.net_recv_kbsec + r.net_send_kbsec,
    }


def _bound(suffix: str, limit: int) -> int:
    return {"hddgb": -limit, "netmbs": 1024 * limit}.get(suffix, limit)


def _is_quiet(limits: dict[str, int], render: Render) -> bool:
    """Return whether a host is not busy by any of its "busy" limits: all that are set pass."""
    for suffix, used in _usage(render).items():
        limit = limits[f"busy_{suffix}"]
        if limit > 0 and used is not None and used >= _bound(suffix, limit):
            return False
    return True


def _is_idle(limits: dict[str, int], render: Render) -> bool:
    """Return whether a host is idle: some "idle" limit is set and none is exceeded."""
    any_set = False
    for suffix, used in _usage(render).items():
        limit = limits[f"idle_{suffix}"]
        if limit > 0:
            any_set = True
            if used is not None and used > _bound(suffix, limit):
                return False
    return any_set


def set_nimby(farm: Farm, render: Render, bit: int) -> None:
    """Set one of the nimby bits and clear the other; 0: free of both (spec 7.5)."""
    now = int(farm.now)
    render.st = render.st & ~(NIMBY_OWN | NIMBY_ALL) | bit
    if bit:
        render.idle_time = now
    else:
        render.busy_time = now
    farm.changed(render)
    farm.place_render(render)
    farm.solver.touch_render(render)


def register_offline(farm: Farm, told: RenderRecord, peer: str) -> Result:
    """Take in a render that says it is not online: it is kept as an offline one (wire-protocol 5.1)."""
    if told.name not in farm.renders.by_name and not farm.renders.is_full():
        render = Render(
            name=told.name, user_name=told.user_name, priority=told.priority, st=told.st & ~(BUSY | DIRTY)
        )
        _take_over(farm, render, told, peer)
        render.time_launch = 0
        farm.add_render(render)
        farm.log(render, "Registered.", store=True)
        farm.save(render)
    return replies.error(f"Unknown message was received by run thread: TRenderRegister: {peer}")
