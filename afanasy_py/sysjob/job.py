"""The system job: job 1, through which the server has commands run on renders.

It carries post commands of deleted jobs, wake-on-LAN requests and events. Source: sysjob-events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from afanasy_py.core import joblife, registration
from afanasy_py.core.farm import SystemJob
from afanasy_py.core.farmpart import chain
from afanasy_py.core.job import SYSJOB_ID, Job
from afanasy_py.core.node import MASK_FIND
from afanasy_py.core.tasks import Tasks
from afanasy_py.msg.records.block import TaskData
from afanasy_py.sysjob import custom_data
from afanasy_py.sysjob.block import DUMMY_NAME, SystemBlock
from afanasy_py.sysjob.commands import Command, decode_command
from afanasy_py.sysjob.line_json import line_json

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.core.render import Render

NAME = "afanasy"
USER_NAME = "afadmin"
POST_COMMANDS, WAKE_ON_LAN, EVENTS = range(3)

#: (name of the block, setting that names its service)
BLOCKS = (
    ("post_commands", "af_sysjob_postcmd_service"),
    ("wake-on-lan", "af_sysjob_wol_service"),
    ("events", "af_sysjob_events_service"),
)

#: The name of an event task without a name of its own is so long at most.
_TASK_NAME_MAX = 32


class SystemJobKeeper(SystemJob):
    """The farm's system job."""

    def __init__(self, farm: Farm, folder: str = "") -> None:
        """Prepare; the job itself is made or adopted later.

        Args:
            farm: Whose it is.
            folder: What the statistics name as the folder of its tasks: the tree of Afanasy; empty: `/`.
        """
        self.farm = farm
        self.folder = folder
        self.job: Job

    def make(self) -> None:
        """Make the job, in a farm whose store brought none."""
        farm = self.farm
        job = Job(
            id=SYSJOB_ID,
            name=NAME,
            user_name=USER_NAME,
            branch="/",
            priority=farm.settings.af_priority,
            time_creation=int(farm.now),
            user_list_order=-1,
            work_flags=MASK_FIND,
            serial=0,
        )
        for number in range(len(BLOCKS)):
            job.blocks.append(self._make_block(job, number))
        self.adopt(job)

    def _make_block(self, job: Job, number: int) -> SystemBlock:
        settings = self.farm.settings
        name, service = BLOCKS[number]
        block = SystemBlock(
            block_num=number,
            name=name,
            service=getattr(settings, service),
            capacity=settings.af_task_default_capacity,
            task_max_run_time=60,
            errors_retries=9,
            errors_avoid_host=3,
            errors_task_same_host=1,
            errors_forgive_time=600,
        )
        prepare_block(block, job)
        return block

    def adopt(self, job: Job) -> None:
        """Take a system job into the farm: a new one, or the one of the store."""
        farm = self.farm
        self.job = job
        job.time_creation = int(farm.now)
        job.own_folder = self.folder
        user = registration.find_user(farm, job)
        branch = farm.root_branch
        for block in job.blocks:
            block.job_id = SYSJOB_ID
            block.flags = 0
        joblife.add(farm, job, user, branch)
        job.is_new = False
        farm.log(job, "Initialized.")
        for node in (user, branch):
            farm.log(node, f"Adding a job: {job.name}")
        job.locked = False
        farm.touch_whole_job(job)

    def block(self, number: int) -> SystemBlock:
        """Return one of the three blocks."""
        block = self.job.blocks[number]
        assert isinstance(block, SystemBlock)
        return block

    def add_command(
        self,
        number: int,
        text: str,
        working_directory: str,
        user_name: str,
        job_name: str,
        task_name: str = "",
    ) -> None:
        """Queue a command in a block."""
        farm, block = self.farm, self.block(number)
        name = task_name or _short_name(text)
        command = Command(
            block.next_number, int(farm.now), text, working_directory, user_name, job_name, name
        )
        block.queue(farm, command)

    # -- what the farm asks

    def job_events(self, job: Job, events: list[str]) -> None:
        """Let the events service hear of a job."""
        events = self._wanted(events, [job.user, job])
        if not events:
            return
        document = {"user": job.user.to_json(), "job": job.to_json(), "events": events}
        self.add_command(EVENTS, line_json(document), "", job.user_name, job.name, events[0])

    def render_event(self, render: Render, event: str) -> None:
        """Let the events service hear of a render."""
        if not self._wanted([event], [*chain(render), self.job.user, self.job]):
            return
        document: dict[str, Any] = {
            "render": render.to_json(),
            "host_resources": render.host_resources.to_json(),
            "pools": [pool.to_json() for pool in chain(render) if pool is not render],
            "user": self.job.user.to_json(),
            "job": self.job.to_json(),
            "events": [event],
        }
        self.add_command(EVENTS, line_json(document), "", render.user_name, render.name, event)

    def _wanted(self, events: list[str], nodes: Sequence[custom_data.Told]) -> list[str]:
        """Return the events to queue: all, unless the server is to look at the custom data of the nodes first."""
        if not self.farm.settings.af_sysjob_events_merge:
            return events
        merged, complaints = custom_data.merge(nodes)
        for text in complaints:
            self.farm.log_task(self.block(EVENTS), 0, text, f"{nodes[-1].name}")
        return custom_data.wanted(merged, events)

    def post_commands(self, job: Job) -> None:
        """Queue the post commands of a job that is deleted: its own, then those of its blocks."""
        if job.command_post:
            directory = job.blocks[0].working_directory if job.blocks else ""
            self.add_command(POST_COMMANDS, job.command_post, directory, job.user_name, job.name)
        for block in job.blocks:
            if block.command_post:
                self.add_command(
                    POST_COMMANDS, block.command_post, block.working_directory, job.user_name, job.name
                )

    def wake(self, render: Render) -> None:
        """Queue the command that wakes a render; its task has a plain name."""
        self.add_command(WAKE_ON_LAN, line_json(render.to_json()), "", render.name, render.name, "wake")

    def tick(self) -> None:
        """Drop what waited for too long."""
        for number in range(len(BLOCKS)):
            self.block(number).drop_old(self.farm)

    # -- over a restart

    def commands(self) -> Iterator[tuple[int, Command]]:
        """Yield the number of the block and the command for all that is not done."""
        for number in range(len(BLOCKS)):
            for command in self.block(number).all_commands():
                yield number, command

    def load(self, number: int, documents: Iterable[bytes]) -> None:
        """Queue what waited in a block when the server was stopped: JSON of commands in order."""
        block = self.block(number)
        for document in documents:
            block.queue_again(self.farm, decode_command(document))


def prepare_block(block: SystemBlock, job: Job) -> None:
    """Give a block of the system job its dummy task."""
    block.job = job
    block.tasks_data = [TaskData(name=DUMMY_NAME)]
    block.tasks = Tasks(1, 0)


def _short_name(text: str) -> str:
    """Return the name of a command without one: its beginning, up to the first space."""
    head = text[:_TASK_NAME_MAX]
    space = head.find(" ", 1)
    return head[:space] if space > 0 else head
