"""Clocks: calendars, targets, clocks and their due times. Pure: no I/O, no clock is read, time is an argument."""

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.clock import (
    Clock,
    ClockSignal,
    ClockState,
    Pause,
    cancel,
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
from aftersail.core.clocks.explain import explain
from aftersail.core.clocks.spec import CalendarError, CalendarSpec, HolidayRule
from aftersail.core.clocks.targets import Basis, Metric, Source, SourceKind, Target

__all__ = [
    "Basis",
    "Calendar",
    "CalendarError",
    "CalendarSpec",
    "Clock",
    "ClockSignal",
    "ClockState",
    "HolidayRule",
    "Metric",
    "Pause",
    "Source",
    "SourceKind",
    "Target",
    "cancel",
    "effective",
    "explain",
    "from_deadline",
    "meet",
    "next_at",
    "pause",
    "recompute",
    "reopen",
    "resume",
    "spent",
    "start",
    "tick",
]
