"""The month of `month.py` as a report."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from aftersail.core.contract import Money
from aftersail.core.insight.kpis import calendars_of
from aftersail.core.insight.monthly import MonthError, csv_rows, month_report
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from tests.insight.month import SINCE, UNTIL, fill_november
from tests.web.filling import PACKS

LATER = UNTIL + timedelta(days=40)


def month(filling, name="2025-11", now=LATER, **values):
    with reading(filling.engine).connect() as conn:
        return month_report(conn, name, now, calendars_of(PACKS), **values)


@pytest.fixture
def november(filling):
    fill_november(filling)
    alarm = {"metric": "inquiries", "subject": "damaged", "recipients": ["manager"], "seen_at": SINCE}
    filling.add(tables.alarm, **alarm, why="many", raised_at=SINCE, closed_at=SINCE + timedelta(days=1))
    filling.add(tables.alarm, **alarm, why="before", raised_at=SINCE - timedelta(1), closed_at=SINCE)
    return month(filling)


def test_f16_the_mix_of_types(november):
    mix = [(line.reason, line.share.count, line.share.percent, line.month_before) for line in november.types]
    # Three filed as damaged, one each as the others; the late one, damaged too, was filed in October.
    assert mix == [
        ("damaged", 3, Decimal("60.0"), 1),
        ("not_received", 1, Decimal("20.0"), 0),
        ("other", 1, Decimal("20.0"), 0),
    ]


def test_f16_a_reason_that_stopped_is_still_listed(filling):
    fill_november(filling)
    december = month(filling, "2025-12")
    assert [(line.reason, line.share.count, line.month_before) for line in december.types] == [
        ("damaged", 0, 3),
        ("not_received", 0, 1),
        ("other", 0, 1),
    ]


def test_f16_refund_reasons_with_money_by_currency(november):
    assert [(line.reason, line.count, line.total) for line in november.refunds] == [
        ("damaged", 2, Money.of("19.90", "EUR")),
        ("not_received", 1, Money.of(2400, "JPY")),
    ]


def test_f16_agents_and_average_handling(november):
    assert [(line.agent, line.answers) for line in november.agents] == [("ada", 1), ("automation", 1)]
    assert november.kpis.by_agent["ben"].solve.elapsed.average_seconds == 72 * 3600
    assert november.kpis.by_reason["other"].solve.elapsed.average_seconds == 10 * 3600


def test_f16_alarms_of_the_month(november):
    assert [alarm.why for alarm in november.alarms] == ["many"]


def test_f16_a_month_begins_at_midnight_of_its_zone(filling):
    fill_november(filling)
    shanghai = month(filling, zone=ZoneInfo("Asia/Shanghai"))
    assert (shanghai.since, shanghai.until) == (SINCE - timedelta(hours=8), UNTIL - timedelta(hours=8))
    # Filed in October in UTC, in November in Shanghai; the other way round at the end of the month.
    assert shanghai.figures.by_reason == {"damaged": 3, "not_received": 1, "other": 1}
    assert shanghai.kpis.whole.first_response.elapsed.count == 4
    assert shanghai.zone == "Asia/Shanghai"


def test_f16_a_month_that_runs_counts_until_now(filling):
    fill_november(filling)
    running = month(filling, now=SINCE + timedelta(days=4))
    assert (running.complete, running.until) == (False, SINCE + timedelta(days=4))
    assert running.kpis.whole.solve.elapsed.count == 1
    assert month(filling, now=UNTIL).complete


@pytest.mark.parametrize(
    "name", ["2026-13", "2026-00", "november", "2026-1", "26-11", "0000-01", "9999-12", "2026-11-01"]
)
def test_f16_what_is_no_month_is_refused(filling, name):
    with pytest.raises(MonthError, match="write year and month: 2026-11"):
        month(filling, name)


def test_f16_a_month_that_has_not_begun_is_refused(filling):
    with pytest.raises(MonthError, match="2025-11 has not begun yet"):
        month(filling, now=SINCE)


def test_f16_january_follows_december(filling):
    fill_november(filling)
    january = month(filling, "2026-01", now=LATER + timedelta(days=60))
    assert (january.since.isoformat(), january.figures.tickets) == ("2026-01-01T00:00:00+00:00", 0)


def test_f16_the_table_says_what_the_report_says(november):
    rows = list(csv_rows(november))
    assert len({(*row[:3], row[4]) for row in rows}) == len(rows)
    assert ("type", "damaged", "share", "60.0", "percent") in rows
    assert ("refund", "damaged", "total", "19.90", "EUR") in rows
    assert ("kpi", "all", "first_response_elapsed_average", "17100", "seconds") in rows
    assert ("kpi", "all", "solve_business_average", "97200", "seconds") in rows
    assert ("kpi by reason", "other", "first_response_business_average", "", "seconds") in rows
    assert ("kpi", "all", "breaches_resolution", "2", "clocks") in rows


def test_f16_no_name_becomes_a_formula(filling):
    filling.channel()
    filling.ticket(filed_at=SINCE, owner="=cmd|x", state="closed", closed_at=SINCE)
    names = {row[1] for row in csv_rows(month(filling))}
    assert "'=cmd|x" in names
    assert "=cmd|x" not in names
