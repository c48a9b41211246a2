"""Instants as people write them on the command line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import rich_click as click


def instant_of(text: str, now: datetime, option: str) -> datetime:
    """Read an instant: how long ago, a date (its midnight in UTC), or a date with time and zone."""
    from pydantic import TypeAdapter, ValidationError

    from aftersail.core.policy.values import Duration

    try:
        if text[:4].isdecimal() and text[4:5] == "-":
            day = date.fromisoformat(text[:10])
            found = datetime.fromisoformat(text) if len(text) > len("2026-11-22") else None
            found = found or datetime(day.year, day.month, day.day, tzinfo=UTC)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
            raise ValueError(text)
        return now - TypeAdapter[timedelta](Duration).validate_python(text)
    except (ValidationError, ValueError, OverflowError):
        form = "write 90d for ninety days ago, 2026-11-22, or 2026-11-22T12:00:00+01:00"
        raise click.BadParameter(f"{text!r} is no instant; {form}", param_hint=option) from None
