"""Access tokens: long random words that stand for a user and a role.

The server keeps only their digests. A token has 256 random bits, so a digest that is fast to make is as
good as a slow one: there is nothing to guess. Not to be mixed up with the tokens of jobs (`core.tokens`),
which are no secrets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from afanasy_py.access.roles import Role, role_named
from afanasy_py.errors import ConfigError

#: Random bytes that a token is made of: its name and its secret.
NAME_BYTES = 4
SECRET_BYTES = 32
#: A token begins with it, so that it is known where it should not be.
MARK = "aft_"
#: Longer texts are no tokens.
LENGTH_MOST = 200


@dataclass(frozen=True, slots=True)
class Token:
    """What the server keeps of a token."""

    #: Hexadecimal; it is part of the token, and no secret.
    id: str
    #: SHA-256 of the whole token, hexadecimal.
    digest: str
    user: str
    role: Role
    note: str
    created: int
    #: Unix seconds; 0: never.
    expires: int

    def to_json(self) -> dict[str, Any]:
        """Return the form in which it is stored."""
        return {
            "id": self.id,
            "digest": self.digest,
            "user": self.user,
            "role": self.role.value,
            "note": self.note,
            "created": self.created,
            "expires": self.expires,
        }

    @classmethod
    def from_json(cls, obj: Any) -> Token:
        """Return a token as it was stored.

        Raises:
            ConfigError: It is none.
        """
        try:
            texts = {key: obj[key] for key in ("id", "digest", "user", "note")}
            times = {key: obj[key] for key in ("created", "expires")}
            role = role_named(obj["role"])
        except (KeyError, TypeError) as error:
            raise ConfigError(f"a stored token lacks {error}") from None
        if not all(isinstance(text, str) for text in texts.values()):
            raise ConfigError("a stored token has something else than a text")
        if not all(isinstance(moment, int) for moment in times.values()):
            raise ConfigError(f"the stored token {texts['id']} has a time that is no number")
        return cls(role=role, **texts, **times)


def make_token(chance: bytes) -> str:
    """Return a new token.

    Args:
        chance: `NAME_BYTES + SECRET_BYTES` random bytes.
    """
    assert len(chance) == NAME_BYTES + SECRET_BYTES
    secret = base64.urlsafe_b64encode(chance[NAME_BYTES:]).decode().rstrip("=")
    return f"{MARK}{chance[:NAME_BYTES].hex()}_{secret}"


def id_of(text: str) -> str:
    """Return the id in a token; empty: it is none."""
    if not text.startswith(MARK) or len(text) > LENGTH_MOST:
        return ""
    return text[len(MARK) :].partition("_")[0]


def digest_of(text: str) -> str:
    """Return the digest of a token."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


class Tokens:
    """All tokens of a server, by id."""

    def __init__(self, tokens: list[Token] | None = None) -> None:
        self.by_id = {token.id: token for token in tokens or ()}
        #: {id: when it was used last}, since the start of the server.
        self.used: dict[str, int] = {}

    def find(self, text: str, now: float) -> Token | None:
        """Return what a token stands for; None: it is none, or it is not valid any more."""
        token = self.by_id.get(id_of(text))
        if token is None or not hmac.compare_digest(token.digest, digest_of(text)):
            return None
        if token.expires and now >= token.expires:
            return None
        self.used[token.id] = int(now)
        return token

    def add(self, token: Token) -> None:
        """Keep a token."""
        self.by_id[token.id] = token

    def remove(self, token_id: str) -> Token | None:
        """Forget a token; return it, or None when there is none of that id."""
        self.used.pop(token_id, None)
        return self.by_id.pop(token_id, None)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the form in which all are stored."""
        return [token.to_json() for token in self.by_id.values()]
