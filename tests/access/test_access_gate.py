"""Who asks: networks, tokens and logins, and what is said to those who are none of it."""

import hashlib
from itertools import pairwise
from typing import Any

import pytest

from afanasy_py.access.failures import MEMORY_SECONDS, WAIT_LEAST, WAIT_MOST, FailedLogins
from afanasy_py.access.gate import PICTURES_SECONDS, DeniedError, Gate, Rules
from afanasy_py.access.networks import Networks, parse_network, parse_user
from afanasy_py.access.roles import RIGHTS, Identity, Right, Role, denial, role_named
from afanasy_py.access.tokens import Token, Tokens, digest_of, id_of, make_token
from afanasy_py.errors import ConfigError
from afanasy_py.ip_masks import parse_mask
from tests.access.test_access_digest import DIGESTS, HOME, NOW, auth, digest

STRANGER = "203.0.113.5"


def networks(*roles: str, trusted: tuple[str, ...] = ("127.0.0.1", "10.1.*")) -> Networks:
    return Networks([parse_mask(text) for text in trusted], [parse_network(text) for text in roles])


def token(number: int = 1, role: Role = Role.ARTIST, expires: int = 0) -> tuple[str, Token]:
    text = make_token(number.to_bytes(36, "big"))
    return text, Token(f"{id_of(text)}", digest_of(text), "carl", role, "", int(NOW), expires)


@pytest.fixture
def gate() -> Gate:
    rules = Rules(networks=networks(), users={"bert": Role.MANAGER}, realm="CGRU")
    made = Gate(rules, b"secret", failures_most=3)
    made.digests = dict(DIGESTS)
    return made


def ask(gate: Gate, sent: Any = None, token: str = "", address: str = HOME, **more: Any) -> Identity:
    return gate.identify(address, sent, token, more.pop("now", NOW), **more)


def log_in(gate: Gate, user: str = "anna", address: str = HOME) -> Identity:
    return ask(gate, auth(gate.logins.make_nonce(address, NOW), user=user), address=address)


# -- networks


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("10.1.2.3", Role.ADMIN),
        ("::ffff:10.1.2.3", Role.ADMIN),
        ("10.2.0.1", Role.RENDER),
        ("10.2.7.1", Role.ARTIST),
        ("10.3.0.1", None),
        ("fd00::1", Role.READ),
        ("no address", None),
        ("", None),
    ],
)
def test_the_longest_mask_gives_the_role(address: str, role: Role | None) -> None:
    known = networks("10.2.*=render", "10.2.7.*=artist", "FD00:*=read", trusted=("10.1.*",))
    assert known.role_of(address) is role
    assert known.role_of(address) is role


def test_a_mask_of_all_addresses_trusts_nobody() -> None:
    assert networks(trusted=("*.*", "*:*")).role_of(STRANGER) is None
    assert networks("*.*=read", trusted=("*.*",)).role_of(STRANGER) is Role.READ


def test_of_equal_masks_the_one_with_a_role_counts() -> None:
    assert networks("10.1.*=read").role_of("10.1.2.3") is Role.READ


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afanasy_py.access.networks.REMEMBERED_MOST", 4)
    known = networks()
    for number in range(20):
        assert known.role_of(f"10.1.0.{number}") is Role.ADMIN
    assert len(known._known) <= 4


@pytest.mark.parametrize("text", ["10.1.*", "10.1.*=boss", "=read", "10=read", "10.1.*=", "1:2.3=read"])
def test_a_network_that_means_nothing_is_told(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_network(text)


def test_users_have_roles_by_name() -> None:
    assert parse_user("anna = manager") == ("anna", Role.MANAGER)
    assert parse_user("a=b=admin") == ("a=b", Role.ADMIN)
    for text in ("anna", "=read", "anna=", "anna=boss"):
        with pytest.raises(ConfigError):
            parse_user(text)
    with pytest.raises(ConfigError, match="there is no role 'boss', but read, render, artist"):
        role_named("boss")


# -- roles


def test_each_role_but_render_has_all_of_the_one_below() -> None:
    order = [RIGHTS[role] for role in (Role.READ, Role.ARTIST, Role.MANAGER, Role.ADMIN)]
    assert all(below < above for below, above in pairwise(order))
    assert RIGHTS[Role.RENDER] == {Right.RENDER}
    assert RIGHTS[Role.ADMIN] == set(Right)


def test_a_refusal_says_what_is_missing() -> None:
    anna = Identity(Role.ARTIST, HOME, "login", "anna")
    assert denial(anna, Right.FARM) == (
        "Access denied: anna (artist) may not change hosts, pools, branches, users and monitors of others; "
        "that needs the role manager or admin."
    )
    nobody = Identity(Role.READ, HOME, "network")
    assert denial(nobody, Right.OWN_JOBS, "send the job x") == (
        f"Access denied: the network of {HOME} (read) may not send the job x; "
        "that needs the role artist or manager or admin."
    )


# -- who asks


def test_a_trusted_network_needs_no_login(gate: Gate) -> None:
    assert ask(gate, address="10.1.5.5") == Identity(Role.ADMIN, "10.1.5.5", "network")


def test_who_is_in_no_network_is_asked_for_a_login(gate: Gate) -> None:
    with pytest.raises(
        DeniedError, match=r"^Access denied: 203\.0\.113\.5 is in no trusted network"
    ) as caught:
        ask(gate, address=STRANGER)
    assert caught.value.challenge is not None
    assert caught.value.challenge["realm"] == "CGRU"
    assert ask(gate, auth(caught.value.challenge["nonce"]), address=STRANGER).user == "anna"


def test_without_users_there_is_no_use_in_a_login(gate: Gate) -> None:
    gate.digests = {}
    with pytest.raises(DeniedError, match="a token is needed") as caught:
        ask(gate, address=STRANGER)
    assert caught.value.challenge is None


def test_the_role_of_a_login_comes_from_the_settings(gate: Gate) -> None:
    assert log_in(gate, "anna") == Identity(Role.ARTIST, HOME, "login", "anna")
    assert log_in(gate, "bert").role is Role.MANAGER


def test_a_wrong_login_is_refused_even_in_a_trusted_network(gate: Gate) -> None:
    sent = auth(gate.logins.make_nonce("127.0.0.1", NOW), known=digest("anna", "wrong"))
    with pytest.raises(DeniedError, match="password is wrong") as caught:
        ask(gate, sent, address="127.0.0.1")
    assert caught.value.failed == "login anna: the user or the password is wrong"
    assert caught.value.challenge is not None, "so that the web GUI asks again"


@pytest.mark.parametrize("sent", [5, "x", [], {}, {"token": 5}, True])
def test_what_is_no_login_is_refused(gate: Gate, sent: Any) -> None:
    with pytest.raises(DeniedError):
        ask(gate, sent, address="127.0.0.1")


def test_a_token_says_who_asks(gate: Gate) -> None:
    text, made = token(role=Role.RENDER)
    gate.tokens.add(made)
    expected = Identity(Role.RENDER, STRANGER, f"token {made.id}", "carl")
    assert ask(gate, token=text, address=STRANGER) == expected
    assert ask(gate, {"token": text}, address=STRANGER) == expected
    assert gate.tokens.used == {made.id: NOW}


def test_a_token_that_is_not_known_any_more_is_refused(gate: Gate) -> None:
    text, made = token(expires=int(NOW) + 10)
    gate.tokens.add(made)
    assert ask(gate, token=text)
    with pytest.raises(DeniedError, match=f"the token {made.id} is not known or not valid any more"):
        ask(gate, token=text, now=NOW + 10)
    assert gate.tokens.remove(made.id) is made
    assert gate.tokens.remove(made.id) is None
    with pytest.raises(DeniedError):
        ask(gate, token=text)


@pytest.mark.parametrize(
    "text", ["x", "aft_", "aft_00000000_", "aft_00000000_" + "x" * 500, "aft_я_я", "\udcff"]
)
def test_what_is_no_token_is_refused(gate: Gate, text: str) -> None:
    gate.tokens.add(token()[1])
    with pytest.raises(DeniedError):
        ask(gate, token=text, address="127.0.0.1")


def test_the_id_of_a_token_alone_is_worth_nothing(gate: Gate) -> None:
    text, made = token()
    gate.tokens.add(made)
    for wrong in (text[:-1], text[:-1] + "x", text + "x", f"aft_{made.id}_"):
        with pytest.raises(DeniedError):
            ask(gate, token=wrong)


def test_credentials_can_be_kept_to_tls(gate: Gate) -> None:
    text, made = token()
    gate.tokens.add(made)
    gate.rules.needs_tls = True
    with pytest.raises(DeniedError, match="over TLS only"):
        ask(gate, token=text)
    with pytest.raises(DeniedError) as caught:
        ask(gate, address=STRANGER)
    assert caught.value.challenge is None, "a password should not be typed into such a page"
    assert ask(gate, token=text, secure=True).user == "carl"
    with pytest.raises(DeniedError) as caught:
        ask(gate, address=STRANGER, secure=True)
    assert caught.value.challenge is not None


# -- guessing


def fail(gate: Gate, now: float = NOW, address: str = HOME) -> str:
    sent = auth(gate.logins.make_nonce(address, now), known="0" * 32)
    with pytest.raises(DeniedError) as caught:
        ask(gate, sent, address=address, now=now)
    return str(caught.value)


def test_who_guesses_passwords_has_to_wait(gate: Gate) -> None:
    for _ in range(3):
        assert "password is wrong" in fail(gate)
    assert "too many failed logins from 10.0.0.7, wait 5 s" in fail(gate)
    with pytest.raises(DeniedError, match="too many"):
        log_in(gate)
    assert log_in(gate, address="10.0.0.9"), "others need not wait"
    later = NOW + WAIT_LEAST + 0.1
    assert "password is wrong" in fail(gate, later)
    assert "wait 10 s" in fail(gate, later)


def test_who_has_logged_in_goes_on_while_somebody_guesses_there(gate: Gate) -> None:
    nonce = gate.logins.make_nonce(HOME, NOW)
    ask(gate, auth(nonce))
    for _ in range(4):
        fail(gate)
    assert ask(gate, auth(nonce, 2)).user == "anna"


def test_a_login_between_guesses_does_not_help(gate: Gate) -> None:
    for _ in range(3):
        fail(gate)
        if _ < 2:
            log_in(gate)
    assert "too many" in fail(gate)


def test_waits_grow_to_an_end_and_failures_are_forgotten() -> None:
    failures = FailedLogins(2)
    now = NOW
    waits = []
    for _ in range(12):
        failures.note(HOME, now)
        waits.append(failures.wait(HOME, now))
        now += waits[-1]
    assert waits[:4] == [0.0, 5.0, 10.0, 20.0]
    assert max(waits) == waits[-1] == WAIT_MOST
    now += MEMORY_SECONDS + 1
    failures.note(HOME, now)
    assert failures.wait(HOME, now) == 0.0


def test_only_so_many_addresses_that_failed_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afanasy_py.access.failures.ADDRESSES_MOST", 4)
    failures = FailedLogins(1)
    for number in range(20):
        failures.note(f"10.0.0.{number}", NOW)
    assert len(failures._by_address) == 4
    assert failures.wait("10.0.0.19", NOW)
    FailedLogins(0).note(HOME, NOW)


# -- pictures


def test_pictures_may_be_fetched_where_somebody_is_logged_in(gate: Gate) -> None:
    assert not gate.may_fetch(STRANGER, "", NOW)
    log_in(gate, address=STRANGER)
    assert gate.may_fetch(STRANGER, "", NOW + PICTURES_SECONDS - 1)
    assert not gate.may_fetch(STRANGER, "", NOW + PICTURES_SECONDS)
    assert gate.may_fetch("127.0.0.1", "", NOW)


def test_a_host_may_not_fetch_pictures_of_others(gate: Gate) -> None:
    text, made = token(role=Role.RENDER)
    gate.tokens.add(made)
    ask(gate, token=text, address=STRANGER)
    assert not gate.may_fetch(STRANGER, "", NOW)
    assert not gate.may_fetch(STRANGER, text, NOW)
    reader, made = token(2, Role.READ)
    gate.tokens.add(made)
    assert gate.may_fetch(STRANGER, reader, NOW)


# -- how tokens are stored


def test_a_token_is_stored_without_its_secret() -> None:
    text, made = token()
    stored = made.to_json()
    assert text not in str(stored)
    assert stored["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert Token.from_json(stored) == made
    assert Tokens([made]).to_json() == [stored]


@pytest.mark.parametrize(
    "change", [{"role": "boss"}, {"id": 5}, {"created": "x"}, {"note": None}, {"expires": None}]
)
def test_a_stored_token_that_is_broken_is_told(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Token.from_json(token()[1].to_json() | change)
    for broken in (None, [], {}, "x"):
        with pytest.raises(ConfigError):
            Token.from_json(broken)
