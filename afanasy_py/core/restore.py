"""Stored nodes become nodes of a farm again. Pure: who read them from where is no matter here.

Values of a wrong type count as absent, as in the original. Running tasks wait for their renders to come back.
Source: spec store 3, 4; scheduling 3.5.3, 6.11.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from afanasy_py.core import depends, joblife, registration, waking
from afanasy_py.core.block import Block
from afanasy_py.core.branch import Branch, parent_path
from afanasy_py.core.job import (
    FLAG_IGNORE_NIMBY,
    FLAG_IGNORE_PAUSED,
    FLAG_MAINTENANCE,
    FLAG_PPA,
    SYSJOB_ID,
    Job,
)
from afanasy_py.core.node import (
    MASK_FIND,
    MASK_REGEX,
    NODE_HIDDEN,
    SOLVE_CAPACITY,
    SOLVE_PRIORITY,
    LogLine,
)
from afanasy_py.core.pool import POOL_PAUSED, Pool
from afanasy_py.core.render import BUSY, ONLINE, WOL_FALLING, WOL_SLEEPING, WOL_WAKING, Render
from afanasy_py.core.task_states import ALL_BITS, DON, ERR, FACTS, OFF, RDY, RUN, WRC, WRN
from afanasy_py.core.tasks import Tasks
from afanasy_py.core.user import User
from afanasy_py.msg.records.address import Address, NetIF

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm

Json = dict[str, Any]
#: {host: [errors, time of the last one]}
Hosts = dict[str, list[int]]

_INT64_MOST = 2**63 - 1
_INT32_MOST = 2**31 - 1


@dataclass(slots=True)
class StoredTasks:
    """The tasks of a block; the arrays are taken over, not copied."""

    num: int
    #: State of all tasks, if the arrays are empty.
    initial: int = RDY
    #: Tasks of an explicit block.
    items: list[Any] | None = None
    #: By task number; empty: no task was ever touched.
    st: array[int] = field(default_factory=lambda: array("I"))
    starts: array[int] = field(default_factory=lambda: array("i"))
    errors: array[int] = field(default_factory=lambda: array("i"))
    time_start: array[int] = field(default_factory=lambda: array("q"))
    time_done: array[int] = field(default_factory=lambda: array("q"))
    #: Indices in `hosts`.
    host: array[int] = field(default_factory=lambda: array("I"))
    hosts: list[str] = field(default_factory=list)
    resources: dict[int, str] = field(default_factory=dict)
    #: {"": hosts with errors of the block, "<task>": those of a task}
    error_hosts: dict[str, Hosts] = field(default_factory=dict)


@dataclass(slots=True)
class StoredNode:
    """A node of any kind."""

    document: Json
    #: What the document does not tell.
    extras: Json = field(default_factory=dict)
    #: [[time, subject, type, object, text]]
    log: list[list[Any]] = field(default_factory=list)
    #: Of each block of a job.
    tasks: list[StoredTasks] = field(default_factory=list)


#: Makes the system job of a stored one, as the farm's keeper wants it; returns its blocks unprepared.
AdoptSystemJob = Callable[[StoredNode], None]


# -- documents into columns

Setter = tuple[str, Callable[[Any], Any]]
_REFUSED: Any = object()


def _int(value: Any) -> Any:
    return value if type(value) is int and -_INT64_MOST <= value <= _INT64_MOST else _REFUSED


def _str(value: Any) -> Any:
    return value if type(value) is str else _REFUSED


def _bool(value: Any) -> Any:
    return value if type(value) is bool else _REFUSED


def _strs(value: Any) -> Any:
    return [item for item in value if type(item) is str] if type(value) is list else _REFUSED


def _ints(value: Any) -> Any:
    return [item for item in value if type(item) is int] if type(value) is list else _REFUSED


def _str_map(value: Any) -> Any:
    if type(value) is not dict:
        return _REFUSED
    return {key: text for key, text in value.items() if type(text) is str}


def _int_map(value: Any) -> Any:
    if type(value) is not dict:
        return _REFUSED
    return {key: n for key, n in value.items() if type(n) is int and abs(n) <= _INT32_MOST}


def _tickets(value: Any) -> Any:
    """Read tickets: the count and the most hosts; what is known only by its use is left out."""
    if type(value) is not dict:
        return _REFUSED
    found = {}
    for name, numbers in value.items():
        if type(numbers) is not list or not numbers or _ints(numbers) != numbers or numbers[0] == -1:
            continue
        found[name] = [numbers[0], 0, 0, numbers[3] if len(numbers) > 3 else -1]
    return found


def _address(value: Any) -> Any:
    if type(value) is not dict or type(value.get("ip")) is not str:
        return _REFUSED
    port = value.get("port")
    return Address.from_ip(value["ip"], port if type(port) is int and 0 <= port < 65536 else 0)


def _netifs(value: Any) -> Any:
    if type(value) is not list:
        return _REFUSED
    found = []
    for item in value:
        if type(item) is not dict:
            continue
        try:
            mac = bytes.fromhex(str(item.get("mac", "")).replace(":", ""))
        except ValueError:
            mac = b""
        addresses = [made for a in item.get("addresses") or () if (made := _address(a)) is not _REFUSED]
        name = item.get("name")
        found.append(
            NetIF(name=name if type(name) is str else "", mac=mac[:6].ljust(6, b"\0"), addresses=addresses)
        )
    return found


_BY_NAME: dict[str, Callable[[Any], Any]] = {
    "files": _strs,
    "services": _strs,
    "services_disabled": _strs,
    "try_this_tasks_num": _ints,
    "try_this_blocks_num": _ints,
    "environment": _str_map,
    "folders": _str_map,
    "pools": _int_map,
    "tickets": _int_map,
    "tickets_pool": _tickets,
    "tickets_host": _tickets,
    "address": _address,
    "netifs": _netifs,
}
_BY_TYPE: dict[type, Callable[[Any], Any]] = {int: _int, str: _str, bool: _bool}

#: Columns that the farm works out itself, or that end with the server.
_NOT_KEPT = {
    "locked", "srv_info", "running_services", "running_tasks_num", "running_capacity_total", "blocks",
    "blocks_num", "tasks_num", "tasks_data", "job_id", "tasks_ready", "tasks_error", "work_flags", "tasks",
    "running_tasks_counter", "p_progressbar", "jobs_num", "running_jobs_num", "active_jobs", "active_users",
    "branches_total", "jobs_total", "jobs_running", "jobs_done", "jobs_ready", "jobs_error", "capacity_used",
    "tasks_percents", "host_resources", "run_tasks", "run_capacity", "task_start_finish_time",
    "wol_operation_time", "parent_path", "pool", "time_launch", "time_update", "idle_time", "busy_time",
}  # fmt: skip


def _table(record: type[Any], *, also_not: set[str] = frozenset()) -> dict[str, Setter]:  # type: ignore[assignment]
    """Return {key of the document: (column, reader)}."""
    table = {}
    plain = record.plain_values()
    for name, column in record.columns.items():
        if name in _NOT_KEPT or name in also_not or name.startswith(("p_", "renders_", "pools_")):
            continue
        reader = _BY_NAME.get(name) or _BY_TYPE.get(type(plain[name]))
        if reader is not None:
            table[column.json or name] = (name, reader)
    return table


_JOB = _table(Job, also_not={"flags"})
_BLOCK = _table(Block, also_not={"st"})
#: The original writes pre and post commands under other names than it reads.
_BLOCK["command_pre"] = ("command_pre", _str)
_BLOCK["command_post"] = ("command_post", _str)
_USER = _table(User, also_not={"st", "flags"})
_BRANCH = _table(Branch, also_not={"st", "flags", "flags_branch"})
_POOL = _table(Pool, also_not={"flags"})
_RENDER = _table(Render, also_not={"flags"})

_JOB_FLAGS = (
    ("ppa", FLAG_PPA),
    ("maintenance", FLAG_MAINTENANCE),
    ("ignorenimby", FLAG_IGNORE_NIMBY),
    ("ignorepaused", FLAG_IGNORE_PAUSED),
)


def _columns(table: dict[str, Setter], document: Json) -> Json:
    """Return the columns that a document gives."""
    found = {}
    for key, value in document.items():
        setter = table.get(key)
        if setter is not None:
            read = setter[1](value)
            if read is not _REFUSED:
                found[setter[0]] = read
    if "priority" in found:
        found["priority"] = min(max(found["priority"], 0), 255)
    return found


def _flags(document: Json) -> int:
    return NODE_HIDDEN if document.get("hidden") is True else 0


def _work_flags(document: Json) -> int:
    flags = SOLVE_PRIORITY if document.get("solve_method") == "solve_priority" else 0
    flags |= SOLVE_CAPACITY if document.get("solve_need") == "solve_capacity" else 0
    masks: dict[Any, int] = {"find": MASK_FIND, "regex": MASK_REGEX}
    mask_type = document.get("hosts_mask_type")
    return flags | (masks.get(mask_type, 0) if type(mask_type) is str else 0)


def _restore_log(node: Any, stored: StoredNode) -> None:
    if stored.log:
        node.log_lines = deque((LogLine(*line) for line in stored.log), maxlen=max(len(stored.log), 1))


# -- pools and renders


def restore_pools(farm: Farm, pools: list[StoredNode]) -> None:
    """Take stored pools in, in the order of their ids; a missing pool above is made."""
    made: dict[str, Pool] = {}
    for stored in pools:
        values = _columns(_POOL, stored.document)
        pool = _take_root(farm.root_pool, Pool, values) if values["name"] == "/" else Pool(**values)
        pool.st &= POOL_PAUSED
        pool.flags = _flags(stored.document)
        pool.parent_path = parent_path(pool.name)
        made[pool.name] = pool
        farm.pools.add(pool)
        _restore_log(pool, stored)
    for name in sorted(made, key=lambda name: (len(name), made[name].id)):
        pool = made[name]
        if pool is not farm.root_pool:
            _hang_pool(farm, pool)


def _take_root(root: Any, record: type[Any], values: Json) -> Any:
    """Give the root that a farm begins with its stored values."""
    for name, value in {**record.plain_values(), **values}.items():
        setattr(root, name, value)
    return root


def _hang_pool(farm: Farm, pool: Pool) -> None:
    path = pool.parent_path
    parent = farm.root_pool if path == "/" else farm.pools.by_name.get(path)
    if parent is None:
        farm.line(f'Pool "{path}" is missing: made again, since "{pool.name}" is below it.')
        parent = Pool(name=path, parent_path=parent_path(path), time_creation=int(farm.now))
        farm.pools.add(parent)
        farm.save(parent)
        _hang_pool(farm, parent)
    pool.pool_node = parent
    parent.children[pool.id] = pool
    link: Pool | None = parent
    while link is not None:
        link.pools_total += 1
        link = link.pool_node


def restore_renders(farm: Farm, renders: list[StoredNode]) -> None:
    """Take stored renders in; all are offline."""
    now = int(farm.now)
    for stored in renders:
        render = Render(**_columns(_RENDER, stored.document))
        render.st &= ~(ONLINE | BUSY)
        render.flags = _flags(stored.document)
        render.time_register = render.time_update = render.idle_time = render.busy_time = now
        path = stored.document.get("pool")
        pool = farm.pools.by_name.get(path) if type(path) is str and path != "/" else farm.root_pool
        farm.add_render(render, pool)
        if pool is None:
            farm.log(render, f"Render pool '{path}' does not exist.")
            farm.save(render)
        _restore_log(render, stored)
        if render.st & WOL_FALLING:
            # It was to fall asleep when the server was stopped; if it did not, it will register.
            render.st = render.st & ~WOL_FALLING | WOL_SLEEPING
        if render.st & WOL_WAKING:
            render.wol_operation_time = now
            waking.watch_wol(farm, render)
        if render.st & WOL_SLEEPING:
            waking.watch_wake(farm)


# -- users and branches


def restore_users(farm: Farm, users: list[StoredNode]) -> None:
    """Take stored users in."""
    for stored in users:
        user = User(**_columns(_USER, stored.document))
        user.flags = _flags(stored.document)
        user.work_flags = _work_flags(stored.document)
        user.paused = stored.document.get("paused") is True
        farm.users.add(user)
        _restore_log(user, stored)


def restore_branches(farm: Farm, branches: list[StoredNode]) -> None:
    """Take stored branches in, in the order of their ids; a missing branch above is made."""
    made: dict[str, Branch] = {}
    for stored in branches:
        document = stored.document
        values = _columns(_BRANCH, document)
        branch = _take_root(farm.root_branch, Branch, values) if values["name"] == "/" else Branch(**values)
        branch.flags = _flags(document)
        branch.work_flags = _work_flags(document)
        branch.flags_branch = 0
        for name in ("create_childs", "solve_jobs", "paused"):
            setattr(branch, name, document.get(name) is True)
        branch.parent_path = parent_path(branch.name)
        made[branch.name] = branch
        farm.branches.add(branch)
        _restore_log(branch, stored)
    for name in sorted(made, key=lambda name: (len(name), made[name].id)):
        if made[name] is not farm.root_branch:
            _hang_branch(farm, made[name])


def _hang_branch(farm: Farm, branch: Branch) -> None:
    path = branch.parent_path
    parent = farm.root_branch if path == "/" else farm.branches.by_name.get(path)
    if parent is None:
        farm.line(f'Branch "{path}" is missing: made again, since "{branch.name}" is below it.')
        parent = registration.new_branch(farm, path, farm.root_branch)
        farm.branches.add(parent)
        farm.save(parent)
        _hang_branch(farm, parent)
    branch.parent_node = parent
    parent.children[branch.id] = branch
    for link in parent.path():
        link.branches_total += 1
    farm.solver.update_branch(branch)


# -- jobs


def make_job(stored: StoredNode, block_class: type[Block] = Block) -> Job:
    """Return a stored job with its blocks, not yet part of a farm; their tasks are not there yet."""
    document = stored.document
    job = Job(**_columns(_JOB, document))
    job.st &= ALL_BITS
    job.work_flags = _work_flags(document)
    flags = stored.extras.get("flags")
    job.flags = flags if type(flags) is int else _flags(document)
    for key, bit in _JOB_FLAGS:
        job.set_flag(bit, on=document.get(key) is True)
    coefficients = stored.extras.get("parser_coeffs")
    for number, item in enumerate(document["blocks"]):
        values = _columns(_BLOCK, item)
        values["block_num"] = number
        block = block_class(**values)
        block.job = job
        block.job_id = job.id
        if type(coefficients) is list and number < len(coefficients):
            block.parser_coeff = coefficients[number]
        job.blocks.append(block)
    return job


def restore_job(farm: Farm, stored: StoredNode) -> None:
    """Take a stored job in."""
    job = make_job(stored)
    for block, tasks in zip(job.blocks, stored.tasks, strict=True):
        _restore_tasks(farm, block, tasks)
    if not job.user_name:
        job.user_name = "unknown"
    if job.name in farm.jobs.by_name:
        job.name = farm.jobs.unique_name(job.name)
    if not job.serial:
        farm.jobs_serial += 1
        job.serial = farm.jobs_serial
        farm.changes.serial = True
    branch = farm.branches.by_name.get(job.branch) or registration.find_branch(farm, job.branch or "/")
    if branch.name != job.branch:
        job.branch = branch.name
    user = registration.find_user(farm, job)
    job.user, job.branch_node = user, branch
    farm.jobs.add(job)
    branch.jobs[job.id] = job
    user.jobs.append(job)
    user.jobs_num += 1
    registration.find_all_depends(job)
    for block in job.blocks:
        for _ in depends.check_all_tasks(job, block):
            pass
    farm.solver.join(job)
    farm.totals.count_job(job)
    if job.depend_mask or job.depend_mask_global:
        farm.waiters[job.id] = job
    joblife.watch_life(farm, job)
    _restore_log(job, stored)
    # Its first refresh finishes the deletion, when the system job is there to take its post commands.
    job.deleting = stored.extras.get("deleting") is True
    if stored.extras.get("runs_first") is True:
        job.st |= OFF
        farm.log(job, "Paused: the server was stopped while the pre commands ran.", store=True)
        farm.save(job)
    token = stored.extras.get("token")
    job.token = token if type(token) is str else ""
    farm.touch_whole_job(job)


def settle_users(farm: Farm) -> None:
    """Put the jobs of each user into their stored order; to be called when all jobs are there."""
    for user in farm.users:
        user.jobs.sort(key=lambda job: (job.user_list_order, job.id))
        for place, job in enumerate(user.jobs):
            job.list_place = place


def _restore_tasks(farm: Farm, block: Block, stored: StoredTasks) -> None:
    """Give a block its tasks in their states."""
    if stored.items is not None:
        registration.read_tasks(block, stored.items, f"block {block.block_num}")
    block.tasks = tasks = Tasks(stored.num, stored.initial or block.new_task_state())
    if stored.st:
        _fill(farm, block, tasks, stored)
    if stored.error_hosts:
        _restore_error_hosts(farm, block, stored.error_hosts)
    block.set_offered_order()


def _at_rest(st: int, new: int) -> int:
    """Return what a stored state means after a start."""
    st &= ALL_BITS
    if st & RUN:
        st = (st & ~RUN) | WRC
    if st == 0:
        return new
    return RDY if st == WRN else st


def _fill(farm: Farm, block: Block, tasks: Tasks, stored: StoredTasks) -> None:
    now = int(farm.now)
    new = block.new_task_state()
    counts = Counter(stored.st)
    becomes = {st: _at_rest(st, new) for st in counts}
    running = (
        [number for number, st in enumerate(stored.st) if st & RUN] if any(st & RUN for st in counts) else []
    )
    if any(st != other for st, other in becomes.items()):
        stored.st = array("I", [becomes[st] for st in stored.st])
        counts = Counter(stored.st)
    states = stored.st
    tasks.st = states
    tasks.counts = {}
    tasks.percents_sum = 0
    for st, count in counts.items():
        facts = FACTS[st]
        tasks.percents_sum += (facts.percent or 0) * count
        for name in facts.counters:
            tasks.counts[name] = tasks.counts.get(name, 0) + count
    if len(counts) == 1:
        tasks.rank = bytearray([FACTS[states[0]].rank]) * tasks.num
        tasks.undone = bytearray([0 if states[0] & DON else 1]) * tasks.num
    else:
        rank = {st: FACTS[st].rank for st in counts}
        undone = {st: 0 if st & DON else 1 for st in counts}
        tasks.rank = bytearray([rank[st] for st in states])
        tasks.undone = bytearray([undone[st] for st in states])
    if any(st & ERR for st in counts):
        tasks.erring = {number: None for number, st in enumerate(states) if st & ERR}
    if any(stored.starts) or any(stored.time_done):
        _fill_figures(tasks, stored, counts)
    for number in running:
        tasks.prepare_run()
        tasks.set_time_done(number, now)
        farm.log_task(block, number, "Task was running at server start. Waiting for render reconnect...")
    if any(st & WRC for st in counts):
        when = now + farm.settings.af_task_reconnect_timeout + 1
        farm.timers.add(when, "reconnect", block.job_id, block.block_num)


def _fill_figures(tasks: Tasks, stored: StoredTasks, counts: Counter[int]) -> None:
    zeros = bytes(tasks.num)
    tasks.percent, tasks.frame_percent = array("b", zeros), array("b", zeros)
    tasks.frame = array("i", [0]) * tasks.num
    tasks.starts, tasks.errors = stored.starts, stored.errors
    tasks.time_start, tasks.time_done = stored.time_start, stored.time_done
    names = stored.hosts
    tasks.host = [names[index] for index in stored.host]
    tasks.resources = stored.resources
    in_sum = {st: FACTS[st].in_sum for st in counts}
    if all(in_sum.values()):
        tasks.run_time_sum = sum(tasks.time_done) - sum(tasks.time_start)
    elif any(in_sum.values()):
        tasks.run_time_sum = sum(
            done - start
            for st, start, done in zip(tasks.st, tasks.time_start, tasks.time_done, strict=True)
            if in_sum[st]
        )
    tasks._sums_stale = True


def _restore_error_hosts(farm: Farm, block: Block, stored: dict[str, Hosts]) -> None:
    for key, hosts in stored.items():
        if not key:
            block.error_hosts = hosts
        elif key.isdigit() and int(key) < block.tasks.num:
            block.tasks.error_hosts[int(key)] = hosts
    farm.timers.add(farm.now + 1, "forgive", block.job_id, block.block_num)


# -- all of it


def restore_all(
    farm: Farm, kinds: dict[str, list[StoredNode]], jobs: Iterable[StoredNode], adopt: AdoptSystemJob
) -> None:
    """Fill an empty farm; each list goes by ids.

    Args:
        farm: A new farm, its time set.
        kinds: Pools, renders, users and branches.
        jobs: All jobs.
        adopt: Takes the system job in.
    """
    restore_pools(farm, kinds["pools"])
    restore_branches(farm, kinds["branches"])
    farm.make_roots()
    restore_renders(farm, kinds["renders"])
    restore_users(farm, kinds["users"])
    for stored in jobs:
        if stored.document.get("id") == SYSJOB_ID:
            adopt(stored)
        else:
            restore_job(farm, stored)
    settle_users(farm)
