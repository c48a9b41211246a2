"""The facts of a ticket, read from the store for a decision; what is not known is left out, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Authenticity, Money, TrackingStatus
from aftersail.core.desk.declared import Declared
from aftersail.core.desk.goods_facts import Line, concerned_lines, delivery_facts, goods_facts, parcels_of
from aftersail.core.desk.returned import returned
from aftersail.core.desk.services import Services
from aftersail.core.policy import Facts, make_facts
from aftersail.core.remedies.returns import label_costs
from aftersail.core.store import tables

_SECONDS_A_DAY = 86400
_ARRIVED = frozenset({TrackingStatus.DELIVERED.value})
_SENT = frozenset(
    {
        TrackingStatus.IN_TRANSIT.value,
        TrackingStatus.CUSTOMS.value,
        TrackingStatus.OUT_FOR_DELIVERY.value,
        TrackingStatus.AVAILABLE_FOR_PICKUP.value,
        *_ARRIVED,
    }
)
"""What a parcel is only once the carrier has it."""


def gather(conn: sa.Connection, ticket: Any, services: Services, at: datetime) -> Facts:
    """Collect everything a pack may ask about one ticket, from the store and from what the seller says."""
    channel = services.channels[ticket.channel]
    found: dict[str, object | None] = {
        "ticket.reason": ticket.reason,
        "ticket.language": ticket.language,
        "ticket.channel": channel.id,
        "ticket.connector": channel.kind,
        "ticket.escalation": bool(ticket.escalation),
        "claim.severity": ticket.severity,
        "ticket.graded": (ticket.graded or {}).get("tier"),
        "message.authentic": _authentic(conn, ticket.id),
        "order.known": ticket.orders_id is not None,
    }
    found["claim.filed_at"] = ticket.filed_at
    case = _open_case(conn, ticket.id)
    found["claim.kind"] = case.kind if case else "message"
    found |= {f"claim.{name}_at": at for name, at in returned(conn, ticket.id).items()}
    if ticket.orders_id is not None:
        order = conn.execute(sa.select(tables.orders).where(tables.orders.c.id == ticket.orders_id)).one()
        found |= _order(order, at)
        concerned = concerned_lines(case, order)
        found |= _buyer(conn, order, services.declared)
        found |= _parcel(conn, order.id, concerned, at)
        found |= goods_facts(concerned, order, services.declared)
        found |= delivery_facts(order, services.declared)
        found["cost.return_freight"] = _return_freight(conn, ticket.id)
        found["claim.amount"] = _claimed(case, order)
        found["buyer.matches_order"] = is_buyer(ticket.channel, ticket.buyer_email, order)
    return make_facts(found)


def _authentic(conn: sa.Connection, ticket: int) -> bool | None:
    """Whether every buyer's mail on the ticket is surely from whom it claims; None where nobody checked."""
    table = tables.message
    wanted = sa.select(table.c.authenticity).where(
        table.c.ticket == ticket, table.c.direction == "inbound", table.c.mail.is_not(None)
    )
    verdicts = set(conn.scalars(wanted))
    if Authenticity.FAIL in verdicts:
        return False
    return None if Authenticity.UNKNOWN in verdicts else True


def _open_case(conn: sa.Connection, ticket: int) -> Any | None:
    table = tables.cases
    wanted = sa.select(table).where(table.c.ticket == ticket, table.c.open).order_by(table.c.opened_at)
    return conn.execute(wanted).first()


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount=amount, currency=currency).rounded()


def _order(order: Any, at: datetime) -> dict[str, object | None]:
    refunded = order.refunded if order.refunded is not None else Decimal(0)
    left = order.refundable if order.refundable is not None else order.total - refunded
    return {
        "order.total": _money(order.total, order.currency),
        "order.refunded": _money(refunded, order.currency),
        "order.refundable": _money(left, order.currency),
        "order.country": order.ship_country,
        "order.region": order.ship_region,
        "order.placed_at": order.placed_at,
        "order.delivered": order.delivered_at is not None,
        "order.delivered_at": order.delivered_at,
        "order.age_days": max(0, int((at - order.placed_at).total_seconds() // _SECONDS_A_DAY)),
        "order.lines": len(order.lines),
        "order.skus": _skus(order.lines),
    }


def _skus(lines: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The article numbers of an order; None where a line has none, since a list with gaps answers `in` wrongly."""
    found = [line.get("sku") for line in lines]
    return tuple(str(sku) for sku in found) if found and all(found) else None


def _buyer(conn: sa.Connection, order: Any, declared: Declared) -> dict[str, object | None]:
    if not order.buyer_key:
        return {}
    table = tables.orders
    kept = sa.func.sum(table.c.total - sa.func.coalesce(table.c.refunded, Decimal(0)), type_=table.c.total.type)
    mine = sa.select(table.c.currency, sa.func.count(), sa.func.count().filter(table.c.refunded > Decimal(0)), kept)
    theirs = mine.where(table.c.channel == order.channel, table.c.buyer_key == order.buyer_key)
    rows = conn.execute(theirs.group_by(table.c.currency)).all()
    orders = sum(row[1] for row in rows)
    spent = {row.currency: Money(amount=row[3], currency=row.currency) for row in rows}
    return {
        "buyer.orders": orders,
        "buyer.refunds": sum(row[2] for row in rows),
        "customer.value": declared.value_of(orders, spent),
    }


def _return_freight(conn: sa.Connection, ticket: int) -> Money | None:
    """What the labels bought for a ticket's returns cost; None where none was, or nobody knows what one cost."""
    costs = label_costs(conn, ticket)
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs) or len({cost.currency for cost in known}) > 1:
        return None
    return sum(known[1:], known[0]).rounded()


def _parcel(conn: sa.Connection, order_id: int, concerned: Sequence[Line], at: datetime) -> dict[str, object | None]:
    table = tables.shipment
    rows = conn.execute(sa.select(table).where(table.c.orders_id == order_id).order_by(table.c.id)).all()
    if not rows:
        return {}
    newest = rows[-1]
    days = int((at - newest.moved_at).total_seconds() // _SECONDS_A_DAY) if newest.moved_at else None
    arrived = {row.tracking_number: _first(row, _ARRIVED) or _moved(row) for row in rows}
    sent = [_first(row, _SENT) for row in rows]
    return {
        "parcel.status": newest.status,
        "parcel.tracking_number": newest.tracking_number,
        "parcel.days_since_event": days,
        "order.fulfilled_at": _last(sent),
        "order.delivered_first_at": min((when for when in arrived.values() if when), default=None),
        "order.delivered_last_at": _last(list(arrived.values())),
        "claim.delivered_at": _last([arrived.get(number) for number in parcels_of(concerned) or arrived]),
    }


def _moved(row: Any) -> datetime | None:
    """When a parcel arrived that has no list of movements."""
    return row.moved_at if row.status == TrackingStatus.DELIVERED and not row.events else None


def _first(row: Any, wanted: frozenset[str]) -> datetime | None:
    """The instant of the parcel's first movement of a kind."""
    times = (datetime.fromisoformat(event["at"]) for event in row.events if event["status"] in wanted)
    return min(times, default=None)


def _last(times: Sequence[datetime | None]) -> datetime | None:
    """The last of some instants; None while one of them has not come."""
    known = [when for when in times if when is not None]
    return max(known) if known and len(known) == len(times) else None


def _claimed(case: Any | None, order: Any) -> Money | None:
    """What the matter is about: the platform's figure, else the lines the case names, else the whole order."""
    if case and case.amount is not None:
        return _money(case.amount, case.currency)
    named = set(case.line_ids) if case else set()
    lines = [line for line in order.lines if line["external_id"] in named]
    if lines:
        total = sum((Decimal(line["unit_price"]["amount"]) * line["quantity"] for line in lines), Decimal(0))
        return _money(total, order.currency)
    return _money(order.total, order.currency)


def is_buyer(channel: str, email: str | None, order: Any) -> bool:
    """The platform itself names the order, or the mail comes from the address the order was placed with."""
    if channel == order.channel:
        return True
    return bool(email and order.buyer_email and email.lower() == order.buyer_email.lower())
