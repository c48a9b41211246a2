"""`aftersail report`."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aftersail.core.store.engine import open_engine
from tests.web.filling import Filling


@pytest.fixture
def busy(desk, tmp_path):
    """A desk whose broken lamps came all at once."""
    engine = open_engine(f"sqlite:///{tmp_path / 'aftersail.db'}")
    now = datetime.now(UTC)
    filling = Filling(engine, now)
    filling.channel("shop", attention="the token is refused", due_at=now + timedelta(hours=1))
    filling.ticket(reason="other", filed_at=now - timedelta(days=20))
    for _ in range(12):
        ticket = filling.ticket(reason="damaged", filed_at=now - timedelta(hours=2))
    filling.message(ticket, "broken", sent_at=now - timedelta(hours=2))
    paid = {"state": "settled", "settled_at": now - timedelta(hours=1), "currency": "EUR"}
    filling.remedy(ticket, "k1", amount=Decimal("12.5"), **paid)
    filling.remedy(ticket, "k2", amount=Decimal("0.5"), **paid)
    engine.dispose()
    return desk


def test_an_empty_desk_has_a_report(desk):
    said = desk("report").stdout
    assert "no channels; aftersail channel add" in said
    assert "no reason is given more often than usual" in said


def test_json_has_figures_channels_and_spikes(busy):
    told = busy.json("report", "--since", "7d")
    figures = told["figures"]
    assert (figures["tickets"], figures["by_reason"], figures["messages_in"]) == (12, {"damaged": 12}, 1)
    assert [total["total"] for total in figures["refunds_settled"]] == [{"amount": "13.00", "currency": "EUR"}]
    window = datetime.fromisoformat(figures["until"]) - datetime.fromisoformat(figures["since"])
    assert window == timedelta(days=7)
    assert [(channel["id"], channel["state"]) for channel in told["channels"]] == [("shop", "attention")]
    assert [(spike["reason"], spike["count"]) for spike in told["reason_spikes"]] == [("damaged", 12)]


def test_the_window_is_as_wide_as_asked(busy):
    assert busy.json("report", "--since", "30d")["figures"]["tickets"] == 13
    assert busy.json("report", "--since", "90m")["figures"]["tickets"] == 0
    assert busy.json("report", "--since", "3h")["figures"]["tickets"] == 12


def test_people_read_a_table(busy):
    said = busy("report").stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "tickets filed 12" in lines
    assert "by reason damaged 12" in lines
    assert "refunds booked: 2 13.00 EUR" in lines
    assert any(line.startswith("shop shopify attention") and "the token is refused" in line for line in lines)
    assert any(line.startswith("damaged 12") for line in lines)


@pytest.mark.parametrize("since", ["week", "7", "7 days", "-7d", "0d", "", "7w"])
def test_a_span_that_is_none_names_the_form(desk, since):
    said = desk("report", f"--since={since}", code=2).stderr
    assert "write a number and a unit: 90m, 12h or 7d" in " ".join(said.replace("│", " ").split())


def test_a_span_before_the_calendar_is_refused(desk):
    said = desk("report", "--since", "999999d", code=2).stderr
    assert "before the calendar begins" in " ".join(said.replace("│", " ").split())


def test_f15_people_read_key_figures_and_progress(busy):
    lines = [" ".join(line.split()) for line in busy("report").stdout.splitlines()]
    assert any(line.startswith("damaged 12 open 12") and line.endswith("0.0 % (0 of 12)") for line in lines), lines
    assert "first answer average, elapsed time \u2013" in lines
    assert "buyers satisfied \u2013" in lines


@pytest.mark.parametrize(
    ("until", "what"),
    [("noon", "is no instant"), ("2026-01-05T09:00:00", "has no time zone"), ("2200-01-01T00:00:00Z", "still to come")],
)
def test_f15_an_instant_that_is_none_is_refused(desk, until, what):
    said = desk("report", "--until", until, code=2).stderr
    assert what in " ".join(said.replace("│", " ").split())


def test_f16_a_month_is_told_as_text_json_and_table(busy, tmp_path):
    month = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m}"  # when the money was booked
    assert busy.json("report", "month", month)["month"] == month
    path = tmp_path / "month.csv"
    lines = [" ".join(line.split()) for line in busy("report", "month", month, "--csv", str(path)).stdout.splitlines()]
    assert f"written to {path}" in lines
    assert any(line.startswith("refunds damaged 2: 13.00 EUR") for line in lines), lines
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["section", "name", "figure", "value", "unit"]
    assert ["refund", "damaged", "total", "13.00", "EUR"] in rows


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["2026-13"], "write year and month: 2026-11"),
        (["2199-01"], "has not begun yet"),
        (["2026-01", "--zone", "Mars/Base"], "is no time zone"),
        (["2026-01", "--zone", "../etc"], "is no time zone"),
    ],
)
def test_f16_what_is_no_month_or_zone_is_refused(desk, arguments, what):
    said = desk("report", "month", *arguments, code=2).stderr
    assert what in " ".join(said.replace("│", " ").split())
