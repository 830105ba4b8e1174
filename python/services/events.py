"""Tells people and programs what happened on the farm: by e-mail, webhook or a command of the farm's own.

The server sends the objects that an event concerns as JSON. What to do is written in their ``custom_data``:

    {"events": {"JOB_DONE": {"methods": ["email", "webhook", "/farm/bin/on_done"]}},
     "emails": ["artist@example.com"],
     "webhooks": ["https://example.com/hook", {"url": "https://example.org/", "secret": "..."}]}

Custom data of all objects is merged in the order of the objects. Mail and webhooks are sent by
``_notify.py``, which gets everything in a private file: nothing secret is seen in a list of processes.
"""
# ruff: noqa: N801, N802, N803 - names are the interface that services of a CGRU tree share

import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import cgruconfig

from services import service

log = logging.getLogger(__name__)

NOTIFY = Path(__file__).with_name("_notify.py")

#: Settings of mail, with their defaults; environment variables ``CGRU_<KEY>`` set them too.
MAIL_SETTINGS = {
    "email_smtp_server": "localhost",
    "email_smtp_port": 0,  # 0: 25, or 465 with "ssl"
    "email_smtp_tls": "",  # "" none, "starttls" or "ssl"
    "email_smtp_user": "",
    "email_smtp_password": "",
    "email_sender_address_host": "localhost",
}
#: Settings of webhooks.
WEBHOOK_SETTINGS = {"webhook_secret": "", "webhook_timeout_sec": 5, "webhook_retries": 3}


def setting(key: str, default: Any) -> Any:
    """Return a setting: of the environment, else of the config files, else the default."""
    value = os.environ.get(f"CGRU_{key.upper()}", cgruconfig.VARS.get(key, default))
    return type(default)(value)


class events(service.service):
    """One or more events of one job or render, for all configured methods at once.

    A service of a farm's own may derive from this class and override ``getMethodCommand``.
    """

    def __init__(self, taskInfo: dict[str, Any], i_verbose: bool) -> None:
        super().__init__(taskInfo, i_verbose)
        text, taskInfo["command"] = taskInfo["command"], ""
        self.skip_task = True
        self.objects: dict[str, Any] | None = None  # what the server sent
        self.custom_obj: dict[str, Any] | None = None  # merged custom data
        self.payload: dict[str, Any] = {}  # what _notify.py shall send
        try:
            objects = json.loads(text)
            happened = objects["events"]
        except (ValueError, TypeError, KeyError) as error:
            self.addLog(f"This is not the JSON of events: {error!r}")
            return
        if not isinstance(happened, list) or not happened:
            self.addLog("There are no events in the JSON.")
            return
        custom: dict[str, Any] = {}
        for value in objects.values():
            self.combineCustomObj(custom, value)
        self.objects, self.custom_obj = objects, custom
        commands = []
        for method, names in self.methodsEvents(happened).items():
            command = self.getMethodCommand(method, names, objects)
            if command:
                commands.append(command)
        if self.payload:
            commands.append(self.notifyCommand(self.payload))
        if commands:
            taskInfo["command"] = self.joined(commands)
            self.skip_task = False

    def methodsEvents(self, happened: list[str]) -> dict[str, list[str]]:
        """Return {method: events it is wanted for}, only of events that happened."""
        result: dict[str, list[str]] = {}
        configured = (self.custom_obj or {}).get("events")
        for event, wanted in configured.items() if isinstance(configured, dict) else ():
            if event not in happened:
                continue
            methods = wanted.get("methods") if isinstance(wanted, dict) else None
            if not isinstance(methods, list):
                self.addLog(f'Event "{event}" is configured without a list of methods.')
                continue
            for method in methods:
                if isinstance(method, str) and method:
                    result.setdefault(method, []).append(event)
        return result

    def getMethodCommand(self, i_method: str, i_events: list[str], i_objects: dict[str, Any]) -> str | None:
        """Return the shell command of a method, or None when there is nothing to run.

        Args:
            i_method: Word of the configuration.
            i_events: Events that happened and want this method.
            i_objects: What the server sent: ``job`` and ``user``, ``render`` and others.
        """
        if i_method == "email":
            self.addEmail(i_events, i_objects)
            return None
        if i_method == "webhook":
            self.addWebhooks(i_events, i_objects)
            return None
        job = i_objects.get("job", {})
        name = str(job.get("name", ""))
        if i_method == "notify-send":
            return "notify-send Afanasy " + service.quoted(f"Job {name}: {i_events[-1]}")
        return f"{i_method} -jobname {service.quoted(name)} -jobserial {int(job.get('serial', 0))}"

    def addEmail(self, i_events: list[str], i_objects: dict[str, Any]) -> None:
        """Add a mail to what will be sent, when there is somebody to send it to."""
        mail = self.mail(i_events, i_objects)
        if mail is not None:
            self.payload["email"] = mail

    def getEmailCommand(self, i_events: list[str], i_objects: dict[str, Any]) -> str | None:
        """Return a command that sends a mail and nothing else, or None; for services of a farm's own."""
        mail = self.mail(i_events, i_objects)
        return None if mail is None else self.notifyCommand({"email": mail})

    def mail(self, i_events: list[str], i_objects: dict[str, Any]) -> dict[str, Any] | None:
        """Return a mail about events as ``_notify.py`` takes it, or None when there is nobody to send it to."""
        emails = (self.custom_obj or {}).get("emails")
        addresses = [a for a in emails if isinstance(a, str) and a] if isinstance(emails, list) else []
        if not addresses:
            self.addLog("Nobody to send mail to: no emails in the custom data.")
            return None
        titles = ", ".join(i_events).replace("_", " ").title()
        lines = [("Events", titles)]
        if "render" in i_objects:
            lines += self.renderLines(i_objects["render"], i_objects.get("host_resources"))
        lines += [("Job Name", self.taskInfo["job_name"]), ("User Name", self.taskInfo["user_name"])]
        return {
            **{key.removeprefix("email_"): setting(key, default) for key, default in MAIL_SETTINGS.items()},
            "recipients": list(dict.fromkeys(addresses)),
            "subject": f"{titles} - {self.taskInfo['job_name']}",
            "lines": lines,
        }

    @staticmethod
    def renderLines(render: dict[str, Any], res: dict[str, Any] | None) -> list[tuple[str, str]]:
        """Return lines about a render and its resources."""
        lines = [("Render Name", str(render.get("name")))]
        if res is not None:
            swap_free_mb = res["swap_total_mb"] - res["swap_used_mb"]
            lines += [
                ("CPU", f"{res['cpu_num']} x {res['cpu_mhz']} MHz, idle {res['cpu_idle']} %"),
                ("Memory", f"{res['mem_total_mb'] / 1024:.1f} GB, free {res['mem_free_mb'] / 1024:.1f} GB"),
                ("Swap", f"{res['swap_total_mb'] / 1024:.1f} GB, free {swap_free_mb / 1024:.1f} GB"),
                ("Disk", f"{res['hdd_total_gb']} GB, free {res['hdd_free_gb']} GB, busy {res['hdd_busy']} %"),
            ]
        return lines

    def addWebhooks(self, i_events: list[str], i_objects: dict[str, Any]) -> None:
        """Add the configured webhooks to what will be sent."""
        custom = self.custom_obj or {}
        listed = custom.get("webhooks", [])
        hooks = []
        for item in listed if isinstance(listed, list) else [listed]:
            hook = {"url": item} if isinstance(item, str) else item
            if not isinstance(hook, dict) or not str(hook.get("url", "")).startswith(("http://", "https://")):
                self.addLog("A webhook without an http URL is left out.")
                continue
            secret = hook.get("secret") or custom.get("webhook_secret")
            defaults = {k.removeprefix("webhook_"): setting(k, d) for k, d in WEBHOOK_SETTINGS.items()}
            hooks.append({**defaults, **({"secret": secret} if secret else {}), "url": hook["url"]})
        if not hooks:
            self.addLog("No webhooks in the custom data.")
            return
        self.payload["webhooks"] = hooks
        self.payload["body"] = without_secrets({**i_objects, "events": i_events})

    def notifyCommand(self, payload: dict[str, Any]) -> str:
        """Return the command that sends a payload, which it reads from a private file and deletes."""
        handle, path = tempfile.mkstemp(prefix="afevent-", suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(payload, file)
        return f"{service.quoted(python())} {service.quoted(str(NOTIFY))} {service.quoted(path)}"

    @staticmethod
    def joined(commands: list[str]) -> str:
        """Return one command that runs all of them and fails when one of them did."""
        if len(commands) == 1:
            return commands[0]
        if os.name != "posix":
            return " & ".join(commands)
        return "rc=0; " + "; ".join(f"{command} || rc=1" for command in commands) + "; exit $rc"

    def combineCustomObj(self, o_output_obj: dict[str, Any], i_input_obj: Any) -> None:
        """Merge the custom data of an object, or of all objects of a list, into another."""
        if isinstance(i_input_obj, list):
            for item in i_input_obj:
                self.combineCustomObj(o_output_obj, item)
        if not isinstance(i_input_obj, dict) or "custom_data" not in i_input_obj:
            return
        name = i_input_obj.get("name")
        try:
            custom = json.loads(i_input_obj["custom_data"])
        except (ValueError, TypeError) as error:
            self.addLog(f'Custom data of "{name}" is not valid JSON: {error}')
            return
        if not isinstance(custom, dict):
            self.addLog(f'Custom data of "{name}" is not an object.')
            return
        self.updateObj(o_output_obj, custom)

    def updateObj(self, o_obj: dict[str, Any], i_obj: dict[str, Any]) -> None:
        """Merge: objects deeply, lists appended, other values replaced; empty keys and ``-keys`` left out."""
        for key, value in i_obj.items():
            if not key or key.startswith("-"):
                continue
            old = o_obj.get(key)
            if isinstance(value, dict) and isinstance(old, dict):
                self.updateObj(old, value)
            elif isinstance(value, list) and isinstance(old, list):
                old.extend(value)
            else:
                o_obj[key] = value


def without_secrets(value: Any) -> Any:
    """Return JSON without members whose key speaks of a secret or password, also inside of custom data."""
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if any(word in key.lower() for word in ("secret", "password", "passwd", "token")):
            continue
        if key == "custom_data" and isinstance(item, str):
            try:
                result[key] = json.dumps(without_secrets(json.loads(item)))
            except ValueError:
                continue
        else:
            result[key] = without_secrets(item)
    return result


def python() -> str:
    """Return the Python for programs; where it is embedded, ``sys.executable`` is another program."""
    name = Path(sys.executable or "").name
    return sys.executable if name.startswith("python") else shutil.which("python3") or "python3"
