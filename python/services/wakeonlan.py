"""Puts the host itself asleep or wakes another one."""
# ruff: noqa: N801 - the class is named as the file

import json
import re
from typing import Any

import cgruconfig

from services import service

MAC = re.compile(r"^[0-9a-fA-F]{2}([:-]?[0-9a-fA-F]{2}){5}$")


class wakeonlan(service.service):
    """A wake or sleep command made of the JSON of a render.

    The working directory ``SLEEP`` means: this host is that render and shall sleep. The commands are the
    settings ``af_render_cmd_wolsleep`` and ``af_render_cmd_wolwake``; to them are added the address, the name
    and all hardware addresses, these without colons.
    """

    def __init__(self, taskInfo: dict[str, Any], i_verbose: bool) -> None:  # noqa: N803 - as the base
        super().__init__(taskInfo, i_verbose)
        text, taskInfo["command"] = taskInfo["command"], ""
        try:
            render = json.loads(text)
            ip, name = render["address"]["ip"], render["name"]
            macs = [netif["mac"] for netif in render["netifs"]]
        except (ValueError, TypeError, KeyError) as error:
            self.addLog(f"This is not the JSON of a render with addresses: {error!r}")
            return
        good = [re.sub("[:-]", "", mac) for mac in macs if MAC.match(mac)]
        if not good:
            self.addLog(f'Render "{name}" has no hardware addresses.')
            return
        action = "sleep" if taskInfo["wdir"] == "SLEEP" else "wake"
        program = cgruconfig.VARS[f"af_render_cmd_wol{action}"]
        parts = [program, f"--{action}", "--ip", service.quoted(ip), "--hostname", service.quoted(name)]
        taskInfo["command"] = " ".join([*parts, *good])
        if action == "sleep":
            taskInfo["wdir"] = ""
