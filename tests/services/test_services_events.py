"""Events: merged custom data, commands, mail, webhooks."""

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from afanasy_py import paths
from tests.sinks import CERTIFICATE, SmtpSink, smtp_sink

Make = Callable[..., Any]


def event(custom: Any = None, name: str = "JOB_DONE", job: str = "film", **members: Any) -> str:
    custom_data = {} if custom is None else {"custom_data": json.dumps(custom)}
    return json.dumps(
        {
            "user": {"name": "artist"},
            "job": {"name": job, "serial": 5, **custom_data},
            "events": [name],
            **members,
        }
    )


def wants(*methods: str, **more: Any) -> dict[str, Any]:
    return {"events": {"JOB_DONE": {"methods": list(methods)}}, **more}


@pytest.fixture
def notify() -> Any:
    path = paths.services_dir() / "_notify.py"
    spec = importlib.util.spec_from_file_location("_notify", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_nobody_configured_is_skipped(make: Make) -> None:
    for text in (event(), event({"a": 1}), event(wants("email"), name="JOB_ERROR"), event(wants())):
        service = make("events", command_task=text)
        assert service.skipTask()
        assert service.getCommand() == ""


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"events": "x"}', '{"events": []}'])
def test_broken_events_are_skipped_with_a_reason(make: Make, text: str) -> None:
    service = make("events", command_task=text)
    assert service.skipTask()
    assert service.getLog()


@pytest.mark.parametrize("methods", ["email", {"a": 1}, None, 5])
def test_methods_that_are_no_list_are_refused(make: Make, methods: Any) -> None:
    service = make("events", command_task=event({"events": {"JOB_DONE": {"methods": methods}}}))
    assert service.skipTask()
    assert "without a list of methods" in service.getLog()


def test_any_other_word_is_a_command(make: Make) -> None:
    service = make("events", command_task=event(wants("/farm/on_done")))
    assert not service.skipTask()
    assert service.getCommand() == '/farm/on_done -jobname "film" -jobserial 5'


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")
def test_the_name_of_a_job_is_not_run(make: Make) -> None:
    evil = '$(echo bad) `echo bad` "; echo bad; " \\'
    command = make("events", command_task=event(wants("printf '%s.' "), job=evil)).getCommand()
    assert subprocess.check_output(command, shell=True, text=True) == f"-jobname.{evil}.-jobserial.5."


def test_all_methods_run_and_one_failure_fails_all(make: Make, tmp_path: Path) -> None:
    service = make("events", command_task=event(wants("false", f"echo one >> {tmp_path}/log; true")))
    assert subprocess.call(service.getCommand(), shell=True) == 1
    assert (tmp_path / "log").read_text() == "one\n"


def test_custom_data_is_merged_in_the_order_of_the_objects(make: Make) -> None:
    user = {"a": {"x": 1, "y": 1}, "list": [1], "text": "user", "-off": 1, "": 2, "mixed": [1]}
    job = {"a": {"y": 2, "-z": 3}, "list": [2], "text": "job", "mixed": {"k": 1}}
    pools = [{"custom_data": json.dumps({"list": [3]})}, {"custom_data": "broken"}, {"custom_data": "[1]"}]
    text = json.dumps(
        {
            "user": {"custom_data": json.dumps(user)},
            "job": {"custom_data": json.dumps(job)},
            "pools": pools,
            "events": ["JOB_DONE"],
        }
    )
    service = make("events", command_task=text)
    assert service.custom_obj == {
        "a": {"x": 1, "y": 2},
        "list": [1, 2, 3],
        "text": "job",
        "mixed": {"k": 1},
    }
    assert "not valid JSON" in service.getLog()
    assert "not an object" in service.getLog()


@pytest.mark.parametrize(
    ("name", "recipients"),
    [
        ("JOB_CREATED", ["artist@example.com", "lead@example.com"]),
        ("JOB_DONE", ["artist@example.com", "lead@example.com"]),
        ("JOB_ERROR", ["artist@example.com"]),
        ("JOB_DELETED", ["artist@example.com"]),
    ],
)
def test_recorded_job_events_make_a_mail(
    make: Make, golden: Callable[[str], Any], name: str, recipients: list[str]
) -> None:
    service = make("events", **golden(name))
    mail = service.payload["email"]
    assert mail["recipients"] == recipients
    assert mail["subject"].startswith(name.replace("_", " ").title() + " - ")
    discard(service)


def test_a_recorded_render_event_tells_about_the_render(make: Make, golden: Callable[[str], Any]) -> None:
    service = make("events", **golden("RENDER_ZOMBIE"))
    lines = dict(service.payload["email"]["lines"])
    assert lines["Render Name"] == "render02"
    assert "GB, free" in lines["Memory"]
    discard(service)


def discard(service: Any) -> None:
    """Delete the file that nobody will read."""
    Path(service.getCommand().split('"')[-2]).unlink()


def test_nobody_to_write_to_is_no_error(make: Make) -> None:
    service = make("events", command_task=event(wants("email", emails=[])))
    assert service.skipTask()
    assert "Nobody to send mail to" in service.getLog()


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpSink]:
    with smtp_sink() as made:
        monkeypatch.setenv("CGRU_EMAIL_SMTP_PORT", str(made.port))
        yield made


def test_the_mail_arrives(make: Make, sink: SmtpSink) -> None:
    text = event(wants("email", emails=["a@example.com", "b@example.com", "a@example.com"]))
    service = make("events", command_task=text, job_name="film <1>\nBcc: x@example.com")
    done = subprocess.run(service.getCommand(), shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "All delivered.\n")
    [mail] = sink.mails
    assert "To: a@example.com, b@example.com" in mail
    assert "From: noreply@example.com" in mail
    assert "Subject: Job Done - film <1> Bcc: x@example.com" in mail
    assert "\r\nBcc:" not in mail.split("\r\n\r\n")[0]
    assert "film &lt;1&gt;" in mail


def test_a_service_of_a_farm_may_send_the_mail_by_itself(make: Make, sink: SmtpSink) -> None:
    service = make("events", command_task=event(wants("other", emails=["a@example.com"])), job_name="film")
    command = service.getEmailCommand(["JOB_ERROR"], service.objects)
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    assert "Subject: Job Error - film" in sink.mails[-1]
    nobody = make("events", command_task=event(wants("other")))
    assert nobody.getEmailCommand(["JOB_ERROR"], nobody.objects) is None


@pytest.mark.parametrize("tls", ["starttls", "ssl"])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_mail_goes_over_tls_with_a_login_to_a_server_that_is_trusted(
    make: Make, monkeypatch: pytest.MonkeyPatch, tls: str, trusted: bool
) -> None:
    settings = {"TLS": tls, "USER": "farm", "PASSWORD": "hush"}
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with smtp_sink(tls) as sink:
        for key, value in {**settings, "PORT": str(sink.port)}.items():
            monkeypatch.setenv(f"CGRU_EMAIL_SMTP_{key}", value)
        service = make("events", command_task=event(wants("email", emails=["a@example.com"])))
        command = service.getCommand()
        assert "hush" not in command
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if trusted:
        assert (done.returncode, len(sink.mails)) == (0, 1)
        assert [base64.b64decode(login) for login in sink.logins] == [b"\0farm\0hush"]
    else:
        assert (done.returncode, sink.mails, sink.logins) == (1, [], [])
        assert "certificate verify failed" in done.stderr


def test_a_mail_that_can_not_be_sent_is_an_error(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGRU_EMAIL_SMTP_PORT", "1")
    service = make("events", command_task=event(wants("email", emails=["a@example.com"])))
    done = subprocess.run(service.getCommand(), shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Not delivered: mail by 127.0.0.1" in done.stderr


class Hook(BaseHTTPRequestHandler):
    """Answers with the statuses it is given, the last one for ever."""

    statuses: ClassVar[list[int]] = []
    requests: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((dict(self.headers), body))
        self.send_response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook_url() -> Iterator[str]:
    Hook.requests, Hook.statuses = [], [200]
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        server.shutdown()


def test_a_webhook_gets_the_event_with_a_signature(make: Make, hook_url: str) -> None:
    custom = wants("webhook", webhooks=[{"url": hook_url, "secret": "key"}], emails=["a@example.com"])
    service = make("events", command_task=event(custom))
    assert "key" not in service.getCommand()
    assert subprocess.call(service.getCommand(), shell=True) == 0
    [(headers, body)] = Hook.requests
    assert headers["X-Afanasy-Event"] == "JOB_DONE"
    digest = hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert headers["X-Afanasy-Signature"] == f"sha256={digest}"
    sent = json.loads(body)
    assert sent["events"] == ["JOB_DONE"]
    assert sent["job"]["serial"] == 5
    assert b"key" not in body
    assert "a@example.com" in sent["job"]["custom_data"]


def test_a_webhook_is_tried_again_after_growing_pauses(notify: Any, hook_url: str) -> None:
    Hook.statuses = [500, 503, 429, 200]
    hook = {"url": hook_url, "secret": "", "timeout_sec": 5, "retries": 3}
    pauses: list[float] = []
    assert notify.post_hook(hook, {"events": ["JOB_DONE"]}, pauses.append) == ""
    assert pauses == [1, 2, 4]
    assert len(Hook.requests) == 4
    assert "X-Afanasy-Signature" not in Hook.requests[0][0]


def test_a_webhook_that_refuses_is_not_asked_again(notify: Any, hook_url: str) -> None:
    Hook.statuses = [403]
    hook = {"url": hook_url, "secret": "", "timeout_sec": 5, "retries": 3}
    assert notify.post_hook(hook, {"events": []}, lambda _: None).endswith("HTTP 403")
    assert len(Hook.requests) == 1


def test_a_webhook_that_is_not_there_is_an_error(notify: Any) -> None:
    hook = {"url": "http://127.0.0.1:1/", "secret": "", "timeout_sec": 5, "retries": 2}
    problem = notify.post_hook(hook, {"events": []}, lambda _: None)
    assert problem.endswith("(after 3 attempts)")


def test_only_web_addresses_are_webhooks(make: Make) -> None:
    service = make("events", command_task=event(wants("webhook", webhooks=["file:///etc/passwd", 5, {}])))
    assert service.skipTask()
    assert "without an http URL" in service.getLog()
