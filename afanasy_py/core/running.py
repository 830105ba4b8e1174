"""Runs of tasks: start, updates from renders, stop and end. Source: spec scheduling 6; json-api 12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afanasy_py.core import emitted, watching
from afanasy_py.core.block import VAR_CAPACITY
from afanasy_py.core.changes import Output, TaskFile
from afanasy_py.core.farmpart import pool_value, release_tickets, take_tickets
from afanasy_py.core.node import drop_one
from afanasy_py.core.pool import POOL_BUSY
from afanasy_py.core.render import BUSY, SICK
from afanasy_py.core.run import Run
from afanasy_py.core.task_states import (
    BAD_FILES,
    DON,
    ERR,
    FAILED_POST,
    PARSER_FATAL,
    PBR,
    PER,
    PSC,
    RDY,
    RER,
    RUN,
    SKP,
    SUS,
    WRC,
    WRN,
)
from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.msg.records.taskpos import TaskPos
from afanasy_py.msg.records.taskup import TaskUp
from afanasy_py.msg.types import TaskStatus
from afanasy_py.stats_rows import TaskRow

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.render import Render

#: Statuses that end a run well: status -> (bits, log text, whether the minimum run time counts).
GOOD_ENDS: dict[int, tuple[int, str, bool]] = {
    TaskStatus.FinishedSuccess: (0, "Finished success.", True),
    TaskStatus.FinishedParserSuccess: (PSC, "Parser finished success.", False),
    TaskStatus.FinishedFailedPost: (FAILED_POST, "Finished, but post failed.", True),
    TaskStatus.Skip: (SKP, "Skipped by service on render.", False),
}

#: Statuses that end a run in error: status -> (bits, log text).
BAD_ENDS: dict[int, tuple[int, str]] = {
    TaskStatus.FinishedError: (0, "Finished error."),
    TaskStatus.FinishedKilled: (0, "Killed."),
    TaskStatus.FinishedParserError: (PER, "Parser error."),
    TaskStatus.FinishedParserFatalError: (PARSER_FATAL, "Parser fatal error."),
    TaskStatus.FinishedParserBadResult: (PBR, "Parser bad result."),
    TaskStatus.BadRenderedFiles: (BAD_FILES, "Bad rendered files."),
    TaskStatus.FailedToStart: (0, "Failed to start."),
}

#: Statuses that end a run because its render is lost: no error.
LOST_ENDS: dict[int, str] = {
    TaskStatus.RenderDeregister: "Finished - render deregistered.",
    TaskStatus.RenderExit: "Finished - render exit.",
    TaskStatus.RenderZombie: "Finished - render zombie.",
}

#: A run that ends with none of these bits makes its task ready again.
_FINAL = DON | ERR | SKP | SUS


def make_exec(farm: Farm, block: Block, number: int) -> TaskExec:
    """Return the description of a task as a render gets it (wire-protocol 4.6)."""
    job = block.job
    start, finish, frames_num = block.task_frames(number)
    numeric = block.is_numeric()
    integers: dict[str, int] = {}
    strings: dict[str, str] = {}
    if block.parser_coeff != 1:
        integers["parser_koeff"] = block.parser_coeff
    if block.file_size_min != -1:
        integers["file_size_min"] = block.file_size_min
    if block.file_size_max != -1:
        integers["file_size_max"] = block.file_size_max
    if block.custom_data:
        strings["block_custom_data"] = block.custom_data
    environment = block.environment
    command_task, files_task = "", []
    if not numeric:
        task = block.tasks_data[number]
        command_task, files_task = task.command, task.files
        strings["task_custom_data"] = task.custom_data
        own = block.task_environments.get(number)
        if own:
            environment = {**environment, **own}
    return TaskExec(
        block_flags=block.flags,
        frames_num=frames_num,
        frames_inc=block.frames_inc,
        frame_start=start,
        frame_finish=finish,
        command_block=block.command,
        command_task=command_task,
        working_directory=block.working_directory,
        parser=block.parser,
        environment=environment,
        files_block=block.files,
        files_task=files_task,
        parsed_files=block.tasks.parsed_files.get(number, []),
        data_integers=integers,
        data_strings=strings,
        service=block.service,
        name=block.task_name(number),
        block_name=block.name,
        capacity=block.capacity,
        time_start=int(farm.now),
        job_id=job.id,
        block_num=block.block_num,
        task_num=number,
        tickets=block.tickets,
    )


def start_on_render(farm: Farm, block: Block, number: int, render: Render) -> Run:
    """Start a task: the solver's decision becomes a run, and the render hears of it."""
    job = block.job
    description = make_exec(farm, block, number)
    description.user_name = job.user_name
    description.job_name = job.name
    for key, node in (
        ("job_custom_data", job),
        ("user_custom_data", job.user),
        ("render_custom_data", render),
    ):
        if node.custom_data:
            description.data_strings[key] = node.custom_data
    if block.flags & VAR_CAPACITY and block.capacity > 0:
        free = render.capacity - render.capacity_used
        coefficient = free // block.capacity
        if coefficient >= block.capacity_coeff_min:
            if block.capacity_coeff_max > 0:
                coefficient = min(coefficient, block.capacity_coeff_max)
            description.capacity_coeff = coefficient
    if not job.time_started and not any(other.tasks.has_run() for other in job.blocks):
        farm.figures.job_waits.add(farm.now - job.time_creation)
    farm.figures.starts += 1
    run = begin_run(farm, block, number, render, description)
    if (job.id, block.block_num, number) in farm.listened or (job.id, -1, -1) in farm.listened:
        description.flags |= 1
    integers = description.data_integers
    integers["render_capacity_total"] = render.capacity
    integers["render_capacity_used"] = render.capacity_used
    integers["render_tasks_maximum"] = render.max_tasks
    integers["render_tasks_running"] = len(render.runs)
    render.events().tasks.append(description)
    return run


def begin_run(farm: Farm, block: Block, number: int, render: Render, description: TaskExec) -> Run:
    """Count a run on everything that it takes from, and set the states."""
    job, tasks, now = block.job, block.tasks, int(farm.now)
    tasks.on_start(number, render.name, now)
    tasks.set_st(number, RUN)
    if not block.time_started:
        block.time_started = now
    if not job.time_started:
        job.time_started = now
        farm.log(job, "Started.")
        farm.save(job)
    job.st |= RUN
    block.srv_info = render.name
    run = take_resources(farm, block, number, render, description)
    farm.log_task(block, number, f'SESSION #{tasks.starts[number]}: Starting on "{render.name}"')
    if block.task_max_run_time > 0:
        farm.timers.add(now + block.task_max_run_time + 1, "run", job.id, block.block_num, number)
    if block.task_progress_change_timeout > 0:
        farm.timers.add(now + block.task_progress_change_timeout + 1, "run", job.id, block.block_num, number)
    farm.task_changed(block, number, store=True)
    farm.solver.offer(block)
    return run


def take_resources(farm: Farm, block: Block, number: int, render: Render, description: TaskExec) -> Run:
    """Count a run on its render and pools, and on block, job, user and branches."""
    job, now = block.job, int(farm.now)
    capacity = block.capacity * (description.capacity_coeff or 1)
    tickets = {name: count for name, count in block.tickets.items() if count > 0}
    run = Run(block, number, render, description, capacity, tickets, now)
    block.runs[number] = run
    render.runs[job.id, block.block_num, number] = run
    render.capacity_used += capacity
    services = render.running_services
    services[block.service] = services.get(block.service, 0) + 1
    take_tickets(render, run.tickets)
    if render.vacant or not render.is_busy():
        render.vacant = False
        render.set_bit(BUSY, on=True)
        render.task_start_finish_time = now
        render.turn = farm.turn("busy")
        farm.save(render)
    pool = render.pool_node
    while pool is not None:
        pool.run_tasks += 1
        pool.run_capacity += block.capacity
        services = pool.running_services
        services[block.service] = services.get(block.service, 0) + 1
        if not pool.st & POOL_BUSY:
            pool.st |= POOL_BUSY
            pool.task_start_finish_time = now
        farm.changed(pool)
        pool = pool.pool_node
    farm.solver.count_start(block, render, capacity)
    farm.log_render_task(render, f"Starting task: {info_line(run)}")
    farm.changed(render)
    farm.place_render(render)
    farm.touch_job(job, block)
    farm.counts_changed(job)
    return run


def info_line(run: Run) -> str:
    """Return how logs of renders name a run."""
    task = run.exec
    return (
        f"[{task.service}({task.parser}):{run.capacity}] {task.user_name}: "
        f"{task.job_name}[{task.block_name}][{task.name}]"
    )


def update_task(farm: Farm, update: TaskUp, render: Render | None) -> None:
    """Take in what a render tells of a task (spec 6.2)."""
    job = farm.jobs.by_id.get(update.job_id)
    if job is None:
        if update.status == TaskStatus.Percent:
            _close_lost(update, render)
        return
    blocks = job.blocks
    if not 0 <= update.block_num < len(blocks):
        return
    block = blocks[update.block_num]
    number = update.task_num
    if block.keeps_own_runs:
        block.update_own_run(farm, update, render)
        return
    if not 0 <= number < block.tasks.num:
        return
    run = block.runs.get(number)
    if run is None:
        if update.status in (TaskStatus.Percent, TaskStatus.Warning):
            _close_lost(update, render)
        return
    if render is not run.render:
        return
    take_texts(farm, block, number, update)
    failed = apply_status(farm, run, update)
    if update.log:
        farm.log_task(block, number, update.log)
    if failed:
        note_error_host(farm, block, number, run.render.name)
    watching.hear(farm, block, number, update)


def _close_lost(update: TaskUp, render: Render | None) -> None:
    if render is not None:
        render.events().closes.append(
            TaskPos(
                job_id=update.job_id,
                block_num=update.block_num,
                task_num=update.task_num,
                number=update.number,
            )
        )


def take_texts(farm: Farm, block: Block, number: int, update: TaskUp) -> None:
    """Keep the activity, resources, log, output and files that came with an update."""
    tasks, job = block.tasks, block.job
    if update.activity:
        tasks.activity[number] = update.activity
    if update.resources:
        tasks.resources[number] = update.resources
    data = update.data or update.log.encode("utf-8", "surrogateescape")
    if data:
        farm.changes.outputs.append(Output(job.id, block.block_num, number, tasks.starts[number], data))
    if update.parsed_files:
        tasks.parsed_files[number] = update.parsed_files
    if update.report and update.report != job.report:
        job.report = update.report
        farm.changed(job)
    for name, content in update.files:
        farm.changes.files.append(TaskFile(job.id, block.block_num, number, name, content))
    if update.files:
        watching.note_files(farm, block, number, [name for name, _ in update.files])


def apply_status(farm: Farm, run: Run, update: TaskUp) -> bool:
    """Let the status of an update take effect on a run; return whether its host is to blame."""
    block, number, tasks, now = run.block, run.number, run.block.tasks, int(farm.now)
    status = update.status
    st = tasks.st[number]
    if status in (TaskStatus.Percent, TaskStatus.Warning):
        tasks.set_progress(number, update.percent, update.frame, update.percent_frame, now)
        if update.progress_changed:
            run.progressed_at = now
        warned = status == TaskStatus.Warning and not st & WRN
        if warned:
            tasks.set_st(number, st | WRN)
        farm.task_changed(block, number, store=warned)
        farm.changed(run.render)
        farm.on_progress(block, number)
        return False
    if status in GOOD_ENDS:
        bits, text, minimum = GOOD_ENDS[status]
        tasks.set_time_done(number, now)
        spent = now - tasks.time_start[number]
        if minimum and not run.stopping and block.task_min_run_time > 0 and spent < block.task_min_run_time:
            text = f"Task running time ({spent}s) is less than a minimum ({block.task_min_run_time}s)"
            tasks.errors[number] += 1
            end_run(farm, run, st | bits | ERR, text)
            return True
        end_run(farm, run, st | bits | DON, text)
    elif status in BAD_ENDS:
        bits, text = BAD_ENDS[status]
        tasks.set_time_done(number, now)
        if run.stopping:
            end_run(farm, run, st, "Stopped.")
            return False
        tasks.errors[number] += 1
        end_run(farm, run, st | bits | ERR, text)
        return True
    elif status in LOST_ENDS:
        tasks.set_time_done(number, now)
        end_run(farm, run, st, LOST_ENDS[status], lost=True)
    elif status == TaskStatus.Eject:
        stop_run(farm, run, "Host owner ejected.")
    return False


def stop_run(farm: Farm, run: Run, text: str, bits: int = 0) -> None:
    """Ask the render to stop a run; its task takes `bits` at once. Later stops are ignored (spec 6.9)."""
    block, number = run.block, run.number
    if block.keeps_own_runs:
        block.stop_own_run(farm, run, text)
        return
    if run.stopping:
        return
    run.stopping = True
    if bits:
        block.tasks.set_st(number, block.tasks.st[number] | bits)
    run.render.events().stops.append(
        TaskPos(job_id=block.job.id, block_num=block.block_num, task_num=number, number=run.exec.number)
    )
    farm.log_task(block, number, text)
    farm.touch_job(block.job, block)
    farm.task_changed(block, number, store=False)


def end_run(farm: Farm, run: Run, st: int, text: str, *, lost: bool = False) -> None:
    """End a run with the state bits `st` (RUN is dropped) and give back all that it took."""
    block, number, tasks = run.block, run.number, run.block.tasks
    st &= ~RUN
    tasks.activity.pop(number, None)
    failed = bool(st & ERR)
    farm.figures.count_end(st, tasks.time_done[number] - tasks.time_start[number], lost=lost)
    row_state = st
    if not st & _FINAL:
        st = RDY
    tasks.set_st(number, st)
    give_back_resources(farm, run, failed=failed)
    farm.log_task(block, number, text)
    _add_row(farm, run, row_state)
    farm.task_changed(block, number, store=True)


def give_back_resources(farm: Farm, run: Run, *, failed: bool) -> None:
    """Give back all that a run took; `failed` counts towards the sickness of its render."""
    block, number, render = run.block, run.number, run.render
    job, now = block.job, int(farm.now)
    del block.runs[number]
    key = (job.id, block.block_num, number)
    del render.runs[key]
    service = run.exec.service
    drop_one(render.running_services, service)
    render.capacity_used -= run.capacity
    release_tickets(render, run.tickets)
    pool = render.pool_node
    while pool is not None:
        pool.run_tasks -= 1
        pool.run_capacity -= run.exec.capacity
        drop_one(pool.running_services, service)
        if not pool.run_tasks:
            pool.st &= ~POOL_BUSY
            pool.task_start_finish_time = now
        farm.changed(pool)
        pool = pool.pool_node
    if render.pending is not None:
        _withdraw_start(render, run)
    farm.solver.count_end(block, render, run.capacity, service)
    if run.tickets:
        farm.on_tickets_released(run.tickets)
    if failed:
        _count_sick(farm, run)
    else:
        render.sick_users.clear()
    farm.log_render_task(render, f"Finished task: {info_line(run)}")
    farm.freed[render.id] = render
    farm.changed(render)
    farm.place_render(render)
    farm.solver.touch_render(render)
    farm.touch_job(job, block)
    farm.counts_changed(job)


def _withdraw_start(render: Render, run: Run) -> None:
    """Take a task that ended before its render heard of it out of the answer."""
    pending = render.pending
    if pending is not None and run.exec in pending.tasks:
        pending.tasks = [task for task in pending.tasks if task is not run.exec]


def _count_sick(farm: Farm, run: Run) -> None:
    """Note an error of a user on a render; enough of them in a row make it sick (spec 7.8)."""
    render, user = run.render, run.exec.user_name
    limit = pool_value(render, "sick_errors_count", 0)
    if limit <= 0:
        render.sick_users.clear()
        return
    users = [other for other in render.sick_users if other != user][: limit - 1]
    render.sick_users = [user, *users]
    if len(render.sick_users) >= limit and not render.st & SICK:
        render.set_bit(SICK, on=True)
        farm.save(render)
        text = f"Got sick after {limit} errors:" + "".join(f"\n{name}" for name in render.sick_users)
        farm.log(render, text, kind="renders sick", store=True)
        emitted.emit_render_event(farm, render, "RENDER_SICK")


def note_error_host(farm: Farm, block: Block, number: int, host: str) -> None:
    """Count an error on a host for the block and for the task (spec 6.6)."""
    now = int(farm.now)
    job = block.job
    if append_error(block.error_hosts, host, now) >= block.avoid_host_errors() > 0:
        farm.log(job, f'Block["{block.name}"]: {host} - AVOIDING HOST !')
    hosts = block.tasks.error_hosts.setdefault(number, {})
    if append_error(hosts, host, now) >= block.task_same_host_errors() > 0 and hosts[host][0] > 1:
        named = f'{job.name}@{job.user_name} B["{block.name}"] T[{number}]'
        farm.log(job, f"AVOIDING HOST: {host}", kind="jobs avoid", named=named)
        farm.log_task(block, number, f"AVOIDING HOST: {host}")
    forgive = block.forgive_time()
    if forgive > 0:
        farm.timers.add(now + forgive + 1, "forgive", job.id, block.block_num)


def append_error(hosts: dict[str, list[int]], host: str, now: int) -> int:
    """Count an error on a host; return the count."""
    entry = hosts.setdefault(host, [0, now])
    entry[0] += 1
    entry[1] = now
    return entry[0]


def _add_row(farm: Farm, run: Run, st: int) -> None:
    tasks, number = run.block.tasks, run.number
    add_row(
        farm,
        run,
        st=st,
        errors=tasks.errors[number],
        starts=tasks.starts[number],
        times=(tasks.time_start[number], tasks.time_done[number]),
        resources=tasks.resources.get(number, ""),
    )


def add_row(
    farm: Farm, run: Run, *, st: int, errors: int, starts: int, times: tuple[int, int], resources: str
) -> None:
    """Write the statistics of a run; runs of less than a second leave none."""
    began, ended = times
    if ended <= began or not farm.keeps_statistics:
        return
    block, task, job = run.block, run.exec, run.block.job
    farm.changes.rows.append(
        TaskRow(
            annotation=job.annotation,
            blockname=block.name,
            capacity=task.capacity,
            command=task.command_block + task.command_task,
            description=job.description,
            error=1 if st & ERR else 0,
            errors_count=errors,
            folder=job.folder(),
            frame_pertask=task.frames_num,
            hostname=run.render.name,
            id_block=block.block_num,
            id_task=run.number,
            jobname=job.name,
            resources=resources,
            serial=job.serial,
            service=task.service,
            starts_count=starts,
            time_done=ended,
            time_started=began,
            username=job.user_name,
        )
    )


def check_run(farm: Farm, run: Run) -> None:
    """Stop a run that exceeds its time or stands still (spec 6.5)."""
    if run.block.keeps_own_runs:
        run.block.check_own_run(farm, run)
        return
    if run.stopping:
        return
    block, number, now = run.block, run.number, int(farm.now)
    limit, quiet = block.task_max_run_time, block.task_progress_change_timeout
    text = None
    if limit > 0 and now - block.tasks.time_start[number] > limit:
        text = "Task maximum run time reached."
    elif quiet > 0 and (still := now - run.progressed_at) > quiet:
        text = f"Task run time without progress reached (no progress for {still}s)."
    if text is not None:
        block.tasks.errors[number] += 1
        stop_run(farm, run, text, ERR)
        farm.task_changed(block, number, store=True)
        note_error_host(farm, block, number, run.render.name)
        return
    key = ("run", block.job.id, block.block_num, number)
    if limit > 0:
        farm.timers.add(block.tasks.time_start[number] + limit + 1, *key)
    if quiet > 0:
        farm.timers.add(run.progressed_at + quiet + 1, *key)


def retry(farm: Farm, block: Block, number: int) -> None:
    """Make a task in error ready again while retries are left (spec 6.3)."""
    tasks = block.tasks
    st = tasks.st[number]
    if st & ERR and not st & (PARSER_FATAL | RUN) and number not in block.runs:
        limit = block.retries()
        if tasks.errors[number] <= limit:
            tasks.set_st(number, (st & ~ERR) | RDY | RER)
            farm.log_task(
                block, number, f"Automatically retrying error task{tasks.errors[number]} of {limit}."
            )
            farm.task_changed(block, number, store=True)


def reconnect(farm: Farm, render: Render, description: TaskExec) -> None:
    """Join a task that a registering render still runs to its waiting state, or stop it (spec 6.11)."""
    job = farm.jobs.by_id.get(description.job_id)
    if job is None or not 0 <= description.block_num < len(job.blocks):
        return
    block, number = job.blocks[description.block_num], description.task_num
    if not 0 <= number < block.tasks.num:
        return
    if block.tasks.st[number] & WRC and number not in block.runs:
        farm.log_task(block, number, "Reconnecting previously run...")
        description.time_start = int(farm.now)
        # What a run is counted under is the block's of now, whatever the host remembers.
        description.service, description.capacity = block.service, block.capacity
        description.capacity_coeff = max(description.capacity_coeff, 0)
        begin_run(farm, block, number, render, description)
        render.events().tasks.append(description)
        return
    farm.log_task(block, number, "Reconnection failed: task was not waiting it.")
    render.events().stops.append(
        TaskPos(job_id=job.id, block_num=block.block_num, task_num=number, number=description.number)
    )


def operate(farm: Farm, block: Block, number: int, with_st: int, set_st: int) -> bool:
    """Apply an operation of a user to one task; return whether it applied (spec 3.2.2, 6.9).

    Args:
        with_st: The task must have any of these bits; 0: any task.
        set_st: The new state; a running task is asked to stop and takes the bits other than RDY.
    """
    tasks = block.tasks
    st = tasks.st[number]
    if with_st:
        if with_st == DON and st & SKP:
            return False
        if not st & with_st:
            return False
    run = block.runs.get(number)
    if run is not None:
        stop_run(farm, run, "running", set_st & ~RDY)
        return True
    tasks.set_st(number, set_st or RDY)
    if tasks.has_run():
        tasks.errors[number] = 0
    farm.task_changed(block, number, store=True)
    farm.touch_job(block.job, block)
    return True
