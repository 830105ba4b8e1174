"""Digest logins: what the web GUI sends is taken once, from where its nonce was given to."""

import hashlib
import random
from typing import Any

import pytest

from afanasy_py.access.digest import (
    FRESH_SECONDS,
    IDLE_SECONDS,
    LOGINS_MOST,
    WINDOW,
    Login,
    LoginError,
    Logins,
    parse_digest_file,
)

NOW = 1_700_000_000.0
HOME, ELSEWHERE = "10.0.0.7", "10.0.0.8"


def digest(user: str, password: str, realm: str = "CGRU") -> str:
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()


DIGESTS = {"anna": digest("anna", "secret"), "bert": digest("bert", "другой")}


def response(known: str, nonce: str, count: int) -> str:
    """What network.js of the web GUI computes: hex_md5(digest + ':' + nonce + ':' + nc)."""
    return hashlib.md5(f"{known}:{nonce}:{count}".encode()).hexdigest()


def auth(nonce: str, count: Any = 1, user: str = "anna", known: str | None = None) -> dict[str, Any]:
    proof = response(DIGESTS.get(user, "") if known is None else known, nonce, count)
    return {"nc": count, "nonce": nonce, "user_name": user, "response": proof}


@pytest.fixture
def logins() -> Logins:
    return Logins(b"a secret of this start")


def check(logins: Logins, sent: dict[str, Any], address: str = HOME, now: float = NOW) -> str:
    return logins.check(sent, address, now, DIGESTS)


def test_a_login_of_the_web_gui_is_taken(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    assert len(nonce) == 32
    assert set(nonce) <= set("0123456789abcdef")
    assert [check(logins, auth(nonce, count)) for count in (1, 2, 3)] == ["anna"] * 3
    assert check(logins, auth(logins.make_nonce(HOME, NOW), user="bert")) == "bert"


def test_nonces_are_never_the_same(logins: Logins) -> None:
    assert len({logins.make_nonce(HOME, NOW) for _ in range(100)}) == 100
    assert len(logins) == 0


def test_a_request_is_taken_once(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    check(logins, auth(nonce, 1))
    check(logins, auth(nonce, 2))
    for count in (1, 2):
        with pytest.raises(LoginError, match="there before"):
            check(logins, auth(nonce, count))


def test_requests_may_overtake_each_other(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    for count in (3, 1, 2, 6, 4, 5):
        check(logins, auth(nonce, count))
    with pytest.raises(LoginError, match="there before"):
        check(logins, auth(nonce, 4))


def test_a_count_is_taken_once_whatever_the_order() -> None:
    chance = random.Random(3)
    login, taken = Login("anna"), set()
    for _ in range(5000):
        count = max(login.top + chance.randrange(-2 * WINDOW, 20), 0)
        expected = count >= 1 and count not in taken and count > login.top - WINDOW
        assert login.take(count) == expected, count
        if expected:
            taken.add(count)


def test_a_count_that_jumps_far_leaves_the_old_ones_behind() -> None:
    login = Login("anna")
    assert login.take(1)
    assert login.take(10**12)
    assert not login.take(2)
    assert login.taken < 1 << WINDOW


@pytest.mark.parametrize("count", [0, -1, 2**53, 2**200])
def test_a_count_out_of_range_is_refused(logins: Logins, count: int) -> None:
    with pytest.raises(LoginError):
        check(logins, auth(logins.make_nonce(HOME, NOW), count))


def test_a_nonce_is_for_one_address_and_one_user(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    with pytest.raises(LoginError, match="none of this server for this address"):
        check(logins, auth(nonce), ELSEWHERE)
    check(logins, auth(nonce))
    for sent, address in ((auth(nonce, 2), ELSEWHERE), (auth(nonce, 2, "bert"), HOME)):
        with pytest.raises(LoginError, match="given to somebody else"):
            check(logins, sent, address)


@pytest.mark.parametrize("nonce", ["", "0" * 32, "я" * 32, "x", "f" * 5000])
def test_a_nonce_that_the_client_made_is_refused(logins: Logins, nonce: str) -> None:
    with pytest.raises(LoginError, match="none of this server"):
        check(logins, auth(nonce))


def test_a_recorded_request_is_useless_after_the_login_was_forgotten(logins: Logins) -> None:
    recorded = auth(logins.make_nonce(HOME, NOW))
    check(logins, recorded)
    with pytest.raises(LoginError, match="not used for too long"):
        check(logins, auth(recorded["nonce"], 2), now=NOW + IDLE_SECONDS + 1)
    with pytest.raises(LoginError, match="too old"):
        check(logins, recorded, now=NOW + IDLE_SECONDS + 2)


def test_a_nonce_must_be_used_soon(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    with pytest.raises(LoginError, match="too old"):
        check(logins, auth(nonce), now=NOW + FRESH_SECONDS + 1)
    assert check(logins, auth(nonce), now=NOW + FRESH_SECONDS - 1) == "anna"


def test_nonces_of_another_start_of_the_server_are_refused(logins: Logins) -> None:
    with pytest.raises(LoginError, match="none of this server"):
        check(logins, auth(Logins(b"another secret").make_nonce(HOME, NOW)))


def test_a_wrong_password_and_an_unknown_user_look_the_same(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    texts = set()
    for sent in (
        auth(nonce, known=digest("anna", "wrong")),
        auth(nonce, user="nobody", known="0" * 32),
        auth(nonce, user="nobody"),
        auth(nonce) | {"response": "я"},
        auth(nonce) | {"response": ""},
    ):
        with pytest.raises(LoginError) as caught:
            check(logins, sent)
        assert caught.value.guess
        texts.add(str(caught.value))
    assert texts == {"the user or the password is wrong"}
    assert len(logins) == 0


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"user_name": "anna"},
        {"user_name": 5, "nonce": "", "nc": 1, "response": ""},
        {"user_name": "anna", "nonce": "", "nc": "1", "response": ""},
        {"user_name": "anna", "nonce": "", "nc": True, "response": ""},
        {"user_name": "anna", "nonce": "", "nc": 1.0, "response": ""},
        {"user_name": "anna", "nonce": [], "nc": 1, "response": ""},
    ],
)
def test_a_login_that_lacks_something_is_refused(logins: Logins, sent: dict[str, Any]) -> None:
    with pytest.raises(LoginError, match="user_name, nonce and response"):
        check(logins, sent)


def test_there_are_only_so_many_logins(logins: Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOGINS_MOST == 10_000
    monkeypatch.setattr("afanasy_py.access.digest.LOGINS_MOST", 3)
    nonces = [logins.make_nonce(HOME, NOW) for _ in range(5)]
    for nonce in nonces:
        check(logins, auth(nonce))
        if nonce is not nonces[0]:
            check(logins, auth(nonces[0], nonces.index(nonce) + 1))
    assert len(logins) == 3
    assert nonces[0] in logins, "it was used all the time"
    assert nonces[1] not in logins


def test_a_password_that_changes_ends_the_login(logins: Logins) -> None:
    nonce = logins.make_nonce(HOME, NOW)
    check(logins, auth(nonce))
    with pytest.raises(LoginError):
        logins.check(auth(nonce, 2), HOME, NOW, {"anna": digest("anna", "new")})
    with pytest.raises(LoginError):
        logins.check(auth(nonce, 3), HOME, NOW, {})


def test_a_digest_file_is_read() -> None:
    anna, bert = digest("anna", "a"), digest("bert", "b")
    text = f"anna:CGRU:{anna}\n\n# a comment\n  bert:CGRU:{bert.upper()}\r\ncarl:other:{anna}\nbroken\n:CGRU:{anna}\nd:CGRU:xyz\n"
    assert parse_digest_file(text, "CGRU") == ({"anna": anna, "bert": bert}, [6, 7, 8])
    assert parse_digest_file("", "CGRU") == ({}, [])
