"""Real server processes on loopback: ours, and the original where it is installed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from afanasy_py.store.disk import Disk

ROOT = Path(__file__).resolve().parents[2]
#: The tree of a CGRU 3.4.1 whose server listens on the address in AF_SERVER_BIND (it has no option for that).
ORIGINAL = os.environ.get("AFSERVER_ORIGINAL", "")
PATIENCE_SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RealServer:
    """A server on a store."""

    def __init__(self, store: Path, home: Path, *, original: bool = False) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._store = store
        self.port = free_port()
        self.log = home / "log"
        options = f"--af_serverport {self.port} --af_store_folder {store}"
        environment = {
            **os.environ,
            "HOME": str(home),
            "AF_SERVER_BIND": "127.0.0.1",
            "CGRU_AF_SERVERNAME": "127.0.0.1",
            "CGRU_AF_SERVERPORT": str(self.port),
            "CGRU_AF_SERVER_BIND": "127.0.0.1",
            "CGRU_AF_DB_CONNINFO": "host=127.0.0.1 port=1 dbname=none connect_timeout=1",
        }
        command = f"exec {sys.executable} {ROOT / 'bin/afserver'} -nosql {options}"
        if original:
            command = f"source ./setup.sh >/dev/null 2>&1; exec afserver -nosql -log_nodate {options}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=ORIGINAL if original else home,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end = time.perf_counter() + PATIENCE_SECONDS
        while True:
            try:
                self.ask({"get": {"type": "users"}})
            except OSError:
                if self.process.poll() is not None or time.perf_counter() > end:
                    self.kill()
                    raise RuntimeError(self.log.read_text(errors="replace")[-3000:]) from None
                time.sleep(0.02)
            else:
                return

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the answer to a JSON request."""
        body = json.dumps(request).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(b"AFANASY %d JSON" % len(body) + body)
            raw = b""
            while True:
                mark = raw.find(b"JSON")
                if mark > 0 and len(raw) >= mark + 4 + int(raw[8:mark]):
                    return json.loads(raw[mark + 4 : mark + 4 + int(raw[8:mark])], strict=False)
                chunk = connection.recv(1 << 20)
                if not chunk:
                    raise ConnectionError("closed without an answer")
                raw += chunk

    def act(self, kind: str, **body: Any) -> Any:
        """Carry out an action."""
        return self.ask({"action": {"user_name": "u", "host_name": "h", "type": kind, **body}})

    def submit(self, name: str, blocks: list[dict[str, Any]] | None = None, **fields: Any) -> Any:
        """Submit a job; return its id and serial."""
        frames = {
            "name": "b",
            "service": "generic",
            "command": "x",
            "flags": 1,
            "frame_first": 1,
            "frame_last": 3,
        }
        job = {"name": name, "user_name": "artist", "host_name": "ws", "blocks": blocks or [frames], **fields}
        return self.ask({"job": job})

    def jobs(self) -> dict[str, Any]:
        """Return {name: job as the list shows it}, without the system job."""
        return {job["name"]: job for job in self.ask({"get": {"type": "jobs"}})["jobs"] if job["id"] != 1}

    def stop(self) -> float:
        """Stop it in order; return the seconds that it took."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill()
        seconds = time.perf_counter() - began
        self._wait_for_files()
        return seconds

    def _wait_for_files(self) -> None:
        """Wait until the process that writes the files has ended; on a busy machine it outlives the server."""
        lock = self._store / "journal" / "mirror.lock"
        if not lock.exists():
            return
        end = time.perf_counter() + PATIENCE_SECONDS
        number = Disk().lock(lock)
        while number is None and time.perf_counter() < end:
            time.sleep(0.02)
            number = Disk().lock(lock)
        if number is not None:
            os.close(number)

    def kill(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
