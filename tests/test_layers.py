"""Imports point one way, and what decides does not wait: the rules of docs/architecture.md."""

import ast
from pathlib import Path

import pytest

import afanasy_py

ROOT = Path(afanasy_py.__file__).parent

#: {layer: layers below it that it may import}. A layer is a module or a package right in `afanasy_py`.
BASE = {"errors", "settings"}
SMALL = BASE | {"ip_masks", "paths"}
ACCESS = {"errors", "ip_masks", "recent", "access"}
CORE = BASE | ACCESS | {"msg", "stats_rows"}
OUTSIDE = SMALL | CORE | {"core", "sysjob"}
CONFIG = {"config", "config_files", "arguments", "machine", "clock", "logs"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "settings": {"errors"},
    "stats_rows": set(),
    "ip_masks": {"errors"},
    "recent": set(),
    "access": {"errors", "ip_masks", "recent"},
    "paths": set(),
    "msg": BASE,
    "core": CORE,
    "sysjob": CORE | {"core"},
    "sim": CORE | {"core", "sysjob"},
    "clock": set(),
    "logs": set(),
    "arguments": SMALL,
    "config_files": SMALL,
    "machine": SMALL,
    "config": SMALL | {"arguments", "config_files", "machine"},
    "net": OUTSIDE,
    "store": OUTSIDE | {"clock"},
    "stats": OUTSIDE,
    "audit": OUTSIDE,
    "guard": OUTSIDE | {"config"},
    "turns": set(),
    "metrics": OUTSIDE | {"net", "store", "stats", "turns"},
    "site": OUTSIDE | {"net", "guard", "metrics"},
    "supervisor": set(),
    "pre_command": set(),
    "app": OUTSIDE
    | CONFIG
    | {"net", "store", "stats", "audit", "guard", "metrics", "site", "supervisor", "pre_command", "turns"},
    "cli": SMALL | CONFIG | {"app"},
    "install": SMALL,
    # Programs of their own beside the server:
    "render": SMALL | CONFIG | {"msg", "reach"},
    "reach": {"errors"},
    "client": {"errors", "reach"},
    "afcmd_db": OUTSIDE | {"stats"},
    "afcmd": SMALL | CONFIG | {"msg", "client", "reach", "afcmd_db", "stats"},
    "demo": SMALL | CONFIG | {"msg", "client"},
    "api_docs": {"msg"},
}

#: {layer: modules that it must not import}
IMPURE = {
    "asyncio", "gevent", "io", "multiprocessing", "os", "pathlib", "psycopg2", "random", "secrets", "select",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
PURE_LAYERS = ("access", "core", "msg", "sysjob", "errors", "stats_rows", "ip_masks", "recent")
#: Built-in functions that a pure layer must not call.
IMPURE_CALLS = {"open", "print", "input"}


def imported_names(source: str) -> set[str]:
    """Return all that a module imports, as dotted names; relative imports begin with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            names.update(f"{start}.{alias.name}" for alias in node.names)
    return names


def called_names(source: str) -> set[str]:
    """Return the plain names that a module calls."""
    return {
        node.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def broken_rules(layer: str, source: str) -> set[str]:
    """Return what a module of a layer should not have."""
    bad: set[str] = set()
    for name in imported_names(source):
        first, _, rest = name.partition(".")
        if first == "":
            bad.add(f"relative import {name}")
        elif first == "afanasy_py":
            other = rest.partition(".")[0]
            if other not in ALLOWED[layer] | {layer, "__version__"}:
                bad.add(name)
        elif layer in PURE_LAYERS and first in IMPURE:
            bad.add(name)
    if layer in PURE_LAYERS:
        bad |= {f"{name}()" for name in called_names(source) & IMPURE_CALLS}
    return bad


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


MODULES = [path for path in sorted(ROOT.rglob("*.py")) if "_tree" not in path.parts]


@pytest.mark.parametrize(
    ("layer", "source", "bad"),
    [
        ("core", "from time import time", {"time.time"}),
        ("core", "import os.path", {"os.path"}),
        ("core", "from afanasy_py.net import x", {"afanasy_py.net.x"}),
        ("core", "from afanasy_py import app", {"afanasy_py.app"}),
        ("core", "from . import job", {"relative import ..job"}),
        ("core", "from ..net import x", {"relative import ..net.x"}),
        ("core", "def f():\n    print(open('x'))", {"print()", "open()"}),
        ("core", "from afanasy_py.msg.types import MsgType\nimport json", set()),
        ("msg", "from afanasy_py.core.job import Job", {"afanasy_py.core.job.Job"}),
        ("net", "import socket\nfrom afanasy_py.store import x", {"afanasy_py.store.x"}),
    ],
)
def test_the_rules_find_what_breaks_them(layer: str, source: str, bad: set[str]) -> None:
    assert broken_rules(layer, source) == bad


def test_what_a_layer_may_import_is_below_it() -> None:
    for layer, below in ALLOWED.items():
        assert layer not in below
        for other in below:
            assert layer not in ALLOWED[other], f"{layer} and {other} import each other"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_the_rules_of_its_layer(path: Path) -> None:
    layer = layer_of(path)
    if layer == "__init__":
        return
    assert layer in ALLOWED, f"{layer}: say in ALLOWED what this layer may import"
    assert broken_rules(layer, path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_a_charter_and_is_not_too_long(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if not source.strip():
        return
    assert ast.get_docstring(ast.parse(source))
    assert source.count("\n") <= 600, "look for the second noun"
