"""Storing pages of orders with their parcels."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Money, Order, Party, TrackingStatus
from aftersail.core.desk.services import Services
from aftersail.core.intake.fitting import fitted, storable
from aftersail.core.intake.linking import link_new_orders
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once, upsert


def buyer_key(buyer: Party) -> str | None:
    """Say who a buyer is on one channel: the platform's id, else the address in lower case."""
    return buyer.external_id or (buyer.email.lower() if buyer.email else None)


def store_orders(unit: Unit, services: Services, channel: str, orders: tuple[Order, ...]) -> tuple[int, int]:
    """Store what is new or newer, with the parcels it names; tell how many were new and how many revised."""
    clean = [storable(order, unit.now) for order in orders]
    newest = {order.external_id: order for order in sorted(clean, key=lambda order: order.revision)}
    known, forgotten = _known(unit, channel, list(newest))
    newest |= {each: _nobodys(newest[each]) for each in forgotten}
    rows = [_row(channel, order) for order in newest.values()]
    changed = upsert(unit.conn, tables.orders, rows, key=["channel", "external_id"], newer="revision")
    if changed:
        _store_parcels(unit, channel, [order for order in newest.values() if order.parcels])
        link_new_orders(unit, services, channel, list(newest))
    new = len(newest) - known
    return new, changed - new


def _known(unit: Unit, channel: str, external_ids: list[str]) -> tuple[int, list[str]]:
    """Count the orders that are here, and name those whose buyer was erased."""
    table = tables.orders
    here = sa.select(table.c.external_id, table.c.erased_at).where(
        table.c.channel == channel, table.c.external_id.in_(external_ids)
    )
    rows = unit.conn.execute(here).all()
    return len(rows), [row.external_id for row in rows if row.erased_at is not None]


def _nobodys(order: Order) -> Order:
    """The order as the books need it: its buyer was erased, and a newer revision must not bring them back."""
    return order.model_copy(update={"buyer": Party(), "parcels": ()})


def _row(channel: str, order: Order) -> dict[str, Any]:
    row = {
        "channel": channel,
        "external_id": order.external_id,
        "revision": order.revision,
        "number": order.number,
        "placed_at": order.placed_at,
        "delivered_at": order.delivered_at,
        "buyer_key": buyer_key(order.buyer),
        "buyer_name": order.buyer.name,
        "buyer_email": order.buyer.email.lower() if order.buyer.email else None,
        "currency": order.total.currency,
        "total": order.total.amount,
        "refunded": order.refunded.amount if order.refunded else None,
        "refundable": order.refundable.amount if order.refundable else None,
        "status": order.status,
        "shipping_paid": _same_currency(order.shipping_paid, order),
        "ship_country": order.ship_country,
        "ship_region": order.ship_region,
        "locale": order.locale,
        "link": order.link,
        "lines": [line.model_dump(mode="json") for line in order.lines],
    }
    return fitted(tables.orders, row)


def _same_currency(money: Money | None, order: Order) -> Decimal | None:
    """An amount as the order's row holds it; one in another currency than the order has no place there."""
    return money.rounded().amount if money is not None and money.currency == order.total.currency else None


def _store_parcels(unit: Unit, channel: str, orders: list[Order]) -> None:
    table = tables.orders
    wanted = sa.select(table.c.external_id, table.c.id).where(
        table.c.channel == channel, table.c.external_id.in_([order.external_id for order in orders])
    )
    ids: dict[str, int] = {row.external_id: row.id for row in unit.conn.execute(wanted)}
    for order in orders:
        for parcel in order.parcels:
            row = {
                "orders_id": ids[order.external_id],
                "tracking_number": parcel.tracking_number,
                "carrier": parcel.carrier,
                "status": TrackingStatus.DELIVERED if order.delivered_at else TrackingStatus.UNKNOWN,
                "moved_at": order.delivered_at,
                "events": [],
                "due_at": None if order.delivered_at else unit.now,
            }
            insert_once(unit.conn, tables.shipment, fitted(tables.shipment, row), key=["orders_id", "tracking_number"])
