"""What a clock says in a report, apart from its deadline: time used and left, pauses, how late."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.clock import Clock, ClockState, halts, spent, utc
from aftersail.core.clocks.targets import Basis, Metric, Source
from aftersail.core.contract import Record


class Outcome(StrEnum):
    """What became of a clock."""

    RUNNING = "running"
    PAUSED = "paused"
    IN_TIME = "in_time"
    LATE = "late"
    """Met, but after it was due."""
    OVERDUE = "overdue"
    """Due, and not met yet."""
    CANCELLED = "cancelled"
    CANCELLED_OVERDUE = "cancelled_overdue"
    """Cancelled, after it was due."""
    MERGED = "merged"


class ClockFigures(Record):
    """One clock's figures at an instant, or its last ones where it has ended.

    Attributes:
        target: how long it may take, in `basis`; None for a deadline that somebody else set.
        used: what it took without pauses: open time on a business-time basis, else elapsed time.
        elapsed: from start to end on the wall, pauses and closed hours included.
        paused: elapsed time of all pauses.
        left: what `target` has left of it; negative once it is used up. None where the target counts days, or is none.
        late_by: elapsed time after the due instant; None where it is not late.
        late_by_open: the same in the calendar's open time; None without a calendar.
        in_time: None while nobody can say, and for what was cancelled before it was due or merged.
    """

    metric: Metric
    source: Source
    row: str
    basis: Basis
    outcome: Outcome
    target: timedelta | None
    used: timedelta
    elapsed: timedelta
    paused: timedelta
    left: timedelta | None
    late_by: timedelta | None
    late_by_open: timedelta | None
    in_time: bool | None


def figures(clock: Clock, calendar: Calendar | None, now: datetime) -> ClockFigures:
    """Work out a clock's figures.

    Raises:
        ValueError: the clock counts business time, and its calendar is not given.
    """
    end = clock.met_at or clock.cancelled_at or utc(now)
    used = spent(clock, calendar, now)
    outcome = _outcome(clock, end)
    late = outcome in {Outcome.LATE, Outcome.OVERDUE, Outcome.CANCELLED_OVERDUE}
    counts_time = clock.basis in {Basis.ELAPSED, Basis.BUSINESS_TIME}
    return ClockFigures(
        metric=clock.metric,
        source=clock.source,
        row=clock.row,
        basis=clock.basis,
        outcome=outcome,
        target=clock.duration,
        used=used,
        elapsed=max(end - clock.started_at, timedelta()),
        paused=_paused(clock, end),
        left=clock.duration - used if clock.duration is not None and counts_time else None,
        late_by=end - clock.due_at if late else None,
        late_by_open=calendar.open_time(clock.due_at, end) if late and calendar is not None else None,
        in_time=False if late else True if outcome is Outcome.IN_TIME else None,
    )


def _outcome(clock: Clock, end: datetime) -> Outcome:
    overdue = clock.breached_at is not None or (clock.state is ClockState.RUNNING and end > clock.due_at)
    match clock.state:
        case ClockState.MET:
            return Outcome.LATE if overdue else Outcome.IN_TIME
        case ClockState.CANCELLED:
            return Outcome.CANCELLED_OVERDUE if overdue else Outcome.CANCELLED
        case ClockState.MERGED:
            return Outcome.MERGED
        case ClockState.RUNNING | ClockState.PAUSED:
            return Outcome.OVERDUE if overdue else Outcome(clock.state)


def _paused(clock: Clock, end: datetime) -> timedelta:
    spans = ((halt.since, min(halt.until or end, end)) for halt in halts(clock))
    return sum((until - since for since, until in spans if until > since), timedelta())
