"""Wake-on-LAN and post commands."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]


def test_a_recorded_wake_names_all_addresses(make: Make, golden: Callable[[str], Any]) -> None:
    service = make("wakeonlan", **golden("WOL_WAKE"))
    assert service.getCommand() == 'wolwake --wake --ip "127.0.0.1" --hostname "render01" 020000000001'


def test_a_recorded_sleep_is_one_of_this_host(make: Make, golden: Callable[[str], Any]) -> None:
    service = make("wakeonlan", **golden("WOL_SLEEP"))
    assert service.getCommand() == 'wolsleep --sleep --ip "127.0.0.1" --hostname "render01" 020000000001'


@pytest.mark.parametrize(
    "render",
    [
        "no JSON",
        "{}",
        "[]",
        json.dumps({"name": "r", "address": {"ip": "1.2.3.4"}, "netifs": []}),
        json.dumps({"name": "r", "address": {"ip": "1.2.3.4"}, "netifs": [{"mac": "$(x)"}]}),
    ],
)
def test_without_addresses_there_is_no_command(make: Make, render: str) -> None:
    service = make("wakeonlan", command_task=render)
    assert service.getCommand() == ""
    assert service.getLog()


def test_a_post_command_runs_as_it_is(make: Make) -> None:
    assert (
        make("postcmd", command_task="rm -f /tmp/scene; echo @##@").getCommand()
        == "rm -f /tmp/scene; echo @##@"
    )
