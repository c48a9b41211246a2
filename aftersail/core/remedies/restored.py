"""After a restore: what waited to leave when the backup was made may have left since, and nobody here knows."""

from __future__ import annotations

import sqlalchemy as sa

from aftersail.core.remedies.states import RemedyState, move
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_WHY = "restored from a backup: it may have been sent after that was made"


def doubt_unsent(unit: Unit) -> int:
    """Let nothing leave twice: what waits is looked up on its platform first, and where that cannot be, by a person.

    An answer that waits for its refund would leave as soon as that is found to be paid, though it may have left back
    then: it is taken back, and a person is asked whether the buyer was told.

    Returns:
        how many remedies are in doubt.
    """
    table = tables.remedy
    held = sa.and_(table.c.state == RemedyState.PLANNED, table.c.after.is_not(None))
    rows = unit.conn.execute(sa.select(table).where(sa.or_(table.c.state == RemedyState.APPROVED, held))).all()
    for row in rows:
        if row.state == RemedyState.PLANNED:
            move(unit, row.key, RemedyState.CANCELLED, source=RemedyState.PLANNED, detail=_WHY)
            open_task(unit, row.ticket, "reply_by_hand", f"{_WHY}; tell the buyer about the refund, if nobody has")
        else:
            at = {"claimed_at": row.claimed_at or unit.now, "sent_at": row.sent_at or unit.now, "next_at": unit.now}
            move(unit, row.key, RemedyState.UNKNOWN, source=None, only=None, detail=_WHY, looks=0, **at)
        unit.record(f"{row.kind}_in_doubt", row.channel, row.ticket, key=row.key, why=_WHY)
    return len(rows)
