"""Joining tickets that turned out to be one matter: what a merge of conversations means for money, people and appeals.

Both tickets may have planned the same refund or answer by the same rule. Of such twins the one that is further on its
way stays, and the others are taken back while they surely have not left: the buyer is paid once.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Authenticity, Direction
from aftersail.core.desk.judge import judge
from aftersail.core.desk.merging import merge_tickets
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import OVER, TicketState, get_ticket, update_ticket
from aftersail.core.remedies.people import reject
from aftersail.core.remedies.states import RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_KNOWN_OF_BUYER: Final = ("buyer_key", "buyer_name", "buyer_email", "reply_to", "thread_id", "via", "owner", "graded")
_PROGRESS: Final = list(RemedyState)


def join_tickets(unit: Unit, services: Services, loser: int, survivor: int, *, actor: str) -> None:
    """Merge a ticket into another, for good, and judge what has become of the two.

    Messages, cases, remedies, tasks, appeals, keys and orders move to the survivor. History and decisions stay where
    they were made, and the merged ticket names the survivor.

    Raises:
        TicketError: the two cannot be one ticket.
    """
    gone, kept = get_ticket(unit.conn, loser), get_ticket(unit.conn, survivor)
    appealed = sa.select(tables.appeal.c.clock).where(tables.appeal.c.ticket == loser)
    beside = sa.update(tables.clock).where(tables.clock.c.id.in_(appealed)).values(ticket=survivor)
    unit.conn.execute(beside)
    for table in (tables.appeal, tables.extension):
        unit.conn.execute(sa.update(table).where(table.c.ticket == loser).values(ticket=survivor))
    merge_tickets(unit, services, loser, survivor, actor)
    missing = {name: getattr(gone, name) for name in _KNOWN_OF_BUYER if getattr(kept, name) is None}
    update_ticket(unit, survivor, **missing)
    followed = sa.update(tables.ticket).where(tables.ticket.c.merged_into == loser)
    unit.conn.execute(followed.values(merged_into=survivor))
    _take_back_twins(unit, survivor)
    joined = get_ticket(unit.conn, survivor)
    judge(unit, services, survivor, first=False, act=joined.state == TicketState.OPEN)


def join_all(unit: Unit, services: Services, order: Any, tickets: list[int]) -> None:
    """Join the tickets of one order that surely come from its buyer into the oldest, as nobody has to decide that."""
    sure = [ticket for ticket in tickets if _is_surely(unit.conn, get_ticket(unit.conn, ticket), order)]
    for loser in sure[1:]:
        join_tickets(unit, services, loser, sure[0], actor="aftersail")


def _is_surely(conn: sa.Connection, ticket: Any, order: Any) -> bool:
    """The platform itself says that the order's buyer wrote everything on a live ticket of the order's channel."""
    if ticket.state in OVER or ticket.channel != order.channel or ticket.orders_id != order.id:
        return False
    if order.buyer_key is None or ticket.buyer_key != order.buyer_key:
        return False
    table = tables.message
    said = sa.select(table.c.authenticity).where(table.c.ticket == ticket.id, table.c.direction == Direction.INBOUND)
    return set(conn.scalars(said)) == {Authenticity.PASS}


def _take_back_twins(unit: Unit, ticket: int) -> None:
    """Refunds first: an answer that speaks of one that is taken back goes with it."""
    table = tables.remedy
    for kind in (RemedyKind.REFUND, RemedyKind.REPLY):
        by_rule = sa.select(table).where(table.c.ticket == ticket, table.c.kind == kind, table.c.rule.is_not(None))
        twins: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for row in unit.conn.execute(by_rule.order_by(table.c.planned_at, table.c.key)):
            said = str(row.body["text"]) if kind is RemedyKind.REPLY else ""
            twins[row.channel, row.order_id or "", row.rule, said].append(row)
        for same in twins.values():
            _keep_one(unit, [row for row in same if row.state not in {RemedyState.CANCELLED, RemedyState.REFUSED}])


def _keep_one(unit: Unit, same: list[Any]) -> None:
    first = max(same, key=lambda row: _PROGRESS.index(RemedyState(row.state)), default=None)
    for row in same:
        surely_here = row.state in {RemedyState.PLANNED, RemedyState.APPROVED} and not row.sent_at
        if first is not None and row.key != first.key and surely_here:
            reject(unit, row.key, "aftersail", f"the same as {first.key[:8]}, of a ticket that was merged")
