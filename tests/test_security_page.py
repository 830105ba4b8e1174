"""docs/security.md names settings and tests that there are."""

import re
from pathlib import Path

from afanasy_py.access.roles import Role
from afanasy_py.settings import ROWS
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_tests_that_the_page_names_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named - known == set()


def test_settings_that_the_page_names_exist_and_those_of_access_are_named() -> None:
    named = set(re.findall(r"\baf_\w+", PAGE))
    assert named - set(ROWS) == set()
    own = {
        key for key in ROWS if key.startswith(("af_access", "af_tls", "af_limit", "af_audit", "af_http_prox"))
    }
    assert own - named == set()


def test_each_role_and_target_is_named() -> None:
    assert [role.value for role in Role if f"| `{role.value}` |" not in PAGE] == []
    assert [name for name in TARGETS if f"`{name}`" not in PAGE] == []
