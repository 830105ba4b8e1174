"""Digest logins as the web GUI of CGRU does them.

The server gives a nonce, the client counts its requests with it and proves with each that it knows the
password: `response = md5(digest:nonce:nc)`, where `digest` is the third field of the user's line in
`.htdigest`. What makes a recorded request useless is kept here: a nonce is one that this server made for this
address, and each count is taken once. Source: http-auth 5; json-api 13.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afanasy_py.errors import AfanasyError
from afanasy_py.recent import keep

#: A nonce must be used so soon after it was made, seconds.
FRESH_SECONDS = 600.0
#: A login that is not used for so long ends, seconds. The web GUI cannot begin a new one by itself.
IDLE_SECONDS = 24 * 3600.0
#: Logins at once; of more, the one that was used longest ago ends.
LOGINS_MOST = 10_000
#: Requests of a browser overtake each other on their way: counts so far behind the greatest are still taken.
WINDOW = 256
_COUNT_MOST = 2**53

#: What an unknown user is compared with, so that it takes as long.
_NOBODY = "0" * 32


class LoginError(AfanasyError):
    """A login that is not taken."""

    def __init__(self, text: str, *, guess: bool) -> None:
        super().__init__(text)
        #: The proof is wrong: somebody may be guessing a password.
        self.guess = guess


@dataclass(slots=True)
class Login:
    """A nonce in use."""

    user: str
    #: The greatest count.
    top: int = 0
    #: Bit n: the count `top - n` was taken.
    taken: int = 0
    used: float = 0.0

    def take(self, count: int) -> bool:
        """Return whether a count is taken for the first time."""
        if count > self.top:
            self.taken = ((self.taken << min(count - self.top, WINDOW)) | 1) & ((1 << WINDOW) - 1)
            self.top = count
            return True
        behind = self.top - count
        if count < 1 or behind >= WINDOW or self.taken >> behind & 1:
            return False
        self.taken |= 1 << behind
        return True


class Logins:
    """Nonces, and who uses them."""

    def __init__(self, secret: bytes) -> None:
        """Prepare.

        Args:
            secret: Random bytes, new with each start of the server.
        """
        self._secret = secret
        self._made = 0
        #: Least recently used first.
        self._logins: OrderedDict[str, Login] = OrderedDict()

    def __len__(self) -> int:
        """Return how many logins there are."""
        return len(self._logins)

    def __contains__(self, nonce: object) -> bool:
        """Return whether somebody has logged in with a nonce."""
        return isinstance(nonce, str) and nonce in self._logins

    def make_nonce(self, address: str, now: float) -> str:
        """Return a nonce for an address: 32 hexadecimal digits. Nothing is kept until it is used."""
        self._made = (self._made + 1) % 2**32
        begin = f"{int(now) % 2**32:08x}{self._made:08x}"
        return begin + self._seal(begin, address)

    def _seal(self, begin: str, address: str) -> str:
        return hmac.new(
            self._secret, f"{begin} {address}".encode("utf-8", "backslashreplace"), hashlib.sha256
        ).hexdigest()[:16]

    def check(self, auth: Mapping[str, Any], address: str, now: float, digests: Mapping[str, str]) -> str:
        """Return the user of a login.

        Args:
            auth: What the client sends: user_name, nonce, nc, response.
            address: Where it comes from.
            now: Unix seconds.
            digests: {user: md5(user:realm:password)}

        Raises:
            LoginError: It is not taken; why.
        """
        texts = [auth.get(key) for key in ("user_name", "nonce", "response")]
        count = auth.get("nc")
        if not all(isinstance(text, str) for text in texts) or type(count) is not int:
            raise LoginError(
                "a login has the texts user_name, nonce and response and the number nc", guess=False
            )
        user, nonce, response = (str(text) for text in texts)
        login = self._logins.get(nonce)
        if login is None:
            self._check_fresh(nonce, address, now)
        elif login.user != user or not self._is_of(nonce, address):
            raise LoginError("the nonce was given to somebody else", guess=False)
        elif now - login.used > IDLE_SECONDS:
            del self._logins[nonce]
            raise LoginError("the login was not used for too long", guess=False)
        proof = md5(f"{digests.get(user, _NOBODY)}:{nonce}:{count}")
        if (
            not hmac.compare_digest(proof.encode(), response.encode("utf-8", "replace"))
            or user not in digests
        ):
            raise LoginError("the user or the password is wrong", guess=True)
        if not 0 < count < _COUNT_MOST:
            raise LoginError("nc is out of range", guess=False)
        login = login or Login(user)
        if not login.take(count):
            raise LoginError("the request was there before", guess=False)
        login.used = now
        keep(self._logins, nonce, login, LOGINS_MOST)
        return user

    def _check_fresh(self, nonce: str, address: str, now: float) -> None:
        if not self._is_of(nonce, address):
            raise LoginError("the nonce is none of this server for this address", guess=False)
        age = (int(now) - int(nonce[:8], 16)) % 2**32
        if age > FRESH_SECONDS:
            raise LoginError("the nonce is too old", guess=False)

    def _is_of(self, nonce: str, address: str) -> bool:
        seal = self._seal(nonce[:16], address)
        return len(nonce) == 32 and hmac.compare_digest(nonce[16:].encode("utf-8", "replace"), seal.encode())


def md5(text: str) -> str:
    """Return the MD5 of a text, hexadecimal: the web GUI knows no other digest."""
    return hashlib.md5(text.encode("utf-8", "backslashreplace"), usedforsecurity=False).hexdigest()


def parse_digest_file(text: str, realm: str) -> tuple[dict[str, str], list[int]]:
    """Return the digests of a `.htdigest` file.

    Returns:
        {user: digest} of the lines of a realm, and the numbers of lines that are none, from 1. Empty lines
        and those that begin with `#` are neither.
    """
    digests: dict[str, str] = {}
    broken: list[int] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(":")
        if len(parts) != 3 or not parts[0] or not _is_digest(parts[2]):
            broken.append(number)
        elif parts[1] == realm:
            digests[parts[0]] = parts[2].lower()
    return digests, broken


def _is_digest(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdefABCDEF" for letter in text)
