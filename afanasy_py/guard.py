"""Access control as the settings and files want it: builds the gate, keeps the tokens, sees through proxies.

Decides nothing about requests: that is `access.gate` and `core.access`.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afanasy_py.access.digest import parse_digest_file
from afanasy_py.access.gate import Gate, Rules
from afanasy_py.access.networks import Networks, parse_network, parse_user
from afanasy_py.access.roles import role_named
from afanasy_py.access.tokens import NAME_BYTES, SECRET_BYTES, Token, Tokens, digest_of, id_of, make_token
from afanasy_py.core import replies
from afanasy_py.core.requests import Caller
from afanasy_py.errors import ConfigError, RequestError
from afanasy_py.ip_masks import IpMask, parse_mask

if TYPE_CHECKING:
    from afanasy_py.config import Config
    from afanasy_py.core.farm import Farm
    from afanasy_py.msg.answers import Answer
    from afanasy_py.msg.framing import Request
    from afanasy_py.settings import Settings

log = logging.getLogger(__name__)

#: Name of the file of tokens, in the store.
TOKENS_FILE = "access.json"
TOKENS_MOST = 10_000
DAY_SECONDS = 86400
NAME_MOST = 200
#: Headers that say that a request came through a proxy.
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "via")


class Guard:
    """Keeps the gate of a farm as it should be."""

    def __init__(self, config: Config, farm: Farm, folder: Path, now: Callable[[], float]) -> None:
        """Prepare; `configure` must follow.

        Args:
            config: What the server is told.
            farm: Whose gate it is.
            folder: The store.
            now: Tells Unix seconds.
        """
        self._farm = farm
        self._path = folder / TOKENS_FILE
        self._now = now
        self._gate: Gate | None = None
        self._proxies: tuple[IpMask, ...] = ()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over the settings, the file of users and that of tokens.

        Raises:
            ConfigError: A setting means nothing; nothing has changed then.
        """
        settings = config.settings
        proxies = tuple(parse_mask(text) for text in settings.af_http_proxies)
        if not settings.af_access:
            self._proxies = proxies
            self._farm.gate = None
            return
        rules = read_rules(settings, config.trusted)
        digests = _read_digests(config.digest_file, settings.realm)
        gate = self._gate
        if gate is None:
            gate = Gate(rules, os.urandom(32))
            gate.tokens = _read_tokens(self._path)
            self._gate = gate
        self._proxies = proxies
        gate.rules, gate.digests = rules, digests
        gate.failures.most = settings.af_access_fails
        self._farm.gate = gate
        log.info(
            "Access control is on: %d users of %s, %d tokens",
            len(digests),
            config.digest_file or "no digest file",
            len(gate.tokens.by_id),
        )
        log.info(
            "Addresses that may do everything (af_ip_trust): %s", ", ".join(settings.af_ip_trust) or "none"
        )
        if any(not mask.head for mask in config.trusted):
            log.warning("af_ip_trust: masks of all addresses trust nobody while access control is on.")

    # -- who asks

    def caller_of(self, request: Request, peer: str) -> Caller:
        """Return who sends a request, as far as that can be told without looking into it; access control is on."""
        token, secure, address = request.token, request.secure, peer
        head = request.head
        if head is not None:
            headers = head.headers
            word, _, rest = headers.get("authorization", "").partition(" ")
            if word.lower() == "bearer":
                token = rest.strip()
            if any(name in headers for name in _FORWARDED):
                if any(mask.matches(peer) for mask in self._proxies):
                    address = _forwarded_for(headers.get("x-forwarded-for", ""), peer)
                    secure = headers.get("x-forwarded-proto", "").lower() == "https"
                else:
                    # The proxy's own address must not give its role to everybody behind it.
                    address = _unlisted(peer)
        return Caller(address, token=token, secure=secure)

    def may_fetch(self, request: Request, peer: str) -> bool:
        """Return whether files of tasks may be fetched."""
        gate = self._farm.gate
        if gate is None:
            return True
        caller = self.caller_of(request, peer)
        return gate.may_fetch(caller.address, caller.token, self._now(), secure=caller.secure)

    # -- tokens

    def answer(self, params: Any) -> Answer:
        """Create, list or revoke tokens; who asks has the right to."""
        gate = self._farm.gate
        if gate is None:
            return replies.error("Access control is off (af_access).")
        operation = params.get("operation") if isinstance(params, dict) else None
        try:
            match operation:
                case "create":
                    return self._create(gate, params)
                case "list":
                    shown = [
                        {
                            **{k: v for k, v in token.to_json().items() if k != "digest"},
                            "used": gate.tokens.used.get(token.id, 0),
                        }
                        for token in gate.tokens.by_id.values()
                    ]
                    return replies.reply({"tokens": shown})
                case "revoke":
                    return self._revoke(gate, params.get("id"))
        except (RequestError, ConfigError) as error:
            return replies.error(str(error))
        except OSError as error:
            log.error("%s: %s", self._path, error)  # noqa: TRY400 - the text says it all
            return replies.error("The tokens cannot be written, see the server's log.")
        return replies.error("access: the operation is create, list or revoke.")

    def _create(self, gate: Gate, params: dict[str, Any]) -> Answer:
        user, note, days = params.get("user", ""), params.get("note", ""), params.get("days", 0)
        if not isinstance(user, str) or not isinstance(note, str) or max(len(user), len(note)) > NAME_MOST:
            raise RequestError(f"access: user and note are texts of at most {NAME_MOST} letters.")
        if type(days) is not int or not 0 <= days <= 36500:
            raise RequestError("access: days is a number from 0 (for ever) to 36500.")
        role = role_named(str(params.get("role", "")))
        if not user:
            raise RequestError("access: a token needs a user.")
        if len(gate.tokens.by_id) >= TOKENS_MOST:
            raise RequestError(f"access: there are {TOKENS_MOST} tokens, revoke some.")
        now = int(self._now())
        text = make_token(os.urandom(NAME_BYTES + SECRET_BYTES))
        while id_of(text) in gate.tokens.by_id:
            text = make_token(os.urandom(NAME_BYTES + SECRET_BYTES))
        token = Token(
            id_of(text), digest_of(text), user, role, note, now, now + days * DAY_SECONDS if days else 0
        )
        gate.tokens.add(token)
        try:
            self._write(gate)
        except OSError:
            gate.tokens.remove(token.id)
            raise
        return replies.reply({"token": {**token.to_json(), "digest": "", "text": text}})

    def _revoke(self, gate: Gate, token_id: Any) -> Answer:
        token = gate.tokens.remove(token_id) if isinstance(token_id, str) else None
        if token is None:
            raise RequestError("access: there is no token of that id.")
        self._write(gate)
        return replies.info(f"Token {token.id} of {token.user} is revoked.")

    def _write(self, gate: Gate) -> None:
        """Write the tokens; only the server's user may read even their digests."""
        temporary = self._path.with_name(self._path.name + ".tmp")
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(number, "w", encoding="utf-8") as file:
            json.dump({"tokens": gate.tokens.to_json()}, file, indent=1)
            file.flush()
            os.fsync(number)
        temporary.replace(self._path)


def read_rules(settings: Settings, trusted: tuple[IpMask, ...]) -> Rules:
    """Return what the settings say of access.

    Raises:
        ConfigError: One of them means nothing.
    """
    try:
        return Rules(
            networks=Networks(trusted, [parse_network(text) for text in settings.af_access_networks]),
            users=dict(parse_user(text) for text in settings.af_access_users),
            login_role=role_named(settings.af_access_login_role),
            realm=settings.realm,
            needs_tls=settings.af_access_tls,
        )
    except ConfigError as error:
        raise ConfigError(f"af_access_networks, af_access_users or af_access_login_role: {error}") from None


def _read_digests(path: str, realm: str) -> dict[str, str]:
    """Return the digests of users; a file that is not there has none."""
    if not path or not Path(path).exists():
        return {}
    try:
        text = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ConfigError(f"af_digest_file: {error}") from None
    digests, broken = parse_digest_file(text, realm)
    for number in broken:
        log.error("Invalid digest file: %s, line %d", path, number)
    return digests


def _read_tokens(path: Path) -> Tokens:
    """Return the stored tokens.

    Raises:
        ConfigError: They cannot be read; the server does not start with fewer than there are.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Tokens([Token.from_json(item) for item in stored["tokens"]])
    except FileNotFoundError:
        return Tokens()
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _forwarded_for(text: str, peer: str) -> str:
    """Return the address that the proxy saw: the last one that it has added."""
    last = text.rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last.strip("[]")))
    except ValueError:
        return _unlisted(peer)


def _unlisted(peer: str) -> str:
    return f"{peer} (as a proxy that af_http_proxies does not list)"
