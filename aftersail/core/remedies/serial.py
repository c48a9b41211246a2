"""One refund at a time on one order: what its other refunds say before one more is sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.remedies.states import RemedyKind, RemedyState
from aftersail.core.store import tables

_MOVING = frozenset({RemedyState.CLAIMED, RemedyState.SENT, RemedyState.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """The other refunds of the same order.

    Attributes:
        under_way: the key of one whose end nobody knows yet; None where all others have ended or not begun.
        ours: the platform's ids of refunds that we made.
        begun: every one that was ever sent, with its state: another value means that something has changed.
    """

    under_way: str | None
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
    wanted = sa.select(table.c.key, table.c.state, table.c.sent_at, table.c.claimed_at, table.c.external_id)
    wanted = wanted.where(*same).order_by(table.c.key)
    found = [each for each in conn.execute(wanted.with_for_update() if lock else wanted) if each.key != row.key]
    # What was unknown once and may be sent again has not ended either.
    moving = [
        each.key for each in found if each.state in _MOVING or (each.state == RemedyState.APPROVED and each.sent_at)
    ]
    return Siblings(
        under_way=moving[0] if moving else None,
        ours=frozenset(each.external_id for each in found if each.external_id),
        begun=frozenset((each.key, each.state) for each in found if each.claimed_at),
    )


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
