"""Who has decided on a ticket: they take no second look at it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aftersail.core.desk.roster import Roster
from aftersail.core.desk.tickets import SETTLED
from aftersail.core.remedies.plan import AUTOMATION
from aftersail.core.store import tables

_NOBODY: Final = frozenset({AUTOMATION, "aftersail", "buyer", "seller"})
_DECIDED: Final = ("refund_cancelled", "refund_resolved", "reply_cancelled", "case_cancelled")


def deciders(conn: sa.Connection, ticket: int) -> frozenset[str]:
    """Name everybody who has decided on a ticket.

    They have approved or rejected a refund, an answer or the answer to a case, called the ticket resolved or closed, or
    decided an earlier appeal.
    """
    remedy, event, appeal = tables.remedy, tables.event, tables.appeal
    found = set(conn.scalars(sa.select(remedy.c.approved_by).where(remedy.c.ticket == ticket)))
    found |= set(conn.scalars(sa.select(event.c.actor).where(event.c.ticket == ticket, event.c.kind.in_(_DECIDED))))
    moves = sa.select(event.c.actor, event.c.data).where(event.c.ticket == ticket, event.c.kind == "ticket_state")
    found |= {move.actor for move in conn.execute(moves) if move.data["after"] in SETTLED}
    found |= set(conn.scalars(sa.select(appeal.c.decided_by).where(appeal.c.ticket == ticket)))
    return frozenset(name for name in found if name and name not in _NOBODY)


def is_decider(conn: sa.Connection, roster: Roster, ticket: int, somebody: str) -> bool:
    """Tell whether somebody, by id or by name and however it is written, has decided on a ticket."""
    before = deciders(conn, ticket)
    names = {agent.name for agent in roster.agents if agent.id in before and agent.name}
    return somebody.strip().casefold() in {name.casefold() for name in (*before, *names)}
