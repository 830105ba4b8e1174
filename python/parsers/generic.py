"""Reads progress as most programs print it."""
# ruff: noqa: N801 - names are the interface that parsers of a CGRU tree share

import re
from typing import Any, ClassVar

from parsers import parser

FRAME = "FRAME: "
#: Forms of progress, the percents as their only group.
PERCENTS = (
    re.compile(r"\bprogress\s*[:=]?\s*\(?(\d{1,3})(?:\.\d+)?\s*%", re.IGNORECASE),  # PROGRESS: 42%
    re.compile(r"\b(\d{1,3})(?:\.\d+)?\s*%\s*(?:done|completed?|finished|rendered)\b", re.IGNORECASE),
    re.compile(r"^\s*\[\s*(\d{1,3})(?:\.\d+)?\s*%\s*\]"),  # [ 42%] as build tools do
    re.compile(r"^\s*(\d{1,3})(?:\.\d+)?\s*%\s*(?:$|\|)"),  # 42% alone, or before a drawn bar
)
#: An unfinished line is kept until its end comes, up to this many characters.
TAIL_MAX = 4096


class generic(parser.parser):
    """Counts frames by ``FRAME: ``, takes percents in common forms and the result from marked lines.

    ``FRAME: `` stands at the beginning of a frame: from the second on, one more is finished. Percents are of
    the frame.
    """

    str_warning: ClassVar[list[str]] = ["[ PARSER WARNING ]"]
    str_error: ClassVar[list[str]] = ["[ PARSER ERROR ]"]
    str_fatalerror: ClassVar[list[str]] = ["[ PARSER FATAL ERROR ]"]
    str_badresult: ClassVar[list[str]] = ["[ PARSER BAD RESULT ]"]
    str_finishedsuccess: ClassVar[list[str]] = ["[ PARSER FINISHED SUCCESS ]"]

    def __init__(self) -> None:
        super().__init__()
        self.firstframe = True
        self.tail = ""  # unfinished last line; pieces of output end anywhere

    def do(self, i_args: dict[str, Any]) -> None:
        """Read all lines; of an unfinished one only percents, which do no harm when read twice."""
        *lines, tail = re.split(r"[\r\n]+", self.tail + i_args["data"])
        self.tail = tail[-TAIL_MAX:]
        for line in lines:
            if FRAME in line:
                if not self.firstframe:
                    self.frame += 1
                    self.percentframe = 0
                self.firstframe = False
            self.findPercent(line)
        self.findPercent(self.tail)
        if i_args["data"]:
            self.calculate()

    def findPercent(self, line: str) -> None:  # noqa: N802 - as its neighbours
        """Take the percents of a line, when it has some."""
        for pattern in PERCENTS:
            found = pattern.search(line)
            if found:
                self.percentframe = min(int(found[1]), 100)
                return
