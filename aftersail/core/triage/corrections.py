"""What agents correct of triage's answers: kept beside what was said before, so that it can be measured against."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from aftersail.core.contract import Direction, Record
from aftersail.core.policy.reasons import Reason
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.triage.language import LANGUAGES, UNKNOWN


class CorrectionError(ValueError):
    """A correction cannot be kept: names the value and what it may be."""


class Labels(Record):
    """What a ticket is about, as triage or a person says.

    Attributes:
        reason: a code of `Reason`.
        language: one of `LANGUAGES`, or `und`.
        tier: the tier of the pack that decided; None where none was given.
    """

    reason: str
    language: str
    tier: str | None = None


class Correction(Record):
    """One correction, with what the buyer had written by then: a labelled example.

    Attributes:
        ticket: its number.
        at: when it was made (UTC).
        actor: who made it.
        before: what stood there.
        after: what a person says.
        subject: of the buyer's first message; empty where there was none.
        text: the buyer's messages until then, the oldest first, without quoted text.
    """

    ticket: int
    at: datetime
    actor: str
    before: Labels
    after: Labels
    subject: str
    text: str


def record_correction(unit: Unit, ticket: int, *, actor: str, before: Labels, after: Labels) -> bool:
    """Keep what an agent changed, in the transaction that changes the ticket.

    Returns:
        whether anything differs; what does not is not kept.

    Raises:
        CorrectionError: the new reason or language is none of ours.
    """
    if after.reason not in set(Reason):
        raise CorrectionError(f"{after.reason!r} is no reason; reasons are {', '.join(Reason)}")
    if after.language not in {*LANGUAGES, UNKNOWN}:
        raise CorrectionError(f"{after.language!r} is no language of triage; use {', '.join(LANGUAGES)} or {UNKNOWN}")
    if before == after:
        return False
    row = {"ticket": ticket, "at": unit.now, "actor": actor}
    for name in Labels.model_fields:
        row |= {f"{name}_before": getattr(before, name), f"{name}_after": getattr(after, name)}
    unit.conn.execute(sa.insert(tables.correction).values(row))
    return True


def corrections(conn: sa.Connection, since: datetime | None = None) -> tuple[Correction, ...]:
    """All corrections from an instant on, the oldest first."""
    table = tables.correction
    wanted = sa.select(table).order_by(table.c.at, table.c.id)
    if since:
        wanted = wanted.where(table.c.at >= since)
    return tuple(_correction(conn, row) for row in conn.execute(wanted).all())


def _correction(conn: sa.Connection, row: sa.Row[tuple[object, ...]]) -> Correction:
    table = tables.message
    said = conn.execute(
        sa.select(table.c.subject, table.c.text)
        .where(table.c.ticket == row.ticket, table.c.direction == Direction.INBOUND, table.c.stored_at <= row.at)
        .order_by(table.c.sent_at, table.c.id)
    ).all()
    return Correction(
        ticket=row.ticket,
        at=row.at,
        actor=row.actor,
        before=Labels(reason=row.reason_before, language=row.language_before, tier=row.tier_before),
        after=Labels(reason=row.reason_after, language=row.language_after, tier=row.tier_after),
        subject=said[0].subject if said else "",
        text="\n\n".join(each.text for each in said),
    )
