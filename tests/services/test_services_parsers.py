"""What parsers read in output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

Make = Callable[..., Any]


def generic(make: Make, **info: Any) -> Any:
    return make(parser="generic", **info).parser


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("PROGRESS: 42%\n", 42),
        ("progress = 42.7 %\n", 42),
        ("Progress: (42%)\r", 42),
        ("Frame 3: 42% done\n", 42),
        ("[ 42%] Building\n", 42),
        ("42%\n", 42),
        (" 42%|####      | 4/10\r", 42),
        ("PROGRESS: 10%\nPROGRESS: 42%\n", 42),
        ("PROGRESS: 42%", 42),
        ("PROGRESS: 999%\n", 100),
        ("used 42% of memory\n", 0),
        ("PROGRESS: much%\n", 0),
    ],
)
def test_percents_are_found_in_common_forms(make: Make, text: str, percent: int) -> None:
    parser = generic(make)
    parser.parse({"data": text})
    assert parser.percent == percent


def test_frames_count_from_the_second_on(make: Make) -> None:
    parser = generic(make, frames_num=4)
    seen = []
    for text in ("FRAME: 1\n", "PROGRESS: 50%\n", "FRAME: 2\n", "PROGRESS: 100%\n", "FRAME: 3\nFRAME: 4\n"):
        parser.parse({"data": text})
        seen.append(parser.percent)
    assert seen == [0, 12, 25, 50, 75]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_where_output_is_cut_makes_no_difference(make_parser: Any, sizes: list[int]) -> None:
    text = "FRAME: 1\nPROGRESS: 30%\nFRAME: 2\nPROGRESS: 60%\n"
    parser, position = make_parser(), 0
    for size in sizes:
        parser.parse({"data": text[position : position + size]})
        position += size
    parser.parse({"data": text[position:]})
    assert (parser.frame, parser.percentframe) == (1, 60)


@pytest.fixture(scope="session")
def make_parser(loader: Any, plain_info: dict[str, Any]) -> Any:
    return lambda: loader.make("generic", {**plain_info, "parser": "generic", "frames_num": 2}).parser


@pytest.mark.parametrize(
    ("marker", "attribute"),
    [
        ("[ PARSER WARNING ]", "warning"),
        ("[ PARSER ERROR ]", "error"),
        ("[ PARSER FATAL ERROR ]", "fatalerror"),
        ("[ PARSER BAD RESULT ]", "badresult"),
        ("[ PARSER FINISHED SUCCESS ]", "finishedsuccess"),
    ],
)
def test_markers_set_their_attribute(make: Make, marker: str, attribute: str) -> None:
    parser = generic(make)
    parser.parse({"data": f"here: {marker.lower()}\n"})
    names = ("warning", "error", "fatalerror", "badresult", "finishedsuccess")
    assert [name for name in names if getattr(parser, name)] == [attribute]


def test_activity_and_report_are_the_rest_of_their_lines(make: Make) -> None:
    parser = generic(make)
    parser.parse({"data": b"ACTIVITY: loading\nREPORT: 5 \xc3\xa4 of 6\nmore"})
    assert (parser.activity, parser.report) == ("loading", "5 ä of 6")


def test_files_are_those_that_exist(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a.exr").touch()
    service = make(parser="generic", wdir=str(tmp_path))
    service.parse({"data": "@IMAGE@a.exr\n@IMAGE@b.exr\n@IMAGE@a.exr\n"})
    assert service.getParsedFiles() == [str(tmp_path / "a.exr")]


def test_resources_are_watched(make: Make) -> None:
    parser = generic(make)
    for cpu, free in ((10, 500), (30, 200), (20, 400)):
        host = f'{{"cpu_user": {cpu}, "mem_total_mb": 1000, "mem_free_mb": {free}}}'
        parser.parse({"data": "", "resources": f'{{"host_resources": {host}}}'})
    parser.parse({"data": "", "resources": "nonsense"})
    assert (parser.res_mem_peak_mb, parser.res_cpu_agv) == (800, 20)


def test_html_is_escaped_and_marked(make: Make) -> None:
    text = generic(make).toHTML("a < b\n[ PARSER ERROR ]")
    assert text.startswith("a &lt; b<br>\n<span style=")


def test_a_failing_parser_does_not_stop_the_task(make: Make) -> None:
    parser = generic(make)
    parser.do = lambda _: 1 / 0
    parser.parse({"data": "text"})
    assert parser.progress_changed
