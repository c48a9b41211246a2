"""Stored clocks counted again by the million: from their JSON and back, one reading for all that share a target."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from aftersail.core.clocks.calendar import Calendar
from aftersail.core.clocks.change import recompute
from aftersail.core.clocks.clock import Clock, first_tick, next_at, times

_MEASURE: Final = ("metric", "basis", "duration", "calendar", "warn_lead", "warn_basis")


class Recounted(NamedTuple):
    """A clock that has other times now: when it was due, is due, is next to be looked at, and its JSON."""

    before: datetime
    due_at: datetime
    next_at: datetime | None
    body: str


class Recount:
    """Does to running clocks what `recompute` does at one instant.

    Args:
        at: when the calendars were changed.
    """

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._alike: dict[tuple[Any, ...], Clock] = {}

    def again(self, body: str, started_at: datetime, calendar_of: Callable[[str], Calendar | None]) -> Recounted | None:
        """Count one clock again; None where nothing changes.

        Args:
            body: the clock as `Clock.model_dump_json` has written it.
            started_at: when it was started.
            calendar_of: finds the calendar by its id.
        """
        stored = from_json(body)
        name = stored["calendar"]
        if name is None or stored["breached_at"]:
            return None
        if stored["pauses"]:
            return self._paused_before(stored, calendar_of(name))
        measure = tuple(stored[key] for key in _MEASURE)
        alike = self._alike.get(measure)
        if alike is None:
            alike = self._alike[measure] = Clock.model_validate(stored)
        due, warn = times(alike, calendar_of(name), started_at)
        before, warned = datetime.fromisoformat(stored["due_at"]), stored["warned_at"]
        same = due == before and (stored["warn_at"] is None or warn == datetime.fromisoformat(stored["warn_at"]))
        if same or before < self._at or due < self._at:
            return None
        stored["due_at"], stored["warn_at"] = due, warn
        return Recounted(before, due, first_tick(due, None if warned else warn), to_json(stored).decode())

    def _paused_before(self, stored: dict[str, Any], calendar: Calendar | None) -> Recounted | None:
        clock = Clock.model_validate(stored)
        again = recompute(clock, calendar, self._at)
        if again.breached_at or (again.due_at, again.warn_at) == (clock.due_at, clock.warn_at):
            return None
        return Recounted(clock.due_at, again.due_at, next_at(again), again.model_dump_json())
