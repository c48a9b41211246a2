"""The arithmetic of a clock as one line that a person can check."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.clock import Clock, Pause, halts
from aftersail.core.clocks.targets import DAY_BASES, Basis

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)
_SHOWN_WINDOWS = 4
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def explain(clock: Clock, calendar: Calendar | None = None, zone: str | tzinfo | None = None) -> str:
    """Tell how a clock came to its due instant and what became of it.

    Times are those of `zone`, else of the calendar's zone, else UTC. Example: `first_response: 2 h of business_time on
    "desk" from Fri 2026-11-20 17:30, open Fri 2026-11-20 17:30-18:00, Mon 2026-11-23 09:00-10:30, due Mon 2026-11-23
    10:30 (Asia/Shanghai), source own: starter 1`.
    """
    shown = _zone(calendar, zone)
    length = _length(clock)
    parts = [f"{clock.metric}: {length} from {_at(clock.started_at, shown)}"]
    if clock.basis is Basis.BUSINESS_TIME and calendar is not None:
        parts.append(f"open {_windows(clock, calendar, shown)}")
    parts.extend(_pause(pause, shown) for pause in clock.pauses)
    end_of_day = clock.basis in DAY_BASES
    parts.append(f"due {_at(clock.due_at, shown, end_of_day=end_of_day)} ({shown})")
    if clock.warn_at is not None:
        parts.append(f"{'warned' if clock.warned_at else 'warning'} {_at(clock.warned_at or clock.warn_at, shown)}")
    if clock.breached_at is not None:
        noticed = f", noticed {_at(clock.detected_at, shown)}" if clock.detected_at else ""
        parts.append(f"breached {_at(clock.breached_at, shown, end_of_day=end_of_day)}{noticed}")
    if clock.met_at is not None:
        late = f", {_span(clock.late)} late" if clock.late else ""
        parts.append(f"met {_at(clock.met_at, shown)}{late}")
    if clock.cancelled_at is not None:
        parts.append(f"cancelled {_at(clock.cancelled_at, shown)}")
    row = f", row {clock.row}" if clock.row else ""
    return f"{', '.join(parts)}, source {clock.source.label}{row}"


def _pause(pause: Pause, zone: tzinfo) -> str:
    if pause.hold is None:
        return f"paused {_at(pause.since, zone)} to {_at(pause.until, zone) if pause.until else 'now'}"
    until = f": {_at(pause.until, zone)}" if pause.until else ", which is still to come"
    return f"not before {pause.hold}{until}"


def _zone(calendar: Calendar | None, zone: str | tzinfo | None) -> tzinfo:
    if isinstance(zone, str):
        return ZoneInfo(zone)
    return zone or (calendar.zone if calendar else ZoneInfo("UTC"))


def _length(clock: Clock) -> str:
    if clock.duration is None:
        return "deadline set by the platform"
    on = f' on "{clock.calendar}"' if clock.calendar and clock.basis is not Basis.ELAPSED else ""
    if clock.basis in DAY_BASES:
        return f"{clock.duration // _DAY} {clock.basis}{on}"
    return f"{_span(clock.duration, days=clock.basis is Basis.ELAPSED)} of {clock.basis}{on}"


def _windows(clock: Clock, calendar: Calendar, zone: tzinfo) -> str:
    running: list[tuple[datetime, datetime]] = []
    at = clock.started_at
    for pause in halts(clock):
        running.append((at, min(pause.since, clock.due_at)))
        at = pause.until or clock.due_at
    running.append((at, clock.due_at))
    found = [window for a, b in running if a < b for window in calendar.windows(a, b)]
    texts = [f"{_at(a, zone)}-{_until(a, b, zone)}" for a, b in found]
    if len(texts) > _SHOWN_WINDOWS:
        texts[_SHOWN_WINDOWS - 2 : -1] = [f"{len(texts) - _SHOWN_WINDOWS + 1} more"]
    return ", ".join(texts) or "at no time"


def _at(at: datetime, zone: tzinfo, *, end_of_day: bool = False) -> str:
    """Write an instant; where the end of a day is meant, midnight is that day's 24:00."""
    local = at.astimezone(zone)
    clock = _clock(local)
    if end_of_day and clock == "00:00":
        local, clock = local - _DAY, "24:00"
    return f"{_WEEKDAYS[local.weekday()]} {local:%Y-%m-%d} {clock}"


def _until(a: datetime, b: datetime, zone: tzinfo) -> str:
    local = b.astimezone(zone)
    if local.date() == a.astimezone(zone).date():
        return _clock(local)
    return _at(b, zone)


def _clock(local: datetime) -> str:
    """Write the time of day as exactly as it is; an hour the clock shows twice gets its zone's short name."""
    text = f"{local:%H:%M}"
    if local.second or local.microsecond:
        text = f"{local:%H:%M:%S}" + (f".{local.microsecond:06}".rstrip("0") if local.microsecond else "")
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{text} {local.tzname()}" if twice else text


def _span(span: timedelta, *, days: bool = False) -> str:
    """Write a length; of business time in hours, since a business day has no fixed length."""
    rest, parts = span // timedelta(seconds=1), []
    for seconds, unit in _UNITS[not days :]:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {unit}")
    if span.microseconds:
        parts.append(f"{span.microseconds} µs")
    return " ".join(parts) or "0 s"
