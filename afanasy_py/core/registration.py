"""Making jobs of what clients send, and the users and branches that come with them.

A submission is read and checked whole before anything of the farm changes. Source: json-api 6; spec
scheduling 3.5.3, 8.2 to 8.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from afanasy_py.core import depends, emitted, frames, joblife, replies
from afanasy_py.core.block import (
    MASTER_ON_SLAVE,
    MULTIHOST,
    NUMERIC,
    TASKS_MAX,
    VAR_CAPACITY,
    Block,
)
from afanasy_py.core.branch import CREATE_CHILDS, SOLVE_JOBS, Branch, clean_path, parent_path
from afanasy_py.core.fields import (
    ABSENT,
    BLOCK_FIELDS,
    INT64,
    JOB_FIELDS,
    NEW_BLOCK_FIELDS,
    NEW_JOB_FIELDS,
    NODE_FIELDS,
    USER_FIELDS,
    WORK_FIELDS,
    apply_fields,
    get_bool,
    get_int,
    get_ints,
    get_str,
    get_strs,
)
from afanasy_py.core.job import Job
from afanasy_py.core.node import MASK_FIND, MASK_REGEX, SOLVE_CAPACITY, SOLVE_PRIORITY, LogLine
from afanasy_py.core.task_states import OFF, RDY, WDP, WRN
from afanasy_py.core.tasks import Tasks
from afanasy_py.core.user import User
from afanasy_py.errors import RequestError
from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.records.block import TaskData

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

Json = dict[str, Any]

#: The original makes a folder of the name and dies when that is too long.
NAME_MAX = 255
BLOCKS_MAX = 10_000


def invalid(text: str) -> RequestError:
    """Return the refusal of a job."""
    return RequestError(f"Invalid job: {text}")


def read_job(farm: Farm, obj: Any) -> Job:
    """Make a job that is not part of the farm yet.

    Raises:
        RequestError: What is wrong with it, and where.
    """
    if type(obj) is not dict:
        raise invalid("it is not an object.")
    job = Job(
        priority=farm.settings.af_priority,
        max_running_tasks=farm.settings.af_max_running_tasks,
        time_creation=int(farm.now),
        user_list_order=-1,
        locked=True,
    )
    name = get_str(obj, "name")
    job.name = "" if name is ABSENT else name
    if len(job.name.encode("utf-8", "surrogateescape")) > NAME_MAX:
        raise invalid(f"its name is longer than {NAME_MAX} bytes.")
    user_name = get_str(obj, "user_name")
    if user_name is ABSENT or not user_name:
        raise invalid("it has no user name.")
    job.user_name = user_name
    branch = get_str(obj, "branch")
    job.branch = clean_path("" if branch is ABSENT else branch)
    known = farm.users.by_name.get(job.user_name)
    job.work_flags |= (known.work_flags & (MASK_FIND | MASK_REGEX) if known is not None else 0) or MASK_FIND
    apply_fields(job, obj, WORK_FIELDS[:1])
    apply_fields(job, obj, NODE_FIELDS)
    apply_fields(job, obj, WORK_FIELDS)
    apply_fields(job, obj, JOB_FIELDS)
    apply_fields(job, obj, NEW_JOB_FIELDS)
    if get_bool(obj, "offline") is True:
        job.st |= OFF
    place = get_int(obj, "user_list_order")
    if place is not ABSENT:
        job.user_list_order = place
    st = get_int(obj, "st", INT64)
    if st is not ABSENT:
        job.st = st & OFF
    job_id = get_int(obj, "id")
    if job_id is not ABSENT and job_id != 0:
        if not farm.jobs.is_free(job_id):
            raise RequestError("JobContainer::registerJob: Can't add job to container.")
        job.id = job_id
    tries = get_ints(obj, "try_this_tasks_num"), get_ints(obj, "try_this_blocks_num")
    job.try_this_tasks_num, job.try_this_blocks_num = tries
    blocks = obj.get("blocks")
    if type(blocks) is not list:
        raise invalid("it has no list of blocks.")
    add_blocks(farm, job, blocks)
    if not job.blocks:
        raise invalid("its list of blocks is empty.")
    return job


def add_blocks(farm: Farm, job: Job, items: list[Any]) -> list[Block]:
    """Read blocks and append them to a job; return them.

    Raises:
        RequestError: What is wrong, and where; the job is unchanged.
    """
    if len(job.blocks) + len(items) > BLOCKS_MAX:
        raise invalid(f"it has more than {BLOCKS_MAX} blocks.")
    first = len(job.blocks)
    blocks = [_read_block(farm, job, item, first + index) for index, item in enumerate(items)]
    job.blocks += blocks
    for block in blocks:
        block.job_id = job.id
    find_all_depends(job)
    return blocks


def find_all_depends(job: Job) -> None:
    """Work out who waits for whom in a job (spec 4.4.3)."""
    for block in job.blocks:
        depends.find_sources(job, block)
    link_feeds(job)


def link_feeds(job: Job) -> None:
    """Note at each block the blocks whose tasks wait for its tasks."""
    for block in job.blocks:
        block.feeds = [other.block_num for other in job.blocks if block.block_num in other.task_sources]


def _read_block(farm: Farm, job: Job, obj: Any, number: int) -> Block:
    where = f"block {number}"
    if type(obj) is not dict:
        raise invalid(f"{where} is not an object.")
    block = Block(
        block_num=number, task_progress_change_timeout=farm.settings.af_task_progress_change_timeout
    )
    block.job = job
    flags = get_int(obj, "flags", INT64)
    block.flags = 0 if flags is ABSENT else flags
    apply_fields(block, obj, BLOCK_FIELDS)
    apply_fields(block, obj, NEW_BLOCK_FIELDS)
    block.files = get_strs(obj, "files")
    _read_capacity_coefficients(block, obj)
    _read_multihost(block, obj)
    _read_frames(block, obj, where)
    count = _read_tasks(block, obj, where)
    if not block.is_numeric():
        given = get_int(obj, "tasks_num")
        if given is not ABSENT and given > 0 and given != count:
            raise invalid(f"{where} has tasks_num {given} and {count} tasks.")
    block.tasks = Tasks(count, block.new_task_state())
    block.set_offered_order()
    return block


def _read_capacity_coefficients(block: Block, obj: Json) -> None:
    low, high = get_int(obj, "capacity_coeff_min"), get_int(obj, "capacity_coeff_max")
    low = -1 if low is ABSENT else low
    high = -1 if high is ABSENT else high
    if low != -1 or high != -1:
        block.flags |= VAR_CAPACITY
    block.capacity_coeff_min, block.capacity_coeff_max = max(low, 0), max(high, 0)


def _read_multihost(block: Block, obj: Json) -> None:
    if not block.flags & MULTIHOST:
        return
    low, high = get_int(obj, "multihost_min"), get_int(obj, "multihost_max")
    if low is ABSENT or high is ABSENT or not 1 <= low <= high <= 100:
        return
    block.multihost_min, block.multihost_max = low, high
    for key in ("multihost_max_wait", "multihost_service_wait"):
        value = get_int(obj, key)
        if value is not ABSENT and value >= 0:
            setattr(block, key, value % 65536)
    service = get_str(obj, "multihost_service")
    if service is not ABSENT and service:
        block.multihost_service = service
        block.flags &= ~MASTER_ON_SLAVE


def _read_frames(block: Block, obj: Json, where: str) -> None:
    keys = ("frame_first", "frame_last", "frames_per_task", "frames_inc")
    for key in keys if block.is_numeric() else ("frames_per_task",):
        value = get_int(obj, key, INT64)
        if value is not ABSENT:
            setattr(block, key, value)
    block.frames_inc = max(block.frames_inc, 1)
    if block.is_numeric():
        block.frames_per_task = max(block.frames_per_task, 1)
        block.frame_last = max(block.frame_first, block.frame_last)
        if (
            max(abs(block.frame_first), abs(block.frame_last), block.frames_per_task, block.frames_inc)
            > 2**40
        ):
            raise invalid(f"{where} has a frame out of range.")
    else:
        block.frames_per_task = block.frames_per_task or 1


def _read_tasks(block: Block, obj: Json, where: str) -> int:
    if block.flags & NUMERIC:
        count = frames.numeric_tasks_num(
            block.frame_first, block.frame_last, block.frames_per_task, block.frames_inc
        )
        if count > TASKS_MAX:
            raise invalid(f"{where} has {count} tasks, more than {TASKS_MAX}.")
        return count
    items = obj.get("tasks")
    if type(items) is not list or not items:
        raise invalid(f"{where} has no tasks.")
    read_tasks(block, items, where)
    return len(items)


def read_tasks(block: Block, items: list[Any], where: str) -> None:
    """Append the commands and names of tasks to a block that is not numeric.

    Raises:
        RequestError: An item is no object; the block is unchanged.
    """
    if len(block.tasks_data) + len(items) > TASKS_MAX:
        raise invalid(f"{where} has more than {TASKS_MAX} tasks.")
    first = len(block.tasks_data)
    made = []
    environments = {}
    for index, item in enumerate(items):
        if type(item) is not dict:
            raise invalid(f"task {first + index} of {where} is not an object.")
        name, command = item.get("name"), item.get("command")
        made.append(
            TaskData(
                name=name if type(name) is str else "",
                command=command if type(command) is str else "",
                files=get_strs(item, "files") if "files" in item else [],
            )
        )
        environment = item.get("environment")
        if type(environment) is dict:
            environments[first + index] = {k: v for k, v in environment.items() if type(v) is str and v}
    block.tasks_data += made
    block.task_environments.update({n: e for n, e in environments.items() if e})


def register(farm: Farm, job: Job) -> None:
    """Make a job that was read a part of the farm (json-api 6.4)."""
    branch = find_branch(farm, job.branch)
    job.branch = branch.name
    user = find_user(farm, job)
    job.name = farm.jobs.unique_name(job.name)
    if not job.serial:
        farm.jobs_serial += 1
        job.serial = farm.jobs_serial
        farm.changes.serial = True
    joblife.add(farm, job, user, branch)
    for block in job.blocks:
        block.job_id = job.id
    farm.log(user, f"Adding a job: {job.name}")
    farm.log(branch, f"Adding a job: {job.name}")


def prepare_new(farm: Farm, job: Job) -> None:
    """Let a job that was registered begin its life: its first refresh, its place in the tree."""
    job.st |= WDP
    for block in job.blocks:
        for number in depends.check_all_tasks(job, block):
            farm.task_changed(block, number, store=False)
    joblife.begin(farm, job)


def settle_loaded_states(block: Block) -> None:
    """Turn states that mean nothing at rest into ready ones (spec 3.5.3)."""
    for number, st in enumerate(block.tasks.st):
        if st == 0:
            block.tasks.set_st(number, block.new_task_state())
        elif st == WRN:
            block.tasks.set_st(number, RDY)


def find_user(farm: Farm, job: Job) -> User:
    """Return the user of a job; a new one is made with the defaults of the settings (spec 8.4)."""
    user = farm.users.by_name.get(job.user_name)
    if user is None:
        user = new_user(farm, job.user_name)
        user.host_name = job.host_name
        farm.add_user(user)
        farm.log(user, "Registered from job.", store=True)
        farm.log(user, "Registered.")
    elif job.host_name and user.host_name != job.host_name:
        user.host_name = job.host_name
        farm.changed(user)
    user.time_activity = int(farm.now)
    return user


def new_user(farm: Farm, name: str) -> User:
    """Return a user with the defaults of the settings."""
    settings = farm.settings
    now = int(farm.now)
    return User(
        name=name,
        priority=settings.af_priority,
        work_flags=SOLVE_CAPACITY,
        max_running_tasks=settings.af_max_running_tasks,
        max_running_tasks_per_host=settings.af_max_run_tasks_per_host,
        errors_retries=settings.af_task_error_retries,
        errors_avoid_host=settings.af_errors_avoid_host,
        errors_task_same_host=settings.af_task_errors_same_host,
        errors_forgive_time=settings.af_errors_forgivetime,
        jobs_life_time=settings.af_jobs_life_time,
        time_register=now,
        time_activity=now,
    )


def find_branch(farm: Farm, path: str) -> Branch:
    """Return the branch of a path, made if its parent may have children, else the nearest one (spec 8.6)."""
    below = path
    while (parent := farm.branches.by_name.get(path)) is None:
        below, path = path, parent_path(path)
    if path == below or not parent.create_childs:
        return parent
    path = below
    branch = new_branch(farm, path, parent)
    farm.add_branch(branch, parent)
    farm.log(parent, f"Adding a branch: {path}")
    farm.log(branch, "Created from job.", store=True)
    farm.log(branch, "Initialized.")
    farm.line(f"New branch registered: {path}[{branch.id}]")
    return branch


def new_branch(farm: Farm, path: str, parent: Branch | None) -> Branch:
    """Return a branch with what it inherits; without a parent it is the root."""
    branch = Branch(
        name=path,
        parent_path=parent_path(path),
        priority=farm.settings.af_priority,
        max_running_tasks=farm.settings.af_max_running_tasks,
        time_creation=int(farm.now),
        time_empty=int(farm.now),
    )
    if parent is None:
        branch.work_flags = SOLVE_PRIORITY
        branch.flags_branch = CREATE_CHILDS | SOLVE_JOBS
        branch.max_tasks_per_second = 100
    else:
        branch.work_flags = parent.work_flags & (SOLVE_PRIORITY | SOLVE_CAPACITY)
        if parent.parent_node is not None:
            branch.flags_branch = parent.flags_branch & SOLVE_JOBS
    return branch


def check_commands(farm: Farm, job: Job) -> None:
    """Refuse a job with commands to run on the server when the settings forbid them."""
    if commands_before(job) and not farm.settings.af_server_pre_commands:
        raise RequestError(
            "Invalid job: it has a pre command, and commands on the server are switched off (af_server_pre_commands)."
        )


def commands_before(job: Job) -> tuple[tuple[str, str, str], ...]:
    """Return the commands that run on the server before the job starts: (whose, command, working directory).

    Whose is what the log of the job puts before the command: "" for its own, `Block[name]: ` for a block's.
    """
    commands = [("", job.command_pre, job.blocks[0].working_directory)] if job.command_pre else []
    commands += [
        (f"Block[{b.name}]: ", b.command_pre, b.working_directory) for b in job.blocks if b.command_pre
    ]
    return tuple(commands)


def finish(farm: Farm, job: Job) -> JsonAnswer:
    """Let a registered job begin its life; return the answer to its client."""
    farm.log(job, "Initialized.")
    # COMPAT(created-while-locked): the event shows job and user as they are in the middle of registration.
    job.user.locked = True
    emitted.emit_job_events(farm, job, ["JOB_CREATED"])
    job.user.locked = False
    prepare_new(farm, job)
    named = f"{job.name}@{job.user_name}"
    farm.add_log_row(
        LogLine(int(farm.now), job.sender, "jobs register", named, f"New job registered: {named}")
    )
    return replies.reply({"id": job.id, "serial": job.serial})


def register_user(farm: Farm, obj: Json) -> JsonAnswer:
    """Answer a request to make a user (json-api 3)."""
    name = get_str(obj, "name")
    name = "" if name is ABSENT else name
    known = farm.users.by_name.get(name)
    if known is not None:
        return replies.reply({"error": "exists", "user": known.to_json()})
    user = new_user(farm, name)
    user_id = get_int(obj, "id")
    if user_id is not ABSENT and farm.users.is_free(user_id):
        user.id = user_id
    for fields in (WORK_FIELDS[:1], NODE_FIELDS, WORK_FIELDS, USER_FIELDS):
        apply_fields(user, obj, fields)
    farm.add_user(user)
    farm.log(user, "Registered.")
    return replies.reply({"user": user.to_json()})


def finish_commands(farm: Farm, job: Job, reports: list[str]) -> JsonAnswer:
    """Let a job begin whose pre commands have run; `reports` go into its log."""
    if job.gone or job.deleting:
        return replies.reply(
            {"id": 0, "serial": 0, "error": "The job was deleted while its pre commands ran."}
        )
    job.runs_first = False
    farm.save(job)
    for report in reports:
        farm.log(job, report, kind="jobs pre command")
    return finish(farm, job)
