"""From the disk to a farm: which of journal and files is the newer, and what to do when it is damaged."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ujson

from afanasy_py.core import restore
from afanasy_py.core.job import SYSJOB_ID
from afanasy_py.core.restore import StoredNode, StoredTasks
from afanasy_py.errors import RequestError, StoreError
from afanasy_py.store import journal
from afanasy_py.store.image import BlockImage, Image, NodeImage
from afanasy_py.store.journal import FOLDER, Mirror, Position
from afanasy_py.store.layout import JOURNAL_KEY
from afanasy_py.store.layout_read import BROKEN, BrokenError, LayoutReader, parse
from afanasy_py.sysjob.block import SystemBlock
from afanasy_py.sysjob.job import prepare_block

if TYPE_CHECKING:
    from afanasy_py.core.farm import Farm
    from afanasy_py.store.disk import Disk

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Source:
    """What is on the disk, and where the journal goes on."""

    image: Image
    journal_id: str
    next_segment: int
    next_frame: int
    end: int
    #: "journal" or "files".
    origin: str
    problems: list[str]
    #: True when the journal begins anew with this image.
    is_new: bool
    #: Bytes of the journal that were replayed.
    replayed: int = 0


def find_server_journal(disk: Disk, root: Path) -> str | None:
    """Return the journal that `server.json` names; empty: it is of the original; None: it cannot be read."""
    try:
        found = parse(disk.read(root / "server.json")).get(JOURNAL_KEY)
    except (OSError, BrokenError):
        return None
    return found if type(found) is str else ""


def read_source(disk: Disk, root: Path, *, put_aside: bool) -> Source:
    """Read whatever was written last.

    Args:
        disk: Does the reading.
        root: Root of the store.
        put_aside: Whether to move broken things away; else nothing is changed.
    """
    folder = root / FOLDER
    problems: list[str] = []
    image: Image | None = None
    if journal.has_journal(disk, folder):
        own = journal.journal_id(disk, folder)
        last = find_server_journal(disk, root)
        mirror = journal.read_mirror(disk, folder)
        if last is None or (own and last == own):
            try:
                loaded = journal.load(disk, folder)
            except (OSError, StoreError, ValueError, KeyError) as error:
                problems.append(f"The journal is damaged, so the files are read: {error}")
                image = _read_layout(disk, root, problems, put_aside=put_aside)
                start = mirror.position if mirror is not None else None
                problems += journal.salvage(disk, folder, image, start)
                if put_aside:
                    _put_journal_aside(disk, root, problems)
            else:
                return Source(
                    loaded.image, loaded.journal_id, loaded.next_segment, loaded.next_frame,
                    loaded.end.offset, "journal", problems, is_new=False, replayed=loaded.replayed,
                )  # fmt: skip
        elif put_aside:
            if mirror is not None and mirror.clean:
                for name in _journal_names(disk, folder):
                    disk.remove(folder / name)
            else:
                problems.append(
                    "Another server ran on the store before the files had all that the journal has."
                )
                _put_journal_aside(disk, root, problems)
    if image is None:
        image = _read_layout(disk, root, problems, put_aside=put_aside)
    return Source(image, secrets.token_hex(8), 0, 0, 0, "files", problems, is_new=True)


def _read_layout(disk: Disk, root: Path, problems: list[str], *, put_aside: bool) -> Image:
    reader = LayoutReader(disk, root, put_aside=put_aside)
    image = reader.read()
    problems += reader.problems
    return image


def _journal_names(disk: Disk, folder: Path) -> list[str]:
    """Return the files of a journal without its locks, which stay where they are."""
    return [name for name in disk.names(folder) if not name.endswith("lock")]


def _put_journal_aside(disk: Disk, root: Path, problems: list[str]) -> None:
    target = root / BROKEN / FOLDER
    number = 1
    while target.exists():
        target = root / BROKEN / f"{FOLDER}.{number}"
        number += 1
    try:
        disk.make_folder(target)
        for name in _journal_names(disk, root / FOLDER):
            disk.rename(root / FOLDER / name, target / name)
    except OSError as error:
        raise StoreError(f"{root / FOLDER}: it cannot be moved to {target}: {error}") from None
    problems.append(f"The journal was moved to {target}.")


def begin_journal(disk: Disk, root: Path, source: Source) -> None:
    """Begin a new journal with what was read from the files.

    Raises:
        OSError: It cannot be written.
    """
    folder = root / FOLDER
    journal.write_snapshot(disk, folder, source.journal_id, source.image, 0, 0)
    # After a salvage the files lack something, so all are written again: as after a loss of power.
    whole = not source.problems
    boot = journal.boot_id() if whole else "?"
    journal.write_mirror(disk, folder, Mirror(Position(0, 0), clean=False, boot=boot))


def begin_again(disk: Disk, root: Path, created: int, serial: int) -> str:
    """Begin a new journal in a folder from which the old one went away; return its id.

    Raises:
        OSError: It cannot be written.
        StoreError: What lies there cannot be put aside.
    """
    folder = root / FOLDER
    disk.make_folder(folder)
    if journal.has_journal(disk, folder):
        _put_journal_aside(disk, root, [])
    image = Image()
    image.time_created, image.jobs_serial = created, serial
    name = secrets.token_hex(8)
    journal.write_snapshot(disk, folder, name, image, 0, 0)
    return name


# -- into the farm


def fill_farm(farm: Farm, source: Source, root: Path) -> list[str]:
    """Put everything into an empty farm; return what could not be used."""
    image = source.image
    problems: list[str] = []
    farm.jobs_serial = image.jobs_serial
    kinds = {
        kind: [_stored(node) for _, node in sorted(image.nodes[kind].items())]
        for kind in ("pools", "renders", "users", "branches")
    }

    def adopt(stored: StoredNode) -> None:
        job = restore.make_job(stored, SystemBlock)
        for block in job.blocks:
            assert isinstance(block, SystemBlock)
            prepare_block(block, job)
        keeper: Any = farm.sysjob
        if hasattr(keeper, "adopt"):
            keeper.adopt(job)
            for block_num, waiting in image.commands.items():
                keeper.load(block_num, (waiting[number] for number in sorted(waiting)))

    restore.restore_all(farm, kinds, _stored_jobs(image, root, problems), adopt)
    # What was just read need not be written.
    for kind, nodes in image.nodes.items():
        for node_id in nodes:
            farm.changes.nodes.pop((kind, node_id), None)
    farm.changes.tasks.clear()
    farm.changes.block_tasks.clear()
    return problems


def _stored_jobs(image: Image, root: Path, problems: list[str]) -> Iterator[StoredNode]:
    for _, node in sorted(image.nodes["jobs"].items()):
        try:
            yield _stored_job(node, root)
        except (RequestError, ValueError, KeyError, TypeError) as error:
            problems.append(f"{root / node.folder}: {error!r}; the job is left out.")


def _stored(node: NodeImage) -> StoredNode:
    extras = ujson.loads(node.extras) if node.extras else {}
    return StoredNode(_load_json(node.document), extras, node.log)


def _load_json(data: bytes) -> dict[str, Any]:
    """Read a document of our own making; bytes that are no UTF-8 come back as they were."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return dict(json.loads(data.decode("utf-8", "surrogateescape")))
    return dict(ujson.loads(text))


def _stored_job(node: NodeImage, root: Path) -> StoredNode:
    stored = _stored(node)
    document = stored.document
    document["id"] = node.id
    document["serial"] = node.serial
    state = node.state
    if state is not None:
        document["st"] = state.st
        document["time_started"], document["time_done"] = state.time_started, state.time_done
        document["user_list_order"] = state.user_list_order
    thumbnail = document.get("thumb_path")
    if thumbnail and not str(thumbnail).startswith(f"{root}/"):
        document["thumb_path"] = find_thumbnail(root / node.folder, node)
    for block, item in zip(node.blocks, document["blocks"], strict=True):
        if block.times is not None:
            item["time_started"], item["time_done"] = block.times
        stored.tasks.append(_stored_tasks(block, is_system=node.id == SYSJOB_ID))
    return stored


def _stored_tasks(block: BlockImage, *, is_system: bool) -> StoredTasks:
    items = None
    if block.document is not None and not is_system:
        items = _load_json(block.document)["tasks"]
    return StoredTasks(
        block.num, block.initial, items, block.st, block.starts, block.errors, block.time_start,
        block.time_done, block.host, block.hosts, block.resources, block.errors_of,
    )  # fmt: skip


def find_thumbnail(folder: Path, node: NodeImage) -> str:
    """Return the first file of the first task of a job that has any; empty: none has."""
    for block_num, block in enumerate(node.blocks):
        for number in range(len(block.st)):
            files = folder / "tasks" / f"{block_num}.{number}" / "files"
            try:
                found = sorted(path for path in files.iterdir() if not path.name.startswith("."))
            except OSError:
                continue
            if found:
                return str(found[0])
    return ""
