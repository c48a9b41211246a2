"""Wall clock to instants where the clock is put forward or back, as whole microseconds since 1970 UTC."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from aftersail.core.clocks.spec import CalendarError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_ONE_SECOND = timedelta(seconds=1)


def micros(at: datetime) -> int:
    """Return whole microseconds since 1970 UTC.

    Raises:
        ValueError: the value is naive, so nobody can say which zone it means.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; pass an aware datetime, best in UTC")
    return (at - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Return the UTC datetime of whole microseconds since 1970 UTC."""
    return EPOCH + timedelta(microseconds=value)


def midnight(day: date) -> datetime:
    """Return when a date begins on the wall clock, naive: `opening` and `closing` make it an instant."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the one place that makes wall-clock values.


def load_zone(calendar: str, name: str) -> ZoneInfo:
    """Return a time zone by its IANA name, or say which one was probably meant."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        fix = f'did you mean "{near[0]}"?' if near else 'use an IANA name, such as "Europe/Berlin"'
        raise CalendarError(calendar, f'there is no time zone "{name}"', fix, field="timezone") from error


def opening(wall: datetime, zone: ZoneInfo) -> int:
    """Return when a shift that begins at this wall time begins.

    A time the clock shows twice is its first pass; a time it skips is the moment of the skip.
    """
    first, second = _at(wall, zone, 0), _at(wall, zone, 1)
    return first if first <= second else _skip(second, first, zone)


def closing(wall: datetime, zone: ZoneInfo) -> int:
    """Return when a shift that ends at this wall time ends: right after the last second that it covers.

    A second the clock shows twice is covered in both passes, so where 02:00 to 03:00 comes twice, who works until
    03:00 stays through both hours, and who works until 02:00 leaves when the first begins.
    """
    covered = wall - _ONE_SECOND
    first, second = _at(covered, zone, 0), _at(covered, zone, 1)
    return second + SECOND if first <= second else _skip(second, first, zone)


def _at(wall: datetime, zone: ZoneInfo, fold: int) -> int:
    return (wall.replace(tzinfo=zone, fold=fold) - EPOCH) // _MICROSECOND


def _skip(early: int, late: int, zone: ZoneInfo) -> int:
    """Find the moment the clock jumps: the two readings of a time it skips lie on either side of it."""
    before, after = early // SECOND, late // SECOND
    offset = instant(before * SECOND).astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if instant(middle * SECOND).astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after * SECOND
