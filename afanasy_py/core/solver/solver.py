"""The solver: starts everything that can start, in the order of the original, and visits only what changed.

Between two calls of `solve` nothing that is on offer can start on any ready render: that is what `solve`
leaves behind. So the next call looks only at pairs that something changed since: all offers against the
renders that changed (`touch_render`), and changed profiles against all ready renders (`touch_profile`).
Within a call each start makes the farm only tighter, so what was refused stays refused.

Source: spec scheduling 2.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush, merge
from typing import TYPE_CHECKING, Any

from afanasy_py.core.branch import Branch
from afanasy_py.core.job import FLAG_MAINTENANCE, Job
from afanasy_py.core.node import SOLVE_CAPACITY, SOLVE_PRIORITY, drop_one
from afanasy_py.core.render import NIMBY_OWN
from afanasy_py.core.solver.checks import demands_of, masks_are_regex, pool_entry_matches
from afanasy_py.core.solver.need import need
from afanasy_py.core.solver.profile import Profile, Profiles
from afanasy_py.core.solver.tree import Entry, Member, Shelf, UserInBranch
from afanasy_py.core.task_states import OFF, PPA, RDY

if TYPE_CHECKING:
    from afanasy_py.core.block import Block
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.pool import Pool
    from afanasy_py.core.render import Render
    from afanasy_py.core.user import User

#: Up to so many changed renders are tried alone; more are tried as if all ready ones had changed.
FEW_RENDERS = 16

#: Starts a task of a block on a render; or wakes the render for it.
Starter = Callable[["Block", int, "Render"], None]


class Solver:
    """Offers, ready renders, and what changed since the last time."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.profiles = Profiles()
        #: {pool id: sorted keys of its ready renders; the last item of a key is the name}
        self.ready: dict[int, list[tuple[Any, ...]]] = {}
        self.dirty_renders: dict[int, Render] = {}
        self.dirty_profiles: dict[Profile, None] = {}
        #: Number of the node that was solved last: what nodes remember as `last_solved`.
        self.turns = 0
        #: Entries that were refused in the running call, to be put back after it.
        self._aside: list[tuple[list[Entry], Entry]] = []
        #: {profile: renders to try, None: all ready ones}, during a call.
        self._hopes: dict[Profile, list[Render] | None] = {}
        #: True while sleeping renders are tried, which are not ready.
        self._waking = False

    # -- renders

    def touch_render(self, render: Render) -> None:
        """Note that a render may be able to take what it could not take before."""
        self.dirty_renders[render.id] = render

    def place_render(self, render: Render) -> None:
        """Put a render into the order of ready ones, at its place of now, or take it out."""
        old = render.ready_key
        new = render.order_key() if render.is_ready() else None
        if old == new:
            return
        pool = render.pool_node
        keys = self.ready.setdefault(pool.id, []) if pool is not None else []
        if old is not None:
            del keys[bisect_left(keys, old)]
        if new is not None:
            insort(keys, new)
        render.ready_key = new

    def forget_render(self, render: Render) -> None:
        """Take a render out of the order; to be called before its pool changes."""
        if render.ready_key is not None and render.pool_node is not None:
            keys = self.ready[render.pool_node.id]
            del keys[bisect_left(keys, render.ready_key)]
            render.ready_key = None
        self.dirty_renders.pop(render.id, None)

    def touch_pool(self, pool: Pool) -> None:
        """Note that something changed for all renders of a pool and of the pools below."""
        for render in pool.all_renders():
            render.refresh_inherited()
            self.place_render(render)
            self.touch_render(render)

    # -- offers

    def touch_profile(self, profile: Profile) -> None:
        """Note that blocks of a profile may start on renders that refused them before."""
        self.dirty_profiles[profile] = None

    def touch_job(self, job: Job) -> None:
        """Note that a job may start on renders that refused it before."""
        for profile in job.offers:
            self.touch_profile(profile)

    def _shelf_of(self, job: Job) -> Shelf:
        """Return the shelf on which a job stands when it can run."""
        branch = job.branch_node
        if branch.solve_jobs:
            return branch.shelf
        return self._in_branch(job.user, branch).shelf

    def _in_branch(self, user: User, branch: Branch) -> UserInBranch:
        found = user.in_branch.get(branch.id)
        if found is None:
            found = user.in_branch[branch.id] = branch.users[user.id] = UserInBranch(user, branch)
            self.update_user(user)
        return found

    def join(self, job: Job) -> None:
        """Take a job into the tree, below its user and branch."""
        self._in_branch(job.user, job.branch_node).jobs[job.id] = job
        self.update_user(job.user)

    def part(self, job: Job) -> None:
        """Take a job out of the tree; it must not run anything that is counted per user and branch."""
        for block in job.blocks:
            self.withdraw(block)
        job.step_off()
        link = self._in_branch(job.user, job.branch_node)
        link.jobs.pop(job.id, None)
        if not link.jobs and not link.running_tasks_num:
            link.step_off()
            del job.user.in_branch[job.branch_node.id]
            del job.branch_node.users[job.user.id]

    def offer(self, block: Block) -> None:
        """Put a block on offer, or take it off, as its state and limits of now say."""
        if block.st & RDY and not block.is_off() and self._has_task(block):
            if block.profile is None:
                profile = self.profiles.take(self._demands(block), block.job.user_name)
                block.profile = profile
                block.job.add_offer(profile)
                self.touch_profile(profile)
            elif block.tasks.error_hosts or block.job.flags & FLAG_MAINTENANCE:
                # Another task may be on offer now, for hosts that the one before was not for.
                self.touch_profile(block.profile)
        else:
            self.withdraw(block)

    def withdraw(self, block: Block) -> None:
        """Take a block off offer."""
        profile = block.profile
        if profile is not None:
            block.profile = None
            block.job.remove_offer(profile)
            if self.profiles.give_back(profile, block.job.user_name):
                self.dirty_profiles.pop(profile, None)

    def offer_anew(self, jobs: Iterable[Job]) -> None:
        """Offer all blocks of jobs again, since what they or nodes above them demand has changed."""
        for job in jobs:
            for block in job.blocks:
                self.withdraw(block)
                block.demands = None
                self.offer(block)

    def _has_task(self, block: Block) -> bool:
        return block.offered_task() >= 0

    def _demands(self, block: Block) -> tuple[tuple[int, Any], ...]:
        job = block.job
        if block.demands is None:
            block.demands = demands_of(block, "block", regex=masks_are_regex(job))
        if job.demands is None:
            job.demands = demands_of(job, "job", regex=masks_are_regex(job))
        demands = job.demands + block.demands
        if not job.branch_node.solve_jobs:
            demands = self._work_demands(job.user) + demands
        for branch in job.branch_node.path():
            demands = self._work_demands(branch) + demands
        return demands

    def _work_demands(self, node: User | Branch) -> tuple[tuple[int, Any], ...]:
        if node.demands is None:
            node.demands = demands_of(node, "work", regex=masks_are_regex(node))
        return node.demands

    # -- places of nodes in the tree

    def update_job(self, job: Job) -> None:
        """Let a job stand on the shelf above it exactly while it can run (spec 2.2)."""
        runs = (
            not job.locked
            and not job.gone
            and job.st & RDY
            and not job.st & OFF
            and job.is_within_limits(self.farm.now)
        )
        self._stand(job, self._shelf_of(job) if runs else None, self._job_key(job))

    def update_user(self, user: User) -> None:
        """The same for a user, in each of its branches."""
        runs = not user.paused and user.is_within_limits(self.farm.now)
        for link in user.in_branch.values():
            self._stand(link, link.branch.shelf if runs else None, self._link_key(link))

    def update_branch(self, branch: Branch) -> None:
        """The same for a branch; the root stands nowhere, it is asked when solving."""
        if branch.parent_node is not None:
            runs = not branch.paused and branch.is_within_limits(self.farm.now)
            self._stand(branch, branch.parent_node.shelf if runs else None, self._branch_key(branch))

    def update_path(self, job: Job) -> None:
        """Update a job and all nodes above it."""
        self.update_job(job)
        self.update_user(job.user)
        for branch in job.branch_node.path():
            self.update_branch(branch)

    def _stand(self, member: Member, shelf: Shelf | None, key: tuple[Any, ...]) -> None:
        if member.on is shelf:
            member.rekey(key)
            return
        member.step_off()
        if shelf is not None:
            member.step_on(shelf, key)
            for profile in member.offers:
                self.touch_profile(profile)

    @staticmethod
    def _key(flags: int, node: Any, counts: Any, age: int, place: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a sort key by the method of the parent, whose work flags are given (spec 2.4)."""
        if flags & SOLVE_PRIORITY:
            resources = counts.running_capacity_total if flags & SOLVE_CAPACITY else counts.running_tasks_num
            return (-need(node.priority, resources), node.last_solved, *place)
        return (-node.priority, age, node.last_solved, *place)

    def _job_key(self, job: Job) -> tuple[Any, ...]:
        branch = job.branch_node
        if branch.solve_jobs:
            place = (1, *self.farm.jobs.place(job.id)) if job.id in self.farm.jobs.by_id else (1,)
            return self._key(branch.work_flags, job, job, job.time_creation, place)
        user = job.user
        if user.work_flags & SOLVE_PRIORITY:
            return self._key(user.work_flags, job, job, 0, (job.list_place, job.id))
        return (job.list_place, job.id)

    def _link_key(self, link: UserInBranch) -> tuple[Any, ...]:
        return self._key(link.branch.work_flags, link.user, link, 0, (1, link.user.id))

    def _branch_key(self, branch: Branch) -> tuple[Any, ...]:
        parent = branch.parent_node
        assert parent is not None
        return self._key(parent.work_flags, branch, branch, 0, (0, *self.farm.branches.place(branch.id)))

    # -- counting

    def count_start(self, block: Block, render: Render, capacity: int) -> None:
        """Count a start on the block, its job, its user and all branches (spec 2.1.7)."""
        job = block.job
        service = block.service
        block.running_tasks_counter += 1
        block.running_capacity_total += capacity
        block.tasks_on[render.id] = block.tasks_on.get(render.id, 0) + 1
        job.count_start(render.id, capacity, service)
        job.user.count_start(render.id, capacity, service)
        branch: Branch | None = job.branch_node
        while branch is not None:
            branch.count_start(render.id, capacity, service)
            branch = branch.parent_node
        link = self._in_branch(job.user, job.branch_node)
        link.running_tasks_num += 1
        link.running_capacity_total += capacity

    def count_end(self, block: Block, render: Render, capacity: int, service: str) -> None:
        """Count the end of a run; `service` is the one that it was started with."""
        job = block.job
        block.running_tasks_counter -= 1
        block.running_capacity_total -= capacity
        drop_one(block.tasks_on, render.id)
        job.count_end(render.id, capacity, service)
        job.user.count_end(render.id, capacity, service)
        branch: Branch | None = job.branch_node
        while branch is not None:
            branch.count_end(render.id, capacity, service)
            branch = branch.parent_node
        link = self._in_branch(job.user, job.branch_node)
        link.running_tasks_num -= 1
        link.running_capacity_total -= capacity

    def _mark_solved(self, job: Job) -> None:
        """Number the nodes on the path of a start and count it against limits per second (spec 2.1.8).

        Each has a number of its own, the job the first: a user who shares a start with a branch beside him
        was solved before it.
        """
        farm = self.farm
        path: list[Any] = [job]
        if not job.branch_node.solve_jobs:
            path.append(job.user)
        path += job.branch_node.path()
        for node in path:
            self.turns += 1
            node.last_solved = self.turns
            if node.max_tasks_per_second > 0 and node.count_in_window(farm.now):
                farm.timers.add(node.window_opened + 1.0, "window", node.kind, node.id)

    # -- solving

    def solve(self, start: Starter) -> int:
        """Start all that can start now; return the number of starts."""
        root = self.farm.root_branch
        if not self.dirty_renders and not self.dirty_profiles:
            return 0
        if root.paused or not root.is_within_limits(self.farm.now):
            return 0
        self._collect_hopes(root)
        started = 0
        while self._hopes and not root.paused and root.is_within_limits(self.farm.now):
            if not self._solve_branch(root, start):
                break
            started += 1
            self._drop_exhausted()
        else:
            if self._hopes:
                # The root's own limit ended the call: what changed is looked at again later.
                self._put_back()
                return started
        self.dirty_renders.clear()
        self.dirty_profiles.clear()
        self._put_back()
        return started

    def wake(self, sleeping: list[Render], start: Starter) -> bool:
        """Try to start one task on sleeping renders, for a waker; return success."""
        root = self.farm.root_branch
        if root.paused or not root.is_within_limits(self.farm.now):
            return False
        hosts = sorted(sleeping, key=lambda r: (-r.pool_node.level() if r.pool_node else 0, *r.order_key()))
        for profile in root.offers:
            if any(profile.accepts(render) for render in hosts):
                self._hopes[profile] = hosts
        self._waking = True
        done = bool(self._hopes) and self._solve_branch(root, start)
        self._waking = False
        self._put_back()
        return done

    def _drop_exhausted(self) -> None:
        """Drop the hopes that rest on renders which are not ready any more."""
        hopes = self._hopes
        hosts = next(iter(hopes.values()), None)
        if hosts is not None and not any(render.ready_key is not None for render in hosts):
            for profile in [profile for profile, rest in hopes.items() if rest is hosts]:
                del hopes[profile]

    def _put_back(self) -> None:
        self._hopes.clear()
        for heap, entry in self._aside:
            heappush(heap, entry)
        self._aside.clear()

    def _collect_hopes(self, root: Branch) -> None:
        """Find the profiles that some changed or ready render would accept."""
        hopes = self._hopes
        changed = [render for render in self.dirty_renders.values() if render.ready_key is not None]
        if changed:
            hosts = changed if len(changed) <= FEW_RENDERS else None
            for profile in root.offers:
                if hosts is not None:
                    for render in hosts:
                        if profile.accepts(render):
                            hopes[profile] = hosts
                            break
                elif self._is_accepted(profile):
                    hopes[profile] = None
        for profile in self.dirty_profiles:
            if profile in root.offers and self._is_accepted(profile):
                hopes[profile] = None

    def _is_accepted(self, profile: Profile) -> bool:
        by_name = self.farm.renders.by_name
        return any(profile.accepts(by_name[key[-1]]) for keys in self.ready.values() for key in keys)

    def _is_hopeful(self, profile: Profile) -> bool:
        hosts = self._hopes[profile]
        if hosts is None:
            return self._is_accepted(profile)
        return any(
            (render.ready_key is not None or self._waking) and profile.accepts(render) for render in hosts
        )

    def _solve_branch(self, branch: Branch, start: Starter) -> bool:
        while (child := self._first_child(branch.shelf)) is not None:
            if isinstance(child, Job):
                done = self._solve_job(child, start)
            elif isinstance(child, UserInBranch):
                done = self._solve_user(child, start)
            else:
                assert isinstance(child, Branch)
                done = self._solve_branch(child, start)
            if done:
                return True
            self._refuse(branch.shelf, child)
        return False

    def _solve_user(self, link: UserInBranch, start: Starter) -> bool:
        while (job := self._first_child(link.shelf)) is not None:
            assert isinstance(job, Job)
            if self._solve_job(job, start):
                return True
            self._refuse(link.shelf, job)
        return False

    def _first_child(self, shelf: Shelf) -> Member | None:
        """Return the first child that offers something to hope for."""
        best: Entry | None = None
        for profile in self._hopes:
            entry = shelf.top(profile)
            if entry is not None and (best is None or entry[0] < best[0]):
                best = entry
        return best[2] if best is not None else None

    def _refuse(self, shelf: Shelf, child: Member) -> None:
        """Leave a child out for the rest of the call, and profiles that nobody accepts any more."""
        for profile in [p for p in self._hopes if p in child.offers]:
            if not self._is_hopeful(profile):
                del self._hopes[profile]
                continue
            heap = shelf.heaps.get(profile, [])
            if heap and heap[0][2] is child:
                self._aside.append((heap, heappop(heap)))

    # -- a job and its renders

    def _solve_job(self, job: Job, start: Starter) -> bool:
        """Start one task of a job on the first render in its order that takes one (spec 2.1.6)."""
        limited = self._limits_per_host(job)
        for render in self._hosts_for(job):
            if render.ready_key is None and not self._waking:
                continue
            if limited and any(node.tasks_on.get(render.id, 0) >= limit for node, limit in limited):
                continue
            if render.st & NIMBY_OWN and job.user_name != render.user_name and job.minds_nimby():
                continue
            found = self._find_task(job, render)
            if found is not None:
                block, number = found
                avoided = number in block.tasks.error_hosts
                self._mark_solved(job)
                start(block, number, render)
                if avoided and block.profile is not None:
                    # Hosts that this task avoids had to wait for it; they may take the next one.
                    self._hopes[block.profile] = None
                return True
        return False

    @staticmethod
    def _limits_per_host(job: Job) -> list[tuple[Any, int]]:
        branch = job.branch_node
        nodes: list[Any] = [job, *branch.path()]
        if not branch.solve_jobs:
            nodes.append(job.user)
        return [(n, n.max_running_tasks_per_host) for n in nodes if n.max_running_tasks_per_host > 0]

    def _hosts_for(self, job: Job) -> Iterator[Render]:
        """Yield the renders to try for a job, in its order (spec 2.5)."""
        few: dict[int, Render] = {}
        for profile in job.offers:
            if profile in self._hopes:
                hosts = self._hopes[profile]
                if hosts is None:
                    yield from self._all_ready(job)
                    return
                for render in hosts:
                    few[render.id] = render
        if len(few) == 1:
            yield from few.values()
        else:
            yield from sorted(few.values(), key=lambda r: (-self._level(r.pool_node, job), *r.order_key()))

    def _all_ready(self, job: Job) -> Iterator[Render]:
        by_level: dict[int, list[list[tuple[Any, ...]]]] = {}
        for pool_id, keys in self.ready.items():
            if keys:
                level = self._level(self.farm.pools.by_id[pool_id], job)
                by_level.setdefault(level, []).append(keys)
        by_name = self.farm.renders.by_name
        for level in sorted(by_level, reverse=True):
            lists = by_level[level]
            for key in merge(*lists) if len(lists) > 1 else lists[0]:
                yield by_name[key[-1]]

    @staticmethod
    def _level(pool: Pool | None, job: Job) -> int:
        if pool is None:
            return 0
        level = pool.level()
        for entry, value in job.pools.items():
            if pool_entry_matches(entry, pool.name):
                level += value
        return level

    def _find_task(self, job: Job, render: Render) -> tuple[Block, int] | None:
        """Return the task that a job would start on a render, or None."""
        if job.try_this_tasks_num:
            for block_num, number in zip(job.try_this_blocks_num, job.try_this_tasks_num, strict=False):
                block = job.blocks[block_num]
                if block.tasks.st[number] & RDY and self._can_start(block, number, render):
                    return block, number
        for block in job.blocks:
            if block.profile is not None:
                number = block.offered_task_on(render)
                if number >= 0 and self._can_start(block, number, render):
                    return block, number
        return None

    @staticmethod
    def _can_start(block: Block, number: int, render: Render) -> bool:
        if block.profile is None or not block.profile.accepts(render):
            return False
        limit = block.max_running_tasks_per_host
        if limit > 0 and block.tasks_on.get(render.id, 0) >= limit:
            return False
        return not block.avoids(render.name) and not block.task_avoids(number, render.name)

    def mark_approval(self, job: Job) -> bool:
        """Set or drop the PPA state of a job that could run; return whether it changed (spec 5.1)."""
        if job.waits_approval():
            stuck = any(b.st & RDY and not b.is_off() and b.offered_task() < 0 for b in job.blocks)
            if stuck and not job.st & PPA:
                job.st |= PPA
                return True
            return False
        return job.clear_approval()
