"""Sends one mail and any number of webhooks, as a file says; run by the service ``events``.

The file is JSON: ``email`` (server, sender, recipients, subject, lines), ``webhooks`` (url, secret, timeout,
retries) and ``body``, what webhooks get. It is deleted when read. This program uses the standard library
only; exit status 0 means that all was delivered.
"""

import hashlib
import hmac
import html
import json
import smtplib
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

MAIL_TIMEOUT_SEC = 20
FIRST_PAUSE_SEC = 1
#: The server stops a task of the system job after 60 s; pauses are 1, 2 and 4 s.
RETRIES_MAX = 3
TIMEOUT_MAX_SEC = 10
#: Answers that may be better later; other ones from 400 to 499 will not be.
RETRIED_STATUSES = {408, 425, 429}

SIGNATURE = "X-Afanasy-Signature"
EVENT = "X-Afanasy-Event"


def message(mail: dict[str, Any]) -> EmailMessage:
    """Return the mail as text and HTML. Line breaks in names can not add headers: they become spaces."""
    result = EmailMessage()
    result["Subject"] = " ".join(mail["subject"].split())
    result["From"] = f"noreply@{mail['sender_address_host']}"
    result["To"] = ", ".join(mail["recipients"])
    result.set_content("\n".join(f"{name}: {text}" for name, text in mail["lines"]) + "\n")
    rows = "".join(f"<p>{html.escape(n)}: <b>{html.escape(str(t))}</b></p>\n" for n, t in mail["lines"])
    result.add_alternative(f"<html><body>\n{rows}</body></html>\n", subtype="html")
    return result


def send_mail(mail: dict[str, Any]) -> None:
    """Send one mail.

    Raises:
        OSError: The server was not reached or refused (``smtplib.SMTPException`` is one of these).
    """
    # Certificates are checked; SSL_CERT_FILE in the environment of the host names those of a farm's own.
    context = ssl.create_default_context()
    whole = mail["smtp_tls"] == "ssl"
    connect = partial(smtplib.SMTP_SSL, context=context) if whole else smtplib.SMTP
    host, port = mail["smtp_server"], mail["smtp_port"]
    if not port and ":" in host:
        host, _, port = host.rpartition(":")
    with connect(host, int(port or (465 if whole else 25)), timeout=MAIL_TIMEOUT_SEC) as smtp:
        if mail["smtp_tls"] == "starttls":
            smtp.starttls(context=context)
        if mail["smtp_user"]:
            smtp.login(mail["smtp_user"], mail["smtp_password"])
        smtp.send_message(message(mail))


def hook_request(hook: dict[str, Any], body: dict[str, Any]) -> urllib.request.Request:
    """Return the POST of a webhook; with a secret it carries the HMAC-SHA256 of its body."""
    content = json.dumps(body).encode()
    request = urllib.request.Request(hook["url"], data=content, method="POST")  # noqa: S310 - http only, checked
    request.add_header("Content-Type", "application/json")
    request.add_header("User-Agent", "afanasy-events")
    request.add_header(EVENT, ",".join(body["events"]))
    if hook.get("secret"):
        digest = hmac.new(hook["secret"].encode(), content, hashlib.sha256).hexdigest()
        request.add_header(SIGNATURE, f"sha256={digest}")
    return request


def post_hook(hook: dict[str, Any], body: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> str:
    """Deliver to one webhook, again after growing pauses; return what went wrong, empty when delivered."""
    request = hook_request(hook, body)
    timeout_sec = min(float(hook["timeout_sec"]), TIMEOUT_MAX_SEC)
    retries = min(int(hook["retries"]), RETRIES_MAX)
    problem = ""
    for attempt in range(retries + 1):
        if attempt:
            sleep(FIRST_PAUSE_SEC * 2 ** (attempt - 1))
        try:
            with urllib.request.urlopen(request, timeout=timeout_sec):  # noqa: S310 - http only, checked
                return ""
        except urllib.error.HTTPError as error:
            problem = f"{hook['url']}: HTTP {error.code}"
            error.close()
            if error.code < 500 and error.code not in RETRIED_STATUSES:
                return problem
        except OSError as error:
            problem = f"{hook['url']}: {error}"
    return f"{problem} (after {retries + 1} attempts)"


def deliver(payload: dict[str, Any]) -> list[str]:
    """Send everything, webhooks at the same time; return what went wrong."""
    problems = []
    hooks = payload.get("webhooks", [])
    with ThreadPoolExecutor(max_workers=max(1, min(len(hooks), 16))) as pool:
        pending = [pool.submit(post_hook, hook, payload["body"]) for hook in hooks]
        if "email" in payload:
            try:
                send_mail(payload["email"])
            except (OSError, ValueError) as error:
                problems.append(f"mail by {payload['email']['smtp_server']}: {error}")
        problems += [problem for future in pending if (problem := future.result())]
    return problems


def main(argv: list[str]) -> int:
    """Deliver what the file says."""
    path = Path(argv[1])
    payload = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    problems = deliver(payload)
    for problem in problems:
        sys.stderr.write(f"Not delivered: {problem}\n")
    if not problems:
        sys.stdout.write("All delivered.\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
