import pytest

from afanasy_py.arguments import FLAGS, USAGE, VALUED, Arguments, parse_arguments
from afanasy_py.settings import ROWS


def test_no_words_mean_a_plain_server() -> None:
    assert parse_arguments([]) == Arguments()


@pytest.mark.parametrize("word", ["-h", "--help", "-", "--", "?", "-?", "/?"])
def test_each_form_of_the_original_asks_for_help(word: str) -> None:
    assert parse_arguments([word]).help


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["-V"], Arguments(verbose=True)),
        (["--Verbose", "-V"], Arguments(verbose=True)),
        (["-demo", "-nosql", "-log_nodate"], Arguments(demo=True, nosql=True, log_nodate=True)),
        (["--demo", "--nosql"], Arguments(demo=True, nosql=True)),
        (["-hostname", "h", "-username", "u"], Arguments(hostname="h", username="u")),
        (["-hostname", "first", "--hostname", "second"], Arguments(hostname="first")),
        (["--log-format", "json"], Arguments(log_json=True)),
        (["--log-format=text"], Arguments()),
        (["--version"], Arguments(version=True)),
    ],
)
def test_words_of_the_original_and_our_own(words: list[str], wanted: Arguments) -> None:
    assert parse_arguments(words) == wanted


def test_any_setting_can_be_given_and_its_first_value_counts() -> None:
    arguments = parse_arguments(
        ["--af_serverport", "51001", "--af_priority=-5", "--af_serverport", "1", "--timeformat", "-demo"]
    )
    assert arguments.settings == {"af_serverport": "51001", "af_priority": "-5", "timeformat": "-demo"}
    assert not arguments.demo


def test_what_is_unknown_is_ignored_word_by_word() -> None:
    arguments = parse_arguments(["--af_none", "5", "-x", "-demo", "", "af_priority", "--af_priority"])
    assert arguments.demo
    assert arguments.settings == {}
    assert arguments.ignored == ("--af_none", "5", "-x", "", "af_priority", "--af_priority")


def test_every_option_is_in_the_usage_and_none_is_a_setting() -> None:
    assert [option for option in {*FLAGS.values(), *VALUED.values()} if f"{option} " not in USAGE] == []
    assert not {option.removeprefix("--") for option in {*FLAGS, *VALUED}} & set(ROWS)
