"""The folders and files of the original: names, paths and texts. Source: spec store 1, 3."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from afanasy_py.msg.json_text import dump_json
from afanasy_py.msg.types import state_text
from afanasy_py.store.image import BlockImage, NodeImage

#: The key of `server.json` by which our files are known; the original drops it when it starts.
JOURNAL_KEY = "journal"

Json = dict[str, Any]


def task_folder(block_num: int, task_num: int) -> str:
    """Return the folder of a task, relative to that of its job."""
    return f"tasks/{block_num}.{task_num}"


def output_path(block_num: int, task_num: int, start: int) -> str:
    """Return the file of an output, relative to the folder of its job."""
    return f"tasks/{block_num}.{task_num}/output/{start}.txt"


def tasks_name(block_num: int) -> str:
    """Return the name of the file with the tasks of an explicit block."""
    return f"block{block_num}_tasks.json"


def safe_name(name: str) -> str:
    """Return the name of a file that a render sent, without anything that leads out of its folder."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "_")
    return "_" if last in ("", ".", "..") else last


def server_text(
    *, created: int, started: int, now: int, serial: int, journal: str, time_text: Callable[[int], str]
) -> bytes:
    """Return `server.json`."""
    times = {"time_created": created, "time_started": started, "time_modified": now}
    document: Json = {"": "This is server store file."}
    for key, value in times.items():
        document[key] = value
        document[f"{key}_str"] = time_text(value)
    document["jobs_serial"] = serial
    document[JOURNAL_KEY] = journal
    return json.dumps(document, indent="\t").encode()


def progress_text(block: BlockImage, number: int) -> bytes:
    """Return `progress.json` of a task."""
    st = block.st[number]
    document: Json = {"state": state_text(st), "st": st}
    for key, figures in (
        ("str", block.starts),
        ("err", block.errors),
        ("tst", block.time_start),
        ("tdn", block.time_done),
    ):
        if figures[number] > 0:
            document[key] = figures[number]
    host = block.hosts[block.host[number]]
    if host:
        document["hst"] = host
    resources = block.resources.get(number)
    if resources:
        document["res"] = resources
    return dump_json(document)


def node_text(node: NodeImage) -> bytes:
    """Return `data.json` of a node, with the newest state of a job."""
    state = node.state
    if state is None:
        return node.document
    document = json.loads(node.document.decode("utf-8", "surrogateescape"))
    document["st"] = state.st
    document["state"] = state_text(state.st)
    document["user_list_order"] = state.user_list_order
    _set_times(document, state.time_started, state.time_done)
    for block, times in zip(document.get("blocks", ()), state.blocks, strict=False):
        _set_times(block, *times)
    return dump_json(document)


def _set_times(document: Json, started: int, done: int) -> None:
    for key, value in (("time_started", started), ("time_done", done)):
        if value > 0:
            document[key] = value
        else:
            document.pop(key, None)


def is_below(path: Path, root: Path) -> bool:
    """Return whether a path is inside of a folder."""
    return path.resolve().is_relative_to(root.resolve())
