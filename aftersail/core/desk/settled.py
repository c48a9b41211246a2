"""What a settled remedy means for its ticket: the answer joins the conversation, and clocks stop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import Metric
from aftersail.core.contract import Reply
from aftersail.core.desk.clockwork import RESPONSES, meet_clocks
from aftersail.core.desk.moves import pause_clocks
from aftersail.core.desk.tickets import TicketState, get_ticket, set_state
from aftersail.core.remedies.plan import AUTOMATION
from aftersail.core.remedies.states import RemedyKind
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once


def on_settled(unit: Unit, remedy: Any) -> None:
    """Bring a ticket up to date with a remedy that was settled in the same transaction."""
    if remedy.kind == RemedyKind.REPLY:
        _answered(unit, remedy)
    elif remedy.kind == RemedyKind.REFUND:
        _refunded(unit, remedy)
    elif remedy.kind == RemedyKind.CASE:
        meet_clocks(unit, remedy.ticket, [Metric.RETURN_ANSWERED], remedy.settled_at)


def _answered(unit: Unit, remedy: Any) -> None:
    reply = Reply.model_validate(remedy.body)
    external_id = remedy.external_id or remedy.key
    row = {
        "channel": remedy.channel,
        "external_id": external_id,
        "revision": 0,
        "ticket": remedy.ticket,
        "direction": "outbound",
        "kind": "message",
        "sent_at": remedy.settled_at,
        "stored_at": unit.now,
        "author": remedy.approved_by,
        "subject": reply.subject,
        "text": reply.text,
        "full_text": reply.text,
        "authenticity": "pass",
    }
    insert_once(unit.conn, tables.message, row, key=["channel", "external_id"])
    insert_once(unit.conn, tables.thread_key, {"key": f"mail:{external_id}", "ticket": remedy.ticket}, key=["key"])
    if remedy.stops_clocks:
        meet_clocks(unit, remedy.ticket, RESPONSES, remedy.settled_at)
        actor = "aftersail" if remedy.approved_by == AUTOMATION else remedy.approved_by
        if get_ticket(unit.conn, remedy.ticket).state == TicketState.OPEN:
            set_state(unit, remedy.ticket, TicketState.WAITING, actor)
            pause_clocks(unit, remedy.ticket, TicketState.WAITING, remedy.settled_at)


def _refunded(unit: Unit, remedy: Any) -> None:
    """Let the store know at once, unless a sync already has; whatever else happened follows with the next one."""
    booked = remedy.booked if remedy.booked is not None else remedy.amount
    table = tables.orders
    where = (table.c.channel == remedy.channel, table.c.external_id == remedy.order_id)
    order = unit.conn.execute(sa.select(table.c.refunded, table.c.refundable).where(*where)).first()
    if order is not None:
        known = order.refunded or Decimal(0)
        unseen = max((remedy.refunded_before or Decimal(0)) + booked - known, Decimal(0))
        left = None if order.refundable is None else order.refundable - unseen
        unit.conn.execute(sa.update(table).where(*where).values(refunded=known + unseen, refundable=left))
    meet_clocks(unit, remedy.ticket, [Metric.REFUND_PAID], remedy.settled_at)
