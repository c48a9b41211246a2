"""Alarms: an abnormal figure is told to agent and manager once, and not again before it was normal for a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import AlarmRaised, Instant, Record
from aftersail.core.desk.roster import MANAGER, TEAM_LEAD
from aftersail.core.desk.tickets import TicketState
from aftersail.core.insight.alarms import EVERY_REASON, breach_spike, inquiry_spikes
from aftersail.core.insight.kpis import FIRST_RESPONSE_GOAL, kpi_report, no_calendar, satisfied_share
from aftersail.core.insight.measures import span
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once

EVERYTHING: Final = EVERY_REASON
"""The subject of an alarm about the whole desk."""

INQUIRIES: Final = "inquiries"
"""The metric of what buyers write."""

CALM: Final = timedelta(hours=1)
"""How long a figure must be normal before its episode is over, so that one on the verge is not told every minute."""

SAMPLE: Final = 10
"""Fewer measurements than this say nothing."""

SATISFACTION_FLOOR: Final = 70
"""Percent of satisfied buyers below which somebody should look; our choice."""

_RESPONSE_WINDOW: Final = timedelta(days=1)
_SATISFACTION_WINDOW: Final = timedelta(days=7)


class Abnormal(Record):
    """A figure that is not as it should be.

    Attributes:
        metric: `inquiries`, `breaches`, `first_response` or `satisfaction`.
        subject: what it is about, such as a reason; `all` for the whole desk.
    """

    metric: str
    subject: str
    why: str


class Alarm(Record):
    """One episode of an abnormal figure.

    Attributes:
        seen_at: when it was last abnormal.
        closed_at: when it had been normal for a while; None while it lasts.
    """

    metric: str
    subject: str
    why: str
    recipients: tuple[str, ...]
    raised_at: Instant
    seen_at: Instant
    closed_at: Instant | None


def watch(unit: Unit) -> tuple[Abnormal, ...]:
    """Look at every figure, raise what is new and end what is over; returns what was raised."""
    found = tuple(each for each in abnormal(unit.conn, unit.now) if not _explained(unit.conn, each))
    raised = tuple(each for each in found if _raise(unit, each))
    _end(unit, {_episode(each) for each in found})
    return raised


def abnormal(conn: sa.Connection, now: datetime) -> Iterator[Abnormal]:
    """Find the figures that are abnormal now."""
    for spike in inquiry_spikes(conn, now):
        what = "tickets" if spike.reason == EVERYTHING else f"tickets about {spike.reason.replace('_', ' ')}"
        why = f"{spike.count} {what} in the last 24 hours, usually {spike.usual}"
        yield Abnormal(metric=INQUIRIES, subject=spike.reason, why=why)
    breaches = breach_spike(conn, now)
    if breaches is not None:
        why = f"{breaches.count} clocks ran out in the last 24 hours, usually {breaches.usual}"
        yield Abnormal(metric="breaches", subject=EVERYTHING, why=why)
    first = kpi_report(conn, now - _RESPONSE_WINDOW, now, no_calendar).whole.first_response.elapsed
    seconds = first.average_seconds
    if seconds is not None and first.count >= SAMPLE and timedelta(seconds=seconds) >= FIRST_RESPONSE_GOAL:
        goal = span(int(FIRST_RESPONSE_GOAL.total_seconds()))
        why = f"first answers of the last 24 hours took {span(seconds)} on average; the goal is under {goal}"
        yield Abnormal(metric="first_response", subject=EVERYTHING, why=why)
    satisfied = satisfied_share(conn, now - _SATISFACTION_WINDOW, now)
    if satisfied.of >= SAMPLE and satisfied.count * 100 < SATISFACTION_FLOOR * satisfied.of:
        why = f"{satisfied.percent} % of {satisfied.of} buyers were satisfied in the last 7 days"
        yield Abnormal(metric="satisfaction", subject=EVERYTHING, why=f"{why}; {SATISFACTION_FLOOR} % is the least")


def alarms(conn: sa.Connection, since: datetime, until: datetime) -> tuple[Alarm, ...]:
    """List the alarms raised in [since, until), and those that still last then, oldest first."""
    table = tables.alarm
    lasting = sa.or_(table.c.closed_at.is_(None), table.c.closed_at >= until)
    wanted = sa.select(table).where(table.c.raised_at < until, sa.or_(table.c.raised_at >= since, lasting))
    rows = conn.execute(wanted.order_by(table.c.raised_at, table.c.id))
    return tuple(
        Alarm(
            metric=row.metric,
            subject=row.subject,
            why=row.why,
            recipients=tuple(row.recipients),
            raised_at=row.raised_at,
            seen_at=row.seen_at,
            closed_at=row.closed_at,
        )
        for row in rows
    )


def _explained(conn: sa.Connection, found: Abnormal) -> bool:
    """Tell whether a spike of all inquiries is that of one reason, told before."""
    table = tables.alarm
    if (found.metric, found.subject) != (INQUIRIES, EVERYTHING):
        return False
    single = (table.c.metric == INQUIRIES, table.c.subject != EVERYTHING, table.c.episode.is_not(None))
    return conn.scalar(sa.select(table.c.id).where(*single).limit(1)) is not None


def _episode(found: Abnormal) -> str:
    return f"{found.metric}:{found.subject}"


def _raise(unit: Unit, found: Abnormal) -> bool:
    """Open an episode, or keep the one that lasts; tell whether it is new."""
    table, key = tables.alarm, _episode(found)
    recipients = (*_agents(unit.conn, found.subject), MANAGER)
    row: dict[str, Any] = {
        **found.model_dump(),
        "episode": key,
        "recipients": list(recipients),
        "raised_at": unit.now,
        "seen_at": unit.now,
    }
    if not insert_once(unit.conn, table, row, key=["episode"]):
        unit.conn.execute(sa.update(table).where(table.c.episode == key).values(seen_at=unit.now))
        return False
    unit.record("alarm_raised", "", **found.model_dump(), recipients=list(recipients))
    unit.tell(
        "aftersail_alarm_raised",
        AlarmRaised(at=unit.now, channel="", **found.model_dump(), recipients=recipients),
    )
    return True


def _agents(conn: sa.Connection, subject: str) -> tuple[str, ...]:
    """Name who owns the tickets concerned that are not closed."""
    table = tables.ticket
    owners = sa.select(table.c.owner).distinct().where(table.c.state != TicketState.CLOSED, table.c.owner.is_not(None))
    if subject != EVERYTHING:
        owners = owners.where(table.c.reason == subject)
    return tuple(conn.scalars(owners.order_by(table.c.owner))) or (TEAM_LEAD,)


def _end(unit: Unit, lasting: Iterable[str]) -> None:
    table = tables.alarm
    over = sa.select(table.c.id, table.c.metric, table.c.subject).where(
        table.c.episode.is_not(None), table.c.episode.not_in(sorted(lasting)), table.c.seen_at <= unit.now - CALM
    )
    for row in unit.conn.execute(over).all():
        unit.conn.execute(sa.update(table).where(table.c.id == row.id).values(episode=None, closed_at=unit.now))
        unit.record("alarm_over", "", metric=row.metric, subject=row.subject)
