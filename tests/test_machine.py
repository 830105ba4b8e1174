import socket
from pathlib import Path

import pytest

from afanasy_py import machine


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('ID=debian\nVERSION_ID="12"\n', ["debian", "12"]),
        ("NAME='Rocky Linux'\nVERSION_ID=9.3\n", ["rocky_linux", "9.3"]),
        ("# ID=x\nbroken line\nID=arch\n", ["arch"]),
        ('ID="***"\n', []),
        ("", []),
    ],
)
def test_the_release_file_gives_distribution_and_version(text: str, tokens: list[str]) -> None:
    assert machine.release_tokens(text) == tokens


def test_the_general_token_comes_first() -> None:
    tokens = machine.find_platform()
    assert tokens[0] in ("unix", "windows")
    assert len(tokens) == len(set(tokens))


def test_what_the_environment_does_not_say_is_asked_of_the_system(tmp_path: Path) -> None:
    found = machine.Machine.find({"HOME": str(tmp_path / "none")}, str(tmp_path / "bin" / "afserver"))
    assert found.computer == socket.gethostname()
    assert found.login
    assert found.home == "/tmp"
    assert found.version == machine.CGRU_VERSION


@pytest.mark.parametrize(("text", "version"), [("3.4.2\n", "3.4.2"), ("\n", "3.4.1"), (None, "3.4.1")])
def test_the_version_is_that_of_the_tree(tmp_path: Path, text: str | None, version: str) -> None:
    if text is not None:
        (tmp_path / "version.txt").write_text(text)
    assert machine.find_version({}, str(tmp_path)) == version
    assert machine.find_version({"CGRU_VERSION": "9"}, str(tmp_path)) == "9"


@pytest.mark.parametrize(
    ("login", "name"),
    [("Artist", "artist"), (r"DOM\Artist", "artist"), ("dom/Artist", "artist"), ("a/b\\c", "b\\c")],
)
def test_the_domain_of_a_user_is_cut(login: str, name: str) -> None:
    assert machine.short_user_name(login, cut_domain=True) == name
