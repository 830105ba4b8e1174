"""Who may ask over HTTP, and how answers look."""

import pytest

from afanasy_py.msg.http import (
    HttpAnswer,
    HttpError,
    HttpHead,
    check_site,
    http_bytes,
    json_bytes,
    listed_origin,
    site_headers,
)

NAMES = frozenset({"farm.studio.example", "farm", "render.studio.example", "other.example:8080"})
ORIGINS = frozenset({"https://portal.studio.example", "wiki.example:8080"})


def head(**headers: str) -> HttpHead:
    return HttpHead("POST", "/", headers)


def is_refused(asked: HttpHead) -> bool:
    try:
        check_site(asked, NAMES, ORIGINS)
    except HttpError as error:
        return error.answer.status == 403
    return False


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:51000", "10.1.2.3", "[::1]:51000", "[fe80::1]", "localhost", "LocalHost:51000",
        "localhost.", "farm:51000", "farm.studio.example:51000", "FARM.studio.example.", "render.studio.example",
        "other.example:8080", "afserver", "afserver:51000", "Render-Box_01",
    ],
)  # fmt: skip
def test_a_host_that_names_the_server_may_be_asked(host: str) -> None:
    assert not is_refused(head(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:51000", "farm.studio.example.evil.example", "127.0.0.1.evil.example",
        "other.example:80", "10.1.2", "[::1]x", "a:b:c", "localhost.evil.example:51000",
        "1.2.3.4@evil.example", "evil.example\tlocalhost", "::1", "ai", "ai.", "evil.", "other.example",
        "portal.studio.example", "wiki.example:8080", "localhost@evil", "127.0.0.1:51000@evil.example", "-evil", "e%76il",
    ],
)  # fmt: skip
def test_a_name_that_points_to_the_server_is_not_enough(host: str) -> None:
    """DNS rebinding: a page asks its own name, which now is the address of the server."""
    assert is_refused(head(host=host))
    assert is_refused(head(host=host, origin=f"http://{host}"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:51000", "http://127.0.0.1:51000"),
        ("Farm:51000", "http://farm:51000"),
        ("localhost", "https://localhost"),
        ("localhost:51000", "https://portal.studio.example"),
        ("localhost:51000", "HTTPS://Portal.studio.example"),
        ("localhost:51000", "http://wiki.example:8080"),
        ("localhost:51000", "https://wiki.example:8080"),
    ],
)
def test_a_page_of_the_server_or_of_a_listed_site_may_ask(host: str, origin: str) -> None:
    assert not is_refused(head(host=host, origin=origin))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:51000", "http://evil.example"),
        ("127.0.0.1:51000", "http://127.0.0.1:8000"),
        ("127.0.0.1:51000", "http://127.0.0.1"),
        ("farm:51000", "http://farm"),
        ("localhost:51000", "http://render.studio.example"),
        ("localhost:51000", "http://farm.studio.example:51000"),
        ("localhost:51000", "http://wiki.example"),
        ("localhost:51000", "https://portal.studio.example.evil.example"),
        ("localhost:51000", "null"),
        ("localhost:51000", ""),
        ("localhost:51000", "file://localhost:51000"),
        ("localhost:51000", "http://portal.studio.example"),
        ("localhost:51000", "http://other.example"),
        ("localhost:51000", "http://evil.example/localhost:51000"),
        ("localhost:51000", "http://localhost:51000@evil.example"),
        ("", "http://evil.example"),
        ("", "http://"),
    ],
)
def test_a_page_of_another_site_may_not_ask(host: str, origin: str) -> None:
    headers = {"origin": origin} | ({"host": host} if host else {})
    assert is_refused(HttpHead("POST", "/", headers))


def test_a_page_that_did_not_come_by_tls_may_not_ask_by_tls() -> None:
    """Whoever is in the way can make a page of the server itself, as long as it does not come by TLS."""
    asked = head(host="farm:51000", origin="http://farm:51000")
    check_site(asked, NAMES)
    with pytest.raises(HttpError):
        check_site(asked, NAMES, secure=True)
    check_site(head(host="farm:51000", origin="https://farm:51000"), NAMES, secure=True)


def test_programs_need_no_host_and_no_origin() -> None:
    assert not is_refused(head())


def test_a_refusal_says_which_setting_helps_and_quotes_little() -> None:
    with pytest.raises(HttpError, match="af_http_hosts") as caught:
        check_site(head(host="x." * 4000), NAMES)
    assert len(caught.value.answer.body) < 200


def test_pages_of_listed_sites_may_read_answers() -> None:
    origin = listed_origin(head(origin="https://portal.studio.example"), ORIGINS)
    assert origin == "https://portal.studio.example"
    assert b"\r\nAccess-Control-Allow-Origin: https://portal.studio.example\r\n" in json_bytes(
        b"{}", "3.4.1", site_headers(origin)
    )
    assert listed_origin(head(origin="http://evil.example"), ORIGINS) is None
    assert listed_origin(head(), ORIGINS) is None


@pytest.mark.parametrize(
    ("status", "kind", "age"),
    [
        (200, "text/css", 3600),
        (200, "image/png", 3600),
        (200, "text/html; charset=UTF-8", 0),
        (404, "text/css", 0),
    ],
)
def test_browsers_may_keep_what_seldom_changes(status: int, kind: str, age: int) -> None:
    assert b"\r\nCache-Control: max-age=%d\r\n" % age in http_bytes(HttpAnswer(status, kind, b"x"), "3.4.1")


def test_head_is_told_the_length_and_gets_no_body() -> None:
    answer = http_bytes(HttpAnswer(200, "text/css", b"p {}", with_body=False), "3.4.1")
    assert b"\r\nContent-Length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_neither_body_nor_length(status: int) -> None:
    answer = http_bytes(HttpAnswer(status, "text/css", b"p {}"), "3.4.1")
    assert b"Content-Length" not in answer
    assert answer.endswith(b"\r\n\r\n")
