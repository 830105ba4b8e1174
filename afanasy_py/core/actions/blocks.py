"""Operations and parameters of blocks and their tasks.

Source: json-api 8.3; spec scheduling 4.4.3, 6.9, 8.7, 8.8.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from afanasy_py.core import depends, registration, running
from afanasy_py.core.actions.action import Action, Operations
from afanasy_py.core.actions.tasks import RESTART, operate_task
from afanasy_py.core.block import APPENDED_TASKS, Block
from afanasy_py.core.fields import ABSENT, BLOCK_PARAMS, DEMO_LOCKED, apply_fields, get_int, get_ints, get_str
from afanasy_py.core.job import FLAG_MAINTENANCE
from afanasy_py.core.table import mask_words
from afanasy_py.core.task_states import ALL_BITS, DON, ERR, RDY, RUN, SKP, SUS, TRY
from afanasy_py.errors import RequestError

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.job import Job

block_operation: Operations[Block] = Operations()

#: {operation: (a task must have any of these bits, 0: any task; its new state)}
TASK_OPERATIONS: dict[str, tuple[int, int]] = {
    "skip": (ALL_BITS & ~DON, SKP | DON),
    "done": (ALL_BITS & ~DON, DON),
    "suspend": (RDY | RUN | SKP, SUS),
    "continue": (SUS, RDY),
    "restart": RESTART,
    "restart_running": (RUN, 0),
    "restart_skipped": (SKP, RDY),
    "restart_done": (DON, RDY),
    "restart_errors": (ERR, RDY),
}


def act_on(action: Action, job: Job) -> None:
    """Do an action to the blocks of a job that it names (json-api 8.3)."""
    numbers = get_ints(action.request, "block_ids")
    if numbers == [-1]:
        numbers = [block.block_num for block in job.blocks]
    mask = get_str(action.request, "block_mask")
    if mask is not ABSENT:
        words = mask_words(mask)
        numbers += [block.block_num for block in job.blocks if not words or block.name.startswith(words)]
    if not numbers:
        action.error('"block_ids" array does not contain any integers or invalid "block_mask"')
    for number in numbers:
        if not 0 <= number < len(job.blocks):
            action.error(f"Invalid block number: {number}")
        elif action.operation is not None:
            block_operation.run(action, job.blocks[number])
        elif action.params is not None:
            _set_params(action, job.blocks[number])


def _properties_changed(farm: Farm, block: Block) -> None:
    """Store, show and refresh what is not the progress of a block."""
    job = block.job
    block.encoded.clear()
    farm.events.block(job.id, block.block_num, "properties")
    farm.changed(job)
    farm.save(job)
    farm.touch_whole_job(job)


# -- operations


@block_operation(*TASK_OPERATIONS)
def _operate_tasks(action: Action, block: Block) -> None:
    assert action.operation is not None
    operation = action.operation
    with_st, set_st = TASK_OPERATIONS[operation["type"]]
    mode = get_str(operation, "mode")
    if mode is not ABSENT and mode:
        action.add_log_type(mode)
    for number in get_ints(operation, "task_ids") or range(block.tasks.num):
        if not 0 <= number < block.tasks.num:
            action.error(f"Invalid operation task numer = {number}")
            break
        operate_task(action, block, number, with_st, set_st)
        if mode == "affect_depends":
            _operate_sources(action, block, number, with_st, set_st)
    action.farm.touch_whole_job(block.job)


def _operate_sources(action: Action, block: Block, number: int, with_st: int, set_st: int) -> None:
    """Apply an operation to the tasks that a task waits for."""
    for source_num in block.task_sources:
        source = block.job.blocks[source_num]
        first, last = depends.source_range(block, source, number)
        for other in range(first, last + 1):
            action.log_info += f" D:{source_num},{other} "
            operate_task(action, source, other, with_st, set_st)


def forget_error_hosts(farm: Farm, block: Block) -> None:
    """Forget the hosts on which a block and its tasks had errors."""
    block.error_hosts.clear()
    block.tasks.error_hosts.clear()
    if block.profile is not None:
        farm.solver.touch_profile(block.profile)
    _properties_changed(farm, block)


@block_operation("reset_error_hosts")
def _reset_error_hosts(action: Action, block: Block) -> None:
    forget_error_hosts(action.farm, block)


@block_operation("trynext")
def _try_next(action: Action, block: Block) -> None:
    assert action.operation is not None
    farm, job = action.farm, block.job
    numbers, mode = get_ints(action.operation, "task_ids"), get_str(action.operation, "mode")
    if job.flags & FLAG_MAINTENANCE:
        action.error("Maintenance job can't try tasks next.")
        return
    if not numbers:
        action.error("'task_ids' array is not specified.")
        return
    if mode not in ("append", "remove"):
        action.error(f"Invalid 'mode' = '{'' if mode is ABSENT else mode}'.")
        return
    append = mode == "append"
    done = False
    job.drop_invalid_tries()
    for number in numbers:
        if not 0 <= number < block.tasks.num or block.keeps_own_runs:
            break
        st = block.tasks.st[number]
        if bool(st & TRY) == append:
            continue
        block.tasks.set_st(number, st ^ TRY)
        farm.task_changed(block, number, store=True)
        _keep_try(job, block.block_num, number, append=append)
        done = True
    if not done:
        action.error("Unable to find valid tasks.")
        return
    _properties_changed(farm, block)
    action.info("Tasks to try next processed.")


def _keep_try(job: Job, block_num: int, number: int, *, append: bool) -> None:
    """Add a task to the list of those to try next, or take it out."""
    pairs = list(zip(job.try_this_blocks_num, job.try_this_tasks_num, strict=True))
    if append and (block_num, number) not in pairs:
        pairs.append((block_num, number))
    elif not append and (block_num, number) in pairs:
        pairs.remove((block_num, number))
    job.try_this_blocks_num = [pair[0] for pair in pairs]
    job.try_this_tasks_num = [pair[1] for pair in pairs]


@block_operation("append_tasks")
def _append_tasks(action: Action, block: Block) -> None:
    assert action.operation is not None
    farm, job, items = action.farm, block.job, action.operation.get("tasks")
    if job.is_sysjob():
        action.error("Appending system job is not allowed.")
        return
    if block.is_numeric():
        action.error("Appending tasks to numeric block is not allowed.")
        return
    if type(items) is not list:
        action.error("Operation requires tasks array.")
        return
    try:
        registration.read_tasks(block, items, f"block {block.block_num}")
    except RequestError as error:
        farm.line(f"Tasks for {action.log_object} refused: {error}", logging.WARNING)
        action.error("Operation requires tasks array.")
        return
    numbers = range(block.tasks.num, block.tasks.num + len(items))
    block.flags |= APPENDED_TASKS
    block.tasks.append(len(items), block.new_task_state())
    block.set_offered_order()
    if block.feeds or block.task_sources:
        # Who waits for whom may be different now; monitors hear of the whole block instead of its tasks.
        job.changed_tasks.update(dict.fromkeys((block.block_num, number) for number in numbers))
    block.encoded.clear()
    farm.changes.block_tasks[job.id, block.block_num] = None
    farm.events.block(job.id, block.block_num, "full")
    farm.changed(job)
    farm.save(job)
    farm.touch_whole_job(job)
    action.note(f"Block['{block.name}']: Append tasks")
    action.object({"task_ids": list(numbers)})


@block_operation("tickets")
def _edit_tickets(action: Action, block: Block) -> None:
    assert action.operation is not None
    name, count = get_str(action.operation, "name"), get_int(action.operation, "count")
    if name is ABSENT:
        action.error("Ticket 'name' string is not specified.")
        return
    if count is ABSENT:
        action.error("Ticket 'count' integer is not specified.")
        return
    tickets = dict(block.tickets)
    if count == -1:
        tickets.pop(name, None)
    else:
        tickets[name] = count
    block.tickets = tickets
    _offer_anew(action.farm, block)
    _properties_changed(action.farm, block)


# -- parameters


def _set_params(action: Action, block: Block) -> None:
    assert action.params is not None
    farm, params = action.farm, action.params
    changes: list[str] = []
    fields = [field for field in BLOCK_PARAMS if not (farm.demo and field.name in DEMO_LOCKED)]
    apply_fields(block, params, fields, changes.append)
    if not changes and "files" not in params:
        return
    if changes:
        # COMPAT(block-log-backspace): clients show this line as it is.
        action.log_info += f"\bBlock['{block.name}']: " + "".join("\n" + text for text in changes)
    if "sequential" in params:
        block.set_offered_order()
    _find_depends_anew(farm, block)
    for run in list(block.runs.values()):
        running.check_run(farm, run)
    if block.forgive_time() > 0:
        farm.timers.add(farm.now, "forgive", block.job.id, block.block_num)
    _offer_anew(farm, block)
    _properties_changed(farm, block)


def _find_depends_anew(farm: Farm, block: Block) -> None:
    """Work out anew for whom a block waits; nobody else's waiting changes (spec scheduling 4.4.3)."""
    job = block.job
    depends.find_sources(job, block)
    registration.link_feeds(job)
    check = depends.check_all_tasks(job, block) if block.task_sources else depends.release_all_tasks(block)
    for number in check:
        farm.task_changed(block, number, store=False)


def _offer_anew(farm: Farm, block: Block) -> None:
    """Let the solver see other demands of a block."""
    farm.solver.withdraw(block)
    block.demands = None
    farm.solver.offer(block)
