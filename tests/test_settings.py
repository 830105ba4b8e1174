import dataclasses
from pathlib import Path

import pytest

from afanasy_py.settings import INT_MOST, ROWS, Settings, kind_name, settings_page

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_settings_is_up_to_date() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == settings_page(), "run: python -m afanasy_py.settings > docs/settings.md"


def test_each_default_has_the_type_of_its_setting() -> None:
    assert [row.key for row in ROWS.values() if type(row.default) is not row.kind] == []
    assert {kind_name(row) for row in ROWS.values()} == {"int", "bool", "str", "list"}


def test_each_default_is_in_its_range() -> None:
    numbers = [row for row in ROWS.values() if row.kind is int]
    assert numbers
    assert [row.key for row in numbers if not row.least <= row.default <= row.most <= INT_MOST] == []


def test_settings_cannot_be_changed() -> None:
    settings = Settings(af_serverport=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.af_serverport = 2  # type: ignore[misc]


def test_secrets_are_marked() -> None:
    assert [row.key for row in ROWS.values() if row.secret] == ["af_db_conninfo"]
