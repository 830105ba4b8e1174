"""The base service: turns what the server sent into a command, and says how to judge its result.

A render host makes one object for each start of a task and calls its methods; a service of one's own is a
module ``services/<name>.py`` with a class ``<name>`` derived from this one. Names of attributes and methods
are those that services of a CGRU tree use, so both kinds run on both kinds of hosts.

This module must not know the server, the network or the process: the host owns those.
"""
# ruff: noqa: N801, N802, N803 - names are the interface that services of a CGRU tree share

import importlib
import logging
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import afcommon
import cgruconfig
import cgrupathmap

log = logging.getLogger(__name__)

#: Placeholders in a command.
str_capacity = "@AF_CAPACITY@"
str_hosts = "@AF_HOSTS@"
str_hostsprefix = "-H "
str_hostseparator = ","

THUMBNAILS_MAX = 3
#: A file name with one of these is not given to a shell inside of double quotes.
SHELL_SPECIAL = re.compile(r'["`$\\\n]') if os.name == "posix" else re.compile(r'["%\n]')


def quoted(text: str) -> str:
    """Return a text in double quotes in which a shell finds nothing to expand."""
    special = r'([\\"`$])' if os.name == "posix" else r'(")'
    return '"' + re.sub(special, r"\\\1", text) + '"'


class service:
    """One start of a task on this host.

    Args:
        taskInfo: What is known of the task: texts ``wdir`` ``command_block`` ``command_task`` ``parser``
            ``task_name`` ``block_name`` ``job_name`` ``user_name`` ``store_dir``; lists ``files_block``
            ``files_task`` ``parsed_files`` ``hosts``; dicts ``environment`` ``tickets``; numbers
            ``frame_start`` ``frame_finish`` ``frame_inc`` ``frames_num`` ``capacity`` ``capacity_coeff``
            ``block_flags`` ``job_id`` ``block_id`` ``task_id``; and the custom data of the task's nodes. The
            service adds ``command`` and ``files``.
        i_verbose: Say more in the host's log.
    """

    def __init__(self, taskInfo: dict[str, Any], i_verbose: bool) -> None:
        self.taskInfo = taskInfo
        self.verbose = i_verbose
        self.skip_task = False
        self.log: str | None = None  # goes to the task's log on the server
        self.numeric = bool(afcommon.checkBlockFlag(taskInfo["block_flags"], "numeric"))
        self.pm = cgrupathmap.PathMap()
        self.str_capacity = str_capacity
        self.str_hosts = str_hosts
        self.str_hostsprefix = str_hostsprefix
        self.str_hostseparator = str_hostseparator

        taskInfo["wdir"] = self.pm.toClient(taskInfo["wdir"])
        command = self.pm.toClient(self.processCommandPattern())
        if taskInfo.get("capacity_coeff", 0) > 0:
            command = self.applyCmdCapacity(command)
        if taskInfo["hosts"]:
            command = self.applyCmdHosts(command)
        taskInfo["command"] = command
        taskInfo["files"] = [self.pm.toClient(name) for name in self.processFilesPattern()]
        taskInfo["parsed_files"] = [self.pm.toClient(name) for name in taskInfo["parsed_files"]]
        for name, value in taskInfo["environment"].items():
            taskInfo["environment"][name] = self.pm.toClient(value)
        if self.isSkippingExistingFiles() and taskInfo["files"]:
            self.checkExistingFiles()
        self.parser = self.makeParser(taskInfo["parser"])

    def makeParser(self, name: str) -> Any:
        """Return a new parser by its name, or None when there is no such parser or it is broken."""
        if not name:
            return None
        try:
            parser = getattr(importlib.import_module(f"parsers.{name}"), name)()
            parser.setTaskInfo(self.taskInfo)
        except Exception:
            log.exception("parser not loaded: %s", name)
            return None
        return parser

    # What to run.

    def processCommandPattern(self) -> str:
        """Return the command of the task, from those of the block and of the task."""
        info = self.taskInfo
        tasks = [info["command_task"]]
        return self.processPattern(info["command_block"], tasks, info["frame_start"], info["frame_finish"])[0]

    def processPattern(self, i_block: str, i_tasks: list[str], i_start: int, i_finish: int) -> list[str]:
        """Return texts made of a block's pattern: one with numbers filled in, or one for each task's text."""
        if self.numeric:
            return [afcommon.fillNumbers(i_block, i_start, i_finish)]
        texts = [i_block.replace("@#@", t) if "@#@" in i_block else i_block + t for t in i_tasks if t]
        return texts or [i_block]

    def processFilesPattern(self) -> list[str]:
        """Return the output files of the task: for each pattern of the block, one or more for each frame."""
        info = self.taskInfo
        frames = range(info["frame_start"], info["frame_finish"] + 1, max(1, info["frame_inc"]))
        return [
            name
            for pattern in info["files_block"]
            for frame in frames
            for name in self.processPattern(pattern, info["files_task"], frame, frame)
        ]

    def applyCmdCapacity(self, command: str) -> str:
        """Return the command with the capacity coefficient in place of its placeholder."""
        return command.replace(self.str_capacity, str(self.taskInfo.get("capacity_coeff", 1)))

    def applyCmdHosts(self, command: str) -> str:
        """Return the command with the option that lists the hosts in place of its placeholder."""
        hosts = self.str_hostseparator.join(str(host) for host in self.taskInfo["hosts"])
        return command.replace(self.str_hosts, self.str_hostsprefix + hosts)

    def isSkippingExistingFiles(self) -> bool:
        """Return whether the block asks to skip tasks that have been rendered before."""
        return bool(afcommon.checkBlockFlag(self.taskInfo["block_flags"], "skipexistingfiles"))

    def checkExistingFiles(self) -> None:
        """Skip the task when all its files are there with allowed sizes."""
        complaints = [self.fileComplaint(name) for name in self.taskInfo["files"] if name]
        lines = [text for text in complaints if text and not text.startswith("File does not exist")]
        if not any(complaints):
            lines.append("All files of the task exist, it is not run.")
            self.skip_task = True
        if lines:
            self.addLog("\n".join(lines))

    def skipTask(self) -> bool:
        """Return whether the task counts as done without running."""
        return self.skip_task

    def getWDir(self) -> str:
        """Return the working directory, empty for any."""
        return str(self.taskInfo["wdir"])

    def getCommand(self) -> str:
        """Return the shell command, empty when the task can not run."""
        return str(self.taskInfo["command"])

    def getEnvironment(self) -> dict[str, str]:
        """Return variables to add to the host's environment."""
        return dict(self.taskInfo["environment"])

    def getFiles(self) -> list[str]:
        """Return the output files of the task."""
        return list(self.taskInfo["files"])

    def getParsedFiles(self) -> list[str]:
        """Return the files that the output speaks of, as paths of the server."""
        if self.taskInfo["parsed_files"]:
            return list(self.taskInfo["parsed_files"])
        if self.parser is None:
            return []
        return [self.pm.toServer(name) for name in self.parser.getFiles()]

    # How it went.

    def addLog(self, text: str) -> None:
        """Add lines to the task's log on the server."""
        self.log = f"{self.log}\n{text}" if self.log else text

    def getLog(self) -> str:
        """Return lines for the task's log on the server."""
        parts = [("Parser", self.parser.getLog() if self.parser is not None else None), ("Service", self.log)]
        return "\n".join(f"{name}: {text}" for name, text in parts if text)

    def hasParser(self) -> bool:
        """Return whether the output is read by a parser."""
        return self.parser is not None

    def parse(self, i_args: dict[str, Any]) -> Any:
        """Let the parser read new output; returns the parser, or None when there is none.

        Args:
            i_args: ``data`` new output, ``mode`` "RUN" or "<wait status>:<stop time>" at the end, ``pid``,
                ``resources`` JSON text of the host's resources.
        """
        if self.parser is None:
            return None
        self.parser.parse(i_args)
        for command in self.generateThumbnail(True):
            subprocess.run(command, shell=True, check=False, timeout=self.doPostLimitSec())  # noqa: S602
        return self.parser

    def toHTML(self, i_data: str) -> str:
        """Return output as HTML with the parser's findings marked."""
        return i_data if self.parser is None else str(self.parser.toHTML(i_data))

    def checkExitStatus(self, i_status: int) -> bool:
        """Return whether an exit status means success; programs with good non-zero ones override this."""
        return i_status == 0

    def checkRenderedFiles(self) -> bool:
        """Return whether all files of the task are there with allowed sizes; called when the block asks."""
        for name in self.taskInfo["files"]:
            complaint = self.fileComplaint(name)
            if complaint:
                self.addLog(complaint)
                return False
        return True

    def fileComplaint(self, name: str) -> str:
        """Return what is wrong with an output file: it is absent, too small or too big; empty when fine."""
        path = Path(self.taskInfo["wdir"], name)
        if not path.is_file():
            return f"File does not exist:\n{path}"
        size = path.stat().st_size
        smallest, biggest = self.taskInfo.get("file_size_min", -1), self.taskInfo.get("file_size_max", -1)
        if smallest > 0 and size < smallest:
            return f"File is smaller than allowed ({size} < {smallest} bytes):\n{path}"
        if 0 < biggest < size:
            return f"File is bigger than allowed ({size} > {biggest} bytes):\n{path}"
        return ""

    # What to do after.

    def doPost(self) -> list[str]:
        """Return commands to run after a success; when one fails, so does the task."""
        if afcommon.checkBlockFlag(self.taskInfo["block_flags"], "skipthumbnails"):
            return []
        return self.generateThumbnail(False)

    def doPostLimitSec(self) -> int:
        """Return how many seconds each of these commands may take."""
        return int(cgruconfig.VARS.get("af_task_post_limit_sec", 16))

    def generateThumbnail(self, i_onthefly: bool) -> list[str]:
        """Return commands that put small pictures of the output into the store folder of the task.

        Setting ``af_thumbnail_cmd`` is the command's pattern; without it there are no thumbnails.
        """
        template = cgruconfig.VARS.get("af_thumbnail_cmd", "")
        store = str(self.taskInfo.get("store_dir", ""))
        if not template or not Path(store).is_dir():
            return []
        names: list[str] = []
        if self.parser is not None:
            names = self.parser.getFilesOnTheFly() if i_onthefly else self.parser.getFiles()
        if not names and not i_onthefly:
            names = self.taskInfo["files"]
        if len(names) > THUMBNAILS_MAX:
            names = [names[0], names[len(names) // 2], names[-1]]
        extensions = cgruconfig.VARS.get("af_thumbnail_extensions", [])
        commands = []
        for name in names:
            image = Path(self.taskInfo["wdir"], name)
            extension = image.suffix.lower().lstrip(".")
            if extension not in extensions or not image.is_file() or SHELL_SPECIAL.search(str(image)):
                continue
            colorspace = {"dpx": "Log", "cin": "Log", "exr": "RGB"}.get(extension)
            self.taskInfo["image"] = str(image)
            self.taskInfo["thumbnail"] = str(Path(store, image.name + ".jpg"))
            self.taskInfo["pre_args"] = f"-set colorspace {colorspace}" if colorspace else ""
            commands.append(template % self.taskInfo)
        return commands
