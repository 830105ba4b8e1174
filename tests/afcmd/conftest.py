"""A server that gives recorded answers, and `afcmd` run in this process against it."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from afanasy_py.afcmd.cli import main

Json = dict[str, Any]
DONE = {"info": {"kind": "log", "text": "Action processed."}}
RECORDED = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))


def plain(request: Json) -> Json:
    """Return a request without what says who asks, and which members the answer needs."""
    ((root, value),) = request.items()
    if not isinstance(value, dict):
        return request
    return {root: {k: v for k, v in value.items() if k not in {"user_name", "host_name", "fields"}}}


class FakeServer:
    """Answers actions as done, and what was recorded as it was recorded."""

    def __init__(self) -> None:
        self.asked: list[Json] = []  # as they came
        self.answers = {json.dumps(plain(step["send"]), sort_keys=True): step["answer"] for step in RECORDED}
        self.queued: list[Json | bytes | None] = []  # answers to the next requests; None: closes without one
        self.port = 0

    def answer(self, request: Json) -> Json | bytes | None:
        self.asked.append(request)
        if self.queued:
            return self.queued.pop(0)
        if "action" in request:
            return DONE
        return self.answers.get(
            json.dumps(plain(request), sort_keys=True), {"info": {"kind": "error", "text": "?"}}
        )

    @property
    def requests(self) -> list[Json]:
        """What was asked, without who asks."""
        return [plain(request) for request in self.asked]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"JSON"):
                head += self.rfile.read(1)
            body = self.rfile.read(int(head.split()[1]))
            answer = fake.answer(json.loads(body.decode("utf-8", "surrogateescape")))
            if isinstance(answer, dict):
                text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape")
                answer = b"AFANASY %d JSON" % len(text) + text
            with contextlib.suppress(ConnectionError):
                self.wfile.write(answer or b"")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as tcp:
        tcp.daemon_threads = True
        fake.port = tcp.server_address[1]
        threading.Thread(target=tcp.serve_forever, args=(0.01,), daemon=True).start()
        yield fake
        tcp.shutdown()


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Afcmd = Callable[..., Ran]


@pytest.fixture
def no_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the configuration of this machine away."""
    for name in (
        "CGRU_LOCATION",
        "AF_ROOT",
        "CGRU_CUSTOM_CONFIG",
        "CGRU_AF_SERVERNAME",
        "CGRU_AF_SERVERPORT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AF_USERNAME", "artist")
    monkeypatch.setenv("AF_HOSTNAME", "ws01")
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def afcmd(server: FakeServer, no_config: None, capsys: pytest.CaptureFixture[str]) -> Afcmd:
    """Run a command against the fake server and return its exit code and what it wrote."""

    def run(*words: str) -> Ran:
        code = main(["--server", "127.0.0.1", "--port", str(server.port), *words])
        return Ran(code, *capsys.readouterr())

    return run
