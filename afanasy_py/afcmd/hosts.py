"""Commands for render hosts and for pools: both run tasks, have services and tickets."""

from functools import partial

from afanasy_py.afcmd.command import Session, Words, add, chosen, command, integer, operation, singular
from afanasy_py.afcmd.nodes import nodes, show_lines
from afanasy_py.afcmd.tables import Column, table
from afanasy_py.client import Json

# -- renders

for _name, _about, _alias in (
    ("eject_tasks", "Stop all tasks; they run elsewhere.", "reject"),
    ("eject_tasks_keep_my", "Stop tasks of others than the user who asks (--user).", "rejnotmy"),
    ("heal_sick", "Let sick hosts take tasks again.", ""),
    ("exit", "End the program of the host.", "rexit"),
    ("reboot", "Reboot the machine.", ""),
    ("shutdown", "Shut the machine down.", ""),
    ("wol_sleep", "Let the machine sleep.", "rsleep"),
    ("wol_wake", "Wake the machine.", "rwake"),
    ("reassign_pool", "Find the pool by its pattern anew.", ""),
    ("delete", "Forget hosts that are offline.", "rdel"),
):
    operation("renders", _name, _about, alias=_alias)


def _set(params: Json, session: Session, words: Words) -> None:
    session.act("renders", chosen(words["<render>"]), params=params)


for _name, _params, _about, _alias in (
    ("nimby", {"nimby": True}, "Take tasks of the host's user only.", "rnimby"),
    ("NIMBY", {"NIMBY": True}, "Take no tasks.", "rNIMBY"),
    ("free", {"nimby": False}, "Take tasks of everybody.", "rfree"),
    ("pause", {"paused": True}, "Take no tasks, whoever sits there.", "rpause"),
    ("unpause", {"paused": False}, "Take tasks again.", "runpause"),
):
    add(f"renders {_name}", "<render>...", partial(_set, _params), _about, alias=_alias)


@command("renders tasks_log", "<render>")
def tasks_log(session: Session, words: Words) -> None:
    """Show which tasks a host has run."""
    show_lines(session, "renders", words["<render>"], "tasks_log")


@command("renders set_pool", "<render> <pool>")
def set_pool(session: Session, words: Words) -> None:
    """Put hosts into a pool; they must not be busy."""
    session.act("renders", chosen(words["<render>"]), operation={"type": "set_pool", "name": words["<pool>"]})


def _used_cpu(row: Json) -> str:
    resources = row.get("host_resources")
    return f"{100 - resources.get('cpu_idle', 0) - resources.get('cpu_iowait', 0)}%" if resources else ""


def _pair(row: Json, first: str, second: str) -> str:
    resources = row.get("host_resources")
    return f"{resources.get(first, 0)}/{resources.get(second, 0)}" if resources else ""


_RESOURCES = (
    Column("ID", "id"),
    Column("NAME", "host_name"),
    Column("CPU", _used_cpu),
    Column("CORES", lambda row: row.get("host_resources", {}).get("cpu_num", "")),
    Column("MEM FREE MB", lambda row: _pair(row, "mem_free_mb", "mem_total_mb")),
    Column("SWAP USED MB", lambda row: _pair(row, "swap_used_mb", "swap_total_mb")),
    Column("DISK FREE GB", lambda row: _pair(row, "hdd_free_gb", "hdd_total_gb")),
    Column("GPU USED MB", lambda row: _pair(row, "gpu_mem_used_mb", "gpu_mem_total_mb")),
    Column("NET KB/S", lambda row: _pair(row, "net_recv_kbsec", "net_send_kbsec")),
    Column("USERS", lambda row: row.get("host_resources", {}).get("logged_in_users", "")),
)


@command("renders resources", "[<render>...]", alias="rrlist")
def resources(session: Session, words: Words) -> None:
    """Show what hosts have and use: processor, memory, disk, network, users."""
    members: Json = {"mode": "resources"}
    if words["<render>"]:
        chosen_ones = nodes(session, "renders", words["<render>"], fields=["id", "name"])
        members["ids"] = [node["id"] for node in chosen_ones] or [0]  # no ids would mean all
    found = session.get("renders", **members).get("renders") or []
    session.show({"renders": found}, table(found, _RESOURCES))


# -- pools

for _name, _about in (
    ("delete", "Delete empty pools."),
    ("heal_sick", "Let sick hosts below take tasks again."),
    ("eject_tasks", "Stop all tasks on hosts below."),
    ("exit", "End the programs of hosts below."),
    ("delete_renders", "Forget hosts below that are offline."),
):
    operation("pools", _name, _about)


def _set_pool(params: Json, session: Session, words: Words) -> None:
    session.act("pools", chosen(words["<pool>"]), params=params)


for _name, _params, _about, _alias in (
    ("pause", {"paused": True}, "Let no host below take tasks.", "ppause"),
    ("unpause", {"paused": False}, "Let hosts below take tasks again.", "punpause"),
):
    add(f"pools {_name}", "<pool>...", partial(_set_pool, _params), _about, alias=_alias)


@command("pools add_pool", "<pool> <name>")
def add_pool(session: Session, words: Words) -> None:
    """Make a pool below <pool>; <name> is without its path."""
    session.act("pools", chosen(words["<pool>"]), operation={"type": "add_pool", "name": words["<name>"]})


# -- both


def _launch(noun: str, session: Session, words: Words) -> None:
    operation_ = {"type": "launch_cmd", "cmd": words["<cmd>"], "exit": bool(words["--exit"])}
    session.act(noun, chosen(words[f"<{singular(noun)}>"]), operation=operation_)


def _farm(noun: str, mode: str, member: str, session: Session, words: Words) -> None:
    operation_ = {"type": "farm", "mode": mode}
    if member:
        operation_[member] = words["<service>"]
    session.act(noun, chosen(words[f"<{singular(noun)}>"]), operation=operation_)


def _tickets(noun: str, session: Session, words: Words) -> None:
    operation_: Json = {"type": "tickets", "name": words["<name>"], "count": integer(words, "<count>")}
    operation_["host"] = noun == "renders" or bool(words["--per-host"])
    if words.get("--max-hosts"):
        operation_["max_hosts"] = integer(words, "--max-hosts")
    session.act(noun, chosen(words[f"<{singular(noun)}>"]), operation=operation_)


_EXIT = (("--exit", "End the program of the host first."),)
_TICKETS = (
    ("--per-host", "So many for each host below; else for all together."),
    ("--max-hosts=N", "So many hosts may use it at once."),
)


def _add_both() -> None:
    for noun in ("renders", "pools"):
        one = f"<{singular(noun)}>"
        add(
            f"{noun} launch_cmd",
            f"{one} <cmd>",
            partial(_launch, noun),
            "Run a command on hosts.",
            options=_EXIT,
        )
        for mode, member, about in (
            ("service_add", "name", "Add a service."),
            ("service_remove", "mask", "Remove services whose names begin so."),
            ("service_disable", "mask", "Disable services whose names begin so."),
            ("service_enable", "mask", "Enable disabled services whose names begin so."),
        ):
            add(f"{noun} {mode}", f"{one} <service>", partial(_farm, noun, mode, member), about)
        clear = partial(_farm, noun, "clear_services", "")
        add(f"{noun} clear_services", one, clear, "Remove all services and disabled services.")
        add(
            f"{noun} tickets",
            f"{one} <name> <count>",
            partial(_tickets, noun),
            "Set how many of a ticket there are; -1 erases it.",
            options=_TICKETS if noun == "pools" else (),
        )


_add_both()
