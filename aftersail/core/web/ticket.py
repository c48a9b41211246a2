"""Reads everything about one ticket."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from pydantic import ValidationError

from aftersail.core import clocks, policy
from aftersail.core.contract import Money
from aftersail.core.desk.returned import ReturnNews, seen_of
from aftersail.core.desk.solutions import Solution, solutions_for
from aftersail.core.insight.figures import exact_money
from aftersail.core.policy import PackError
from aftersail.core.remedies.returns import rma_rows
from aftersail.core.runtime.app import App
from aftersail.core.store import tables
from aftersail.core.web.listing import money, remedy_view, ticket_row, ticket_rows
from aftersail.core.web.models import (
    AppealView,
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
    SolutionView,
    TaskView,
    TicketView,
)

_log = structlog.get_logger(__name__)


def own_solutions(app: App) -> tuple[Solution, ...]:
    """The seller's own solutions; none while their file is wrong, which must not take the ticket's page down."""
    try:
        return app.solutions
    except PackError as error:
        _log.warning("solutions_unreadable", detail=str(error))
        return ()


def ticket_view(conn: sa.Connection, number: int, own: tuple[Solution, ...] = ()) -> TicketView | None:
    """Read a ticket with everything that belongs to it; None where there is none of that number.

    `own` are the seller's solutions, shown before those that come with aftersail.
    """
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
        appeals=_appeals(conn, number),
        solutions=tuple(_solution(each) for each in solutions_for(row.reason, own)),
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
    seen = seen_of(conn, number)

    def at(rma: str, news: ReturnNews) -> datetime | None:
        return seen.get((rma, news), seen.get((None, news)))

    return tuple(
        ReturnView(
            **{name: row[name] for name in ReturnView.model_fields if name in row},
            proved_at=at(row["number"], ReturnNews.RETURN_PROOF),
            back_at=at(row["number"], ReturnNews.GOODS_BACK),
        )
        for row in rows
    )


def _appeals(conn: sa.Connection, number: int) -> tuple[AppealView, ...]:
    """Oldest first."""
    appeal, clock = tables.appeal, tables.clock
    listed = sa.select(appeal, clock.c.due_at, clock.c.breached_at).join(clock, appeal.c.clock == clock.c.id)
    rows = conn.execute(listed.where(appeal.c.ticket == number).order_by(appeal.c.id)).mappings()
    return tuple(
        AppealView(
            **{name: row[name] for name in AppealView.model_fields if name in row},
            decides=row["mediator"] or row["reviewer"],
            mediated=row["mediator"] is not None,
        )
        for row in rows
    )


def _solution(solution: Solution) -> SolutionView:
    return SolutionView(
        title=solution.title, steps=solution.steps, remedies=solution.remedies, templates=solution.templates
    )


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
