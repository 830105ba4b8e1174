import re
from pathlib import Path

from docopt import docopt

from afanasy_py.afcmd.catalogue import GROUPS, NOUNS, find, page, usage
from afanasy_py.afcmd.command import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_of_commands_is_up_to_date() -> None:
    written = (ROOT / "docs" / "afcmd.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m afanasy_py.afcmd.catalogue > docs/afcmd.md"


def test_each_command_is_on_the_page_once() -> None:
    for command in COMMANDS.values():
        assert page().count(f"| `{f'{command.name} {command.args}'.strip()}` |") == 1
    assert {command.noun for command in COMMANDS.values()} == {"", *NOUNS}
    assert len(set(GROUPS)) == len(GROUPS)


def test_examples_are_commands() -> None:
    examples = re.findall(r"^afcmd (.*?)(?:  +#.*)?$", page(), re.MULTILINE)
    assert len(examples) > 5
    for example in examples:
        words = example.replace("'", "").split()
        command, count = find(words)
        docopt(usage(command), argv=[*command.name.split(), *words[count:]], default_help=False)


def test_each_usage_can_be_parsed() -> None:
    for command in COMMANDS.values():
        needed = re.sub(r"\[.*?\]+(\.\.\.)?", "", command.args).replace("...", "").split()
        options = docopt(
            usage(command), argv=[*command.name.split(), *("1" for _ in needed)], default_help=False
        )
        assert options["--timeout"] == "20"
        assert all(options[option.partition("=")[0]] in {None, False} for option, _ in command.options)


def test_aliases_are_those_of_the_original_once_each() -> None:
    aliases = [command.alias for command in COMMANDS.values() if command.alias]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(NOUNS)


def test_help_texts_are_sentences() -> None:
    for command in COMMANDS.values():
        assert command.about.endswith("."), command.name
        assert "\n" not in command.about, command.name
