"""The farm: all nodes, and the few operations through which every rule changes them.

State lives here and nowhere else. A call of `handle` or `tick` takes the time as an argument, changes the
state, brings everything that follows from the change up to date, starts what can start, and leaves what
the outside must do in `changes`. It never waits, so each call is one step that nobody sees the middle of.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from afanasy_py.core import emitted, hosts, joblife, refresh, registration, running, waking, watching
from afanasy_py.core.branch import Branch
from afanasy_py.core.changes import Changes, Removed
from afanasy_py.core.cycle import Cycle
from afanasy_py.core.events import Events
from afanasy_py.core.figures import Figures
from afanasy_py.core.job import Job
from afanasy_py.core.node import Logged, LogLine
from afanasy_py.core.pool import Pool
from afanasy_py.core.render import Render
from afanasy_py.core.solver.solver import Solver
from afanasy_py.core.table import Table
from afanasy_py.core.timers import Timers
from afanasy_py.core.tokens import Tokens
from afanasy_py.core.totals import Totals
from afanasy_py.core.user import User
from afanasy_py.stats_rows import LogRow

if TYPE_CHECKING:
    from afanasy_py.access.gate import Gate
    from afanasy_py.core.block import Block
    from afanasy_py.core.monitor import Monitor
    from afanasy_py.settings import Settings

#: Renders that become busy or free with a longer pause between, seconds, do so one after the other.
TURN_PAUSE = 0.5

#: The log of a job, in the language of the original: a branch's log type has its own plural.
LOG_KINDS = {"branches": "branchs"}


class SystemJob:
    """What the farm asks of its system job; `sysjob` gives the real one, this one does nothing."""

    def job_events(self, job: Job, events: list[str]) -> None:
        """Let the events service hear of a job."""

    def render_event(self, render: Render, event: str) -> None:
        """Let the events service hear of a render."""

    def post_commands(self, job: Job) -> None:
        """Queue the post commands of a job that is deleted."""

    def wake(self, render: Render) -> None:
        """Queue the command that wakes a render."""

    def tick(self) -> None:
        """Do what is due."""


class Farm:
    """All state of the server."""

    def __init__(
        self,
        settings: Settings,
        now: float = 0.0,
        time_text: Callable[[int], str] = str,
        version: str = "3.4.1",
        stopwatch: Callable[[], float] = float,
    ) -> None:
        self.settings = settings
        self.version = version
        #: Unix seconds of the running call.
        self.now = now
        #: Writes a moment as logs and texts for users show it.
        self.time_text = time_text
        #: Tells seconds of which only differences count; for the figures alone, nothing is decided by it.
        self._stopwatch = stopwatch
        self.figures = Figures()
        self.jobs: Table[Job] = Table("Jobs", 1_000_000)
        self.renders: Table[Render] = Table("Renders", 100_000)
        self.users: Table[User] = Table("Users", 10_000)
        self.branches: Table[Branch] = Table("Branches", 10_000)
        self.pools: Table[Pool] = Table("Pools", 10_000)
        self.monitors: Table[Monitor] = Table("Monitors", 100_000)
        #: The last serial given to a job.
        self.jobs_serial = 0
        self.changes = Changes()
        self.events = Events()
        self.timers = Timers()
        self.solver = Solver(self)
        self.totals = Totals(self)
        self.cycle = Cycle(self)
        self.sysjob = SystemJob()
        self.tokens = Tokens()
        #: Says why new jobs cannot be promised to be kept, empty when they can; the shell sets it.
        self.why_no_jobs: Callable[[], str] = str
        #: {message type: (bytes, messages, greatest size)} read since the start.
        self.traffic: dict[int, tuple[int, int, int]] = {}
        #: True in demo mode: no new jobs, no changes of commands.
        self.demo = False
        #: False when nobody keeps statistics, so that rows need not be made.
        self.keeps_statistics = True
        #: Tells who asks; None: access control is off, everybody may do everything.
        self.gate: Gate | None = None
        #: Whether there is an audit log that wants to hear of actions.
        self.keeps_audit = False
        #: {job id: job}: to be refreshed before the call ends.
        self.dirty_jobs: dict[int, Job] = {}
        #: {render id: render}: runs ended; busy ones without tasks become free after solving.
        self.freed: dict[int, Render] = {}
        #: {job id: job}: jobs with a mask of jobs to wait for.
        self.waiters: dict[int, Job] = {}
        #: {(job id, block, task)} whose output monitors listen to; block and task -1: the whole job.
        self.listened: dict[tuple[int, int, int], None] = {}
        #: The last number of `turn`, what it was for, and when.
        self._turn = 0
        self._turn_kind = ""
        self._turn_at = float("-inf")
        #: {pool id: limits of its automatics, None: all are off}; worked out when `hosts` first asks.
        self.automatics: dict[int, dict[str, int] | None] = {}
        self.root_pool = self._make_root_pool()
        self.root_branch = registration.new_branch(self, "/", None)

    # -- the two ways in

    def begin(self, now: float) -> None:
        """Begin a call: the time moves on, and what is due by now is done."""
        self.now = max(now, self.now)
        for what in self.timers.take_due(self.now):
            self._on_timer(*what)

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.begin(now)
        self.settle()

    def next_time(self) -> float | None:
        """Return when `tick` has something to do next, Unix seconds."""
        return self.timers.next_time()

    def settle(self) -> None:
        """Bring up to date what the call changed, start what can start, and again."""
        self.refresh_dirty()
        solver = self.solver
        if solver.dirty_renders or solver.dirty_profiles:
            began = self._stopwatch()
            solver.solve(self._start)
            self.figures.solves.add(self._stopwatch() - began)
        if self.freed:
            self.cycle.free_hosts()
        self.refresh_dirty()
        if self.totals.moved_renders:
            self.totals.count_renders()

    def refresh_dirty(self) -> None:
        """Refresh the jobs that changed."""
        dirty = self.dirty_jobs
        while dirty:
            job = dirty.pop(next(iter(dirty)))
            refresh.refresh_job(self, job)

    def _start(self, block: Block, number: int, render: Render) -> None:
        if block.keeps_own_runs:
            block.start_own_run(self, number, render)
        else:
            running.start_on_render(self, block, number, render)

    def turn(self, kind: str) -> int:
        """Number the moment at which a render becomes busy or free, for the order of renders.

        COMPAT(render-turns): the original compares whole seconds, and in its cycle all that ends comes before
        all that starts. Here moments that follow each other closely have one number, a new one begins when
        something ends after a start, or after a pause.
        """
        if (kind == "free" and self._turn_kind == "busy") or self.now >= self._turn_at + TURN_PAUSE:
            self._turn += 1
        self._turn_kind, self._turn_at = kind, self.now
        return self._turn

    def _on_timer(self, name: str, *args: Any) -> None:
        match name:
            case "zombie":
                render = self.renders.by_id.get(args[0])
                if render is not None:
                    hosts.check_silence(self, render)
            case "run":
                job = self.jobs.by_id.get(args[0])
                if job is not None and args[1] < len(job.blocks):
                    run = job.blocks[args[1]].runs.get(args[2])
                    if run is not None:
                        running.check_run(self, run)
            case "cycle":
                self.cycle.on_timer()
            case "window":
                self._open_window(args[0], args[1])
            case "job":
                job = self.jobs.by_id.get(args[0])
                if job is not None:
                    job.force_refresh = True
                    self.dirty_jobs[job.id] = job
            case "life":
                job = self.jobs.by_id.get(args[0])
                if job is not None:
                    joblife.check_life(self, job)
            case "forgive":
                job = self.jobs.by_id.get(args[0])
                if job is not None and args[1] < len(job.blocks):
                    joblife.forgive(self, job.blocks[args[1]])
            case "reconnect":
                job = self.jobs.by_id.get(args[0])
                if job is not None and args[1] < len(job.blocks):
                    joblife.give_up_reconnect(self, job.blocks[args[1]])
            case "no_task":
                render = self.renders.by_id.get(args[0])
                if render is not None:
                    emitted.check_no_task(self, render)
            case "overload":
                render = self.renders.by_id.get(args[0])
                if render is not None:
                    emitted.check_overload(self, render)
            case "monitor":
                watching.check_silence(self, args[0])
            case "wake":
                waking.wake_by_jobs(self)
            case "wol":
                render = self.renders.by_id.get(args[0])
                if render is not None:
                    waking.check_wol(self, render)
            case "sysjob":
                self.sysjob.tick()

    def _open_window(self, kind: str, node_id: int) -> None:
        """A node's limit per second is over: it may start tasks again."""
        node = getattr(self, kind).by_id.get(node_id)
        if node is None:
            return
        if kind == "jobs":
            self.solver.update_job(node)
        elif kind == "users":
            self.solver.update_user(node)
        else:
            self.solver.update_branch(node)

    # -- nodes come and go

    def _make_root_pool(self) -> Pool:
        return Pool(
            name="/",
            priority=self.settings.af_priority,
            capacity_host=1100,
            max_tasks_host=4,
            time_creation=int(self.now),
        )

    def make_roots(self) -> None:
        """Take in the root pool and the root branch of a new farm, unless a store brought them."""
        if not self.root_pool.id:
            self.root_pool.time_creation = int(self.now)
            self.pools.add(self.root_pool)
            self.log(self.root_pool, "Created.", store=True)
            self.log(self.root_pool, "Initialized.")
            self.save(self.root_pool)
        if not self.root_branch.id:
            self.root_branch.time_creation = self.root_branch.time_empty = int(self.now)
            self.branches.add(self.root_branch)
            self.log(self.root_branch, "Created from job.", store=True)
            self.log(self.root_branch, "Initialized.")
            self.save(self.root_branch)

    def add_user(self, user: User) -> None:
        """Take a new user in."""
        self.users.add(user)
        self.events.mark("users_add", user.id)
        self.save(user)
        self.line(
            f"New job user registered: #{user.id}:{user.priority} {user.name} j0/0 r0/{user.max_running_tasks}"
        )

    def remove_user(self, user: User) -> None:
        """Let a user without jobs go."""
        for link in list(user.in_branch.values()):
            link.step_off()
            link.branch.users.pop(user.id, None)
        user.in_branch.clear()
        self.users.remove(user)
        self.note_gone(user)

    def add_branch(self, branch: Branch, parent: Branch | None) -> None:
        """Take a new branch in, below its parent."""
        self.branches.add(branch)
        self.events.mark("branches_add", branch.id)
        self.changed(branch)
        if parent is not None:
            branch.parent_node = parent
            parent.children[branch.id] = branch
            self.totals.add(parent, "branches_total", 1)
            self.changed(parent)
            self.solver.update_branch(branch)
        self.save(branch)

    def remove_branch(self, branch: Branch) -> None:
        """Let a branch without jobs and children go."""
        parent = branch.parent_node
        assert parent is not None
        self.totals.rise_now(branch)
        branch.step_off()
        del parent.children[branch.id]
        self.totals.add(parent, "branches_total", -1)
        self.changed(parent)
        self.branches.remove(branch)
        self.note_gone(branch)

    def add_pool(self, pool: Pool, parent: Pool | None) -> None:
        """Take a new pool in, below its parent."""
        self.pools.add(pool)
        if parent is not None:
            pool.pool_node = parent
            parent.children[pool.id] = pool
            self.totals.add(parent, "pools_total", 1)
            self.changed(parent)
        self.events.mark("pools_add", pool.id)
        self.save(pool)

    def remove_pool(self, pool: Pool) -> None:
        """Let a pool without renders and children go."""
        parent = pool.pool_node
        assert parent is not None
        self.totals.rise_now(pool)
        del parent.children[pool.id]
        self.totals.add(parent, "pools_total", -1)
        self.changed(parent)
        self.solver.ready.pop(pool.id, None)
        self.pools.remove(pool)
        self.automatics.clear()
        self.note_gone(pool)

    def add_render(self, render: Render, pool: Pool | None = None) -> None:
        """Take a new render in, into a pool or the one whose pattern takes its name."""
        self.renders.add(render)
        self.put_into_pool(render, pool or self.root_pool.find_for(render.name))
        self.events.mark("renders_add", render.id)

    def put_into_pool(self, render: Render, pool: Pool) -> None:
        """Put a render that runs nothing into a pool, out of the one it was in."""
        self.leave_pool(render)
        render.pool_node = pool
        pool.renders[render.id] = render
        self.log(pool, f"Adding a render: {render.name}")
        render.refresh_inherited()
        self.changed(render)
        self.place_render(render)
        self.solver.touch_render(render)

    def leave_pool(self, render: Render) -> None:
        """Take a render out of its pool."""
        pool = render.pool_node
        if pool is None:
            return
        self.solver.forget_render(render)
        self.totals.drop_render(render)
        pool.renders.pop(render.id, None)
        self.log(pool, f"Removing a render: {render.name}")
        render.pool_node = None

    def remove_render(self, render: Render) -> None:
        """Let an offline render go."""
        self.log(render, "Deleting")
        self.line(f"Deleting {render.name}")
        self.leave_pool(render)
        self.renders.remove(render)
        self.note_gone(render)

    # -- notes of change

    def note_gone(self, node: Any) -> None:
        """Note that a node left its table."""
        node.gone = True
        self.cycle.watch()
        if node.kind != "jobs":
            self.events.mark(f"{node.kind}_del", node.id)
        self.changes.nodes.pop((node.kind, node.id), None)
        self.changes.removed.append(Removed(node.kind, node.id, node.name))

    def changed(self, node: Any) -> None:
        """Note that what others see of a node has changed."""
        if node.encoded:
            node.encoded.clear()
        if self.events.wanted:
            kind = node.kind
            self.events.mark(_CHANGE_EVENTS[kind], node.id, node.user.id if kind == "jobs" else -1)

    def save(self, node: Any) -> None:
        """Note that a node must be stored."""
        if node.id:
            self.changes.nodes[node.kind, node.id] = None

    def task_changed(self, block: Block, number: int, *, store: bool) -> None:
        """Note that a task changed; `store` tells whether its stored form did."""
        job = block.job
        block.encoded.clear()
        if block.feeds or block.task_sources:
            job.changed_tasks[block.block_num, number] = None
        if store:
            self.changes.tasks[job.id, block.block_num, number] = None
            if number in block.tasks.erring:
                block.to_retry[number] = None
        self.events.task(job.id, block.block_num, number)

    def touch_job(self, job: Job, block: Block) -> None:
        """Note that a job must be refreshed since one of its blocks changed."""
        job.dirty_blocks[block.block_num] = None
        self.dirty_jobs[job.id] = job

    def touch_whole_job(self, job: Job) -> None:
        """Note that a job must be refreshed in all its parts, as after an edit."""
        job.force_refresh = True
        self.dirty_jobs[job.id] = job
        for block in job.blocks:
            job.dirty_blocks[block.block_num] = None
            for number in block.tasks.erring:
                block.to_retry[number] = None

    def counts_changed(self, job: Job) -> None:
        """Note that running tasks of a job were counted: it and all above have another need."""
        solver = self.solver
        self.changed(job)
        solver.update_job(job)
        self.changed(job.user)
        solver.update_user(job.user)
        branch: Branch | None = job.branch_node
        while branch is not None:
            self.changed(branch)
            solver.update_branch(branch)
            branch = branch.parent_node

    def place_render(self, render: Render) -> None:
        """Note that the state, room or order of a render changed."""
        if render.pool_node is not None:
            self.solver.place_render(render)
            self.totals.moved_renders[render.id] = render

    # -- logs

    def log(
        self,
        node: Logged,
        text: str,
        *,
        kind: str = "",
        named: str = "",
        subject: str = "afanasy",
        store: bool = False,
    ) -> None:
        """Add a line to the log of a node; `store` adds it to the statistics too (json-api 12)."""
        limit = self.settings.af_node_log_lines_max
        if node.log_lines is None or node.log_lines.maxlen != limit:
            node.log_lines = deque(node.log_lines or (), maxlen=limit)
        type_ = kind or LOG_KINDS.get(node.kind, node.kind)
        line = LogLine(int(self.now), subject, type_, named or getattr(node, "name", ""), text)
        node.log_lines.append(line)
        if store:
            self.add_log_row(line)

    def add_log_row(self, line: LogLine) -> None:
        """Put a line into the statistics."""
        if self.keeps_statistics:
            self.changes.rows.append(LogRow(line.time, line.subject, line.type, line.object, line.info))

    def log_task(self, block: Block, number: int, text: str, subject: str = "afanasy") -> None:
        """Add a line to the log of a task."""
        block.tasks.log(number, self.settings.af_task_log_linesmax, int(self.now), subject, text)

    def log_render_task(self, render: Render, text: str) -> None:
        """Add a line to the log of a render's tasks."""
        lines = render.tasks_log
        lines.append((int(self.now), text))
        while len(lines) > self.settings.af_node_log_lines_max:
            lines.popleft()

    def line(self, text: str, level: int = logging.INFO) -> None:
        """Write a line into the server's own log."""
        self.changes.lines.append((level, text))

    # -- what follows from a change

    def on_tickets_released(self, tickets: dict[str, int]) -> None:
        """Let blocks that take a ticket be tried again on all renders."""
        for profile in list(self.root_branch.offers):
            if profile.takes_any(tickets):
                self.solver.touch_profile(profile)

    def on_progress(self, block: Block, number: int) -> None:
        """Let tasks that wait for frames of a running task be looked at."""
        job = block.job
        job.dirty_blocks[block.block_num] = None
        if block.feeds:
            job.changed_tasks[block.block_num, number] = None
        self.dirty_jobs[job.id] = job

    # -- checking

    def validate(self) -> None:
        """Recompute every counter and assert that nothing drifted."""
        from afanasy_py.core.validate import validate

        validate(self)


_CHANGE_EVENTS = {
    kind: f"{kind}_change" for kind in ("jobs", "users", "renders", "monitors", "branches", "pools")
}
