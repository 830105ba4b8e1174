"""Parameters of nodes that clients may set: one row each, for submissions and for actions.

A value of a wrong type counts as absent. A row knows how a value is kept in bounds; what was set is noted
for the node's log. Source: json-api 2, 6.1, 6.2, 7, 8.2, 8.3, 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from afanasy_py.core.masks import is_valid
from afanasy_py.core.node import MASK_FIND, MASK_REGEX, NODE_HIDDEN, SOLVE_CAPACITY, SOLVE_PRIORITY
from afanasy_py.core.table import mask_words

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


Note = Callable[[str], None]
Setter = Callable[[Any, Json, Note], None]


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter."""

    name: str
    #: Sets it from the JSON object if it is there, and notes that.
    apply: Setter


def _number(name: str, bounds: range = INT32, fix: Callable[[int], int | None] | None = None) -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_int(obj, name, bounds)
        if value is ABSENT:
            return
        if fix is not None:
            value = fix(value)
            if value is None:
                return
        setattr(node, name, value)
        note(f'"{name}" set to {value}')

    return Field(name, apply)


def _text(name: str) -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_str(obj, name)
        if value is not ABSENT:
            setattr(node, name, value)
            note(f'"{name}" set to "{value}"')

    return Field(name, apply)


def _bool(name: str) -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, name)
        if value is not ABSENT:
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
        if is_regex:
            setattr(node, name, value)
            if value and not is_valid(value):
                note(f'"{name}" invalid pattern "{value}"')
                return
        else:
            if value and not mask_words(value):
                value = ""
            setattr(node, name, value)
        note(f'"{name}" set to "{value}"')

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
        bit = {"find": MASK_FIND, "regex": MASK_REGEX}.get(get_str(obj, "hosts_mask_type"))
        if bit is not None:
            node.work_flags = node.work_flags & ~(MASK_FIND | MASK_REGEX) | bit
            note(f'"hosts_mask_type" set to "{obj["hosts_mask_type"]}"')

    return Field("hosts_mask_type", apply)


def _text_map(name: str) -> Field:
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
                note(f'{name}[{key}]=""')
        setattr(node, name, merged)

    return Field(name, apply)


def _pools() -> Field:
    def apply(node: Any, obj: Json, note: Note) -> None:
        value = obj.get("pools")
        if type(value) is not dict or any(type(n) is not int or n not in INT32 for n in value.values()):
            return
        node.pools = {key: min(max(n, -100), 100) for key, n in sorted(value.items()) if key and n}
        for key, priority in node.pools.items():
            note(f'pools[{key}]="{priority}"')

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


def _hidden() -> Field:
    """A parameter of every node; unlike others it is set even when absent (see `apply_node_fields`)."""

    def apply(node: Any, obj: Json, note: Note) -> None:
        value = get_bool(obj, "hidden")
        if value is not ABSENT:
            node.flags = node.flags | NODE_HIDDEN if value else node.flags & ~NODE_HIDDEN
            note(f'"hidden" set to {"true" if value else "false"}')

    return Field("hidden", apply)


def _priority(value: int) -> int | None:
    """Values above 255 count as 255, -1 as absent; other negative ones are 0 (the original wraps them)."""
    if value == -1:
        return None
    return min(max(value, 0), 255)


def _int8(value: int) -> int:
    return (value + 128) % 256 - 128


def _uint8(value: int) -> int | None:
    return None if value < 0 else value % 256


NODE_FIELDS: tuple[Field, ...] = (
    _text("annotation"),
    _text("custom_data"),
    _text("srv_info"),
    _number("priority", fix=_priority),
    _hidden(),
)

WORK_FIELDS: tuple[Field, ...] = (
    _mask_type(),
    _choice("solve_method", SOLVE_PRIORITY, "solve_priority"),
    _choice("solve_need", SOLVE_CAPACITY, "solve_capacity"),
    _number("max_tasks_per_second", fix=lambda n: min(n, 10000)),
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
)

#: Parameters of a job that an action may set; name, id and the like only a submission.
JOB_FIELDS: tuple[Field, ...] = (
    _text("description"),
    _text("command_pre"),
    _text("command_post"),
    _number("time_life"),
    _number("time_wait", INT64),
    _mask("depend_mask", regex=True),
    _mask("depend_mask_global", regex=True),
    _flag("ppa", 1 << 32),
    _flag("maintenance", 1 << 33),
    _flag("ignorenimby", 1 << 34),
    _flag("ignorepaused", 1 << 35),
    _text_map("folders"),
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

BLOCK_FIELDS: tuple[Field, ...] = (
    _number("capacity", fix=lambda n: max(n, 1)),
    _number("sequential", INT64),
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
    _number("errors_retries", fix=_int8),
    _number("errors_avoid_host", fix=_int8),
    _number("errors_task_same_host", fix=_int8),
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
    _number("time_started", INT64),
    _number("time_done", INT64),
    _text_map("environment"),
    _tickets(),
)

#: What a submission may set of a block beside the above.
NEW_BLOCK_FIELDS: tuple[Field, ...] = (
    _number("file_size_min", INT64),
    _number("file_size_max", INT64),
)

USER_FIELDS: tuple[Field, ...] = (
    _bool("paused"),
    _number("errors_retries", fix=_uint8),
    _number("errors_avoid_host", fix=_uint8),
    _number("errors_task_same_host", fix=_uint8),
    _number("errors_forgive_time"),
    _number("jobs_life_time"),
)

BRANCH_FIELDS: tuple[Field, ...] = (_bool("create_childs"), _bool("solve_jobs"), _bool("paused"))


def apply_fields(node: Any, obj: Json, fields: Iterable[Field], note: Note | None = None) -> None:
    """Set what an object gives of some fields; `note` hears of each."""
    for field in fields:
        if field.name in obj:
            field.apply(node, obj, note or _unheard)


def _unheard(_text: str) -> None:
    """Note nothing."""
