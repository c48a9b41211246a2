"""Stored clocks counted again by the million: one reading for all whose JSON differs in nothing but instants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.change import recompute
from aftersail.core.clocks.clock import Clock, next_at, times
from aftersail.core.clocks.targets import Basis
from aftersail.core.clocks.zones import SECOND, instant, micros

# In JSON a quote within a text is written \", so this is a key of the clock and its instant, and never a text.
_INSTANT: Final = re.compile(r'(_at": ?"[^"]+)')
_MICROSECOND: Final = timedelta(microseconds=1)
_SECONDS: Final = tuple(f"{second:02}" for second in range(60))


class Recounted(NamedTuple):
    """A clock that has other times now."""

    due_at: int
    """Microseconds since 1970 UTC, as all instants are stored."""
    next_at: int | None
    """When it is next to be looked at."""
    before: str
    """The due instant as it was, in UTC, as JSON has it but for the Z at its end."""
    after: str
    """The due instant as it is, likewise."""
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
    opening: str
    """What stands before each instant in its piece."""


class Recount:
    """Does to running clocks what `recompute` does at one instant. It remembers every form it saw: take one per batch.

    Args:
        at: when the calendars were changed.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._now = micros(at)
        self._forms: dict[tuple[str, ...], _Form] = {}

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
            clock = Clock.model_validate_json(body)
            form = _form(clock, pieces)
            if form is None:
                return self._one(clock, calendar_of)
            self._forms[key] = form
        calendar = calendar_of(form.calendar) if form.calendar else None
        if calendar is None or due_at < self._now:
            return None
        due, warn = _times(form, started_at, calendar)
        if due == due_at and (warn is None or pieces[form.warn] == f"{form.opening}{_text(warn)}Z"):
            return None
        if due < self._now:
            return None
        before, after = pieces[form.due][len(form.opening) : -1], _text(due)
        pieces[form.due] = f"{form.opening}{after}Z"
        if warn is not None:
            pieces[form.warn] = f"{form.opening}{_text(warn)}Z"
        upcoming = due + 1 if warn is None or form.clock.warned_at else min(due + 1, warn)
        return Recounted(due, upcoming, before, after, "".join(pieces))

    def _one(self, clock: Clock, calendar_of: Callable[[str], Calendar | None]) -> Recounted | None:
        again = recompute(clock, calendar_of(clock.calendar) if clock.calendar else None, self._at)
        if again.breached_at or (again.due_at, again.warn_at) == (clock.due_at, clock.warn_at):
            return None
        due, upcoming = micros(again.due_at), next_at(again)
        upcoming_at = micros(upcoming) if upcoming else None
        return Recounted(due, upcoming_at, _text(micros(clock.due_at)), _text(due), again.model_dump_json())


def _form(clock: Clock, pieces: list[str]) -> _Form | None:
    """Find the form of a clock; None for one that was paused, whose pauses are its own."""
    places = {piece.rpartition('"')[2]: 2 * index + 1 for index, piece in enumerate(pieces[:-1:2])}
    if clock.pauses or ("warn" in places) != (clock.warn_lead is not None):
        return None
    still = clock.breached_at is not None or clock.duration is None
    due = places["due"]
    return _Form(
        clock=clock,
        calendar=None if still else clock.calendar,
        open_time=clock.duration // _MICROSECOND if clock.duration and clock.basis is Basis.BUSINESS_TIME else 0,
        lead=clock.warn_lead // _MICROSECOND if clock.warn_lead else 0,
        lead_open=clock.warn_basis is Basis.BUSINESS_TIME,
        due=due,
        warn=places.get("warn", 0),
        opening=pieces[due].rpartition('"')[0] + '"',
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


def _text(at: int) -> str:
    """Write an instant as a clock's JSON has it, but for the zone: a fifth of what datetime takes for it."""
    seconds, fraction = divmod(at, SECOND)
    minutes, second = divmod(seconds, 60)
    text = _minute(minutes) + _SECONDS[second]
    return f"{text}.{fraction:06}" if fraction else text


@lru_cache(maxsize=20_000)
def _minute(minutes: int) -> str:
    return f"{instant(minutes * 60 * SECOND):%Y-%m-%dT%H:%M:}"
