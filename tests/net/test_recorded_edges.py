"""Odd and hostile requests that the original was sent: the same form of answer, or a better one."""

import json
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.net.files import Files
from tests.net.conftest import StartServer
from tests.net.net_peers import Peer, Stub, let_run, lives, settings

CAPTURES = json.loads((Path(__file__).parent.parent / "golden" / "edges.json").read_text())
#: What the recorded clients called their server.
NAMES = {"af_servername": "server01", "af_http_hosts": ("a",)}

#: {capture: how our answer begins}, where it is meant to differ.
BETTER = {
    # The original only looks at the bytes of its first read.
    "edge_text_split_header": b"AFANASY 16 JSON",
    "edge_http_post_split_header": b"HTTP/1.1 200 OK",
    # It wants a space there.
    "edge_http_post_no_space": b"HTTP/1.1 200 OK",
    # It closes without a word, or waits.
    "edge_http_post_no_header": b"HTTP/1.1 400 Bad Request",
    "edge_http_post_lf": b"HTTP/1.1 400 Bad Request",
    # It takes other methods for a binary message of another version.
    "edge_http_head": b"HTTP/1.1 200 OK",
    "edge_http_options": b"HTTP/1.1 204 No Content",
    # It dies, or answers what no client understands.
    "hostile_string_len_0": b"AFANASY",
    "hostile_string_len_huge": b"AFANASY",
    "hostile_strings_short": b"AFANASY",
    "hostile_register_short": b"AFANASY",
    "hostile_length_minus_1": b'AFANASY 61 JSON{"info":{"kind":"error","text":"TInvalid message received."}}',
    "hostile_type_minimum": b"AFANASY",
    "hostile_job_no_blocks": b"AFANASY",
    "hostile_block_number": b"\0\0\0\x51",
    "hostile_block_mode": b"\0\0\0\x51\0\0\0\x26",
}


def form_of(answer: bytes) -> bytes:
    """Return what tells the kind of an answer: status line, text mark, or version and type."""
    if answer.startswith(b"HTTP"):
        return answer.partition(b"\r\n")[0]
    if answer.startswith(b"AFANASY"):
        return b"AFANASY"
    return answer[:8]


def pieces(capture: dict[str, Any]) -> list[bytes]:
    data, found = capture["request"].encode("latin-1"), []
    for size in capture["sent_in"]:
        if isinstance(size, int):
            found.append(data[:size])
            data = data[size:]
    return found


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """A farm whose web site has the files that the recorded one had."""
    for name in ("afanasy/browser/index.html", "lib/styles.css", "config_default.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return Stub(Files(str(tmp_path), tmp_path / "store", settings()))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture["name"])
def test_a_recorded_request(capture: dict[str, Any], stub: Stub, start_server: StartServer) -> None:
    server = start_server(stub, **NAMES)
    recorded = capture["answer"].encode("latin-1")
    expected = BETTER.get(capture["name"])
    with Peer(server) as peer:
        for piece in pieces(capture):
            if piece:
                peer.send(piece)
            let_run()
        if capture["shut"]:
            peer.shut()
        elif not recorded and expected is None and capture["closed_by"] == "client":
            assert peer.hears_nothing()
            peer.shut()
        elif not recorded and expected is None and capture["name"] == "edge_short_wait":
            server.pass_time(13.0)
        elif recorded or expected is not None:
            let_run(0.01)
            peer.shut()
        answer = peer.read_all()
    if expected is not None:
        assert answer.startswith(expected)
    else:
        assert form_of(answer) == form_of(recorded)
    assert lives(server)


@pytest.mark.parametrize(
    "name",
    [
        "edge_type_TVersionMismatch", "edge_type_TInvalid", "edge_version_80", "edge_json_length_minus_1",
        "edge_text_size_0", "edge_text_short_size", "edge_text_bad_json", "edge_http_post",
        "edge_http_post_bad_json", "edge_text_ok", "edge_binary_split", "edge_type_THTTP_binary_header",
    ],
)  # fmt: skip
def test_a_recorded_answer_comes_letter_for_letter(name: str, start_server: StartServer) -> None:
    capture = next(capture for capture in CAPTURES if capture["name"] == name)
    server = start_server(**NAMES)
    with Peer(server) as peer:
        peer.send(capture["request"].encode("latin-1"))
        peer.shut()
        assert peer.read_all() == capture["answer"].encode("latin-1")
