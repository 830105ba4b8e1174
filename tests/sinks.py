"""What mail and packets of tests end in: a mail server that only listens, on loopback."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


class SmtpSink(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as is needed to get mails, and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.port: int = self.server_address[1]
        #: Each as it came, with its headers.
        self.mails: list[str] = []


class _Conversation(socketserver.StreamRequestHandler):
    server: SmtpSink

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    text += line
                self.server.mails.append(text.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@contextlib.contextmanager
def smtp_sink() -> Iterator[SmtpSink]:
    """Run a mail server on a free port."""
    with SmtpSink() as sink:
        threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True).start()
        yield sink
        sink.shutdown()
