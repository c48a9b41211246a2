"""What is known of goods on their way back: written down by whoever sees the proof or the parcel, read as facts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from aftersail.core.desk.tickets import TicketError, with_merged
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


class ReturnNews(StrEnum):
    """What was seen of goods that come back; the name of the event in the history."""

    RETURN_PROOF = "return_proof"
    """The buyer proved that they are on their way back."""
    GOODS_BACK = "goods_back"
    """They are here."""


def write_down(unit: Unit, ticket: Any, news: ReturnNews, at: datetime, rma: str | None, actor: str) -> None:
    """Write down when something was seen, of one return of a ticket or of all its goods.

    Raises:
        TicketError: it was written down before.
    """
    known = [row for row in _rows(unit.conn, ticket.id) if row.kind == news and row.data["rma"] in {rma, None}]
    if known:
        raise TicketError(f"{news.replace('_', ' ')} of ticket {ticket.id} is known already: {known[0].data['at']}")
    unit.record(news, ticket.channel, ticket.id, actor=actor, rma=rma, at=at.isoformat())


def returns_of(conn: sa.Connection, ticket: int) -> tuple[str, ...]:
    """Return the numbers of a ticket's returns, and of those of tickets that were merged into it."""
    table = tables.rma
    return tuple(conn.scalars(sa.select(table.c.number).where(table.c.ticket.in_(with_merged(ticket)))))


def seen_of(conn: sa.Connection, ticket: int) -> dict[tuple[str | None, str], datetime]:
    """Read what was seen of each return, by its number and the kind of news; None stands for all of a ticket's."""
    return {(row.data["rma"], row.kind): datetime.fromisoformat(row.data["at"]) for row in _rows(conn, ticket)}


def returned(conn: sa.Connection, ticket: int) -> dict[ReturnNews, datetime]:
    """Read when goods were back, and when that they come was proved.

    Of several returns the last one counts, and nothing is known while one of them is out.
    """
    seen = seen_of(conn, ticket)
    if not seen:
        return {}
    numbers = returns_of(conn, ticket) or (None,)
    found: dict[ReturnNews, datetime] = {}
    for news in ReturnNews:
        each = [seen.get((number, news), seen.get((None, news))) for number in numbers]
        known = [at for at in each if at is not None]
        if len(known) == len(each):
            found[news] = max(known)
    return found


def _rows(conn: sa.Connection, ticket: int) -> list[Any]:
    table = tables.event
    wanted = sa.select(table.c.kind, table.c.data).where(
        table.c.ticket.in_(with_merged(ticket)), table.c.kind.in_(list(ReturnNews))
    )
    return list(conn.execute(wanted.order_by(table.c.id)).all())
