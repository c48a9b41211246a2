"""From a calendar's text to the hours of one year, on the wall clock: weekly hours, dated hours, closed days."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

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

_TIMES = re.compile(r"\d\d:\d\d\s*-\s*\d\d:\d\d")
_ADDED = re.compile(r"(?<=:\d\d)\s*,\s*(?=[A-Z])")
"""The comma that adds a rule to the one before, as in `Mo-Fr 09:00-17:00, Sa 10:00-12:00`."""
_YEAR = re.compile(r"\b(?:19|2[01])\d\d\b")
_ANY_YEAR = 2024


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

    def weekly(self, first: date, last: date) -> list[Span]:
        """List the open spans of the weekly hours from a date until another, as if no day had hours of its own."""
        return merged(_open_spans(self._weekly, midnight(first), midnight(last)))

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
    if clash := _overlap(text):
        where = f'{field} "{text}": {clash[0]} and {clash[1]} overlap'
        raise CalendarError(calendar, where, "let one end before the other begins, or join them")
    if cut := _cut_short(text, hours):
        where = f'{field} "{text}": {cut} would end at midnight, since the rule of the next day takes its place'
        raise CalendarError(calendar, where, 'put "," in place of ";" between the two rules')
    return hours


def _cut_short(text: str, hours: OpeningHours) -> str | None:
    """Find a night shift that the hours of the next day cut off, unless those are none: then somebody meant it."""
    if ";" not in text:
        return None
    first, last = _looked_at(text)
    whole = list(_open_spans(hours, first, last))
    ends, opening_days = {end for _, end in whole}, {start.date() for start, _ in whole}
    for piece, found, times in (each for rule in text.split(";") for each in _pieces(rule)):
        one = f"{piece[: found.start()]}{times}"
        for start, end in _spans_of(one, first, last):
            night = midnight(end.date())
            if start < night < end and night in ends and night.date() in opening_days:
                return one.strip()
    return None


def _looked_at(text: str) -> Span:
    named = _YEAR.search(text)
    year = int(named[0]) if named else _ANY_YEAR
    return midnight(date(year, 1, 1)), midnight(date(year + 1, 1, 1))


def _overlap(text: str) -> tuple[str, str] | None:
    """Find two hours of one rule that are open together: the parser joins them, and somebody meant something else."""
    first, last = _looked_at(text)
    for rule in text.split(";"):
        alone = [f"{piece[: found.start()]}{times}" for piece, found, times in _pieces(rule)]
        spans = sorted((span, one) for one in alone for span in _spans_of(one, first, last)) if len(alone) > 1 else []
        for ((_, end), one), ((start, _), other) in pairwise(spans):
            if start < end and one != other:
                return one.strip(), other.strip()
    return None


def _pieces(rule: str) -> Iterator[tuple[str, re.Match[str], str]]:
    for piece in _ADDED.split(rule):
        times = list(_TIMES.finditer(piece))
        yield from ((piece, times[0], found[0]) for found in times)


def _spans_of(text: str, first: datetime, last: datetime) -> Iterator[Span]:
    try:
        yield from _open_spans(OpeningHours(text, auto_country=False, auto_timezone=False), first, last)
    except ParserError:
        return  # only a part of a longer rule: what it says with the rest was read already


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
        raise CalendarError(
            calendar, f"closed from {first} to {last} ends before it begins", "swap the two dates", field="closed"
        )
    return first, last


def _check_country(calendar: str, rule: HolidayRule) -> None:
    try:
        holiday_names(rule, 2026)
    except NotImplementedError as error:
        fix = 'use ISO codes in capitals, such as country "GB" with subdivision "ENG"'
        raise CalendarError(calendar, f"holidays: {error}", fix, field="holidays") from error


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
