"""Finds and makes services: objects of Python classes that tell how a task runs on this host.

Folders are searched in order: those given, a CGRU tree's, ours. A file found first wins, so a tree's own
services are used where there is a tree, and ours where not. This module knows the folders and the shape of
``taskInfo``; it must not know the server or processes.
"""

import importlib
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from afanasy_py.msg.records.taskexec import TaskExec
from afanasy_py.render import cgru_modules

log = logging.getLogger(__name__)

BASE_SERVICE = "service"
#: Packages that are looked for in each folder.
PACKAGES = ("services", "parsers")


def cgru_python_dirs(environ: Mapping[str, str]) -> list[Path]:
    """Return the Python folders of the CGRU tree that the environment names; empty when there is none."""
    cgru, af_root = environ.get("CGRU_LOCATION"), environ.get("AF_ROOT")
    afanasy = Path(af_root) if af_root else Path(cgru) / "afanasy" if cgru else None
    if afanasy is None or not (afanasy / "python" / "services").is_dir():
        return []
    tree = Path(cgru) if cgru else afanasy.parent
    return [afanasy / "python", tree / "lib" / "python"]


class ServiceLoader:
    """Makes the ``services`` and ``parsers`` packages of this process and objects of their classes.

    Python has one table of modules for the whole process, so the last one made is the one that works.

    Args:
        folders: Folders with ``services`` and ``parsers`` in them, the first has precedence.
        variables: Settings for services when there is no CGRU tree.
    """

    def __init__(self, folders: Sequence[Path], variables: Mapping[str, Any] | None = None) -> None:
        self.folders = list(folders)
        for folder in reversed(self.folders):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        for name in [n for n in sys.modules if n.startswith(tuple(f"{package}." for package in PACKAGES))]:
            del sys.modules[name]
        for name in PACKAGES:
            package = ModuleType(name, "Joined of all folders of the render host.")
            package.__path__ = [str(folder / name) for folder in self.folders if (folder / name).is_dir()]
            sys.modules[name] = package
        for name, module in cgru_modules.build(variables or {}).items():
            if not any((folder / f"{name}.py").is_file() for folder in self.folders):
                sys.modules[name] = module

    def make(self, name: str, task_info: dict[str, Any]) -> Any:
        """Return a new service object; the base one when there is no service of that name.

        Raises:
            Exception: Anything that the service's own code raises, or that is wrong with its module.
        """
        for candidate in (name, BASE_SERVICE):
            if candidate.isidentifier() and not candidate.startswith("_"):
                try:
                    module = importlib.import_module(f"services.{candidate}")
                except ModuleNotFoundError as error:
                    if error.name != f"services.{candidate}":
                        raise
                else:
                    return getattr(module, candidate)(task_info, False)
            log.warning("no such service: %s", name)
        raise ModuleNotFoundError(f"no base service in {self.folders}")


def task_info(task: TaskExec, store_dir: str) -> dict[str, Any]:
    """Return what a service gets to know of a task.

    The keys are those that services of a CGRU tree read; all texts are ``str``.
    """
    return {
        "wdir": task.working_directory,
        "parser": task.parser,
        "command_block": task.command_block,
        "command_task": task.command_task,
        "capacity": task.capacity,
        "capacity_coeff": task.capacity_coeff,
        "files_block": list(task.files_block),
        "files_task": list(task.files_task),
        "hosts": list(task.multihost_names),
        "parsed_files": list(task.parsed_files),
        "environment": dict(task.environment),
        "tickets": dict(task.tickets),
        "frame_start": task.frame_start,
        "frame_finish": task.frame_finish,
        "frame_inc": task.frames_inc,
        "frames_num": task.frames_num,
        "task_id": task.task_num,
        "task_name": task.name,
        "block_id": task.block_num,
        "block_name": task.block_name,
        "block_flags": task.block_flags,
        "job_id": task.job_id,
        "job_name": task.job_name,
        "user_name": task.user_name,
        "store_dir": store_dir,
        **task.data_integers,
        **task.data_strings,
    }
