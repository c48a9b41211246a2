"""What is doubtful about a calendar: refused where a deadline cannot stand on it, else a warning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.hours import Hours, Span, holiday_names
from aftersail.core.clocks.spec import CalendarError, CalendarSpec
from aftersail.core.clocks.zones import load_zone, midnight
from aftersail.core.contract import Record

_DAY: Final = timedelta(days=1)
_STRIDE: Final = timedelta(days=10)
_GAP_YEARS: Final = range(2024, 2035)
"""Where a zone's clocks are put forward: rules do not change by the year, and these hold every weekday and leap day."""


class Finding(Record):
    """One thing that is wrong with a calendar, or may be.

    Attributes:
        field: of `CalendarSpec`.
        wrong: what is found.
        fix: what to write instead.
        refused: whether no pack may have it; else it is a warning.
    """

    field: str
    wrong: str
    fix: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.field}: {self.wrong}; {self.fix}"


def lint(spec: CalendarSpec, today: date | None = None) -> tuple[Finding, ...]:
    """Find what is wrong with a calendar.

    Refused are: hours that cannot be read, overlap, end at 23:59 or are never open, an unknown zone or country, and
    hours that lie wholly within an hour the clock skips. Hours that only begin or end in a skipped hour are a warning:
    they begin or end when it is over. With `today` it is also a warning where holidays, dated closures or open hours
    of next year are missing.
    """
    try:
        calendar = Calendar.build(spec)
    except CalendarError as error:
        return (Finding(field=error.field, wrong=error.wrong, fix=error.fix, refused=True),)
    hours = Hours(spec)
    found = [*_skipped(spec, hours)]
    if today is not None:
        found += _missing(spec, calendar, hours, today)
    return tuple(found)


def _skipped(spec: CalendarSpec, hours: Hours) -> Iterator[Finding]:
    """Look at the hours of every day on which the zone's clocks are put forward; each fault is told once."""
    told: set[str] = set()
    for begin, end in _gaps(spec.timezone):
        for start, stop in hours.weekly(begin.date() - _DAY, begin.date() + 2 * _DAY):
            finding = _in_gap((start, stop), (begin, end))
            if finding is not None and finding.fix not in told:
                told.add(finding.fix)
                yield finding


def _in_gap(span: Span, gap: Span) -> Finding | None:
    (start, stop), (begin, end) = span, gap
    when = f"{begin:%H:%M} to {end:%H:%M} on {begin:%Y-%m-%d}, which the clock skips"
    hours = f"{start:%H:%M}-{stop:%H:%M}"
    if begin <= start and stop <= end:
        fix = f"let the hours begin before {begin:%H:%M} or end after {end:%H:%M}"
        return Finding(field="hours", wrong=f"{hours} lies within {when}", fix=fix, refused=True)
    if begin <= start < end:
        fix = f"nothing to do if opening at {end:%H:%M} that day is right, else open at another time"
        return Finding(field="hours", wrong=f"{hours} begins within {when}", fix=fix, refused=False)
    if begin < stop < end:
        fix = f"nothing to do if closing at {end:%H:%M} that day is right, else close at another time"
        return Finding(field="hours", wrong=f"{hours} ends within {when}", fix=fix, refused=False)
    return None


@lru_cache(maxsize=64)
def _gaps(timezone: str) -> tuple[Span, ...]:
    """List the wall times a zone skips, as the clock before and after shows them."""
    zone = load_zone("", timezone)
    day, last = date(_GAP_YEARS[0], 1, 1), date(_GAP_YEARS[-1], 12, 31)
    found: list[Span] = []
    while day <= last:
        later = day + _STRIDE
        if _offset(midnight(day), zone) < _offset(midnight(later), zone):
            found.append(_gap(day, later, zone))
        day = later
    return tuple(found)


def _gap(day: date, later: date, zone: ZoneInfo) -> Span:
    """Find the first minute between two dates that the clock does not show: its two readings lie around the skip."""
    while _offset(midnight(day), zone) == _offset(midnight(day + _DAY), zone) and day < later:
        day += _DAY
    at, minute = midnight(day), timedelta(minutes=1)
    while (length := _offset(at, zone, 1) - _offset(at, zone)) <= timedelta() and at < midnight(later):
        at += minute
    return at, at + length


def _offset(wall: datetime, zone: ZoneInfo, fold: int = 0) -> timedelta:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()


def _missing(spec: CalendarSpec, calendar: Calendar, hours: Hours, today: date) -> Iterator[Finding]:
    year, coming = today.year, today.year + 1
    for rule in spec.holidays:
        if not rule.staffed and holiday_names(rule, year) and not holiday_names(rule, coming):
            wrong = f"no holidays of {rule.country} are known for {coming}"
            yield Finding(field="holidays", wrong=wrong, fix=f"list them under closed: [{coming}-01-01]", refused=False)
    dated = {"closed": _days(spec), "exceptions": list(spec.exceptions)}
    for field, days in dated.items():
        if days and any(day.year == year for day in days) and not any(day.year >= coming for day in days):
            wrong = f"lists days of {year} and none of {coming}"
            yield Finding(field=field, wrong=wrong, fix=f"add those of {coming}, or take {field} away", refused=False)
    if not hours.year(coming):
        wrong = f"calendar {calendar.id} has no open hour in {coming}"
        yield Finding(field="hours", wrong=wrong, fix="write hours without a year", refused=False)


def _days(spec: CalendarSpec) -> list[date]:
    return [entry[1] if isinstance(entry, tuple) else entry for entry in spec.closed]
