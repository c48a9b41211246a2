"""The linter: what no calendar may have, and what is only doubtful."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from aftersail.core.clocks import CalendarSpec, HolidayRule, lint
from aftersail.core.policy import PackError, PackLibrary, check
from aftersail.core.policy.loader import calendar_warnings

TODAY = date(2026, 11, 22)
BERLIN, NEW_YORK, CAIRO = "Europe/Berlin", "America/New_York", "Africa/Cairo"


def spec(hours: str = "Mo-Fr 09:00-17:00", zone: str = "UTC", **more) -> CalendarSpec:
    return CalendarSpec(id="desk", timezone=zone, hours=hours, **more)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        (spec("off"), "hours", "no open hour at all"),
        (spec("Mo-Fr 09:00-23:59"), "hours", "midnight is 24:00"),
        (spec(zone="Europe/Berln"), "timezone", 'did you mean "Europe/Berlin"'),
        (spec(holidays=(HolidayRule(country="XX"),)), "holidays", "use ISO codes"),
        (spec(closed=((date(2026, 12, 24), date(2026, 12, 20)),)), "closed", "swap the two dates"),
        (spec("Mo-Fr 09:00-13:00,12:00-18:00"), "hours", "Mo-Fr 09:00-13:00 and Mo-Fr 12:00-18:00 overlap"),
        (spec("Mo-Fr 09:00-17:00, Fr 16:00-20:00"), "hours", "Mo-Fr 09:00-17:00 and Fr 16:00-20:00 overlap"),
        (spec("Mo-Su 07:00-12:00,22:00-08:00"), "hours", "overlap"),
        (spec("Fr 22:00-06:00; Sa 10:00-12:00"), "hours", "Fr 22:00-06:00 would end at midnight"),
        (spec("Sa 10:00-12:00; Fr 22:00-06:00"), "hours", 'put "," in place of ";"'),
        (spec("2027 Mo 09:00-12:00,11:00-13:00"), "hours", "overlap"),
        (spec(exceptions={date(2026, 12, 24): "09:00-12:00,11:00-13:00"}), "hours", "exceptions of 2026-12-24"),
        (spec("Mo-Su 02:00-03:00", BERLIN), "hours", "02:00-03:00 lies within 02:00 to 03:00 on 2024-03-31"),
        (spec("Mo-Su 02:15-02:45,09:00-12:00", NEW_YORK), "hours", "lies within 02:00 to 03:00 on 2024-03-10"),
        (spec("Mo-Su 00:00-01:00", CAIRO), "hours", "lies within 00:00 to 01:00 on 2024-04-26"),
        (spec("Mo-Su 02:10-02:20", "Australia/Lord_Howe"), "hours", "lies within 02:00 to 02:30"),
    ],
)
def test_vector_12_what_no_calendar_may_have_is_refused_with_its_field_and_fix(given, field, words):
    (finding,) = lint(given)
    assert (finding.refused, finding.field) == (True, field)
    assert words in str(finding)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        (spec("Mo-Su 02:30-05:00", NEW_YORK), "hours", "02:30-05:00 begins within 02:00 to 03:00"),
        (spec("Mo-Su 00:00-02:30", BERLIN), "hours", "00:00-02:30 ends within 02:00 to 03:00"),
        (spec(closed=(date(2026, 12, 25),)), "closed", "lists days of 2026 and none of 2027"),
        (spec(exceptions={date(2026, 12, 24): "off"}), "exceptions", "lists days of 2026 and none of 2027"),
        (spec("2026 Mo-Fr 09:00-17:00"), "hours", "no open hour in 2027"),
    ],
)
def test_what_is_doubtful_is_a_warning(given, field, words):
    (finding,) = lint(given, TODAY)
    assert (finding.refused, finding.field) == (False, field)
    assert words in str(finding)


@pytest.mark.parametrize(
    "given",
    [
        spec("24/7", CAIRO),
        spec("Mo-Su 22:00-06:00", BERLIN),
        spec("Mo-Su 02:00-04:00", "Asia/Shanghai"),
        spec("Mo-Fr 02:00-03:00", BERLIN),  # its clocks change on Sundays
        spec("Mo-Fr 09:00-12:00,12:00-17:00"),
        spec("Fr 22:00-06:00, Sa 10:00-12:00"),
        spec("Mo-Fr 22:00-06:00; Sa,Su off"),
        spec("Mo 22:00-08:00,07:00-12:00"),  # the morning of Tuesday is another day than that of Monday
        spec("Mo,We,Fr 09:00-12:00, Sa 10:00-12:00"),
        spec("Mo-Fr 09:00-18:00; Fr 09:00-12:00; Sa,Su off"),
        spec(holidays=(HolidayRule(country="DE"),)),
        spec(closed=((date(2026, 12, 24), date(2027, 1, 3)),)),
        spec(closed=(date(2020, 12, 24),)),
    ],
)
def test_what_is_right_is_left_alone(given):
    assert lint(given, TODAY) == ()


def test_holidays_nobody_knows_for_next_year_are_a_warning(monkeypatch):
    known = {2026: {date(2026, 12, 25): "Christmas"}}
    module = sys.modules["aftersail.core.clocks.lint"]  # the package calls a function by that name
    monkeypatch.setattr(module, "holiday_names", lambda _, year: known.get(year, {}))
    (finding,) = lint(spec(holidays=(HolidayRule(country="DE"),)), TODAY)
    assert "no holidays of DE are known for 2027" in str(finding)
    assert lint(spec(holidays=(HolidayRule(country="DE", staffed=True),)), TODAY) == ()


PACK = """
id: lint
version: 1
title: Hours
effective_from: 2026-01-01
currency: USD
calendars:
  desk: {{timezone: America/New_York, hours: "{hours}"}}
"""


def test_a_pack_with_such_hours_does_not_load_and_says_where(tmp_path):
    (tmp_path / "lint.yaml").write_text(PACK.format(hours="Mo-Su 02:15-02:45,09:00-12:00"))
    (problem,) = check(tmp_path / "lint.yaml")
    assert (problem.line, "which the clock skips" in problem.message) == (8, True)
    with pytest.raises(PackError, match="which the clock skips"):
        PackLibrary([tmp_path])
    (tmp_path / "lint.yaml").write_text(PACK.format(hours="Mo-Su 02:30-05:00"))
    assert check(tmp_path) == []
    for path in (tmp_path, tmp_path / "lint.yaml"):
        (warning,) = calendar_warnings(path, TODAY)
        assert (warning.line, "begins within" in warning.message) == (8, True)
    (tmp_path / "lint.yaml").write_text("id: [")
    assert calendar_warnings(tmp_path, TODAY) == []
