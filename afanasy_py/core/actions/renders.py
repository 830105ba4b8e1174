"""Operations and parameters of renders. Source: json-api 9.5; spec scheduling 7.5 to 7.13."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import emitted, hosts, running, waking
from afanasy_py.core.actions import farm_ops
from afanasy_py.core.actions.action import Action, Operations
from afanasy_py.core.fields import ABSENT, RENDER_PARAMS, apply_fields, get_bool, get_str
from afanasy_py.core.render import DIRTY, NIMBY_ALL, NIMBY_OWN, PAUSED, SICK, Render

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.pool import Pool

render_operation: Operations[Render] = Operations()


def act_on(action: Action, render: Render) -> None:
    """Do an action to a render: its parameters first, then its operation."""
    if action.params is not None:
        _set_params(action, render)
    if action.operation is not None:
        render_operation.run(action, render)


def render_changed(farm: Farm, render: Render) -> None:
    """Store and show a render, and let the solver see what it takes now."""
    farm.changed(render)
    farm.save(render)
    render.refresh_inherited()
    farm.place_render(render)
    farm.solver.touch_render(render)


#: The parameters that choose a nimby; false of any of them frees the render of both.
_NIMBY_BITS = {"nimby": NIMBY_OWN, "NIMBY": NIMBY_ALL}

#: Parameters that count though they are not noted.
_SILENT = ("services", "services_disabled", "tickets_pool", "tickets_host")


def _set_params(action: Action, render: Render) -> None:
    assert action.params is not None
    farm, params = action.farm, action.params
    apply_fields(render, params, RENDER_PARAMS, action.note)
    for key, bit in _NIMBY_BITS.items():
        value = get_bool(params, key)
        if value is not ABSENT:
            hosts.set_nimby(farm, render, bit if value else 0)
    paused = get_bool(params, "paused")
    if paused is not ABSENT:
        render.set_bit(PAUSED, on=paused)
    render.set_bit(DIRTY, on=render.capacity_host != -1 or render.max_tasks_host != -1)
    if action.log_info or any(key in params for key in _SILENT):
        render_changed(farm, render)


# -- operations


def send_instruction(render: Render, instruction: str, command: str = "") -> None:
    """Give an online render an instruction with the next answer to its updates."""
    if render.is_online():
        events = render.events()
        events.instruction = instruction
        events.command = command


@render_operation("exit", "reboot", "shutdown")
def _instruct(action: Action, render: Render) -> None:
    assert action.operation is not None
    send_instruction(render, action.operation["type"])


def read_command(action: Action) -> tuple[str, str] | None:
    """Return instruction and command of an operation `launch_cmd`, and log it; None: it has no command."""
    assert action.operation is not None
    command = get_str(action.operation, "cmd")
    if command is ABSENT:
        return None
    exits = get_bool(action.operation, "exit") is True
    if exits:
        action.add_log_type("exit")
    action.log_info = command
    return "launch_exit" if exits else "launch", command


@render_operation("launch_cmd")
def _launch(action: Action, render: Render) -> None:
    if not render.is_online():
        return
    launched = read_command(action)
    if launched is None:
        action.error("Launch command request by has no 'cmd'")
    else:
        send_instruction(render, *launched)


def eject_tasks(farm: Farm, render: Render, keep_user: str | None = None) -> None:
    """Ask a render to stop its tasks, all but those of one user (spec scheduling 7.6)."""
    runs = [run for run in render.runs.values() if run.exec.user_name != keep_user]
    for run in runs:
        farm.log(render, running.info_line(run), kind="renders eject_tasks", store=True)
    for run in runs:
        running.stop_run(farm, run, "Host owner ejected.")


@render_operation("eject_tasks")
def _eject(action: Action, render: Render) -> None:
    if render.is_busy():
        eject_tasks(action.farm, render)


@render_operation("eject_tasks_keep_my")
def _eject_others(action: Action, render: Render) -> None:
    if render.is_busy():
        eject_tasks(action.farm, render, action.user_name)


def heal_sick(farm: Farm, render: Render) -> None:
    """Let a sick render take tasks again; it is stored, so that it is well after a restart too."""
    if render.st & SICK:
        render.set_bit(SICK, on=False)
        render.sick_users.clear()
        render_changed(farm, render)


@render_operation("heal_sick")
def _heal(action: Action, render: Render) -> None:
    heal_sick(action.farm, render)


@render_operation("delete")
def _delete(action: Action, render: Render) -> None:
    if render.is_online():
        action.error("Can`t delete online render.")
    else:
        action.farm.remove_render(render)


@render_operation("wol_sleep")
def _wol_sleep(action: Action, render: Render) -> None:
    waking.wol_sleep(action.farm, render)


@render_operation("wol_wake")
def _wol_wake(action: Action, render: Render) -> None:
    waking.wol_wake(action.farm, render)


@render_operation("farm")
def _farm(action: Action, render: Render) -> None:
    if farm_ops.operate_services(action, render):
        render_changed(action.farm, render)


@render_operation("tickets")
def _tickets(action: Action, render: Render) -> None:
    if farm_ops.operate_tickets(action, render):
        render_changed(action.farm, render)


# -- pools of a render


@render_operation("set_pool")
def _set_pool(action: Action, render: Render) -> None:
    assert action.operation is not None
    name = get_str(action.operation, "name")
    name = "" if name is ABSENT else name
    pool = action.farm.pools.by_name.get(name)
    if _is_busy(action, render):
        return
    if render.pool == name:
        action.error(f"Render '{render.name}' already in a poll '{name}'.")
    elif pool is None:
        action.error(f"Pool '{name}' does not exist.")
    else:
        _move(action.farm, render, pool)


@render_operation("reassign_pool")
def _reassign_pool(action: Action, render: Render) -> None:
    if not _is_busy(action, render):
        _move(action.farm, render, action.farm.root_pool.find_for(render.name))


def _is_busy(action: Action, render: Render) -> bool:
    if render.is_busy():
        action.error(f"Can't change pool. Render '{render.name}' is busy.")
        return True
    return False


def _move(farm: Farm, render: Render, pool: Pool) -> None:
    """Put a render into a pool and tell it the periods that count there."""
    old = render.pool_node
    farm.put_into_pool(render, pool)
    if render.is_online():
        hosts.set_periods(render, render.events())
        hosts.watch_silence(farm, render)
    emitted.watch_no_task(farm, render)
    if old is not None:
        farm.changed(old)
    farm.changed(pool)
    farm.save(render)
