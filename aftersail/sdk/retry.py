"""How long a platform asks us to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

LONGEST = timedelta(days=7)
"""No platform means to send us away for longer; a larger value is cut to this."""


def retry_at_of(response: httpx.Response, *, now: datetime) -> datetime | None:
    """Read from an answer when to call again, by our clock: where its two dates are the platform's, ours may differ.

    Returns:
        the earliest instant (UTC) of a next call, never before `now`; None where the answer asks for no wait.
    """
    asked = response.headers.get("retry-after")
    sent = response.headers.get("date")
    theirs = (_parse_date(sent) if sent else None) or now
    at = parse_retry_after(asked, now=theirs)
    return None if at is None else at + (now - theirs)


def parse_retry_after(value: str | None, *, now: datetime) -> datetime | None:
    """Read a `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3).

    Returns:
        the earliest instant (UTC) of a next call, never before `now`; None where the header is missing or unreadable.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _from_date(text, now)
    if not math.isfinite(seconds):
        return None
    return now + timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))


def _from_date(text: str, now: datetime) -> datetime | None:
    at = _parse_date(text)
    return None if at is None else min(max(at, now), now + LONGEST)


def _parse_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
        # An HTTP date is always GMT; the parser leaves out the zone where it reads "-0000".
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
