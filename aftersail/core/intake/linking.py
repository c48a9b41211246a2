"""Giving a ticket the order it is about, when the order comes after the message that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from aftersail.core.desk.facts import is_buyer
from aftersail.core.desk.joining import join_all
from aftersail.core.desk.judge import judge
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import TicketState, get_ticket, update_ticket
from aftersail.core.intake.threading import forget_mentions, mentioned_by, order_key, remember
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


def link_order(unit: Unit, ticket: int, order: Any) -> bool:
    """Give a ticket its order, unless it has one; tell whether it was given."""
    row = get_ticket(unit.conn, ticket)
    if row.orders_id is not None:
        return False
    known = {"orders_id": order.id, "buyer_name": row.buyer_name or order.buyer_name}
    if row.channel == order.channel:  # else the writer has not proven to be its buyer
        known |= {"buyer_key": row.buyer_key or order.buyer_key, "buyer_email": row.buyer_email or order.buyer_email}
    update_ticket(unit, ticket, **known)
    forget_mentions(unit.conn, ticket)
    unit.record("order_linked", row.channel, ticket, order=order.number)
    return True


def link_new_orders(unit: Unit, services: Services, channel: str, external_ids: Sequence[str]) -> None:
    """Look for tickets that named one of these orders before it was here, and judge them again with it."""
    table = tables.orders
    wanted = (
        sa.select(table).where(table.c.channel == channel, table.c.external_id.in_(external_ids)).order_by(table.c.id)
    )
    for order in unit.conn.execute(wanted).all():
        linked = []
        for ticket in _waiting_for(unit.conn, order):
            own = get_ticket(unit.conn, ticket).buyer_key == order.buyer_key
            if not link_order(unit, ticket, order):
                continue
            linked += [ticket] if own else []
            row = get_ticket(unit.conn, ticket)
            if is_buyer(row.channel, row.buyer_email, order):
                remember(unit.conn, [order_key(order.channel, order.external_id)], ticket)
            if row.state == TicketState.OPEN:
                judge(unit, services, ticket, first=False)
        join_all(unit, services, order, linked)


def _waiting_for(conn: sa.Connection, order: Any) -> list[int]:
    """Tickets of the order's own channel may name it by the platform's id, all may by its number."""
    by_id = [
        ticket for ticket in mentioned_by(conn, order.external_id) if get_ticket(conn, ticket).channel == order.channel
    ]
    by_number = [] if _number_is_taken(conn, order) else mentioned_by(conn, order.number)
    return list(dict.fromkeys((*by_id, *by_number)))


def _number_is_taken(conn: sa.Connection, order: Any) -> bool:
    """A number that two channels use says nothing about which order is meant."""
    table = tables.orders
    same = sa.select(sa.func.count()).where(table.c.number == order.number, table.c.id != order.id)
    return bool(conn.scalar(same))
