"""Storing pages of cases: a return request, a claim or a dispute joins the ticket of its order, or opens one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import Source, SourceKind
from aftersail.core.contract import Case
from aftersail.core.desk.clockwork import keep_case_deadline
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import OVER, get_ticket, open_ticket
from aftersail.core.desk.turns import case_identity
from aftersail.core.intake.consider import News, consider
from aftersail.core.intake.fitting import fitted, storable
from aftersail.core.intake.linking import link_order
from aftersail.core.intake.threading import find_ticket, order_key, remember, remember_mentions
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import upsert


def store_cases(unit: Unit, services: Services, channel: str, found: tuple[Case, ...]) -> tuple[int, int]:
    """Store what is new or newer, then judge each ticket once; tell how many were new and how many revised."""
    table = tables.cases
    clean = [storable(case, unit.now) for case in found]
    wanted = sa.select(table.c.external_id, table.c.revision).where(
        table.c.channel == channel, table.c.external_id.in_({case.external_id for case in clean})
    )
    known = {row.external_id: row.revision for row in unit.conn.execute(wanted)}
    news: dict[int, News] = {}
    new = revised = 0
    for case in sorted(clean, key=lambda each: (each.opened_at, each.external_id, each.revision)):
        before = known.get(case.external_id)
        if before is not None and case.revision <= before:
            continue
        _store(unit, channel, case, news, known=before is not None)
        new, revised = new + (before is None), revised + (before is not None)
        known[case.external_id] = case.revision
    for ticket, brought in news.items():
        consider(unit, services, ticket, brought)
        _keep_deadline(unit, services, ticket)
    return new, revised


def _store(unit: Unit, channel: str, case: Case, news: dict[int, News], *, known: bool) -> None:
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
    upsert(unit.conn, tables.cases, [fitted(tables.cases, row)], key=["channel", "external_id"], newer="revision")
    unit.record("case_revised" if known else "case_stored", channel, ticket, case=case.external_id, status=case.status)
    brought = news.setdefault(ticket, News(opened=opened))
    if known:
        brought.moved = True
    else:
        brought.cases.add(case_identity(channel, case.external_id))


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
        if joined is not None and get_ticket(unit.conn, joined).state not in OVER:
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
    elif order is not None:
        link_order(unit, ticket, order)
    if order is None and case.order_id:
        remember_mentions(unit.conn, [case.order_id.lstrip("#")], ticket)
    remember(unit.conn, keys, ticket)
    return ticket, opened


def _keep_deadline(unit: Unit, services: Services, ticket: int) -> None:
    """The platform's deadline is the earliest of the ticket's open cases."""
    table = tables.cases
    wanted = sa.select(table.c.opened_at, table.c.respond_by, table.c.channel).where(
        table.c.ticket == ticket, table.c.open, table.c.respond_by.is_not(None)
    )
    first = unit.conn.execute(wanted.order_by(table.c.respond_by, table.c.id).limit(1)).first()
    if first is None:
        row = get_ticket(unit.conn, ticket)
        keep_case_deadline(unit, ticket, unit.now, None, _source(services, row.channel))
    else:
        keep_case_deadline(unit, ticket, first.opened_at, first.respond_by, _source(services, first.channel))


def _source(services: Services, channel: str) -> Source:
    return Source(kind=SourceKind.MARKETPLACE, name=services.channels[channel].kind)
