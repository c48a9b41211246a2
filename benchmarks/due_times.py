"""Due times: `Calendar.due` beside a table of open intervals with two bisections, and beside `businesstimedelta`.

The table is the barest exact way there is; `businesstimedelta` is what a Python project would reach for.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from typing import Final

import businesstimedelta
from harness import Result, alternate, ratio, result
from holidays import country_holidays
from pytz import timezone

from aftersail.core.clocks import Calendar, CalendarSpec, HolidayRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COUNT = 10_000
_PEER_COUNT = 200
_WAIT = timedelta(hours=8)
_ZONE: Final = "Europe/Berlin"
_DESKS: Final = {
    "daily 8-22": (CalendarSpec(id="desk", timezone=_ZONE, hours="Mo-Su 08:00-22:00"), (8, 22, range(7))),
    "Mon-Fri 9-18 with holidays": (
        CalendarSpec(id="office", timezone=_ZONE, hours="Mo-Fr 09:00-18:00", holidays=(HolidayRule(country="DE"),)),
        (9, 18, range(5)),
    ),
}


class BareTable:
    """Open intervals of two years as whole microseconds; knows no holidays, no zones and no limits of its own."""

    def __init__(self, calendar: Calendar) -> None:
        windows = calendar.windows(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC))
        self.starts = [(start - _EPOCH) // _MICROSECOND for start, _ in windows]
        self.ends = [(end - _EPOCH) // _MICROSECOND for _, end in windows]
        self.through = list(accumulate(end - start for start, end in zip(self.starts, self.ends, strict=True)))

    def due(self, start: datetime, wait: timedelta) -> datetime:
        at = (start - _EPOCH) // _MICROSECOND
        index = bisect_right(self.starts, at) - 1
        before = self.through[index - 1] if index > 0 else 0
        opened = before + min(at, self.ends[index]) - self.starts[index] if index >= 0 else 0
        opened += wait // _MICROSECOND
        index = bisect_left(self.through, opened)
        return _EPOCH + timedelta(microseconds=self.ends[index] - (self.through[index] - opened))


def peer(calendar: Calendar, opens: int, closes: int, days: range) -> businesstimedelta.BusinessTimeDelta:
    """Eight hours of the same calendar, as `businesstimedelta` says it."""
    zone = timezone(_ZONE)  # it takes no other kind
    rules = [
        businesstimedelta.WorkDayRule(start_time=time(opens), end_time=time(closes), working_days=list(days), tz=zone)
    ]
    if calendar.spec.holidays:
        rules.append(businesstimedelta.HolidayRule(country_holidays("DE", years=[2026, 2027]), tz=zone))
    return businesstimedelta.BusinessTimeDelta(businesstimedelta.Rules(rules), timedelta=_WAIT)


def run() -> Iterator[Result]:
    """Compare on both calendars, after checking that all three give the same instants."""
    for name, (spec, shift) in _DESKS.items():
        yield from _compared(name, Calendar.build(spec), *shift)


def _compared(name: str, calendar: Calendar, opens: int, closes: int, days: range) -> Iterator[Result]:
    table, delta = BareTable(calendar), peer(calendar, opens, closes, days)
    chance = random.Random(1)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    starts = [begin + timedelta(seconds=chance.randrange(360 * 86_400)) for _ in range(_COUNT)]
    few = starts[:_PEER_COUNT]
    ours = [calendar.due(start, _WAIT) for start in starts]
    if ours != [table.due(start, _WAIT) for start in starts]:
        raise AssertionError("the calendar and the bare table disagree")
    theirs = [start + delta for start in few]
    differ = [start for start, ours_due, due in zip(few, ours, theirs, strict=False) if ours_due != due]
    if differ:
        raise AssertionError(f"the calendar and businesstimedelta disagree from {differ[0]} on")
    times = alternate(
        {
            "ours": lambda: [calendar.due(start, _WAIT) for start in starts],
            "bare": lambda: [table.due(start, _WAIT) for start in starts],
            "peer": lambda: [start + delta for start in few],
        },
        rounds=15,
    )
    yield result(f"one due time, {name}", min(times["ours"]) / _COUNT * 1e6, "µs")
    rate = ratio(times["bare"], times["ours"])
    yield result("  as a share of a bare interval table's rate", rate, "x", floor=0.8, goal=1, more=True)
    rate = ratio(times["peer"], times["ours"]) * _COUNT / _PEER_COUNT
    yield result("  as a multiple of businesstimedelta's rate", rate, "x", floor=20, goal=100, more=True)
