"""What the machine and the environment of the process say: names, platform, the CGRU tree and its version."""

import contextlib
import getpass
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afanasy_py.errors import ConfigError

#: The release whose clients this server speaks to.
CGRU_VERSION = "3.4.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts that do not change while the process runs."""

    location: str  # root of the CGRU tree; empty: there is none
    af_root: str  # folder of Afanasy; empty: there is none
    version: str  # of the CGRU tree, else CGRU_VERSION
    home: str  # home folder of the user
    computer: str  # name of the computer, as it is
    login: str  # name of the user, as it is
    platform: tuple[str, ...]  # tokens, the general ones first: unix, linux, 64, debian, 12

    @classmethod
    def find(cls, environ: Mapping[str, str], executable: str) -> "Machine":
        """Look at the process.

        Args:
            environ: Environment variables.
            executable: Path of the file that was started; symbolic links must not be followed.

        Raises:
            ConfigError: CGRU_LOCATION names no folder.
        """
        location = find_location(environ, executable)
        return cls(
            location=location,
            af_root=environ.get("AF_ROOT") or (f"{location}/afanasy" if location else ""),
            version=find_version(environ, location),
            home=find_home(environ),
            computer=environ.get("COMPUTERNAME" if os.name == "nt" else "HOSTNAME") or socket.gethostname(),
            login=find_login(environ),
            platform=find_platform(),
        )


def find_location(environ: Mapping[str, str], executable: str) -> str:
    """Return the root of the CGRU tree, empty when there is none.

    Without CGRU_LOCATION the tree is looked for above the folder of Afanasy (AF_ROOT, else the folder above
    the executable's `bin`). The original takes whatever folder is there; here it must have CGRU's config
    file, since this server also runs from a checkout or a virtual environment.

    Raises:
        ConfigError: CGRU_LOCATION names no folder.
    """
    named = environ.get("CGRU_LOCATION")
    if named:
        if not Path(named).is_dir():
            raise ConfigError(f"CGRU_LOCATION: there is no such folder: {named}")
        return named
    af_root = Path(environ.get("AF_ROOT") or Path(executable).absolute().parent.parent)
    for folder in (af_root.parent, af_root.parent.parent):
        if (folder / "version.txt").is_file() and (folder / "config_default.json").is_file():
            return str(folder)
    return ""


def find_version(environ: Mapping[str, str], location: str) -> str:
    """Return CGRU_VERSION, else the text of `version.txt`, else the version that this server speaks."""
    named = environ.get("CGRU_VERSION")
    if named:
        return named
    if location:
        with contextlib.suppress(OSError, UnicodeError):
            return (Path(location) / "version.txt").read_text(encoding="utf-8").strip() or CGRU_VERSION
    return CGRU_VERSION


def find_home(environ: Mapping[str, str]) -> str:
    """Return the home folder; the temporary folder when HOME names none."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    return home if home and Path(home).is_dir() else "/tmp"  # noqa: S108 - as the original does


def find_login(environ: Mapping[str, str]) -> str:
    """Return the name of the user; `unknown` when nothing says it."""
    named = environ.get("USERNAME" if os.name == "nt" else "USER")
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def find_platform() -> tuple[str, ...]:
    """Return the tokens of this machine, which choose `OS_<token>` sections of config files."""
    tokens = ["windows"] if sys.platform == "win32" else ["unix"]
    if sys.platform == "darwin":
        tokens.append("macosx")
    elif sys.platform.startswith("linux"):
        tokens.append("linux")
    machine = os.uname().machine if hasattr(os, "uname") else ""
    if machine in ("aarch64", "arm64"):
        tokens.append("aarch64")
    elif machine.startswith("arm"):
        tokens.append("arm32")
    else:
        tokens.append("64" if sys.maxsize > 2**32 else "32")
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            tokens += release_tokens(Path("/etc/os-release").read_text(encoding="utf-8", errors="replace"))
    return tuple(dict.fromkeys(tokens))


def release_tokens(text: str) -> list[str]:
    """Return the tokens that the text of `/etc/os-release` gives: distribution and version."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            fields[key.strip()] = _unquoted(value.strip())
    name = _token(fields.get("ID") or fields.get("NAME", ""))
    return [token for token in (name, _token(fields.get("VERSION_ID", ""))) if token]


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _token(text: str) -> str:
    token = re.sub(r"_+", "_", re.sub(r"[^a-z0-9._-]", "_", text.strip().lower())).strip("_")
    return token if re.search(r"[a-z0-9]", token) else ""


def short_host_name(computer: str, *, cut_domain: bool) -> str:
    """Return the name of the process's host on the farm: lower case, cut at the first dot if wished."""
    name = computer.lower()
    return name.partition(".")[0] if cut_domain else name


def short_user_name(login: str, *, cut_domain: bool) -> str:
    """Return the name of the process's user on the farm: lower case, without its domain."""
    name = login.lower()
    if cut_domain:
        separator = "/" if "/" in name else "\\"
        name = name.rpartition(separator)[2]
    return name
