"""Access control as settings and files want it: tokens on the disk, users of .htdigest, proxies."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from afanasy_py.access.digest import md5
from afanasy_py.access.gate import DeniedError
from afanasy_py.arguments import parse_arguments
from afanasy_py.config import Config, load_config
from afanasy_py.core.farm import Farm
from afanasy_py.errors import ConfigError
from afanasy_py.guard import Guard
from afanasy_py.msg.answers import JsonAnswer
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.http import HttpHead
from afanasy_py.msg.types import MsgType

NOW = 1_700_000_000.0
HOME = "203.0.113.5"


class Place:
    """A guard on a folder, and what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.farm = Farm(self.config().settings, now=NOW)

    def config(self, **settings: str) -> Config:
        words = [word for key, value in settings.items() for word in (f"--{key}", value)]
        environ = {"HOME": str(self.folder), "AF_USERNAME": "u", "AF_HOSTNAME": "h"}
        return load_config(parse_arguments(words), environ, "/nowhere/afserver")

    def guard(self, **settings: str) -> Guard:
        settings = {"af_access": "1", "af_ip_trust": "10.1.*", **settings}
        return Guard(self.config(**settings), self.farm, self.folder, lambda: NOW)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def answer(guard: Guard, **params: Any) -> dict[str, Any]:
    result = guard.answer(params)
    assert isinstance(result, JsonAnswer)
    document: dict[str, Any] = json.loads(result.text)
    return document


def create(guard: Guard, user: str = "anna", role: str = "artist", **more: Any) -> str:
    return str(answer(guard, operation="create", user=user, role=role, **more)["token"]["text"])


def asked(token: str = "", **headers: str) -> Request:
    head = HttpHead("GET", "/", {name.replace("_", "-"): text for name, text in headers.items()})
    return Request(Form.GET, MsgType.THTTPGET, head=head, token=token)


def test_access_control_is_off_unless_it_is_switched_on(place: Place) -> None:
    guard = Guard(place.config(), place.farm, place.folder, lambda: NOW)
    assert place.farm.gate is None
    assert "Access control is off" in str(guard.answer({"operation": "list"}))
    assert guard.may_fetch(asked(), HOME)


def test_tokens_outlive_the_server_and_nobody_can_read_them(place: Place) -> None:
    text = create(place.guard(), note="farm")
    path = place.folder / "access.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text not in path.read_text(encoding="utf-8")
    guard = place.guard()
    gate = place.farm.gate
    assert gate is not None
    assert gate.identify(HOME, None, text, NOW).user == "anna"
    (listed,) = answer(guard, operation="list")["tokens"]
    assert (listed["user"], listed["role"], listed["note"], listed["used"]) == ("anna", "artist", "farm", NOW)
    assert "digest" not in listed


def test_a_revoked_token_is_worth_nothing_at_once_and_after_a_restart(place: Place) -> None:
    guard = place.guard()
    text = create(guard)
    token_id = text.split("_")[1]
    assert "revoked" in answer(guard, operation="revoke", id=token_id)["info"]["text"]
    for _ in range(2):
        gate = place.farm.gate
        assert gate is not None
        with pytest.raises(DeniedError, match="not known or not valid"):
            gate.identify(HOME, None, text, NOW)
        guard = place.guard()
    assert "no token" in answer(guard, operation="revoke", id=token_id)["info"]["text"]


@pytest.mark.parametrize(
    "params",
    [
        {}, {"operation": "create"}, {"operation": "create", "user": "a", "role": "boss"},
        {"operation": "create", "user": "", "role": "read"}, {"operation": "create", "user": 5, "role": "read"},
        {"operation": "create", "user": "a" * 201, "role": "read"}, {"operation": "nonsense"},
        {"operation": "create", "user": "a", "role": "read", "days": -1}, {"operation": "revoke", "id": [1]},
        {"operation": "create", "user": "a", "role": "read", "days": True}, {"operation": ["create"]},
    ],
)  # fmt: skip
def test_what_makes_no_token_is_refused(place: Place, params: dict[str, Any]) -> None:
    assert answer(place.guard(), **params)["info"]["kind"] == "error"
    assert not (place.folder / "access.json").exists()


def test_a_token_ends_after_its_days(place: Place) -> None:
    text = create(place.guard(), days=1)
    gate = place.farm.gate
    assert gate is not None
    assert gate.identify(HOME, None, text, NOW + 86399)
    with pytest.raises(DeniedError):
        gate.identify(HOME, None, text, NOW + 86400)


def test_the_server_does_not_start_with_tokens_that_it_cannot_read(place: Place) -> None:
    (place.folder / "access.json").write_text('{"tokens": [{"id": "x"}]}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"access\.json"):
        place.guard()


@pytest.mark.parametrize(
    "settings",
    [
        {"af_access_networks": "10.1.*"},
        {"af_access_users": "anna=boss"},
        {"af_access_login_role": "boss"},
        {"af_http_proxies": "nonsense"},
    ],
)
def test_a_setting_that_means_nothing_stops_the_start(place: Place, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        place.guard(**settings)


def test_a_bad_setting_on_reload_changes_nothing(place: Place) -> None:
    guard = place.guard()
    gate = place.farm.gate
    assert gate is not None
    with pytest.raises(ConfigError):
        guard.configure(place.config(af_access="1", af_ip_trust="*.*", af_access_login_role="boss"))
    assert place.farm.gate is gate
    assert gate.rules.networks.role_of("10.1.0.1") is not None


def test_users_come_from_the_digest_file(place: Place) -> None:
    path = place.folder / "users"
    path.write_text(f"anna:CGRU:{md5('anna:CGRU:pw')}\nbert:other:{'0' * 32}\nbroken\n", encoding="utf-8")
    place.guard(af_digest_file=str(path))
    assert place.farm.gate is not None
    assert list(place.farm.gate.digests) == ["anna"]


# -- proxies


def test_what_came_through_a_listed_proxy_is_of_the_address_that_it_tells(place: Place) -> None:
    guard = place.guard(af_http_proxies="127.0.0.1")
    caller = guard.caller_of(
        asked(x_forwarded_for="10.1.0.1, 203.0.113.9", x_forwarded_proto="https"), "127.0.0.1"
    )
    assert (caller.address, caller.secure) == ("203.0.113.9", True)
    assert guard.caller_of(asked(x_forwarded_for="nonsense"), "127.0.0.1").address != "127.0.0.1"


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
def test_a_proxy_that_is_not_listed_gives_its_role_to_nobody(place: Place, header: str) -> None:
    """Else all the world would come in through a web server on the farm's own host."""
    guard = place.guard(af_ip_trust="127.0.0.1")
    caller = guard.caller_of(asked(**{header: "10.1.0.1"}), "127.0.0.1")
    gate = place.farm.gate
    assert gate is not None
    with pytest.raises(DeniedError, match="af_http_proxies does not list"):
        gate.identify(caller.address, None, "", NOW)
    assert gate.identify(guard.caller_of(asked(), "127.0.0.1").address, None, "", NOW)


def test_nobody_says_of_itself_that_it_is_a_proxy(place: Place) -> None:
    guard = place.guard(af_http_proxies="127.0.0.1")
    caller = guard.caller_of(asked(x_forwarded_for="10.1.0.1", x_forwarded_proto="https"), HOME)
    assert not caller.address.startswith("10.")
    assert not caller.secure


def test_a_token_comes_in_a_header_or_before_the_request(place: Place) -> None:
    guard = place.guard()
    assert guard.caller_of(asked(authorization="Bearer aft_x"), HOME).token == "aft_x"
    assert guard.caller_of(asked(authorization="Basic aft_x"), HOME).token == ""
    assert guard.caller_of(asked(token="aft_y"), HOME).token == "aft_y"


def test_files_of_tasks_are_for_those_who_are_known(place: Place) -> None:
    guard = place.guard()
    text = create(guard)
    assert not guard.may_fetch(asked(), HOME)
    assert guard.may_fetch(asked(), "10.1.0.1")
    assert guard.may_fetch(asked(authorization=f"Bearer {text}"), HOME)
