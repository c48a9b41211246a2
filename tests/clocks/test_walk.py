"""Ten thousand starts on each of twenty calendars, against a walk over every minute that looks at the wall clock."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aftersail.core.clocks import Calendar, CalendarSpec
from tests.clocks.test_calendar import Shifts, daily, weekdays

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
STARTS = 10_000
DAYS = 21
LONGEST = 40 * 60

SHIFTS: dict[str, Shifts] = {
    "24/7": daily((0, 1440)),
    "Mo-Su 08:00-22:00": daily((480, 1320)),
    "Mo-Fr 09:00-18:00": weekdays((540, 1080)),
    "Mo-Fr 09:00-12:00,13:30-18:00": weekdays((540, 720), (810, 1080)),
    "Mo-Su 22:00-06:00": daily((1320, 1800)),
    "Mo-Fr 21:30-05:15": weekdays((1290, 1755)),
    "Mo-Su 00:00-02:00,03:00-06:00": daily((0, 120), (180, 360)),
    "Mo-Fr 00:30-04:00,23:00-24:00": weekdays((30, 240), (1380, 1440)),
    "Mo-Su 01:15-02:45,07:07-19:19": daily((75, 165), (427, 1159)),
    "Mo,We,Sa 10:00-16:00, Su 12:00-26:00": {0: [(600, 960)], 2: [(600, 960)], 5: [(600, 960)], 6: [(720, 1560)]},
}
CLOSED = (date(2026, 10, 26), date(2027, 3, 30))
# Ten sets of hours, each in two zones around one of their clock changes, with a closed day beside it.
PLACES = [
    ("Europe/Berlin", datetime(2026, 10, 18, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 3, 7, tzinfo=UTC)),
    ("Europe/London", datetime(2027, 3, 21, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 9, 27, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2026, 10, 18, tzinfo=UTC)),
    ("America/Sao_Paulo", datetime(2026, 10, 18, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2027, 3, 21, tzinfo=UTC)),
]
CASES = [(hours, *PLACES[(number + 3 * half) % len(PLACES)]) for half in (0, 1) for number, hours in enumerate(SHIFTS)]


def walk(shifts: Shifts, zone: ZoneInfo, begin: datetime) -> list[bool]:
    """Look at every minute's wall clock."""
    opened = []
    for minute in range(DAYS * 1440):
        wall = (begin + minute * MINUTE).astimezone(zone)
        today, of_day = wall.date(), wall.hour * 60 + wall.minute
        own = any(start <= of_day < end for start, end in shifts.get(today.weekday(), ()))
        tail = any(of_day + 1440 < end for _, end in shifts.get((today.weekday() - 1) % 7, ()))
        opened.append(today not in CLOSED and (own or tail))
    return opened


@pytest.mark.slow
@pytest.mark.parametrize(("hours", "zone", "begin"), CASES)
def test_ten_thousand_due_times_are_what_a_walk_over_the_minutes_finds(hours: str, zone: str, begin: datetime) -> None:
    desk = Calendar.build(CalendarSpec(id="desk", timezone=zone, hours=hours, closed=CLOSED))
    opened = walk(SHIFTS[hours], ZoneInfo(zone), begin)
    after = [minute + 1 for minute, is_open in enumerate(opened) if is_open]  # where each open minute ends
    before = [0]
    for is_open in opened:
        before.append(before[-1] + is_open)
    chance = random.Random(f"{hours} {zone}")
    checked = 0
    while checked < STARTS:
        minute, wanted = chance.randrange(len(opened)), chance.randrange(1, LONGEST)
        if before[minute] + wanted > len(after):
            continue  # due after the walk has ended
        seconds = chance.randrange(60) if opened[minute] else 0
        start = begin + minute * MINUTE + timedelta(seconds=seconds)
        wait = wanted * MINUTE - timedelta(seconds=seconds)
        assert desk.due(start, wait) == begin + after[before[minute] + wanted - 1] * MINUTE, (start, wait)
        checked += 1
