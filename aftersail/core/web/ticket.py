"""Reads everything about one ticket."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from aftersail.core import clocks, policy
from aftersail.core.contract import Money
from aftersail.core.insight.figures import exact_money
from aftersail.core.remedies.returns import rma_rows
from aftersail.core.store import tables
from aftersail.core.web.listing import money, remedy_view, ticket_row, ticket_rows
from aftersail.core.web.models import (
    AttachmentView,
    CaseView,
    ClockView,
    DecisionView,
    HistoryLine,
    MessageView,
    OrderLineView,
    OrderView,
    RemedyView,
    ReturnView,
    ShipmentView,
    TaskView,
    TicketView,
)


def ticket_view(conn: sa.Connection, number: int) -> TicketView | None:
    """Read a ticket with everything that belongs to it; None where there is none of that number."""
    row = conn.execute(ticket_rows().where(tables.ticket.c.id == number)).first()
    if row is None:
        return None
    return TicketView(
        ticket=ticket_row(row),
        reason_because=row.reason_because,
        buyer_email=row.buyer_email,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        pack=f"{row.pack_id} {row.pack_version}" if row.pack_id else None,
        messages=_messages(conn, number),
        order=_order(conn, row.orders_id),
        cases=_cases(conn, number),
        clocks=_clocks(conn, number),
        decisions=_decisions(conn, number),
        remedies=_remedies(conn, number),
        returns=_returns(conn, number),
        tasks=_tasks(conn, number),
        history=_history(conn, number),
    )


def _messages(conn: sa.Connection, number: int) -> tuple[MessageView, ...]:
    message, attachment = tables.message, tables.attachment
    files: dict[int, list[AttachmentView]] = {}
    kept = attachment.c.content.is_not(None).label("kept")
    columns = (attachment.c.message, attachment.c.filename, attachment.c.content_type, attachment.c.size, kept)
    of_ticket = sa.select(*columns).join(message, attachment.c.message == message.c.id)
    for row in conn.execute(of_ticket.where(message.c.ticket == number).order_by(attachment.c.id)):
        shown = AttachmentView(filename=row.filename, content_type=row.content_type, size=row.size, kept=row.kept)
        files.setdefault(row.message, []).append(shown)
    rows = conn.execute(sa.select(message).where(message.c.ticket == number).order_by(message.c.sent_at, message.c.id))
    return tuple(
        MessageView(
            direction=row.direction,
            kind=row.kind,
            channel=row.channel,
            author=row.author,
            subject=row.subject,
            text=row.text,
            full_text=row.full_text if row.full_text.strip() != row.text.strip() else None,
            sent_at=row.sent_at,
            authenticity=row.authenticity,
            link=row.link,
            attachments=tuple(files.get(row.id, ())),
        )
        for row in rows
    )


def _order(conn: sa.Connection, order_id: int | None) -> OrderView | None:
    if order_id is None:
        return None
    row = conn.execute(sa.select(tables.orders).where(tables.orders.c.id == order_id)).one()
    parcel = tables.shipment
    parcels = conn.execute(sa.select(parcel).where(parcel.c.orders_id == order_id).order_by(parcel.c.id))
    return OrderView(
        number=row.number,
        status=row.status,
        placed_at=row.placed_at,
        delivered_at=row.delivered_at,
        total=exact_money(row.total, row.currency),
        refunded=money(row.refunded, row.currency),
        refundable=money(row.refundable, row.currency),
        ship_country=row.ship_country,
        link=row.link,
        lines=tuple(_line(line) for line in row.lines),
        shipments=tuple(
            ShipmentView(
                tracking_number=each.tracking_number,
                carrier=each.carrier,
                status=each.status,
                moved_at=each.moved_at,
                link=each.link,
            )
            for each in parcels
        ),
    )


def _line(line: Any) -> OrderLineView:
    price = Money.model_validate(line["unit_price"])
    return OrderLineView(title=line["title"], sku=line.get("sku"), quantity=line["quantity"], unit_price=price)


def _cases(conn: sa.Connection, number: int) -> tuple[CaseView, ...]:
    table = tables.cases
    rows = conn.execute(sa.select(table).where(table.c.ticket == number).order_by(table.c.opened_at, table.c.id))
    return tuple(
        CaseView(
            external_id=row.external_id,
            kind=row.kind,
            open=row.open,
            status=row.status,
            opened_at=row.opened_at,
            reason=row.reason_text or row.reason_code or "",
            amount=money(row.amount, row.currency),
            respond_by=row.respond_by,
            available_actions=tuple(row.available_actions),
            link=row.link,
        )
        for row in rows
    )


def _clocks(conn: sa.Connection, number: int) -> tuple[ClockView, ...]:
    table = tables.clock
    rows = conn.execute(sa.select(table).where(table.c.ticket == number).order_by(table.c.started_at, table.c.id))
    return tuple(
        ClockView(
            metric=row.metric,
            state=row.state,
            source=row.source,
            started_at=row.started_at,
            due_at=row.due_at,
            warned_at=row.warned_at,
            breached_at=row.breached_at,
            met_at=row.met_at,
            arithmetic=_arithmetic(row.body),
        )
        for row in rows
    )


def _arithmetic(body: Any) -> str:
    try:
        return clocks.explain(clocks.Clock.model_validate(body))
    except ValidationError:
        return f"written by another version of aftersail: {json.dumps(body, ensure_ascii=False)}"


def _decisions(conn: sa.Connection, number: int) -> tuple[DecisionView, ...]:
    """Newest first: the last one is what holds."""
    table = tables.decision
    newest = sa.select(table).where(table.c.ticket == number).order_by(table.c.at.desc(), table.c.id.desc())
    return tuple(
        DecisionView(
            at=row.at, pack=row.pack_id, pack_version=row.pack_version, summary=row.summary, trace=_trace(row.body)
        )
        for row in conn.execute(newest)
    )


def _trace(body: Any) -> str:
    try:
        return policy.explain(policy.Decision.model_validate(body))
    except ValidationError:
        text = json.dumps(body, ensure_ascii=False, indent=2)
        return f"This decision was written by another version of aftersail; here it is as it was stored.\n\n{text}\n"


def _remedies(conn: sa.Connection, number: int) -> tuple[RemedyView, ...]:
    table = tables.remedy
    rows = conn.execute(sa.select(table).where(table.c.ticket == number).order_by(table.c.planned_at, table.c.key))
    return tuple(remedy_view(row) for row in rows)


def _returns(conn: sa.Connection, number: int) -> tuple[ReturnView, ...]:
    rows = rma_rows(conn, tables.rma.c.ticket == number)
    return tuple(ReturnView(**{name: row[name] for name in ReturnView.model_fields}) for row in rows)


def _tasks(conn: sa.Connection, number: int) -> tuple[TaskView, ...]:
    """Open ones first."""
    table = tables.task
    order = (table.c.closed_at.is_not(None), table.c.opened_at, table.c.id)
    rows = conn.execute(sa.select(table).where(table.c.ticket == number).order_by(*order))
    return tuple(
        TaskView(
            kind=row.kind,
            why=row.why,
            link=row.link,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
        )
        for row in rows
    )


def _history(conn: sa.Connection, number: int) -> tuple[HistoryLine, ...]:
    table = tables.event
    rows = conn.execute(sa.select(table).where(table.c.ticket == number).order_by(table.c.at, table.c.id))
    return tuple(HistoryLine(at=row.at, kind=row.kind, actor=row.actor, data=row.data) for row in rows)
