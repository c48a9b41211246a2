"""What changes a clock while it runs, and what a clock tells about itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.clocks import (
    Basis,
    Calendar,
    CalendarSpec,
    Clock,
    ClockState,
    Metric,
    Outcome,
    Recount,
    Source,
    SourceKind,
    Target,
    cancel,
    figures,
    from_deadline,
    meet,
    merge,
    next_at,
    pause,
    recompute,
    restart,
    resume,
    retarget,
    start,
    tick,
)
from aftersail.core.clocks.zones import instant, micros

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OWN = Source(kind=SourceKind.OWN, name="own")
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
SPEC = CalendarSpec(id="desk", timezone="UTC", hours="Mo-Fr 09:00-17:00")
DESK = Calendar.build(SPEC)
OTHERS = [
    Calendar.build(SPEC.model_copy(update=change))
    for change in ({"closed": (date(2026, 11, 24),)}, {"hours": "Mo-Su 08:00-20:00"}, {"hours": "24/7"}, {})
]


def target(hours: float = 8, basis: Basis = Basis.BUSINESS_TIME, **more) -> Target:
    values = {"metric": Metric.RESOLUTION, "calendar": "desk", "source": OWN, "warn_lead": HOUR} | more
    return Target(duration=hours * HOUR, basis=basis, **values)


def clock(hours: float = 8, **more) -> Clock:
    return start(target(hours, **more), DESK, MONDAY, paused_in=["need_info"])


# -- another target --------------------------------------------------------------------------------------------------


def test_f05_another_target_counts_from_the_same_start_and_through_the_same_pauses():
    running = resume(pause(clock(), MONDAY + HOUR), DESK, MONDAY + 3 * HOUR)
    moved, next_one = retarget(running, target(4, row="fast"), DESK, MONDAY + 4 * HOUR)
    assert next_one is None
    assert (moved.due_at, moved.warn_at) == (MONDAY + 6 * HOUR, MONDAY + 5 * HOUR)
    assert (moved.started_at, moved.pauses, moved.row) == (running.started_at, running.pauses, "fast")
    assert moved.paused_in == ("need_info",)
    longer, _ = retarget(running, target(16, warn_lead=None), DESK, MONDAY + 4 * HOUR)
    assert (longer.due_at, longer.warn_at) == (MONDAY + 2 * DAY + 2 * HOUR, None)


def test_f05_what_is_over_keeps_its_target():
    met = meet(clock(), MONDAY + HOUR)
    late, _ = tick(clock(), MONDAY + 9 * HOUR)
    ended = cancel(clock(), MONDAY + HOUR)
    theirs = from_deadline(Metric.RESOLUTION, MONDAY, MONDAY + DAY, OWN)
    for each in (met, late, ended, theirs):
        assert retarget(each, target(1), DESK, MONDAY + 10 * HOUR) == (each, None)
        assert restart(each, target(1), DESK, MONDAY + 10 * HOUR) == (each, None)


@given(st.floats(0.1, 60), st.floats(0.1, 60), st.timedeltas(timedelta(0), timedelta(days=5)), st.booleans())
def test_vector_28_no_change_of_target_is_late_at_once(before, after, since, halted):
    at = MONDAY + since
    running = clock(before)
    running = pause(running, at) if halted else running
    overdue = running.breached_at is not None or (not halted and running.due_at < at)
    now, next_one = retarget(running, target(after), DESK, at)
    assert (now.breached_at is not None) == overdue
    for each in (now, next_one):
        if each is not None and each.state is ClockState.RUNNING:
            assert each.due_at >= at or overdue
        if each is not None and each.state is ClockState.PAUSED and not overdue:
            assert resume(each, DESK, at + DAY).due_at >= at + DAY


def test_vector_28_restarted_counts_from_the_move_and_pauses_where_the_old_one_did():
    ended, begun = restart(pause(clock(), MONDAY + HOUR), target(2), DESK, MONDAY + 3 * HOUR)
    assert begun is not None
    assert (ended.state, ended.cancelled_at, ended.breached_at) == (ClockState.CANCELLED, MONDAY + 3 * HOUR, None)
    assert (begun.state, begun.started_at, begun.paused_in) == (ClockState.PAUSED, MONDAY + 3 * HOUR, ("need_info",))
    assert resume(begun, DESK, MONDAY + 4 * HOUR).due_at == MONDAY + 6 * HOUR


def test_vector_29_a_merged_clock_ends_and_tells_no_breach():
    late, _ = tick(clock(), MONDAY + 9 * HOUR)
    for each in (clock(), late, pause(clock(), MONDAY + HOUR)):
        ended = merge(each, MONDAY + 10 * HOUR)
        assert (ended.state, ended.breached_at, next_at(ended)) == (ClockState.MERGED, None, None)
        assert all(halt.until for halt in ended.pauses)
        for again in (meet(ended, MONDAY), cancel(ended, MONDAY), pause(ended, MONDAY), merge(ended, MONDAY)):
            assert again == ended
        assert recompute(ended, OTHERS[0], MONDAY) == ended
    met = meet(clock(), MONDAY + HOUR)
    assert merge(met, MONDAY + 2 * HOUR) == met


def test_a_pause_told_late_withdraws_the_breach_that_was_noticed_meanwhile():
    late, _ = tick(clock(1), MONDAY + 2 * HOUR)
    halted = pause(late, MONDAY + 30 * MINUTE)
    assert (halted.state, halted.breached_at, halted.detected_at) == (ClockState.PAUSED, None, None)
    assert resume(halted, DESK, MONDAY + 4 * HOUR).due_at == MONDAY + 4 * HOUR + 30 * MINUTE
    assert pause(late, MONDAY + 2 * HOUR).breached_at == MONDAY + HOUR


# -- stored clocks ---------------------------------------------------------------------------------------------------

moments = st.timedeltas(timedelta(0), timedelta(days=9)).map(lambda since: MONDAY + since)


@given(
    st.sampled_from(list(Basis)),
    st.integers(1, 6),
    st.sampled_from([None, HOUR, 3 * DAY]),
    st.lists(moments, max_size=4),
    st.booleans(),
    st.sampled_from(OTHERS),
    moments,
)
def test_stored_clocks_are_counted_again_as_others_are(basis, days, lead, halts, ticked, changed, at):
    running = start(target(24 * days, basis, warn_lead=lead), DESK, MONDAY)
    for number, moment in enumerate(sorted(halts)):
        running = resume(running, DESK, moment) if number % 2 else pause(running, moment)
    running = tick(running, at)[0] if ticked else running
    if running.state is not ClockState.RUNNING:
        return
    expected = recompute(running, changed, at)
    found = Recount(at).again(
        running.model_dump_json(),
        micros(running.started_at),
        micros(running.due_at),
        lambda name: {"desk": changed}[name],
    )
    if expected.breached_at or (expected.due_at, expected.warn_at) == (running.due_at, running.warn_at):
        assert found is None
    else:
        assert found is not None
        assert Clock.model_validate_json(found.body) == expected
        assert datetime.fromisoformat(f"{found.before}Z") == running.due_at
        assert datetime.fromisoformat(f"{found.after}Z") == instant(found.due_at) == expected.due_at
        assert found.next_at == micros(next_at(expected))


@pytest.mark.parametrize("layout", [{}, {"sort_keys": True}, {"separators": (",", ":")}])
def test_it_does_not_matter_how_a_database_lays_json_out(layout):
    for each in (clock(24), clock(24, warn_lead=None), tick(clock(24), MONDAY + 2 * DAY + 7.5 * HOUR)[0]):
        row = each.model_copy(update={"row": '"due_at": "2026-11-23T09:00:00Z"'})
        body = json.dumps(row.model_dump(mode="json"), **layout)
        found = Recount(MONDAY).again(body, micros(row.started_at), micros(row.due_at), lambda _: OTHERS[0])
        assert found is not None
        assert Clock.model_validate_json(found.body) == recompute(row, OTHERS[0], MONDAY)
        assert json.dumps(json.loads(found.body), **layout) == found.body


def test_one_recount_tells_what_was_paused_from_what_was_not():
    at = MONDAY + 3 * HOUR
    recount = Recount(at)
    halted = resume(pause(clock(), MONDAY + HOUR), DESK, MONDAY + 2 * HOUR)
    for each in (halted, clock(), halted):
        found = recount.again(each.model_dump_json(), micros(each.started_at), micros(each.due_at), lambda _: OTHERS[0])
        again = Clock.model_validate_json(found.body) if found else each
        assert again == recompute(each, OTHERS[0], at)


def test_one_recount_takes_clocks_of_many_targets():
    recount = Recount(MONDAY)
    for hours, source in ((8, OWN), (16, OWN), (8, Source(kind=SourceKind.LAW, name="law"))):
        each = start(target(hours, source=source), DESK, MONDAY)
        found = recount.again(each.model_dump_json(), micros(each.started_at), micros(each.due_at), lambda _: OTHERS[0])
        again = Clock.model_validate_json(found.body) if found else each
        assert (again, again.source) == (recompute(each, OTHERS[0], MONDAY), source)
    elapsed = start(target(8, Basis.ELAPSED, calendar=None, warn_lead=None), None, MONDAY)
    assert recount.again(elapsed.model_dump_json(), micros(MONDAY), micros(elapsed.due_at), lambda _: OTHERS[0]) is None


# -- figures ---------------------------------------------------------------------------------------------------------


def test_figures_are_apart_from_the_deadline():
    running = clock()
    halted = resume(pause(running, MONDAY + HOUR), DESK, MONDAY + DAY)
    told = figures(halted, DESK, MONDAY + DAY + 2 * HOUR)
    assert (told.used, told.left, told.paused, told.elapsed) == (3 * HOUR, 5 * HOUR, 23 * HOUR, 26 * HOUR)
    assert (told.outcome, told.in_time, told.late_by, told.late_by_open) == (Outcome.RUNNING, None, None, None)
    assert (told.target, told.metric, told.source, told.basis) == (
        8 * HOUR,
        Metric.RESOLUTION,
        OWN,
        Basis.BUSINESS_TIME,
    )


def test_figures_say_how_late_in_elapsed_and_in_open_time():
    due = MONDAY + 8 * HOUR
    late = meet(clock(), due + 17 * HOUR)  # Tuesday 10:00: the desk was open for one of them
    told = figures(late, DESK, due + 30 * DAY)
    assert (told.outcome, told.in_time) == (Outcome.LATE, False)
    assert (told.late_by, told.late_by_open, told.used, told.left) == (17 * HOUR, HOUR, 9 * HOUR, -HOUR)
    assert late.late == told.late_by
    still = figures(clock(), DESK, due + MICROSECOND)
    assert (still.outcome, still.late_by, still.in_time) == (Outcome.OVERDUE, MICROSECOND, False)
    assert figures(clock(), DESK, due).outcome is Outcome.RUNNING


def test_figures_of_what_has_ended_stand_still():
    done = meet(clock(), MONDAY + HOUR)
    assert figures(done, DESK, MONDAY + DAY) == figures(done, DESK, MONDAY + 30 * DAY)
    outcomes = {
        figures(each, DESK, MONDAY + DAY).outcome
        for each in (
            done,
            pause(clock(), MONDAY + HOUR),
            cancel(clock(), MONDAY + HOUR),
            cancel(clock(), MONDAY + 10 * HOUR),
            merge(clock(), MONDAY + HOUR),
        )
    }
    expected = {Outcome.IN_TIME, Outcome.PAUSED, Outcome.CANCELLED, Outcome.CANCELLED_OVERDUE, Outcome.MERGED}
    assert outcomes == expected


def test_figures_of_days_and_of_anothers_deadline_have_nothing_left_to_count():
    days = figures(start(target(48, Basis.BUSINESS_DAYS), DESK, MONDAY), DESK, MONDAY + DAY)
    assert (days.left, days.used, days.target) == (None, DAY, 2 * DAY)
    theirs = figures(from_deadline(Metric.PLATFORM_DEADLINE, MONDAY, MONDAY + DAY, OWN), None, MONDAY + 2 * DAY)
    assert (theirs.target, theirs.left, theirs.late_by, theirs.late_by_open) == (None, None, DAY, None)
    with pytest.raises(ValueError, match="pass its calendar"):
        figures(clock(), None, MONDAY + HOUR)
