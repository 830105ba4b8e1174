"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of recordings made from the original server; tests that need it are skipped without it."""
    folder = Path(os.environ.get("AFSERVER_SHARED") or ROOT.parent / "shared")
    if not (folder / "golden").is_dir():
        pytest.skip("the recordings of the original server are not here (AFSERVER_SHARED)")
    return folder
