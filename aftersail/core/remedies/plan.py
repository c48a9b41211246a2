"""Planning: a remedy is a row before it is a request, written in the transaction that decided it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa

from aftersail.core.contract import CaseDecision, LabelRequest, Money, RefundParked, RefundRequest, Reply
from aftersail.core.remedies.states import FINAL, RemedyKind, RemedyState, move
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.store.write import insert_once

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs

JOB = "remedy"
"""The name of the one job that works on remedies."""

AUTOMATION = "automation"
"""Who approves what a rule may do on its own."""


def remedy_key(*identity: object) -> str:
    """Make the key of a remedy from what it is for: the same claim always gets the same key, so it is planned once."""
    return str(uuid5(NAMESPACE_URL, "aftersail:" + ":".join(str(part) for part in identity)))


def enqueue(unit: Unit, jobs: Jobs, key: str, kind: RemedyKind, channel: str, tries: int) -> None:
    """Hand a remedy to a worker, in the same transaction; the try's number makes each hand-over unique."""
    jobs.enqueue(unit.conn, JOB, queue=kind, partition=channel, job_id=job_id_of(key, tries), args={"key": key})


def job_id_of(key: str, tries: int) -> str:
    """Name the job that has a remedy in its hands."""
    return f"{JOB}-{key}-{tries}"


def _plan(
    unit: Unit,
    jobs: Jobs,
    kind: RemedyKind,
    key: str,
    ticket: int,
    channel: str,
    approved_by: str | None,
    row: dict[str, Any],
) -> bool:
    approved = approved_by is not None
    row |= {
        "key": key,
        "kind": kind,
        "ticket": ticket,
        "channel": channel,
        "state": RemedyState.APPROVED if approved else RemedyState.PLANNED,
        "planned_at": unit.now,
        "approved_by": approved_by,
        "approved_at": unit.now if approved else None,
    }
    if not insert_once(unit.conn, tables.remedy, row, key=["key"]):
        return False
    amount = str(row["amount"]) if "amount" in row else None
    money: dict[str, Any] = {"order": row["order_id"], "amount": amount, "currency": row["currency"]} if amount else {}
    by: dict[str, Any] = {"rule": row.get("rule"), "approved": approved, "approved_by": approved_by}
    unit.record(f"{kind}_planned", channel, ticket, key=key, why=row["why"], **by, **money)
    if approved:
        enqueue(unit, jobs, key, kind, channel, 0)
    return True


def plan_reply(
    unit: Unit,
    jobs: Jobs,
    *,
    ticket: int,
    channel: str,
    reply: Reply,
    why: str,
    rule: str | None = None,
    approved_by: str | None = AUTOMATION,
    after: str | None = None,
    stops_clocks: bool = True,
) -> bool:
    """Plan an answer; False where the same answer was planned before.

    `after` is the key of a refund the answer speaks of: it leaves once that is settled, and never before. Where that
    refund has ended otherwise, there is nothing to answer.
    `stops_clocks` is False for a mere acknowledgement: marketplaces do not count it as an answer, so we do not either.
    """
    ended = after and unit.conn.scalar(sa.select(tables.remedy.c.state).where(tables.remedy.c.key == after))
    if ended in FINAL - {RemedyState.SETTLED}:
        return False
    waits = after is not None and ended != RemedyState.SETTLED
    row = {
        "after": after,
        "body": reply.model_dump(mode="json"),
        "why": why,
        "rule": rule,
        "stops_clocks": stops_clocks,
        "order_id": reply.order_id,
    }
    new = _plan(unit, jobs, RemedyKind.REPLY, reply.key, ticket, channel, None if waits else approved_by, row)
    if new and approved_by is None and not waits:
        open_task(unit, ticket, "approve_reply", why, remedy=reply.key)
    return new


def plan_refund(
    unit: Unit,
    jobs: Jobs,
    *,
    ticket: int,
    channel: str,
    refund: RefundRequest,
    why: str,
    rule: str | None = None,
    approved_by: str | None = None,
) -> bool:
    """Plan a refund; without an approver it waits for a person. False where it was planned before."""
    row = {
        "body": refund.model_dump(mode="json"),
        "why": why,
        "rule": rule,
        "order_id": refund.order_id,
        "amount": refund.amount.amount,
        "currency": refund.amount.currency,
    }
    new = _plan(unit, jobs, RemedyKind.REFUND, refund.key, ticket, channel, approved_by, row)
    if new and approved_by is None:
        park(unit, ticket, channel, refund.key, refund.order_id, refund.amount, "approve_refund", why)
    return new


def release_replies(unit: Unit, jobs: Jobs, refund: str) -> None:
    """Let the answers leave that speak of a refund which is settled now."""
    table = tables.remedy
    waiting = sa.select(table).where(table.c.after == refund)
    for row in unit.conn.execute(waiting.where(table.c.state == RemedyState.PLANNED)).all():
        if move(
            unit,
            row.key,
            RemedyState.APPROVED,
            source=RemedyState.PLANNED,
            approved_by=AUTOMATION,
            approved_at=unit.now,
        ):
            unit.record(
                "reply_approved", row.channel, row.ticket, key=row.key, before=row.state, after=RemedyState.APPROVED
            )
            enqueue(unit, jobs, row.key, RemedyKind.REPLY, row.channel, row.tries)


def withdraw_replies(unit: Unit, refund: str, why: str) -> None:
    """Take back the answers that speak of a refund which will not happen."""
    table = tables.remedy
    planned = sa.select(table).where(table.c.after == refund, table.c.state == RemedyState.PLANNED)
    for row in unit.conn.execute(planned).all():
        if move(unit, row.key, RemedyState.CANCELLED, source=RemedyState.PLANNED, detail=why):
            became = {"before": row.state, "after": RemedyState.CANCELLED}
            unit.record("reply_cancelled", row.channel, row.ticket, key=row.key, why=why, **became)


def plan_case_decision(
    unit: Unit, jobs: Jobs, *, ticket: int, channel: str, decision: CaseDecision, why: str, approved_by: str
) -> bool:
    """Plan a person's or a rule's answer to a case; False where it was planned before."""
    row = {"body": decision.model_dump(mode="json"), "why": why}
    return _plan(unit, jobs, RemedyKind.CASE, decision.key, ticket, channel, approved_by, row)


def plan_label(
    unit: Unit, jobs: Jobs, *, ticket: int, channel: str, label: LabelRequest, why: str, approved_by: str
) -> bool:
    """Plan a return label to buy; False where it was planned before."""
    row = {"body": label.model_dump(mode="json"), "why": why, "order_id": label.order_id}
    return _plan(unit, jobs, RemedyKind.LABEL, label.key, ticket, channel, approved_by, row)


def park(
    unit: Unit,
    ticket: int,
    channel: str,
    key: str,
    order_id: str,
    amount: Money,
    kind: str,
    why: str,
    link: str | None = None,
) -> None:
    """Give a refund to a person and tell the plugins, once for each reason."""
    if not open_task(unit, ticket, kind, why, remedy=key, link=link):
        return
    parked = RefundParked(
        at=unit.now, channel=channel, ticket=ticket, key=key, order_id=order_id, amount=amount, why=why
    )
    unit.tell("aftersail_refund_parked", parked)
