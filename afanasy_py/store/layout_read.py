"""Reading the files of the original's layout into an image; what cannot be read is put aside, never deleted.

Source: spec store 3, 4.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ujson

from afanasy_py.errors import ProtocolError
from afanasy_py.msg.json_text import dump_json, parse_json
from afanasy_py.store.disk import Disk
from afanasy_py.store.image import BlockImage, Image, NodeImage
from afanasy_py.store.layout import Json, tasks_name

BROKEN = "broken"
SYSJOB_ID = 1
_SYSJOB_BLOCKS = 3
_NUMERIC = 1 << 0
_SUSPEND_NEW_TASKS = 1 << 10
_RDY, _SUS = 1 << 0, 1 << 20
#: The original leaks a mark of its solver in bit 62.
_STATE_BITS = 0xFFFFFFFF
#: (key of `progress.json`, array)
_FIGURES = (("str", "starts"), ("err", "errors"), ("tst", "time_start"), ("tdn", "time_done"))
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


class BrokenError(Exception):
    """A folder of a node cannot be used; the text says why."""


def parse(data: bytes) -> Json:
    """Return the object of a file.

    Control characters in texts are taken: the original writes some texts as they are.

    Raises:
        BrokenError: It is no JSON object.
    """
    try:
        return parse_json(data)
    except ProtocolError as error:
        reason = str(error).partition("\n")[0]
    try:
        found = json.loads(data.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        raise BrokenError(reason) from None
    if type(found) is not dict:
        raise BrokenError(reason)
    return found


def _integer(document: Json, key: str, bounds: range = _INT64) -> int | None:
    value = document.get(key)
    return value if type(value) is int and value in bounds else None


class LayoutReader:
    """Reads a store."""

    def __init__(self, disk: Disk, root: Path, *, put_aside: bool) -> None:
        """Prepare.

        Args:
            disk: Does the reading.
            root: Root of the store.
            put_aside: Whether to move what is broken into `<root>/broken`; else it is only reported.
        """
        self._disk = disk
        self._root = root
        self._put_aside = put_aside
        #: What is wrong, one line each.
        self.problems: list[str] = []

    def read(self) -> Image:
        """Return all that the files hold."""
        image = Image()
        self._read_server(image)
        for kind in image.nodes:
            self._read_kind(image, kind)
        return image

    def _read_server(self, image: Image) -> None:
        path = self._root / "server.json"
        try:
            document = parse(self._disk.read(path))
        except FileNotFoundError:
            return
        except (OSError, BrokenError) as error:
            self._broken(path, str(error))
            return
        image.time_created = _integer(document, "time_created") or 0
        image.jobs_serial = _integer(document, "jobs_serial") or 0

    def _broken(self, path: Path, reason: str) -> None:
        """Report a file or folder and put it aside."""
        text = f"{path}: {reason}"
        if self._put_aside:
            target = self._root / BROKEN / path.relative_to(self._root)
            free, number = target, 1
            while free.exists():
                free = target.with_name(f"{target.name}.{number}")
                number += 1
            try:
                self._disk.make_folder(free.parent)
                self._disk.rename(path, free)
                text += f" It was moved to {free}."
            except OSError as error:
                text += f" It could not be moved to {free}: {error.strerror}."
        self.problems.append(text)

    def _folders(self, kind: str) -> Iterator[str]:
        for group in self._disk.folders(self._root / kind):
            for name in self._disk.folders(self._root / kind / group):
                yield f"{kind}/{group}/{name}"

    def _read_kind(self, image: Image, kind: str) -> None:
        nameless: list[tuple[NodeImage, Json]] = []
        nodes = image.nodes[kind]
        names: set[str] = set()
        for folder in sorted(self._folders(kind), key=_by_id):
            path = self._root / folder
            try:
                node, document = self._read_node(kind, folder)
                if node.id in nodes:
                    raise BrokenError(f"the id {node.id} is that of {nodes[node.id].folder}.")
                if kind != "jobs" and document["name"] in names:
                    raise BrokenError(f'there is another one named "{document["name"]}".')
            except FileNotFoundError as error:
                self._broken(path, f"{Path(error.filename).name} is missing.")
            except (BrokenError, OSError) as error:
                self._broken(path, str(error))
            else:
                names.add(document["name"])
                if node.id > 0:
                    nodes[node.id] = node
                else:
                    nameless.append((node, document))
        for node, document in nameless:
            node.id = next(number for number in range(1, len(nodes) + 2) if number not in nodes)
            document["id"] = node.id
            node.document = dump_json(document)
            nodes[node.id] = node
        if kind == "jobs":
            for node_id in sorted(nodes):
                node = nodes[node_id]
                if node.serial <= 0 and node_id != SYSJOB_ID:
                    image.jobs_serial += 1
                    node.serial = image.jobs_serial
                    node.document = dump_json({**parse(node.document), "serial": node.serial})
                image.jobs_serial = max(image.jobs_serial, node.serial)
        image.nodes[kind] = dict(sorted(nodes.items()))

    def _read_node(self, kind: str, folder: str) -> tuple[NodeImage, Json]:
        path = self._root / folder
        document = parse(self._disk.read(path / "data.json"))
        name = document.get("name")
        if type(name) is not str or not name:
            raise BrokenError("data.json has no name.")
        node = NodeImage(kind, _integer(document, "id", _INT32) or 0, folder)
        if kind == "jobs":
            node.serial = _integer(document, "serial") or 0
            self._read_blocks(node, document, path)
        node.document = dump_json(document)
        return node, document

    def _read_blocks(self, job: NodeImage, document: Json, path: Path) -> None:
        blocks = document.get("blocks")
        if type(blocks) is not list or not blocks or not all(type(block) is dict for block in blocks):
            raise BrokenError("data.json has no blocks.")
        if job.id == SYSJOB_ID and (
            len(blocks) != _SYSJOB_BLOCKS or any((_integer(b, "flags") or 0) & _NUMERIC for b in blocks)
        ):
            raise BrokenError("the system job is obsolete; a new one is made.")
        for number, block in enumerate(blocks):
            flags = _integer(block, "flags") or 0
            initial = _SUS if flags & _SUSPEND_NEW_TASKS else _RDY
            count = _integer(block, "tasks_num", _INT32) or 0
            text = None
            if not flags & _NUMERIC:
                text = self._read_tasks(path / tasks_name(number))
                count = len(text["tasks"])
            elif count < 1:
                raise BrokenError(f"block {number} has no tasks.")
            image = BlockImage(count, initial)
            if text is not None:
                image.document = dump_json(text)
            job.blocks.append(image)
        self._read_progress(job, path)

    def _read_tasks(self, path: Path) -> Json:
        try:
            document = parse(self._disk.read(path))
        except FileNotFoundError:
            raise BrokenError(f"{path.name} is missing.") from None
        except BrokenError as error:
            raise BrokenError(f"{path.name}: {error}") from None
        tasks = document.get("tasks")
        if type(tasks) is not list or not tasks or not all(type(task) is dict for task in tasks):
            raise BrokenError(f"{path.name} has no tasks.")
        return document

    def _read_progress(self, job: NodeImage, path: Path) -> None:
        folder = path / "tasks"
        try:
            entries = os.listdir(folder)  # noqa: PTH208 - one for each task
        except FileNotFoundError:
            return
        for name in entries:
            first, _, second = name.partition(".")
            if not first.isdigit() or not second.isdigit() or int(first) >= len(job.blocks):
                continue
            block, number = job.blocks[int(first)], int(second)
            if number >= block.num:
                continue
            file = folder / name / "progress.json"
            try:
                document = ujson.loads(self._disk.read(file))
                if type(document) is not dict:
                    raise ValueError("it is no object")
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self._broken(file, f"{error}; the task is ready again.")
                continue
            _take_progress(block, number, document)


def _take_progress(block: BlockImage, number: int, document: Json) -> None:
    block.keep_arrays()
    st = document.get("st")
    if type(st) is int:
        block.st[number] = st & _STATE_BITS
    for key, name in _FIGURES:
        value = document.get(key)
        figures: Any = getattr(block, name)
        if type(value) is int and value in (_INT64 if figures.typecode == "q" else _INT32):
            figures[number] = value
    host = document.get("hst")
    if type(host) is str and host:
        block.host[number] = block.host_number(host)
    resources = document.get("res")
    if type(resources) is str and resources:
        block.resources[number] = resources


def _by_id(folder: str) -> tuple[int, str]:
    number = folder.rpartition("/")[2].partition(".")[0]
    return (int(number) if number.isdigit() else 0), folder
