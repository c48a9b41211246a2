"""One refund at a time on one order: what its other refunds say before one more is sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.remedies.states import RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_MOVING = frozenset({RemedyState.CLAIMED, RemedyState.SENT, RemedyState.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """The other refunds of the same order.

    Attributes:
        under_way: the key of one whose end nobody knows yet; None where all others have ended or not begun.
        with_person: whether only a person can tell how that one ended.
        ours: the platform's ids of refunds that we made.
        begun: every one that was ever sent, with its state: another value means that something has changed.
    """

    under_way: str | None
    with_person: bool
    ours: frozenset[str]
    begun: frozenset[tuple[str, str]]


def siblings(conn: sa.Connection, row: Any, *, lock: bool = False) -> Siblings:
    """Read the other refunds of a refund's order; with `lock` no other worker can begin one of them meanwhile."""
    table = tables.remedy
    same = (
        table.c.kind == RemedyKind.REFUND,
        table.c.channel == row.channel,
        table.c.order_id == row.order_id,
    )
    # The refund's own row is among the locked ones, all in one order: two workers can wait for each other no other way.
    columns = ("key", "state", "sent_at", "claimed_at", "next_at", "external_id")
    wanted = sa.select(*(table.c[name] for name in columns)).where(*same).order_by(table.c.key)
    found = [each for each in conn.execute(wanted.with_for_update() if lock else wanted) if each.key != row.key]
    # What was unknown once and may be sent again has not ended either.
    moving = [each for each in found if each.state in _MOVING or (each.state == RemedyState.APPROVED and each.sent_at)]
    return Siblings(
        under_way=moving[0].key if moving else None,
        with_person=bool(moving) and moving[0].state == RemedyState.UNKNOWN and moving[0].next_at is None,
        ours=frozenset(each.external_id for each in found if each.external_id),
        begun=frozenset((each.key, each.state) for each in found if each.claimed_at),
    )


def refunded_so_far(conn: sa.Connection, row: Any) -> Decimal:
    """What a refund's order has paid back already, as far as the last sync told."""
    table = tables.orders
    wanted = sa.select(table.c.refunded).where(table.c.channel == row.channel, table.c.external_id == row.order_id)
    return conn.scalar(wanted) or Decimal(0)


def bring_back(unit: Unit, row: Any) -> None:
    """Let the order's other refunds go on that waited for this one."""
    table = tables.remedy
    same = (table.c.kind == RemedyKind.REFUND, table.c.channel == row.channel, table.c.order_id == row.order_id)
    waiting = (table.c.state == RemedyState.APPROVED, table.c.next_at.is_not(None), table.c.key != row.key)
    unit.conn.execute(sa.update(table).where(*same, *waiting).values(next_at=unit.now))


def ceiling_objection(conn: sa.Connection, channel: str, refund: RefundRequest) -> str | None:
    """Say why a refund is too large by the order as it was last synced, for a platform that cannot be asked."""
    table = tables.orders
    wanted = sa.select(table).where(table.c.channel == channel, table.c.external_id == refund.order_id)
    order = conn.execute(wanted).first()
    if order is None or order.currency != refund.amount.currency:
        return None
    left = order.refundable if order.refundable is not None else order.total - (order.refunded or Decimal(0))
    if refund.amount.amount <= left:
        return None
    return f"only {Money(amount=left, currency=order.currency).rounded()} can still be refunded on this order"
