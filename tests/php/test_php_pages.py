"""The PHP pages, served by `php -S`, over SQLite and PostgreSQL: sums against SQL, and hostile texts."""

import csv
import dataclasses
import html
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from afanasy_py import afcmd_db
from afanasy_py.paths import php_dir
from afanasy_py.stats.outbox import FILE_NAME, Limits, Outbox
from afanasy_py.stats.schema import Fitting, Lengths
from afanasy_py.stats_rows import JobRow, LogRow, StatsRow, TaskRow

# Days before the last one are fixed, so that sums by day can be written down.
START = 1_760_000_400  # 2025-10-09 09:00 UTC
XSS = "<script>alert('x')</script>\" onload=\"x"
INJECTION = "'); DROP TABLE tasks; --"
USERS = ["artist", "юлия", XSS, INJECTION, "", "=cmd()"]


def make_rows() -> list[StatsRow]:
    rows: list[StatsRow] = []
    for i in range(240):
        started = START + i * 3600
        common: dict[str, Any] = {
            "serial": i // 4,
            "annotation": "",
            "blockname": "render",
            "capacity": 500 + 100 * (i % 3),
            "description": "",
            "folder": f"/projects/show{i % 3}/shot{i % 5}" if i % 7 else "/projects",
            "jobname": f"job_{i // 4}_100%",
            "service": ["maya", "nuke"][i % 2],
            "username": USERS[i % len(USERS)],
        }
        task = TaskRow(
            **common,
            id_block=0,
            id_task=i,
            command="render",
            error=int(i % 10 == 0),
            errors_count=0,
            frame_pertask=1,
            hostname=f"render{i % 20:02d}",
            resources="",
            starts_count=1,
            time_done=started + 60 + i,
            time_started=started,
        )
        rows.append(task)
        if i % 4 == 3:
            job = JobRow(
                **common,
                id_block=0,
                hostname="ws01",
                tasks_done=4,
                tasks_quantity=5,
                run_time_sum=4 * (60 + i),
                time_done=started + 100,
                time_started=started - 9000,
            )
            rows.append(job)
        rows.append(LogRow(started, "afanasy", "jobs register", f"job_{i}@{XSS}", f"Info {i} 100% <b>"))
    return rows


class Site:
    """A web server over one database, and a way to ask the database itself."""

    def __init__(self, environment: dict[str, str], select: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self.select = select
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        known = {key: value for key, value in os.environ.items() if not key.startswith(("AFSTATS_", "CGRU_"))}
        command = ["php", "-d", "date.timezone=UTC", "-S", f"127.0.0.1:{self.port}", "-t", str(php_dir())]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._process = subprocess.Popen(
            command, env=known | environment, stdout=subprocess.DEVNULL, stderr=self._log
        )
        end = time.monotonic() + 20  # noqa: TID251 - waits for a process
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                assert self._process.poll() is None
                assert time.monotonic() < end  # noqa: TID251
                time.sleep(0.02)

    def get(self, **parameters: str) -> tuple[int, str, Any]:
        address = f"http://127.0.0.1:{self.port}/?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def page(self, **parameters: str) -> str:
        status, text, _ = self.get(first="", **parameters)
        assert status == 200
        return text

    def table(self, **parameters: str) -> list[list[str]]:
        """Return the rows of a report as the CSV file has them."""
        return list(csv.reader(io.StringIO(self.page(format="csv", **parameters))))[1:]

    def stop(self) -> str:
        """End it; return its log."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)
        with self._log:
            self._log.seek(0)
            return self._log.read().decode()


def make_file(folder: Path) -> Path:
    box = Outbox(folder / FILE_NAME, Lengths(), Limits(), with_indexes=True)
    box.write(Fitting(Lengths()).by_table(make_rows()))
    box.close()
    return folder / FILE_NAME


def select_in_file(path: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def has_php() -> str:
    """Return why there is no usable PHP, empty when there is."""
    if shutil.which("php") is None:
        return "PHP is not installed"
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()
    missing = {"PDO", "pdo_sqlite", "pdo_pgsql"} - set(modules)
    return f"PHP lacks {', '.join(sorted(missing))}" if missing else ""


@pytest.fixture(scope="module", autouse=True)
def php() -> None:
    if why := has_php():
        pytest.skip(why)


@pytest.fixture(scope="module")
def sqlite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = make_file(tmp_path_factory.mktemp("store"))
    site = Site({"AFSTATS_SQLITE": str(path)}, lambda statement: select_in_file(path, statement))
    yield site
    assert "PHP" not in re.sub(r"PHP [\d.]+ Development Server", "", site.stop())


@pytest.fixture(scope="module")
def postgres_site(postgres_conninfo: str) -> Iterator[Site]:
    given = postgres_conninfo
    psycopg2.extensions.set_wait_callback(None)
    name = f"afserver_test_php_{os.getpid()}"
    administrator: Any = psycopg2.connect(given)
    administrator.autocommit = True
    administrator.cursor().execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    conninfo = psycopg2.extensions.make_dsn(given, dbname=name)
    assert afcmd_db.run("db_reset_all", conninfo)[1] == 0
    connection: Any = psycopg2.connect(conninfo)
    connection.autocommit = True
    cursor = connection.cursor()
    for table, rows in Fitting(Lengths()).by_table(make_rows()).items():
        for row in rows:
            cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)

    def select(statement: str) -> list[tuple[Any, ...]]:
        cursor.execute(statement)
        return list(cursor.fetchall())

    site = Site({"CGRU_AF_DB_CONNINFO": conninfo}, select)
    yield site
    errors = site.stop()
    connection.close()
    administrator.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert "PHP" not in re.sub(r"PHP [\d.]+ Development Server", "", errors)


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def test_php_files_have_no_errors() -> None:
    files = sorted(php_dir().rglob("*.php"))
    assert files
    for file in files:
        checked = subprocess.run(["php", "-l", str(file)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("group", ["username", "service", "hostname"])
def test_sums_of_tasks_are_those_of_sql(site: Site, group: str) -> None:
    expected = {
        name: (count, errors, run_time)
        for name, count, errors, run_time in site.select(
            f"SELECT {group}, count(*), sum(error), sum(time_done - time_started) FROM tasks GROUP BY 1"
        )
    }
    found = {
        row[0].removeprefix("'"): (int(row[1]), int(row[2]), int(row[4])) for row in site.table(group=group)
    }
    assert found == {name.removeprefix("'"): sums for name, sums in expected.items()}


def in_a_browser(address: str, profile: Path) -> str:
    """Return the document that Chromium makes of a page; it must complain about nothing."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium")
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--no-proxy-server"]
    done = subprocess.run(
        [program, *words, f"--user-data-dir={profile}", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    return done.stdout


@pytest.mark.e2e
def test_a_browser_shows_the_sums_of_sql(site: Site, tmp_path: Path) -> None:
    text = in_a_browser(f"http://127.0.0.1:{site.port}/?first=&group=service", tmp_path)
    cells = r"<t[hd][^>]*>(.*?)</t[hd]>"
    rows = [
        [html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(cells, row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)
    ]
    titles, total, *names = rows
    assert titles[:3] == ["Service", "Runs", "Errors"]
    assert total[:3] == ["Total", "240", "24"]
    found = {row[0]: row[1:3] for row in names}
    expected = site.select("SELECT service, count(*), sum(error) FROM tasks GROUP BY 1")
    assert found == {name: [str(runs), str(errors)] for name, runs, errors in expected}
    assert '<rect class="c1"' in text


def test_sums_of_jobs_are_those_of_sql(site: Site) -> None:
    expected = sorted(
        site.select("SELECT service, count(*), sum(tasks_quantity), sum(run_time_sum) FROM jobs GROUP BY 1")
    )
    found = [
        (row[0], int(row[1]), int(row[2]), int(row[4])) for row in site.table(page="jobs", group="service")
    ]
    assert sorted(found) == [tuple(row) for row in expected]
    assert all(row[3] == "0.8" for row in site.table(page="jobs", group="service"))


def test_folders_are_climbed_part_by_part(site: Site) -> None:
    assert [row[0] for row in site.table(group="folder")] == ["projects"]
    below = site.table(group="folder", folder="/projects/", sort="name", order="up")
    assert [row[0] for row in below] == ["", "show0", "show1", "show2"]
    assert sum(int(row[1]) for row in below) == 240
    [(count,)] = site.select("SELECT count(*) FROM tasks WHERE folder LIKE '/projects/show1/%'")
    shots = site.table(group="folder", folder="/projects/show1")
    assert [row[0] for row in sorted(shots)] == [f"shot{i}" for i in range(5)]
    assert sum(int(row[1]) for row in shots) == count
    assert site.table(group="folder", folder="/proj") == []
    page = site.page(group="folder", folder="/projects/show1")
    assert "folder=%2Fprojects%2Fshow1%2Fshot0" in page
    assert 'folder=%2Fprojects"' in page


def test_filters_and_days_choose_rows(site: Site) -> None:
    [(count,)] = site.select("SELECT count(*) FROM tasks WHERE service = 'maya' AND username = 'artist'")
    assert site.table(group="username", service="maya", username="artist")[0][1] == str(count)
    [(count,)] = site.select("SELECT count(*) FROM tasks WHERE jobname LIKE 'job_1%'")
    assert sum(int(row[1]) for row in site.table(jobname="JOB_1")) == count
    assert site.table(jobname="0%1") == []
    rows = list(csv.reader(io.StringIO(site.get(first="2025-10-10", last="2025-10-10", format="csv")[1])))
    first = START - START % 86400 + 86400
    [(count,)] = site.select(
        f"SELECT count(*) FROM tasks WHERE time_done >= {first} AND time_done < {first + 86400}"
    )
    assert sum(int(row[1]) for row in rows[1:]) == count
    status, text, _ = site.get()
    assert status == 200
    assert "Nothing was found." in text


def test_hostile_names_are_shown_and_filtered_as_they_are(site: Site) -> None:
    for group in ("username", "service"):
        for metric in ("time", "count"):
            page = site.page(group=group, metric=metric)
            assert "<script" not in page
            assert '" onload="' not in page
    assert html.escape(XSS, quote=False)[:20] in site.page()
    for name in (XSS, INJECTION):
        [row] = site.table(username=name)
        assert row[:2] == [name, "40"]
        assert name in html.unescape(site.page(username=name))
    assert site.select("SELECT count(*) FROM tasks") == [(240,)]


@pytest.mark.parametrize("parameter", ["page", "group", "metric", "sort", "order", "first", "last", "folder"])
@pytest.mark.parametrize(
    "value", [INJECTION, "folder) FROM logs --", XSS, "\0", "%ff", "9" * 5000, "1 OR 1=1"]
)
def test_parameters_that_make_no_sense_do_no_harm(site: Site, parameter: str, value: str) -> None:
    parameters = {"first": "", parameter: value}
    status, text, _ = site.get(**parameters)
    assert status == 200
    assert "<script" not in text
    assert site.select("SELECT count(*) FROM tasks") == [(240,)]


def test_lists_and_broken_letters_in_parameters_do_no_harm(site: Site) -> None:
    for query in ("username[]=x&sort[a][b]=1", "username=%ff%fe&folder=%c3%28", "number=-5&page=logs&first="):
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/?{query}", timeout=30) as answer:
            assert answer.status == 200


def test_rows_are_sorted_by_any_column_both_ways(site: Site) -> None:
    for column, sort in ((1, "count"), (2, "errors"), (4, "time"), (5, "time_avg")):
        down = [float(row[column]) for row in site.table(group="hostname", sort=sort)]
        up = [float(row[column]) for row in site.table(group="hostname", sort=sort, order="up")]
        assert down == sorted(down, reverse=True)
        assert up == sorted(up)
    names = [row[0] for row in site.table(group="hostname", sort="name", order="up")]
    assert names == [f"render{i:02d}" for i in range(20)]


def test_the_graph_has_the_sums_by_time(site: Site) -> None:
    page = site.page(group="service", metric="count")
    bars = [html.unescape(title) for title in re.findall(r"<title>([^<]*)</title></rect>", page)]
    assert bars
    # From the earliest row to today: steps are weeks or longer.
    total = sum(int(bar.rsplit(": ", 1)[1].replace(" ", "")) for bar in bars)
    assert total == 240
    days = site.get(first="2025-10-09", last="2025-10-19", group="service", metric="count")[1]
    assert "2025-10-10 00:00  maya: 3" in html.unescape(days)


def test_logs_are_found_by_parts_of_texts_and_paged(site: Site) -> None:
    page = site.page(page="logs")
    assert page.count("<tr><td>") == 200
    assert "older" in page
    assert "<b>" not in page
    assert "Info 239 100% &lt;b&gt;" in page
    second = site.page(page="logs", number="2")
    assert second.count("<tr><td>") == 40
    assert "newer" in second
    assert "older" not in second
    assert site.page(page="logs", info="INFO 23").count("<tr><td>") == 11
    assert site.page(page="logs", info="0%").count("<tr><td>") == 200
    assert site.page(page="logs", info="2%3").count("<tr><td>") == 0
    assert site.page(page="logs", object="<script>", type="jobs", subject="nasy").count("<tr><td>") == 200
    rows = site.table(page="logs")
    assert len(rows) == 240
    assert rows[0][0] == "2025-10-19T08:00:00+00:00"


def test_csv_cells_are_no_formulas(site: Site) -> None:
    status, text, headers = site.get(first="", format="csv")
    assert status == 200
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "'=cmd()" in text


def test_pages_need_nothing_from_outside(site: Site) -> None:
    _, text, headers = site.get(first="")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)
    assert "<script" not in text
    assert " style=" not in text


def serve_once(environment: dict[str, str], **parameters: str) -> tuple[int, str, str]:
    """Return status, text and what the web server's log got."""
    site = Site(environment, lambda _: [])
    try:
        status, text, _ = site.get(**parameters)
    finally:
        errors = site.stop()
    return status, text, errors


def test_a_failure_is_told_without_secrets() -> None:
    conninfo = "host=127.0.0.1 port=1 user=secretrole password=SecretWord dbname=x"
    status, text, log = serve_once({"CGRU_AF_DB_CONNINFO": conninfo})
    assert status == 503
    assert "The database cannot be read now." in text
    assert "secretrole" not in text
    assert "SecretWord" not in text + log
    assert "afserver statistics: " in log


def test_without_any_configuration_it_says_so_in_the_log() -> None:
    status, _, log = serve_once({})
    assert status == 503
    assert "No database is configured" in log


def test_the_database_is_found_through_files_of_the_farm(tmp_path: Path) -> None:
    make_file(tmp_path)
    tree = tmp_path / "tree"
    (tree / "afanasy").mkdir(parents=True)
    include = {"cgru_config": {"af_store_folder": "/nowhere", "af_db_conninfo": "host=/nowhere"}}
    (tree / "afanasy" / "config.json").write_text(json.dumps(include))
    (tree / "config_default.json").write_text(
        json.dumps({"cgru_config": {"include": ["afanasy/config.json"]}})
    )
    own = tmp_path / "own.json"
    own.write_text(
        json.dumps({"cgru_config": {"af_db_conninfo": "", "OS_linux": {"af_store_folder": str(tmp_path)}}})
    )
    environment = {"CGRU_LOCATION": str(tree), "AFSTATS_CONFIG": str(own)}
    status, text, _ = serve_once(environment, first="")
    assert status == 200
    assert "юлия" in text


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        (
            "host=db port = 5433 user=u password='it''s' dbname=x".replace("''", "\\'"),
            ["pgsql:host='db' port='5433' dbname='x'", "u", "it's"],
        ),
        ("dbname='a b' password=x\\ y", ["pgsql:dbname='a b'", None, "x y"]),
        (
            "postgresql://u:p%40ss@db:1/x?sslmode=require",
            ["pgsql:sslmode='require' host='db' port='1' dbname='x'", "u", "p@ss"],
        ),
    ],
)
def test_connection_strings_are_understood_as_by_libpq(conninfo: str, expected: list[str | None]) -> None:
    code = (
        f"require '{php_dir()}/lib/config.php'; $s = AfStats\\source_of_conninfo($argv[1]);"
        "echo json_encode([$s->dsn, $s->user, $s->password]);"
    )
    found = subprocess.run(["php", "-r", code, "--", conninfo], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == expected


def test_a_reader_that_may_not_write_reads_the_file_with_and_without_a_server(tmp_path: Path) -> None:
    if os.geteuid() != 0 or subprocess.run(["id", "nobody"], capture_output=True, check=False).returncode:
        pytest.skip("only root can become somebody else")
    path = make_file(tmp_path)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        f"foreach (['config', 'database'] as $n) require '{php_dir()}/lib/' . $n . '.php';"
        "$d = new AfStats\\Database(new AfStats\\Source('sqlite:' . $argv[1]));"
        "echo $d->query('SELECT count(*) FROM tasks')->fetchColumn();"
    )
    command = [
        "setpriv",
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "php",
        "-r",
        code,
        "--",
        str(path),
    ]

    def count() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout

    assert count() == "240"
    server = Outbox(path, Lengths(), Limits(), with_indexes=True)
    [task] = [row for row in make_rows() if isinstance(row, TaskRow)][:1]
    server.write(Fitting(Lengths()).by_table([dataclasses.replace(task, id_task=999)]))
    assert count() == "241"
    server.close()
    assert count() == "241"
