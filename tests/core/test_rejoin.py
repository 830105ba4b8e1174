"""Tasks that a render still runs when it registers."""

from afanasy_py.core import hosts
from afanasy_py.core.task_states import WRC
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.types import TaskStatus
from tests.core.action_farm import ActionFarm


def test_a_task_that_rejoins_under_another_service_ends_with_even_counts() -> None:
    fake = ActionFarm()
    job = fake.add_job()
    render = fake.add_render()
    (run,) = render.runs.values()
    description = run.exec
    hosts.go_offline(fake.farm, render, TaskStatus.RenderZombie)
    block = job.blocks[0]
    block.tasks.set_st(0, WRC)
    fake.farm.touch_whole_job(job)
    block.service = "other"
    told = RenderRecord(name=render.name, st=1, tasks=[description])
    hosts.register(fake.farm, told, "127.0.0.1")
    fake.settle()
    hosts.go_offline(fake.farm, render, TaskStatus.RenderZombie)
    fake.settle()
    assert not render.runs
    assert not job.running_services
    fake.farm.validate()
