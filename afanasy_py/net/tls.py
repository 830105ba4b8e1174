"""TLS between bytes and bytes: what a peer sent in, what it meant and what to send back out; nothing waits.

The first byte of a connection decides: a TLS handshake begins with 22, and no request of the farm does.
"""

from __future__ import annotations

import ssl

from afanasy_py.errors import ConfigError

#: What a TLS connection begins with.
HANDSHAKE = b"\x16"
PIECE = 65536


def make_context(certificates: str, key: str) -> ssl.SSLContext | None:
    """Return what connections share; None: there is no certificate, so no TLS.

    Args:
        certificates: File of the server's certificate and those that vouch for it (PEM); empty: none.
        key: File of its key; empty: it is in the same file.

    Raises:
        ConfigError: They cannot be used.
    """
    if not certificates:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # A key with a password would ask for it on the terminal.
        context.load_cert_chain(certificates, key or None, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(f"af_tls_cert, af_tls_key: {certificates} {key}: {error}") from None
    return context


class TlsPeer:
    """The server's end of one connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._ready = False
        #: The peer has said that no more will come.
        self.closed = False

    def feed(self, data: bytes) -> bytes:
        """Take in what the peer sent, and return what it meant; see `take` afterwards.

        Raises:
            ssl.SSLError: It is no TLS, or the two have nothing in common.
        """
        self._incoming.write(data)
        pieces = []
        try:
            if not self._ready:
                self._object.do_handshake()
                self._ready = True
            while piece := self._object.read(PIECE):
                pieces.append(piece)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.closed = True
        return b"".join(pieces)

    def take(self) -> bytes:
        """Return what has to go to the peer."""
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """Return what to send to say something, and that it was the last."""
        if data:
            self._object.write(data)
        try:
            self._object.unwrap()
        except ssl.SSLError:
            pass  # the peer has not said the same yet, and need not
        return self._outgoing.read()
