"""The desk's vital signs at one instant, in figures that name no ticket and no buyer: for probes and for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import ClockState
from aftersail.core.insight.health import ChannelHealth, ChannelState, channels_health
from aftersail.core.jobs import JobState
from aftersail.core.jobs.tables import job
from aftersail.core.store import tables

_OPEN_JOBS: Final = (JobState.WAITING, JobState.RUNNING, JobState.PARKED)
_LEAVES_BY_ITSELF: Final = ("approved", "claimed")
_POLLS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What readiness is judged by; every query uses an index.

    Attributes:
        lag: by queue, how long the job that has waited longest for its turn has done so; zero where none is due.
        unsent_reply: how long the answer that has waited longest for a worker has done so; zero where none waits.
        channels: how each one stands.
    """

    lag: Mapping[str, timedelta]
    unsent_reply: timedelta
    channels: tuple[ChannelHealth, ...]


@dataclass(frozen=True, kw_only=True)
class Delay:
    """Something that is further behind than it may be.

    Attributes:
        check: `queue_lag`, `unsent_reply` or `channel`.
        subject: the queue's or channel's name; empty where there is only one.
        behind: how far.
    """

    check: str
    subject: str
    behind: timedelta
    limit: timedelta

    def __str__(self) -> str:
        """Say it to a person."""
        return f"{self.check} {self.subject}".rstrip() + f": {_seconds(self.behind)}, limit {_seconds(self.limit)}"


def take_pulse(conn: sa.Connection, now: datetime) -> Pulse:
    """Look at what readiness is judged by."""
    waiting_since = sa.func.min(sa.func.coalesce(job.c.due_at, job.c.created_at))
    lagging = sa.select(job.c.queue, waiting_since).where(job.c.state == JobState.WAITING).group_by(job.c.queue)
    remedy = tables.remedy
    # Once a try has failed its next one has a time of its own: until then nothing is late.
    since = sa.func.min(sa.func.coalesce(remedy.c.next_at, remedy.c.approved_at, remedy.c.planned_at))
    replies = sa.select(since).where(remedy.c.kind == "reply", remedy.c.state.in_(_LEAVES_BY_ITSELF))
    oldest = conn.scalar(replies)
    return Pulse(
        lag={queue: _since(at, now) for queue, at in conn.execute(lagging)},
        unsent_reply=_since(oldest, now) if oldest else timedelta(0),
        channels=channels_health(conn, now),
    )


def delays(
    pulse: Pulse,
    now: datetime,
    *,
    started_at: datetime,
    queue_lag: timedelta,
    unsent_reply: timedelta,
    channel: timedelta,
) -> list[Delay]:
    """Name everything that is further behind than these limits; `started_at` is when this process began to look."""
    found = [
        Delay(check="queue_lag", subject=queue, behind=lag, limit=queue_lag) for queue, lag in sorted(pulse.lag.items())
    ]
    found.append(Delay(check="unsent_reply", subject="", behind=pulse.unsent_reply, limit=unsent_reply))
    for each in pulse.channels:
        if each.state is not ChannelState.OFF:
            limit = max(channel, timedelta(seconds=each.poll_seconds) * _POLLS)
            behind = _since(each.synced_at or started_at, now)
            found.append(Delay(check="channel", subject=each.id, behind=behind, limit=limit))
    return [delay for delay in found if delay.behind > delay.limit]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many there are of what.

    Attributes:
        jobs: by queue and state, those that are not finished.
        remedies: by kind and state.
        clocks_due: clocks that run and are past their due instant.
        clocks_breached: clocks that have ever been breached.
    """

    jobs: Mapping[tuple[str, str], int]
    remedies: Mapping[tuple[str, str], int]
    clocks_due: int
    clocks_breached: int


def count_all(conn: sa.Connection, now: datetime) -> Counts:
    """Count; reads every remedy and clock, so not for a request that anybody may make."""
    clock, remedy = tables.clock, tables.remedy
    clocks = sa.select(
        sa.func.count(sa.case((sa.and_(clock.c.state == ClockState.RUNNING, clock.c.due_at < now), 1))),
        sa.func.count(clock.c.breached_at),
    )
    due, breached = conn.execute(clocks).one()
    return Counts(
        jobs=_grouped(conn, job.c.queue, job.c.state, job.c.state.in_(_OPEN_JOBS)),
        remedies=_grouped(conn, remedy.c.kind, remedy.c.state),
        clocks_due=due,
        clocks_breached=breached,
    )


class StoredMessages:
    """Counts stored messages by channel for ever upwards, reading only what is new since it last looked.

    Rows get their number before they are committed, so one may turn up below the newest. What is younger than
    `settled_after` is therefore counted anew each time; no transaction is as long as that.
    """

    def __init__(self, settled_after: timedelta = timedelta(minutes=10)) -> None:
        self._settled_after = settled_after
        self._settled: dict[str, int] = {}
        self._up_to = 0
        self._mark: tuple[int, datetime] | None = None

    def count(self, conn: sa.Connection, now: datetime) -> dict[str, int]:
        """Tell how many there have been."""
        message = tables.message
        newest = conn.scalar(sa.select(sa.func.max(message.c.id))) or 0
        if self._mark is None:
            self._mark = (newest, now)
        elif now - self._mark[1] >= self._settled_after:
            for channel, number in self._counted(conn, self._up_to, self._mark[0]).items():
                self._settled[channel] = self._settled.get(channel, 0) + number
            self._up_to, self._mark = self._mark[0], (newest, now)
        fresh = self._counted(conn, self._up_to, newest)
        return {name: self._settled.get(name, 0) + fresh.get(name, 0) for name in {*self._settled, *fresh}}

    def _counted(self, conn: sa.Connection, after: int, up_to: int) -> dict[str, int]:
        message = tables.message
        rows = sa.select(message.c.channel, sa.func.count()).where(message.c.id > after, message.c.id <= up_to)
        return {row[0]: row[1] for row in conn.execute(rows.group_by(message.c.channel))}


def _grouped(
    conn: sa.Connection, first: sa.Column[Any], second: sa.Column[Any], *where: sa.ColumnElement[bool]
) -> dict[tuple[str, str], int]:
    rows = conn.execute(sa.select(first, second, sa.func.count()).where(*where).group_by(first, second))
    return {(one, two): number for one, two, number in rows}


def _since(at: datetime, now: datetime) -> timedelta:
    return max(now - at, timedelta(0))


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"
