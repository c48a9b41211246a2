"""When a window ends: the arithmetic of one row, without the exceptions and the rows beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from aftersail.core.clocks import Calendar, CalendarError
from aftersail.core.contract import TrackingStatus
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.rights import Start, WindowRow

_DAY: Final = timedelta(days=1)
_LONGEST_CLOSURE: Final = 366
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FACTS_OF: Final = {
    Start.PLACED: ("order.placed_at",),
    Start.CONTRACT: ("order.placed_at",),
    Start.FULFILLED: ("order.fulfilled_at",),
    Start.DELIVERED_FIRST: ("order.delivered_first_at", "order.delivered_at"),
    Start.DELIVERED_LINE: ("claim.delivered_at", "order.delivered_last_at", "order.delivered_at"),
    Start.DELIVERED_LAST: ("order.delivered_last_at", "order.delivered_at"),
}
"""Where a start event is looked up: the first fact that is known."""

_ON_ITS_WAY: Final = frozenset(
    {
        TrackingStatus.REGISTERED.value,
        TrackingStatus.IN_TRANSIT.value,
        TrackingStatus.CUSTOMS.value,
        TrackingStatus.OUT_FOR_DELIVERY.value,
        TrackingStatus.AVAILABLE_FOR_PICKUP.value,
    }
)
_ONCE_DELIVERED: Final = frozenset({Start.DELIVERED_FIRST, Start.DELIVERED_LINE, Start.DELIVERED_LAST})


@dataclass(frozen=True)
class End:
    """How a window came out.

    Attributes:
        open: whether the claim was in time; None where nobody can tell.
        ends_at: the first instant that is too late; None where it is not known, or never comes.
        days_left: dates from the claim to the last day.
        why: the arithmetic, or what is missing.
    """

    open: bool | None
    why: str
    ends_at: datetime | None = None
    days_left: int | None = None
    estimated: bool = False
    unlimited: bool = False


@dataclass
class _Steps:
    said: list[str] = field(default_factory=list)

    def add(self, step: str) -> None:
        self.said.append(step)

    def __str__(self) -> str:
        return ", ".join(self.said)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    return ZoneInfo(name)


def end_of(row: WindowRow, calendar: Calendar | None, facts: Facts, at: datetime) -> End:
    """Work out whether a claim was filed inside a window.

    Args:
        row: the window.
        calendar: the row's calendar; None where it has none.
        facts: what is known of order and claim.
        at: the instant of the decision; a claim whose time is not known was filed at the latest then.
    """
    if row.unlimited:
        return End(open=True, why="the window never ends", unlimited=True)
    try:
        return _counted(row, calendar, facts, at)
    except (OverflowError, CalendarError) as error:
        return End(open=None, why=f"the dates cannot be counted with: {error}")


def _counted(row: WindowRow, calendar: Calendar | None, facts: Facts, at: datetime) -> End:
    zone = calendar.zone if calendar and not row.timezone else zone_of(row.timezone or "UTC")
    steps = _Steps()
    begun, estimated = _start(row, facts, zone, steps)
    if begun is None:
        if row.start in _ONCE_DELIVERED and facts.text("parcel.status") in _ON_ITS_WAY:
            return End(open=True, why="the parcel is on its way, so the window has not begun")
        return End(open=None, why=f"fact {_FACTS_OF[row.start][0]} is missing")
    last = _last_day(row, begun, steps)
    if row.roll_over and calendar is not None:
        last = _rolled(calendar, last, steps)
    last, unsure = _in_season(row, last, facts, zone, steps)
    ends_at = datetime.combine(last + _DAY, datetime.min.time(), zone).astimezone(UTC)
    return _judged(last, ends_at, facts, at, zone, str(steps), estimated=estimated, unsure=unsure)


def _judged(
    last: date,
    ends_at: datetime,
    facts: Facts,
    at: datetime,
    zone: ZoneInfo,
    why: str,
    *,
    estimated: bool,
    unsure: str,
) -> End:
    filed = facts.instant("claim.filed_at")
    left = (last - (filed or at).astimezone(zone).date()).days
    in_time = (filed or at) < ends_at
    if in_time or (filed is not None and not unsure):
        said = f"filed {_instant(filed, zone)}" if filed else f"not over at {_instant(at, zone)}"
        verdict = "in time" if in_time else "too late"
        return End(
            open=in_time,
            why=f"{why}; {said}: {verdict}",
            ends_at=ends_at,
            days_left=left if filed else None,
            estimated=estimated,
        )
    missing = unsure or "fact claim.filed_at is missing"
    return End(open=None, why=f"{why}; {missing}", ends_at=None if unsure else ends_at, estimated=estimated)


def _start(row: WindowRow, facts: Facts, zone: ZoneInfo, steps: _Steps) -> tuple[datetime | None, bool]:
    begun = _event(row.start, facts)
    if begun is not None:
        steps.add(f"{_name(row.start)} {_day(begun.astimezone(zone).date())} ({zone.key})")
        return begun.astimezone(zone), False
    earlier = _event(row.estimate.start, facts) if row.estimate else None
    if row.estimate is None or earlier is None:
        return None, False
    begun = earlier + row.estimate.add
    days = row.estimate.add // _DAY
    steps.add(
        f"{_name(row.start)} {_day(begun.astimezone(zone).date())} by estimate: {_name(row.estimate.start)}"
        f" {_day(earlier.astimezone(zone).date())} and {days} days ({zone.key})"
    )
    return begun.astimezone(zone), True


def _event(start: Start, facts: Facts) -> datetime | None:
    return next((known for name in _FACTS_OF[start] if (known := facts.instant(name)) is not None), None)


def _last_day(row: WindowRow, begun: datetime, steps: _Steps) -> date:
    days = row.days or 0
    last = begun.date() + timedelta(days=days - row.count_start_day)
    counted = "that day counted" if row.count_start_day else "that day not counted"
    steps.add(f"{days} days, {counted}: last day {_day(last)}")
    return last


def _rolled(calendar: Calendar, last: date, steps: _Steps) -> date:
    day = last
    for _ in range(_LONGEST_CLOSURE):
        if calendar.is_business_day(day):
            break
        day += _DAY
    if day != last:
        steps.add(f"no working day on calendar {calendar.id}, so the last day is {_day(day)}")
    return day


def _in_season(row: WindowRow, last: date, facts: Facts, zone: ZoneInfo, steps: _Steps) -> tuple[date, str]:
    """Return the last day with the seasons, and what must be known to be sure of it."""
    later = [season for season in row.seasons if season.until > last]
    if not later:
        return last, ""
    placed = facts.instant("order.placed_at")
    if placed is None:
        return last, "fact order.placed_at is missing, and there is a season"
    bought = placed.astimezone(zone).date()
    fitting = [season.until for season in later if season.bought_from <= bought <= season.bought_until]
    if fitting:
        last = max(fitting)
        steps.add(f"bought {_day(bought)}, in season: last day {_day(last)}")
    return last, ""


def _name(start: Start) -> str:
    return {
        Start.PLACED: "ordered",
        Start.CONTRACT: "contract of",
        Start.FULFILLED: "sent",
        Start.DELIVERED_FIRST: "first parcel delivered",
        Start.DELIVERED_LINE: "goods delivered",
        Start.DELIVERED_LAST: "last parcel delivered",
    }[start]


def _day(day: date) -> str:
    return f"{_WEEKDAYS[day.weekday()]} {day}"


def _instant(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{_day(local.date())} {local:%H:%M:%S}"
