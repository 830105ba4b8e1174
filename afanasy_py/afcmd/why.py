"""The answer to "why does this job not run?" as text. Knows the form of the answer, not the reasons."""

from collections.abc import Iterator
from typing import Any

from afanasy_py.afcmd.tables import text_of
from afanasy_py.client import Json

#: Members of a reason that its line says by itself.
_SAID = frozenset({"reason", "node"})


def text(why: Json) -> str:
    """Return the whole answer, one reason in a line."""
    return "\n".join(_lines(why)) + "\n"


def _lines(why: Json) -> Iterator[str]:
    yield f"job {why.get('job_id', '')} {why.get('name', '')}:"
    yield from _reasons(why.get("reasons", []), "  ")
    for block in why.get("blocks", []):
        yield f"  block {block.get('block_num', '')} {block.get('name', '')}:"
        yield from _reasons(block.get("reasons", []), "    ")
        for task in block.get("tasks", []):
            yield f"    task {task.get('task_num', '')} {task.get('name', '')}:"
            yield from _reasons(task.get("reasons", []), "      ", "nothing of its own")
        if "host" in block:
            host = block["host"]
            yield f"    host {host.get('name', '')}:"
            none = "could start a task now" if host.get("can_start") else "lacks nothing"
            yield from _reasons(host.get("reasons", []), "      ", none)
        if "renders" in block:
            yield from _hosts(block["renders"])


def _reasons(reasons: list[Json], indent: str, none: str = "") -> Iterator[str]:
    for reason in reasons:
        words = str(reason.get("reason", "")).replace("_", " ")
        node = f" ({reason['node']})" if reason.get("node") else ""
        more = "; ".join(f"{key}: {text_of(value)}" for key, value in reason.items() if key not in _SAID)
        yield f"{indent}{words}{node}{': ' if more else ''}{more}"
    if not reasons and none:
        yield f"{indent}{none}"


def _hosts(renders: dict[str, Any]) -> Iterator[str]:
    """Say how many hosts could take a task, and what the others lack, the most frequent first."""
    total, fit = renders.get("total", 0), renders.get("could_start", 0)
    yield f"    {fit} of {total} hosts could start a task"
    counts = sorted(renders.get("reasons", {}).items(), key=lambda item: (-item[1], item[0]))
    for name, count in counts:
        yield f"      {count} refused: {name.replace('_', ' ')}"
