"""The dashboard, the alert rules and the page about them name numbers that the server has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from afanasy_py.clock import Clock
from afanasy_py.core.farm import Farm
from afanasy_py.metrics import Metrics
from afanasy_py.net.server import Server
from afanasy_py.settings import Settings
from afanasy_py.stats.statistics import Statistics
from afanasy_py.store.store import Store

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "monitoring"
#: What Prometheus adds by itself.
GIVEN = {"up"}
#: A name in an expression: of ours, or of what Prometheus knows of a process.
NAME = re.compile(r"\b((?:afserver|process)_[a-z_]+|up)(?![\w(])")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """All families of a server that has statistics in PostgreSQL."""
    folder = tmp_path_factory.mktemp("store")
    settings = Settings(af_db_conninfo="dbname=x")
    stats = Statistics(settings, folder, print, lambda: 0.0)
    metrics = Metrics(Farm(settings), Store(folder, settings, Clock()), stats, 0.0)
    metrics.server = Server(settings, lambda request, peer: None, "3.4.1")  # type: ignore[arg-type,return-value]
    return list(text_string_to_metric_families(metrics.page("")[1].decode()))


@pytest.fixture(scope="module")
def names(families: list[Any]) -> set[str]:
    """Names of all series."""
    suffixes = {
        "counter": ("_total",),
        "info": ("_info",),
        "histogram": ("_bucket", "_count", "_sum"),
        "gauge": ("",),
    }
    return {family.name + suffix for family in families for suffix in suffixes[family.type]}


def expressions_of_dashboard() -> list[str]:
    dashboard = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def expressions_of_alerts() -> list[str]:
    text = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    found = re.findall(r"^ +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", text, re.MULTILINE)
    return [folded or plain for folded, plain in found]


@pytest.mark.parametrize(
    "expressions", [expressions_of_dashboard(), expressions_of_alerts()], ids=["grafana", "alerts"]
)
def test_every_number_that_is_asked_for_is_there(expressions: list[str], names: set[str]) -> None:
    assert len(expressions) > 10
    for expression in expressions:
        used = set(NAME.findall(expression))
        assert used, expression
        assert used <= names | GIVEN, expression
        for left, right in ("()", "{}", "[]"):
            assert expression.count(left) == expression.count(right), expression


def test_every_label_value_that_is_asked_for_is_there(families: list[Any]) -> None:
    values = {
        (key, value)
        for family in families
        for sample in family.samples
        for key, value in sample.labels.items()
    }
    checked = 0
    for expression in expressions_of_dashboard() + expressions_of_alerts():
        for key, texts in re.findall(r'\b(state|result|place|type)(?:=~|!~|!=|=)"([^"]*)"', expression):
            for value in texts.split("|"):
                assert (key, value) in values, expression
                checked += 1
    assert checked > 10


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    dashboard = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    places = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places, panel["title"]
        assert place["x"] + place["w"] <= 24
        places |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", " ".join(expressions_of_dashboard())))
    assert used - {"__rate_interval"} <= variables


def test_each_alert_has_a_severity_and_says_what_is_wrong() -> None:
    text = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    alerts = re.split(r"^ +- alert: ", text, flags=re.MULTILINE)[1:]
    assert len(alerts) == len(expressions_of_alerts())
    for alert in alerts:
        assert re.search(r"severity: (warning|critical)", alert), alert
        assert "summary:" in alert, alert


def test_the_page_tells_of_every_number_and_of_no_other(families: list[Any]) -> None:
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(afserver_[a-z_]+)` \|", page, re.MULTILINE))
    assert told == {family.name for family in families if family.name.startswith("afserver_")}
