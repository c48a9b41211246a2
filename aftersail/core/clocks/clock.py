"""One running target: started, paused, resumed, met or cancelled, and ticked when something is due.

Every function is pure: it takes the time as an argument and returns a new clock. A function that has nothing to do (a
pause while paused, an answer to a cancelled clock) returns the clock it was given, since platforms repeat themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.targets import Basis, Metric, Source, SourceKind, Target
from aftersail.core.contract import Instant, Record

_INSTANT_AFTER: Final = timedelta(microseconds=1)
_NO_TIME: Final = timedelta()
_DAY: Final = timedelta(days=1)
# Python 3.11 takes as long to look a member up in its class as to bisect a year.
_ELAPSED: Final = Basis.ELAPSED
_BUSINESS_TIME: Final = Basis.BUSINESS_TIME
_RANK: Final = {SourceKind.LAW: 0, SourceKind.MARKETPLACE: 1, SourceKind.OWN: 2}


class ClockState(StrEnum):
    """Where a clock stands. Whether it was breached is apart from that: a breached clock may still be met, late."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    CANCELLED = "cancelled"
    MERGED = "merged"
    """Its ticket was merged into another, whose clock counts now."""


class ClockSignal(StrEnum):
    """What a tick has to tell, each once per clock."""

    WARNED = "warned"
    BREACHED = "breached"


ENDED: Final = frozenset({ClockState.MET, ClockState.CANCELLED, ClockState.MERGED})
"""The states no clock leaves by itself."""


class Pause(Record):
    """While the ball is in somebody else's court."""

    since: Instant
    until: Instant | None = None
    hold: str | None = None
    """What was waited for, where waiting takes no time from the target but only keeps it from ending before that came.

    None for a pause that stops the count.
    """


class Clock(Record):
    """One target's clock."""

    metric: Metric
    source: Source
    basis: Basis
    duration: timedelta | None
    """None for a deadline that somebody else set: it stands, whatever is paused here."""
    calendar: str | None = None
    warn_lead: timedelta | None = None
    warn_basis: Basis = Basis.ELAPSED
    effect: str = "metric"
    row: str = ""
    paused_in: tuple[str, ...] = ()
    """The ticket's states during which it is paused, as the pack said when it was started."""
    started_at: Instant
    due_at: Instant
    """The last instant in time. While paused it is what held when the pause began; while held, its earliest."""
    warn_at: Instant | None = None
    pauses: tuple[Pause, ...] = ()
    state: ClockState = ClockState.RUNNING
    met_at: Instant | None = None
    cancelled_at: Instant | None = None
    """When it was cancelled or merged."""
    breached_at: Instant | None = None
    """The due instant, once it has passed unmet."""
    detected_at: Instant | None = None
    """When a tick noticed the breach."""
    warned_at: Instant | None = None

    @property
    def late(self) -> timedelta | None:
        """How long after the due instant it was met, in elapsed time; None unless it was met late."""
        return self.met_at - self.due_at if self.met_at and self.breached_at else None


def start(target: Target, calendar: Calendar | None, at: datetime, *, paused_in: Iterable[str] = ()) -> Clock:
    """Start a target's clock at `at`, or at the event the target itself names; held where the target says so.

    `paused_in` are the ticket's states during which it will be paused.

    Raises:
        ValueError: the time is naive, or this is not the calendar the target names.
        CalendarError: the calendar has no open hour left.
    """
    begins = utc(target.start_at or at)
    held = target.hold is not None and (target.released_at is None or target.released_at > begins)
    clock = Clock(
        metric=target.metric,
        source=target.source,
        basis=target.basis,
        duration=target.duration,
        calendar=target.calendar,
        warn_lead=target.warn_lead,
        warn_basis=target.lead_basis,
        effect=target.effect,
        row=target.row,
        paused_in=tuple(paused_in),
        started_at=begins,
        due_at=begins,
        pauses=(Pause(since=begins, until=target.released_at, hold=target.hold),) if held else (),
        state=ClockState.PAUSED if held and target.released_at is None else ClockState.RUNNING,
    )
    return scheduled(clock, calendar)


def from_deadline(
    metric: Metric, at: datetime, due: datetime, source: Source, warn_lead: timedelta | None = None
) -> Clock:
    """Start a clock on a deadline that the platform itself named; the warning lead is elapsed time."""
    clock = Clock(
        metric=metric,
        source=source,
        basis=Basis.ELAPSED,
        duration=None,
        warn_lead=warn_lead,
        started_at=utc(at),
        due_at=utc(due),
    )
    return scheduled(clock, None)


def pause(clock: Clock, at: datetime) -> Clock:
    """Stop the clock for a while. A breach before stays one; another's deadline cannot be paused.

    A pause that is told late counts from where the last one ended, so that no time is given twice. A breach that was
    noticed before such a pause was told is withdrawn.
    """
    if clock.state is not ClockState.RUNNING or clock.duration is None:
        return clock
    ended = [halt.until for halt in clock.pauses if halt.until and halt.hold is None]
    since = max(utc(at), clock.started_at, *ended)
    clock = judged(clock, since)
    if clock.breached_at and since <= clock.due_at:
        clock = changed(clock, breached_at=None, detected_at=None)
    return changed(clock, state=ClockState.PAUSED, pauses=(*clock.pauses, Pause(since=since)))


def resume(clock: Clock, calendar: Calendar | None, at: datetime) -> Clock:
    """Let a paused clock run again: the time that was left when the pause began is left now. A hold stays one."""
    if clock.state is not ClockState.PAUSED or is_held(clock):
        return clock
    return _running_again(clock, calendar, at)


def is_held(clock: Clock) -> bool:
    """Tell whether what may be waited for has not come yet."""
    return clock.state is ClockState.PAUSED and clock.pauses[-1].hold is not None


def release(clock: Clock, calendar: Calendar | None, at: datetime) -> Clock:
    """Record that what a held clock waits for came at `at`: it is due as counted from its start, not before that."""
    return _running_again(clock, calendar, at) if is_held(clock) else clock


def _running_again(clock: Clock, calendar: Calendar | None, at: datetime) -> Clock:
    last = clock.pauses[-1]
    ended = changed(last, until=max(utc(at), last.since))
    running = changed(clock, state=ClockState.RUNNING, pauses=(*clock.pauses[:-1], ended))
    return running if running.breached_at else scheduled(running, calendar)


def meet(clock: Clock, at: datetime) -> Clock:
    """Record that what the clock waits for was done at `at`. At the due instant is in time, a microsecond later not.

    Of two answers the earlier one counts, also when it is told later: a breach that was noticed before such an answer
    came in is withdrawn.
    """
    done = utc(at)
    if clock.state in {ClockState.CANCELLED, ClockState.MERGED} or (clock.met_at and clock.met_at <= done):
        return clock
    pauses = tuple(changed(halt, until=min(halt.until or done, done)) for halt in clock.pauses if halt.since < done)
    stopped = pauses[-1].since if pauses and pauses[-1].until == done else done
    late = stopped > clock.due_at
    return changed(
        clock,
        state=ClockState.MET,
        met_at=done,
        pauses=pauses,
        breached_at=clock.due_at if late else None,
        detected_at=clock.detected_at if late else None,
    )


def cancel(clock: Clock, at: datetime) -> Clock:
    """Stop the clock without calling it met. If it ran out before, that stays true."""
    if clock.state in ENDED:
        return clock
    ended = utc(at)
    clock = judged(clock, ended)
    return changed(clock, state=ClockState.CANCELLED, cancelled_at=ended, pauses=pauses_until(clock, ended))


def reopen(clock: Clock, calendar: Calendar | None, at: datetime) -> Clock:
    """Let a met clock run on with the time it had left; what lay between counts as a pause. A breach stays one."""
    if clock.state is not ClockState.MET or clock.met_at is None or clock.duration is None:
        return clock
    since = max(clock.met_at, clock.started_at)
    halted = changed(clock, state=ClockState.PAUSED, met_at=None, pauses=(*clock.pauses, Pause(since=since)))
    return resume(halted, calendar, at)


def tick(clock: Clock, now: datetime) -> tuple[Clock, tuple[ClockSignal, ...]]:
    """Notice what has come due by `now`, however late: the breach is stamped with the due instant.

    A warning is told once, and never after the breach.
    """
    at = utc(now)
    clock = judged(clock, at)
    if clock.breached_at:
        if clock.detected_at:
            return clock, ()
        return changed(clock, detected_at=at), (ClockSignal.BREACHED,)
    warnable = clock.state is ClockState.RUNNING and clock.warned_at is None
    if warnable and clock.warn_at and clock.warn_at <= at:
        return changed(clock, warned_at=at), (ClockSignal.WARNED,)
    return clock, ()


def next_at(clock: Clock) -> datetime | None:
    """Return the first instant at which a tick has something to do; it may be past. None when never again."""
    if clock.breached_at:
        return None if clock.detected_at else clock.due_at + _INSTANT_AFTER
    if clock.state is not ClockState.RUNNING:
        return None
    return first_tick(clock.due_at, None if clock.warned_at else clock.warn_at)


def first_tick(due: datetime, warn: datetime | None) -> datetime:
    """Return when a running clock is first to be looked at; `warn` is None where no warning is to come any more."""
    breach = due + _INSTANT_AFTER
    return breach if warn is None else min(breach, warn)


def effective(clocks: Iterable[Clock]) -> Clock | None:
    """Return the running clock that is due first; of two, the one whose source weighs more: law, marketplace, own."""
    running = [clock for clock in clocks if clock.state is ClockState.RUNNING]
    return min(running, key=lambda clock: (clock.due_at, _RANK[clock.source.kind]), default=None)


def spent(clock: Clock, calendar: Calendar | None, now: datetime) -> timedelta:
    """Return the time used by `now` without pauses: open time on a business-time basis, else elapsed time."""
    end = clock.met_at or clock.cancelled_at or utc(now)
    at, used = clock.started_at, _NO_TIME
    for halt in halts(clock):
        used += _passed(clock, calendar, at, min(halt.since, end))
        at = min(halt.until or end, end)
    return used + _passed(clock, calendar, at, max(end, at))


def halts(clock: Clock) -> tuple[Pause, ...]:
    """Return the pauses that stop the count: a hold does not."""
    return tuple(halt for halt in clock.pauses if halt.hold is None)


def pauses_until(clock: Clock, ended: datetime) -> tuple[Pause, ...]:
    """Return a clock's pauses with the last one ended."""
    return tuple(changed(halt, until=halt.until or max(ended, halt.since)) for halt in clock.pauses)


def judged(clock: Clock, at: datetime) -> Clock:
    """Stamp a breach, if the clock ran past its due instant by `at`; noticing it is a tick's."""
    if clock.state is ClockState.RUNNING and clock.breached_at is None and at > clock.due_at:
        return changed(clock, breached_at=clock.due_at)
    return clock


def scheduled(clock: Clock, calendar: Calendar | None) -> Clock:
    """Work out the due instant and the warning's, from the start on and through all pauses."""
    due, warn = times(clock, calendar, clock.started_at)
    return changed(clock, due_at=due, warn_at=warn)


def times(clock: Clock, calendar: Calendar | None, started_at: datetime) -> tuple[datetime, datetime | None]:
    """Return when such a clock is due and when it warns, had it been started at `started_at`."""
    if calendar is not None and clock.calendar is not None and calendar.spec.id != clock.calendar:
        raise ValueError(f'the clock of {clock.metric} runs on calendar "{clock.calendar}", not on "{calendar.id}"')
    due = clock.due_at if clock.duration is None else _due(clock, clock.duration, calendar, started_at)
    warn = None
    if clock.warn_lead is not None:
        by_calendar = clock.warn_basis is _BUSINESS_TIME
        warn = _needed(clock, calendar).back(due, clock.warn_lead) if by_calendar else due - clock.warn_lead
        warn = max(warn, started_at)
    return due, warn


def _due(clock: Clock, duration: timedelta, calendar: Calendar | None, started_at: datetime) -> datetime:
    """Count through the pauses: each one takes up what was left when it began. No hold ends after the due instant."""
    at, left, earliest = started_at, duration, started_at
    for halt in clock.pauses:
        if halt.until is None:
            break
        if halt.hold is None:
            left -= min(left, _used(clock, calendar, at, halt.since))
            at = halt.until
        else:
            earliest = max(earliest, halt.until)
    return max(_after(clock, calendar, at, left), earliest)


def _after(clock: Clock, calendar: Calendar | None, at: datetime, left: timedelta) -> datetime:
    if clock.basis is _ELAPSED:
        return at + left
    if clock.basis is _BUSINESS_TIME:
        return _needed(clock, calendar).due(at, left)
    if clock.basis is Basis.BUSINESS_DAYS:
        return _needed(clock, calendar).due_days(at, left // _DAY)
    return _needed(clock, calendar).due_calendar_days(at, left // _DAY)


def _used(clock: Clock, calendar: Calendar | None, a: datetime, b: datetime) -> timedelta:
    """Return what the stretch from `a` to `b` takes from the target, in the target's own measure."""
    if clock.basis is Basis.BUSINESS_DAYS:
        return _needed(clock, calendar).business_days(a, b) * _DAY
    if clock.basis is Basis.CALENDAR_DAYS:
        desk = _needed(clock, calendar)
        return desk.local(b).date() - desk.local(a).date()
    return _passed(clock, calendar, a, b)


def _passed(clock: Clock, calendar: Calendar | None, a: datetime, b: datetime) -> timedelta:
    if b <= a:
        return _NO_TIME
    return _needed(clock, calendar).open_time(a, b) if clock.basis is Basis.BUSINESS_TIME else b - a


def _needed(clock: Clock, calendar: Calendar | None) -> Calendar:
    if calendar is None:
        raise ValueError(f'the clock of {clock.metric} counts {clock.basis}; pass its calendar "{clock.calendar}"')
    return calendar


def utc(at: datetime) -> datetime:
    """Return the same instant in UTC; a naive one is a ValueError."""
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; pass an aware datetime, best in UTC")
    return at.astimezone(UTC)


_PartT = TypeVar("_PartT", Clock, Pause)


def changed(part: _PartT, **changes: object) -> _PartT:
    """Return a clock or a pause with other values."""
    return part.model_copy(update=changes)
