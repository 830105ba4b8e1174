"""The texts of events and of waking are, letter by letter, those of the original."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core import emitted, hosts
from afanasy_py.msg.records.address import Address, NetIF
from afanasy_py.msg.records.hostres import HostRes
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.types import TaskStatus
from afanasy_py.sysjob.job import EVENTS
from afanasy_py.sysjob.line_json import line_json
from tests.sysjob.system_farm import ADDRESS, SystemFarm

NAMES = [
    "JOB_CREATED", "JOB_DELETED", "JOB_DONE", "JOB_ERROR", "RENDER_NO_TASK", "RENDER_OVERLOAD", "RENDER_SICK",
    "RENDER_ZOMBIE", "WOL_SLEEP", "WOL_WAKE",
]  # fmt: skip


@pytest.fixture
def golden(shared_dir: Path) -> Callable[[str], str]:
    folder = shared_dir / "golden" / "sysjob"
    return lambda name: (folder / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_is_the_recorded_one(golden: Callable[[str], str], name: str) -> None:
    text = golden(name)
    assert line_json(json.loads(text)) == text


# -- what the farm says


def plain(text: str) -> str:
    """Return a text without moments, durations and what happened to run beside."""
    text = re.sub(r'("(?:time_\w+|\w+_time)":)\d{10}', r"\1<time>", text)
    text = re.sub(r'("p_tasks_run_time_(?:min|max|sum)":)\d+', r"\1<seconds>", text)
    text = re.sub(r'"running_services":\{[^}]*\},\n', "", text)
    return re.sub(r',\n"running_(?:tasks_num|tasks_counter|capacity_total|jobs_num)":\d+(?=,|\n})', "", text)


def last_event(system: SystemFarm) -> str:
    """Return the text of the event that was queued last."""
    return list(system.block(EVENTS).all_commands())[-1].text


def add_film(system: SystemFarm, name: str, frames: int, *, errors_retries: int = -1, **fields: Any) -> int:
    """Register a job as it was when the texts were recorded; return its id."""
    block = {"name": "b", "service": "generic", "flags": 1, "command": "x @#@"}
    block |= {"frame_first": 1, "frame_last": frames, "frames_per_task": 1, "errors_retries": errors_retries}
    job = {"name": name, "user_name": "artist", "host_name": "ws01", "blocks": [block], **fields}
    return int(system.ask({"job": job})["id"])


def test_events_of_jobs(golden: Callable[[str], str]) -> None:
    recorded = json.loads(golden("JOB_DONE"))
    system = SystemFarm()
    system.ask({"user": {"name": "artist"}})
    user = system.farm.users.by_name["artist"]
    system.act("users", [user.id], params={"custom_data": recorded["user"]["custom_data"]})
    system.wait(4)
    done = add_film(system, "demo_done", 2, branch="/demo", custom_data=recorded["job"]["custom_data"])
    assert plain(last_event(system)) == plain(golden("JOB_CREATED"))
    system.act("jobs", [1], operation="pause")  # only the films run
    system.act("jobs", [done], operation="pause")
    wrong = add_film(system, "demo_error", 1, errors_retries=0)
    render = system.add_render("render01", user_name="artist")
    system.wait(2)
    system.end(render, TaskStatus.FinishedError)
    assert plain(last_event(system)) == plain(golden("JOB_ERROR"))
    system.act("jobs", [wrong], operation="delete")
    assert plain(last_event(system)) == plain(golden("JOB_DELETED"))
    system.act("jobs", [done], operation="start")
    for _ in range(2):
        system.wait(2)
        system.end(render)
    assert plain(last_event(system)) == plain(golden("JOB_DONE"))


def records(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a render of which a recording tells."""
    netifs = [
        NetIF(
            name=netif["name"],
            mac=bytes.fromhex(netif["mac"].replace(":", "")),
            addresses=[address_of(address) for address in netif["addresses"]],
        )
        for netif in document["netifs"]
    ]
    names = ("name", "user_name", "os", "engine", "time_launch")
    return {**{name: document[name] for name in names}, "netifs": netifs}


def address_of(document: dict[str, Any]) -> Address:
    return Address.from_ip(document["ip"])


def test_an_event_of_a_render(golden: Callable[[str], str]) -> None:
    recorded = json.loads(golden("RENDER_OVERLOAD"))
    near, root = recorded["pools"]
    system = SystemFarm(af_render_overflow_hdd=30)
    system.act("pools", [1], operation={"type": "add_pool", "name": "cpu"})
    cpu = system.farm.pools.by_name["/cpu"]
    for pool, document in ((cpu, near), (system.farm.root_pool, root)):
        names = ("custom_data", "sick_errors_count", "capacity_host", "max_tasks_host", "overload_event_time")
        params = {name: document[name] for name in names if name in document}
        system.act("pools", [pool.id], params=params)
    system.farm.root_pool.zombie_time = -1
    resources = HostRes(**recorded["host_resources"])
    told = RenderRecord(st=1, host_resources=resources, **records(recorded["render"]))
    hosts.register(system.farm, told, ADDRESS)
    render = system.farm.renders.by_name["render01"]
    system.act("renders", [render.id], operation={"type": "set_pool", "name": "/cpu"})
    system.wait(2)
    emitted.check_overload(system.farm, render)
    system.wait(2)
    assert plain(last_event(system)) == plain(golden("RENDER_OVERLOAD"))
