"""Pages run their own scripts and no others."""

import base64
import hashlib

from afanasy_py.net.page_policy import SIZE_MOST, page_headers


def policy(page: str) -> str:
    ((name, value),) = page_headers(page.encode())
    assert name == "Content-Security-Policy"
    return value


def digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_a_page_without_scripts_runs_files_of_the_server_only() -> None:
    assert (
        policy("<p>x</p>") == "script-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
    )


def test_scripts_that_are_in_the_file_are_known_by_their_digests() -> None:
    page = """<body onload="g_Init()"><a ONCLICK='f("x")' href=y>y</a><script src="a.js"></script>
    <script>
    if (1 < 2) { x = "</p>" }
    </script></body>"""
    found = policy(page)
    assert "'unsafe-hashes'" in found
    assert "'unsafe-inline'" not in found
    for script in ("g_Init()", 'f("x")', '\n    if (1 < 2) { x = "</p>" }\n    '):
        assert digest(script) in found
    assert found.count("sha256") == 3


def test_entities_in_a_handler_are_what_the_browser_makes_of_them() -> None:
    assert digest("f(1 && 2)") in policy('<p onclick="f(1 &amp;&amp; 2)">')


def test_a_huge_page_has_no_scripts_inside() -> None:
    assert "sha256" not in policy("<body onload='f()'>" + " " * SIZE_MOST)


def test_what_is_no_html_has_a_policy_too() -> None:
    for page in ("", "<", "<script>", "<<<a onx=", "<![CDATA[", "<!DOCTYPE", "\0" * 50, "<?x"):
        assert "script-src 'self'" in policy(page)
