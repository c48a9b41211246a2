"""The live board says what the command line says for the same instant: one function works out both."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from selectolax.lexbor import LexborHTMLParser

from aftersail.core.cli.main import cli
from aftersail.core.web.app import create_app
from tests.conftest import FakeClock
from tests.insight.month import UNTIL, fill_november
from tests.web.conftest import LOCAL, TestClient, make_app
from tests.web.filling import Filling

DAYS = 30


@pytest.fixture
def app(web_database, tmp_path):
    """The month, and one more ticket that waits beyond its due instant."""
    clock = FakeClock(UNTIL)
    app = make_app(web_database, tmp_path, clock.now)
    filling = Filling(app.engine, UNTIL)
    fill_november(filling)
    filling.due(filling.ticket(filed_at=UNTIL - timedelta(hours=2)), -timedelta(minutes=1))
    yield app
    app.close()


def told(app, tmp_path):
    """What `aftersail report --json` says for the instant of the page."""
    config = tmp_path / "aftersail.yaml"
    config.write_text(f"database: {app.settings.database}\n", encoding="utf-8")
    arguments = ["--config", str(config), "report", f"--since={DAYS}d", f"--until={UNTIL.isoformat()}", "--json"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def at(report, path):
    for part in path.split("/"):
        report = report[int(part)] if isinstance(report, list) else report[part]
    return report


def written(value):
    return "" if value is None else str(value)


def numbers(report, path=""):
    """Every number of a report, by its place."""
    if isinstance(report, dict):
        for name, value in report.items():
            yield from numbers(value, f"{path}/{name}" if path else name)
    elif not isinstance(report, bool | list):
        yield path, report


def test_f15_every_number_of_the_page_is_that_of_the_command_line(app, tmp_path):
    with TestClient(create_app(app), base_url=LOCAL) as client:
        page = LexborHTMLParser(client.get(f"/figures?days={DAYS}").text)
    report = told(app, tmp_path)
    shown = {node.attributes["data-figure"]: node.attributes["value"] for node in page.css("data[data-figure]")}
    wrong = {path: (value, at(report, path)) for path, value in shown.items() if value != written(at(report, path))}
    assert wrong == {}
    # Response time, solve rate, satisfaction and progress are there, for every group.
    for part in ("progress", "solved", "kpis/whole/csat/satisfied"):
        missing = [path for path, _ in numbers(at(report, part), part) if path not in shown]
        assert missing == []
    for division in ("by_reason", "by_agent", "by_channel", "by_tier"):
        for name in report["kpis"][division]:
            assert f"kpis/{division}/{name}/first_response/elapsed/average_seconds" in shown
    assert shown["kpis/whole/solve/business/average_seconds"] == str(27 * 3600)
    assert shown["progress/damaged/overdue"] == "1"


def test_f15_the_page_looks_again_by_itself_and_people_read_spans(app):
    with TestClient(create_app(app), base_url=LOCAL) as client:
        page = LexborHTMLParser(client.get(f"/figures?days={DAYS}").text)
    board = page.css_first("#board")
    assert board.attributes["hx-get"] == f"/figures?days={DAYS}"
    assert board.attributes["hx-select"] == "#board"
    tiles = [" ".join(node.text(separator=" ").split()) for node in page.css(".tile")]
    assert any(tile.startswith("1 d 2 h to the solution on average") for tile in tiles), tiles
