"""Who asks: by network, by token, or by digest login. Pure: it is given the digests of users and tokens.

What somebody may do then is said by `access.roles`, and asked where it is done: `core.access`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from afanasy_py.access.digest import LoginError, Logins
from afanasy_py.access.failures import FailedLogins
from afanasy_py.access.networks import Networks
from afanasy_py.access.roles import Identity, Right, Role
from afanasy_py.access.tokens import Tokens, id_of
from afanasy_py.errors import AfanasyError
from afanasy_py.ip_masks import holder
from afanasy_py.recent import keep

#: An address whose somebody has logged in may fetch files of tasks for so long, seconds.
PICTURES_SECONDS = 600.0
ADDRESSES_MOST = 10_000
#: Refusals of an address are logged once in so many seconds.
TOLD_SECONDS = 600.0


class DeniedError(AfanasyError):
    """It is not known who asks; the text says what was missing."""

    def __init__(self, text: str, challenge: dict[str, str] | None = None, failed: str = "") -> None:
        super().__init__(text)
        #: `realm` and `nonce` for a login; None: there is no use in one.
        self.challenge = challenge
        #: What was tried and failed, for the audit log; empty: nothing was tried.
        self.failed = failed


@dataclass(slots=True, kw_only=True)
class Rules:
    """What the settings say of access; replaced as a whole when they change."""

    networks: Networks = field(default_factory=Networks)
    #: {user: role}
    users: dict[str, Role] = field(default_factory=dict)
    #: Role of users that log in and are not named in `users`.
    login_role: Role = Role.ARTIST
    realm: str = ""
    #: Logins and tokens are taken over TLS only.
    needs_tls: bool = False


class Gate:
    """Tells who asks."""

    def __init__(self, rules: Rules, secret: bytes, failures_most: int = 0) -> None:
        """Prepare.

        Args:
            rules: What the settings say.
            secret: Random bytes, for nonces.
            failures_most: Failed logins that an address may have before it has to wait; 0: any number.
        """
        self.rules = rules
        self.tokens = Tokens()
        #: {user: md5(user:realm:password)} of `.htdigest`; empty: nobody can log in.
        self.digests: dict[str, str] = {}
        self.logins = Logins(secret)
        self.failures = FailedLogins(failures_most)
        #: {address: when somebody there was known to have the right to look}, least recently first.
        self._seen: OrderedDict[str, float] = OrderedDict()
        #: {address: when its refusal was logged}, the last one last.
        self._told: OrderedDict[str, float] = OrderedDict()

    def identify(self, address: str, auth: Any, token: str, now: float, *, secure: bool = False) -> Identity:
        """Return who asks.

        Args:
            address: Where the request came from.
            auth: The member `auth` of a JSON request: a login, or `{"token": ...}`; None: there is none.
            token: A token that came otherwise; empty: none.
            now: Unix seconds.
            secure: The request came by TLS.

        Raises:
            DeniedError: It is not known, or what it says of itself is wrong.
        """
        if auth is not None or token:
            if isinstance(auth, Mapping) and isinstance(auth.get("token"), str):
                token, auth = auth["token"], None
            if self.rules.needs_tls and not secure:
                raise DeniedError("Access denied: logins and tokens are taken over TLS only (af_access_tls).")
            identity = self._by_token(address, token, now) if token else self._by_login(address, auth, now)
            if identity.has(Right.READ):
                keep(self._seen, address, now, ADDRESSES_MOST)
            return identity
        known = self.rules.networks.identity_of(address)
        if known is None:
            why = f"{address} is in no trusted network (af_ip_trust)"
            raise self._denied(why, address, now, can_log_in=secure or not self.rules.needs_tls)
        return known

    def may_fetch(self, address: str, token: str, now: float, *, secure: bool = False) -> bool:
        """Return whether an address may fetch files of tasks.

        A browser sends no login with the picture in a page, so where somebody has logged in a short time ago
        pictures may be fetched.
        """
        if now - self._seen.get(address, -PICTURES_SECONDS) < PICTURES_SECONDS:
            return True
        try:
            return self.identify(address, None, token, now, secure=secure).has(Right.READ)
        except DeniedError:
            return False

    def is_news(self, address: str, now: float) -> bool:
        """Return whether a refusal of an address should be logged: a host that is refused asks each second."""
        if now - self._told.get(address, -TOLD_SECONDS) < TOLD_SECONDS:
            return False
        keep(self._told, address, now, ADDRESSES_MOST)
        return True

    def _by_token(self, address: str, text: str, now: float) -> Identity:
        token = self.tokens.find(text, now)
        if token is None:
            name = id_of(text)[:16]
            raise DeniedError(
                f"Access denied: the token {name} is not known or not valid any more.", failed=f"token {name}"
            )
        return Identity(token.role, address, f"token {token.id}", token.user)

    def _by_login(self, address: str, auth: Any, now: float) -> Identity:
        is_new = not isinstance(auth, Mapping) or auth.get("nonce") not in self.logins
        wait = self.failures.wait(holder(address), now) if is_new else 0.0
        if wait:
            raise DeniedError(f"Access denied: too many failed logins from {address}, wait {wait:.0f} s.")
        try:
            if not isinstance(auth, Mapping):
                raise LoginError("auth is no object", guess=False)
            user = self.logins.check(auth, address, now, self.digests)
        except LoginError as error:
            if error.guess:
                self.failures.note(holder(address), now)
            who = str(auth.get("user_name", ""))[:60] if isinstance(auth, Mapping) else ""
            denied = self._denied(str(error), address, now)
            denied.failed = f"login {who}: {error}"
            raise denied from error
        return Identity(self.rules.users.get(user, self.rules.login_role), address, "login", user)

    def _denied(self, why: str, address: str, now: float, *, can_log_in: bool = True) -> DeniedError:
        if not self.digests or not can_log_in:
            return DeniedError(f"Access denied: {why}; a token is needed.")
        challenge = {"realm": self.rules.realm, "nonce": self.logins.make_nonce(address, now)}
        return DeniedError(f"Access denied: {why}; a login or a token is needed.", challenge)
