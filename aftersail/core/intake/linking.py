"""Giving a ticket the order it is about, when the order comes after the message that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

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
    update_ticket(unit, ticket, orders_id=order.id, buyer_name=row.buyer_name or order.buyer_name)
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
        for ticket in mentioned_by(unit.conn, order.number):
            if _number_is_taken(unit.conn, order) or not link_order(unit, ticket, order):
                continue
            row = get_ticket(unit.conn, ticket)
            if row.buyer_email and order.buyer_email and row.buyer_email.lower() == order.buyer_email.lower():
                remember(unit.conn, [order_key(order.channel, order.external_id)], ticket)
            if row.state == TicketState.OPEN:
                judge(unit, services, ticket, first=False)


def _number_is_taken(conn: sa.Connection, order: Any) -> bool:
    """A number that two channels use says nothing about which order is meant."""
    table = tables.orders
    same = sa.select(sa.func.count()).where(table.c.number == order.number, table.c.id != order.id)
    return bool(conn.scalar(same))
