"""How long a platform asks us to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST = timedelta(days=7)
"""No platform means to send us away for longer; a larger value is cut to this."""


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
    try:
        parsed = parsedate_to_datetime(text)
        # An HTTP date is always GMT; the parser leaves out the zone where it reads "-0000".
        at = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return min(max(at, now), now + LONGEST)
