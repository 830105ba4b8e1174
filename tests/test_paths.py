from pathlib import Path

import pytest

from afanasy_py import paths

ROOT = Path(__file__).resolve().parent.parent


def test_in_a_checkout_the_folders_are_beside_the_package() -> None:
    assert paths.services_dir() == ROOT / "python" / "services"
    assert paths.php_dir() == ROOT / "statistics" / "php"
    assert paths.web_dir() == ROOT / "web"


def test_in_an_installed_package_they_are_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_tree").mkdir()
    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    assert paths.services_dir() == tmp_path / "_tree" / "python" / "services"
    assert paths.php_dir() == tmp_path / "_tree" / "statistics" / "php"
    assert paths.web_dir() == tmp_path / "_tree" / "web"
