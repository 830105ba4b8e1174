"""`afserver --check-store`: what a start would find, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from afanasy_py.core.farm import Farm
from afanasy_py.errors import AfanasyError, StoreError
from afanasy_py.settings import Settings
from afanasy_py.store import journal, layout
from afanasy_py.store.disk import Disk
from afanasy_py.store.image import Image
from afanasy_py.store.journal import FOLDER
from afanasy_py.store.layout_read import BrokenError, parse
from afanasy_py.store.load import fill_farm, find_server_journal, read_source
from afanasy_py.sysjob.job import SystemJobKeeper

#: So many files that differ are named.
_SHOWN = 10


def check_store(root: Path, settings: Settings, now: float, say: Callable[[str], None]) -> int:
    """Read a store as a server would, and report.

    Args:
        root: Of the store.
        settings: In force.
        now: Unix seconds.
        say: Takes lines of the report.

    Returns:
        0: all is well, 1: something is broken or missing.
    """
    disk = Disk()
    if not root.is_dir():
        say(f"{root}: there is no such folder.")
        return 1
    lock = disk.lock(root / FOLDER / "lock") if (root / FOLDER / "lock").exists() else 0
    if lock is None:
        say(f"{root}: a server is running on it, so what is read may be changing.")
    try:
        source = read_source(disk, root, put_aside=False)
    except (OSError, StoreError) as error:
        say(f"{root}: it cannot be read: {error}")
        return 1
    problems = list(source.problems)
    say(f"Read from: {_origin(disk, root, source.origin)}")
    # The farm takes the arrays of the image over, so the files are compared first.
    differing = list(_differing(disk, root, source.image)) if source.origin == "journal" else []
    farm = Farm(settings, now)
    farm.sysjob = SystemJobKeeper(farm)
    try:
        problems += fill_farm(farm, source, root)
        farm.begin(now)
        farm.settle()
        farm.validate()
    except (AfanasyError, AssertionError, ValueError) as error:
        problems.append(f"the farm cannot be made of it: {error!r}")
    tasks = sum(block.tasks.num for job in farm.jobs for block in job.blocks)
    done = sum(block.p_tasks_done for job in farm.jobs for block in job.blocks)
    say(
        f"Jobs: {len(farm.jobs)}, tasks: {tasks}, done: {done}, users: {len(farm.users)}, "
        f"branches: {len(farm.branches)}, pools: {len(farm.pools)}, renders: {len(farm.renders)}, "
        f"last serial: {farm.jobs_serial}."
    )
    if source.origin == "journal":
        _report_mirror(disk, root, say)
    if differing:
        say(f"Files that are not as the journal has them, {len(differing)}:")
        for path in differing[:_SHOWN]:
            say(f"  {path}")
    for problem in problems:
        say(f"PROBLEM: {problem}")
    say("The store is sound." if not problems else f"{len(problems)} problems.")
    return 1 if problems else 0


def _origin(disk: Disk, root: Path, origin: str) -> str:
    if origin == "journal":
        return "the journal"
    if not journal.has_journal(disk, root / FOLDER):
        return "the files, there is no journal"
    if find_server_journal(disk, root) == "":
        return "the files, the original server ran last"
    return "the files, the journal is damaged"


def _report_mirror(disk: Disk, root: Path, say: Callable[[str], None]) -> None:
    mirror = journal.read_mirror(disk, root / FOLDER)
    if mirror is None:
        say("How far the files are is not known.")
    elif mirror.clean:
        say("The files are complete: the original server can be started.")
    else:
        say(
            f"The server was not stopped in order; the files are up to segment {mirror.position.segment}, "
            f"byte {mirror.position.offset}. Start and stop the server before you start the original one."
        )


def _differing(disk: Disk, root: Path, image: Image) -> Iterator[str]:
    """Yield the files of the layout that do not say what the image says."""
    for nodes in image.nodes.values():
        for node in nodes.values():
            if not _says(disk, root / node.folder / "data.json", layout.node_text(node)):
                yield f"{node.folder}/data.json"
            for number, block in enumerate(node.blocks):
                name = layout.tasks_name(number)
                if block.document is not None and not _says(disk, root / node.folder / name, block.document):
                    yield f"{node.folder}/{name}"
                for task in range(len(block.st)):
                    path = f"{node.folder}/{layout.task_folder(number, task)}/progress.json"
                    if block.st[task] == block.initial and not block.starts[task]:
                        continue
                    if not _says(disk, root / path, layout.progress_text(block, task)):
                        yield path


def _says(disk: Disk, path: Path, wanted: bytes) -> bool:
    try:
        found, expected = parse(disk.read(path)), parse(wanted)
    except (OSError, BrokenError):
        return False
    found["st"] = found.get("st", 0) & 0xFFFFFFFF
    expected["st"] = expected.get("st", 0)
    return found == expected
