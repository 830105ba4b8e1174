"""The base service: commands and files of a task, and what becomes of them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]

NUMERIC = 1
SKIP_THUMBNAILS = 1 << 5
SKIP_EXISTING = 1 << 6


@pytest.mark.parametrize(
    ("pattern", "command"),
    [
        ("r -s @#@ -e @#@", "r -s 5 -e 8"),
        ("@##@ @####@ @#@", "05 0008 5"),
        ("no pattern", "no pattern"),
        ("@@#@", "@5"),
        ("@#@;@#@", "5;8"),
    ],
)
def test_numbers_are_filled_into_a_numeric_block(make: Make, pattern: str, command: str) -> None:
    info = {"block_flags": NUMERIC, "command_block": pattern, "frame_start": 5, "frame_finish": 8}
    assert make(**info).getCommand() == command


def test_the_minus_sign_counts_for_the_padding(make: Make) -> None:
    info = {"block_flags": NUMERIC, "command_block": "@###@", "frame_start": -3, "frame_finish": -3}
    assert make(**info).getCommand() == "-03"


@pytest.mark.parametrize(
    ("block", "task", "command"),
    [
        ("run @#@ and @#@", "it", "run it and it"),
        ("run ", "it", "run it"),
        ("", "it", "it"),
        ("run", "", "run"),
        ("run @#@", "", "run @#@"),
    ],
)
def test_block_and_task_commands_are_joined(make: Make, block: str, task: str, command: str) -> None:
    assert make(command_block=block, command_task=task).getCommand() == command


def test_files_of_a_numeric_block_are_one_for_each_frame(make: Make) -> None:
    info = {"block_flags": NUMERIC, "frame_start": 1, "frame_finish": 5, "frame_inc": 2}
    assert make(files_block=["a.@##@.x", "b"], **info).getFiles() == [
        "a.01.x",
        "a.03.x",
        "a.05.x",
        "b",
        "b",
        "b",
    ]


def test_files_of_blocks_and_tasks_are_joined(make: Make) -> None:
    info = {"files_block": ["/out/@#@.exr", "/tmp/"], "files_task": ["a", "", "b"]}
    assert make(**info).getFiles() == ["/out/a.exr", "/out/b.exr", "/tmp/a", "/tmp/b"]


def test_paths_become_those_of_this_host(make: Make) -> None:
    service = make(
        command_task="r /server/prj/scene",
        wdir="/server/prj/",
        files_block=["/server/prj/out"],
        environment={"OUT": "/server/prj/x"},
    )
    assert service.getCommand() == "r /client/prj/scene"
    assert service.getWDir() == "/client/prj/"
    assert service.getFiles() == ["/client/prj/out"]
    assert service.getEnvironment() == {"OUT": "/client/prj/x"}


def test_capacity_and_hosts_are_put_into_the_command(make: Make) -> None:
    service = make(command_task="r -t @AF_CAPACITY@ @AF_HOSTS@", capacity_coeff=4, hosts=["a", "b"])
    assert service.getCommand() == "r -t 4 -H a,b"


def test_a_task_with_existing_files_is_skipped(make: Make, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    info = {"block_flags": SKIP_EXISTING, "wdir": str(tmp_path), "files_block": ["one"]}
    assert make(**info).skipTask()
    assert not make(**{**info, "block_flags": 0}).skipTask()
    assert not make(**{**info, "files_block": ["one", "two"]}).skipTask()
    small = make(**info, file_size_min=6)
    assert not small.skipTask()
    assert "smaller than allowed (5 < 6 bytes)" in small.getLog()
    assert not make(**info, file_size_max=4).skipTask()


def test_rendered_files_are_checked(make: Make, tmp_path: Path) -> None:
    service = make(wdir=str(tmp_path), files_block=["one"])
    assert not service.checkRenderedFiles()
    assert "File does not exist" in service.getLog()
    (tmp_path / "one").write_bytes(b"12345")
    assert make(wdir=str(tmp_path), files_block=["one"]).checkRenderedFiles()


@pytest.mark.skipif(os.name != "posix", reason="quotes of POSIX shells")
def test_thumbnails_are_made_of_output_files(make: Make, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for name in ("a.exr", "b$(x).jpg", "c.txt"):
        (tmp_path / name).touch()
    info = {"wdir": str(tmp_path), "files_block": ["a.exr", "b$(x).jpg", "c.txt"], "store_dir": str(store)}
    assert make(**info).doPost() == [f'convert "{tmp_path}/a.exr" -set colorspace RGB "{store}/a.exr.jpg"']
    assert make(**info, block_flags=SKIP_THUMBNAILS).doPost() == []


def test_an_unknown_service_is_the_base_one(make: Make) -> None:
    assert type(make("no_such_thing")).__name__ == "service"
    assert type(make("../evil")).__name__ == "service"
    assert type(make("_notify")).__name__ == "service"


def test_an_unknown_parser_is_none(make: Make) -> None:
    service = make(parser="no_such_thing")
    assert not service.hasParser()
    assert service.parse({"data": "text"}) is None


def test_a_parser_is_found_by_its_name(make: Make) -> None:
    service = make(parser="generic")
    parser = service.parse({"data": "PROGRESS: 42%\n", "mode": "RUN", "pid": 1, "resources": ""})
    assert parser.percent == 42
