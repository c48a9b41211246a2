"""What happened in a window of time, counted by the database."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Metric
from aftersail.core.contract import Direction, Instant, MessageKind, Money, Record
from aftersail.core.store import tables

UNGRADED: Final = "ungraded"
"""Under which name tickets without a tier are counted."""

_REPLY: Final = "reply"
_REFUND: Final = "refund"
_SETTLED: Final = "settled"


class RefundTotal(Record):
    """Refunds the platforms have booked in one currency.

    Attributes:
        total: what was really booked, which may differ from what was asked for.
    """

    count: int
    total: Money


class Figures(Record):
    """What happened in a window [since, until).

    Attributes:
        tickets: filed by buyers in the window; the four divisions below count the same tickets.
        by_state: where they stand now.
        first_response_met: first answers that were given in the window and in time.
        first_response_breached: first answers whose due instant passed in the window unmet, whether given later or not.
        refunds_settled: one total per currency; amounts of different currencies are never added up.
        refunds_parked: refunds that were given to a person in the window.
        replies_sent: answers the channels took in the window.
        messages_in: what buyers wrote in the window; automatic replies, bounces and notices do not count.
        open_tasks: what waited for a person at the end of the window.
    """

    since: Instant
    until: Instant
    tickets: int
    by_channel: dict[str, int]
    by_reason: dict[str, int]
    by_tier: dict[str, int]
    by_state: dict[str, int]
    first_response_met: int
    first_response_breached: int
    refunds_settled: tuple[RefundTotal, ...]
    refunds_parked: int
    replies_sent: int
    messages_in: int
    open_tasks: int


def figures(conn: sa.Connection, since: datetime, until: datetime) -> Figures:
    """Count everything that happened from `since` on and before `until`.

    Raises:
        ValueError: the window ends before it begins.
    """
    if until < since:
        raise ValueError(f"the window ends ({until.isoformat()}) before it begins ({since.isoformat()})")
    by_state = _tickets_by(conn, tables.ticket.c.state, since, until)
    return Figures(
        since=since,
        until=until,
        tickets=sum(by_state.values()),
        by_channel=_tickets_by(conn, tables.ticket.c.channel, since, until),
        by_reason=_tickets_by(conn, tables.ticket.c.reason, since, until),
        by_tier=_tickets_by(conn, sa.func.coalesce(tables.ticket.c.tier, UNGRADED), since, until),
        by_state=by_state,
        first_response_met=_first_responses(conn, tables.clock.c.met_at, since, until, breached=False),
        first_response_breached=_first_responses(conn, tables.clock.c.breached_at, since, until, breached=True),
        refunds_settled=_refunds_settled(conn, since, until),
        refunds_parked=_refunds_parked(conn, since, until),
        replies_sent=_replies_sent(conn, since, until),
        messages_in=_messages_in(conn, since, until),
        open_tasks=_open_tasks(conn, until),
    )


def exact_money(amount: Decimal, currency: str) -> Money:
    """Give an amount the currency's decimals, unless that would change it."""
    money = Money(amount=amount, currency=currency)
    padded = money.rounded()
    return padded if padded.amount == money.amount else money


def _within(column: sa.ColumnElement[Any], since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(column >= since, column < until)


def _count(conn: sa.Connection, table: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
    return int(conn.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0)


def _tickets_by(conn: sa.Connection, column: sa.ColumnElement[Any], since: datetime, until: datetime) -> dict[str, int]:
    """Count by one column, the most frequent first."""
    value, number = column.label("value"), sa.func.count().label("number")
    counted = sa.select(value, number).where(_within(tables.ticket.c.filed_at, since, until)).group_by(value)
    return {row.value: row.number for row in conn.execute(counted.order_by(sa.desc("number"), "value"))}


def _first_responses(
    conn: sa.Connection, at: sa.Column[Any], since: datetime, until: datetime, *, breached: bool
) -> int:
    table = tables.clock
    verdict = table.c.breached_at.is_not(None) if breached else table.c.breached_at.is_(None)
    return _count(conn, table, table.c.metric == Metric.FIRST_RESPONSE, verdict, _within(at, since, until))


def _refunds_settled(conn: sa.Connection, since: datetime, until: datetime) -> tuple[RefundTotal, ...]:
    table = tables.remedy
    paid = sa.func.sum(sa.func.coalesce(table.c.booked, table.c.amount), type_=table.c.amount.type).label("paid")
    totals = (
        sa.select(table.c.currency, sa.func.count().label("number"), paid)
        .where(table.c.kind == _REFUND, table.c.state == _SETTLED, _within(table.c.settled_at, since, until))
        .group_by(table.c.currency)
        .order_by(table.c.currency)
    )
    return tuple(
        RefundTotal(count=row.number, total=exact_money(row.paid, row.currency)) for row in conn.execute(totals).all()
    )


def _refunds_parked(conn: sa.Connection, since: datetime, until: datetime) -> int:
    """Count refunds, not tasks: one may have been given to a person more than once."""
    task, remedy = tables.task, tables.remedy
    parked = sa.select(sa.func.count(sa.distinct(remedy.c.key))).select_from(
        task.join(remedy, task.c.remedy == remedy.c.key)
    )
    return int(conn.scalar(parked.where(remedy.c.kind == _REFUND, _within(task.c.opened_at, since, until))) or 0)


def _replies_sent(conn: sa.Connection, since: datetime, until: datetime) -> int:
    table = tables.remedy
    sent = (table.c.kind == _REPLY, table.c.state == _SETTLED, _within(table.c.settled_at, since, until))
    return _count(conn, table, *sent)


def _messages_in(conn: sa.Connection, since: datetime, until: datetime) -> int:
    table = tables.message
    written = (table.c.direction == Direction.INBOUND, table.c.kind == MessageKind.MESSAGE)
    return _count(conn, table, *written, _within(table.c.sent_at, since, until))


def _open_tasks(conn: sa.Connection, until: datetime) -> int:
    table = tables.task
    still_open = sa.or_(table.c.closed_at.is_(None), table.c.closed_at >= until)
    return _count(conn, table, table.c.opened_at < until, still_open)
