"""What somebody needs who was told that a channel is not well: how it stands, why, and the command that mends it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from aftersail.core.insight.health import ChannelHealth, ChannelState, channels_health
from aftersail.core.jobs import JobState
from aftersail.core.jobs.tables import job
from aftersail.core.store import tables

_COMMAND: Final = re.compile(r"(?:aftersail channel \S+ [\w.-]+|pip install [\w.\-\[\]']+)")
_UNSENT: Final = ("approved", "claimed", "sent", "unknown")


class ChannelStatus(ChannelHealth):
    """One channel's health, and what to do about it.

    Attributes:
        why: what is wrong, in the words of the last failure; None when all is well.
        mend: the command that mends it or shows more; None where there is nothing to do.
        unsent: replies, refunds and so on that are on their way out through it.
        parked: jobs of it that were given up and wait for `aftersail jobs retry`.
    """

    why: str | None
    mend: str | None
    unsent: int
    parked: int


def channel_statuses(conn: sa.Connection, now: datetime) -> tuple[ChannelStatus, ...]:
    """Tell of every channel, in the order of their ids."""
    remedy = tables.remedy
    unsent = _numbers(conn, remedy.c.channel, remedy.c.state.in_(_UNSENT))
    parked = _numbers(conn, job.c.partition, job.c.state == JobState.PARKED)
    found = []
    for health in channels_health(conn, now):
        why = health.attention or (_last_failure(conn, health.id) if health.failures else None)
        found.append(
            ChannelStatus(
                **dict(health),
                why=why,
                mend=_mend(health, why or ""),
                unsent=unsent.get(health.id, 0),
                parked=parked.get(health.id, 0),
            )
        )
    return tuple(found)


def _mend(health: ChannelHealth, why: str) -> str | None:
    if health.state is ChannelState.ATTENTION:
        named = _COMMAND.search(why)  # most failures name their own
        return named[0] if named else f"aftersail channel renew {health.id}"
    return {
        ChannelState.FAILING: f"aftersail channel check {health.id}",
        ChannelState.LATE: "aftersail run",
        ChannelState.NEW: f"aftersail sync --channel {health.id}",
    }.get(health.state)


def _last_failure(conn: sa.Connection, channel: str) -> str | None:
    table = tables.event
    last = sa.select(table.c.data).where(table.c.kind == "channel_failed", table.c.channel == channel)
    data = conn.scalar(last.order_by(table.c.id.desc()).limit(1))
    return f"{data['error']}: {data['why']}" if data else None


def _numbers(conn: sa.Connection, column: sa.ColumnElement[str], *where: sa.ColumnElement[bool]) -> dict[str, int]:
    rows = conn.execute(sa.select(column, sa.func.count()).where(*where).group_by(column))
    return {row[0]: row[1] for row in rows}
