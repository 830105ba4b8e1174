"""How our own programs reach a server: by TLS or plainly, and with the token that says who they are."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afanasy_py.errors import ConfigError

#: Variables with a token, or the name of a file that has one: an argument would be seen by all users of a host.
TOKEN_VARIABLE = "AF_TOKEN"  # noqa: S105 - the name of it
TOKEN_FILE_VARIABLE = "AF_TOKEN_FILE"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Reach:
    """How to connect."""

    #: None: without TLS.
    tls: ssl.SSLContext | None = None
    #: Empty: the address, or nothing, says who asks.
    token: str = ""

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a connection.

        Raises:
            OSError: There is none; `ssl.SSLError` is one too.
        """
        sock = socket.create_connection((host, port), timeout_s)
        if self.tls is None:
            return sock
        try:
            return self.tls.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise


PLAIN = Reach()


def make_reach(environ: Mapping[str, str], *, tls: bool, authorities: str) -> Reach:
    """Return how to connect.

    Args:
        environ: Environment variables.
        tls: Whether by TLS (setting `af_tls_client`).
        authorities: File of certificates that are trusted (`af_tls_ca`); empty: those of the system.

    Raises:
        ConfigError: A file cannot be read.
    """
    token = environ.get(TOKEN_VARIABLE, "").strip()
    path = environ.get(TOKEN_FILE_VARIABLE, "")
    try:
        if path and not token:
            token = Path(path).read_text(encoding="ascii").strip()
        if not token.isascii() or " " in token or len(token) > 200:
            raise ConfigError("what should be a token is none")
        return Reach(ssl.create_default_context(cafile=authorities or None) if tls else None, token)
    except (OSError, ValueError) as error:
        wrong = path if not tls or isinstance(error, ValueError) else f"{authorities} or {path}"
        raise ConfigError(f"{wrong or os.devnull}: {error}") from None
