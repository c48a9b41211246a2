"""Tickets: opened by what comes in, moved from state to state, closed by a person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Party
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


class TicketState(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    """The buyer waits for us."""
    WAITING = "waiting"
    """We have answered and wait for the buyer."""
    NEED_INFO = "need_info"
    """We have asked the buyer for something without which we cannot go on."""
    WAITING_CARRIER = "waiting_carrier"
    """A carrier looks for the parcel or brings it back."""
    RESOLVED = "resolved"
    """Solved, as far as we know; a new message opens it again."""
    CLOSED = "closed"
    MERGED = "merged"
    """Another ticket has taken its place."""
    SPAM = "spam"
    """No buyer's matter; what else comes into it wakes nobody."""


OVER: Final = frozenset({TicketState.CLOSED, TicketState.MERGED, TicketState.SPAM})
"""States in which nobody has anything to do, and which a new message about the same order does not join."""

SOLVED: Final = frozenset({TicketState.RESOLVED, TicketState.CLOSED})
"""States in which the buyer's matter is solved, as far as we know."""

SETTLED: Final = frozenset({TicketState.RESOLVED, TicketState.CLOSED, TicketState.SPAM})
"""States that say: what was written so far needs no answer any more."""

_S = TicketState
_LIVE: Final = frozenset({_S.OPEN, _S.WAITING, _S.NEED_INFO, _S.WAITING_CARRIER})
TRANSITIONS: Final[dict[TicketState, frozenset[TicketState]]] = {
    **{state: frozenset(TicketState) - {state} for state in _LIVE},
    _S.RESOLVED: frozenset({_S.OPEN, _S.CLOSED, _S.MERGED}),
    _S.CLOSED: frozenset({_S.OPEN, _S.MERGED}),
    _S.SPAM: frozenset({_S.OPEN, _S.CLOSED}),
    _S.MERGED: frozenset(),
}
"""To which states each one leads. Out of `merged` leads no way: its conversation goes on in another ticket."""


class TicketError(Exception):
    """A ticket is not there, or does not stand where this is possible."""


def open_ticket(
    unit: Unit,
    *,
    channel: str,
    via: str | None,
    subject: str,
    buyer: Party,
    filed_at: datetime,
    order: Any | None,
    reply_to: str | None,
    thread_id: str | None,
) -> int:
    """Write a new ticket, not judged yet, and return its number.

    `filed_at` is when the buyer sent the request: it pins the version of the pack.
    """
    email = buyer.email.lower() if buyer.email else None
    # Whoever names another channel's order has not proven to be its buyer.
    ordered = order if order is not None and order.channel == channel else None
    row = {
        "channel": channel,
        "via": via,
        "orders_id": order.id if order else None,
        "subject": subject,
        "state": TicketState.OPEN,
        "language": "und",
        "reason": "other",
        "reason_because": "",
        "escalation": False,
        "buyer_key": buyer.external_id or email or (ordered.buyer_key if ordered else None),
        "buyer_name": buyer.name or (order.buyer_name if order else None),
        "buyer_email": email or (ordered.buyer_email if ordered else None),
        "reply_to": reply_to,
        "thread_id": thread_id,
        "token": unit.token(),
        "filed_at": filed_at,
        "opened_at": unit.now,
        "updated_at": unit.now,
    }
    inserted = unit.conn.execute(sa.insert(tables.ticket).values(**row).returning(tables.ticket.c.id))
    return int(inserted.scalar_one())


def with_merged(ticket: int) -> sa.CompoundSelect[Any]:
    """Select a ticket and those that were merged into it: what was done for one of them is done."""
    table = tables.ticket
    return sa.union_all(
        sa.select(table.c.id).where(table.c.id == ticket), sa.select(table.c.id).where(table.c.merged_into == ticket)
    )


def get_ticket(conn: sa.Connection, ticket: int) -> Any:
    """Read a ticket.

    Raises:
        TicketError: there is none of that number.
    """
    row = conn.execute(sa.select(tables.ticket).where(tables.ticket.c.id == ticket)).first()
    if row is None:
        raise TicketError(f"there is no ticket {ticket}; `aftersail inbox` lists them")
    return row


def update_ticket(unit: Unit, ticket: int, **values: Any) -> None:
    """Change a ticket."""
    changed = sa.update(tables.ticket).where(tables.ticket.c.id == ticket)
    unit.conn.execute(changed.values(updated_at=unit.now, **values))


def set_state(unit: Unit, ticket: int, state: TicketState, actor: str) -> bool:
    """Move a ticket to another state; tell whether it moved.

    Raises:
        TicketError: no way leads there from where it stands (`TRANSITIONS`).
    """
    row = get_ticket(unit.conn, ticket)
    if row.state == state:
        return False
    ways = TRANSITIONS[TicketState(row.state)]
    if state not in ways:
        lead = (
            f"from there it can become {', '.join(sorted(ways))}"
            if ways
            else f"it was merged into another, ticket {row.merged_into}"
        )
        raise TicketError(f"ticket {ticket} is {row.state} and cannot become {state}; {lead}")
    closed_at = unit.now if state is TicketState.CLOSED else None
    update_ticket(unit, ticket, state=state, closed_at=closed_at)
    unit.record("ticket_state", row.channel, ticket, actor=actor, before=row.state, after=state)
    return True
