"""Nothing that was answered is missing after a server was killed, however often."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: 2,000 were done once.
KILLS = int(os.environ.get("AFSERVER_KILLS", "200"))


@pytest.mark.slow
@pytest.mark.e2e
def test_nothing_answered_is_lost_in_many_kills(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.kill_harness", str(tmp_path), str(KILLS), "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60 + KILLS * 3,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    assert f"kills={KILLS}" in done.stdout
