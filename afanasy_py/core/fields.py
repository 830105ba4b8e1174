"""Parameters of nodes that clients may set: one row each, for submissions and for actions.

A value of a wrong type counts as absent. A row knows how a value is kept in bounds; what was set is noted
for the node's log. Source: json-api 2, 6.1, 6.2, 7, 8.2, 8.3, 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from afanasy_py.core.farmpart import newest_first
from afanasy_py.core.masks import is_valid
from afanasy_py.core.node import MASK_FIND, MASK_REGEX, NODE_HIDDEN, SOLVE_CAPACITY, SOLVE_PRIORITY
from afanasy_py.core.table import mask_words
from afanasy_py.core.task_states import OFF

Json = dict[str, Any]
INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)

#: Stands for "not there, or of a wrong type".
ABSENT: Any = object()


def get_int(obj: Json, key: str, bounds: range = INT32) -> Any:
    """Return an integer member, or ABSENT."""
    value = obj.get(key, ABSENT)
    return value if type(value) is int and value in bounds else ABSENT


def get_bool(obj: Json, key: str) -> Any:
    """Return a boolean member, or ABSENT."""
    value = obj.get(key, ABSENT)
    return value if type(value) is bool else ABSENT


def get_str(obj: Json, key: str) -> Any:
    """Return a text member, or ABSENT."""
    value = obj.get(key, ABSENT)
    return value if type(value) is str else ABSENT


def get_ints(obj: Json, key: str) -> list[int]:
    """Return a list of integers; items of other types are left out, and no list is an empty one."""
    value = obj.get(key)
    return [item for item in value if type(item) is int and item in INT32] if type(value) is list else []


def get_strs(obj: Json, key: str) -> list[str]:
    """Return a list of texts; items of other types are left out."""
    value = obj.get(key)
    return [item for item in value if type(item) is str] if type(value) is list else []


#: Hears what was set, one line for the log of the node.
Note = Callable[[str], None]
Setter = Callable[[Any, Json, Note], None]


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter."""

    name: str
    #: Sets it from the JSON object if it is there, and notes that.
    apply: Setter


def _number(
    name: str,
    bounds: range = INT32,
    *,
    wrap: Callable[[int], int | None] | None = None,
    bound: Callable[[int], int | None] | None = None,
) -> Field:
    """An integer.

    Args:
        name: Its key and attribute.
        bounds: Other values count as absent.
        wrap: Fits a value into fewer bits; None: it counts as absent.
        bound: Keeps a value in its limits, after it was noted as it came; None: the old one stays.
    """

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_int(obj, name, bounds)
        if value is not ABSENT and wrap is not None:
            value = wrap(value)
        if value is ABSENT or value is None:
            return
        note(f'"{name}" set to {value}')
        if bound is not None:
            value = bound(value)
        if value is not None:
            setattr(node, name, value)

    return Field(name, apply)


def _text(name: str, *, told: bool = False) -> Field:
    """A text; `told`: it is only noted, the kind of node sets it itself."""

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_str(obj, name)
        if value is not ABSENT:
            if not told:
                setattr(node, name, value)
            note(f'"{name}" set to "{value}"')

    return Field(name, apply)


def _bool(name: str, *, told: bool = False) -> Field:
    """A flag with an attribute of its name; `told`: it is only noted, the kind of node sets it itself."""

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, name)
        if value is not ABSENT:
            if not told:
                setattr(node, name, value)
            note(f'"{name}" set to {"true" if value else "false"}')

    return Field(name, apply)


def _flag(name: str, bit: int) -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, name)
        if value is not ABSENT:
            node.flags = node.flags | bit if value else node.flags & ~bit
            note(f'"{name}" set to {"true" if value else "false"}')

    return Field(name, apply)


def _mask(name: str, *, regex: bool | None = None, find: bool = False) -> Field:
    """A mask: `regex` always, `find` words always, or by the `hosts_mask_type` of the node."""

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_str(obj, name)
        if value is ABSENT:
            return
        is_regex = regex if regex is not None else not find and masks_regex(node)
        if is_regex and value and not is_valid(value):
            note(f'"{name}" invalid pattern "{value}"')
        else:
            note(f'"{name}" set to "{value}"')
        if not is_regex and not mask_words(value):
            value = ""
        setattr(node, name, value)

    return Field(name, apply)


def masks_regex(node: Any) -> bool:
    """Return whether the host masks of a node are regular expressions; a block follows its job."""
    owner = getattr(node, "job", node)
    return bool(owner.work_flags & MASK_REGEX)


def _choice(name: str, bit: int, on: str) -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_str(obj, name)
        if value is not ABSENT:
            node.work_flags = node.work_flags | bit if value == on else node.work_flags & ~bit
            note(f'"{name}" set to "{value}"')

    return Field(name, apply)


def _mask_type() -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_str(obj, "hosts_mask_type")
        if value is ABSENT:
            return
        bit = {"find": MASK_FIND, "regex": MASK_REGEX}.get(value)
        if bit is not None:
            node.work_flags = node.work_flags & ~(MASK_FIND | MASK_REGEX) | bit
        note(f'"hosts_mask_type" set to "{value}"')

    return Field("hosts_mask_type", apply)


def _text_map(name: str, *, keeps_empty: bool = False) -> Field:
    """A map of texts that is merged into the old one; empty values and those of other types erase their key.

    COMPAT(erased-keys): in parameters of actions an erased key stays with an empty text; `keeps_empty`.
    """

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = obj.get(name)
        if type(value) is not dict:
            return
        merged = dict(getattr(node, name))
        for key, text in value.items():
            if type(text) is str and text:
                merged[key] = text
                note(f'{name}[{key}]="{text}"')
            else:
                merged.pop(key, None)
                if keeps_empty:
                    merged[key] = ""
                note(f'{name}[{key}]=""')
        setattr(node, name, merged)

    return Field(name, apply)


def _pools() -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = obj.get("pools")
        if type(value) is not dict:
            return
        for key, priority in value.items():
            if type(priority) is not int or priority not in INT32:
                return
            note(f'pools[{key}]="{priority}"')
        node.pools = {key: min(max(n, -100), 100) for key, n in sorted(value.items()) if key and n}

    return Field("pools", apply)


def _tickets() -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = obj.get("tickets")
        if type(value) is not dict:
            return
        merged = dict(node.tickets)
        for key, count in value.items():
            if type(count) is not int or count not in INT32:
                break
            merged[key] = count
            note(f'tickets[{key}]="{count}"')
        node.tickets = merged

    return Field("tickets", apply)


def _texts(name: str) -> Field:
    """A list of texts; it is not noted."""

    def apply(node: Any, obj: Json, _note: Note) -> None:
        if type(obj[name]) is list:
            setattr(node, name, get_strs(obj, name))

    return Field(name, apply)


def _farm_tickets(name: str) -> Field:
    """Tickets of a pool or render: `{name: [count, usage, hosts, max hosts]}`, added to others, not noted.

    Only the count and the limit of hosts are taken; what is in use is counted here.
    """

    def apply(node: Any, obj: Json, _note: Note) -> None:
        value = obj[name]
        if type(value) is not dict:
            return
        tickets = getattr(node, name)
        added = {}
        for key, values in value.items():
            if type(values) is not list or not values or type(values[0]) is not int or values[0] not in INT32:
                break
            if values[0] == -1:
                continue
            limit = values[3] if len(values) == 4 and type(values[3]) is int and values[3] in INT32 else -1
            _, usage, hosts, _ = tickets.get(key, (-1, 0, 0, -1))
            added[key] = [values[0], usage, hosts, limit]
        setattr(node, name, newest_first(tickets, added))

    return Field(name, apply)


def _offline() -> Field:
    """The pause of a job. COMPAT(offline-false): false is noted and does nothing."""

    def apply(job: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, "offline")
        if value is not ABSENT:
            if value:
                job.st |= OFF
            note(f'"offline" set to {"true" if value else "false"}')

    return Field("offline", apply)


def _hidden() -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, "hidden")
        if value is not ABSENT:
            node.flags = node.flags | NODE_HIDDEN if value else node.flags & ~NODE_HIDDEN
            note(f'"hidden" set to {"true" if value else "false"}')

    return Field("hidden", apply)


def _priority(value: int) -> int | None:
    """Keep a priority in eight bits: values above 255 count as 255, -1 as absent.

    COMPAT(priority-wrap): other negative values wrap, so -5 becomes 251.
    """
    return None if value == -1 else min(value, 255) % 256


def _int8(value: int) -> int:
    return (value + 128) % 256 - 128


def _uint8(value: int) -> int | None:
    return None if value < 0 else value % 256


NODE_FIELDS: tuple[Field, ...] = (
    _text("annotation"),
    _text("custom_data"),
    _text("srv_info"),
    _number("priority", bound=_priority),
    _hidden(),
)

_MASK_TYPE = _mask_type()

_WORK_FIELDS: tuple[Field, ...] = (
    _number("max_tasks_per_second", bound=lambda n: min(n, 10000)),
    _number("max_running_tasks"),
    _number("max_running_tasks_per_host"),
    _mask("hosts_mask"),
    _mask("hosts_mask_exclude"),
    _mask("need_os", find=True),
    _mask("need_properties", find=True),
    _number("need_power"),
    _number("need_memory"),
    _number("need_hdd"),
    _pools(),
    _choice("solve_method", SOLVE_PRIORITY, "solve_priority"),
    _choice("solve_need", SOLVE_CAPACITY, "solve_capacity"),
)

#: In a submission the type of masks counts for its masks, in an action from the next one on.
WORK_FIELDS: tuple[Field, ...] = (_MASK_TYPE, *_WORK_FIELDS)
WORK_PARAMS: tuple[Field, ...] = (*_WORK_FIELDS, _MASK_TYPE)

_JOB_TEXTS: tuple[Field, ...] = (
    _text("description"),
    _text("command_pre"),
    _text("command_post"),
    _number("time_life"),
    _number("time_wait", INT64),
    _mask("depend_mask", regex=True),
    _mask("depend_mask_global", regex=True),
)

_JOB_FLAGS: tuple[Field, ...] = (
    _flag("ppa", 1 << 32),
    _flag("maintenance", 1 << 33),
    _flag("ignorenimby", 1 << 34),
    _flag("ignorepaused", 1 << 35),
)

#: What submissions and actions may set of a job; name, id and the like only submissions.
JOB_FIELDS: tuple[Field, ...] = (*_JOB_TEXTS, *_JOB_FLAGS, _text_map("folders"))

#: What an action may set of a job. User and branch are only noted here.
JOB_PARAMS: tuple[Field, ...] = (
    *_JOB_TEXTS,
    _text("user_name", told=True),
    _text("branch", told=True),
    _text_map("folders", keeps_empty=True),
    _offline(),
    *_JOB_FLAGS,
    *WORK_PARAMS,
)

#: What a submission may set beside the above.
NEW_JOB_FIELDS: tuple[Field, ...] = (
    _text("project"),
    _text("department"),
    _text("host_name"),
    _number("time_creation", INT64),
    _number("time_started", INT64),
    _number("time_done", INT64),
)

_BLOCK_FIELDS: tuple[Field, ...] = (
    _number("capacity", bound=lambda n: max(n, 1)),
    _number("need_memory"),
    _number("need_power"),
    _number("need_hdd"),
    _number("need_cpu_freq_mgz"),
    _number("need_cpu_cores"),
    _number("need_cpu_freq_cores"),
    _number("need_gpu_mem_mb"),
    _mask("depend_mask", regex=True),
    _mask("tasks_depend_mask", regex=True),
    _mask("hosts_mask"),
    _mask("hosts_mask_exclude"),
    _mask("need_properties", find=True),
    _text("name"),
    _text("service"),
    _number("errors_retries", wrap=_int8),
    _number("errors_avoid_host", wrap=_int8),
    _number("errors_task_same_host", wrap=_int8),
    _number("errors_forgive_time"),
    _number("task_progress_change_timeout"),
    _number("task_max_run_time"),
    _number("task_min_run_time"),
    _text("tasks_name"),
    _text("parser"),
    _text("working_directory"),
    _text("command"),
    _text("command_pre"),
    _text("command_post"),
    _number("max_running_tasks"),
    _number("max_running_tasks_per_host"),
    _text("srv_info"),
    _text("custom_data"),
    _number("parser_coeff"),
    _number("sequential", INT64),
    _number("time_started", INT64),
    _number("time_done", INT64),
)

BLOCK_FIELDS: tuple[Field, ...] = (*_BLOCK_FIELDS, _text_map("environment"), _tickets())

#: What an action may set of a block.
BLOCK_PARAMS: tuple[Field, ...] = (
    *_BLOCK_FIELDS,
    _texts("files"),
    _text_map("environment", keeps_empty=True),
    _tickets(),
)

#: What nobody may change while the server shows itself.
DEMO_LOCKED = frozenset({"command", "command_pre", "command_post", "files", "working_directory"})

#: What a submission may set of a block beside the above.
NEW_BLOCK_FIELDS: tuple[Field, ...] = (
    _number("file_size_min", INT64),
    _number("file_size_max", INT64),
)

USER_FIELDS: tuple[Field, ...] = (
    _bool("paused"),
    _number("errors_retries", wrap=_uint8),
    _number("errors_avoid_host", wrap=_uint8),
    _number("errors_task_same_host", wrap=_uint8),
    _number("errors_forgive_time"),
    _number("jobs_life_time"),
)

USER_PARAMS: tuple[Field, ...] = (*USER_FIELDS, *WORK_PARAMS)

BRANCH_PARAMS: tuple[Field, ...] = (
    *WORK_PARAMS,
    _bool("create_childs"),
    _bool("solve_jobs"),
    _bool("paused"),
)

#: What actions may set of both renders and pools.
FARM_PARAMS: tuple[Field, ...] = (
    _number("capacity_host"),
    _number("max_tasks_host"),
    _number("power_host"),
    _text("properties_host"),
    _texts("services"),
    _texts("services_disabled"),
    _farm_tickets("tickets_pool"),
    _farm_tickets("tickets_host"),
)

#: The states of a render are only noted here.
RENDER_PARAMS: tuple[Field, ...] = (
    _text("user_name"),
    _bool("nimby", told=True),
    _bool("NIMBY", told=True),
    _bool("paused", told=True),
    *FARM_PARAMS,
)

POOL_PARAMS: tuple[Field, ...] = (
    _mask("pattern", regex=True),
    *map(
        _number,
        (
            "heartbeat_sec",
            "resources_update_period",
            "zombie_time",
            "exit_no_task_time",
            "no_task_event_time",
            "overload_event_time",
        ),
    ),
    _bool("new_nimby"),
    _bool("new_paused"),
    *map(_number, ("sick_errors_count", "idle_wolsleep_time", "idle_free_time", "busy_nimby_time")),
    *(
        _number(f"{when}_{what}")
        for what in ("cpu", "mem", "swp", "hddgb", "hddio", "netmbs")
        for when in ("idle", "busy")
    ),
    _bool("paused"),
    *FARM_PARAMS,
)


def apply_fields(node: Any, obj: Json, fields: Iterable[Field], note: Note | None = None) -> None:
    """Set what an object gives of some fields; `note` hears of each."""
    for field in fields:
        if field.name in obj:
            field.apply(node, obj, note or _unheard)


def apply_node_params(node: Any, params: Json, note: Note) -> None:
    """Set what an action may set of every node.

    COMPAT(params-unhide): parameters without `hidden` show a hidden node.
    """
    if get_bool(params, "hidden") is ABSENT:
        node.flags &= ~NODE_HIDDEN
    apply_fields(node, params, NODE_FIELDS, note)


def sets_priority(params: Json) -> bool:
    """Return whether parameters set the priority of a node."""
    return get_int(params, "priority") not in (ABSENT, -1)


def _unheard(_text: str) -> None:
    """Note nothing."""
