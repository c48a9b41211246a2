"""How the desk stands now: its channels, and whatever should have happened by now and has not."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import ClockState
from aftersail.core.contract import Instant, Record
from aftersail.core.store import tables

GRACE: Final = timedelta(minutes=1)
"""How long something may be due before it counts as left lying: the daemon looks every second."""

_UNSENT: Final = ("planned", "approved", "claimed", "unknown")


class ChannelState(StrEnum):
    """How a channel stands, the worst that holds."""

    OFF = "off"
    ATTENTION = "attention"
    """A person must act: `attention` says why."""
    FAILING = "failing"
    """The last sync failed; the next try is at `due_at`."""
    LATE = "late"
    """Its sync is due and nobody has begun it: the daemon may not be running."""
    NEW = "new"
    """Never synced to the end yet."""
    WELL = "well"


class ChannelHealth(Record):
    """One channel's health.

    Attributes:
        synced_at: the last sync that reached its end; None before the first.
        due_at: the next sync; None while one is under way or the channel is off.
        under_way_since: when the sync under way was handed over.
        failures: syncs that failed since the last success.
        attention: why a person is needed.
    """

    id: str
    kind: str
    state: ChannelState
    poll_seconds: int
    synced_at: Instant | None
    due_at: Instant | None
    under_way_since: Instant | None
    failures: int
    attention: str | None


class DeskHealth(Record):
    """The desk's health at one instant.

    Attributes:
        at: the instant.
        oldest_unsent_reply: when the answer was planned that has waited longest to leave, for approval or a worker;
            one that waits for its refund does not count.
        clocks_overdue: clocks that run and are past their due instant: buyers who wait longer than promised.
        clocks_unticked: clocks whose warning or breach should have been noticed by now: the daemon may not be running.
    """

    at: Instant
    channels: tuple[ChannelHealth, ...]
    oldest_unsent_reply: Instant | None
    clocks_overdue: int
    clocks_unticked: int


def desk_health(conn: sa.Connection, now: datetime) -> DeskHealth:
    """Look at everything that can be late."""
    clock, remedy = tables.clock, tables.remedy
    count = sa.select(sa.func.count()).select_from(clock)
    held_back = sa.and_(remedy.c.state == "planned", remedy.c.after.is_not(None))
    oldest = sa.select(sa.func.min(remedy.c.planned_at)).where(
        remedy.c.kind == "reply", remedy.c.state.in_(_UNSENT), sa.not_(held_back)
    )
    overdue = count.where(clock.c.state == ClockState.RUNNING, clock.c.due_at < now)
    return DeskHealth(
        at=now,
        channels=channels_health(conn, now),
        oldest_unsent_reply=conn.scalar(oldest),
        clocks_overdue=conn.scalar(overdue) or 0,
        clocks_unticked=conn.scalar(count.where(clock.c.next_at < now - GRACE)) or 0,
    )


def channels_health(conn: sa.Connection, now: datetime) -> tuple[ChannelHealth, ...]:
    """Tell how every channel stands, in the order of their ids."""
    rows = conn.execute(sa.select(tables.channel).order_by(tables.channel.c.id))
    return tuple(
        ChannelHealth(
            id=row.id,
            kind=row.kind,
            state=_state(row, now),
            poll_seconds=row.poll_seconds,
            synced_at=row.synced_at,
            due_at=row.due_at,
            under_way_since=row.armed_at,
            failures=row.failures,
            attention=row.attention,
        )
        for row in rows
    )


def _state(row: Any, now: datetime) -> ChannelState:
    judged = (
        (not row.active, ChannelState.OFF),
        (row.attention is not None, ChannelState.ATTENTION),
        (row.failures > 0, ChannelState.FAILING),
        (row.due_at is not None and row.due_at < now - GRACE, ChannelState.LATE),
        (row.synced_at is None, ChannelState.NEW),
    )
    return next((state for holds, state in judged if holds), ChannelState.WELL)
