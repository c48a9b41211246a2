"""Until when a buyer may object: so many working days after the ticket was closed, the last one to its end."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from aftersail.core.clocks import Calendar, CalendarSpec, SourceKind
from aftersail.core.policy import Pack

_MOMENT = timedelta(microseconds=1)


def objection_ends(pack: Pack, calendar: str | None, closed_at: datetime, days: int) -> tuple[datetime, date]:
    """Return the first instant that is too late, and the last day; the day of the closing does not count.

    Args:
        pack: the ticket's.
        calendar: the pack's calendar whose business days count; None for Monday to Friday in the pack's own zone.
        closed_at: when the ticket was closed (UTC).
        days: how many working days.
    """
    named = pack.calendar(calendar) if calendar in pack.calendars else None
    working = named or _weekdays(_own_zone(pack))
    last = working.due_days(closed_at, days) - _MOMENT
    return working.due_calendar_days(last, 0), working.local(last).date()


def _own_zone(pack: Pack) -> str:
    """The zone the seller's own promises are counted in; laws and marketplaces bring calendars of their own."""
    own = (target for line in pack.targets for target in line.targets if target.source.kind is SourceKind.OWN)
    return next((pack.calendars[target.calendar].timezone for target in own if target.calendar), "UTC")


@lru_cache(maxsize=32)
def _weekdays(timezone: str) -> Calendar:
    return Calendar.build(CalendarSpec(id="working-days", timezone=timezone, hours="Mo-Fr 00:00-24:00"))
