"""What changes a clock while it runs: another calendar, another target, a merged ticket.

A change never makes a clock late after the fact: where the new due instant would lie in the past, the new target counts
from the change on, as a clock of its own, and the old one ends as cancelled and stays in the history.
"""

from __future__ import annotations

from datetime import datetime

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.clock import (
    ENDED,
    Clock,
    ClockState,
    cancel,
    changed,
    judged,
    pause,
    pauses_until,
    scheduled,
    start,
    utc,
)
from aftersail.core.clocks.targets import Target


def recompute(clock: Clock, calendar: Calendar | None, at: datetime) -> Clock:
    """Work the due instant out anew, after the calendar was changed.

    What was over by `at` stays as it was, and so does what the changed calendar would have ended before.
    """
    if clock.state in ENDED:
        return clock
    clock = judged(clock, utc(at))
    if clock.breached_at:
        return clock
    moved = scheduled(clock, calendar)
    return moved if moved.due_at >= _running_until(clock, at) else clock


def retarget(clock: Clock, target: Target, calendar: Calendar | None, at: datetime) -> tuple[Clock, Clock | None]:
    """Give a running or paused clock another target, counted from the same start and through the same pauses.

    Args:
        clock: the clock; one that is met, ended or breached by `at` stays as it is.
        target: what is to be kept from now on.
        calendar: the one that `target` names.
        at: when the target was changed.

    Returns:
        the clock as it is now; and where the new target would have run out before `at`, the clock that takes its place.
    """
    clock = judged(clock, utc(at))
    if clock.state in ENDED or clock.breached_at or clock.duration is None:
        return clock, None
    moved = scheduled(changed(clock, **_measure(target)), calendar)
    in_time = moved.due_at >= _running_until(clock, at)
    return (moved, None) if in_time else restart(clock, target, calendar, at)


def restart(clock: Clock, target: Target, calendar: Calendar | None, at: datetime) -> tuple[Clock, Clock | None]:
    """End a clock, and start another in its place with a target of its own; paused where the old one was.

    Returns:
        the ended clock, and the one in its place; a clock that is met, ended or breached by `at` stays as it is.
    """
    clock = judged(clock, utc(at))
    if clock.state in ENDED or clock.breached_at or clock.duration is None:
        return clock, None
    begun = start(target, calendar, at, paused_in=clock.paused_in)
    return cancel(clock, at), pause(begun, at) if clock.state is ClockState.PAUSED else begun


def merge(clock: Clock, at: datetime) -> Clock:
    """End the clock of a ticket that was merged into another. What it breached is told by the clock that goes on."""
    if clock.state in ENDED:
        return clock
    ended = utc(at)
    void = {"breached_at": None, "detected_at": None}
    return changed(clock, state=ClockState.MERGED, cancelled_at=ended, pauses=pauses_until(clock, ended), **void)


def _running_until(clock: Clock, at: datetime) -> datetime:
    return clock.pauses[-1].since if clock.state is ClockState.PAUSED else utc(at)


def _measure(target: Target) -> dict[str, object]:
    return {
        "basis": target.basis,
        "duration": target.duration,
        "calendar": target.calendar,
        "warn_lead": target.warn_lead,
        "warn_basis": target.lead_basis,
        "warn_at": None,
        "effect": target.effect,
        "row": target.row,
        "source": target.source,
    }
