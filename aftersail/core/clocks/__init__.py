"""Clocks: calendars, targets, clocks and their due times. Pure: no I/O, no clock is read, time is an argument."""

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.change import merge, recompute, restart, retarget
from aftersail.core.clocks.clock import (
    Clock,
    ClockSignal,
    ClockState,
    Pause,
    cancel,
    effective,
    from_deadline,
    is_held,
    meet,
    next_at,
    pause,
    release,
    reopen,
    resume,
    spent,
    start,
    tick,
)
from aftersail.core.clocks.explain import explain
from aftersail.core.clocks.figures import ClockFigures, Outcome, figures
from aftersail.core.clocks.lint import Finding, lint
from aftersail.core.clocks.spec import CalendarError, CalendarSpec, HolidayRule
from aftersail.core.clocks.stored import Recount, Recounted
from aftersail.core.clocks.targets import Basis, Metric, Source, SourceKind, Target

__all__ = [
    "Basis",
    "Calendar",
    "CalendarError",
    "CalendarSpec",
    "Clock",
    "ClockFigures",
    "ClockSignal",
    "ClockState",
    "Finding",
    "HolidayRule",
    "Metric",
    "Outcome",
    "Pause",
    "Recount",
    "Recounted",
    "Source",
    "SourceKind",
    "Target",
    "cancel",
    "effective",
    "explain",
    "figures",
    "from_deadline",
    "is_held",
    "lint",
    "meet",
    "merge",
    "next_at",
    "pause",
    "recompute",
    "release",
    "reopen",
    "restart",
    "resume",
    "retarget",
    "spent",
    "start",
    "tick",
]
