"""The demonstration."""

import json
import socket
import subprocess
import sys
import threading

import pytest

from afanasy_py import demo


def test_a_block_is_one_line() -> None:
    block = {"name": "render", "tasks_num": 8, "p_tasks_done": 4, "state": " RUN"}
    bar = "D" * 64 + "R" * 32 + "W" * 16 + "E" * 16
    line = demo.block_line({**block, "p_progressbar": bar})
    assert line == f"  render      [{'#' * 16}{'>' * 8}{'.' * 4}{'!' * 4}]   4/8 RUN"
    assert demo.block_line({"name": "render", "tasks_num": 8}) == f"  render      [{' ' * 32}]   0/8 "


def test_a_host_is_one_line() -> None:
    busy = {"name": "host1", "tasks": [{"block_name": "render", "name": "frame 1"}]}
    assert demo.render_line(busy) == "  host1       render: frame 1"
    assert demo.render_line({"name": "host1", "state": " ONL"}) == "  host1       ONL"


def test_an_answer_in_pieces_is_put_together() -> None:
    text = json.dumps({"renders": [{"name": "ä"}]}, ensure_ascii=False).encode()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                for piece in (b"AFANA", b"SY %d JS" % len(text), b"ON" + text[:5], text[5:]):
                    peer.sendall(piece)
                peer.recv(1)  # until the client closes first

        threading.Thread(target=serve, daemon=True).start()
        assert demo.Client(server.getsockname()[1]).renders() == [{"name": "ä"}]


def test_every_block_of_the_job_waits_for_one_that_exists() -> None:
    blocks = demo.demo_job(fast=True)["blocks"]
    names: list[str] = []
    for block in blocks:
        for mask in (block.get("depend_mask"), block.get("tasks_depend_mask")):
            assert set(filter(None, (mask or "").split("|"))) <= set(names)
        names.append(block["name"])


@pytest.mark.e2e
def test_the_whole_farm_runs_and_is_gone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "afanasy_py.demo", "--fast"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Finished movie of frame 01" in done.stdout
    assert "nothing is left behind" in done.stdout
