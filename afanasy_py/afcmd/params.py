"""Parameters that clients may set, with the kind of their values, and how `name=value` becomes JSON.

The server takes no notice of a parameter that it does not know or whose value has a wrong type, so both are
refused here. Source: spec json-api 6.2, 7, 8.2, 8.3, 9.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from afanasy_py.afcmd.command import UsageError

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(:?=)(.*)", re.DOTALL)
_BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _bool(text: str) -> bool:
    return _BOOLS[text.lower()]


def _moment(text: str) -> int:
    """Return Unix seconds, of themselves or of a local time as 2026-01-31T08:30."""
    return int(text) if text.lstrip("-").isdecimal() else int(datetime.fromisoformat(text).timestamp())


def _texts(text: str) -> list[str]:
    return text.split(",") if text else []


def _items(text: str) -> Iterable[tuple[str, str]]:
    for item in filter(None, text.split(",")):
        name, colon, value = item.partition(":")
        if not colon:
            raise ValueError(item)
        yield name, value


def _text_map(text: str) -> dict[str, str]:
    return dict(_items(text))


def _int_map(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in _items(text)}


def _tickets(text: str) -> dict[str, list[int]]:
    """Return tickets as [count] or [count, usage, hosts, max hosts]; the server counts usage and hosts."""
    tickets = {}
    for name, value in _items(text):
        count, colon, hosts = value.partition(":")
        tickets[name] = [int(count), 0, 0, int(hosts)] if colon else [int(count)]
    return tickets


def _choice(*texts: str) -> "Reader":
    return lambda text: texts[texts.index(text)]


Reader = Callable[[str], Any]

#: {kind of value: (what reads it, how it is written)}
KINDS: dict[str, tuple[Reader, str]] = {
    "number": (int, "a whole number"),
    "text": (str, "a text"),
    "flag": (_bool, "true or false"),
    "time": (_moment, "Unix seconds, or a local time as 2026-01-31T08:30"),
    "list": (_texts, "texts separated by commas"),
    "numbers": (_int_map, "name:number,name:number"),
    "texts": (_text_map, "name:text,name:text; an empty text erases"),
    "tickets": (_tickets, "name:count or name:count:max_hosts, separated by commas"),
    "method": (_choice("solve_order", "solve_priority"), "solve_order or solve_priority"),
    "need": (_choice("solve_tasksnum", "solve_capacity"), "solve_tasksnum or solve_capacity"),
    "mask_type": (_choice("find", "regex"), "find or regex"),
}


def _rows(**kinds: str) -> dict[str, str]:
    """Return {parameter: kind} of {kind: parameters}."""
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_NODE = _rows(number="priority", text="annotation custom_data srv_info", flag="hidden")
_WORK = _rows(
    number="max_tasks_per_second max_running_tasks max_running_tasks_per_host"
    " need_power need_memory need_hdd",
    text="hosts_mask hosts_mask_exclude need_os need_properties",
    numbers="pools",
    method="solve_method",
    need="solve_need",
    mask_type="hosts_mask_type",
)
_FARM = _rows(
    number="capacity_host max_tasks_host power_host",
    text="properties_host",
    list="services services_disabled",
    tickets="tickets_pool tickets_host",
)

#: {noun: {parameter: kind of its value}}
PARAMS: dict[str, dict[str, str]] = {
    "jobs": {
        **_NODE,
        **_WORK,
        **_rows(
            text="description command_pre command_post depend_mask depend_mask_global user_name branch",
            number="time_life",
            time="time_wait",
            texts="folders",
            flag="offline ppa maintenance ignorenimby ignorepaused",
        ),
    },
    "blocks": _rows(
        number="capacity need_memory need_power need_hdd need_cpu_freq_mgz need_cpu_cores need_cpu_freq_cores"
        " need_gpu_mem_mb errors_retries errors_avoid_host errors_task_same_host errors_forgive_time"
        " task_progress_change_timeout task_max_run_time task_min_run_time max_running_tasks"
        " max_running_tasks_per_host parser_coeff sequential",
        text="depend_mask tasks_depend_mask hosts_mask hosts_mask_exclude need_properties name service"
        " tasks_name parser working_directory command command_pre command_post srv_info custom_data",
        time="time_started time_done",
        list="files",
        texts="environment",
        numbers="tickets",
    ),
    "renders": {**_NODE, **_FARM, **_rows(text="user_name", flag="nimby NIMBY paused")},
    "users": {
        **_NODE,
        **_WORK,
        **_rows(
            flag="paused",
            number="errors_retries errors_avoid_host errors_task_same_host errors_forgive_time"
            " jobs_life_time",
        ),
    },
    "branches": {**_NODE, **_WORK, **_rows(flag="create_childs solve_jobs paused")},
    "pools": {
        **_NODE,
        **_FARM,
        **_rows(
            text="pattern",
            flag="new_nimby new_paused paused",
            number="heartbeat_sec resources_update_period zombie_time exit_no_task_time no_task_event_time"
            " overload_event_time sick_errors_count idle_wolsleep_time idle_free_time busy_nimby_time"
            " idle_cpu busy_cpu idle_mem busy_mem idle_swp busy_swp idle_hddgb busy_hddgb idle_hddio"
            " busy_hddio idle_netmbs busy_netmbs",
        ),
    },
    "monitors": _NODE,
}


def read_params(noun: str, assignments: Iterable[str]) -> dict[str, Any]:
    """Return the parameters that `name=value` words give; `name:=value` gives any value as JSON.

    Raises:
        UsageError: A word has another form, a name is not known, or a value is not of its kind.
    """
    known = PARAMS[noun]
    params: dict[str, Any] = {}
    for word in assignments:
        found = _ASSIGNMENT.fullmatch(word)
        if not found:
            raise UsageError(f"not of the form name=value: {word}")
        name, sign, text = found.groups()
        if sign == ":=":
            params[name] = _read_json(name, text)
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)
            raise UsageError(f"{noun} have no parameter {name}; there is: {', '.join(near)}")
        reader, form = KINDS[known[name]]
        try:
            params[name] = reader(text)
        except (ValueError, KeyError, OverflowError):
            raise UsageError(f"{name} should be {form}: {text}") from None
    return params


def _read_json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} should be JSON: {error}") from None
