"""Forms of log lines. What is logged, and at which level, is up to the modules that log.

Lines go to standard error, as `<date>: <LEVEL> <text>` (the form of the original server, so scripts that read
its log go on working) or as one JSON object each. Colours are for terminals only.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

#: {level name: (colour of the word, colour of the text)}, as the original has them.
COLOURS = {
    "DEBUG": ("\033[1;30m", "\033[0m"),
    "INFO": ("\033[1;37m", "\033[0m"),
    "WARNING": ("\033[1;33m", "\033[0;33m"),
    "ERROR": ("\033[1;31m", "\033[0;31m"),
    "CRITICAL": ("\033[1;31m", "\033[0;31m"),
}
END = "\033[0m"
#: What could move the cursor of a terminal, or be taken for the end of a line. Texts have names of jobs, and those
#: come from anybody.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def harmless(text: str) -> str:
    """Return a text that cannot be taken for more than one line of the log: its further lines are indented."""
    text = text.replace("\r\n", "\n").replace("\n", "\n    ")
    return _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class LineFormatter(logging.Formatter):
    """`<date>: <LEVEL> <text>`, the level padded to seven letters; without dates `<LEVEL> <text>`."""

    def __init__(self, time_format: str, *, dates: bool = True, colours: bool = False) -> None:
        super().__init__(datefmt=time_format)
        self._dates = dates
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines of one record, without a line end."""
        text = harmless(record.getMessage())
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        level = f"{record.levelname:<7}"
        if self._colours:
            word, plain = COLOURS.get(record.levelname, (END, END))
            level, text = f"{word}{level}", f"{plain}{text}{END}"
        if not self._dates:
            return f"{level} {text}"
        return f"{self.formatTime(record, self.datefmt)}: {level} {text}"


class JsonFormatter(logging.Formatter):
    """One JSON object in one line: time (Unix seconds), level, logger, text, traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record, without a line end."""
        line = {
            "time": round(record.created, 3),
            "level": record.levelname,
            "logger": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def wants_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal whose user did not refuse colours (NO_COLOR)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def formatter(
    time_format: str, *, dates: bool, as_json: bool, stream: TextIO, environ: Mapping[str, str]
) -> logging.Formatter:
    """Return the formatter for a stream; `time_format` is the setting `timeformat`."""
    if as_json:
        return JsonFormatter()
    return LineFormatter(time_format, dates=dates, colours=wants_colours(stream, environ))


def set_up(
    time_format: str, *, dates: bool = True, as_json: bool = False, level: int = logging.INFO
) -> logging.Handler:
    """Send all log lines to standard error; a second call replaces what the first has set up."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, "of_afserver", False)]:
        root.removeHandler(old)
    handler = logging.StreamHandler(sys.stderr)
    handler.of_afserver = True  # type: ignore[attr-defined]
    handler.setFormatter(
        formatter(time_format, dates=dates, as_json=as_json, stream=sys.stderr, environ=os.environ)
    )
    root.addHandler(handler)
    root.setLevel(level)
    return handler
