"""What a person has to do: whatever no rule may decide and no API can do ends here, never in a silent drop."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once


def open_task(
    unit: Unit, ticket: int, kind: str, why: str, *, remedy: str | None = None, link: str | None = None
) -> bool:
    """Open a task once; the same task again on the same ticket is no news, unless it is about another remedy."""
    if remedy and _is_about_another(unit, ticket, kind, why, remedy):
        why = f"{why} ({remedy[:8]})"
    row = {"ticket": ticket, "kind": kind, "why": why, "remedy": remedy, "link": link, "opened_at": unit.now}
    new = insert_once(unit.conn, tables.task, row, key=["ticket", "kind", "why"]) or _reopen(unit, ticket, kind, why)
    if new:
        channel = unit.conn.scalar(sa.select(tables.ticket.c.channel).where(tables.ticket.c.id == ticket))
        unit.record("task_opened", channel or "", ticket, task=kind, why=why, link=link)
    return new


def _is_about_another(unit: Unit, ticket: int, kind: str, why: str, remedy: str) -> bool:
    table = tables.task
    same = sa.select(table.c.remedy).where(table.c.ticket == ticket, table.c.kind == kind, table.c.why == why)
    other = unit.conn.scalar(same)
    return other is not None and other != remedy


def _reopen(unit: Unit, ticket: int, kind: str, why: str) -> bool:
    """Ask again what only a newer decision had made needless; what a person has closed stays closed."""
    table = tables.task
    same = (table.c.ticket == ticket, table.c.kind == kind, table.c.why == why, table.c.closed_by == "aftersail")
    return unit.conn.execute(sa.update(table).where(*same).values(closed_at=None, closed_by=None)).rowcount == 1


def close_tasks(unit: Unit, remedy: str, actor: str) -> None:
    """Close what a person had to do about a remedy."""
    table = tables.task
    done = sa.update(table).where(table.c.remedy == remedy, table.c.closed_at.is_(None))
    unit.conn.execute(done.values(closed_at=unit.now, closed_by=actor))


def close_answered(unit: Unit, ticket: int, kind: str, still: Sequence[str]) -> None:
    """Close questions of one kind that a newer decision does not ask any more."""
    table = tables.task
    stale = sa.update(table).where(table.c.ticket == ticket, table.c.kind == kind, table.c.closed_at.is_(None))
    unit.conn.execute(stale.where(table.c.why.not_in(still)).values(closed_at=unit.now, closed_by="aftersail"))
