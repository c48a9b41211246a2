"""Stored clocks counted again by the million: one reading for all whose JSON differs in nothing but instants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.change import recompute
from aftersail.core.clocks.clock import Clock, next_at, times
from aftersail.core.clocks.targets import Basis
from aftersail.core.clocks.zones import SECOND, instant, micros

_INSTANT: Final = re.compile(r'"(\d{4}-\d\d-\d\dT[^"]+)"')
_SINGLE: Final = frozenset({"started_at", "due_at", "warn_at", "warned_at", "breached_at", "detected_at"})
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = 86_400


class Recounted(NamedTuple):
    """A clock that has other times now."""

    due_at: int
    """Microseconds since 1970 UTC, as all instants are stored."""
    next_at: int | None
    """When it is next to be looked at."""
    before: str
    """The due instant as it was, ISO 8601 in UTC."""
    after: str
    """The due instant as it is."""
    body: str
    """The clock's JSON."""


class _Form(NamedTuple):
    """What clocks share whose JSON says the same but for instants, and where among its pieces each instant stands."""

    clock: Clock
    calendar: str | None
    """The one that may move them; None where nothing can any more."""
    open_time: int
    """The duration of business time, in microseconds; 0 for another basis."""
    lead: int
    """The warning lead in microseconds; 0 for none."""
    lead_open: bool
    due: int
    warn: int


class Recount:
    """Does to running clocks what `recompute` does at one instant. It remembers every form it saw: take one per batch.

    Args:
        at: when the calendars were changed.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._now = micros(at)
        self._forms: dict[tuple[str, ...], _Form | None] = {}
        self._texts = _Texts()

    def again(
        self, body: str, started_at: int, due_at: int, calendar_of: Callable[[str], Calendar | None]
    ) -> Recounted | None:
        """Count one clock again; None where nothing changes.

        Args:
            body: the clock's JSON, however it is spaced and ordered.
            started_at: when it was started, in microseconds since 1970 UTC.
            due_at: when it is due by now.
            calendar_of: finds the calendar by its id.
        """
        pieces = _INSTANT.split(body)
        key = tuple(pieces[::2])
        form = self._forms.get(key)
        if form is None:
            if key not in self._forms:
                self._forms[key] = form = _form(body, pieces)
            if form is None:
                return self._one(body, calendar_of)
        calendar = calendar_of(form.calendar) if form.calendar else None
        if calendar is None or due_at < self._now:
            return None
        due, warn = _times(form, started_at, calendar)
        if due == due_at and (warn is None or warn == micros(datetime.fromisoformat(pieces[form.warn]))):
            return None
        if due < self._now:
            return None
        before, after = self._texts.of(due_at), self._texts.of(due)
        pieces[form.due] = f"{after}Z"
        if warn is not None:
            pieces[form.warn] = f"{self._texts.of(warn)}Z"
        upcoming = due + 1 if warn is None or form.clock.warned_at else min(due + 1, warn)
        return Recounted(due, upcoming, f"{before}+00:00", f"{after}+00:00", '"'.join(pieces))

    def _one(self, body: str, calendar_of: Callable[[str], Calendar | None]) -> Recounted | None:
        clock = Clock.model_validate_json(body)
        again = recompute(clock, calendar_of(clock.calendar) if clock.calendar else None, self._at)
        if again.breached_at or (again.due_at, again.warn_at) == (clock.due_at, clock.warn_at):
            return None
        due, upcoming = micros(again.due_at), next_at(again)
        before, after = clock.due_at.isoformat(), again.due_at.isoformat()
        return Recounted(due, micros(upcoming) if upcoming else None, before, after, again.model_dump_json())


def _form(body: str, pieces: list[str]) -> _Form | None:
    """Find the form of a clock; None where it is to be read as a whole: it was paused, or says something unforeseen."""
    clock = Clock.model_validate_json(body)
    names = [piece.rpartition('":')[0].rpartition('"')[2] for piece in pieces[:-1:2]]
    places = {name: 2 * index + 1 for index, name in enumerate(names)}
    if clock.pauses or len(places) < len(names) or not places.keys() <= _SINGLE:
        return None
    if ("warn_at" in places) != (clock.warn_lead is not None):
        return None
    if any(datetime.fromisoformat(pieces[place]) != getattr(clock, name) for name, place in places.items()):
        return None  # a text of the pack that looks like an instant
    still = clock.breached_at is not None or clock.duration is None
    return _Form(
        clock=clock,
        calendar=None if still else clock.calendar,
        open_time=clock.duration // _MICROSECOND if clock.duration and clock.basis is Basis.BUSINESS_TIME else 0,
        lead=clock.warn_lead // _MICROSECOND if clock.warn_lead else 0,
        lead_open=clock.warn_basis is Basis.BUSINESS_TIME,
        due=places["due_at"],
        warn=places.get("warn_at", 0),
    )


def _times(form: _Form, started_at: int, calendar: Calendar) -> tuple[int, int | None]:
    """Return when a clock of this form is due and when it warns; business time, which most is, the short way."""
    if not form.open_time:
        due_at, warn_at = times(form.clock, calendar, instant(started_at))
        return micros(due_at), micros(warn_at) if warn_at else None
    due = calendar.due_micros(started_at, form.open_time)
    if not form.lead:
        return due, None
    return due, max(calendar.back_micros(due, form.lead) if form.lead_open else due - form.lead, started_at)


class _Texts:
    """Writes instants in UTC, without the zone: from a table of days and one of seconds, in a fifth of the time."""

    def __init__(self) -> None:
        self._days: dict[int, str] = {}
        self._seconds: dict[int, str] = {}

    def of(self, at: int) -> str:
        """Write one."""
        seconds, fraction = divmod(at, SECOND)
        if fraction:
            return instant(at).replace(tzinfo=None).isoformat()
        day, second = divmod(seconds, _DAY)
        text, time = self._days.get(day), self._seconds.get(second)
        if text is None or time is None:
            written = instant(at).replace(tzinfo=None).isoformat()
            text, time = self._days[day], self._seconds[second] = written[:10], written[10:]
        return text + time
