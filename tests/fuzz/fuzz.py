"""Fuzzing guided by coverage: `python -m tests.fuzz.fuzz TARGET FOLDER [libFuzzer options]`.

Needs the package atheris. FOLDER gets seeds from the recordings, then what widened the coverage; a finding is
written as FOLDER/crash-* and, for farms, with all inputs since the farm was made. Runs until it is stopped, or
`-max_total_time=SECONDS`, or `-runs=NUMBER`. Findings become files in `tests/fuzz/found`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["afanasy_py"]):
    from afanasy_py.msg import source
    from tests.fuzz import targets

from afanasy_py.msg.types import MsgType
from tests.msg.wire_samples import load_samples

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared" / "golden"

#: Values that programs stumble over.
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**63, -(2**63) - 1, 2**64, 1e308, 0.5, "",
    "a", "1", "\0", "\ud800", "é" * 5, "a" * 300, ".*", "(a+)+", "[", "/", "..", "@#@", "{}", [], {}, [[]], [0],
    [-1], [1, 2, 3], ["x"], {"a": 1}, "render", "numeric", "jobs", "anna", 10**30,
]  # fmt: skip


def json_seeds() -> list[Any]:
    """Return the JSON requests of all recordings."""
    seeds: dict[str, Any] = {}
    for path in sorted(SHARED.rglob("*.json")) if SHARED.is_dir() else []:
        document = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        steps = document.get("steps", []) if isinstance(document, dict) else []
        for step in steps:
            request = step.get("send") if isinstance(step, dict) else None
            if isinstance(request, dict):
                seeds.setdefault(json.dumps(request, sort_keys=True), request)
    for name in ("jobs", "renders", "users", "branches", "pools", "monitors", "config", "farm", "files"):
        request = {"get": {"type": name, "ids": [1], "mode": "full"}}
        seeds.setdefault(json.dumps(request), request)
    return list(seeds.values())


def seeds_of(target: str) -> list[bytes]:
    """Return what a target begins with."""
    if target == "strangers":
        login = {"user_name": "anna", "nonce": "0" * 32, "nc": 1, "response": "0" * 32}
        signed = [{**seed, "auth": login} for seed in json_seeds()]
        return [
            json.dumps(seed).encode() for seed in (*signed, {"get": {}, "auth": {"token": "aft_00000000_x"}})
        ]
    if target in ("json_requests", "json_text"):
        return [json.dumps(seed).encode() for seed in json_seeds()]
    samples = load_samples()
    types = list(MsgType)
    if target == "records":
        return [bytes([types.index(s.type)]) + s.data for s in samples]
    if target == "messages":
        others = [int(t) for t in MsgType if t not in (MsgType.TJSON, MsgType.TJSONBIN, MsgType.THTTP)]
        with_data = [
            bytes([others.index(int(s.type))]) + bytes(4) + s.data for s in samples if int(s.type) in others
        ]
        return with_data + [bytes([n]) + bytes(3) + b"\1" + bytes(8) for n in range(len(others))]
    captures = json.loads((GOLDEN / "edges.json").read_text())
    requests = [capture["request"].encode("latin-1") for capture in captures]
    if target == "http":
        return [r.partition(b"\r\n\r\n")[0] for r in requests if b"HTTP/1" in r[:200]]
    whole = [path.read_bytes() for path in (GOLDEN / "wire").glob("*.req")]
    return [b"\3" + data for data in (*requests, *whole) if len(data) < 100_000]


def mutated_json(root: Any, chance: random.Random, pool: list[Any]) -> Any:
    """Return a document with some of its parts replaced, removed, added or taken from others."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        root = _mutate(root, chance, pool, 0)
    return root


def _mutate(value: Any, chance: random.Random, pool: list[Any], depth: int) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        copy = dict(value)
        match chance.randrange(10):
            case 0:
                del copy[key]
            case 1:
                copy[chance.choice(KEYS)] = chance.choice(ODD)
            case 2:
                copy[chance.choice(KEYS)] = copy.pop(key)
            case _:
                copy[key] = _mutate(copy[key], chance, pool, depth + 1)
        return copy
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        match chance.randrange(5):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value + value[at:] if len(value) < 50 else value[:at]
            case _:
                return [*value[:at], _mutate(value[at], chance, pool, depth + 1), *value[at + 1 :]]
    if depth == 0 or chance.random() < 0.1:
        return chance.choice(pool)
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
        return value + chance.choice((-1, 1, 2, 100, -100))
    return chance.choice(ODD)


def _keys(value: Any, found: dict[str, None]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            found[key] = None
            _keys(item, found)
    elif isinstance(value, list):
        for item in value:
            _keys(item, found)


SEEDS = [
    *json_seeds(),
    {"auth": {"user_name": "anna", "nonce": "0" * 32, "nc": 1, "response": "", "token": ""}},
]
_found: dict[str, None] = {}
_keys(SEEDS, _found)
KEYS = list(_found)


def mutate(data: bytes, size_most: int, seed: int) -> bytes:
    """Change JSON as JSON, mostly; else as bytes."""
    chance = random.Random(seed)
    if chance.random() < 0.85:
        try:
            root = json.loads(data.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            root = chance.choice(SEEDS)
        changed = json.dumps(mutated_json(root, chance, SEEDS)).encode("utf-8", "surrogateescape")
        if len(changed) <= size_most:
            return changed
    return bytes(atheris.Mutate(data, size_most))


def main() -> None:
    """Run."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    target = targets.TARGETS[name]()
    farm = next(
        (c.cell_contents for c in target.__closure__ or () if hasattr(c.cell_contents, "inputs")), None
    )

    def one(data: bytes) -> None:
        try:
            target(data)
        except BaseException:
            if farm is not None:
                lines = [each.decode("latin-1") for each in farm.inputs]
                (folder / f"history-{name}.json").write_text(json.dumps(lines))
            raise

    options = [
        f"-artifact_prefix={folder}/{name}-",
        "-max_len=8192",
        "-len_control=0",
        "-timeout=20",
        "-rss_limit_mb=3000",
    ]
    arguments = [sys.argv[0], *options, *sys.argv[3:], str(corpus)]
    more = {"custom_mutator": mutate} if name in ("json_requests", "json_text", "strangers") else {}
    atheris.Setup(arguments, one, **more)
    atheris.Fuzz()


def see_into_readers() -> None:
    """Let the coverage include readers of records, which are made when they are first used."""
    make = source._Source.function

    def function(self: Any, head: str, name: str) -> Any:
        return atheris.instrument_func(make(self, head, name))

    source._Source.function = function  # type: ignore[method-assign]


if __name__ == "__main__":
    see_into_readers()
    main()
