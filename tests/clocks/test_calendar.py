"""Calendars against a walk over every minute, where clocks change, and what they refuse."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aftersail.core.clocks import Calendar, CalendarError, CalendarSpec, HolidayRule

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Weekday (0 is Monday) to the minutes of the day at which shifts begin and end; an end past 24:00 is the next morning.
Shifts = dict[int, list[tuple[int, int]]]


def daily(*shifts: tuple[int, int]) -> Shifts:
    return {weekday: list(shifts) for weekday in range(7)}


def weekdays(*shifts: tuple[int, int]) -> Shifts:
    return {weekday: list(shifts) for weekday in range(5)}


GERMAN_DAYS_OFF = {
    date(2026, 10, 3): "Unity",
    date(2026, 12, 25): "Christmas",
    date(2026, 12, 26): "Second day of Christmas",
    date(2027, 1, 1): "New Year",
    date(2027, 3, 26): "Good Friday",
    date(2027, 3, 29): "Easter Monday",
}
CASES: dict[str, tuple[CalendarSpec, Shifts, set[date]]] = {
    "round the clock": (CalendarSpec(id="a", timezone="Europe/Berlin", hours="24/7"), daily((0, 1440)), set()),
    "daily": (
        CalendarSpec(id="b", timezone="Asia/Shanghai", hours="Mo-Su 08:00-22:00"),
        daily((480, 1320)),
        set(),
    ),
    "office with holidays": (
        CalendarSpec(
            id="c", timezone="Europe/Berlin", hours="Mo-Fr 09:00-18:00", holidays=(HolidayRule(country="DE"),)
        ),
        weekdays((540, 1080)),
        set(GERMAN_DAYS_OFF),
    ),
    "split": (
        CalendarSpec(id="d", timezone="Europe/London", hours="Mo-Fr 09:00-12:00,13:30-18:00"),
        weekdays((540, 720), (810, 1080)),
        set(),
    ),
    "overnight": (
        CalendarSpec(id="e", timezone="America/New_York", hours="Mo-Su 22:00-06:00"),
        daily((1320, 1800)),
        set(),
    ),
    "overnight on weekdays, some closed": (
        CalendarSpec(
            id="f",
            timezone="Europe/Berlin",
            hours="Mo-Fr 21:30-05:15",
            closed=(date(2026, 10, 23), (date(2027, 3, 24), date(2027, 3, 26))),
        ),
        weekdays((1290, 1755)),
        {date(2026, 10, 23), date(2027, 3, 24), date(2027, 3, 25), date(2027, 3, 26)},
    ),
    "the changing hours": (
        CalendarSpec(id="g", timezone="Europe/Berlin", hours="Mo-Su 00:00-02:00,03:00-06:00"),
        daily((0, 120), (180, 360)),
        set(),
    ),
    "half-hour change": (
        CalendarSpec(id="h", timezone="Australia/Lord_Howe", hours="Mo-Su 00:30-04:00,23:00-24:00"),
        daily((30, 240), (1380, 1440)),
        set(),
    ),
}
STARTS = [
    datetime(2026, 10, 1, tzinfo=UTC),  # Lord Howe goes forward
    datetime(2026, 10, 22, tzinfo=UTC),  # Berlin and London go back
    datetime(2026, 10, 30, tzinfo=UTC),  # New York goes back
    datetime(2026, 12, 23, tzinfo=UTC),  # Christmas and the end of the year
    datetime(2027, 3, 11, tzinfo=UTC),  # New York goes forward
    datetime(2027, 3, 24, tzinfo=UTC),  # Easter, Berlin and London go forward
    datetime(2027, 4, 2, tzinfo=UTC),  # Lord Howe goes back
]


@cache
def built(name: str) -> Calendar:
    return Calendar.build(CASES[name][0])


@cache
def open_minutes(name: str, start: datetime) -> tuple[bool, ...]:
    """Walk six days minute by minute and look at the wall clock."""
    spec, shifts, closed = CASES[name]
    zone = ZoneInfo(spec.timezone)
    walk = []
    for minute in range(6 * 24 * 60):
        wall = (start + minute * MINUTE).astimezone(zone)
        today, of_day = wall.date(), wall.hour * 60 + wall.minute
        own = any(begin <= of_day < end for begin, end in shifts.get(today.weekday(), ()))
        tail = any(of_day + 1440 < end for _, end in shifts.get((today - DAY).weekday(), ()))
        walk.append(today not in closed and (own or tail))
    return tuple(walk)


names, starts = st.sampled_from(sorted(CASES)), st.sampled_from(STARTS)
minutes = st.integers(0, 6 * 24 * 60 - 1)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as asked.
spans = st.timedeltas(timedelta(0), timedelta(hours=200))


@given(names, starts, minutes, st.integers(1, 3000))
def test_due_is_what_a_walk_over_the_minutes_finds(name, start, first, wanted):
    walk = open_minutes(name, start)
    left, minute = wanted, first
    while left and minute < len(walk):
        left -= walk[minute]
        minute += 1
    assume(left == 0)
    assert built(name).due(start + first * MINUTE, wanted * MINUTE) == start + minute * MINUTE


@given(names, starts, minutes, minutes)
def test_open_time_is_what_a_walk_over_the_minutes_finds(name, start, first, last):
    first, last = sorted((first, last))
    counted = sum(open_minutes(name, start)[first:last]) * MINUTE
    assert built(name).open_time(start + first * MINUTE, start + last * MINUTE) == counted


@given(names, starts, minutes, st.integers(1, 3000))
def test_back_is_what_a_walk_over_the_minutes_finds(name, start, last, wanted):
    walk = open_minutes(name, start)
    left, minute = wanted, last
    while left and minute > 0:
        minute -= 1
        left -= walk[minute]
    assume(left == 0)
    assert built(name).back(start + last * MINUTE, wanted * MINUTE) == start + minute * MINUTE


@given(names, starts, minutes, st.integers(0, 59_999_999))
def test_is_open_is_what_the_wall_clock_says(name, start, minute, micros):
    at = start + minute * MINUTE + micros * MICROSECOND
    assert built(name).is_open(at) == open_minutes(name, start)[minute]


@given(names, instants, spans)
def test_so_much_open_time_lies_before_the_due_instant(name, start, span):
    desk = built(name)
    assert desk.open_time(start, desk.due(start, span)) == span


@given(names, instants, st.timedeltas(MICROSECOND, timedelta(hours=200)))
def test_due_is_the_first_such_instant(name, start, span):
    desk = built(name)
    assert desk.open_time(start, desk.due(start, span) - MICROSECOND) == span - MICROSECOND


@given(names, instants, instants, spans, spans)
def test_due_grows_with_start_and_with_time(name, one, other, short, long):
    desk = built(name)
    assert desk.due(min(one, other), short) <= desk.due(max(one, other), short)
    assert desk.due(one, min(short, long)) <= desk.due(one, max(short, long))


@given(names, instants, spans, spans)
def test_due_in_two_steps_is_due_in_one(name, start, one, other):
    desk = built(name)
    assert desk.due(desk.due(start, one), other) == desk.due(start, one + other)


@given(names, instants, st.timedeltas(MICROSECOND, timedelta(hours=200)))
def test_back_undoes_due(name, start, span):
    desk = built(name)
    assert desk.back(desk.due(start, span), span) == desk.next_open(start)
    assert desk.open_time(desk.back(start, span), start) == span


@given(names, instants)
def test_the_next_opening_is_open_and_nothing_before_it_is(name, at):
    desk = built(name)
    opens = desk.next_open(at)
    assert desk.is_open(opens)
    assert desk.open_time(at, opens) == timedelta(0)


@given(names, instants, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_windows_add_up_to_open_time(name, a, span):
    desk = built(name)
    windows = desk.windows(a, a + span)
    assert sum((end - start for start, end in windows), timedelta(0)) == desk.open_time(a, a + span)
    assert all(one[1] < two[0] for one, two in pairwise(windows))


@given(st.lists(st.integers(2012, 2030), min_size=2, max_size=5))
def test_the_order_of_questions_changes_no_answer(years):
    spec = CalendarSpec(
        id="x", timezone="Europe/Berlin", hours="Mo-Fr 22:00-06:00", exceptions={date(2020, 12, 31): "20:00-04:00"}
    )
    asked = Calendar.build(spec)
    for year in years:
        at = datetime(year, 12, 31, 21, 30, tzinfo=UTC)
        assert asked.due(at, 20 * HOUR) == Calendar.build(spec).due(at, 20 * HOUR)
        assert asked.back(at, 20 * HOUR) == Calendar.build(spec).back(at, 20 * HOUR)


def test_threads_may_share_a_calendar():
    desk, alone = (Calendar.build(CalendarSpec(id="x", timezone="UTC", hours="Mo-Fr 09:00-17:00")) for _ in range(2))
    starts = [datetime(1980 + step, 6, 1, tzinfo=UTC) for step in range(60)]
    answers: dict[datetime, datetime] = {}

    def ask(some: list[datetime]) -> None:
        answers.update({at: desk.due(at, 100 * HOUR) for at in some})

    threads = [Thread(target=ask, args=(starts[step::4],)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {at: alone.due(at, 100 * HOUR) for at in starts}


def simple(hours: str, zone: str = "Europe/Berlin", **more) -> Calendar:
    return Calendar.build(CalendarSpec(id="desk", timezone=zone, hours=hours, **more))


@pytest.mark.parametrize(
    ("hours", "zone", "day", "real_hours"),
    [
        ("Mo-Su 02:00-04:00", "Europe/Berlin", date(2026, 10, 25), 3),  # covers the repeated hour
        ("Mo-Su 02:00-04:00", "Europe/Berlin", date(2027, 3, 28), 1),  # 02:00 to 03:00 is skipped
        ("Mo-Su 02:00-03:00", "Europe/Berlin", date(2027, 3, 28), 0),
        ("Mo-Su 02:00-03:00", "Europe/Berlin", date(2026, 10, 25), 2),
        ("Mo-Su 00:00-02:00", "Europe/Berlin", date(2026, 10, 25), 2),  # ends when the repeated hour begins
        ("Mo-Su 03:00-05:00", "Europe/Berlin", date(2026, 10, 25), 2),  # begins when it is over
        ("Mo-Su 00:00-02:30", "Europe/Berlin", date(2026, 10, 25), 3.5),  # through to the second 02:30
        ("Mo-Su 02:30-05:00", "Europe/Berlin", date(2026, 10, 25), 3.5),  # from the first 02:30
        ("Mo-Su 01:00-02:30", "Europe/Berlin", date(2027, 3, 28), 1),  # the end is skipped
        ("24/7", "Europe/Berlin", date(2027, 3, 28), 23),
        ("24/7", "Europe/Berlin", date(2026, 10, 25), 25),
        ("24/7", "America/Havana", date(2026, 11, 1), 25),  # midnight comes twice
        ("24/7", "Asia/Beirut", date(2026, 10, 24), 25),  # midnight goes back to 23:00
        ("Mo-Su 22:00-24:00", "Asia/Beirut", date(2026, 10, 24), 3),
        ("24/7", "Pacific/Apia", date(2011, 12, 30), 0),  # the day that was left out
    ],
)
def test_real_hours_of_a_day_on_which_the_clock_changes(hours, zone, day, real_hours):
    desk = simple(hours, zone)
    begin = desk.due_calendar_days(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)) - DAY, 0)
    end = desk.due_calendar_days(begin, 0) if real_hours else begin
    assert desk.open_time(begin, end) == real_hours * HOUR


def test_dated_hours_go_before_closed_days_and_these_before_weekly_hours():
    desk = simple(
        "Mo-Fr 09:00-17:00",
        "UTC",
        closed=((date(2026, 12, 21), date(2026, 12, 31)),),
        exceptions={date(2026, 12, 24): "10:00-12:00", date(2026, 12, 27): "24/7", date(2027, 1, 4): "off"},
    )
    found = desk.windows(datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC))
    assert [(start.strftime("%d %H"), (end - start) // HOUR) for start, end in found] == [
        ("24 10", 2),
        ("27 00", 24),
        ("01 09", 8),
    ]


def test_dated_night_hours_run_over_the_end_of_the_year():
    desk = simple("Mo-Fr 09:00-17:00", "UTC", exceptions={date(2026, 12, 31): "22:00-02:00"})
    assert desk.is_open(datetime(2027, 1, 1, 1, 59, tzinfo=UTC))
    assert not desk.is_open(datetime(2027, 1, 1, 2, tzinfo=UTC))
    assert not desk.is_open(datetime(2026, 12, 31, 10, tzinfo=UTC))


def test_observed_holidays_and_subdivisions_count_and_staffed_ones_do_not():
    christmas = datetime(2026, 12, 28, 12, tzinfo=UTC)  # Boxing Day 2026 is a Saturday
    summer = datetime(2026, 8, 31, 12, tzinfo=UTC)
    britain, england, staffed = (
        simple("Mo-Fr 09:00-17:00", "UTC", holidays=(rule,))
        for rule in (
            HolidayRule(country="GB"),
            HolidayRule(country="GB", subdivision="ENG"),
            HolidayRule(country="GB", subdivision="ENG", staffed=True),
        )
    )
    assert [desk.is_open(christmas) for desk in (britain, england, staffed)] == [False, False, True]
    assert [desk.is_open(summer) for desk in (britain, england, staffed)] == [True, False, True]


def test_business_days():
    office = simple("Mo-Fr 09:00-17:00", "UTC")
    friday_night = datetime(2026, 11, 20, 20, tzinfo=UTC)
    assert office.due_days(friday_night, 1) == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert office.due_days(friday_night, 0) == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert office.due_days(friday_night - 10 * HOUR, 0) == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert office.business_days(friday_night, friday_night + 4 * DAY) == 2


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("Mo-Fr 09:00-17:00", "MTWTF--"),
        ("Mo-Fr 22:00-06:00", "MTWTF--"),  # Saturday morning is Friday's shift
        ("Mo 08:00-24:00; Tu-Th 00:00-24:00; Fr 00:00-18:00", "MTWTF--"),
        ("24/7", "MTWTFSS"),
    ],
)
def test_what_a_business_day_is(hours, expected):
    desk = simple(hours, "UTC")
    week = [date(2026, 11, 23) + step * DAY for step in range(7)]
    found = "".join(letter if desk.is_business_day(day) else "-" for letter, day in zip("MTWTFSS", week, strict=True))
    assert found == expected


@pytest.mark.parametrize(("fold", "left"), [(0, 90 * MINUTE), (1, 30 * MINUTE)])
def test_both_passes_of_a_repeated_hour_are_told_apart(fold, left):
    zone = ZoneInfo("Europe/Berlin")
    half_past_two = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold)
    assert simple("Mo-Su 00:00-03:00").open_time(half_past_two, datetime(2026, 10, 25, 3, tzinfo=zone)) == left


def test_a_shift_the_clock_skips_makes_no_business_day():
    desk = simple("Mo-Su 02:00-03:00")
    assert desk.is_business_day(date(2027, 3, 27))
    assert not desk.is_business_day(date(2027, 3, 28))
    assert desk.windows(datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 3, 28, 12, tzinfo=UTC)) == ()


def test_the_first_instant_of_a_year_not_asked_about_yet():
    desk = simple("24/7", "UTC")
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    assert desk.is_open(new_year - MICROSECOND)
    assert desk.is_open(new_year)
    assert not simple("24/7", "UTC", closed=(date(2027, 1, 1),)).is_open(new_year)


def test_a_year_is_worked_out_once(monkeypatch):
    desk = simple("Mo-Fr 09:00-17:00")
    worked_out: list[int] = []
    year = desk._hours.year
    monkeypatch.setattr(desk._hours, "year", lambda number: worked_out.append(number) or year(number))
    for asked in (2026, 2028, 2026, 2025, 2027):
        desk.due(datetime(asked, 6, 1, tzinfo=UTC), HOUR)
    assert sorted(worked_out) == [2025, 2026, 2027, 2028]


def test_calendar_days_end_at_local_midnight():
    desk = simple("Mo-Fr 09:00-17:00")
    evening = datetime(2026, 10, 23, 23, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert desk.due_calendar_days(evening, 2) == datetime(2026, 10, 26, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timezone": "Europe/Berln"}, 'no time zone "Europe/Berln"; did you mean "Europe/Berlin"?'),
        ({"timezone": "../etc/passwd"}, "no time zone"),
        ({"timezone": ""}, "no time zone"),
        ({"hours": "Mo-Fr 9-17h"}, 'hours "Mo-Fr 9-17h", column 7: expected'),
        ({"hours": ""}, "column 1"),
        ({"hours": "mo-fr 09:00-17:00"}, "capitalized"),
        ({"hours": "Mo-Fr 00:00-23:59"}, "midnight is 24:00"),
        ({"hours": "Mo-Fr 09:00-09:00"}, "ends when it begins"),
        ({"hours": "Mo-Fr 09:00+"}, "write when it closes"),
        ({"hours": "Mo-Fr 09:00-17:00; PH off"}, '"PH" names holidays'),
        ({"hours": "Mo-Fr 09:00-17:00; Feb 30 off"}, '"Feb 30" is no date'),
        ({"hours": "sunrise-sunset"}, "follows the sun"),
        ({"hours": "Mo-Fr 09:00-17:00 unknown"}, "neither open nor closed"),
        ({"holidays": (HolidayRule(country="XX"),)}, "Country XX not available"),
        ({"holidays": (HolidayRule(country="GB", subdivision="XX", staffed=True),)}, "does not have subdivision XX"),
        ({"closed": ((date(2026, 12, 24), date(2026, 12, 20)),)}, "ends before it begins"),
        ({"exceptions": {date(2026, 12, 24): "9-12"}}, 'exceptions of 2026-12-24 "9-12", column 1'),
        ({"exceptions": {date(2026, 12, 24): "09:00-23:59"}}, "exceptions of 2026-12-24"),
    ],
)
def test_a_calendar_nobody_can_work_with_is_refused(change, words):
    spec = CalendarSpec(id="desk", timezone="UTC", hours="Mo-Fr 09:00-17:00").model_copy(update=change)
    with pytest.raises(CalendarError) as caught:
        Calendar.build(spec)
    assert str(caught.value).startswith('calendar "desk": ')
    assert words in str(caught.value)
    assert str(caught.value).endswith(caught.value.fix)


def test_what_is_no_instant_or_no_length_is_refused():
    desk = simple("24/7")
    naive = datetime(2026, 11, 20, 12)  # noqa: DTZ001 - what is refused.
    with pytest.raises(ValueError, match="no time zone"):
        desk.due(naive, HOUR)
    with pytest.raises(ValueError, match="negative"):
        desk.due(datetime(2026, 11, 20, tzinfo=UTC), -HOUR)
    with pytest.raises(ValueError, match="negative"):
        desk.due_days(datetime(2026, 11, 20, tzinfo=UTC), -1)


@pytest.mark.parametrize("year", [1, 1969, 2200, 9999])
def test_years_nobody_means_are_refused(year):
    with pytest.raises(CalendarError, match="1970 to 2199"):
        simple("24/7", "America/New_York").is_open(datetime(year, 1, 1, tzinfo=UTC) + 12 * HOUR)


def test_nothing_open_before_is_refused():
    desk = simple("2026 Mo-Fr 09:00-17:00", "UTC")
    with pytest.raises(CalendarError, match="needs the year 1969"):
        desk.back(datetime(2025, 6, 1, tzinfo=UTC), HOUR)
