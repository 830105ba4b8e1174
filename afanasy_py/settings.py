"""Each setting of the server once: key, type, default, meaning.

Frozen values, no reading: `config.py` finds and reads files. To add a setting, add its line to `Settings`;
reading, checking and `docs/settings.md` follow from it (`python -m afanasy_py.settings > docs/settings.md`).

Defaults are those of the configuration files that CGRU 3.4.1 ships, so a server on a machine without CGRU
behaves as one in a fresh CGRU tree. Where the original has another value built in, for trees whose files lack
the key, `original` names it.
"""

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any, get_origin, get_type_hints

Value = int | bool | str | tuple[str, ...]

#: The original keeps numbers in 32 bits and ignores others.
INT_LEAST, INT_MOST = -(2**31), 2**31 - 1


def setting(  # noqa: PLR0913 - one line of the table
    default: Value,
    meaning: str,
    *,
    original: Value | None = None,
    least: int = INT_LEAST,
    most: int = INT_MOST,
    restart: bool = False,
    unused: bool = False,
    own: bool = False,
    secret: bool = False,
) -> Any:
    """Declare one setting.

    Args:
        default: Value when no file, variable or argument sets it.
        meaning: What it does, for farm admins.
        original: Default built into the original server, when it differs.
        least: Smallest number that makes sense; a smaller one is refused.
        most: Greatest number that makes sense.
        restart: A changed value waits for the next start.
        unused: Accepted because files carry it; this server has no use for it.
        own: The original does not know it.
        secret: Left out of the answer to `get config`.
    """
    about = {
        "meaning": meaning,
        "original": original,
        "least": least,
        "most": most,
        "restart": restart,
        "unused": unused,
        "own": own,
        "secret": secret,
    }
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Values in force; attributes are the keys of the config files. Times are seconds unless said."""

    # Listening and files served
    af_serverport: int = setting(
        51000, "Port to listen on.", original=50000, least=0, most=65535, restart=True
    )
    af_server_bind: str = setting("", "Address to listen on; empty: all interfaces.", restart=True, own=True)
    af_ipv6_disable: int = setting(1, "Not 0: listen on IPv4 only.", original=0, restart=True)
    af_store_folder: str = setting(
        "/var/tmp/afanasy",  # noqa: S108 - where the original keeps its store
        "Root of the store, and the only folder that `@TMP@` downloads may come from.",
        restart=True,
    )
    af_store_durable: bool = setting(
        True, "Wait until a new job is on the disk before its answer is sent.", restart=True, own=True
    )
    af_http_serve_dir: str = setting(
        "", "Folder of the files for browsers and of `get files`; empty: the CGRU tree."
    )
    af_http_folders: tuple[str, ...] = setting(
        ("afanasy/browser", "lib", "icons"),
        "Folders below the served one whose files browsers may fetch, beside that of `af_http_site_index`; "
        "`.`: all of it.",
        own=True,
    )
    af_http_site_index: str = setting(
        "/afanasy/browser/index.html", "File for `GET /`, below the served folder.", original=""
    )
    af_http_directory_index: str = setting("index.html", "File for a path that names a folder.", original="")
    af_servername: str = setting(
        "127.0.0.1", "Name or address of the server, for its clients; browsers may call it so too."
    )
    af_http_hosts: tuple[str, ...] = setting(
        (),
        "More names under which browsers may call the server, beside addresses, names without a dot, "
        "`af_servername` and the names of its machine.",
        own=True,
    )
    af_http_origins: tuple[str, ...] = setting(
        (),
        "Other sites whose pages may use the server: `https://portal.example`, or `portal.example:8080` for "
        "both schemes.",
        own=True,
    )
    af_server_http_wait_close: int = setting(
        1, "0: close after an HTTP answer; else wait for the client to close.", original=0
    )
    af_so_server_RCVTIMEO_sec: int = setting(12, "A connection that sends nothing for so long is closed.")  # noqa: N815
    af_so_server_SNDTIMEO_sec: int = setting(12, "A client that reads nothing for so long is closed.")  # noqa: N815
    af_so_server_LINGER: int = setting(-1, "Socket option; -1: not set.")  # noqa: N815
    af_so_server_REUSEADDR: int = setting(-1, "Socket option; -1: not set.")  # noqa: N815
    af_so_server_TCP_NODELAY: int = setting(-1, "Socket option; -1: not set.")  # noqa: N815
    af_so_server_TCP_CORK: int = setting(-1, "Socket option; -1: not set.")  # noqa: N815
    af_server_profiling_sec: int = setting(1024, "Time to aim for between two lines about load in the log.")

    # Defaults of new nodes
    af_priority: int = setting(99, "Priority of new jobs, users, branches, pools and renders.")
    af_max_running_tasks: int = setting(-1, "Running tasks of a new job, user or branch; -1: no limit.")
    af_max_run_tasks_per_host: int = setting(-1, "Running tasks of a new user on one host; -1: no limit.")
    af_jobs_life_time: int = setting(
        0, "A new user's jobs are deleted so long after they are done; 0 or less: never.", original=-1
    )
    af_task_error_retries: int = setting(3, "Errors of a task before it is no longer retried, for new users.")
    af_errors_avoid_host: int = setting(3, "Errors of a block on a host before it is avoided, for new users.")
    af_task_errors_same_host: int = setting(
        3, "Errors of a task on one host before it is avoided, for new users."
    )
    af_errors_forgivetime: int = setting(18000, "Errors are forgotten after this time, for new users.")
    af_task_default_capacity: int = setting(1000, "Capacity of the system job's tasks.")
    af_task_progress_change_timeout: int = setting(
        -1, "A task whose progress stands still for so long has an error; -1: no limit. For new blocks."
    )

    # Logs of nodes, running tasks, renders, monitors
    af_task_log_linesmax: int = setting(100, "Entries kept in the log of a task.")
    af_node_log_lines_max: int = setting(100, "Entries kept in the log of a node, and of tasks of a render.")
    af_task_reconnect_timeout: int = setting(
        30, "After a restart running tasks wait so long for their renders to come back."
    )
    af_monitor_zombietime: int = setting(16, "A monitor that is silent for longer is dropped.", original=40)
    af_render_overflow_mem: int = setting(-1, "Free memory in percent that means overload; -1: not checked.")
    af_render_overflow_swap: int = setting(-1, "Free swap in percent that means overload; -1: not checked.")
    af_render_overflow_hdd: int = setting(-1, "Free disk in percent that means overload; -1: not checked.")
    af_wolwake_interval: int = setting(10, "A wake is tried each so many seconds.")
    af_wolsleep_timeout: int = setting(
        120,
        "A host that does not fall asleep in so many seconds is awake again; 0: never.",
        least=0,
        own=True,
    )
    af_wolwake_timeout: int = setting(
        600, "A host that does not wake in so many seconds may be woken again; 0: never.", least=0, own=True
    )

    # Commands that jobs run on the server's host
    af_server_pre_commands: bool = setting(
        True, "Run `command_pre` of jobs on the server's host; off: jobs that have one are refused.", own=True
    )
    af_server_pre_command_sec: int = setting(60, "Time that a `command_pre` may take.", least=1, own=True)

    # System job
    af_sysjob_tasklife: int = setting(1800, "Tasks of the system job that are older are dropped.")
    af_sysjob_tasksmax: int = setting(1000, "Tasks that wait in one block of the system job.", original=10000)
    af_sysjob_postcmd_service: str = setting("postcmd", "Service of post commands.", original="system")
    af_sysjob_wol_service: str = setting("wakeonlan", "Service of wake-on-LAN.", original="system")
    af_sysjob_events_service: str = setting("events", "Service of events.")
    af_sysjob_events_merge: bool = setting(
        False, "Merge custom data on the server, and queue only events with a method.", own=True
    )

    # Statistics in PostgreSQL
    af_db_conninfo: str = setting(
        "",
        "Connection string of libpq; empty: statistics are kept in a file of the store.",
        original="host=localhost dbname=afanasy user=afadmin password=AfPassword",
        restart=True,
        secret=True,
    )
    af_db_stringquotes: str = setting("$$", "Quotes of texts in SQL.", unused=True)
    af_db_stringnamelen: int = setting(
        512, "Characters of a name in the database; longer ones are cut.", least=1
    )
    af_db_stringexprlen: int = setting(
        4096, "Characters of a command, resources or info in the database; longer ones are cut.", least=1
    )

    # Names, times, access
    timeformat: str = setting(
        "%a %d %b %H:%M.%S", "`strftime` format of dates in logs and in texts for users."
    )
    af_render_cut_domain_name: bool = setting(True, "Cut the server's own host name at its first dot.")
    af_user_cut_domain_name: bool = setting(True, "Cut a domain before the server's own user name.")
    realm: str = setting("CGRU", "Realm of digest authentication.", original="")
    af_ip_trust: tuple[str, ...] = setting(
        ("*.*", "127.0.0.1", "192.168.*", "*:*", "0:0:0:0:0:0:0:1", "FC00:*", "FD00:*"),
        "Masks of addresses that need no authentication and may do everything.",
        original=(),
    )
    af_digest_file: str = setting(".htdigest", "File of users and digests, below the CGRU tree.", original="")
    pswd_visor: str = setting("", "Digest of the visor password; GUIs use it.", unused=True)
    pswd_god: str = setting("", "Digest of the god password; GUIs use it.", unused=True)

    af_access: bool = setting(
        False,
        "Access control: off, everybody may do everything, as with the original (`docs/security.md`).",
        own=True,
    )
    af_access_networks: tuple[str, ...] = setting(
        (),
        "Roles of addresses without a login, as `10.1.*=render`: `read`, `render`, `artist`, `manager`, `admin`.",
        own=True,
    )
    af_access_users: tuple[str, ...] = setting(
        (), "Roles of users that log in, as `anna=manager`; others have `af_access_login_role`.", own=True
    )
    af_access_login_role: str = setting(
        "artist", "Role of users that log in and are not in `af_access_users`.", own=True
    )
    af_access_tls: bool = setting(False, "Take logins and tokens over TLS only.", own=True)
    af_access_fails: int = setting(
        10,
        "Failed logins of an address within ten minutes before it has to wait; 0: any number.",
        least=0,
        own=True,
    )
    af_http_proxies: tuple[str, ...] = setting(
        (),
        "Masks of addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
        own=True,
    )
    af_audit_log: str = setting(
        "",
        "File for the audit log; empty: `audit.log` in the store, while access control is on.",
        restart=True,
        own=True,
    )
    af_server_save: bool = setting(True, "Let `save` write JSON files below the CGRU tree.", own=True)
    af_server_launch_cmd: bool = setting(True, "Let `launch_cmd` run commands on hosts.", own=True)
    af_tls_cert: str = setting(
        "", "Certificates of the server (PEM); set: TLS is spoken beside the rest on the same port.", own=True
    )
    af_tls_key: str = setting("", "Key of the certificate (PEM); empty: it is in the same file.", own=True)
    af_tls_client: bool = setting(
        False, "Our own clients (`afcmd`, `afrender-py`) reach the server by TLS.", own=True
    )
    af_tls_ca: str = setting(
        "", "Certificates that our own clients trust (PEM); empty: those of the system.", own=True
    )

    # Limits of clients
    af_limit_connections: int = setting(
        4096, "Connections of one address that wait for an answer; 0: any number.", least=0, own=True
    )
    af_limit_work_ms: int = setting(
        800,
        "Milliseconds of each second that expensive requests (over 10 ms) of one address may take; those "
        "beyond wait; 0: any.",
        least=0,
        own=True,
    )
    af_limit_memory_mb: int = setting(
        512, "Memory for requests that are not whole and answers that are not read, MB.", least=80, own=True
    )

    # Knobs of the original's threads
    af_server_sockets_processing_threads_num: int = setting(10, "Threads that process.", unused=True)
    af_server_sockets_readwrite_threads_num: int = setting(10, "Threads that read and write.", unused=True)
    af_server_sockets_processing_threads_stack: int = setting(0, "Stack bytes of a thread.", unused=True)
    af_server_sockets_readwrite_threads_stack: int = setting(0, "Stack bytes of a thread.", unused=True)
    af_server_linux_epoll: int = setting(0, "Non-blocking input and output.", unused=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as data; the other attributes are the arguments of `setting`."""

    key: str
    kind: type  # int, bool, str or tuple
    default: Value
    meaning: str
    original: Value | None
    least: int
    most: int
    restart: bool
    unused: bool
    own: bool
    secret: bool


def _rows() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    hints = get_type_hints(Settings)
    for field in dataclasses.fields(Settings):
        kind = get_origin(hints[field.name]) or hints[field.name]
        default: Any = field.default
        rows[field.name] = Row(field.name, kind, default, **field.metadata)
    return rows


#: {key: its row}, in the order of the class.
ROWS = _rows()


def kind_name(row: Row) -> str:
    """Return the type of a setting in the words of the documentation."""
    return {int: "int", bool: "bool", str: "str", tuple: "list"}[row.kind]


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "(empty)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else '`""`'


_PAGE_HEAD = """# Settings

This page is made from `afanasy_py/settings.py` by `python -m afanasy_py.settings > docs/settings.md`.

Later wins:

1. the defaults below (those of the files that CGRU 3.4.1 ships)
2. `config_default.json` of the CGRU tree and the files it includes, where there is a tree
3. the file named by the environment variable `CGRU_CUSTOM_CONFIG`
4. `~/.cgru/config.json`
5. environment variables `CGRU_<KEY>` (the key in upper case)
6. arguments `--<key> <value>`

A file is strict JSON with one object `cgru_config`. Inside one file, sections `OS_<platform>` beat plain keys
and files of `include` beat both; of two equal keys the first counts. A value of a wrong type is ignored with
a warning, a file with errors is left out with an error, and the server goes on. A number out of its range
stops the start. Lists in variables and arguments are split by commas; an empty text there means "not set".

`{"reload_config":true}` reads everything again. A key that is gone from the files keeps its value until the
next start. Settings marked *restart* wait for the next start.

Marks: *restart* see above; *own* is not known to the original server; *unused* is accepted and has no effect
here; *built in* is what the original takes when its files lack the key.
"""


def settings_page() -> str:
    """Return docs/settings.md."""
    lines = [_PAGE_HEAD, "| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for row in ROWS.values():
        marks = [name for name in ("restart", "own", "unused") if getattr(row, name)]
        notes = "".join(f" *{mark}*" for mark in marks)
        if row.original is not None:
            notes += f" (built in: {_shown(row.original)})"
        lines.append(f"| `{row.key}` | {kind_name(row)} | {_shown(row.default)} | {row.meaning}{notes} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
