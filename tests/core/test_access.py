"""What each role may do to a farm, what refusals say, and what the audit log hears."""

import json
from typing import Any

import pytest

from afanasy_py.access.gate import Gate, Rules
from afanasy_py.access.networks import Networks, parse_network
from afanasy_py.access.roles import Role
from afanasy_py.access.tokens import Token, digest_of, id_of, make_token
from afanasy_py.core.dispatch import handle
from afanasy_py.core.requests import AskServer, Caller, RunFirst
from afanasy_py.ip_masks import parse_mask
from afanasy_py.msg.answers import BinaryAnswer, JsonAnswer
from afanasy_py.msg.records.render import Render as RenderRecord
from afanasy_py.msg.types import MsgType
from tests.core.action_farm import ActionFarm, explicit, numeric

STRANGER = "203.0.113.5"
ADMIN = "10.1.0.1"


class GuardedFarm(ActionFarm):
    """A farm with access control on, and a token for each role: of `anna`, or of `<role>`."""

    def __init__(self) -> None:
        super().__init__()
        rules = Rules(
            networks=Networks([parse_mask("10.1.*")], [parse_network("10.2.*=artist")]), realm="CGRU"
        )
        self.gate = Gate(rules, b"secret", 3)
        self.farm.gate = self.gate
        self.farm.keeps_audit = True
        self.farm.changes.audits.clear()

    def token(self, role: str, user: str = "anna") -> str:
        text = make_token((len(self.gate.tokens.by_id) + 1).to_bytes(36, "little"))
        self.gate.tokens.add(Token(id_of(text), digest_of(text), user, Role(role), "", 0, 0))
        return text

    def send(self, request: Any, token: str = "", address: str = STRANGER) -> Any:
        """Return the answer to a JSON request; a token goes the way of the JSON clients."""
        body = {**request, "auth": {"token": token}} if token else request
        result = handle(self.farm, MsgType.TJSON, 0, json.dumps(body).encode(), Caller(address), 1000.0)
        self.farm.validate()
        return json.loads(result.text) if isinstance(result, JsonAnswer) else result

    def message(self, msg_type: MsgType, value: int = 0, body: bytes = b"", **who: Any) -> Any:
        who.setdefault("address", STRANGER)
        return handle(self.farm, msg_type, value, body, Caller(**who), 1000.0)

    def audits(self) -> list[tuple[str, str, bool]]:
        """Return (user, action, whether it was refused) of what the audit log has heard."""
        return [(entry.user, entry.action, bool(entry.refused)) for entry in self.farm.changes.audits]


@pytest.fixture
def guarded() -> GuardedFarm:
    return GuardedFarm()


def refusal(answer: Any) -> str:
    """Return why something was refused; empty: it was not."""
    text = str(answer.get("error") or "")
    info = answer.get("info", {})
    return text or (info["text"] if info.get("kind") == "error" else "")


def act(kind: str, ids: list[int], operation: Any = None, **more: Any) -> dict[str, Any]:
    action = {"user_name": "anna", "host_name": "ws", "type": kind, "ids": ids, **more}
    return {"action": action | ({"operation": operation} if operation else {})}


def job(user: str = "anna", **more: Any) -> dict[str, Any]:
    return {"job": {"name": "shot", "user_name": user, "blocks": [numeric()], **more}}


REQUESTS: list[dict[str, Any]] = [
    {"get": {"type": "jobs"}},
    {"get": {"type": "config"}},
    job(),
    act("jobs", [1], {"type": "pause"}),
    {"monitor": {"engine": "x"}},
    {"user": {"name": "anna"}},
    {"reload_config": True},
    {"announce": "hello"},
    {"save": {"path": "x", "object": {}}},
    {"access": {"operation": "list"}},
    {"nonsense": 1},
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: next(iter(request)))
def test_a_stranger_reaches_nothing(guarded: GuardedFarm, request_: dict[str, Any]) -> None:
    before = len(guarded.farm.jobs), len(guarded.farm.users), len(guarded.farm.monitors)
    assert "in no trusted network (af_ip_trust)" in refusal(guarded.send(request_))
    assert before == (len(guarded.farm.jobs), len(guarded.farm.users), len(guarded.farm.monitors))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: next(iter(request)))
def test_without_access_control_nobody_is_asked(request_: dict[str, Any]) -> None:
    guarded = GuardedFarm()
    guarded.farm.gate = None
    assert "Access denied" not in str(guarded.send(request_))


@pytest.mark.parametrize(
    "msg_type",
    [t for t in MsgType if t not in (MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP)],
    ids=lambda t: t.name,
)
def test_no_binary_message_of_a_stranger_does_anything(guarded: GuardedFarm, msg_type: MsgType) -> None:
    answer = guarded.message(msg_type, 1, RenderRecord(name="x", st=1).encode(MsgType.TRenderRegister))
    if msg_type in (MsgType.TVersionMismatch, MsgType.TInvalid):
        return
    assert isinstance(answer, JsonAnswer)
    assert b"Access denied" in answer.text
    assert len(guarded.farm.renders) == 0
    assert not guarded.farm.changes.nodes.keys() - {("jobs", 1), ("users", 1), ("branches", 1), ("pools", 1)}


def test_a_stolen_render_token_registers_hosts_and_sees_nothing(guarded: GuardedFarm) -> None:
    token = guarded.token("render", "farm")
    body = RenderRecord(name="x", st=1).encode(MsgType.TRenderRegister)
    assert isinstance(guarded.message(MsgType.TRenderRegister, 0, body, token=token), BinaryAnswer)
    for request in REQUESTS:
        assert "may not look at the farm" in refusal(guarded.send(request, token))
    assert b"may not look at the farm" in guarded.message(MsgType.TJobsWeightRequest, token=token).text


def test_a_stolen_read_token_changes_nothing(guarded: GuardedFarm) -> None:
    token = guarded.token("read")
    guarded.add_job(user_name="anna")
    assert "jobs" in guarded.send({"get": {"type": "jobs"}}, token)
    before = guarded.farm.jobs.by_id[2].st
    for request in (*REQUESTS[2:4], *REQUESTS[5:10], act("jobs", [2], {"type": "delete"})):
        assert refusal(guarded.send(request, token)).startswith("Access denied: anna (read) may not")
    assert guarded.farm.jobs.by_id[2].st == before
    body = RenderRecord(name="x", st=1).encode(MsgType.TRenderRegister)
    assert b"may not be a render host" in guarded.message(MsgType.TRenderRegister, 0, body, token=token).text


def test_a_reader_watches_through_its_own_monitor_only(guarded: GuardedFarm) -> None:
    reader, other = guarded.token("read", "anna"), guarded.token("read", "bert")
    mine = guarded.send({"monitor": {"user_name": "carl", "engine": "x"}}, reader)["monitor"]
    assert mine["user_name"] == "anna"
    watch = {"type": "watch", "class": "jobs", "status": "subscribe"}
    assert not refusal(guarded.send(act("monitors", [mine["id"]], watch), reader))
    assert "may not do this to the monitor" in refusal(
        guarded.send(act("monitors", [mine["id"]], watch), other)
    )
    events = {"get": {"type": "monitors", "mode": "events", "ids": [mine["id"]]}}
    assert "events" in guarded.send(events, reader)
    assert "use the monitor of anna" in refusal(guarded.send(events, other))
    for msg_type in (MsgType.TMonitorUpdateId, MsgType.TMonitorDeregister):
        assert b"use the monitor of anna" in guarded.message(msg_type, mine["id"], token=other).text
    message = {"type": "message", "text": "hi"}
    assert "Access denied" in refusal(guarded.send(act("monitors", [mine["id"]], message), reader))


def test_an_artist_has_its_own_jobs(guarded: GuardedFarm) -> None:
    token = guarded.token("artist")
    sent = guarded.send(job(), token)
    assert sent["id"] > 1
    assert not refusal(guarded.send(act("jobs", [sent["id"]], {"type": "pause"}), token))
    assert not refusal(guarded.send(act("jobs", [sent["id"]], params={"priority": 50}), token))
    assert not refusal(guarded.send(act("users", [2], {"type": "move_jobs_top", "jids": [2]}), token))


@pytest.mark.parametrize("claimed", ["anna", "artist", ""])
def test_an_artist_cannot_touch_the_job_of_another(guarded: GuardedFarm, claimed: str) -> None:
    """Whatever name the request gives: the token says who it is."""
    other = guarded.add_job(user_name="artist")
    before = other.st, other.priority
    token = guarded.token("artist")
    for more in ({"operation": {"type": "delete"}}, {"params": {"priority": 250}}):
        request = act("jobs", [other.id], user_name=claimed, **more)
        assert refusal(guarded.send(request, token)) == (
            "Access denied: anna (artist) may not change the job job of artist; "
            "that needs the role manager or admin."
        )
    blocks = act("jobs", [other.id], {"type": "restart"}, block_ids=[0])
    assert "Access denied" in refusal(guarded.send(blocks, token))
    assert (other.st, other.priority) == before


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (job("bert"), "send jobs of the user bert"),
        (job(command_pre="true"), "run commands on the server (command_pre)"),
        (
            job(blocks=[explicit(command_pre="true")]),
            "run commands on the server (command_pre)",
        ),
        (act("renders", [1], {"type": "exit"}), "change renders, as host"),
        (act("renders", [1], params={"paused": True}), "change renders"),
        (act("renders", [1], {"type": "launch_cmd", "cmd": "true"}), "change renders"),
        (act("pools", [1], params={"max_tasks_host": 1}), "change pools"),
        (act("branches", [1], params={"paused": True}), "change branches"),
        (act("users", [1], params={"priority": 200}), "change users"),
        ({"user": {"name": "bert"}}, "make the user bert"),
        ({"announce": "hello"}, "speak to all monitors"),
        ({"reload_config": True}, "reload_config"),
        ({"save": {"path": "x", "object": {}}}, "save path=x"),
        (
            {"access": {"operation": "create", "user": "anna", "role": "admin"}},
            "access operation=create user=anna role=admin",
        ),
    ],
)
def test_an_artist_is_refused_and_hears_what_is_missing(
    guarded: GuardedFarm, request_: dict[str, Any], why: str
) -> None:
    guarded.add_render()
    answer = guarded.send(request_, guarded.token("artist"))
    assert not isinstance(answer, AskServer | RunFirst)
    assert refusal(answer).startswith(f"Access denied: anna (artist) may not {why}")
    assert "that needs the role" in refusal(answer)


def test_an_artist_cannot_give_a_job_away(guarded: GuardedFarm) -> None:
    token = guarded.token("artist")
    guarded.farm.users.by_name["afadmin"]
    sent = guarded.send(job(), token)
    answer = guarded.send(act("jobs", [sent["id"]], params={"user_name": "afadmin"}), token)
    assert "give the job shot to another user" in refusal(answer)
    assert guarded.farm.jobs.by_id[sent["id"]].user_name == "anna"


def test_a_mask_of_an_artist_reaches_its_own_jobs_only(guarded: GuardedFarm) -> None:
    other = guarded.add_job(user_name="artist")
    token = guarded.token("artist")
    mine = guarded.send(job(), token)["id"]
    action = {
        "user_name": "anna",
        "host_name": "ws",
        "type": "jobs",
        "mask": ".*",
        "operation": {"type": "pause"},
    }
    assert "Access denied" in refusal(guarded.send({"action": action}, token))
    paused = {
        j.id: bool(j.to_json().get("offline")) or "OFF" in j.to_json()["state"] for j in guarded.farm.jobs
    }
    assert paused[mine]
    assert not paused[other.id]


def test_an_artist_of_a_network_is_who_it_says(guarded: GuardedFarm) -> None:
    home = "10.2.0.7"
    assert guarded.send(job("carl"), address=home)["id"]
    assert "may not change the job shot of carl" in refusal(
        guarded.send(act("jobs", [2], {"type": "pause"}), address=home)
    )
    assert not refusal(guarded.send(act("jobs", [2], {"type": "pause"}, user_name="carl"), address=home))


def test_a_manager_changes_all_but_the_server(guarded: GuardedFarm) -> None:
    guarded.add_render()
    guarded.add_job(user_name="artist")
    token = guarded.token("manager")
    for request in (
        act("jobs", [2], {"type": "pause"}),
        act("renders", [1], {"type": "launch_cmd", "cmd": "true"}),
        act("pools", [1], params={"annotation": "x"}),
        job("bert"),
        {"announce": "hello"},
    ):
        assert not refusal(guarded.send(request, token))
    for request in (job(command_pre="true"), {"save": {}}, {"reload_config": True}, {"access": {}}):
        assert "that needs the role admin." in refusal(guarded.send(request, token))


def test_an_admin_may_do_everything(guarded: GuardedFarm) -> None:
    for where in ({"token": guarded.token("admin")}, {"address": ADMIN}):
        assert isinstance(guarded.send(job(command_pre="true"), **where), RunFirst)
        for root in ("save", "reload_config", "access"):
            assert isinstance(guarded.send({root: {}}, **where), AskServer)


def test_the_web_gui_is_asked_for_a_login(guarded: GuardedFarm) -> None:
    guarded.gate.digests = {"anna": "0" * 32}
    answer = guarded.send({"get": {"type": "config"}})
    assert answer["realm"] == "CGRU"
    assert len(answer["nonce"]) == 32
    # Who is known and may not do something is not asked again: the GUI would forget its login.
    assert "realm" not in guarded.send(act("renders", [1], {"type": "exit"}), guarded.token("artist"))


def test_commands_on_hosts_can_be_switched_off(guarded: GuardedFarm) -> None:
    from dataclasses import replace

    guarded.farm.gate = None
    host = guarded.add_render()
    guarded.farm.settings = replace(guarded.farm.settings, af_server_launch_cmd=False)
    for kind in ("renders", "pools"):
        answer = guarded.send(act(kind, [1], {"type": "launch_cmd", "cmd": "true"}))
        assert refusal(answer) == "Commands on hosts are switched off (af_server_launch_cmd)."
    assert host.events().instruction == ""


def test_a_host_that_is_refused_again_and_again_is_in_the_log_once(guarded: GuardedFarm) -> None:
    body = RenderRecord(name="x", st=1).encode(MsgType.TRenderRegister)
    guarded.farm.changes.lines.clear()
    artist = guarded.token("artist")
    for _ in range(5):
        guarded.message(MsgType.TRenderRegister, 0, body)
        guarded.message(MsgType.TRenderRegister, 0, body, token=artist, address="203.0.113.6")
    lines = [text for _, text in guarded.farm.changes.lines]
    assert len(lines) == 2
    assert lines[0].startswith(
        "Refused: peer=203.0.113.5 Access denied: 203.0.113.5 is in no trusted network"
    )
    assert "anna (artist) may not be a render host" in lines[1]


# -- the audit log


def test_the_audit_log_hears_of_every_action(guarded: GuardedFarm) -> None:
    artist = guarded.token("artist")
    other = guarded.add_job(user_name="artist")
    guarded.send(job(), artist)
    guarded.send(job("bert"), artist)
    guarded.send(act("jobs", [3], {"type": "pause"}), artist)
    guarded.send(act("jobs", [other.id], {"type": "delete"}), artist)
    guarded.send(act("jobs", [3], params={"priority": 5}), address=ADMIN)
    guarded.send({"announce": "hello"}, address=ADMIN)
    guarded.send({"save": {"path": "x", "object": {}}}, artist)
    guarded.send({"get": {"type": "jobs"}}, "aft_00000000_wrong")
    guarded.send({"get": {"type": "jobs"}}, artist)
    assert guarded.audits() == [
        ("anna", "job shot[3] of anna", False),
        ("anna", "job shot", True),
        ("anna", "jobs pause: shot", False),
        ("anna", "jobs delete: job", True),
        ("anna", "jobs set priority: shot", False),
        ("", "announce hello", False),
        ("anna", "save path=x", True),
        ("", "token 00000000", True),
    ]
    assert {entry.address for entry in guarded.farm.changes.audits} == {STRANGER, ADMIN}


def test_many_nodes_of_an_action_are_one_entry(guarded: GuardedFarm) -> None:
    for _ in range(30):
        guarded.add_job(user_name="artist")
    action = {
        "user_name": "anna",
        "host_name": "ws",
        "type": "jobs",
        "mask": "job.*",
        "operation": {"type": "pause"},
    }
    guarded.send({"action": action}, address=ADMIN)
    ((_, what, _),) = guarded.audits()
    assert what.endswith("job-19 and 10 more")
