"""A real server with access control on: the web GUI's login, tokens by afcmd, the audit log."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.client import Client, ask
from afanasy_py.msg.types import MsgType
from afanasy_py.reach import Reach
from afanasy_py.render.client import exchange
from tests.store.real_server import free_port

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PEM = str(ROOT / "tests" / "net" / "tls_test.pem")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Guarded:
    """A server of its own on a free port."""

    def __init__(self, folder: Path, tree: str = "", **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        home = folder / "home"
        home.mkdir(exist_ok=True)
        users = folder / "users"
        users.write_text(f"anna:CGRU:{md5('anna:CGRU:secret')}\n", encoding="utf-8")
        values = {
            "af_access": "1", "af_ip_trust": "10.99.*", "af_digest_file": str(users),
            "af_server_bind": "127.0.0.1", "af_serverport": str(self.port), "af_access_fails": "3",
            "af_store_folder": str(folder / "store"), **settings,
        }  # fmt: skip
        words = [word for key, value in values.items() for word in (f"--{key}", value)]
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "bin/afserver"), "-nosql", *words],
            env={**os.environ, "HOME": str(home), **({"CGRU_LOCATION": tree} if tree else {})},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "Listening" in line:
                break
        else:
            raise AssertionError("the server did not start")

    def post(self, request: Any, *headers: str) -> Any:
        """Ask as the web GUI does."""
        body = json.dumps(request).encode()
        lines = ["POST / HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"AFANASY: {len(body)}", *headers, "", ""]
        return json.loads(self.raw("\r\n".join(lines).encode() + body).partition(b"\r\n\r\n")[2])

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            return answer

    def afcmd(self, *words: str, token: str = "", host: str = "127.0.0.1") -> tuple[int, str]:
        """Run a command of ours; return its exit code and what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "afanasy_py.afcmd.cli", f"--server={host}", f"--port={self.port}", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={
                **os.environ, "HOME": str(self.folder / "home"), "AF_TOKEN": token, "CGRU_AF_TLS_CA": PEM,
            },
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0


Start = Callable[..., Guarded]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Guarded] = []

    def begin(**settings: str) -> Guarded:
        servers.append(Guarded(tmp_path, **settings))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.end()


class Gui:
    """Logs in as the JavaScript of the web GUI does: a counter, and an MD5 over digest, nonce and counter."""

    def __init__(self, server: Guarded, password: str = "secret") -> None:
        self.server = server
        challenge = server.post({"get": {"type": "config"}})
        self.nonce, self.count = challenge["nonce"], 0
        self.digest = md5(f"anna:{challenge['realm']}:{password}")

    def auth(self) -> dict[str, Any]:
        self.count += 1
        response = md5(f"{self.digest}:{self.nonce}:{self.count}")
        return {"user_name": "anna", "nonce": self.nonce, "nc": self.count, "response": response}

    def send(self, request: dict[str, Any]) -> Any:
        return self.server.post({**request, "auth": self.auth()})


def test_the_web_gui_logs_in_and_a_recorded_request_is_worth_nothing(start: Start) -> None:
    server = start()
    gui = Gui(server)
    config = gui.send({"get": {"type": "config"}})
    assert "cgru_config" in config
    assert gui.send({"monitor": {"user_name": "x", "engine": "x"}})["monitor"]["user_name"] == "anna"
    sent = {"get": {"type": "users"}, "auth": gui.auth()}
    assert "users" in server.post(sent)
    again = server.post(sent)
    assert "users" not in again
    assert again["realm"] == "CGRU"
    assert "was there before" in again["info"]["text"]
    assert "users" in gui.send({"get": {"type": "users"}})


def test_who_guesses_passwords_has_to_wait(start: Start) -> None:
    server = start()
    for _ in range(3):
        assert "wrong" in Gui(server, "guess").send({"get": {"type": "users"}})["info"]["text"]
    answer = Gui(server, "secret").send({"get": {"type": "users"}})
    assert "too many failed logins from 127.0.0.1" in answer["info"]["text"]


def test_tokens_are_made_listed_and_revoked_with_afcmd(start: Start, tmp_path: Path) -> None:
    server = start(af_access_networks="127.0.0.1=admin")

    afcmd = server.afcmd
    made = {role: afcmd("tokens", "create", "bert", role)[1].strip() for role in ("artist", "render", "read")}
    code, listed = afcmd("tokens", "list")
    assert code == 0
    assert listed.count("bert") == 3
    assert not any(text in listed for text in made.values())
    assert afcmd("jobs", "list", token=made["read"])[0] == 0
    assert "(read) may not" in afcmd("announce", "hello", token=made["read"])[1]
    assert "may not look at the farm" in afcmd("jobs", "list", token=made["render"])[1]
    code, _ = afcmd("renders", "exit", "x", token=made["artist"])
    assert code == 1
    token_id = made["read"].split("_")[1]
    assert "revoked" in afcmd("tokens", "revoke", token_id)[1]
    assert "not known or not valid" in afcmd("jobs", "list", token=made["read"])[1]
    # A host shows its token before each message of the binary protocol.
    answer = exchange(("127.0.0.1", server.port), MsgType.TRenderDeregister, 5, Reach(token=made["render"]))
    assert b"No render with provided ID" in answer.data
    client = Client("127.0.0.1", server.port, reach=Reach(token=made["artist"]))
    assert "send jobs of the user carl" in client.ask({"job": JOB})["error"]
    assert client.ask({"job": {**JOB, "user_name": "bert"}})["id"] > 0
    server.end()
    audit = [json.loads(line) for line in (tmp_path / "store" / "audit.log").read_text().splitlines()]
    assert [(line["user"], line["action"], bool(line["refused"])) for line in audit][-2:] == [
        ("bert", "job x", True),
        ("bert", "job x[2] of bert", False),
    ]
    assert all(line["address"] == "127.0.0.1" and line["time"] for line in audit)
    assert sum("operation=create" in line["action"] for line in audit) == 3
    assert not any(text in (tmp_path / "store" / "audit.log").read_text() for text in made.values())


def test_strangers_get_the_page_of_the_login_and_no_files_of_tasks(start: Start, tmp_path: Path) -> None:
    server = start()
    folder = tmp_path / "store" / "jobs" / "0" / "1.job" / "tasks" / "0.0" / "files"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "thumb.png").write_bytes(b"picture")
    host = f"Host: 127.0.0.1:{server.port}\r\n\r\n"
    picture = f"GET /@TMP@{folder}/thumb.png HTTP/1.1\r\n{host}".encode()
    assert server.raw(b"GET / HTTP/1.1\r\n" + host.encode()).startswith(b"HTTP/1.1 200 ")
    assert server.raw(picture).startswith(b"HTTP/1.1 403 ")
    Gui(server).send({"get": {"type": "users"}})
    assert server.raw(picture).endswith(b"picture")


def test_logins_and_tokens_can_be_bound_to_tls(start: Start, tmp_path: Path) -> None:
    server = start(af_access_tls="1", af_tls_cert=PEM, af_access_networks="127.0.0.1=read")
    gui = {"get": {"type": "users"}, "auth": {"token": "aft_00000000_x"}}
    assert "over TLS only" in server.post(gui)["info"]["text"]
    code, text = server.afcmd("users", "list", "--tls", host="localhost")
    assert code == 0
    assert "afadmin" in text
    code, text = server.afcmd("users", "list", "--tls", host="localhost", token="aft_00000000_x")
    assert code == 1
    assert "not known or not valid" in text


JOB = {"name": "x", "user_name": "carl", "blocks": [{"flags": 1, "frame_first": 1, "frame_last": 2}]}


def test_saving_and_pre_commands_can_be_switched_off(start: Start, tmp_path: Path) -> None:
    server = start(af_access="0", af_server_save="0", af_server_pre_commands="0")
    assert "af_server_save" in str(ask("127.0.0.1", server.port, {"save": {"path": "x", "object": {}}}))
    marker = tmp_path / "marker"
    answer = ask("127.0.0.1", server.port, {"job": {**JOB, "command_pre": f"touch {marker}"}})
    assert "af_server_pre_commands" in answer["error"]
    assert not marker.exists()


@pytest.mark.parametrize(
    "path",
    [
        "a/../../evil",
        "../evil",
        "/../evil",
        "link/evil",
        "....//....//evil",
        "a\u0000/../../evil",
        "a/" * 3000,
        "",
    ],
)
def test_what_is_saved_stays_below_the_tree(start: Start, tmp_path: Path, path: str) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "link").symlink_to(tmp_path)
    server = start(af_access="0", tree=str(tree), af_store_folder=str(tree / "store"))
    before = set(tmp_path.glob("*.json"))
    ask("127.0.0.1", server.port, {"save": {"path": path, "object": {"a": 1}}})
    assert set(tmp_path.glob("*.json")) == before
    ask("127.0.0.1", server.port, {"save": {"path": "store/access", "object": {"tokens": []}}})
    assert not (tree / "store" / "access.json").exists()
    answer = ask("127.0.0.1", server.port, {"save": {"path": "a/good", "object": {"a": 1}}})
    assert "save" in answer
    assert json.loads((tree / "a" / "good.json").read_text())["a"] == 1


def test_a_reload_switches_access_control_on_and_a_bad_one_changes_nothing(
    start: Start, tmp_path: Path
) -> None:
    home = tmp_path / "home" / ".cgru"
    home.mkdir(parents=True)
    config = home / "config.json"

    def reload(**settings: Any) -> str:
        config.write_text(json.dumps({"cgru_config": settings}), encoding="utf-8")
        return str(ask("127.0.0.1", server.port, {"reload_config": True}))

    server = start(af_access="")
    assert "users" in ask("127.0.0.1", server.port, {"get": {"type": "users"}})
    assert "error" in reload(af_access=True, af_tls_cert="/nowhere")
    assert "users" in ask("127.0.0.1", server.port, {"get": {"type": "users"}})
    assert "success" in reload(af_access=True, af_tls_cert="")
    assert "Access denied" in str(ask("127.0.0.1", server.port, {"get": {"type": "users"}}))
    assert "Access denied" in reload(af_access=False)
