"""A plain solver: what starts where in one cycle, straight from the scheduling spec, sections 2 and 5.

It is the measure for the fast solver: slow, without indexes or caches, one function for each rule, and it
shares no code with the server. Every iteration starts at most one task and builds every list anew.

Use::

    starts = solve(snapshot)  # [Start(job_id, block_num, task_num, render_name, coeff), ...] in order

The snapshot is used up: its counters, tickets and tasks are changed as tasks start, so that a test may
compare them, too, and solving it again starts nothing.

How to make a snapshot: build the objects below and link them, as `plain_snapshot.py` does for the server.
What each field means is said there; in short:

* `Farm`: the root branch, all users, all renders in the order of the container, `now`, and the number of
  the node that was solved last (`solved`), which is what nodes remember as `solved`.
* `Branch`: links up (`parent`) and down (`children`, `jobs`), both lists in the order of the container: by
  priority when added, then by time of adding. `jobs_total` counts the jobs of the whole subtree.
* `User`: all jobs in the order of the user's list, whatever their branch; `in_branch` has what runs for the
  user in each branch, as [tasks, capacity]. Only needed where it is not zero.
* `Job`: links to user and branch. `waits` is WDP or WTM, `off` is OFF. Masks are in the mode of
  `masks_are_regex`, those of its blocks likewise. `try_next` are (block, task), in the order of asking.
* `Block`: `waits` is WDP. `avoids` are names of hosts with too many errors, by the limits of block or user.
* `Task`: `ready` is the RDY bit. `name` is needed for maintenance jobs alone, `avoids` as above.
* `Render`, `Pool`: own values; -1 or empty is inherited as the spec says. Tickets are [count, usage, hosts,
  max hosts] by name, with the dummies of count -1 that running tasks have made.

Left out: Wake-On-LAN (an offline render is never a candidate), and what is not decided in a cycle: depends,
states after a start, bits for GUIs.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Iterations of one call, as a protection from a bug (2.1.2).
ITERATIONS_MOST = 11_000

COUNT, USAGE, HOSTS, MAX_HOSTS = range(4)


@dataclass(eq=False, kw_only=True)
class Work:
    """What branches, users and jobs have in common."""

    name: str = ""
    priority: int = 99
    max_tasks_per_second: int = -1
    max_running_tasks: int = -1
    max_running_tasks_per_host: int = -1
    hosts_mask: str = ""
    hosts_mask_exclude: str = ""
    masks_are_regex: bool = False
    need_os: str = ""
    need_properties: str = ""
    need_power: int = -1
    need_memory: int = -1
    need_hdd: int = -1
    pools: dict[str, int] = field(default_factory=dict)  # {name: number}
    solve_priority: bool = False  # else by order; how its children are sorted
    solve_capacity: bool = False  # else by tasks; what its children are weighed by
    # Counters
    running_tasks: int = 0
    running_capacity: int = 0
    tasks_on: dict[str, int] = field(default_factory=dict)  # {render name: running tasks}
    solved: int = 0  # its number when it was solved last; 0: never
    starts: int = 0  # in this second


@dataclass(eq=False, kw_only=True)
class Branch(Work):
    """A branch; the root has no parent."""

    parent: Branch | None = None
    children: list[Branch] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    solve_jobs: bool = False
    paused: bool = False
    jobs_total: int = 1


@dataclass(eq=False, kw_only=True)
class User(Work):
    """A user."""

    id: int = 2
    jobs: list[Job] = field(default_factory=list)
    paused: bool = False
    in_branch: dict[str, list[int]] = field(default_factory=dict)  # {branch name: [tasks, capacity]}


@dataclass(eq=False, kw_only=True)
class Job(Work):
    """A job."""

    id: int
    user: User
    branch: Branch
    blocks: list[Block] = field(default_factory=list)
    time_creation: int = 0
    locked: bool = False
    off: bool = False
    waits: bool = False  # for jobs or a time
    ppa: bool = False
    maintenance: bool = False
    ignorenimby: bool = False
    ignorepaused: bool = False
    try_next: list[tuple[int, int]] = field(default_factory=list)  # [(block, task)]


@dataclass(eq=False, kw_only=True)
class Block:
    """A block."""

    tasks: list[Task] = field(default_factory=list)
    service: str = "generic"
    capacity: int = 1000
    variable_capacity: bool = False
    capacity_coeff_min: int = -1
    capacity_coeff_max: int = -1
    numeric: bool = True
    frame_first: int = 1
    frame_last: int = 1
    frames_per_task: int = 1
    frames_inc: int = 1
    sequential: int = 1
    waits: bool = False  # for other blocks
    max_running_tasks: int = -1
    max_running_tasks_per_host: int = -1
    hosts_mask: str = ""
    hosts_mask_exclude: str = ""
    need_properties: str = ""
    need_power: int = -1
    need_memory: int = -1
    need_hdd: int = -1
    need_gpu_mem_mb: int = -1
    need_cpu_freq_mgz: int = -1
    need_cpu_cores: int = -1
    need_cpu_freq_cores: int = -1
    tickets: dict[str, int] = field(default_factory=dict)  # {name: number that a task takes}
    avoids: set[str] = field(default_factory=set)  # names of renders
    # Counters
    running_tasks: int = 0
    tasks_on: dict[str, int] = field(default_factory=dict)  # {render name: running tasks}


@dataclass(eq=False, kw_only=True)
class Task:
    """A task."""

    ready: bool = True
    name: str = ""
    avoids: set[str] = field(default_factory=set)  # names of renders


@dataclass(eq=False, kw_only=True)
class Place:
    """What pools and renders have in common."""

    name: str
    priority: int = 99
    capacity_host: int = -1
    max_tasks_host: int = -1
    power_host: int = -1
    properties_host: str = ""
    services: list[str] = field(default_factory=list)
    services_disabled: list[str] = field(default_factory=list)
    tickets_host: dict[str, list[int]] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Pool(Place):
    """A pool; the root has no parent."""

    parent: Pool | None = None
    paused: bool = False
    tickets_pool: dict[str, list[int]] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Render(Place):
    """A render host."""

    pool: Pool | None
    online: bool = True
    sick: bool = False
    falling_asleep: bool = False
    nimby: bool = False  # tasks of its user only
    NIMBY: bool = False  # no tasks
    paused: bool = False
    busy: bool = False
    user_name: str = ""
    os: str = ""
    mem_free_mb: int = 0
    hdd_free_gb: int = 0
    gpu_mem_free_mb: int = 0
    cpu_num: int = 0
    cpu_mhz: int = 0
    start_finish_time: int = 0  # when it became busy or free; 0: never
    # Counters
    running_tasks: int = 0
    capacity_used: int = 0


@dataclass(eq=False, kw_only=True)
class Farm:
    """All that a cycle looks at."""

    root: Branch
    users: list[User] = field(default_factory=list)
    renders: list[Render] = field(default_factory=list)
    now: int = 1_000_000
    solved: int = 0


@dataclass(frozen=True)
class Start:
    """A task that starts. `coeff` is 0 when its capacity is not variable."""

    job_id: int
    block_num: int
    task_num: int
    render_name: str
    coeff: int = 0


# -- 2.1 the tree and the loop


def solve(farm: Farm) -> list[Start]:
    """Return what starts in a cycle, in order; the snapshot is changed accordingly."""
    starts: list[Start] = []
    while len(starts) < ITERATIONS_MOST:
        if not can_run_branch(farm.root):
            break
        candidates = [render for render in farm.renders if is_ready(render)]
        start = solve_list(farm, [farm.root], candidates, farm.root)
        if start is None:
            break
        starts.append(start)
    return starts


Node = Branch | User | Job


def solve_list(farm: Farm, nodes: list[Node], renders: list[Render], branch: Branch) -> Start | None:
    """Let the first node of a list that can start a task do so (2.1.3); `branch` is whose list it is."""
    for node in nodes:
        fit = [render for render in renders if can_run_on(node, render)]
        fit.sort(key=lambda render: render_order(node, render))
        if isinstance(node, Branch):
            start = solve_branch(farm, node, fit)
        elif isinstance(node, User):
            start = solve_user(farm, node, fit, branch)
        else:
            start = solve_job(farm, node, fit)
        if start is not None:
            farm.solved += 1
            node.solved = farm.solved
            node.starts += 1
            return start
    return None


def solve_branch(farm: Farm, branch: Branch, renders: list[Render]) -> Start | None:
    """Child branches, and jobs or users, in the order of the branch's method (2.1.4)."""
    nodes: list[Node] = [child for child in branch.children if can_run_branch(child)]
    if branch.solve_jobs:
        nodes += [job for job in branch.jobs if can_run_job(job)]
    else:
        owners = {id(job.user) for job in branch.jobs}
        users = sorted((user for user in farm.users if id(user) in owners), key=lambda user: user.id)
        nodes += [user for user in users if can_run_user(user)]
    return solve_list(farm, in_order(nodes, branch, branch), renders, branch)


def solve_user(farm: Farm, user: User, renders: list[Render], branch: Branch) -> Start | None:
    """The user's jobs of that branch; sorted only by priority, else in the order of the list (2.1.5)."""
    jobs: list[Node] = [job for job in user.jobs if job.branch is branch and can_run_job(job)]
    if user.solve_priority:
        jobs = in_order(jobs, user, branch)
    return solve_list(farm, jobs, renders, branch)


def solve_job(farm: Farm, job: Job, renders: list[Render]) -> Start | None:
    """Start one task on the first render that takes one (2.1.6)."""
    for render in renders:
        for block_num, task_num in offered(job, render):
            block = job.blocks[block_num]
            task = block.tasks[task_num]
            if can_run_block_on(block, job, render) and render.name not in task.avoids:
                return start_task(farm, job, block_num, task_num, render)
    return None


def offered(job: Job, render: Render) -> Iterator[tuple[int, int]]:
    """Yield the tasks that are tried on a render: those asked for, then one of each block."""
    if not job.maintenance:
        for block_num, task_num in job.try_next:
            block = job.blocks[block_num]
            if is_block_ready(block) and block.tasks[task_num].ready:
                yield block_num, task_num
    for block_num, block in enumerate(job.blocks):
        if is_block_ready(block):
            found = offered_task(block, job, render)
            if found is not None:
                yield block_num, found


def is_block_ready(block: Block) -> bool:
    """The RDY bit of a block (3.4.1)."""
    return not block.waits and any(task.ready for task in block.tasks)


def start_task(farm: Farm, job: Job, block_num: int, task_num: int, render: Render) -> Start:
    """Count a start everywhere (2.1.7, 2.7.4, 2.8.3, 7.9)."""
    block = job.blocks[block_num]
    coeff = capacity_coeff(block, render)
    capacity = block.capacity * (coeff or 1)
    block.tasks[task_num].ready = False

    block.running_tasks += 1
    block.tasks_on[render.name] = block.tasks_on.get(render.name, 0) + 1
    for node in (job, job.user, *branch_path(job.branch)):
        node.running_tasks += 1
        node.running_capacity += capacity
        node.tasks_on[render.name] = node.tasks_on.get(render.name, 0) + 1
    pair = job.user.in_branch.setdefault(job.branch.name, [0, 0])
    pair[0] += 1
    pair[1] += capacity

    take_tickets(block, render)
    render.running_tasks += 1
    render.capacity_used += capacity
    if not render.busy:
        render.busy = True
        render.start_finish_time = farm.now
    return Start(job.id, block_num, task_num, render.name, coeff)


def branch_path(branch: Branch) -> list[Branch]:
    """A branch and all above it."""
    return [branch] if branch.parent is None else [branch, *branch_path(branch.parent)]


# -- 2.2 can a node run at all


def can_run(node: Work) -> bool:
    """The limits that branches, users and jobs share."""
    if node.max_tasks_per_second == 0:
        return False
    if 0 < node.max_tasks_per_second <= node.starts:
        return False
    if node.priority == 0:
        return False
    if node.max_running_tasks == 0:
        return False
    if node.max_running_tasks_per_host == 0:
        return False
    return not 0 < node.max_running_tasks <= node.running_tasks


def can_run_branch(branch: Branch) -> bool:
    return can_run(branch) and branch.jobs_total > 0 and not branch.paused


def can_run_user(user: User) -> bool:
    return can_run(user) and bool(user.jobs) and not user.paused


def can_run_job(job: Job) -> bool:
    if job.locked or not job.blocks or job.off or job.waits:
        return False
    return can_run(job) and any(is_block_ready(block) for block in job.blocks)


# -- 2.3 can a node run on a render


def can_run_on(node: Node, render: Render) -> bool:
    """2.3.1, and 2.3.2 for jobs."""
    if 0 < node.max_running_tasks_per_host <= node.tasks_on.get(render.name, 0):
        return False
    if not host_matches(node.hosts_mask, render.name, regex=node.masks_are_regex):
        return False
    if is_excluded(node.hosts_mask_exclude, render.name, regex=node.masks_are_regex):
        return False
    if not occurs(node.need_os, render.os):
        return False
    if not occurs(node.need_properties, properties(render)):
        return False
    if node.need_power > 0 and power(render) < node.need_power:
        return False
    if node.need_memory > 0 and render.mem_free_mb < node.need_memory:
        return False
    if node.need_hdd > 0 and render.hdd_free_gb < node.need_hdd:
        return False
    if not pools_allow(node.pools, render):
        return False
    return not isinstance(node, Job) or job_can_run_on(node, render)


def job_can_run_on(job: Job, render: Render) -> bool:
    """2.3.2."""
    if not job.ignorenimby:
        if render.NIMBY:
            return False
        if render.nimby and render.user_name != job.user.name:
            return False
    if render.paused and not job.ignorepaused:
        return False
    return any(can_run_block_on(block, job, render) for block in job.blocks)


def pools_allow(pools: dict[str, int], render: Render) -> bool:
    """2.3.3."""
    matching = matching_pools(pools, render)
    if any(value <= -100 for value in matching):
        return False
    return bool(matching) or all(value < 100 for value in pools.values())


def matching_pools(pools: dict[str, int], render: Render) -> list[int]:
    """The values of the entries that mean the pool of a render."""
    assert render.pool is not None
    path = render.pool.name
    return [
        value
        for name, value in pools.items()
        if (path.startswith(name) if name.startswith("/") else name in path)
    ]


def can_run_block_on(block: Block, job: Job, render: Render) -> bool:
    """2.3.4."""
    if 0 <= block.max_running_tasks_per_host <= block.tasks_on.get(render.name, 0):
        return False
    if capacity(render) >= 0 and render.capacity_used + least_capacity(block) > capacity(render):
        return False
    if not runs_service(render, block.service):
        return False
    if not all(has_host_ticket(render, name, count) for name, count in block.tickets.items()):
        return False
    if not all(has_pool_ticket(render, name, count) for name, count in block.tickets.items()):
        return False
    if 0 <= block.max_running_tasks <= block.running_tasks:
        return False
    if render.name in block.avoids:
        return False
    if lacks_resources(block, render):
        return False
    if not host_matches(block.hosts_mask, render.name, regex=job.masks_are_regex):
        return False
    if is_excluded(block.hosts_mask_exclude, render.name, regex=job.masks_are_regex):
        return False
    if block.need_power > 0 and power(render) < block.need_power:
        return False
    return occurs(block.need_properties, properties(render))


def lacks_resources(block: Block, render: Render) -> bool:
    """Point 7 of 2.3.4: plain comparisons, -1 never fails."""
    return (
        block.need_memory > render.mem_free_mb
        or block.need_gpu_mem_mb > render.gpu_mem_free_mb
        or block.need_cpu_freq_mgz > render.cpu_mhz
        or block.need_cpu_cores > render.cpu_num
        or block.need_cpu_freq_cores > render.cpu_num * render.cpu_mhz
        or block.need_hdd > render.hdd_free_gb
    )


def words(mask: str) -> list[str]:
    """The words of a mask in text mode (2.3.5)."""
    return [word for word in re.split("[|;,: ]", mask) if word]


def matches(mask: str, name: str, *, regex: bool) -> bool:
    """Whether a mask that is not empty matches a host."""
    if not regex:
        return any(name.startswith(word) for word in words(mask))
    try:
        return re.fullmatch(mask, name, re.ASCII) is not None
    except re.error:
        return False


def is_empty(mask: str, *, regex: bool) -> bool:
    """A mask of separators alone is empty in text mode."""
    return not mask or (not regex and not words(mask))


def host_matches(mask: str, name: str, *, regex: bool) -> bool:
    return is_empty(mask, regex=regex) or matches(mask, name, regex=regex)


def is_excluded(mask: str, name: str, *, regex: bool) -> bool:
    return not is_empty(mask, regex=regex) and matches(mask, name, regex=regex)


def occurs(mask: str, text: str) -> bool:
    return not words(mask) or any(word in text for word in words(mask))


# -- 2.4 order of nodes


def in_order(nodes: list[Node], parent: Branch | User, branch: Branch) -> list[Node]:
    """Sort nodes by the method of their parent; equal ones stay as they are (2.4.2)."""
    if parent.solve_priority:
        return sorted(nodes, key=lambda node: (-need(node, parent, branch), node.solved))
    return sorted(nodes, key=lambda node: (-node.priority, creation(node), node.solved))


def creation(node: Node) -> int:
    return node.time_creation if isinstance(node, Job) else 0


def need(node: Node, parent: Branch | User, branch: Branch) -> float:
    """1.1 ^ priority / (resources + 1) in single precision (2.4.1)."""
    if isinstance(node, User):
        tasks, used = node.in_branch.get(branch.name, [0, 0])
    else:
        tasks, used = node.running_tasks, node.running_capacity
    resources = used if parent.solve_capacity else tasks
    (rounded,) = struct.unpack("<f", struct.pack("<f", 1.1**node.priority / (resources + 1)))
    return float(rounded)


# -- 2.5 order of renders


def render_order(node: Node, render: Render) -> tuple[object, ...]:
    """The sort key of a render for a node."""
    assert render.pool is not None
    return (
        not render.online,
        -(pool_priority(render.pool) + sum(matching_pools(node.pools, render))),
        render.running_tasks,
        -(capacity(render) - render.capacity_used),
        -render.priority,
        render.start_finish_time,
        -capacity(render),
        -max_tasks(render),
        render.name,
    )


def pool_priority(pool: Pool) -> int:
    """P of 2.5."""
    return pool.priority if pool.parent is None else (pool.priority + pool_priority(pool.parent)) // 2


# -- 2.6 services


def chain(render: Render) -> list[Place]:
    """A render, its pool, and all pools above."""
    return [render, *pools_above(render)]


def pools_above(render: Render) -> list[Pool]:
    found = []
    pool = render.pool
    while pool is not None:
        found.append(pool)
        pool = pool.parent
    return found


def runs_service(render: Render, service: str) -> bool:
    for place in chain(render):
        if service in place.services_disabled:
            return False
        if service in place.services:
            return True
    return not any(place.services for place in chain(render))


# -- 2.7 tickets


def used_by(render: Render, name: str) -> int:
    """How many of a ticket the tasks of a render use."""
    return render.tickets_host[name][USAGE] if name in render.tickets_host else 0


def has_host_ticket(render: Render, name: str, needed: int) -> bool:
    """2.7.2."""
    for place in chain(render):
        ticket = place.tickets_host.get(name)
        if ticket is not None and ticket[COUNT] != -1:
            if place is render:
                return ticket[COUNT] - ticket[USAGE] >= needed
            return ticket[COUNT] >= needed + used_by(render, name)
    return True


def has_pool_ticket(render: Render, name: str, needed: int) -> bool:
    """2.7.3: the nearest pool decides alone."""
    for pool in pools_above(render):
        ticket = pool.tickets_pool.get(name)
        if ticket is None or ticket[COUNT] == -1:
            continue
        if ticket[MAX_HOSTS] != -1:
            if ticket[HOSTS] > ticket[MAX_HOSTS]:
                return False
            if ticket[HOSTS] == ticket[MAX_HOSTS] and used_by(render, name) == 0:
                return False
        return ticket[COUNT] - ticket[USAGE] >= needed
    return True


def take_tickets(block: Block, render: Render) -> None:
    """2.7.4."""
    for name, count in block.tickets.items():
        is_first = used_by(render, name) == 0
        render.tickets_host.setdefault(name, [-1, 0, 0, -1])[USAGE] += count
        for pool in pools_above(render):
            ticket = pool.tickets_pool.setdefault(name, [-1, 0, 0, -1])
            ticket[USAGE] += count
            if is_first:
                ticket[HOSTS] += 1


# -- 2.8 capacity, tasks number


def nearest(render: Render, name: str) -> int:
    """An inherited number: the own value if it is not negative, else of the nearest pool that has one."""
    for place in chain(render):
        value = getattr(place, name)
        if value >= 0:
            return int(value)
    return -1


def capacity(render: Render) -> int:
    return nearest(render, "capacity_host")


def max_tasks(render: Render) -> int:
    return nearest(render, "max_tasks_host")


def power(render: Render) -> int:
    return nearest(render, "power_host")


def properties(render: Render) -> str:
    return next((place.properties_host for place in chain(render) if place.properties_host), "")


def least_capacity(block: Block) -> int:
    if block.variable_capacity and block.capacity_coeff_min > 0:
        return block.capacity * block.capacity_coeff_min
    return block.capacity


def capacity_coeff(block: Block, render: Render) -> int:
    """The coefficient with which a task starts; 0: none (2.8.3)."""
    if not block.variable_capacity:
        return 0
    coeff = (capacity(render) - render.capacity_used) // block.capacity
    if coeff < block.capacity_coeff_min:
        return 0
    if block.capacity_coeff_max > 0:
        coeff = min(coeff, block.capacity_coeff_max)
    return max(coeff, 0)


def is_ready(render: Render) -> bool:
    """7.2."""
    if render.pool is None or render.sick or not render.online or render.priority == 0:
        return False
    if render.falling_asleep:
        return False
    if capacity(render) >= 0 and render.capacity_used >= capacity(render):
        return False
    if render.running_tasks >= max_tasks(render):
        return False
    return all(pool.priority > 0 and not pool.paused for pool in pools_above(render))


# -- 5 order of tasks inside a block


def offered_task(block: Block, job: Job, render: Render) -> int | None:
    """The one task that a block offers a render."""
    if job.maintenance:
        named = [n for n, task in enumerate(block.tasks) if task.ready and task.name == render.name]
        return named[0] if named else None
    for number in task_order(block, ppa=job.ppa):
        if block.tasks[number].ready:
            return number
    return None


def task_order(block: Block, *, ppa: bool = False) -> Iterator[int]:
    """Yield the tasks in the order of `sequential`; some come more than once."""
    num = len(block.tasks)
    step = block.sequential
    if step == 1:
        yield from range(num)
    elif step == -1:
        yield from reversed(range(num))
    elif step == 0:
        yield from spread_order(num)
    elif step > 1:
        yield 0
        yield num - 1
        yield from tasks_with_frames(block, up=True)
        if not ppa:
            yield from range(num)
    else:
        yield from tasks_with_frames(block, up=False)
        yield from reversed(range(num))


def spread_order(num: int) -> Iterator[int]:
    """First, last, middle, quarters, ..."""
    for i in range(num + 1):
        parts = 1
        while parts < i:
            parts *= 2
        parts = min(parts, num)
        for k in range(parts + 1):
            yield min(k * num // parts, num - 1)


def tasks_with_frames(block: Block, *, up: bool) -> Iterator[int]:
    """The tasks that hold multiples of `sequential`, until a frame is outside of the block."""
    first, last = (block.frame_first, block.frame_last) if block.numeric else (0, 0)
    step = abs(block.sequential)
    start = first if up else last
    frame = start - remainder(start, step)
    if up and frame < first:
        frame += step
    while frame <= last if up else frame >= first:
        number = task_of_frame(block, frame - first)
        if not 0 <= number < len(block.tasks):
            return
        yield number
        frame += step if up else -step


def task_of_frame(block: Block, offset: int) -> int:
    """T of 4.4, without the clamp; `offset` is counted from the first frame."""
    per_task = block.frames_per_task
    number = quotient(offset, per_task) if per_task > 0 else offset * -per_task
    return quotient(number, block.frames_inc) if block.frames_inc > 1 else number


def quotient(a: int, b: int) -> int:
    """Integer division that cuts toward zero."""
    return a // b if (a >= 0) == (b > 0) else -(-a // b)


def remainder(a: int, b: int) -> int:
    """What `quotient` leaves; it has the sign of the left side."""
    return a - quotient(a, b) * b
