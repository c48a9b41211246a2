"""The numbered acceptance vectors, as far as clocks alone can express them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aftersail.core.clocks import (
    Basis,
    Calendar,
    CalendarError,
    CalendarSpec,
    Clock,
    ClockSignal,
    ClockState,
    HolidayRule,
    Metric,
    Source,
    SourceKind,
    Target,
    effective,
    from_deadline,
    meet,
    next_at,
    pause,
    recompute,
    reopen,
    resume,
    spent,
    start,
    tick,
)

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OWN = Source(kind=SourceKind.OWN, name="own: starter 1")
AMAZON = Source(kind=SourceKind.MARKETPLACE, name="marketplace: amazon")


def calendar(hours="Mo-Fr 09:00-17:00", zone="UTC", **more) -> Calendar:
    return Calendar.build(CalendarSpec(id="desk", timezone=zone, hours=hours, **more))


def target(duration: timedelta, basis=Basis.BUSINESS_TIME, **more) -> Target:
    values = {"metric": Metric.FIRST_RESPONSE, "calendar": "desk", "source": OWN} | more
    return Target(duration=duration, basis=basis, **values)


def at(text: str, zone="UTC", fold=0) -> datetime:
    # In UTC, since Python calls no two times of different zones equal where one of them comes twice.
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def started(duration: timedelta, since: str, desk: Calendar | None = None, **more) -> Clock:
    desk = desk or calendar()
    return start(target(duration, **more), desk, at(since, desk.spec.timezone))


SHANGHAI = "Asia/Shanghai"


@pytest.mark.parametrize(
    ("duration", "due"), [(15 * MINUTE, "2026-11-23 08:10"), (4 * HOUR, "2026-11-23 11:55")], ids=str
)
def test_vector_01_carries_over_the_night(duration, due):
    desk = calendar("Mo-Su 08:00-22:00", SHANGHAI)
    assert started(duration, "2026-11-22 21:55", desk).due_at == at(due, SHANGHAI)


def test_vector_02_business_hours_and_elapsed_hours():
    desk = calendar("Mo-Su 08:00-22:00", SHANGHAI)
    since = "2026-11-22 21:00"
    assert started(2 * HOUR, since, desk).due_at == at("2026-11-23 09:00", SHANGHAI)
    assert started(24 * HOUR, since, desk).due_at == at("2026-11-24 17:00", SHANGHAI)
    assert started(24 * HOUR, since, desk, basis=Basis.ELAPSED).due_at == at("2026-11-23 21:00", SHANGHAI)


def test_vector_03_carries_over_the_weekend():
    desk = calendar("Mo-Fr 09:00-18:00", SHANGHAI)
    assert started(2 * HOUR, "2026-11-20 17:30", desk).due_at == at("2026-11-23 10:30", SHANGHAI)


def test_vector_04_due_at_closing_time_is_not_the_next_opening():
    assert started(HOUR, "2026-11-20 16:00").due_at == at("2026-11-20 17:00")
    assert started(HOUR, "2026-11-20 17:00").due_at == at("2026-11-23 10:00")


def test_vector_05_warns_in_business_time():
    desk = calendar("Mo-Fr 08:00-18:00")
    late = started(4 * HOUR, "2026-11-23 17:00", desk, warn_lead=HOUR)
    assert (late.due_at, late.warn_at) == (at("2026-11-24 11:00"), at("2026-11-24 10:00"))
    early = started(2 * HOUR, "2026-11-23 16:30", desk, warn_lead=HOUR)
    assert (early.due_at, early.warn_at) == (at("2026-11-24 08:30"), at("2026-11-23 17:30"))


def test_vector_06_a_holiday_added_later_recomputes():
    new_york = "America/New_York"
    without = calendar(zone=new_york)
    clock = started(4 * HOUR, "2026-11-25 16:00", without)
    assert clock.due_at == at("2026-11-26 12:00", new_york)
    thanksgiving = calendar(zone=new_york, holidays=(HolidayRule(country="US"),))
    added = at("2026-11-25 18:00", new_york)
    assert recompute(clock, thanksgiving, added).due_at == at("2026-11-27 12:00", new_york)
    assert started(4 * HOUR, "2026-11-25 16:00", thanksgiving).due_at == at("2026-11-27 12:00", new_york)


def test_vector_07_round_the_clock_over_the_spring_change():
    due = started(24 * HOUR, "2027-03-27 12:00", calendar("24/7", "Europe/Berlin")).due_at
    assert due == at("2027-03-28 13:00", "Europe/Berlin")


def test_vector_08_a_night_window_of_five_and_of_seven_hours():
    desk = calendar("Mo-Su 00:00-06:00", "Europe/Berlin")
    assert started(5 * HOUR, "2027-03-28 00:00", desk).due_at == at("2027-03-28 06:00", "Europe/Berlin")
    assert started(6 * HOUR, "2026-10-25 00:00", desk).due_at == at("2026-10-25 05:00", "Europe/Berlin")


def test_vector_09_into_the_repeated_hour():
    due = started(2 * HOUR, "2026-11-01 00:30", calendar("24/7", "America/New_York")).due_at
    assert due == at("2026-11-01 06:30") == at("2026-11-01 01:30", "America/New_York", fold=1)


def test_vector_10_an_opening_in_the_skipped_hour():
    new_york = "America/New_York"
    desk = calendar("Mo-Su 02:30-05:00", new_york)
    midnight = at("2027-03-14 00:00", new_york)
    assert desk.next_open(midnight) == at("2027-03-14 03:00", new_york) == at("2027-03-14 07:00")
    assert desk.due(midnight, HOUR) == at("2027-03-14 04:00", new_york)


def test_vector_11_a_month_closed():
    desk = calendar(closed=((date(2026, 12, 19), date(2027, 1, 17)),))
    assert started(60 * MINUTE, "2026-12-18 17:30", desk).due_at == at("2027-01-18 10:00")


def test_vector_12_a_calendar_without_an_open_hour():
    with pytest.raises(CalendarError, match='calendar "desk": no open hour at all'):
        calendar("off")
    with pytest.raises(CalendarError, match="no open hour at all"):
        calendar("Dec 25 09:00-17:00", holidays=(HolidayRule(country="GB"),))
    once = calendar("2026 Mo-Fr 09:00-17:00")
    with pytest.raises(CalendarError, match="no open hour left"):
        once.due(at("2027-01-04 09:00"), HOUR)


def test_vector_13_lunch():
    desk = calendar("Mo-Fr 09:00-12:00,13:30-18:00")
    assert started(HOUR, "2026-11-23 11:45", desk).due_at == at("2026-11-23 14:15")


def test_vector_14_night_shifts():
    desk = calendar("Mo-Su 22:00-06:00")
    assert started(8 * HOUR, "2026-11-23 23:00", desk).due_at == at("2026-11-24 23:00")
    assert started(HOUR, "2026-11-24 03:00", desk).due_at == at("2026-11-24 04:00")


def test_vector_15_exact_to_the_second_and_over_midnights():
    assert started(480 * MINUTE, "2026-11-23 09:00:30").due_at == at("2026-11-24 09:00:30")
    round_the_clock = calendar("24/7")
    assert started(48 * HOUR, "2026-11-23 09:00:30", round_the_clock).due_at == at("2026-11-25 09:00:30")


def test_vector_16_a_pause_gives_back_business_time_only():
    desk = calendar()
    clock = started(8 * HOUR, "2026-11-23 10:00", desk, warn_lead=HOUR)
    halted = resume(pause(clock, at("2026-11-23 12:00")), desk, at("2026-11-24 11:00"))
    assert (halted.due_at, halted.warn_at) == (at("2026-11-24 17:00"), at("2026-11-24 16:00"))
    at_night = resume(pause(clock, at("2026-11-23 18:00")), desk, at("2026-11-24 08:00"))
    assert (at_night.due_at, at_night.warn_at) == (clock.due_at, clock.warn_at)


def test_vector_17_a_paused_clock_is_never_breached():
    desk = calendar()
    clock = pause(started(8 * HOUR, "2026-11-23 10:00", desk), at("2026-11-24 09:30"))
    assert clock.due_at == at("2026-11-24 10:00")
    assert next_at(clock) is None
    assert tick(clock, at("2026-11-25 12:00")) == (clock, ())
    resumed = resume(clock, desk, at("2026-11-26 09:30"))
    assert (resumed.due_at, resumed.breached_at) == (at("2026-11-26 10:00"), None)


@pytest.mark.parametrize("basis", [Basis.ELAPSED, Basis.BUSINESS_TIME])
def test_vector_18_short_pauses_add_up(basis):
    desk = calendar()
    first = clock = started(4 * HOUR, "2026-11-23 10:00", desk, basis=basis)
    for since, until in (("10:00:10", "10:00:40"), ("10:00:50", "10:30:00")):
        clock = resume(pause(clock, at(f"2026-11-23 {since}")), desk, at(f"2026-11-23 {until}"))
    assert clock.due_at - first.due_at == timedelta(minutes=29, seconds=40)
    assert spent(clock, desk, at("2026-11-23 11:00")) == timedelta(minutes=30, seconds=20)


def test_vector_19_resolved_straight_from_a_pause():
    desk = calendar()
    clock = pause(started(8 * HOUR, "2026-11-23 09:00", desk, metric=Metric.RESOLUTION), at("2026-11-23 10:00"))
    done = meet(clock, at("2026-11-24 10:00"))
    assert (done.state, done.breached_at) == (ClockState.MET, None)
    assert spent(done, desk, at("2026-12-01 00:00")) == HOUR


def test_vector_20_the_due_instant_is_in_time():
    clock = started(HOUR, "2026-11-23 11:00")
    in_time = meet(clock, at("2026-11-23 12:00"))
    assert (in_time.met_at, in_time.breached_at, in_time.late) == (at("2026-11-23 12:00"), None, None)
    late = meet(clock, at("2026-11-23 12:00") + MICROSECOND)
    assert (late.state, late.breached_at, late.late) == (ClockState.MET, at("2026-11-23 12:00"), MICROSECOND)


def test_vector_21_a_late_reply_between_two_ticks():
    clock, signals = tick(started(HOUR, "2026-11-23 11:00"), at("2026-11-23 11:59"))
    assert signals == ()
    clock = meet(clock, at("2026-11-23 12:02"))
    clock, signals = tick(clock, at("2026-11-23 12:05"))
    assert signals == (ClockSignal.BREACHED,)
    assert (clock.breached_at, clock.detected_at) == (at("2026-11-23 12:00"), at("2026-11-23 12:05"))
    assert clock.late == 2 * MINUTE
    assert tick(clock, at("2026-11-23 12:06")) == (clock, ())
    assert next_at(clock) is None


def test_vector_22_after_downtime_no_stale_warning():
    clock = started(HOUR, "2026-11-23 11:00", warn_lead=15 * MINUTE)
    clock, signals = tick(clock, at("2026-11-23 15:00"))
    assert signals == (ClockSignal.BREACHED,)
    assert (clock.breached_at, clock.detected_at) == (at("2026-11-23 12:00"), at("2026-11-23 15:00"))
    assert clock.warned_at is None
    assert tick(clock, at("2026-11-23 15:01")) == (clock, ())


def test_vector_23_a_lead_longer_than_the_target_warns_once_at_the_start():
    clock = started(15 * MINUTE, "2026-11-23 11:00", warn_lead=30 * MINUTE)
    assert clock.warn_at == next_at(clock) == at("2026-11-23 11:00")
    clock, signals = tick(clock, at("2026-11-23 11:00"))
    assert signals == (ClockSignal.WARNED,)
    assert tick(clock, at("2026-11-23 11:01")) == (clock, ())


def test_vector_26_a_reopened_clock_runs_on_with_what_was_left():
    desk = calendar()
    clock = meet(started(8 * HOUR, "2026-11-23 09:00", desk), at("2026-11-23 12:00"))
    again = reopen(clock, desk, at("2026-11-25 12:00"))
    assert (again.state, again.met_at, again.due_at) == (ClockState.RUNNING, None, at("2026-11-25 17:00"))


def test_vector_30_the_earliest_due_counts_and_names_its_source():
    desk = calendar("Mo-Fr 09:00-18:00", SHANGHAI)
    friday = at("2026-11-20 17:30", SHANGHAI)
    own = start(target(4 * HOUR), desk, friday)
    amazon = start(target(24 * HOUR, basis=Basis.ELAPSED, calendar=None, source=AMAZON), None, friday)
    assert own.due_at == at("2026-11-23 12:30", SHANGHAI)
    first = effective([own, amazon])
    assert first is not None
    assert (first.due_at, first.source) == (at("2026-11-21 17:30", SHANGHAI), AMAZON)
    assert effective([own, meet(amazon, friday)]) == own
    assert effective([meet(own, friday), pause(amazon, friday)]) is None


@pytest.mark.parametrize(
    ("hours", "time"), [("Mo-Fr", "24:00"), ("Mo-Fr 09:00-17:00", "17:00")], ids=["whole days", "nine to five"]
)
def test_vector_31_business_days(hours, time):
    ebay = calendar(hours, "Europe/London", holidays=(HolidayRule(country="GB", subdivision="ENG"),))
    for since, day in (("2026-11-20 11:00", date(2026, 11, 25)), ("2026-12-24 11:00", date(2026, 12, 31))):
        clock = started(timedelta(days=3), since, ebay, basis=Basis.BUSINESS_DAYS)
        last = (clock.due_at - MICROSECOND).astimezone(ebay.zone)
        assert last.date() == day
        assert clock.due_at.astimezone(ebay.zone).strftime("%H:%M") == time.replace("24:00", "00:00")


def test_a_deadline_of_the_platform_stands_whatever_is_paused():
    due = at("2026-11-23 12:00")
    clock = from_deadline(Metric.PLATFORM_DEADLINE, at("2026-11-20 12:00"), due, AMAZON, 2 * HOUR)
    assert (clock.due_at, clock.warn_at) == (due, due - 2 * HOUR)
    assert pause(clock, at("2026-11-21 12:00")) == clock
    assert recompute(clock, None, at("2026-11-21 12:00")) == clock
    assert tick(clock, datetime(2026, 11, 24, tzinfo=UTC))[1] == (ClockSignal.BREACHED,)
