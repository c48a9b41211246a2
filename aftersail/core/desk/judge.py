"""Judging a ticket: facts, decision, clocks and planned remedies, in one transaction."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
import structlog

from aftersail.core.contract import CaseAction, CaseDecision, Money, RefundLine, RefundRequest
from aftersail.core.desk.answers import compose, route
from aftersail.core.desk.assignment import ensure_owner
from aftersail.core.desk.clockwork import start_clocks
from aftersail.core.desk.effects import plan_effects, question
from aftersail.core.desk.facts import gather
from aftersail.core.desk.grants import grant_service
from aftersail.core.desk.handover import hand_over
from aftersail.core.desk.refund_clocks import keep_refund_clocks
from aftersail.core.desk.services import Services, clock_pack, pack_of
from aftersail.core.desk.templates import TemplateError, render
from aftersail.core.desk.tickets import get_ticket, update_ticket
from aftersail.core.policy import (
    AskPerson,
    Decision,
    Flag,
    Pack,
    PlannedRefund,
    PlannedReply,
    Tag,
    decide,
    plain_facts,
)
from aftersail.core.remedies.plan import AUTOMATION, plan_case_decision, plan_refund, plan_reply, remedy_key
from aftersail.core.remedies.states import RemedyState
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit
from aftersail.core.telemetry import span

_log = structlog.get_logger(__name__)

ACKNOWLEDGEMENT: Final = "acknowledge"
"""The template of a mere receipt, which stops no clock."""

_DECIDE: Final = "decide"


def judge(unit: Unit, services: Services, ticket_id: int, *, first: bool, act: bool = True) -> Decision:
    """Decide on a ticket as it stands now, start its clocks and plan what follows.

    Args:
        unit: the transaction.
        services: packs, channels, jobs.
        ticket_id: the ticket.
        first: whether its clocks are to start; else it was judged before.
        act: False where the seller has dealt with it already: then nothing is planned.
    """
    ticket = get_ticket(unit.conn, ticket_id)
    with span("judge", channel=ticket.channel, ticket=ticket_id):
        return _judge(unit, services, ticket, first=first, act=act)


def _judge(unit: Unit, services: Services, ticket: Any, *, first: bool, act: bool) -> Decision:
    ticket_id = ticket.id
    pack = pack_of(services, ticket)
    facts = gather(unit.conn, ticket, services, unit.now)
    decision = decide(pack, facts, unit.now)
    pinned = f"{ticket.pack_id}@{ticket.pack_version}"
    if ticket.pack_version is not None and pinned != f"{pack.id}@{pack.version}":
        unit.record("pack_gone", ticket.channel, ticket_id, pinned=pinned, judged_by=f"{pack.id}@{pack.version}")
    row = {
        "ticket": ticket_id,
        "at": unit.now,
        "pack_id": decision.pack_id,
        "pack_version": decision.pack_version,
        "summary": decision.summary,
        "facts": plain_facts(facts),
        "body": decision.model_dump(mode="json"),
    }
    unit.conn.execute(sa.insert(tables.decision), row)
    update_ticket(unit, ticket_id, tier=decision.tier, pack_id=decision.pack_id, pack_version=decision.pack_version)
    hours = clock_pack(services, ticket, unit.now)
    if first:
        start_clocks(unit, ticket_id, decision.targets, hours, ticket.filed_at)
    keep_refund_clocks(unit, ticket_id, decision.targets, hours)
    by = {"pack": f"{decision.pack_id}@{decision.pack_version}", "before": ticket.tier}
    unit.record("decided", ticket.channel, ticket_id, why=decision.summary, tier=decision.tier, **by)
    _log.debug("judged", channel=ticket.channel, ticket=ticket_id, pack=decision.pack_id, version=decision.pack_version)
    if act:
        hand_over(unit, services, ticket, pack, hours, decision.actions)
    ensure_owner(unit, services, get_ticket(unit.conn, ticket_id), pack, facts)
    if act:
        _plan(unit, services, get_ticket(unit.conn, ticket_id), pack, decision)
    return decision


def _plan(unit: Unit, services: Services, ticket: Any, pack: Pack, decision: Decision) -> None:
    """Plan the decision's actions. An answer that belongs to a refund leaves once the refund is settled."""
    refunds = {action.rule: action for action in decision.actions if isinstance(action, PlannedRefund)}
    asked = [question(action) for action in decision.actions if isinstance(action, AskPerson) and not action.proposed]
    close_answered(unit, ticket.id, _DECIDE, asked)
    keys = {rule: _plan_refund(unit, services, ticket, action, None) for rule, action in refunds.items()}
    for action in decision.actions:
        if isinstance(action, PlannedReply):
            money = refunds.get(action.rule)
            _plan_reply(unit, services, ticket, pack, action, money, keys.get(action.rule))
        elif isinstance(action, AskPerson) and action.proposed is not None:
            key = _plan_refund(unit, services, ticket, action.proposed, action.why)
            for reply in _replies_of(pack, action.proposed.rule):
                _plan_reply(unit, services, ticket, pack, reply, action.proposed, key)
        elif isinstance(action, AskPerson):
            open_task(unit, ticket.id, _DECIDE, question(action), link=_link(unit, ticket))
        elif isinstance(action, Flag | Tag):
            unit.record("flagged", ticket.channel, ticket.id, rule=action.rule, flag=action.name)
    grant_service(unit, ticket, decision.actions, _link(unit, ticket))
    plan_effects(unit, ticket, decision.actions, _link(unit, ticket))


def _replies_of(pack: Pack, rule_id: str) -> tuple[PlannedReply, ...]:
    """The answers a rule sends with its refund, for a refund that a person approves first."""
    rows = (rule.row for rule in pack.rules if rule.row.id == rule_id)
    templates = (action.reply.template for row in rows for action in row.then if action.reply is not None)
    return tuple(PlannedReply(rule=rule_id, template=template) for template in templates)


def _link(unit: Unit, ticket: Any) -> str | None:
    """The platform's page where a person can act, the case's before the order's."""
    case = sa.select(tables.cases.c.link).where(tables.cases.c.ticket == ticket.id, tables.cases.c.open)
    link = unit.conn.scalar(case.limit(1))
    if link is None and ticket.orders_id is not None:
        link = unit.conn.scalar(sa.select(tables.orders.c.link).where(tables.orders.c.id == ticket.orders_id))
    return str(link) if link else None


def _plan_refund(unit: Unit, services: Services, ticket: Any, action: PlannedRefund, ask: str | None) -> str:
    """Plan the refund and return its key; with a question to a person it waits for approval."""
    order = unit.conn.execute(sa.select(tables.orders).where(tables.orders.c.id == ticket.orders_id)).one()
    keys = [
        remedy_key("refund", order.channel, order.external_id, each.id, action.rule) for each in _joined(unit, ticket)
    ]
    planned = _planned(unit, keys[1:])
    if planned is not None:
        return planned
    refund = RefundRequest(
        key=keys[0],
        order_id=order.external_id,
        amount=action.amount,
        planned_at=unit.now,
        lines=named_lines(unit.conn, ticket.id, order),
        reason=ticket.reason,
        note=f"{action.rule}: {action.why}",
    )
    plan_refund(
        unit,
        services.jobs,
        ticket=ticket.id,
        channel=order.channel,
        refund=refund,
        why=ask or action.why,
        rule=action.rule,
        approved_by=None if ask else AUTOMATION,
    )
    return refund.key


def _joined(unit: Unit, ticket: Any) -> list[Any]:
    """The ticket, and those that were merged into it: what one of them has planned is planned."""
    table = tables.ticket
    merged = sa.select(table.c.id, table.c.token).where(table.c.merged_into == ticket.id).order_by(table.c.id)
    return [ticket, *unit.conn.execute(merged)]


def _planned(unit: Unit, keys: list[str]) -> str | None:
    """The key among these of a remedy that was not taken back."""
    table = tables.remedy
    known = sa.select(table.c.key).where(table.c.key.in_(keys), table.c.state != RemedyState.CANCELLED)
    return unit.conn.scalar(known.limit(1)) if keys else None


def named_lines(conn: sa.Connection, ticket: int, order: Any) -> tuple[RefundLine, ...]:
    """The order lines a case names, without quantities to give back: the goods stay with the buyer."""
    named = conn.scalar(sa.select(tables.cases.c.line_ids).where(tables.cases.c.ticket == ticket, tables.cases.c.open))
    known = {line["external_id"] for line in order.lines}
    return tuple(RefundLine(line_id=line_id, quantity=0) for line_id in named or () if line_id in known)


def _plan_reply(
    unit: Unit,
    services: Services,
    ticket: Any,
    pack: Pack,
    action: PlannedReply,
    refund: PlannedRefund | None,
    after: str | None,
) -> None:
    channel, address = route(services, ticket)
    if channel is None:
        why = (
            f"send the template {action.template!r} on the platform's own page: it has no way to answer through its API"
        )
        open_task(unit, ticket.id, "reply_by_hand", why, link=_link(unit, ticket))
        return
    variables = _variables(unit, services, ticket, refund.amount if refund else None)
    try:
        rendered = render(pack, action.template, ticket.language, variables)
    except TemplateError as error:
        open_task(
            unit, ticket.id, "reply_by_hand", f"the answer could not be written: {error}", link=_link(unit, ticket)
        )
        return
    # The key stands in the mail's Message-ID, and whoever names that joins the ticket: so it must not be guessable.
    keys = [remedy_key("reply", each.token, action.rule, action.template) for each in _joined(unit, ticket)]
    if _planned(unit, keys[1:]) is not None:
        return
    reply = compose(
        unit.conn,
        ticket,
        key=keys[0],
        to=address,
        subject=rendered.subject,
        text=rendered.text,
        language=rendered.language,
    )
    plan_reply(
        unit,
        services.jobs,
        ticket=ticket.id,
        channel=channel.id,
        reply=reply,
        why=f"rule {action.rule}",
        rule=action.rule,
        after=after,
        stops_clocks=action.template != ACKNOWLEDGEMENT,
    )


def _variables(unit: Unit, services: Services, ticket: Any, amount: Money | None) -> dict[str, object]:
    """What a template may speak of; a value that is not known is left out, and a template that needs it is refused."""
    found: dict[str, object] = {
        "buyer_name": ticket.buyer_name or "",
        "shop_name": services.channels[ticket.channel].signature,
    }
    if amount is not None:
        found["refund_amount"] = amount
    if ticket.orders_id is not None:
        order = unit.conn.execute(sa.select(tables.orders.c.number).where(tables.orders.c.id == ticket.orders_id)).one()
        found["order_number"] = order.number
        table = tables.shipment
        newest = (
            sa.select(table.c.tracking_number).where(table.c.orders_id == ticket.orders_id).order_by(table.c.id.desc())
        )
        tracking_number = unit.conn.scalar(newest.limit(1))
        if tracking_number:
            found["tracking_number"] = tracking_number
    return found


def decide_case(
    unit: Unit,
    services: Services,
    ticket: Any,
    case: Any,
    action: CaseAction,
    *,
    actor: str,
    reason: str | None,
    note: str,
) -> bool:
    """Plan a person's answer to a case; False where the same answer was planned before."""
    key = remedy_key("case", case.channel, case.external_id, action)
    decision = CaseDecision(key=key, case_id=case.external_id, action=action, reason=reason, note=note)
    why = f"{actor} decided: {action}"
    return plan_case_decision(
        unit, services.jobs, ticket=ticket.id, channel=case.channel, decision=decision, why=why, approved_by=actor
    )
