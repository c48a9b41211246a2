"""A clock's life: what each function changes, what it leaves alone, and what a tick tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aftersail.core.clocks import (
    Basis,
    Calendar,
    CalendarSpec,
    Clock,
    ClockSignal,
    ClockState,
    Metric,
    Source,
    SourceKind,
    Target,
    cancel,
    effective,
    explain,
    from_deadline,
    is_held,
    meet,
    next_at,
    pause,
    recompute,
    release,
    reopen,
    resume,
    spent,
    start,
    tick,
)

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OWN = Source(kind=SourceKind.OWN, name="own: starter 1")
DESK = Calendar.build(CalendarSpec(id="desk", timezone="Europe/Berlin", hours="Mo-Fr 09:00-17:00"))
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)  # 09:00 in Berlin


def target(duration=2 * HOUR, basis=Basis.BUSINESS_TIME, **more) -> Target:
    values = {"metric": Metric.FIRST_RESPONSE, "calendar": "desk", "source": OWN} | more
    return Target(duration=duration, basis=basis, **values)


def clock(duration=2 * HOUR, basis=Basis.BUSINESS_TIME, at=MONDAY, **more) -> Clock:
    return start(target(duration, basis, **more), DESK, at)


moments = st.timedeltas(timedelta(0), timedelta(days=14)).map(lambda since: MONDAY + since)
bases = st.sampled_from([Basis.ELAPSED, Basis.BUSINESS_TIME])
events = st.lists(st.tuples(st.sampled_from(["pause", "resume", "tick", "recompute"]), moments), max_size=12)


def lived(running: Clock, happened) -> tuple[Clock, list[ClockSignal]]:
    told: list[ClockSignal] = []
    for event, at in sorted(happened, key=lambda pair: pair[1]):
        if event == "tick":
            running, signals = tick(running, at)
            told.extend(signals)
        elif event == "pause":
            running = pause(running, at)
        else:
            running = (resume if event == "resume" else recompute)(running, DESK, at)
    return running, told


@given(bases, st.timedeltas(MINUTE, 40 * HOUR), events)
def test_whatever_happens_a_clock_runs_exactly_its_duration(basis, duration, happened):
    running, _ = lived(clock(duration, basis), happened)
    if running.state is ClockState.RUNNING:
        assert spent(meet(running, running.due_at), DESK, MONDAY) == duration or running.breached_at


@given(bases, st.timedeltas(MINUTE, 40 * HOUR), st.timedeltas(MINUTE, 60 * HOUR), events)
def test_each_signal_comes_once_and_no_warning_after_the_breach(basis, duration, lead, happened):
    running, told = lived(clock(duration, basis, warn_lead=lead), happened)
    assert told in ([], ["warned"], ["breached"], ["warned", "breached"])
    assert (running.warned_at is not None, running.detected_at is not None) == ("warned" in told, "breached" in told)
    assert running.breached_at in {None, running.due_at}


@given(bases, st.timedeltas(MINUTE, 40 * HOUR), events, moments)
def test_when_the_ticks_came_changes_nothing_but_when_it_was_noticed(basis, duration, happened, done):
    before = [pair for pair in happened if pair[1] <= done]
    ticked = meet(lived(clock(duration, basis), before)[0], done)
    unticked = meet(lived(clock(duration, basis), [pair for pair in before if pair[0] != "tick"])[0], done)
    noticed = {"detected_at", "warned_at"}
    assert ticked.model_dump(exclude=noticed) == unticked.model_dump(exclude=noticed)


@given(bases, st.timedeltas(MINUTE, 40 * HOUR), st.none() | st.timedeltas(MINUTE, 60 * HOUR), events)
def test_next_at_is_the_first_instant_at_which_a_tick_does_something(basis, duration, lead, happened):
    running, _ = lived(clock(duration, basis, warn_lead=lead), happened)
    when = next_at(running)
    if when is None:
        assert tick(running, MONDAY + 3000 * DAY) == (running, ())
        return
    assert tick(running, when)[1]
    if running.breached_at is None:
        assert tick(running, when - MICROSECOND) == (running, ())


@given(bases, events)
def test_a_clock_survives_being_stored(basis, happened):
    running, _ = lived(clock(3 * HOUR + MICROSECOND, basis, warn_lead=HOUR), happened)
    assert Clock.model_validate(running.model_dump(mode="json")) == running
    assert Clock.model_validate_json(running.model_dump_json()) == running


def test_a_pause_after_the_due_instant_hides_no_breach():
    running = clock()
    halted = pause(running, running.due_at + MINUTE)
    assert (halted.state, halted.breached_at, halted.detected_at) == (ClockState.PAUSED, running.due_at, None)
    noticed, signals = tick(halted, running.due_at + HOUR)
    assert signals == (ClockSignal.BREACHED,)
    assert resume(noticed, DESK, running.due_at + DAY).due_at == running.due_at


def test_a_paused_clock_does_not_warn_and_warns_after():
    running = pause(clock(warn_lead=HOUR), MONDAY + 30 * MINUTE)
    assert tick(running, MONDAY + DAY) == (running, ())
    again = resume(running, DESK, MONDAY + DAY)
    assert (again.due_at, again.warn_at) == (MONDAY + DAY + 90 * MINUTE, MONDAY + DAY + 30 * MINUTE)
    assert tick(again, MONDAY + DAY + 30 * MINUTE)[1] == (ClockSignal.WARNED,)


def test_what_is_told_twice_or_late_changes_nothing():
    running = clock()
    halted = pause(running, MONDAY + HOUR)
    assert pause(halted, MONDAY + 90 * MINUTE) == halted
    assert resume(running, DESK, MONDAY + HOUR) == running
    again = resume(halted, DESK, MONDAY + 2 * HOUR)
    overlapping = pause(again, MONDAY + 90 * MINUTE)
    assert overlapping.pauses[-1].since == MONDAY + 2 * HOUR
    done = meet(running, MONDAY + HOUR)
    for after in (meet(done, MONDAY + 2 * HOUR), cancel(done, MONDAY + HOUR), pause(done, MONDAY + 2 * HOUR)):
        assert after == done
    gone = cancel(running, MONDAY + HOUR)
    for after in (meet(gone, MONDAY), cancel(gone, MONDAY + DAY), reopen(gone, DESK, MONDAY + DAY)):
        assert after == gone
    assert recompute(gone, DESK, MONDAY + DAY) == gone


def test_an_answer_told_late_withdraws_the_breach():
    running = clock()
    noticed, _ = tick(running, running.due_at + 5 * MINUTE)
    done = meet(noticed, running.due_at - 2 * MINUTE)
    assert (done.state, done.breached_at, done.detected_at, done.late) == (ClockState.MET, None, None, None)
    late = meet(noticed, running.due_at + MINUTE)
    assert (late.breached_at, late.detected_at) == (running.due_at, running.due_at + 5 * MINUTE)
    assert meet(late, running.due_at - MINUTE).breached_at is None


def test_an_answer_told_late_ends_the_pauses_that_came_after_it():
    halted = pause(clock(8 * HOUR), MONDAY + 2 * HOUR)
    assert meet(halted, MONDAY + HOUR).pauses == ()
    done = meet(halted, MONDAY + 3 * HOUR)
    assert [(halt.since, halt.until) for halt in done.pauses] == [(MONDAY + 2 * HOUR, MONDAY + 3 * HOUR)]


def test_cancelling_late_keeps_the_breach_and_in_time_makes_none():
    running = clock()
    late = cancel(running, running.due_at + MINUTE)
    assert (late.state, late.breached_at) == (ClockState.CANCELLED, running.due_at)
    assert tick(late, running.due_at + HOUR)[1] == (ClockSignal.BREACHED,)
    in_time = cancel(running, running.due_at)
    assert (in_time.breached_at, in_time.cancelled_at, next_at(in_time)) == (None, running.due_at, None)
    assert cancel(pause(running, MONDAY + HOUR), MONDAY + DAY).pauses[0].until == MONDAY + DAY


def test_a_calendar_changed_later_moves_no_breach():
    running = clock()
    changed = Calendar.build(DESK.spec.model_copy(update={"closed": (MONDAY.date(),)}))
    assert recompute(running, changed, running.due_at).due_at == running.due_at + DAY
    late = recompute(running, changed, running.due_at + MICROSECOND)
    noticed, _ = tick(running, running.due_at + MINUTE)
    halted = pause(running, running.due_at + MINUTE)
    for breached in (late, recompute(noticed, changed, MONDAY + DAY), resume(halted, changed, MONDAY + DAY)):
        assert (breached.due_at, breached.breached_at) == (running.due_at, running.due_at)


def test_a_pause_at_the_due_instant_is_in_time_and_leaves_nothing():
    running = clock()
    again = resume(pause(running, running.due_at), DESK, MONDAY + DAY)
    assert (again.due_at, again.breached_at) == (MONDAY + DAY, None)


def test_longer_hours_end_no_clock_before_they_were_known():
    longer = Calendar.build(DESK.spec.model_copy(update={"hours": "24/7"}))
    running = clock(9 * HOUR)
    assert recompute(running, longer, MONDAY + 8 * HOUR).due_at == MONDAY + 9 * HOUR
    assert recompute(running, longer, MONDAY + 10 * HOUR) == running
    halted = pause(running, MONDAY + DAY)
    again = resume(halted, longer, MONDAY + 2 * DAY)
    assert (again.due_at, again.breached_at) == (MONDAY + 2 * DAY, None)
    assert recompute(halted, longer, MONDAY + 2 * DAY) == halted


def test_reopening_late_keeps_the_breach():
    running = clock()
    again = reopen(meet(running, running.due_at + HOUR), DESK, running.due_at + DAY)
    assert (again.state, again.due_at, again.breached_at) == (ClockState.RUNNING, running.due_at, running.due_at)


def test_pauses_count_business_days_as_whole_days():
    running = clock(3 * DAY, Basis.BUSINESS_DAYS)  # until Thursday 17:00
    assert running.due_at == MONDAY + 3 * DAY + 8 * HOUR
    same_day = resume(pause(running, MONDAY + DAY + 2 * HOUR), DESK, MONDAY + DAY + 5 * HOUR)
    assert same_day.due_at == running.due_at
    over_a_day = resume(pause(running, MONDAY + DAY), DESK, MONDAY + 2 * DAY)
    assert over_a_day.due_at == running.due_at + DAY
    early_and_late = resume(pause(running, MONDAY + DAY - 10 * HOUR), DESK, MONDAY + DAY + 5 * HOUR)
    assert early_and_late.due_at == running.due_at + DAY
    last_day = pause(running, MONDAY + 3 * DAY)
    assert resume(last_day, DESK, MONDAY + 5 * DAY).due_at == MONDAY + 7 * DAY + 8 * HOUR


def test_calendar_days_run_through_weekends_and_pauses():
    friday = MONDAY + 4 * DAY
    running = clock(2 * DAY, Basis.CALENDAR_DAYS, at=friday)
    assert running.due_at == datetime(2026, 11, 29, 23, tzinfo=UTC)
    assert resume(pause(running, friday), DESK, friday + DAY).due_at == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_days_warn_in_elapsed_time_unless_told_otherwise():
    due = MONDAY + DAY + 8 * HOUR
    assert clock(DAY, Basis.BUSINESS_DAYS, warn_lead=12 * HOUR).warn_at == due - 12 * HOUR
    in_hours = clock(DAY, Basis.BUSINESS_DAYS, warn_lead=12 * HOUR, warn_basis=Basis.BUSINESS_TIME)
    assert in_hours.warn_at == MONDAY + 4 * HOUR


def test_of_two_due_together_the_weightier_source_is_named():
    due = MONDAY + DAY
    clocks = [from_deadline(Metric.RESOLUTION, MONDAY, due, Source(kind=kind, name="x")) for kind in SourceKind]
    for order in (clocks, clocks[::-1]):
        first = effective(order)
        assert first is not None
        assert first.source.kind is SourceKind.LAW


def test_a_deadline_already_past_breaches_without_a_warning():
    running = from_deadline(Metric.PLATFORM_DEADLINE, MONDAY, MONDAY - HOUR, OWN, 2 * HOUR)
    running, signals = tick(running, MONDAY)
    assert signals == (ClockSignal.BREACHED,)
    assert running.breached_at == MONDAY - HOUR


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"duration": timedelta(0)}, "over when it begins"),
        ({"basis": Basis.BUSINESS_DAYS, "duration": 36 * HOUR}, "counts whole days"),
        ({"warn_lead": -HOUR}, "warns too late"),
        ({"warn_basis": Basis.BUSINESS_DAYS}, "use elapsed or business_time"),
        ({"calendar": None}, "needs a calendar"),
        ({"calendar": None, "basis": Basis.ELAPSED, "warn_basis": Basis.BUSINESS_TIME}, "needs a calendar"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        target(**change)


def test_a_wrong_calendar_or_time_is_refused():
    other = Calendar.build(CalendarSpec(id="night", timezone="UTC", hours="Mo-Su 22:00-06:00"))
    with pytest.raises(ValueError, match='on calendar "desk", not on "night"'):
        start(target(), other, MONDAY)
    with pytest.raises(ValueError, match='pass its calendar "desk"'):
        start(target(), None, MONDAY)
    naive = MONDAY.replace(tzinfo=None)
    for act in (lambda: pause(clock(), naive), lambda: meet(clock(), naive), lambda: tick(clock(), naive)):
        with pytest.raises(ValueError, match="no time zone"):
            act()


def test_a_source_has_one_label():
    assert OWN.label == "own: starter 1"
    assert Source(kind=SourceKind.LAW, name="EU 2011/83").label == "law: EU 2011/83"


def test_explain_shows_the_arithmetic():
    running = start(target(3 * HOUR, row="vip"), DESK, MONDAY - 64 * HOUR)  # Friday 17:00, closing time
    running = resume(pause(running, MONDAY + HOUR), DESK, MONDAY + 2 * HOUR)
    running, _ = tick(meet(running, MONDAY + 4 * HOUR + 2 * MINUTE), MONDAY + 5 * HOUR)
    assert explain(running, DESK) == (
        'first_response: 3 h of business_time on "desk" from Fri 2026-11-20 17:00, '
        "open Mon 2026-11-23 09:00-10:00, Mon 2026-11-23 11:00-13:00, "
        "paused Mon 2026-11-23 10:00 to Mon 2026-11-23 11:00, due Mon 2026-11-23 13:00 (Europe/Berlin), "
        "breached Mon 2026-11-23 13:00, noticed Mon 2026-11-23 14:00, met Mon 2026-11-23 13:02, 2 min late, "
        "source own: starter 1, row vip"
    )


def test_explain_shortens_long_lists_and_names_the_hour_that_comes_twice():
    long = explain(clock(48 * HOUR), DESK)
    assert "Mon 2026-11-23 09:00-17:00, Tue 2026-11-24 09:00-17:00, 3 more, Mon 2026-11-30 09:00-17:00, due" in long
    elapsed = clock(HOUR, Basis.ELAPSED, at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert "1 h of elapsed from Sun 2026-10-25 02:30 CEST, due Sun 2026-10-25 02:30 CET" in explain(elapsed, DESK)
    assert "due Sun 2026-10-25 01:30 (UTC)" in explain(elapsed, DESK, "UTC")


def test_explain_ends_days_at_24():
    days = Calendar.build(CalendarSpec(id="desk", timezone="Europe/London", hours="Mo-Fr"))
    running = start(target(3 * DAY, Basis.BUSINESS_DAYS), days, datetime(2026, 11, 20, 11, tzinfo=UTC))
    assert '3 business_days on "desk" from Fri 2026-11-20 11:00, due Wed 2026-11-25 24:00' in explain(running, days)
    deadline = from_deadline(Metric.PLATFORM_DEADLINE, MONDAY, MONDAY + DAY, OWN, 2 * HOUR)
    assert "deadline set by the platform from Mon 2026-11-23 08:00, due Tue 2026-11-24 08:00 (UTC)" in explain(deadline)


class TestHold:
    """What may be waited for keeps a clock from ending, and takes no time from it."""

    TARGET = Target(
        metric=Metric.REFUND_PAID, duration=timedelta(days=14), basis=Basis.ELAPSED, source=OWN, hold="the goods"
    )
    BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
    COUNTED = BEGAN + timedelta(days=14)

    def held(self, released_at: datetime | None = None) -> Clock:
        return start(self.TARGET.model_copy(update={"released_at": released_at}), None, self.BEGAN)

    def test_it_neither_runs_nor_runs_out(self) -> None:
        clock, signals = tick(self.held(), self.BEGAN + timedelta(days=99))
        assert (clock.state, clock.due_at, clock.breached_at, signals) == ("paused", self.COUNTED, None, ())
        assert is_held(clock)
        assert next_at(clock) is None
        assert resume(clock, None, self.BEGAN + timedelta(days=3)) == clock
        assert pause(clock, self.BEGAN + timedelta(days=3)) == clock

    @pytest.mark.parametrize(("days", "due"), [(-3, 14), (0, 14), (3, 14), (14, 14), (20, 20)])
    def test_it_is_due_as_counted_but_not_before_what_it_waits_for(self, days: int, due: int) -> None:
        came = self.BEGAN + timedelta(days=days)
        known_at_once = self.held(came)
        assert (known_at_once.state, known_at_once.due_at) == ("running", self.BEGAN + timedelta(days=due))
        assert release(self.held(), None, came).due_at == known_at_once.due_at
        assert recompute(known_at_once, None, self.BEGAN).due_at == known_at_once.due_at

    def test_a_pause_after_it_counts_and_it_does_not(self) -> None:
        clock = release(self.held(), None, self.BEGAN + timedelta(days=2))
        clock = resume(pause(clock, self.BEGAN + timedelta(days=1)), None, self.BEGAN + timedelta(days=4))
        assert clock.due_at == self.COUNTED + timedelta(days=3)
        assert spent(clock, None, self.BEGAN + timedelta(days=5)) == timedelta(days=2)

    def test_what_is_done_while_it_is_held_is_in_time(self) -> None:
        clock = meet(self.held(), self.BEGAN + timedelta(days=30))
        assert (clock.state, clock.breached_at, clock.late) == ("met", None, None)

    def test_it_says_what_it_waits_for(self) -> None:
        assert "not before the goods, which is still to come" in explain(self.held())
        came = self.BEGAN + timedelta(days=20)
        assert "not before the goods: Sun 2026-01-25 12:00" in explain(release(self.held(), None, came))
