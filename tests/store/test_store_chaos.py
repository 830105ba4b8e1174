"""Whatever happens to a farm: after any kill it is as it was when the last answer left."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.core.farm import Farm
from afanasy_py.core.job import SYSJOB_ID
from afanasy_py.core.task_states import RDY, SUS, TRY, WDP, WRC
from afanasy_py.settings import Settings
from afanasy_py.store.disk import Disk
from afanasy_py.store.store import Store
from afanasy_py.sysjob.job import SystemJobKeeper
from tests.sim.chaos import Chaos
from tests.store.store_farm import NOW, FakeClock, InlineMirror, at_rest, differences, picture

SEEDS = int(os.environ.get("AFSERVER_STORE_SEEDS", "40"))


def _open(root: Path) -> tuple[Store, Farm]:
    settings = Settings(af_store_folder=str(root))
    farm = Farm(settings, NOW)
    farm.now = NOW
    farm.sysjob = keeper = SystemJobKeeper(farm)
    store = Store(root, settings, FakeClock(), Disk(), InlineMirror(Disk(), root))  # type: ignore[arg-type]
    store.lock()
    store.load(farm, NOW)
    farm.make_roots()
    if SYSJOB_ID not in farm.jobs.by_id:
        keeper.make()
    farm.begin(NOW)
    farm.settle()
    return store, farm


def _shut(store: Store) -> None:
    store._writer_loop.kill()
    store._keeper_loop.kill()
    store._threads.kill()
    if store._lock is not None:
        os.close(store._lock)


def _of_a_restart(st: int) -> int:
    """Forget what is worked out anew, and what a running task was asked to become."""
    st = at_rest(st) & ~TRY
    if st & WRC:
        return WRC
    return (st & ~WDP) | RDY if st & WDP and not st & SUS else st


def _comparable(farm: Farm) -> dict[str, Any]:
    found = picture(farm, _of_a_restart)
    del found["jobs"][SYSJOB_ID]["time_creation"]  # always that of the start
    # A deletion that waited for running tasks waits no more after a restart.
    for job in [job for job in farm.jobs if job.deleting]:
        del found["jobs"][job.id]
        for key in [key for key in found if f"({job.id}, " in key]:
            del found[key]
        found["order"][job.user.id].remove(job.id)
    for branch in found["branches"].values():
        branch.pop("time_empty", None)
    return found


@pytest.mark.parametrize("share", range(4))
def test_a_farm_under_stress_is_kept(tmp_path: Path, share: int) -> None:
    for seed in range(share, SEEDS, 4):
        root = tmp_path / str(seed)
        rnd = random.Random(seed)
        store, _ = _open(root)
        chaos = Chaos(seed)
        steps = rnd.randint(5, 120)
        for _ in range(steps):
            if chaos.step() == "edit":  # done without the action, which would have it stored
                for job in chaos.farm.jobs:
                    chaos.farm.save(job)
            ticket = store.commit(chaos.farm)
            if ticket is not None and rnd.random() < 0.5:
                store.wait(ticket)
        store.flush()
        before = _comparable(chaos.farm)
        if rnd.random() < 0.3:
            store.close()
        else:
            _shut(store)
        store, farm = _open(root)
        farm.validate()
        assert differences("", before, _comparable(farm)) == [], f"seed {seed}, {steps} steps"
        # Once more by way of the files of the original.
        store.flush()
        store.close()
        (root / "server.json").write_text(f'{{"jobs_serial":{farm.jobs_serial}}}')
        before = _without_own(_comparable(farm))
        store, farm = _open(root)
        farm.validate()
        after = _without_own(_comparable(farm))
        assert differences("", before, after) == [], f"seed {seed}, {steps} steps, by the files"
        _shut(store)


def _without_own(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only the journal keeps."""
    return {key: value for key, value in found.items() if not key.startswith("hosts ")}
