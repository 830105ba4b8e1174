"""The command `afserver-install`: puts this server into an existing CGRU tree, and takes it out again.

Only two files of the tree are touched: `afanasy/bin/afserver`, which becomes a launcher of this server, and
`afanasy/bin/afserver.cpp`, the name under which the original is kept beside it.
"""

import os
import subprocess
import sys
from pathlib import Path

from docopt import docopt

from afanasy_py.errors import AfanasyError
from afanasy_py.paths import PACKAGE

USAGE = """Put this server in place of the one of a CGRU tree.

Usage:
  afserver-install CGRU_ROOT [--undo]
  afserver-install (-h | --help)

Arguments:
  CGRU_ROOT   Root folder of the tree, the one that has setup.sh.

Options:
  --undo      Put the original server back.
  -h --help   Display this help.

The original is kept beside as afanasy/bin/afserver.cpp; nothing else is touched. Stop the server before.
"""

#: A launcher has this line; so it is never taken for the original.
MARK = "# launcher of afanasy_py, made by afserver-install"

LAUNCHER = """#!/bin/sh
'''exec' '{python}' -E "$0" "$@"
'''
{mark}

import sys

sys.path[0] = {folder!r}

from afanasy_py.cli import main

sys.exit(main())
"""


class InstallError(AfanasyError):
    """The tree is not in a state that can be changed safely."""


def install(root: Path, python: str, folder: Path) -> str:
    """Put the launcher into a tree.

    Args:
        root: Root of the CGRU tree.
        python: Absolute path of the interpreter that has the packages the server needs.
        folder: The folder that has `afanasy_py`.

    Returns:
        What was done, for the user.

    Raises:
        InstallError: The tree was not changed.
    """
    server, original = _places(root)
    text = launcher_text(python, folder)
    if is_launcher(server):
        if server.read_text(encoding="utf-8") == text:
            return f"{server} starts this server already."
        _write(server, text)
        return f"{server} was a launcher already and starts this server now."
    if os.path.lexists(original):
        if os.path.lexists(server):
            raise InstallError(
                f"{server} is no launcher of ours, but {original} is there: which one is the original? "
                "Remove the one that is not."
            )
    elif not os.path.lexists(server):
        raise InstallError(f"{server}: there is no server to be replaced; is the tree built?")
    elif not server.is_file():
        raise InstallError(f"{server}: not a file, or a link to nothing")
    else:
        server.rename(original)
    try:
        _write(server, text)
    except OSError:
        original.rename(server)
        raise
    return f"{server} starts this server now. The original is {original}."


def undo(root: Path) -> str:
    """Put the original back; returns what was done.

    Raises:
        InstallError: The tree was not changed.
    """
    server, original = _places(root)
    ours = is_launcher(server)
    if not ours and not os.path.lexists(original):
        if os.path.lexists(server):
            return f"{server} is the original already."
        raise InstallError(f"{server}: there is neither a launcher nor an original")
    if not os.path.lexists(original):
        raise InstallError(f"{original}: the original is gone; {server} is left as it is")
    if not ours and os.path.lexists(server):
        raise InstallError(f"{server} is no launcher of ours; {original} is left beside it")
    original.replace(server)
    return f"{server} is the original again."


def launcher_text(python: str, folder: Path) -> str:
    """Return the launcher: a text that is a shell script for one line and a Python program for the others.

    Raises:
        InstallError: A path has letters that cannot be quoted for both.
    """
    for path in (python, str(folder)):
        if set(path) & set("'\"\\\n\r"):
            raise InstallError(f"{path!r}: quotes, backslashes and line ends in this path are not supported")
    return LAUNCHER.format(python=python, folder=str(folder), mark=MARK)


def is_launcher(path: Path) -> bool:
    """Return whether a file was made by this command."""
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(4096)
    except OSError:
        return False


def check_interpreter(python: str, folder: Path) -> None:
    """Check that the server can be imported the way the launcher does it.

    Raises:
        InstallError: It cannot, with the reason.
    """
    program = (
        f"import sys; sys.path[0] = {str(folder)!r}; import afanasy_py.cli, os; "
        f"found = os.path.dirname(afanasy_py.__path__[0]); "
        f"sys.exit(found != {str(folder)!r} and 'afanasy_py is found in ' + found)"
    )
    done = subprocess.run([python, "-E", "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InstallError(f"{python} cannot load the server: {reason}")


def _places(root: Path) -> tuple[Path, Path]:
    """Return the paths of the server and of the kept original."""
    if not root.is_dir():
        raise InstallError(f"{root}: there is no such folder")
    for name in ("version.txt", "config_default.json", "afanasy/bin"):
        if not (root / name).exists():
            raise InstallError(f"{root}: not the root of a CGRU tree, {name} is missing")
    folder = root / "afanasy" / "bin"
    return folder / "afserver", folder / "afserver.cpp"


def _write(path: Path, text: str) -> None:
    """Write an executable file in one step: who starts the server meanwhile finds the old or the new one."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def main(words: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = docopt(USAGE, argv=words)
    root = Path(options["CGRU_ROOT"]).absolute()
    try:
        if options["--undo"]:
            done = undo(root)
        elif os.name == "nt":
            raise InstallError("Windows is not supported: its start scripts need an afserver.exe")
        else:
            check_interpreter(sys.executable, PACKAGE.parent)
            done = install(root, sys.executable, PACKAGE.parent)
    except (AfanasyError, OSError) as error:
        sys.stderr.write(f"afserver-install: {error}\n")
        return 1
    sys.stdout.write(done + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
