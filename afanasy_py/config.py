"""Finds and reads the config files, environment variables and arguments into `Settings`.

Nothing is logged here, since the log is set up by what is read: messages are part of the result.
"""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afanasy_py import __version__
from afanasy_py.arguments import Arguments
from afanasy_py.config_files import Message, Reading
from afanasy_py.errors import ConfigError
from afanasy_py.ip_masks import IpMask, parse_mask
from afanasy_py.machine import CGRU_VERSION, Machine, short_host_name, short_user_name
from afanasy_py.settings import INT_LEAST, INT_MOST, ROWS, Row, Settings, Value, kind_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that the server is told from outside."""

    settings: Settings
    arguments: Arguments
    machine: Machine
    hostname: str  # of this process on the farm; the computer's own is in `machine`
    username: str
    trusted: tuple[IpMask, ...]  # masks of af_ip_trust that can be understood
    texts: tuple[str, ...]  # of all files that were parsed, in the order of reading
    messages: tuple[Message, ...]  # to be logged
    failed: bool  # af_ip_trust has a bad mask: a reload is answered with an error

    @property
    def serve_dir(self) -> str:
        """Root of the files for browsers; empty: none are served."""
        return self.settings.af_http_serve_dir or self.machine.location

    @property
    def digest_file(self) -> str:
        """Path of the digest file; empty when there is none to be read."""
        name = self.settings.af_digest_file
        if not name or not (self.machine.location or Path(name).is_absolute()):
            return ""
        return str(Path(self.machine.location) / name)


def load_config(arguments: Arguments, environ: Mapping[str, str], executable: str) -> Config:
    """Read everything at the start.

    Args:
        arguments: The command line.
        environ: Environment variables.
        executable: Path of the file that was started.

    Raises:
        ConfigError: CGRU_LOCATION names no folder, or a number is out of its range.
    """
    machine = Machine.find(environ, executable)
    messages = [Message(logging.WARNING, f"Argument ignored: {word}") for word in arguments.ignored]
    if CGRU_VERSION not in machine.version:
        messages.append(
            Message(
                logging.ERROR,
                f"CGRU environment and server versions mismatch: {machine.version} and {CGRU_VERSION}.",
            )
        )
    return _read(arguments, environ, machine, Settings(), messages)


def reload_config(old: Config, environ: Mapping[str, str]) -> Config:
    """Read the files again.

    A key that is gone from the files keeps its value: so a file that broke while it was edited does not throw
    the farm back to defaults. Settings that need a restart keep theirs as well, with a warning.

    Raises:
        ConfigError: A number is out of its range; `old` stays in force.
    """
    new = _read(old.arguments, environ, old.machine, old.settings, [])
    kept = {
        key: getattr(old.settings, key)
        for key, row in ROWS.items()
        if row.restart and getattr(new.settings, key) != getattr(old.settings, key)
    }
    late = tuple(Message(logging.WARNING, f"{key}: the new value waits for a restart.") for key in kept)
    return replace(new, settings=_replaced(new.settings, kept), messages=new.messages + late)


def _read(
    arguments: Arguments,
    environ: Mapping[str, str],
    machine: Machine,
    base: Settings,
    messages: list[Message],
) -> Config:
    reading = Reading(messages=messages)
    if machine.location:
        reading.read(str(Path(machine.location) / "config_default.json"), machine.platform)
    custom = environ.get("CGRU_CUSTOM_CONFIG")
    if custom:
        reading.read(custom, machine.platform)
    folder = "cgru" if os.name == "nt" else ".cgru"
    reading.read(str(Path(machine.home) / folder / "config.json"), machine.platform, optional=True)

    values: dict[str, Value] = {}
    for section in reading.sections:
        for key, row in ROWS.items():
            if key in section.values:
                _take(values, row, section.values[key], section.source, messages)
    for key, row in ROWS.items():
        text = environ.get(f"CGRU_{key.upper()}")
        if text:
            _take_text(values, row, text, f"environment variable CGRU_{key.upper()}", messages)
        text = arguments.settings.get(key)
        if text:
            _take_text(values, row, text, f"argument --{key}", messages)
    settings = _replaced(base, values)
    masks, failed = _masks(settings.af_ip_trust, messages)
    host = arguments.hostname or environ.get("AF_HOSTNAME")
    user = arguments.username or environ.get("AF_USERNAME")
    return Config(
        settings=settings,
        arguments=arguments,
        machine=machine,
        hostname=host or short_host_name(machine.computer, cut_domain=settings.af_render_cut_domain_name),
        username=user or short_user_name(machine.login, cut_domain=settings.af_user_cut_domain_name),
        trusted=masks,
        texts=tuple(reading.texts),
        messages=tuple(messages),
        failed=failed,
    )


def _replaced(settings: Settings, values: Mapping[str, Value]) -> Settings:
    changed: dict[str, Any] = dict(values)
    return replace(settings, **changed)


def _take(values: dict[str, Value], row: Row, value: Any, source: str, messages: list[Message]) -> None:
    """Take a value of a file, if it has the right type."""
    fits = type(value) is row.kind or (row.kind is tuple and isinstance(value, list))
    if row.kind is int and fits:
        fits = INT_LEAST <= value <= INT_MOST
    if not fits:
        shown = "..." if row.secret else _short(json.dumps(value))
        messages.append(
            Message(logging.WARNING, f"{row.key}: {shown} is no {kind_name(row)}, ignored ({source})")
        )
        return
    if isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            messages.append(
                Message(logging.WARNING, f"{row.key}: what is no text in the list is ignored ({source})")
            )
        value = tuple(item for item in value if isinstance(item, str))
    _check_range(row, value, source)
    values[row.key] = value


def _take_text(values: dict[str, Value], row: Row, text: str, source: str, messages: list[Message]) -> None:
    """Take the text of a variable or an argument."""
    value: Value = text
    if row.kind is tuple:
        value = tuple(text.split(","))
    elif row.kind is bool and text.lower() in ("true", "yes", "on"):
        value = True
    elif row.kind in (int, bool):
        number = _leading_number(text)
        value = bool(number) if row.kind is bool else number
        if str(number) != text.strip() and text.lower() not in ("false", "no", "off"):
            shown = json.dumps(value)
            messages.append(Message(logging.WARNING, f"{row.key}: '{_short(text)}' means {shown} ({source})"))
    _check_range(row, value, source)
    values[row.key] = value


def _leading_number(text: str) -> int:
    """Return the number that a text begins with, else 0, as the original reads numbers."""
    found = re.match(r"\s*([+-]?\d{1,18})", text, re.ASCII)
    number = int(found[1]) if found else 0
    return min(INT_MOST, max(INT_LEAST, number))


def _check_range(row: Row, value: Value, source: str) -> None:
    if row.kind is int and isinstance(value, int) and not row.least <= value <= row.most:
        raise ConfigError(f"{row.key}: {value} is not between {row.least} and {row.most} ({source})")


def _masks(texts: tuple[str, ...], messages: list[Message]) -> tuple[tuple[IpMask, ...], bool]:
    """Return the masks that can be understood, and whether there were others."""
    masks: list[IpMask] = []
    failed = False
    for text in texts:
        try:
            masks.append(parse_mask(text))
        except ConfigError as error:
            messages.append(Message(logging.ERROR, f"af_ip_trust: {error}"))
            failed = True
    return tuple(masks), failed


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


#: A key of a file whose value nobody else should see, also when it is switched off by a dash, with its value.
_SECRET = re.compile(
    r'("-?(?:'
    + "|".join(re.escape(key) for key, row in ROWS.items() if row.secret)
    + r')"\s*:\s*)"(?:[^"\\]|\\.)*"'
)


#: What else nobody sees while access control is on: roles take the place of passwords that GUIs ask for.
_PASSWORD = re.compile(r'("-?pswd_[a-z]+"\s*:\s*)"(?:[^"\\]|\\.)*"')


def config_answer(config: Config) -> str:
    """Return the JSON that answers `get config`: the files, then the environment.

    The original gives the files as they are, also the password of the database; here secrets are emptied.
    """
    machine = config.machine
    environment = {
        "version": machine.version,
        "builddate": "",
        "buildrevision": __version__,
        "platform": ",".join(machine.platform),
        "hostname": machine.computer,
        "username": config.username,
        "location": machine.location,
        "servedir": config.serve_dir,
    }
    texts = [_SECRET.sub(r'\1""', text) for text in config.texts]
    if config.settings.af_access:
        texts = [_PASSWORD.sub(r'\1""', text) for text in texts]
    files = "".join(text + ",\n" for text in texts)
    last = json.dumps({"cgru_environment": environment}, ensure_ascii=False, separators=(",", ":"))
    return f'{{"cgru_config":[{files}{last}]}}'
