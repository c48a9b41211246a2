"""Storing pages of cases: a return request, a claim or a dispute joins the ticket of its order, or opens one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import Metric, Source, SourceKind
from aftersail.core.contract import Case
from aftersail.core.desk.clockwork import meet_clocks, start_deadline
from aftersail.core.desk.judge import judge
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import TicketState, get_ticket, open_ticket, set_state, update_ticket
from aftersail.core.intake.messages import announce
from aftersail.core.intake.threading import find_ticket, order_key, remember
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import upsert


def store_cases(unit: Unit, services: Services, channel: str, found: tuple[Case, ...]) -> tuple[int, int]:
    """Store what is new or newer; tell how many were new and how many revised."""
    table = tables.cases
    ids = {case.external_id for case in found}
    wanted = sa.select(table.c.external_id, table.c.revision).where(
        table.c.channel == channel, table.c.external_id.in_(ids)
    )
    known = {row.external_id: row.revision for row in unit.conn.execute(wanted)}
    new = revised = 0
    for case in sorted(found, key=lambda each: (each.opened_at, each.external_id, each.revision)):
        before = known.get(case.external_id)
        if before is not None and case.revision <= before:
            continue
        _store(unit, services, channel, case, known=before is not None)
        new, revised = new + (before is None), revised + (before is not None)
        known[case.external_id] = case.revision
    return new, revised


def _store(unit: Unit, services: Services, channel: str, case: Case, *, known: bool) -> None:
    order = _order(unit.conn, channel, case.order_id)
    ticket, opened = _ticket(unit, channel, case, order)
    row = {
        "channel": channel,
        "external_id": case.external_id,
        "ticket": ticket,
        "order_id": case.order_id,
        "opened_at": case.opened_at,
        "amount": case.amount.amount if case.amount else None,
        "currency": case.amount.currency if case.amount else None,
        "available_actions": list(case.available_actions),
        "line_ids": list(case.line_ids),
        **case.model_dump(
            include={"revision", "kind", "open", "status", "reason_code", "reason_text", "respond_by", "link"}
        ),
    }
    upsert(unit.conn, tables.cases, [row], key=["channel", "external_id"], newer="revision")
    unit.record("case_revised" if known else "case_stored", channel, ticket, case=case.external_id, status=case.status)
    if opened or not known:
        _judge(unit, services, channel, case, ticket, opened=opened)
    elif not case.open:
        meet_clocks(unit, ticket, [Metric.RETURN_ANSWERED, Metric.PLATFORM_DEADLINE], unit.now)


def _order(conn: sa.Connection, channel: str, order_id: str | None) -> Any | None:
    if order_id is None:
        return None
    table = tables.orders
    return conn.execute(sa.select(table).where(table.c.channel == channel, table.c.external_id == order_id)).first()


def _ticket(unit: Unit, channel: str, case: Case, order: Any | None) -> tuple[int, bool]:
    """Find the ticket a case belongs to, or open one; tell whether it is new."""
    keys = [f"case:{channel}:{case.external_id}"]
    if case.order_id:
        keys.append(order_key(channel, case.order_id))
    ticket = find_ticket(unit.conn, keys[:1])
    if ticket is None and len(keys) > 1:
        joined = find_ticket(unit.conn, keys[1:])
        if joined is not None and get_ticket(unit.conn, joined).state != TicketState.CLOSED:
            ticket = joined
    opened = ticket is None
    if ticket is None:
        number = f" {order.number}" if order else ""
        ticket = open_ticket(
            unit,
            channel=channel,
            via=None,
            subject=f"{case.kind.replace('_', ' ').capitalize()}{number}",
            buyer=case.buyer,
            filed_at=case.opened_at,
            order=order,
            reply_to=case.buyer.email,
            thread_id=None,
        )
    remember(unit.conn, keys, ticket)
    return ticket, opened


def _judge(unit: Unit, services: Services, channel: str, case: Case, ticket: int, *, opened: bool) -> None:
    row = get_ticket(unit.conn, ticket)
    locale = None
    if row.orders_id is not None:
        locale = unit.conn.scalar(sa.select(tables.orders.c.locale).where(tables.orders.c.id == row.orders_id))
    found = services.triage.assess(
        subject="",
        text=case.reason_text,
        language_hint=locale,
        reason_code=case.reason_code,
        connector=services.channels[channel].kind,
    )
    values: dict[str, Any] = {"escalation": bool(row.escalation) or found.escalation}
    if opened or row.reason == "other":
        values |= {"reason": found.reason, "reason_because": found.because}
    if opened:
        values["language"] = found.language
    update_ticket(unit, ticket, **values)
    if not opened:
        set_state(unit, ticket, TicketState.OPEN, "buyer")
    decision = judge(unit, services, ticket, first=opened, message_at=case.opened_at)
    if case.respond_by and case.open:
        source = Source(kind=SourceKind.MARKETPLACE, name=services.channels[channel].kind)
        start_deadline(unit, ticket, case.opened_at, case.respond_by, source)
    if opened:
        announce(unit, channel, ticket, decision.tier)
