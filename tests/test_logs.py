import io
import json
import logging
import sys

import pytest

from afanasy_py import logs


def record(text: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    made = logging.LogRecord("afanasy_py.net", level, __file__, 1, text, args, None)
    made.created = 1_000_000.25
    return made


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_has_date_level_and_text() -> None:
    line = logs.LineFormatter("%Y")
    assert line.format(record("port %d", 5)) == "1970: WARNING port 5"
    assert line.format(record("up", level=logging.INFO)) == "1970: INFO    up"


def test_dates_can_be_left_out() -> None:
    assert logs.LineFormatter("%Y", dates=False).format(record("x")) == "WARNING x"


def test_colours_are_around_level_and_text_but_not_the_date() -> None:
    line = logs.LineFormatter("%Y", colours=True).format(record("x", level=logging.ERROR))
    assert line == "1970: \033[1;31mERROR   \033[0;31mx\033[0m"


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals(stream: io.StringIO, environ: dict[str, str], wanted: bool) -> None:
    assert logs.wants_colours(stream, environ) == wanted


def test_a_traceback_follows_the_text() -> None:
    made = record("bug")
    try:
        raise KeyError("x")
    except KeyError:
        made.exc_info = sys.exc_info()
    text = logs.LineFormatter("%Y").format(made)
    assert text.startswith("1970: WARNING bug\nTraceback")
    assert text.endswith("KeyError: 'x'")
    assert json.loads(logs.JsonFormatter().format(made))["traceback"].endswith("KeyError: 'x'")


def test_a_json_line_is_one_object() -> None:
    line = logs.JsonFormatter().format(record("two\nlines"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": 1_000_000.25,
        "level": "WARNING",
        "logger": "afanasy_py.net",
        "text": "two\nlines",
    }


def test_setting_up_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    level = root.level
    try:
        logs.set_up("%Y")
        handler = logs.set_up("%Y", dates=False, as_json=False)
        logging.getLogger("afanasy_py.test").info("once")
        assert capsys.readouterr().err == "INFO    once\n"
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_name_cannot_make_a_line_of_its_own(as_json: bool) -> None:
    name = "x\nTue: ERROR   forged\r\nTue: INFO    forged\rTue\x1b[2J\x85\u2028Tue: ERROR   forged\x00"
    made = record('Job registered: "%s"', name)
    line = (logs.JsonFormatter() if as_json else logs.LineFormatter("%a")).format(made)
    assert all(ord(letter) >= 32 or letter == "\n" for letter in line)
    first, *others = line.splitlines()
    assert "Job registered" in first
    assert all(other.startswith("    ") for other in others)
