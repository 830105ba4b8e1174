"""Browsers get the files that they may see, by whatever path they ask."""

import os
from pathlib import Path

import pytest

from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.http import HttpAnswer, HttpError, HttpHead
from afanasy_py.msg.types import MsgType
from afanasy_py.net.files import Files
from tests.net.conftest import StartServer
from tests.net.net_peers import Stub, ask, settings

TASK = "jobs/0/7.job/tasks/0.3"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A CGRU tree, a store and a secret beside them."""
    for name, text in {
        "cgru/afanasy/browser/index.html": "the index",
        "cgru/notes.txt": "no folder of the site",
        "cgru/library/notes.txt": "no folder of the site",
        "cgru/examples/index.html": "no folder of the site",
        "cgru/lib/config_default.json": "{}",
        "cgru/lib/server.php": "<?php",
        "cgru/lib/x.PHP": "<?php",
        "cgru/lib/.htaccess": "deny",
        "cgru/lib/.git/config.txt": "hidden",
        "cgru/lib/setup.sh": "#!/bin/sh",
        "cgru/lib/config.ini": "secret",
        "cgru/lib/notes.html~": "backup",
        "cgru/lib/empty.html": "",
        "icons of the studio/house.png": "house",
        "cgru/lib/styles.css": "p {}",
        "cgru/lib/js/cgru.js": "let a",
        "cgru/lib/a b.txt": "spaces",
        "cgru/lib/имя.txt": "name",
        "cgru/lib/index.html": "the lib",
        "cgru/lib/v1.0/index.html": "a folder with a dot",
        "cgru/icons/a.png": "png",
        "cgru/icons/a.SVG": "svg",
        "cgru/empty.html": "",
        "cgru/config_default.json": "{}",
        "cgru/rules/server.php": "<?php",
        "cgru/rules/x.PHP": "<?php",
        "cgru/rules/.htaccess": "deny",
        "cgru/.htdigest": "user:realm:hash",
        "cgru/.git/config.txt": "hidden",
        "cgru/setup.sh": "#!/bin/sh",
        "cgru/config.ini": "secret",
        "cgru/notes.html~": "backup",
        "cgru-secret/secret.txt": "beside the root",
        "secret.txt": "above the root",
        f"store/{TASK}/files/thumb.jpg": "jpg",
        f"store/{TASK}/files/page.html": "<script>",
        f"store/{TASK}/files/drawing.svg": "<svg>",
        f"store/{TASK}/files/.hidden.png": "hidden",
        f"store/{TASK}/progress.json": "{}",
        f"store/{TASK}/output/1.txt": "output",
        "store/jobs/0/7.job/data.json": "{}",
        "store/server.json": "{}",
        "store_other/jobs/0/7.job/tasks/0.3/files/thumb.jpg": "another store",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "cgru/lib/inside.css").symlink_to(tmp_path / "cgru/lib/styles.css")
    (tmp_path / "cgru/lib/outside.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "cgru/lib/beside.txt").symlink_to(tmp_path / "cgru/notes.txt")
    (tmp_path / "cgru/lib/away").symlink_to(tmp_path / "cgru-secret")
    (tmp_path / "cgru/lib/shown.txt").symlink_to(tmp_path / "cgru/.git/config.txt")
    (tmp_path / "cgru/lib/disguised.txt").symlink_to(tmp_path / "cgru/rules/server.php")
    (tmp_path / "cgru/lib/circle.html").symlink_to(tmp_path / "cgru/lib/circle.html")
    (tmp_path / f"store/{TASK}/files/link.jpg").symlink_to(tmp_path / "secret.txt")
    (tmp_path / f"store/{TASK}/files/link2.jpg").symlink_to(tmp_path / "store/server.json")
    os.mkfifo(tmp_path / "cgru/lib/pipe.html")
    return tmp_path


@pytest.fixture
def files(tree: Path) -> Files:
    return Files(str(tree / "cgru"), tree / "store", settings())


def get(files: Files, target: str, method: str = "GET", **headers: str) -> HttpAnswer:
    head = HttpHead(method, target, {name.replace("_", "-"): value for name, value in headers.items()})
    return files.answer(Request(Form.GET, MsgType.THTTPGET, head=head))


@pytest.mark.parametrize(
    ("target", "text", "kind"),
    [
        ("/", "the index", "text/html; charset=UTF-8"),
        ("/?x=1", "the index", "text/html; charset=UTF-8"),
        ("/afanasy/browser/index.html", "the index", "text/html; charset=UTF-8"),
        ("/afanasy/browser", "the index", "text/html; charset=UTF-8"),
        ("/lib/", "the lib", "text/html; charset=UTF-8"),
        ("/lib/v1.0/", "a folder with a dot", "text/html; charset=UTF-8"),
        ("/lib/styles.css", "p {}", "text/css"),
        ("/lib/styles.css?v=3.4.1", "p {}", "text/css"),
        ("/lib/styles.css#top", "p {}", "text/css"),
        ("//lib//styles.css", "p {}", "text/css"),
        ("/lib/js/../styles.css", "p {}", "text/css"),
        ("/%6Cib%2Fstyles.css", "p {}", "text/css"),
        ("/lib/js/cgru.js", "let a", "text/javascript"),
        ("/lib/a%20b.txt", "spaces", "text/plain; charset=UTF-8"),
        ("/lib/%D0%B8%D0%BC%D1%8F.txt", "name", "text/plain; charset=UTF-8"),
        ("/icons/a.png", "png", "image/png"),
        ("/icons/a.SVG", "svg", "image/svg+xml"),
        ("/lib/inside.css", "p {}", "text/css"),
    ],
)
def test_a_file_of_the_tree(files: Files, target: str, text: str, kind: str) -> None:
    answer = get(files, target)
    assert (answer.status, answer.body.decode(), answer.content_type) == (200, text, kind)


def test_a_path_of_one_letter_is_the_index(files: Files) -> None:
    """COMPAT(http-one-letter): as in the original."""
    assert get(files, "/a").body == b"the index"


@pytest.mark.parametrize(
    "target",
    [
        "/nothere.html", "/lib/none/", "/lib/empty.html", "/lib/js/cgru.js/", "/lib/js/cgru.js/x.js",
        # beside the folders of the site
        "/notes.txt", "/library/notes.txt", "/examples/", "/lib/../notes.txt", "/libx/../notes.txt",
        "/lib/%2e%2e/notes.txt", "/lib/beside.txt", "/lib/..",
        # above the root and beside it
        "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt",
        "/lib/../../secret.txt", "/..\\secret.txt", "/..%5csecret.txt", "/....//secret.txt",
        "/..;/secret.txt", "/../cgru-secret/secret.txt", "/%252e%252e/secret.txt",
        "/%c0%ae%c0%ae/secret.txt", "//etc/hostname.txt", "/%2fetc/passwd", "/etc/passwd",
        "/\\etc\\passwd", "/file:///etc/passwd", "/C:/secret.txt", "/C:%5csecret.txt",
        "/" + "../" * 20 + "etc/hosts.txt",
        # links
        "/lib/outside.txt", "/lib/away/secret.txt", "/lib/away/../secret.txt", "/lib/shown.txt",
        "/lib/disguised.txt", "/lib/circle.html",
        # what is no page
        "/config_default.json", "/rules/server.php", "/rules/x.PHP", "/rules/server.php?x=.html",
        "/rules/server.php%3f.html", "/rules/.htaccess", "/.htdigest", "/.htdigest/", "/.git/config.txt",
        "/lib/../.git/config.txt", "/setup.sh", "/config.ini", "/notes.html~", "/rules",
        "/lib/config_default.json", "/lib/server.php", "/lib/x.PHP", "/lib/server.php?x=.html",
        "/lib/server.php%3f.html", "/lib/.htaccess", "/lib/.git/config.txt", "/lib/setup.sh",
        "/lib/config.ini", "/lib/notes.html~", "/lib/pipe.html",
        "/lib/styles.css.", "/lib/styles.css%20", "/" + "a" * 5000 + ".html", "/" + "a/" * 3000 + "b.html",
    ],
)  # fmt: skip
def test_what_may_not_be_seen_is_not_found(files: Files, target: str, tree: Path) -> None:
    answer = get(files, target)
    assert answer.status == 404
    assert b"<title>AFANASY 404</title>" in answer.body
    assert str(tree).encode() not in answer.body
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    "target", ["/a%00.html", "/lib/styles.css%00.png", "*", "lib/styles.css", "http://x/lib/styles.css"]
)
def test_a_broken_path_is_refused(files: Files, target: str) -> None:
    with pytest.raises(HttpError) as caught:
        get(files, target)
    assert caught.value.answer.status == 400


def test_a_thumbnail_of_a_task(files: Files, tree: Path) -> None:
    answer = get(files, f"/@TMP@{tree}/store/{TASK}/files/thumb.jpg")
    assert (answer.status, answer.body, answer.content_type) == (200, b"jpg", "image/jpeg")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg"])
def test_what_a_task_made_never_runs_as_a_page_of_the_server(files: Files, tree: Path, name: str) -> None:
    answer = get(files, f"/@TMP@{tree}/store/{TASK}/files/{name}")
    assert (answer.status, answer.content_type) == (200, "application/octet-stream")
    assert dict(answer.more)["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    "path",
    [
        "{0}/store/server.json", "{0}/store/jobs/0/7.job/data.json", "{0}/store/" + TASK + "/progress.json",
        "{0}/store/" + TASK + "/output/1.txt", "{0}/store/" + TASK + "/files/.hidden.png",
        "{0}/store/" + TASK + "/files/none.jpg", "{0}/store/" + TASK + "/files/link.jpg",
        "{0}/store/" + TASK + "/files/link2.jpg", "{0}/store/" + TASK + "/files/../progress.json",
        "{0}/store/" + TASK + "/files/../../../../../../../secret.txt",
        "{0}/store_other/" + TASK + "/files/thumb.jpg",
        "{0}/store/../secret.txt", "{0}/secret.txt", "/etc/passwd", "", "etc/passwd",
        TASK + "/files/thumb.jpg",
        "{0}/store/" + TASK + "/files", "{0}/store/" + TASK + "/files/",
    ],
)  # fmt: skip
def test_only_files_of_tasks_come_out_of_the_store(files: Files, tree: Path, path: str) -> None:
    assert get(files, "/@TMP@" + path.format(tree)).status == 404


def test_a_store_that_is_reached_by_a_link_still_gives_its_files(tree: Path) -> None:
    (tree / "link").symlink_to(tree / "store")
    files = Files("", tree / "link", settings())
    assert get(files, f"/@TMP@{tree}/link/{TASK}/files/thumb.jpg").status == 200


def test_a_browser_that_has_the_file_gets_it_not_again(files: Files, tree: Path) -> None:
    first = get(files, "/lib/styles.css")
    tag = dict(first.more)["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = get(files, "/lib/styles.css", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
        assert dict(again.more)["ETag"] == tag
    (tree / "cgru/lib/styles.css").write_text("p {color: red}")
    assert get(files, "/lib/styles.css", if_none_match=tag).status == 200


def test_a_browser_may_tell_the_time_of_what_it_has(files: Files, tree: Path) -> None:
    os.utime(tree / "cgru/lib/styles.css", (0, 1_700_000_000.7))
    told = dict(get(files, "/lib/styles.css").more)["Last-Modified"]
    assert told == "Tue, 14 Nov 2023 22:13:20 GMT"
    for since, status in {
        told: 304,
        "Tue, 14 Nov 2023 22:13:19 GMT": 200,
        "Wed, 15 Nov 2023 00:00:00 GMT": 304,
        "some day": 200,
        "": 200,
    }.items():
        assert get(files, "/lib/styles.css", if_modified_since=since).status == status
    # What it has counts more than its time.
    assert get(files, "/lib/styles.css", if_none_match='"x"', if_modified_since=told).status == 200


def test_a_page_is_shown_in_no_frame_of_another_site(files: Files) -> None:
    policy = dict(get(files, "/").more)["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "Content-Security-Policy" not in dict(get(files, "/lib/styles.css").more)


def test_a_folder_of_the_site_may_be_a_link(tree: Path) -> None:
    (tree / "cgru/house").symlink_to(tree / "icons of the studio")
    files = Files(str(tree / "cgru"), tree / "store", settings(af_http_folders=("/house/", "../cgru-secret")))
    assert get(files, "/house/house.png").body == b"house"
    assert get(files, "/lib/styles.css").status == 404
    assert get(files, "/../cgru-secret/secret.txt").status == 404
    assert get(files, "/").body == b"the index"


def test_a_whole_folder_can_be_served(tree: Path) -> None:
    files = Files(str(tree / "cgru"), tree / "store", settings(af_http_folders=(".",)))
    assert get(files, "/notes.txt").status == 200
    assert get(files, "/rules/server.php").status == get(files, "/.git/config.txt").status == 404
    assert get(files, "/../secret.txt").status == 404


def test_head_asks_for_all_but_the_body(files: Files) -> None:
    answer = get(files, "/lib/styles.css", "HEAD")
    assert (answer.status, answer.body, answer.with_body) == (200, b"p {}", False)
    assert get(files, "/nothere.css", "HEAD").status == 404


def test_options_are_told(files: Files) -> None:
    answer = get(files, "*", "OPTIONS")
    assert answer.status == 204
    assert dict(answer.more)["Allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("target", ["/", "/lib/styles.css", "/../etc/passwd"])
def test_without_a_tree_there_is_one_page(tmp_path: Path, target: str) -> None:
    answer = get(Files("", tmp_path, settings()), target)
    assert answer.status == (200 if target == "/" else 404)


def test_without_the_web_gui_there_is_one_page(tmp_path: Path) -> None:
    assert b"afserver" in get(Files(str(tmp_path), tmp_path, settings()), "/").body


def test_another_root_can_be_served_while_the_server_runs(files: Files, tree: Path) -> None:
    files.reconfigure(str(tree / "cgru/lib"), settings(af_http_site_index="/styles.css"))
    assert get(files, "/").body == b"p {}"
    assert get(files, "/js/cgru.js").status == 200


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("lib/js", ["cgru.js"]),
        ("icons", ["a.SVG", "a.png"]),
        ("rules", []), ("afanasy", []), (".", []), ("lib/js/../../rules", []), ("lib/away", []),
        ("", []), ("/", []), ("/etc", []), ("..", []), ("lib/..", []), ("C:", []), ("none", []),
        ("lib/.git", []), (".git", []), ("lib/styles.css", []), ("a\0b", []), ("a" * 5000, []),
    ],
)  # fmt: skip
def test_folders_below_the_root_are_listed(files: Files, path: str, names: list[str]) -> None:
    assert files.list_folder(path) == names


def test_files_go_out_over_a_connection(files: Files, start_server: StartServer) -> None:
    server = start_server(Stub(files))
    answer = ask(server, b"GET /lib/styles.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\nContent-Type: text/css\r\n"
    )
    assert answer.endswith(b"\r\n\r\np {}")
    answer = ask(server, b"HEAD /lib/styles.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"\r\nContent-Length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert ask(server, b"GET /../secret.txt HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert ask(server, b"GET /a%00 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")
