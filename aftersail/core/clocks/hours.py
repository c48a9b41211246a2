"""From a calendar's text to the hours of one year, on the wall clock: weekly hours, dated hours, closed days."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from opening_hours import (  # type: ignore[attr-defined]  # the stub leaves ParserError out
    OpeningHours,
    ParserError,
    State,
)

from aftersail.core.clocks.spec import CalendarError, CalendarSpec, HolidayRule
from aftersail.core.clocks.zones import midnight

Span = tuple[datetime, datetime]
"""Open from, until (not included); naive, on the calendar's wall clock."""

_DAY = timedelta(days=1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ALWAYS = "24/7"
_EXAMPLE = 'write for instance "Mo-Fr 09:00-12:00,13:30-18:00" or "24/7"'
_PARSER_PLACE = re.compile(r"--> \d+:(?P<column>\d+)")
_PARSER_REASON = re.compile(r"^\s*= (?P<reason>.+)$", re.MULTILINE)

_REFUSED = (
    (
        re.compile(r"-\s*\d\d:59\b"),
        "ends a minute before the hour, which loses that minute every day",
        "end at the full hour, midnight is 24:00",
    ),
    (re.compile(r"\b(\d\d:\d\d)\s*-\s*\1\b"), "ends when it begins", "write 00:00-24:00 for a whole day, or off"),
    (re.compile(r"\d\+"), "leaves the end open", "write when it closes"),
    (re.compile(r"\b(?:PH|SH)\b"), "names holidays", "list them under `holidays`, `closed` or `exceptions`"),
    (
        re.compile(r"\b(?:Feb 3[01]|(?:Apr|Jun|Sep|Nov) 31)\b"),
        "is no date, and the parser would take it for every day",
        "write a date that exists",
    ),
    (re.compile(r"\b(?:sunrise|sunset|dawn|dusk)\b"), "follows the sun", "write hours"),
)
"""What the syntax allows and a deadline cannot stand on."""


class Hours:
    """The open spans of a calendar, year by year, on its wall clock."""

    def __init__(self, spec: CalendarSpec) -> None:
        self._id = spec.id
        self._weekly = _parse(spec.id, "hours", spec.hours)
        self._rules = tuple(rule for rule in spec.holidays if not rule.staffed)
        self._closed = tuple(_range(spec.id, entry) for entry in spec.closed)
        self._exceptions = {day: _dated(spec.id, day, text) for day, text in spec.exceptions.items()}
        for rule in spec.holidays:
            _check_country(spec.id, rule)

    def year(self, year: int) -> list[Span]:
        """List the open spans within one year, in order, without overlap."""
        first, last = midnight(date(year, 1, 1)), midnight(date(year + 1, 1, 1))
        own_days = {day for day in self._exceptions if day.year == year}
        spans = list(_without(_open_spans(self._weekly, first, last), sorted({*own_days, *self._days_off(year)})))
        for day in {*own_days, first.date() - _DAY}:
            spans.extend(self._exceptions.get(day, ()))
        return [(max(start, first), min(end, last)) for start, end in merged(spans) if start < last and end > first]

    def _days_off(self, year: int) -> Iterator[date]:
        for first, last in self._closed:
            day, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
            while day <= end:
                yield day
                day += _DAY
        for rule in self._rules:
            yield from holiday_names(rule, year)


def holiday_names(rule: HolidayRule, year: int) -> dict[date, str]:
    """Return the public holidays of one year with their names, those observed on another day included.

    Raises:
        NotImplementedError: the country or its subdivision is not known.
    """
    from holidays import country_holidays  # noqa: PLC0415 - costs a fifth of a second, and many calendars have none.

    found = country_holidays(rule.country, subdiv=rule.subdivision, years=year)
    return {day: name for day, name in found.items() if day.year == year}


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sort spans and join those that touch or overlap."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _parse(calendar: str, field: str, text: str) -> OpeningHours:
    """Read one text without zone or country; those are ours to apply: the parser's own lose an hour in autumn."""
    for pattern, wrong, fix in _REFUSED:
        if found := pattern.search(text):
            where = f'{field} "{text}", column {found.start() + 1}'
            raise CalendarError(calendar, f'{where}: "{found[0]}" {wrong}', fix)
    try:
        hours = OpeningHours(text, auto_country=False, auto_timezone=False)
    except ParserError as error:
        place, reason = _PARSER_PLACE.search(str(error)), _PARSER_REASON.search(str(error))
        column = f", column {place['column']}" if place else ""
        why = reason["reason"] if reason else "cannot be read"
        raise CalendarError(calendar, f'{field} "{text}"{column}: {why}', _EXAMPLE) from error
    if hours.warnings:
        raise CalendarError(calendar, f'{field} "{text}": {"; ".join(hours.warnings)}', _EXAMPLE)
    if re.search(r"\bunknown\b", text):
        raise CalendarError(calendar, f'{field} "{text}": "unknown" is neither open nor closed', "write open or off")
    return hours


def _dated(calendar: str, day: date, text: str) -> list[Span]:
    field = f"exceptions of {day}"
    times = "00:00-24:00" if text.strip() == _ALWAYS else text
    _parse(calendar, field, times)
    hours = _parse(calendar, field, f"{day.year} {_MONTHS[day.month - 1]} {day.day:02} {times}")
    first = midnight(day)
    return list(_open_spans(hours, first, first + 2 * _DAY))


def _range(calendar: str, entry: date | tuple[date, date]) -> tuple[date, date]:
    first, last = entry if isinstance(entry, tuple) else (entry, entry)
    if last < first:
        raise CalendarError(calendar, f"closed from {first} to {last} ends before it begins", "swap the two dates")
    return first, last


def _check_country(calendar: str, rule: HolidayRule) -> None:
    try:
        holiday_names(rule, 2026)
    except NotImplementedError as error:
        fix = 'use ISO codes in capitals, such as country "GB" with subdivision "ENG"'
        raise CalendarError(calendar, f"holidays: {error}", fix) from error


def _open_spans(hours: OpeningHours, first: datetime, last: datetime) -> Iterator[Span]:
    for start, end, state, _ in hours.intervals(first, last):
        if state == State.OPEN:
            yield start, end


def _without(spans: Iterable[Span], days: list[date]) -> Iterator[Span]:
    """Cut whole civil days out of spans; both come in order."""
    for start, end in spans:
        rest = start
        for day in days[bisect_left(days, start.date()) :]:
            day_begins = midnight(day)
            if day_begins >= end:
                break
            if rest < day_begins:
                yield rest, day_begins
            rest = day_begins + _DAY
        if rest < end:
            yield rest, end
