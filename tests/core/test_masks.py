"""Regular expressions of users: what they match, and that none of them takes long."""

import time

import pytest

from afanasy_py.core import masks
from afanasy_py.core.masks import compile_pattern, is_tame, is_valid, matches_regex, why_invalid
from tests.core.action_farm import ActionFarm

#: Nothing may take so long, on a slow machine under load either; the hostile ones take minutes where all ways
#: are tried.
MOST_SECONDS = 0.5


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("render0[1-5]", "render03", True),
        ("render0[1-5]", "render031", False),
        ("render", "render03", False),
        ("render.*|ws\\d+", "ws12", True),
        ("(?!render01).*", "render02", True),
        ("(?!render01).*", "render01", False),
        ("(?!.*gpu).*", "render-gpu-1", False),
        ("(?:a|b)+c", "ababc", True),
        (r"(\w)\1.*", "aab", True),
        ("[[:digit:]]+", "123", True),
        ("r.nder", "ränder", True),
        ("r.nder", "rnder", False),
        ("r.*r", "r\udcffnder", True),
        ("", "", False),
        ("[", "[", False),
        ("*", "a", False),
    ],
)
def test_an_expression_matches_whole_names(pattern: str, name: str, matches: bool) -> None:
    assert matches_regex(pattern, name) is matches


HOSTILE = [
    "(a+)+", "(a|a)*b", "(a|aa)+b", "(.*)*b", "(a*)*b", "((a+)+)+b", "(.+)+\\d", "(a?){30}a{30}",
    "(x+x+)+y", "(a{1,30}){1,30}b", "(.*a){25}", "a*" * 40 + "b", "(a|b|ab)*c", "([a-z]+)*[0-9]",
    "(?=(a+)+b)a", "(?!(a*)*b).*c", r"(a+)+\1b", "(?=" + "(a|a)" * 30 + "b).*", "(?!x)" + "a?" * 30 + "a" * 30,
    "(a{1000}){1000}", "((a{100}){100}){100}", "x{1000}" * 500, "(" * 5000 + ")" * 5000, "a" * 40_000,
    "(?=.*.*.*.*b)a", "(?!a|a)(?=b|b)(c|c)(d|d)(e|e)x", "[" * 10_000, "\\pN{1000}" * 100, "\\pL" * 10_000, "(\\pL\\PN)+" * 80, "(a|" * 900 + "b" + ")" * 900,
]  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE, ids=lambda pattern: pattern[:30])
def test_a_hostile_expression_takes_no_time(pattern: str) -> None:
    begin = time.perf_counter()
    for name in ("a" * 255, "ab" * 127 + "!", "x" * 5000 + "!", "a" * 30):
        matches_regex(pattern, name)
    is_valid(pattern)
    assert time.perf_counter() - begin < MOST_SECONDS


@pytest.mark.parametrize(
    "pattern",
    ["(?=(a+)+b)a", r"(a+)+\1b", "(?=(a|b)(a|b)(a|b)(a|b))a", "(?!x)a*b*c*", "(?=" + "a" * 600 + ")"],
)
def test_what_could_take_long_is_invalid(pattern: str) -> None:
    assert not is_tame(pattern)
    assert compile_pattern(pattern) is None
    assert why_invalid(pattern) == "it could take too long"


@pytest.mark.parametrize(
    "pattern",
    [
        "(?!render01$|render02$|render03$).*",
        "(?<!x)abc",
        r"(a)\1",
        "(?![ab*+?]+).*",
        r"(?!a\*\+\?).*",
        "(?i:x)(?!y)",
    ],
)
def test_plain_looking_around_is_taken(pattern: str) -> None:
    assert is_tame(pattern)
    assert is_valid(pattern)


def test_a_thousand_hosts_fit_into_an_expression() -> None:
    hosts = "|".join(f"ws{number:04d}.studio.example" for number in range(1000))
    assert matches_regex(hosts, "ws0999.studio.example")
    assert not matches_regex(hosts, "ws1000.studio.example")


def test_what_is_kept_is_bounded() -> None:
    assert compile_pattern.cache_info().maxsize == 512
    assert matches_regex.cache_info().maxsize == 65_536
    assert masks.MEMORY_MOST * 512 <= 512 * 1024 * 1024


def test_a_farm_of_hostile_masks_goes_on() -> None:
    farm = ActionFarm()
    for number in range(20):
        farm.add_render("a" * 200 + str(number))
    begin = time.perf_counter()
    for pattern in HOSTILE:
        farm.add_job(user_name="x", hosts_mask=pattern, depend_mask=pattern, mask_type="regex")
    farm.act("jobs", [], mask="(a+)+b", operation={"type": "pause"})
    farm.act("users", [1], params={"hosts_mask": "(a|a)*b", "mask_type": "regex"})
    farm.settle()
    assert time.perf_counter() - begin < 20 * MOST_SECONDS
