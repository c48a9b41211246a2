"""A calendar: how much open time lies between two instants, and when so much of it has passed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from aftersail.core.clocks.hours import Hours
from aftersail.core.clocks.spec import CalendarError, CalendarSpec
from aftersail.core.clocks.table import Table, Window
from aftersail.core.clocks.zones import EPOCH, closing, instant, load_zone, micros, midnight, opening

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
_LOAD_YEARS: Final = range(2020, 2061)
"""Where a new calendar must be open at least once; long enough for a leap day on any weekday."""
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_TIME: Final = timedelta()


class Calendar:
    """Open hours as exact instants, across daylight saving, holidays, split and overnight shifts.

    All instants go in aware, of any zone, and come out in UTC, exact to the microsecond; a naive one is a ValueError.
    Years 1970 to 2199 are known; what falls outside, or finds no open hour until then, is a CalendarError.
    """

    def __init__(self, spec: CalendarSpec, zone: ZoneInfo, hours: Hours) -> None:
        self.spec: Final = spec
        self.zone: Final = zone
        self._hours = hours
        self._table: Table | None = None

    @classmethod
    def build(cls, spec: CalendarSpec) -> Self:
        """Make a calendar ready for use; its table grows by years as it is asked.

        Raises:
            CalendarError: unknown time zone or country, hours that cannot be read or stood on, no open hour at all.
        """
        hours = Hours(spec)
        if not any(hours.year(year) for year in _LOAD_YEARS):
            span = f"between {_LOAD_YEARS[0]} and {_LOAD_YEARS[-1]}"
            raise CalendarError(spec.id, f"no open hour at all {span}", 'write hours such as "Mo-Fr 09:00-17:00"')
        return cls(spec, load_zone(spec.id, spec.timezone), hours)

    @property
    def id(self) -> str:
        """The name targets call it by."""
        return self.spec.id

    def due(self, start: datetime, open_time: timedelta) -> datetime:
        """Return the first instant by which this much open time has passed since `start`.

        What ends with closing time is due at closing time, not at the next opening.
        """
        if start.tzinfo is None or open_time <= _NO_TIME:
            return instant(micros(start) + self._wait(open_time))
        return EPOCH + timedelta(0, 0, self.due_micros((start - EPOCH) // _MICROSECOND, open_time // _MICROSECOND))

    def back(self, at: datetime, open_time: timedelta) -> datetime:
        """Return the last instant from which this much open time is left until `at`: where a warning belongs."""
        return instant(self.back_micros(micros(at), self._wait(open_time)))

    def due_micros(self, start: int, open_time: int) -> int:
        """Do as `due` does, with instants and open time (more than none) as microseconds."""
        # The one hot path: what `Table.opened` says, without the call.
        table = self._table
        if table is None or not table.low <= start < table.high:
            table = self._covering(start)
        index = bisect_right(table.starts, start) - 1
        reached = open_time
        if index >= 0:
            end = table.ends[index]
            reached += table.through[index] - (end - start if start < end else 0)
        while reached > table.total:
            table = self._later(table)
        index = bisect_left(table.through, reached)
        return table.ends[index] - table.through[index] + reached

    def back_micros(self, at: int, open_time: int) -> int:
        """Do as `back` does, with instants and open time as microseconds."""
        if not open_time:
            return at
        table = self._table
        if table is None or not table.low <= at < table.high:
            table = self._covering(at)
        while (reached := table.opened(at) - open_time) < 0:
            table = self._earlier(table)
        return table.last_instant(reached)

    def open_time(self, a: datetime, b: datetime) -> timedelta:
        """Return the open time from `a` to `b`; negative when `b` comes first."""
        first, last = micros(a), micros(b)
        table = self._covering(min(first, last), max(first, last))
        return timedelta(microseconds=table.opened(last) - table.opened(first))

    def is_open(self, at: datetime) -> bool:
        """Tell whether the desk is open; at closing time it is not."""
        value = micros(at)
        table = self._covering(value)
        index = table.window_from(value)
        return index < len(table.starts) and table.starts[index] <= value

    def next_open(self, at: datetime) -> datetime:
        """Return `at` itself while the desk is open, else the next opening."""
        value = micros(at)
        table = self._covering(value)
        while (index := table.window_from(value)) >= len(table.starts):
            table = self._later(table)
        return instant(max(value, table.starts[index]))

    def windows(self, a: datetime, b: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """List when the desk is open between two instants, for a person to read."""
        first, last = micros(a), micros(b)
        table = self._covering(min(first, last), last)
        found: list[tuple[datetime, datetime]] = []
        index = table.window_from(first)
        while index < len(table.starts) and table.starts[index] < last:
            found.append((instant(max(first, table.starts[index])), instant(min(last, table.ends[index]))))
            index += 1
        return tuple(found)

    def is_business_day(self, day: date) -> bool:
        """Tell whether a local date is a business day: the desk opens on it, or stays open around the clock.

        The morning tail of the night shift before does not make a day one.
        """
        return self._business_day_end(day) is not None

    def business_days(self, a: datetime, b: datetime) -> int:
        """Count the business days after the local date of `a`, up to and with that of `b`."""
        day, last, count = self.local(a).date(), self.local(b).date(), 0
        while day < last:
            day += _DAY
            count += self.is_business_day(day)
        return count

    def due_days(self, start: datetime, days: int) -> datetime:
        """Return the end of the n-th business day after the local date of `start`, which itself does not count.

        The end is the last closing time of that day, at the latest its midnight: "3 business days" from a Friday on a
        calendar `Mo-Fr` last until the end of Wednesday, on `Mo-Fr 09:00-17:00` until Wednesday 17:00. With 0 days it
        is the end of the first business day that is not over at `start`.
        """
        day, left, since = self.local(start).date(), self._days(days), micros(start)
        if not left:
            while (end := self._business_day_end(day)) is None or end < since:
                day += _DAY
            return instant(end)
        end = None
        while left:
            day += _DAY
            end = self._business_day_end(day)
            left -= end is not None
        return instant(end or since)

    def due_calendar_days(self, start: datetime, days: int) -> datetime:
        """Return the end (midnight) of the n-th local date after that of `start`, whatever the hours are."""
        day = self.local(start).date() + timedelta(days=self._days(days) + 1)
        return instant(opening(midnight(day), self.zone))

    def local(self, at: datetime) -> datetime:
        """Return the same instant on the calendar's wall clock."""
        return instant(micros(at)).astimezone(self.zone)

    def _business_day_end(self, day: date) -> int | None:
        before, begin, end = (opening(midnight(day + step), self.zone) for step in (-_DAY, 0 * _DAY, _DAY))
        table = self._covering(before, end)
        index, last, counts = table.window_from(begin), 0, False
        while index < len(table.starts) and table.starts[index] < end:
            start, last = table.starts[index], min(table.ends[index], end)
            around_the_clock = start <= before or table.ends[index] >= end
            counts = counts or start >= begin or around_the_clock
            index += 1
        return last if counts else None

    def _wait(self, open_time: timedelta) -> int:
        if open_time < _NO_TIME:
            raise ValueError(f"open time cannot be negative: {open_time}")
        return open_time // _MICROSECOND

    def _days(self, days: int) -> int:
        if days < 0:
            raise ValueError(f"days cannot be negative: {days}")
        return days

    def _covering(self, first: int, last: int | None = None) -> Table:
        last = first if last is None else last
        table = self._table
        if table is None:
            table = self._grown(None, self._year(first), self._year(first))
        if first < table.low:
            table = self._grown(table, self._year(first), table.last_year)
        if last >= table.high:
            table = self._grown(table, table.first_year, self._year(last))
        return table

    def _later(self, table: Table) -> Table:
        return self._grown(table, table.first_year, table.last_year + 1)

    def _earlier(self, table: Table) -> Table:
        return self._grown(table, table.first_year - 1, table.last_year)

    def _year(self, at: int) -> int:
        year = instant(at).year
        return instant(at).astimezone(self.zone).year if _FIRST_YEAR <= year <= _LAST_YEAR else year

    def _grown(self, table: Table | None, first: int, last: int) -> Table:
        """Replace the table by a longer one, in one assignment: a thread that reads meanwhile keeps its own."""
        if first < _FIRST_YEAR or last > _LAST_YEAR:
            year = last if last > _LAST_YEAR else first
            wrong = f"needs the year {year}, where it is not known or has no open hour left"
            raise CalendarError(
                self.id, wrong, f"check the date and the hours; {_FIRST_YEAR} to {_LAST_YEAR} are known"
            )
        windows: list[Window] = []
        for year in range(first, last + 1):
            if table is None or not table.first_year <= year <= table.last_year:
                windows.extend(self._windows_of(year))
            elif year == table.first_year:
                windows.extend(table.windows())
        low, high = (opening(midnight(date(year, 1, 1)), self.zone) for year in (first, last + 1))
        self._table = Table(first, last, low, high, windows)
        return self._table

    def _windows_of(self, year: int) -> list[Window]:
        return [(opening(start, self.zone), closing(end, self.zone)) for start, end in self._hours.year(year)]
