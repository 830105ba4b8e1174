"""Stand-ins for the four helper modules that services of a CGRU tree import.

Where a tree is configured its own modules are used. Without one these have the part that services need:
``cgruconfig.VARS``, ``cgruutils.toStr``, ``cgrupathmap.PathMap`` and the block flags of ``afcommon``.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

FRAME_PATTERN = re.compile(r"@(#+)@")

#: Bits of a block's flags by name.
BLOCK_FLAGS = {
    name: 1 << bit
    for bit, name in enumerate(
        (
            "numeric",
            "varcapacity",
            "multihost",
            "masteronslave",
            "dependsubtask",
            "skipthumbnails",
            "skipexistingfiles",
            "checkrenderedfiles",
            "slavelostignore",
            "appendedtasks",
            "suspendnewtasks",
        )
    )
}

WOL_PROGRAM = Path(__file__).with_name("wol.py")

#: Settings that services look up, as they are where no file says otherwise.
DEFAULTS: dict[str, Any] = {
    "af_render_cmd_wolsleep": f'"{sys.executable}" "{WOL_PROGRAM}" sleep',
    "af_render_cmd_wolwake": f'"{sys.executable}" "{WOL_PROGRAM}" wake',
    "af_task_post_limit_sec": 16,
    "af_thumbnail_cmd": "",
    "af_thumbnail_extensions": ["exr", "dpx", "jpg", "jpeg", "png", "tif", "tiff", "tga", "bmp"],
    "email_send_cmd": "emailsend",
    "email_sender_address_host": "localhost",
    "email_smtp_server": "localhost",
    "pathsmap": [],
}


def to_str(value: object) -> str:
    """Return text of text or bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def fill_numbers(pattern: str, first: int, last: int) -> str:
    """Return a pattern with the first and last frame filled in by turns, padded to the number of ``#``."""
    turn = [first, last]

    def number(match: re.Match[str]) -> str:
        value = turn[0]
        turn.reverse()
        return f"{value:0{len(match[1])}d}"

    return FRAME_PATTERN.sub(number, pattern)


def check_block_flag(flags: int, name: str) -> int:
    """Return the bit of a flag when it is set, else 0."""
    return flags & BLOCK_FLAGS.get(name, 0)


class PathMap:
    """Replaces beginnings of paths between this host and the server, as setting ``pathsmap`` pairs them."""

    pairs: ClassVar[list[tuple[str, str]]] = []  # (on this host, on the server)

    def __init__(self, UnixSeparators: bool = False, Verbose: bool = False) -> None:  # noqa: N803
        self.unix_separators = UnixSeparators
        self.verbose = Verbose

    def toClient(self, path: str | bytes, Verbose: bool = False) -> str:  # noqa: ARG002, N802, N803
        """Return text with the server's paths replaced by those of this host."""
        text = to_str(path)
        for here, there in self.pairs:
            text = text.replace(there, here)
        return text

    def toServer(self, path: str | bytes, Verbose: bool = False) -> str:  # noqa: ARG002, N802, N803
        """Return text with paths of this host replaced by those of the server."""
        text = to_str(path)
        for here, there in self.pairs:
            text = text.replace(here, there)
        return text


def build(variables: Mapping[str, Any]) -> dict[str, ModuleType]:
    """Return {name: module} of the stand-ins, with settings on top of the defaults."""
    values = {**DEFAULTS, **variables}
    pairs = [(str(pair[0]), str(pair[1])) for pair in values["pathsmap"] if len(pair) == 2]
    members: dict[str, dict[str, Any]] = {
        "cgruconfig": {"VARS": values},
        "cgruutils": {"toStr": to_str},
        "cgrupathmap": {"PathMap": type("PathMap", (PathMap,), {"pairs": pairs})},
        "afcommon": {
            "BlockFlags": BLOCK_FLAGS,
            "checkBlockFlag": check_block_flag,
            "fillNumbers": fill_numbers,
        },
    }
    modules = {}
    for name, content in members.items():
        modules[name] = ModuleType(name, "Stand-in made by the render host.")
        vars(modules[name]).update(content)
    return modules
