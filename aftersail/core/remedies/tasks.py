"""What a person has to do: whatever no rule may decide and no API can do ends here, never in a silent drop."""

from __future__ import annotations

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once


def open_task(
    unit: Unit, ticket: int, kind: str, why: str, *, remedy: str | None = None, link: str | None = None
) -> bool:
    """Open a task once; the same task again on the same ticket is no news."""
    row = {"ticket": ticket, "kind": kind, "why": why, "remedy": remedy, "link": link, "opened_at": unit.now}
    new = insert_once(unit.conn, tables.task, row, key=["ticket", "kind", "why"])
    if new:
        channel = unit.conn.scalar(sa.select(tables.ticket.c.channel).where(tables.ticket.c.id == ticket))
        unit.record("task_opened", channel or "", ticket, task=kind, why=why, link=link)
    return new


def close_tasks(unit: Unit, remedy: str, actor: str) -> None:
    """Close what a person had to do about a remedy."""
    table = tables.task
    done = sa.update(table).where(table.c.remedy == remedy, table.c.closed_at.is_(None))
    unit.conn.execute(done.values(closed_at=unit.now, closed_by=actor))
