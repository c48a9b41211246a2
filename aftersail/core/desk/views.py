"""What people and scripts are shown of tickets and refunds: plain values, the same for the command line and the web."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Clock, Target, explain
from aftersail.core.contract import Money
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import OVER, TicketError, get_ticket
from aftersail.core.policy import Decision
from aftersail.core.remedies.returns import rma_rows
from aftersail.core.remedies.states import RemedyKind
from aftersail.core.store import tables
from aftersail.core.store.audit import told

_ABOUT_TICKET: Final = {
    "messages": (tables.message, "sent_at"),
    "cases": (tables.cases, "opened_at"),
    "clocks": (tables.clock, "id"),
    "decisions": (tables.decision, "id"),
    "remedies": (tables.remedy, "planned_at"),
    "tasks": (tables.task, "opened_at"),
    "appeals": (tables.appeal, "id"),
    "extensions": (tables.extension, "id"),
    "events": (tables.event, "id"),
}


def inbox_rows(conn: sa.Connection, *, closed: bool, channel: str | None, limit: int) -> list[dict[str, Any]]:
    """List tickets, what is due first on top, then the oldest."""
    ticket, task = tables.ticket, tables.task
    tasks = sa.select(sa.func.count()).where(task.c.ticket == ticket.c.id, task.c.closed_at.is_(None)).scalar_subquery()
    buyer = sa.func.coalesce(ticket.c.buyer_name, ticket.c.buyer_email, ticket.c.buyer_key).label("buyer")
    columns = (
        ticket.c.id,
        buyer,
        *(
            ticket.c[name]
            for name in ("subject", "channel", "language", "reason", "tier", "state", "escalation", "owner")
        ),
        *(ticket.c[name] for name in ("due_at", "due_metric", "due_source", "opened_at", "filed_at")),
        tasks.label("tasks"),
    )
    query = sa.select(*columns).order_by(ticket.c.due_at.is_(None), ticket.c.due_at, ticket.c.id).limit(limit)
    if not closed:
        query = query.where(ticket.c.state.not_in(OVER))
    if channel:
        query = query.where(ticket.c.channel == channel)
    return [dict(row._mapping) for row in conn.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name for it


def refund_rows(conn: sa.Connection, *, states: Sequence[str] = ()) -> list[dict[str, Any]]:
    """List refunds, the newest first."""
    table = tables.remedy
    query = sa.select(table).where(table.c.kind == RemedyKind.REFUND).order_by(table.c.planned_at.desc(), table.c.key)
    rows = _rows(conn, query.where(table.c.state.in_(states)) if states else query)
    return [row | {"money": str(Money(amount=row["amount"], currency=row["currency"]).rounded())} for row in rows]


def ticket_view(conn: sa.Connection, number: int) -> dict[str, Any]:
    """Collect everything about one ticket.

    Raises:
        TicketError: there is none of that number.
    """
    ticket = get_ticket(conn, number)
    view = dict(ticket._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    for name, (table, order) in _ABOUT_TICKET.items():
        columns = told() if table is tables.event else table.columns
        query = sa.select(*columns).where(table.c.ticket == number).order_by(table.c[order], *table.primary_key.columns)
        view[name] = _rows(conn, query)
    view["returns"] = rma_rows(conn, tables.rma.c.ticket == number)
    view["order"], view["shipments"] = None, []
    if ticket.orders_id is not None:
        view["order"] = _rows(conn, sa.select(tables.orders).where(tables.orders.c.id == ticket.orders_id))[0]
        shipments = sa.select(tables.shipment).where(tables.shipment.c.orders_id == ticket.orders_id)
        view["shipments"] = _rows(conn, shipments.order_by(tables.shipment.c.id))
    return view


def _rows(conn: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in conn.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name for it


def newest_decision(conn: sa.Connection, number: int) -> Decision:
    """Read the newest decision on a ticket.

    Raises:
        TicketError: there is no such ticket, or it was never judged (an automatic reply, a bounce).
    """
    get_ticket(conn, number)
    table = tables.decision
    newest = sa.select(table.c.body).where(table.c.ticket == number).order_by(table.c.id.desc()).limit(1)
    body = conn.scalar(newest)
    if body is None:
        raise TicketError(f"nothing was decided on ticket {number}: it holds no message of a buyer")
    return Decision.model_validate(body)


def clock_arithmetic(conn: sa.Connection, services: Services, number: int, now: datetime) -> list[str]:
    """Tell how each clock of a ticket came to its due instant by the opening hours that hold, the first due first.

    Raises:
        TicketError: there is no ticket of that number.
    """
    pack = clock_pack(services, get_ticket(conn, number), now)
    table = tables.clock
    rows = conn.scalars(sa.select(table.c.body).where(table.c.ticket == number).order_by(table.c.due_at, table.c.id))
    known = [Clock.model_validate(body) for body in rows]
    zone = next((pack.calendars[clock.calendar].timezone for clock in known if clock.calendar in pack.calendars), None)
    return [
        explain(clock, pack.calendar(clock.calendar) if clock.calendar in pack.calendars else None, zone)
        for clock in known
    ]


def targets_in_force(conn: sa.Connection, number: int) -> tuple[Target, ...]:
    """What was promised on a ticket, by its newest decision; nothing where it was never judged."""
    table = tables.decision
    newest = sa.select(table.c.body).where(table.c.ticket == number).order_by(table.c.id.desc()).limit(1)
    body = conn.scalar(newest)
    return () if body is None else Decision.model_validate(body).targets
