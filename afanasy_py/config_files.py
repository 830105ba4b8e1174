"""Reads config files: strict JSON, sections by platform, includes. Knows no setting by name."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

BOM = b"\xef\xbb\xbf"


class Message(NamedTuple):
    """Something to log, once there is a log."""

    level: int
    text: str


class Section(NamedTuple):
    """Keys that belong together; later sections beat earlier ones."""

    source: str  # for messages: the file, and the section if it is one of a platform
    values: Mapping[str, Any]


@dataclass(slots=True)
class Reading:
    """What reading the files gave."""

    sections: list[Section] = field(default_factory=list)  # the later ones win
    texts: list[str] = field(default_factory=list)  # of all files that are JSON, in the order of reading
    messages: list[Message] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def read(self, path: str, platform: Sequence[str], *, optional: bool = False) -> None:
        """Read a file and what it includes.

        Args:
            path: The file.
            platform: Tokens of the machine, the general ones first.
            optional: That the file is missing is nothing to warn about.
        """
        real = os.path.realpath(path)
        if real in self._seen:
            self._say(logging.INFO, f'Config file already included: "{path}"')
            return
        self._seen.add(real)
        root = self._root(path, optional=optional)
        if root is None:
            return
        config = root.get("cgru_config") if isinstance(root, dict) else None
        if not isinstance(config, dict):
            self._say(logging.ERROR, f'Can\'t find document root "cgru_config": object:\n{path}')
            return
        self.sections.append(Section(path, config))
        for token in platform:
            section = config.get(f"OS_{token}")
            if isinstance(section, dict):
                self.sections.append(Section(f"{path}, OS_{token}", section))
        includes = config.get("include")
        for name in includes if isinstance(includes, list) else ():
            if isinstance(name, str):
                self.read(str(Path(path).parent / name), platform)

    def _root(self, path: str, *, optional: bool) -> Any:
        """Return the JSON of a file; None when there is none, which is said."""
        try:
            raw = Path(path).read_bytes()
        except FileNotFoundError:
            level = logging.DEBUG if optional else logging.WARNING
            self._say(level, f'Config file does not exist: "{path}"')
            return None
        except (OSError, ValueError) as error:
            self._say(logging.ERROR, f'Config file "{path}" cannot be read: {error}')
            return None
        text = raw.removeprefix(BOM).decode("utf-8", "surrogateescape")
        if not text.strip():
            self._say(logging.ERROR, f"File is empty: {path}")
            return None
        try:
            root = parse(text)
        except ValueError as error:
            self._say(logging.ERROR, f'Config file "{path}" has error:\n{error}')
            return None
        self.texts.append(text)
        return root

    def _say(self, level: int, text: str) -> None:
        self.messages.append(Message(level, text))


def parse(text: str) -> Any:
    """Return strict JSON as values; of equal keys the first counts.

    Raises:
        ValueError: The text is not JSON; says where.
    """
    try:
        return json.loads(text, object_pairs_hook=_first_wins, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        values.setdefault(key, value)
    return values


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
