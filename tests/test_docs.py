"""What the documents name has to be there."""

import re
from pathlib import Path

import pytest

from afanasy_py import __version__, settings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def section(text: str, name: str) -> list[str]:
    """Return the lines of a section of a TOML file."""
    return re.split(r"^\[", text.partition(f"[{name}]\n")[2], maxsplit=1, flags=re.MULTILINE)[0].splitlines()


def commands() -> dict[str, str]:
    """Return {command: module of its main function}, as pyproject.toml has them."""
    lines = section((ROOT / "pyproject.toml").read_text(encoding="utf-8"), "project.scripts")
    return dict(re.findall(r'^([\w-]+) = "([\w.]+):main"$', "\n".join(lines), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_of_the_project_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|--)(af_(?:server|http|store|db|sysjob|monitor|task|wolwake)\w*)", text))
    assert {key for key in named if key not in settings.ROWS} == set()


@pytest.mark.parametrize("command", commands())
def test_each_command_has_a_module_a_launcher_and_a_row_in_the_readme(command: str) -> None:
    module = commands()[command]
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
    launcher = ROOT / "bin" / command
    assert f"from {module} import main" in launcher.read_text(encoding="utf-8")
    assert launcher.stat().st_mode & 0o111
    assert f"| `{command}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_six_commands_are_known() -> None:
    assert len(commands()) == 6


def test_code_in_the_pages_is_python() -> None:
    for page in PAGES:
        for number, code in enumerate(
            re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        ):
            compile(code, f"{page.name}, block {number}", "exec")


def test_the_changelog_has_a_place_for_the_next_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
