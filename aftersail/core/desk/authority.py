"""Who may pay how much: a refund above an agent's limit is not refused, it goes to a role that may approve it.

The limits are the pack's `authority`, by role. What people have already approved on the same order counts with it, so
that a large refund does not leave in small pieces. A role without a limit in the pack may approve nothing; an admin,
unless the pack names a limit, may approve everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.desk.judge import named_lines
from aftersail.core.desk.roster import Role, Roster
from aftersail.core.desk.services import Services, pack_of
from aftersail.core.desk.tickets import TicketError, TicketState, get_ticket
from aftersail.core.policy import Pack
from aftersail.core.remedies.people import approve, find_remedy
from aftersail.core.remedies.plan import AUTOMATION, plan_refund, remedy_key
from aftersail.core.remedies.serial import ceiling_objection
from aftersail.core.remedies.states import FINAL, RemedyKind, RemedyState
from aftersail.core.remedies.tasks import close_tasks, open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_PAYERS: Final = (Role.AGENT, Role.SUPERVISOR, Role.ADMIN)


class AuthorityError(Exception):
    """Somebody may not do this; the text says who may."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an approval or a refund by hand.

    Attributes:
        key: of the refund.
        amount: of the refund.
        order_id: the platform's id of the order.
        referred_to: the role it waits for; None where it leaves now.
        why: why it was referred.
        new: False where the same refund was planned before.
    """

    key: str
    amount: Money
    order_id: str
    referred_to: Role | None = None
    why: str = ""
    new: bool = True


def approve_refund(unit: Unit, services: Services, key: str, actor: str) -> Outcome:
    """Let a planned refund leave, or hand it to a role that may.

    `key` may be the beginning of the key, where it is unique.

    Raises:
        RemedyError: there is no such refund, or it does not wait for approval.
        AuthorityError: the actor may approve nothing.
    """
    row = find_remedy(unit, key, RemedyKind.REFUND)
    amount = Money(amount=row.amount, currency=row.currency).rounded()
    pack = pack_of(services, get_ticket(unit.conn, row.ticket))
    role, why = referral(unit.conn, services.roster, pack, row.channel, row.order_id, amount, actor)
    outcome = Outcome(key=row.key, amount=amount, order_id=row.order_id, referred_to=role, why=why)
    if role is not None and row.state == RemedyState.PLANNED:
        refer(unit, row, role, why, actor)
        return outcome
    approve(unit, services.jobs, row.key, actor, RemedyKind.REFUND)
    return outcome


def issue_refund(
    unit: Unit, services: Services, number: int, amount: Money | None, *, reason: str, actor: str
) -> Outcome:
    """Plan a refund by hand on a ticket's order; above the actor's limit it waits for a role that may.

    The same amount on the same ticket is planned once until it has ended, however often it is asked for.

    Args:
        unit: the transaction.
        services: packs, channels, jobs, people.
        number: the ticket.
        amount: None for all that is left of the order.
        reason: why, for the history.
        actor: who pays.

    Raises:
        TicketError: there is no such ticket, it has no order, or the amount cannot be paid on it.
        AuthorityError: the actor may pay nothing.
    """
    ticket = get_ticket(unit.conn, number)
    if ticket.state in {TicketState.MERGED, TicketState.SPAM}:
        raise TicketError(f"ticket {number} is {ticket.state}: nothing is paid on it")
    if not reason.strip():
        raise TicketError("a refund needs a reason, for the history")
    if ticket.orders_id is None:
        raise TicketError(f"ticket {number} has no order yet, so there is nothing to refund")
    order = unit.conn.execute(sa.select(tables.orders).where(tables.orders.c.id == ticket.orders_id)).one()
    amount = amount or _left(order)
    if amount.currency != order.currency or amount.amount <= 0:
        raise TicketError(f"{amount} cannot be refunded on an order in {order.currency}; name an amount above nothing")
    identity = ("refund", order.channel, order.external_id, number, "by hand", amount)
    refund = RefundRequest(
        key=remedy_key(*identity, _ended(unit.conn, number, amount)),
        order_id=order.external_id,
        amount=amount,
        planned_at=unit.now,
        lines=named_lines(unit.conn, number, order),
        reason=ticket.reason,
        note=f"by {actor}: {reason}",
    )
    objection = ceiling_objection(unit.conn, order.channel, refund)
    if objection:
        raise TicketError(f"{amount} is too much: {objection}")
    pack = pack_of(services, ticket)
    role, why = referral(unit.conn, services.roster, pack, order.channel, order.external_id, amount, actor)
    new = plan_refund(
        unit,
        services.jobs,
        ticket=number,
        channel=order.channel,
        refund=refund,
        why=f"{actor}: {reason}" if role is None else f"{actor}: {reason}; for a {role}, because {why}",
        approved_by=actor if role is None else None,
    )
    if new and role is not None:
        _record(unit, order.channel, number, refund.key, role, why, actor)
    return Outcome(key=refund.key, amount=amount, order_id=order.external_id, referred_to=role, why=why, new=new)


def referral(
    conn: sa.Connection, roster: Roster, pack: Pack, channel: str, order_id: str, amount: Money, actor: str
) -> tuple[Role | None, str]:
    """Say which role has to approve a refund in the actor's place, and why; None where the actor may.

    Raises:
        AuthorityError: the actor is no agent of this desk, or may only look.
    """
    own = roster.role_of(actor)
    if own is None or own is Role.READ_ONLY:
        payers = ", ".join(agent.id for agent in roster.agents if agent.role in _PAYERS)
        raise AuthorityError(f"{actor} may pay nothing at this desk; ask one of: {payers or 'nobody yet'}")
    if not roster.agents:
        return None, ""
    before = Money(amount=_approved(conn, channel, order_id, amount.currency), currency=amount.currency)
    together = (amount + before).rounded()
    objection = over_limit(pack, own, together)
    if objection is None:
        return None, ""
    if before.amount:
        objection = f"with what was approved on this order before, {objection}"
    higher = (role for role in _PAYERS[_PAYERS.index(own) + 1 :] if over_limit(pack, role, together) is None)
    return next(higher, Role.ADMIN), objection


def over_limit(pack: Pack, role: Role, amount: Money) -> str | None:
    """Say why an amount is above a role's limit; None where it is not."""
    limit = pack.authority.get(role)
    if limit is None:
        return None if role is Role.ADMIN else f"pack {pack.id} lets {role} approve nothing"
    value, bound = pack.content.converted(amount, pack.currency), pack.content.converted(limit, pack.currency)
    if value is None or bound is None:
        return None if role is Role.ADMIN else f"there is no rate to compare {amount} with the limit of {limit}"
    return None if value <= bound else f"{amount} is above the {limit} that {role} may approve"


def refer(unit: Unit, row: Any, role: Role, why: str, actor: str) -> None:
    """Leave a planned refund waiting, for a role that may approve it."""
    close_tasks(unit, row.key, actor)
    open_task(unit, row.ticket, "approve_refund", f"for a {role}, because {why}", remedy=row.key)
    _record(unit, row.channel, row.ticket, row.key, role, why, actor)


def _record(unit: Unit, channel: str, ticket: int, key: str, role: Role, why: str, actor: str) -> None:
    unit.record("refund_referred", channel, ticket, actor=actor, key=key, to=role, why=why)


def _approved(conn: sa.Connection, channel: str, order_id: str, currency: str) -> Decimal:
    """What people have approved on an order, whatever became of it later but a refusal."""
    table = tables.remedy
    theirs = (table.c.kind == RemedyKind.REFUND, table.c.channel == channel, table.c.order_id == order_id)
    by_people = (table.c.approved_by.is_not(None), table.c.approved_by != AUTOMATION, table.c.currency == currency)
    paid = table.c.state.not_in([RemedyState.REFUSED, RemedyState.CANCELLED])
    return sum(conn.scalars(sa.select(table.c.amount).where(*theirs, *by_people, paid)), Decimal(0))


def _ended(conn: sa.Connection, ticket: int, amount: Money) -> int:
    """Count the refunds of the same amount that have ended on a ticket: the next one is another refund."""
    table = tables.remedy
    same = (table.c.ticket == ticket, table.c.kind == RemedyKind.REFUND, table.c.amount == amount.amount)
    return conn.scalar(sa.select(sa.func.count()).where(*same, table.c.state.in_(FINAL))) or 0


def _left(order: Any) -> Money:
    left = order.refundable if order.refundable is not None else order.total - (order.refunded or Decimal(0))
    return Money(amount=left, currency=order.currency).rounded()
