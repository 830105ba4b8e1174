"""The server's own page in a headless Chromium, against real servers; and what can be said of it without a browser."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afanasy_py import paths
from afanasy_py.msg.framing import Form, Request
from afanasy_py.msg.http import HttpAnswer, HttpHead
from afanasy_py.msg.types import MsgType
from afanasy_py.net.files import Files
from afanasy_py.settings import Settings
from tests.store.real_server import ORIGINAL, RealServer

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("AFSERVER_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PHONE = {"width": 390, "height": 844}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def fetch(folder: Path, target: str, root: str = "") -> HttpAnswer:
    files = Files(root, folder, Settings())
    return files.answer(Request(Form.GET, MsgType.THTTP, head=HttpHead("GET", target, {})))


# -- without a browser


def test_the_page_is_at_the_root_and_at_a_path_of_its_own(tmp_path: Path) -> None:
    page = fetch(tmp_path, "/")
    assert b'src="/afserver/page.js"' in page.body
    assert fetch(tmp_path, "/afserver/").body == fetch(tmp_path, "/afserver").body == page.body
    for name in re.findall(rb'(?:src|href)="(/afserver/[^"]+)"', page.body):
        answer = fetch(tmp_path, name.decode())
        assert answer.status == 200
        assert ("Cache-Control", "no-cache") in answer.more
        assert any("default-src 'none'" in value for _, value in answer.more)


def test_where_the_web_gui_of_cgru_is_it_stays_at_the_root(tmp_path: Path) -> None:
    index = tmp_path / "afanasy" / "browser" / "index.html"
    index.parent.mkdir(parents=True)
    index.write_text("the GUI of CGRU")
    assert fetch(tmp_path, "/", str(tmp_path)).body == b"the GUI of CGRU"
    assert b"page.js" in fetch(tmp_path, "/afserver/", str(tmp_path)).body


@pytest.mark.parametrize(
    "name", ["..%2fpyproject.toml", "%2e%2e/setup.py", "x", "a/page.js", "page.js/", "page.py", "..%5cx.js"]
)
def test_only_files_of_the_page_are_at_its_path(tmp_path: Path, name: str) -> None:
    assert fetch(tmp_path, f"/afserver/{name}").status == 404


@pytest.mark.parametrize("path", sorted(paths.web_dir().iterdir()), ids=lambda path: path.name)
def test_the_page_has_no_outside_resources_and_makes_no_markup_of_texts(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z0-9-]+\.[a-z]", text)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc", text
    )
    assert not re.search(r"\son[a-z]+=|style=", text)


# -- with one


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium (AFSERVER_CHROMIUM)")
    with api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Shown:
    """The page of a server in a browser; errors of its scripts are kept."""

    def __init__(self, browser: Any, server: RealServer, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.goto(f"http://127.0.0.1:{server.port}/")

    def row(self, name: str) -> Any:
        return self.page.locator("#list > li").filter(has_text=name)

    def wait_for_text(self, selector: str, text: str) -> None:
        self.page.locator(selector).filter(has_text=text).first.wait_for()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    running = RealServer(tmp_path / "store", tmp_path / "home")
    yield running
    running.stop()


@pytest.fixture
def shown(browser: Any, server: RealServer) -> Iterator[Shown]:
    server.submit("shot one")
    made = Shown(browser, server)
    made.page.wait_for_selector("#link.good")
    yield made
    assert made.errors == []
    made.context.close()


@pytest.mark.e2e
def test_jobs_come_change_and_go_without_a_reload(shown: Shown, server: RealServer) -> None:
    shown.row("shot one").filter(has_text="ready · 0 of 3 tasks").wait_for()
    job = server.submit("shot two")["id"]
    shown.row("shot two").wait_for()
    server.act("jobs", ids=[job], operation={"type": "pause"})
    shown.row("shot two").filter(has_text="paused").wait_for()
    server.act("jobs", ids=[job], operation={"type": "delete"})
    shown.row("shot two").wait_for(state="detached")
    assert shown.row("shot one").count() == 1


@pytest.mark.e2e
def test_names_of_the_farm_are_shown_as_they_are_and_never_run(shown: Shown, server: RealServer) -> None:
    block = {"name": HOSTILE, "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 2}
    server.submit(HOSTILE[:100], [block], annotation=HOSTILE, user_name="<b>anna</b>")
    row = shown.row("<b>anna</b>")
    row.wait_for()
    assert HOSTILE in row.inner_text()
    row.locator(".name").click()
    shown.wait_for_text("#blocks button", HOSTILE)
    assert shown.page.locator("#job img, #job script, #list img, #list script").count() == 0
    assert shown.page.title() == "afserver"


@pytest.mark.e2e
def test_all_can_be_done_by_keyboard(shown: Shown, server: RealServer) -> None:
    page = shown.page
    shown.row("shot one").wait_for()

    def go_to(name: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if (
                page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
                == name
            ):
                return
        raise AssertionError(f"{name} is not reached by the tabulator")

    go_to("Pause shot one")
    page.keyboard.press("Enter")
    page.wait_for_selector('[aria-label="Start shot one"]:focus')
    assert "OFF" in server.jobs()["shot one"]["state"]
    page.keyboard.press("Enter")
    page.wait_for_selector('[aria-label="Pause shot one"]:focus')
    assert "OFF" not in server.jobs()["shot one"]["state"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    shown.wait_for_text("#job-name", "shot one")
    page.keyboard.press("Escape")
    go_to("Delete shot one")
    page.keyboard.press("Enter")
    page.wait_for_selector("#ask[open]")
    page.keyboard.press("Enter")  # what has the focus keeps the job
    page.wait_for_selector("#ask", state="hidden")
    assert "shot one" in server.jobs()
    page.keyboard.press("Enter")
    page.wait_for_selector("#ask[open]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    shown.row("shot one").wait_for(state="detached")
    assert server.jobs() == {}


@pytest.mark.e2e
def test_a_question_asked_again_at_once_is_answered_by_its_own_answer(
    shown: Shown, server: RealServer
) -> None:
    # Browsers tell of a closed question with the next frame: here, when the second one is open already.
    shown.row("shot one").wait_for()
    shown.page.evaluate(
        """() => {
            const asks = document.querySelector('[aria-label="Delete shot one"]');
            asks.click();
            document.querySelector('#ask button[value="no"]').click();
            asks.click();
        }"""
    )
    shown.page.wait_for_timeout(200)
    assert "shot one" in server.jobs()
    shown.page.locator("#ask-yes").click()
    shown.row("shot one").wait_for(state="detached")
    assert server.jobs() == {}


@pytest.mark.e2e
def test_a_job_tells_why_it_waits(shown: Shown, server: RealServer) -> None:
    shown.row("shot one").locator(".name").click()
    shown.wait_for_text("#why li", "there are no hosts")
    shown.page.locator("#job-actions button").first.click()
    shown.wait_for_text("#why li", "paused (job shot one)")
    assert shown.page.locator("#tasks .task").count() == 3
    assert shown.page.locator("#tasks button:not([disabled])").count() == 0


@pytest.mark.e2e
def test_a_phone_shows_everything_without_scrolling_sideways(browser: Any, server: RealServer) -> None:
    server.submit("a_name_without_any_space_" * 8, annotation="w" * 200)
    shown = Shown(browser, server, viewport=PHONE, has_touch=True, is_mobile=True)
    shown.row("a_name").locator(".name").tap()
    shown.page.wait_for_selector("#tasks .task")
    shown.page.locator("#job-close").tap()
    wide = shown.page.evaluate("document.documentElement.scrollWidth")
    assert wide == PHONE["width"]
    for button in shown.page.locator("#list .actions button").all():
        assert button.bounding_box()["height"] >= 44
    assert shown.errors == []
    shown.context.close()


@pytest.mark.e2e
def test_hosts_and_outputs_of_tasks_are_shown(shown: Shown, server: RealServer, tmp_path: Path) -> None:
    block = {
        "name": "b", "service": "generic", "flags": 1, "frame_first": 1, "frame_last": 1,
        "command": "echo '<i>it wrote this</i>'",
    }  # fmt: skip
    server.submit("writes", [block])
    server.act("jobs", mask="shot one", operation={"type": "delete"})
    words = ["--server=127.0.0.1", f"--port={server.port}", "--name=host-a"]
    host = subprocess.Popen(
        [sys.executable, str(ROOT / "bin/afrender-py"), *words],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        shown.row("writes").filter(has_text="done · 1 of 1 tasks").wait_for(timeout=40_000)
        shown.row("writes").locator(".name").click()
        shown.page.locator("#tasks button:not([disabled])").click()
        shown.wait_for_text("#output-text", "<i>it wrote this</i>")
        shown.page.keyboard.press("Escape")
        shown.page.keyboard.press("Escape")
        shown.page.click("#show-hosts")
        shown.row("host-a").filter(has_text="online").wait_for()
        shown.row("host-a").filter(has_text="cores").wait_for()
    finally:
        host.terminate()
        host.wait(20)


@pytest.mark.e2e
def test_with_access_control_one_logs_in_and_is_told_what_one_may_not(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    digest = hashlib.md5("zoë:CGRU:gehëim".encode()).hexdigest()
    users.write_text(f"zoë:CGRU:{digest}\n", encoding="utf-8")
    for key, value in {
        "af_access_networks": "127.0.0.9=read", "af_digest_file": str(users), "af_access_login_role": "artist",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CGRU_{key.upper()}", value)
    server = RealServer(tmp_path / "store", tmp_path / "home")
    try:
        server.submit("of another")
    finally:
        server.stop()
    monkeypatch.setenv("CGRU_AF_ACCESS", "1")
    monkeypatch.setenv("CGRU_AF_IP_TRUST", "10.99.*")
    server = RealServer(tmp_path / "store", tmp_path / "home")
    shown = Shown(browser, server)
    try:
        page = shown.page
        for password in ("wrong", "gehëim"):
            page.wait_for_selector("#login[open]")
            page.fill("#login-name", "zoë")
            page.fill("#login-password", password)
            page.keyboard.press("Enter")
            if password == "wrong":
                shown.wait_for_text("#login-why", "wrong")
        page.wait_for_selector("#link.good")
        shown.row("of another").wait_for()
        page.click('[aria-label="Pause of another"]')
        shown.wait_for_text("#toast", "zoë (artist) may not change")
        page.click("#leave")
        page.wait_for_selector("#login[open]")
        assert shown.errors == []
    finally:
        shown.context.close()
        server.stop()


@pytest.mark.e2e
@pytest.mark.skipif(not ORIGINAL, reason="the original is not here (AFSERVER_ORIGINAL)")
@pytest.mark.parametrize("access", [False, True], ids=["open", "login"])
def test_the_web_gui_of_cgru_works_as_well(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, access: bool
) -> None:
    users = tmp_path / "users"
    users.write_text(f"anna:CGRU:{hashlib.md5(b'anna:CGRU:secret').hexdigest()}\n", encoding="utf-8")
    monkeypatch.setenv("CGRU_LOCATION", ORIGINAL)
    monkeypatch.setenv("CGRU_AF_DIGEST_FILE", str(users))
    server = RealServer(tmp_path / "store", tmp_path / "home")
    server.submit("a job for the GUI")
    if access:
        server.stop()
        monkeypatch.setenv("CGRU_AF_ACCESS", "1")
        monkeypatch.setenv("CGRU_AF_IP_TRUST", "10.99.*")
        server = RealServer(tmp_path / "store", tmp_path / "home")
    shown = Shown(browser, server)
    try:
        if access:
            for asked, text in (("Enter User Name", "anna"), ("Enter Password", "secret")):
                shown.page.get_by_text(asked).wait_for()
                shown.page.locator(".cgru_dialog_input").last.click()
                shown.page.wait_for_selector(".cgru_dialog_input:focus")
                shown.page.keyboard.type(text)
                shown.page.keyboard.press("Enter")
        shown.page.get_by_text("a job for the GUI").first.wait_for()
        # It asks for a picture that its tree does not have.
        assert [error for error in shown.errors if "404" not in error] == []
    finally:
        shown.context.close()
        server.stop()
