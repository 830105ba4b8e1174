"""What the mail of tests ends in: a mail server that only listens, on loopback."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Certificate and key of a server on this machine.
CERTIFICATE = Path(__file__).parent / "net" / "tls_test.pem"


class SmtpSink(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as is needed to get mails, and keeps them.

    Args:
        tls: "" none, "starttls" or "ssl" as the setting `email_smtp_tls`; with it mail is taken over TLS only.
    """

    daemon_threads = True

    def __init__(self, tls: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.tls = tls
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(CERTIFICATE)
        self.port: int = self.server_address[1]
        #: Each as it came, with its headers.
        self.mails: list[str] = []
        #: What clients said to log in.
        self.logins: list[str] = []

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection, with TLS from its beginning where that is wanted."""
        connection, address = super().get_request()
        if self.tls == "ssl":
            connection = self.context.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that do not trust us go."""


class _Conversation(socketserver.StreamRequestHandler):
    server: SmtpSink

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while line := self.rfile.readline():
            match line.upper().split():
                case [b"EHLO", *_]:
                    self.wfile.write(b"250-sink\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
                case [b"STARTTLS"]:
                    self.wfile.write(b"220 go on\r\n")
                    self.request = self.server.context.wrap_socket(self.request, server_side=True)
                    self.setup()
                case [b"AUTH", *_]:
                    self.server.logins.append(line.decode().split()[-1])
                    self.wfile.write(b"235 welcome\r\n")
                case [b"MAIL", *_] if self.server.tls and not isinstance(self.request, ssl.SSLSocket):
                    self.wfile.write(b"530 not without TLS\r\n")
                case [b"DATA"]:
                    self._take_mail()
                case [b"QUIT"]:
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 ok\r\n")

    def _take_mail(self) -> None:
        self.wfile.write(b"354 go on\r\n")
        text = b""
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            text += line
        self.server.mails.append(text.decode())
        self.wfile.write(b"250 ok\r\n")


@contextlib.contextmanager
def smtp_sink(tls: str = "") -> Iterator[SmtpSink]:
    """Run a mail server on a free port."""
    with SmtpSink(tls) as sink:
        threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True).start()
        yield sink
        sink.shutdown()
