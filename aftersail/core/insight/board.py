"""The live board: everything the page of figures and `aftersail report` show, worked out by one function."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import ClockState
from aftersail.core.contract import Instant, Record
from aftersail.core.desk.tickets import SOLVED
from aftersail.core.insight.alarms import Spike, reason_spikes
from aftersail.core.insight.figures import Figures, figures
from aftersail.core.insight.health import ChannelHealth, channels_health
from aftersail.core.insight.kpis import Calendars, KpiReport, kpi_report
from aftersail.core.insight.measures import Share
from aftersail.core.insight.watch import Alarm, alarms
from aftersail.core.store import tables


class Progress(Record):
    """How far the tickets of one complaint type are that were filed in the window.

    Attributes:
        by_state: where they stand now.
        overdue: how many have a running clock past its due instant.
        solved: resolved or closed, of all of them.
    """

    filed: int
    by_state: dict[str, int]
    overdue: int
    solved: Share


class Report(Record):
    """The desk at one instant.

    Attributes:
        at: the instant; the end of the window.
        progress: by reason, the most frequent first.
        solved: resolved or closed, of all tickets filed in the window.
        alarms: raised in the window, or lasting now.
    """

    at: Instant
    figures: Figures
    kpis: KpiReport
    solved: Share
    progress: dict[str, Progress]
    channels: tuple[ChannelHealth, ...]
    reason_spikes: tuple[Spike, ...]
    alarms: tuple[Alarm, ...]


def report(conn: sa.Connection, since: datetime, now: datetime, calendars: Calendars) -> Report:
    """Work out the whole board for the window [since, now).

    Raises:
        ValueError: the window ends before it begins.
    """
    progress = _progress(conn, since, now)
    solved = sum(each.solved.count for each in progress.values())
    return Report(
        at=now,
        figures=figures(conn, since, now),
        kpis=kpi_report(conn, since, now, calendars),
        solved=Share.make(solved, sum(each.filed for each in progress.values())),
        progress=progress,
        channels=channels_health(conn, now),
        reason_spikes=reason_spikes(conn, now),
        alarms=alarms(conn, since, now),
    )


def _progress(conn: sa.Connection, since: datetime, now: datetime) -> dict[str, Progress]:
    ticket, clock = tables.ticket, tables.clock
    late = sa.exists().where(clock.c.ticket == ticket.c.id, clock.c.state == ClockState.RUNNING, clock.c.due_at < now)
    overdue = sa.func.count().filter(late).label("overdue")
    number = sa.func.count().label("number")
    filed = sa.select(ticket.c.reason, ticket.c.state, number, overdue)
    rows = conn.execute(
        filed.where(ticket.c.filed_at >= since, ticket.c.filed_at < now).group_by(ticket.c.reason, ticket.c.state)
    )
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.reason, []).append(row)
    made = {reason: _of_states(states) for reason, states in found.items()}
    return dict(sorted(made.items(), key=lambda item: (-item[1].filed, item[0])))


def _of_states(rows: list[Any]) -> Progress:
    by_state = {row.state: row.number for row in sorted(rows, key=lambda row: (-row.number, row.state))}
    filed = sum(by_state.values())
    return Progress(
        filed=filed,
        by_state=by_state,
        overdue=sum(row.overdue for row in rows),
        solved=Share.make(sum(by_state.get(state, 0) for state in SOLVED), filed),
    )
