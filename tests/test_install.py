import os
import subprocess
import sys
from pathlib import Path

import pytest

from afanasy_py import install

ROOT = Path(__file__).resolve().parent.parent
ORIGINAL = b"\x7fELF the original"


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return {name: (mode, content)} of all files of a tree."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A CGRU tree with the files that matter here."""
    root = tmp_path / "cgru tree"
    (root / "afanasy" / "bin").mkdir(parents=True)
    (root / "version.txt").write_text("3.4.1\n")
    (root / "config_default.json").write_text('{"cgru_config":{}}')
    (root / "afanasy" / "bin" / "afserver").write_bytes(ORIGINAL)
    (root / "afanasy" / "bin" / "afserver").chmod(0o750)
    (root / "afanasy" / "bin" / "afrender").write_bytes(b"other")
    return root


def server(tree: Path) -> Path:
    return tree / "afanasy" / "bin" / "afserver"


def original(tree: Path) -> Path:
    return tree / "afanasy" / "bin" / "afserver.cpp"


def run(tree: Path, *words: str) -> int:
    return install.main([str(tree), *words])


def test_the_launcher_takes_the_place_and_the_original_is_kept_beside(tree: Path) -> None:
    before = snapshot(tree)
    assert run(tree) == 0
    after = snapshot(tree)
    assert after.pop("afanasy/bin/afserver.cpp") == before.pop("afanasy/bin/afserver")
    mode, _ = after.pop("afanasy/bin/afserver")
    assert mode & 0o777 == 0o755
    assert after == before


def test_undo_leaves_the_tree_as_it_was(tree: Path) -> None:
    before = snapshot(tree)
    assert run(tree) == 0
    assert run(tree, "--undo") == 0
    assert snapshot(tree) == before
    assert run(tree, "--undo") == 0
    assert snapshot(tree) == before


def test_a_second_time_changes_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree) == 0
    once = snapshot(tree)
    assert run(tree) == 0
    assert snapshot(tree) == once
    assert "already" in capsys.readouterr().out


def test_a_launcher_of_another_environment_is_renewed(tree: Path) -> None:
    install.install(tree, "/old/python", Path("/old/place"))
    assert run(tree) == 0
    assert sys.executable in server(tree).read_text()
    assert original(tree).read_bytes() == ORIGINAL


def test_an_install_that_was_cut_off_is_finished(tree: Path) -> None:
    server(tree).rename(original(tree))
    assert run(tree) == 0
    assert install.is_launcher(server(tree))
    assert original(tree).read_bytes() == ORIGINAL


def test_a_link_to_a_binary_is_kept_as_a_link(tree: Path) -> None:
    server(tree).rename(tree / "built")
    server(tree).symlink_to("../../built")
    assert run(tree) == 0
    assert (tree / "built").read_bytes() == ORIGINAL
    assert original(tree).is_symlink()
    assert run(tree, "--undo") == 0
    assert server(tree).is_symlink()


def no_server(tree: Path) -> None:
    server(tree).unlink()


def two_servers(tree: Path) -> None:
    original(tree).write_bytes(b"older")


def a_folder(tree: Path) -> None:
    server(tree).unlink()
    server(tree).mkdir()


def no_tree(tree: Path) -> None:
    (tree / "version.txt").unlink()


def lost_original(tree: Path) -> None:
    assert run(tree) == 0
    original(tree).unlink()


def replaced_launcher(tree: Path) -> None:
    assert run(tree) == 0
    server(tree).write_bytes(b"built again")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_server, ()),
        (two_servers, ()),
        (a_folder, ()),
        (no_tree, ()),
        (replaced_launcher, ()),
        (no_server, ("--undo",)),
        (lost_original, ("--undo",)),
        (replaced_launcher, ("--undo",)),
        (no_tree, ("--undo",)),
    ],
)
def test_odd_trees_are_refused_in_one_line_and_left_alone(
    tree: Path, capsys: pytest.CaptureFixture[str], spoil: object, words: tuple[str, ...]
) -> None:
    assert callable(spoil)
    spoil(tree)
    before = snapshot(tree)
    capsys.readouterr()
    assert run(tree, *words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("afserver-install: ")
    assert said.err.count("\n") == 1
    assert snapshot(tree) == before


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none") == 1
    assert "there is no such folder" in capsys.readouterr().err


def test_an_interpreter_without_our_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(install.InstallError, match=r"cannot load the server: .*afanasy_py"):
        install.check_interpreter(sys.executable, tmp_path)


@pytest.mark.parametrize("path", ["/a'b/python", '/a"b', "/a\\b", "/a\nb"])
def test_paths_that_cannot_be_quoted_are_refused(path: str) -> None:
    with pytest.raises(install.InstallError, match="not supported"):
        install.launcher_text(path, Path("/x"))
    with pytest.raises(install.InstallError, match="not supported"):
        install.launcher_text("/python", Path(path))


@pytest.mark.e2e
@pytest.mark.parametrize(
    "start", [["afanasy/bin/afserver"], ["sh", "-c", 'exec "afanasy/bin/afserver" "$@"', "sh"]]
)
def test_the_launcher_runs_whatever_python_path_the_tree_sets(tree: Path, start: list[str]) -> None:
    assert run(tree) == 0
    (tree / "logging.py").write_text("raise SystemExit('wrong module')")
    done = subprocess.run(
        [*start, "--version"],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("afserver ")
