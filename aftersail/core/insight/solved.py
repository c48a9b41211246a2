"""When tickets were solved: when they last became resolved or closed, however often they were opened again before."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from aftersail.core.desk.tickets import SOLVED, TicketState
from aftersail.core.store import tables


def solved_within(since: datetime, until: datetime) -> sa.CTE:
    """Select the tickets that stand solved and came to that in the window [since, until): `ticket` and `at`.

    A resolved ticket that was closed later was solved when it was resolved; one without a history when it was closed.
    """
    ticket, event = tables.ticket, tables.event
    after, before = event.c.data["after"].as_string(), event.c.data["before"].as_string()
    moved = sa.select(sa.func.max(event.c.at)).where(event.c.ticket == ticket.c.id, event.c.kind == "ticket_state")
    turned = moved.where(after.in_(SOLVED), before.not_in(SOLVED)).correlate(ticket).scalar_subquery()
    # Nothing is solved after it was closed or last changed: so most tickets need no look into their history.
    recent = sa.or_(
        sa.and_(ticket.c.state == TicketState.CLOSED, ticket.c.closed_at >= since),
        sa.and_(ticket.c.state == TicketState.RESOLVED, ticket.c.updated_at >= since),
    )
    each = sa.select(ticket.c.id.label("ticket"), sa.func.coalesce(turned, ticket.c.closed_at).label("at"))
    found = each.where(recent).subquery()
    return sa.select(found.c.ticket, found.c.at).where(found.c.at >= since, found.c.at < until).cte("solved")
