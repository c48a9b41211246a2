"""What a person does with a remedy: approve, reject, or say what became of one that nobody knows about."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from aftersail.core.remedies.plan import enqueue, withdraw_replies
from aftersail.core.remedies.serial import bring_back
from aftersail.core.remedies.settling import settle
from aftersail.core.remedies.states import RemedyKind, RemedyState, move
from aftersail.core.remedies.tasks import close_tasks
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs


class RemedyError(Exception):
    """The remedy does not stand where this is possible; the text says where it stands."""


def find_remedy(unit: Unit, prefix: str, kind: RemedyKind | None) -> Any:
    """Read a remedy by the beginning of its key, and lock it.

    Raises:
        RemedyError: there is none, or more than one.
    """
    table = tables.remedy
    wanted = sa.select(table).where(table.c.key.startswith(prefix, autoescape=True)).limit(2).with_for_update()
    rows = unit.conn.execute(wanted.where(table.c.kind == kind) if kind else wanted).all()
    what = kind or "remedy"
    if not rows:
        raise RemedyError(f"no {what} with the key {prefix!r}; `aftersail refund list` shows all")
    if len(rows) > 1:
        raise RemedyError(f"more than one {what} begins with {prefix!r}; give more of the key")
    return rows[0]


def approve(unit: Unit, jobs: Jobs, key: str, actor: str, kind: RemedyKind | None = None) -> Any:
    """Let a planned remedy leave. Whether the actor may pay so much is the caller's to know (`desk.authority`).

    `key` may be the beginning of the key, where it is unique.

    Raises:
        RemedyError: there is no such remedy, or it does not wait for a person's approval.
    """
    row = find_remedy(unit, key, kind)
    if row.after and row.state == RemedyState.PLANNED:
        raise RemedyError(f"{row.kind} {row.key} speaks of refund {row.after}: it leaves once that is settled")
    moved = move(
        unit, row.key, RemedyState.APPROVED, source=RemedyState.PLANNED, approved_by=actor, approved_at=unit.now
    )
    if not moved:
        raise RemedyError(f"{row.kind} {row.key} is {row.state}, not planned: nothing to approve")
    close_tasks(unit, row.key, actor)
    became = {"before": row.state, "after": RemedyState.APPROVED, "amount": _text(row.amount), "currency": row.currency}
    unit.record(f"{row.kind}_approved", row.channel, row.ticket, actor=actor, key=row.key, **became)
    enqueue(unit, jobs, row.key, RemedyKind(row.kind), row.channel, row.tries)
    return row


def reject(unit: Unit, key: str, actor: str, why: str, kind: RemedyKind | None = None) -> Any:
    """Take a remedy back before it leaves.

    Raises:
        RemedyError: there is no such remedy, or it may have left already.
    """
    row = find_remedy(unit, key, kind)
    if row.sent_at or not move(unit, row.key, RemedyState.CANCELLED, detail=why, next_at=None):
        raise RemedyError(f"{row.kind} {row.key} is {row.state}: it cannot be taken back any more")
    close_tasks(unit, row.key, actor)
    withdraw_replies(unit, row.key, why)
    became = {"before": row.state, "after": RemedyState.CANCELLED}
    unit.record(f"{row.kind}_cancelled", row.channel, row.ticket, actor=actor, key=row.key, why=why, **became)
    return row


def resolve(unit: Unit, jobs: Jobs, key: str, actor: str, *, happened: bool, external_id: str | None = None) -> Any:
    """Say what became of a remedy in state `unknown`, after looking at the platform's own page.

    Raises:
        RemedyError: there is no such remedy, or it is not unknown.
    """
    row = find_remedy(unit, key, None)
    to = RemedyState.SETTLED if happened else RemedyState.REFUSED
    values: dict[str, Any] = {"settled_at": unit.now, "external_id": external_id or row.external_id} if happened else {}
    if not move(unit, row.key, to, source=RemedyState.UNKNOWN, detail=f"{actor} looked", next_at=None, **values):
        raise RemedyError(f"{row.kind} {row.key} is {row.state}, not unknown: nothing to resolve")
    became = {"before": row.state, "after": to, "amount": _text(row.amount), "currency": row.currency}
    unit.record(f"{row.kind}_resolved", row.channel, row.ticket, actor=actor, key=row.key, happened=happened, **became)
    row = unit.conn.execute(sa.select(tables.remedy).where(tables.remedy.c.key == row.key)).one()
    if happened:
        settle(unit, jobs, row, actor)
    else:
        close_tasks(unit, row.key, actor)
        withdraw_replies(unit, row.key, "the refund did not happen")
    if row.kind == RemedyKind.REFUND:
        bring_back(unit, row)
    return row


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
