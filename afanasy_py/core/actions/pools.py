"""Operations and parameters of pools. Source: json-api 9.3; spec scheduling 7.11, 7.13."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import hosts
from afanasy_py.core.actions import farm_ops, renders
from afanasy_py.core.actions.action import Action, Operations
from afanasy_py.core.fields import ABSENT, POOL_PARAMS, apply_fields, get_str
from afanasy_py.core.pool import Pool, clean_pool_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from afanasy_py.core.render import Render

pool_operation: Operations[Pool] = Operations()


def act_on(action: Action, pool: Pool) -> None:
    """Do an action to a pool."""
    if action.operation is not None:
        pool_operation.run(action, pool)
    elif action.params is not None:
        _set_params(action, pool)


#: Parameters that count though they are not noted.
_SILENT = ("services", "services_disabled", "tickets_pool", "tickets_host")


def _set_params(action: Action, pool: Pool) -> None:
    assert action.params is not None
    fields = POOL_PARAMS
    if pool.is_root():
        fields = tuple(field for field in fields if field.name != "pattern")
        if pool.max_tasks_host < 0:
            pool.max_tasks_host = 1
            action.farm.solver.touch_pool(pool)
    apply_fields(pool, action.params, fields, action.note)
    if action.log_info:
        hosts.heed_pool(action.farm, pool)
    elif any(key in action.params for key in _SILENT):
        _tasks_changed(action, pool)


def _tasks_changed(action: Action, pool: Pool) -> None:
    """Store and show a pool, and let the solver see which tasks its renders take now."""
    farm = action.farm
    farm.changed(pool)
    farm.save(pool)
    farm.solver.touch_pool(pool)


# -- the tree of pools


@pool_operation("add_pool")
def _add_pool(action: Action, parent: Pool) -> None:
    assert action.operation is not None
    farm, name = action.farm, get_str(action.operation, "name")
    if name is ABSENT:
        action.error("add_pool operation should have a new pools name string.")
        return
    if not name:
        action.error("New pool name should not have a zero length.")
        return
    path = f"{'' if parent.is_root() else parent.name}/{clean_pool_name(name)}"
    if path in farm.pools.by_name:
        action.error(f"Pool '{parent.name}' already has a pool '{path}'")
        return
    if farm.pools.is_full():
        action.error("Unable to add node to container.")
        return
    pool = Pool(
        name=path, parent_path=parent.name, priority=farm.settings.af_priority, time_creation=int(farm.now)
    )
    farm.log(pool, "Created.", store=True)
    farm.log(parent, f"Adding a pool: {path}")
    farm.add_pool(pool, parent)
    farm.log(pool, "Initialized.")
    action.info(f"Pool '{path}' added to pool '{parent.name}'")


@pool_operation("delete")
def _delete(action: Action, pool: Pool) -> None:
    parent = pool.pool_node
    if parent is None:
        action.error("Can`t delete ROOT pool.")
    elif pool.pools_total or pool.renders_total:
        action.error(f"Pool '{pool.name}' has child pools/renders.")
    else:
        action.farm.log(parent, f"Removing a pool: {pool.name}")
        action.farm.remove_pool(pool)


@pool_operation("farm")
def _farm(action: Action, pool: Pool) -> None:
    if farm_ops.operate_services(action, pool):
        _tasks_changed(action, pool)


@pool_operation("tickets")
def _tickets(action: Action, pool: Pool) -> None:
    if farm_ops.operate_tickets(action, pool):
        _tasks_changed(action, pool)


# -- what is done to all renders of a pool


def _for_renders(
    action: Action, pool: Pool, concerned: Callable[[Render], bool], do: Callable[[Render], None]
) -> None:
    """Do something to renders of a pool and of the pools below, with a line in the log of each of them."""
    chosen: Iterable[Render] = [render for render in pool.renders.values() if concerned(render)]
    for render in chosen:
        action.write_log(render)
        do(render)
    for child in list(pool.children.values()):
        _for_renders(action, child, concerned, do)
        action.write_log(child)


@pool_operation("heal_sick")
def _heal_sick(action: Action, pool: Pool) -> None:
    for render in pool.all_renders():
        renders.heal_sick(action.farm, render)
    for below in _with_children(pool):
        action.write_log(below)


def _with_children(pool: Pool) -> list[Pool]:
    """Return a pool and all pools below, each after its children."""
    found = [below for child in pool.children.values() for below in _with_children(child)]
    return [*found, pool]


@pool_operation("launch_cmd")
def _launch(action: Action, pool: Pool) -> None:
    launched = renders.read_command(action)
    if launched is None:
        action.error("Launch command request has no command")
        return
    instruction, command = launched
    _for_renders(
        action,
        pool,
        lambda render: render.is_online(),
        lambda render: renders.send_instruction(render, instruction, command),
    )


@pool_operation("eject_tasks")
def _eject_tasks(action: Action, pool: Pool) -> None:
    _for_renders(
        action, pool, lambda render: render.is_busy(), lambda render: renders.eject_tasks(action.farm, render)
    )


@pool_operation("exit")
def _exit(action: Action, pool: Pool) -> None:
    _for_renders(
        action,
        pool,
        lambda render: render.is_online(),
        lambda render: renders.send_instruction(render, "exit"),
    )


@pool_operation("delete_renders")
def _delete_renders(action: Action, pool: Pool) -> None:
    _for_renders(action, pool, lambda render: not render.is_online(), action.farm.remove_render)
