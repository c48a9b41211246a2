"""Spikes: what suddenly happens much more often than before."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Record
from aftersail.core.store import tables

FACTOR: Final = 3
MINIMUM: Final = 10
WINDOW: Final = timedelta(days=1)
BASELINE: Final = 14
"""Windows before the present one that tell what is usual."""


EVERY_REASON: Final = "all"
"""The reason of a spike that no single reason explains."""

_FEWEST_BREACHES: Final = 5


class Spike(Record):
    """A reason that is given much more often than usual, such as "defective" after a bad batch.

    Attributes:
        count: tickets of the present window.
        usual: the mean of the windows before, rounded to a tenth.
    """

    reason: str
    count: int
    usual: Decimal


def is_spike(count: int, before: int, *, windows: int, factor: int = FACTOR, minimum: int = MINIMUM) -> bool:
    """Tell whether `count` is at least `factor` times the mean of `before` over `windows`, and no mere handful."""
    return count >= minimum and count * windows >= factor * before


def reason_spikes(
    conn: sa.Connection,
    now: datetime,
    *,
    window: timedelta = WINDOW,
    windows: int = BASELINE,
    factor: int = FACTOR,
    minimum: int = MINIMUM,
) -> tuple[Spike, ...]:
    """Find the reasons that spike in the window that ends now, the most frequent first.

    A desk that has not been filled for the whole baseline knows nothing usual yet, so nothing can spike there.
    """
    table = tables.ticket
    since = now - window
    start = since - window * windows
    first = conn.scalar(sa.select(sa.func.min(table.c.filed_at)))
    if first is None or first > start:
        return ()
    recent = sa.func.count().filter(table.c.filed_at >= since).label("recent")
    before = sa.func.count().filter(table.c.filed_at < since).label("before")
    counted = sa.select(table.c.reason, recent, before).where(table.c.filed_at >= start, table.c.filed_at < now)
    rows = conn.execute(counted.group_by(table.c.reason).order_by(sa.desc("recent"), table.c.reason)).all()
    return tuple(
        Spike(reason=row.reason, count=row.recent, usual=_usual(row.before, windows))
        for row in rows
        if is_spike(row.recent, row.before, windows=windows, factor=factor, minimum=minimum)
    )


def inquiry_spikes(conn: sa.Connection, now: datetime) -> tuple[Spike, ...]:
    """Find the reasons that spike; where none does alone, all of them together."""
    single = reason_spikes(conn, now)
    if single:
        return single
    together = _spike(conn, now, tables.ticket.c.filed_at, MINIMUM)
    return (together,) if together else ()


def breach_spike(conn: sa.Connection, now: datetime) -> Spike | None:
    """Tell whether much more clocks than usual ran out in the window that ends now, by their due instants."""
    return _spike(conn, now, tables.clock.c.breached_at, _FEWEST_BREACHES)


def _spike(conn: sa.Connection, now: datetime, at: sa.Column[Any], minimum: int) -> Spike | None:
    """Look for a spike of rows by one instant of theirs, whatever the reason."""
    start = now - WINDOW - WINDOW * BASELINE
    first = conn.scalar(sa.select(sa.func.min(tables.ticket.c.filed_at)))
    if first is None or first > start:
        return None
    recent = sa.func.count().filter(at >= now - WINDOW).label("recent")
    before = sa.func.count().filter(at < now - WINDOW).label("before")
    row = conn.execute(sa.select(recent, before).where(at >= start, at < now)).one()
    if not is_spike(row.recent, row.before, windows=BASELINE, minimum=minimum):
        return None
    return Spike(reason=EVERY_REASON, count=row.recent, usual=_usual(row.before, BASELINE))


def _usual(before: int, windows: int) -> Decimal:
    return (Decimal(before) / windows).quantize(Decimal("0.1"))
