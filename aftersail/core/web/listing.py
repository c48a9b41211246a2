"""Reads the lists: the inbox and the ledger of refunds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import ClockState
from aftersail.core.contract import Money
from aftersail.core.insight.figures import exact_money
from aftersail.core.remedies import RemedyKind
from aftersail.core.store import tables
from aftersail.core.web.models import RefundList, RemedyView, TicketList, TicketRow

PAGE: Final = 50
"""Rows on one page."""


def tickets(
    conn: sa.Connection, *, state: str | None, channel: str | None, limit: int = PAGE, offset: int = 0
) -> TicketList:
    """List tickets, the earliest due first and those without a running clock last."""
    table = tables.ticket
    where = [table.c.state == state] if state else []
    where += [table.c.channel == channel] if channel else []
    order = (table.c.due_at.asc().nulls_last(), table.c.filed_at, table.c.id)
    rows = conn.execute(ticket_rows().where(*where).order_by(*order).limit(limit).offset(offset)).all()
    total = conn.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0
    return TicketList(total=total, limit=limit, offset=offset, tickets=tuple(ticket_row(row) for row in rows))


def ticket_rows() -> sa.Select[Any]:
    """Select tickets with whether a running clock has warned."""
    clock = tables.clock
    warned = sa.exists().where(
        clock.c.ticket == tables.ticket.c.id, clock.c.state == ClockState.RUNNING, clock.c.warned_at.is_not(None)
    )
    return sa.select(tables.ticket, warned.label("warned"))


def ticket_row(row: Any) -> TicketRow:
    """Turn a row of `ticket_rows` into what is shown."""
    return TicketRow(
        number=row.id,
        channel=row.channel,
        buyer=row.buyer_name or row.buyer_email or row.buyer_key,
        subject=row.subject,
        state=row.state,
        language=row.language,
        reason=row.reason,
        tier=row.tier,
        escalation=row.escalation,
        owner=row.owner,
        filed_at=row.filed_at,
        updated_at=row.updated_at,
        due_at=row.due_at,
        due_metric=row.due_metric,
        due_source=row.due_source,
        warned=row.warned,
    )


def refunds(
    conn: sa.Connection, *, state: str | None, channel: str | None, limit: int = PAGE, offset: int = 0
) -> RefundList:
    """List refunds, the newest first."""
    table = tables.remedy
    where = [table.c.kind == RemedyKind.REFUND]
    where += [table.c.state == state] if state else []
    where += [table.c.channel == channel] if channel else []
    order = (table.c.planned_at.desc(), table.c.key)
    rows = conn.execute(sa.select(table).where(*where).order_by(*order).limit(limit).offset(offset)).all()
    total = conn.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0
    return RefundList(total=total, limit=limit, offset=offset, refunds=tuple(remedy_view(row) for row in rows))


def remedy_view(row: Any) -> RemedyView:
    """Turn a row of the outbox into what is shown."""
    return RemedyView(
        key=row.key,
        kind=row.kind,
        ticket=row.ticket,
        channel=row.channel,
        state=row.state,
        order_id=row.order_id,
        amount=money(row.amount, row.currency),
        booked=money(row.booked, row.currency),
        text=row.body.get("text") if row.kind == RemedyKind.REPLY else None,
        rule=row.rule,
        why=row.why,
        detail=row.detail,
        after=row.after,
        approved_by=row.approved_by,
        planned_at=row.planned_at,
        claimed_at=row.claimed_at,
        settled_at=row.settled_at,
        next_at=row.next_at,
        external_id=row.external_id,
    )


def money(amount: Decimal | None, currency: str | None) -> Money | None:
    """Put amount and currency together; None where either is not known."""
    return None if amount is None or currency is None else exact_money(amount, currency)


def channel_ids(conn: sa.Connection) -> tuple[str, ...]:
    """Name every channel, for the filters."""
    return tuple(conn.scalars(sa.select(tables.channel.c.id).order_by(tables.channel.c.id)))
