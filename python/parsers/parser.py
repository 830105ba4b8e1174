"""The base parser: reads the output of a task and keeps what it says about progress and result.

A parser of one's own is a module ``parsers/<name>.py`` with a class ``<name>`` derived from this one that
overrides ``do``. Attribute names are those that parsers of a CGRU tree use.
"""
# ruff: noqa: N801, N802, N803 - names are the interface that parsers of a CGRU tree share

import html
import json
import logging
from pathlib import Path
from typing import Any, ClassVar

log = logging.getLogger(__name__)

ACTIVITY = "ACTIVITY: "
REPORT = "REPORT: "
IMAGE = "@IMAGE@"
IMAGE_NOW = "@IMAGE!@"  # a thumbnail is made while the task runs

CPU_BUSY = ("cpu_user", "cpu_nice", "cpu_system", "cpu_iowait", "cpu_irq", "cpu_softirq")


def after_last(text: str, marker: str) -> str:
    """Return the rest of the line after the last occurrence of a marker, empty when there is none."""
    position = text.rfind(marker)
    return "" if position < 0 else text[position + len(marker) :].split("\n", 1)[0].rstrip("\r")


class parser:
    """What is known from a task's output so far.

    ``warning``, ``error``, ``badresult``, ``activity`` and ``report`` speak of the last piece of output only;
    the host remembers them. ``error``, ``fatalerror`` and ``finishedsuccess`` make the host stop the task.
    """

    #: Texts, whatever their case, that set the attribute of the same name without ``str_``.
    str_warning: ClassVar[list[str]] = []
    str_error: ClassVar[list[str]] = []
    str_fatalerror: ClassVar[list[str]] = []
    str_badresult: ClassVar[list[str]] = []
    str_finishedsuccess: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.percent = 0  # of the task
        self.frame = 0  # frames finished
        self.percentframe = 0  # of the frame
        self.warning = self.error = self.fatalerror = self.badresult = self.finishedsuccess = False
        self.activity = ""
        self.report = ""
        self.resources = ""  # JSON text kept with the task on the server
        self.result: str | None = None  # replaces the output in the task's log when set
        self.log: str | None = None  # goes to the task's log on the server
        self.progress_changed = False
        self.numframes = 1
        self.taskInfo: dict[str, Any] = {}
        self.pid = 0
        self.files: list[str] = []
        self.files_onthefly: list[str] = []
        self.files_all: list[str] = []
        self.host_resources: dict[str, Any] | None = None
        self.res_mem_peak_mb: int | None = None
        self.res_cpu_agv: int | None = None
        self.res_cpu_cur: list[int] = []

    def setTaskInfo(self, taskInfo: dict[str, Any]) -> None:
        """Take what is known of the task."""
        self.taskInfo = taskInfo
        self.numframes = max(1, taskInfo["frames_num"])

    def do(self, i_args: dict[str, Any]) -> str | None:  # noqa: ARG002 - for those that override it
        """Read a piece of output, ``i_args["data"]``; override this. A text returned is shown instead."""
        return None

    def parse(self, i_args: dict[str, Any]) -> None:
        """Read a piece of output: the checks common to all parsers, then ``do``."""
        for key in ("data", "mode"):
            if isinstance(i_args.get(key), bytes):
                i_args[key] = i_args[key].decode("utf-8", "replace")
        self.pid = i_args.get("pid", self.pid)
        self.processResources(i_args)
        if i_args["data"]:
            self.doBaseCheck(i_args["data"])
        try:
            self.result = self.do(i_args)
        except Exception:  # a mistake of a parser does not stop the task
            log.exception("parser failed: %s", type(self).__name__)
        self.progress_changed = self.hasProgressChanged(i_args)

    def doBaseCheck(self, data: str) -> None:
        """Look for the texts of the class, activity, report and names of images."""
        self.error = self.warning = self.badresult = False
        self.result = None
        lower = data.lower()
        for name in ("warning", "error", "fatalerror", "badresult", "finishedsuccess"):
            if any(text.lower() in lower for text in getattr(self, f"str_{name}")):
                setattr(self, name, True)
        self.activity = after_last(data, ACTIVITY)
        self.report = after_last(data, REPORT)
        for line in data.splitlines():
            if IMAGE in line:
                self.appendFile(line.split(IMAGE, 1)[1].strip())
            elif IMAGE_NOW in line:
                self.appendFile(line.split(IMAGE_NOW, 1)[1].strip(), True)
            elif line.startswith("Image: "):  # ImageMagick names each finished frame so
                self.frame += 1
                self.calculate()
                self.appendFile(line.removeprefix("Image: ").strip())

    def hasProgressChanged(self, i_args: dict[str, Any]) -> bool:
        """Return whether the task is alive; a task that is not for long may be stopped by the server."""
        return bool(i_args["data"])

    def appendFile(self, i_file: str, i_onthefly: bool = False) -> None:
        """Remember an output file, when it exists."""
        if i_file in self.files_all:
            return
        self.files_all.append(i_file)
        path = Path(self.taskInfo.get("wdir", ""), i_file)
        if path.is_file():
            (self.files_onthefly if i_onthefly else self.files).append(str(path))

    def getFiles(self) -> list[str]:
        """Return the output files found so far."""
        return list(self.files)

    def getFilesOnTheFly(self) -> list[str]:
        """Return the files to show at once, each only once."""
        files, self.files_onthefly = self.files_onthefly, []
        return files

    def getLog(self) -> str | None:
        """Return lines for the task's log on the server."""
        return self.log

    def calculate(self) -> None:
        """Set ``percent`` from ``frame`` and ``percentframe``, all within bounds."""
        self.frame = min(max(self.frame, 0), self.numframes)
        self.percentframe = min(max(self.percentframe, 0), 100)
        frames = self.frame if self.numframes > 1 else 0
        self.percent = min((100 * frames + self.percentframe) // self.numframes, 100)

    def processResources(self, i_args: dict[str, Any]) -> None:
        """Keep the peak of used memory and the average of CPU use while the task runs."""
        try:
            resources = json.loads(i_args.get("resources") or "{}").get("host_resources")
        except (ValueError, AttributeError):
            return
        if not isinstance(resources, dict):
            return
        self.host_resources = resources
        if "mem_total_mb" in resources and "mem_free_mb" in resources:
            used = resources["mem_total_mb"] - resources["mem_free_mb"]
            self.res_mem_peak_mb = max(used, self.res_mem_peak_mb or 0)
        busy = [resources[key] for key in CPU_BUSY if key in resources]
        if busy:
            self.res_cpu_cur.append(sum(busy))
            self.res_cpu_agv = round(sum(self.res_cpu_cur) / len(self.res_cpu_cur))

    #: Style of a line in HTML, for the first of these attributes that it sets.
    STYLES: ClassVar[dict[str, str]] = {
        "error": "background-color:#F00",
        "badresult": "background-color:#F0F",
        "warning": "background-color:#FA0",
        "finishedsuccess": "color:#080",
        "activity": "background-color:#0F0",
        "report": "font-style:italic",
    }

    def toHTML(self, i_data: str | bytes) -> str:
        """Return output as HTML with findings marked; to be called on a parser made for this."""
        text = i_data.decode("utf-8", "replace") if isinstance(i_data, bytes) else i_data
        return "<br>\n".join(self.toHTMLline(line) for line in text.replace("\r", "").split("\n"))

    def toHTMLline(self, i_line: str) -> str:
        """Return one line as HTML."""
        self.parse({"data": i_line})
        style = next((style for name, style in self.STYLES.items() if i_line and getattr(self, name)), "")
        text = html.escape(i_line, quote=False)
        return self.tagHTML(f'<span style="{style}"><b>{text}</b></span>' if style else text)

    def tagHTML(self, i_line: str) -> str:
        """Mark what is special for this parser's output; override this."""
        return i_line
