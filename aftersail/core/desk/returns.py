"""Returns: opened in one act (RMA, the platform's approval, a label or a task), and what is seen of them later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import CaseAction, CaseKind, LabelRequest, Record
from aftersail.core.desk.agent import put_ticket
from aftersail.core.desk.judge import decide_case, judge
from aftersail.core.desk.returned import ReturnNews, returns_of, write_down
from aftersail.core.desk.services import Services
from aftersail.core.desk.tickets import OVER, SETTLED, TicketError, TicketState, get_ticket
from aftersail.core.policy import Decision
from aftersail.core.remedies.plan import plan_label, remedy_key
from aftersail.core.remedies.returns import open_rma, update_rma
from aftersail.core.remedies.states import RemedyKind, RemedyState
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_UNDONE = frozenset({RemedyState.REFUSED, RemedyState.CANCELLED})


class OpenedReturn(Record):
    """What opening a return came to.

    Attributes:
        number: the RMA number.
        new: False where the same return was opened before.
        lines: what comes back, by external id.
        approval: key of the remedy that approves the platform's own return; None where there is none to approve.
        label: key of the remedy that buys the label; None where none was asked for or no API can.
        by_hand: whether a person was asked to make the label.
    """

    number: str
    new: bool
    lines: tuple[str, ...]
    approval: str | None
    label: str | None
    by_hand: bool


def open_return(
    unit: Unit, services: Services, number: int, *, lines: Sequence[str] = (), label: bool = False, actor: str
) -> OpenedReturn:
    """Open a return of a ticket's order; opened again with the same lines it is the same one, and nothing is doubled.

    Everything is planned in this one transaction; the outbox sends each part once.

    Args:
        unit: the transaction.
        services: channels and jobs.
        number: the ticket.
        lines: order lines by external id or SKU; without any, those the platform's return request names, else all.
        label: whether a label is to be bought; where the channel cannot, a person is asked to.
        actor: who opens it, and so approves what it costs.

    Raises:
        TicketError: there is no such ticket, it has no order or no such line, or its return request was declined.
        ReturnError: some of the lines come back under another number already.
    """
    ticket = get_ticket(unit.conn, number)
    order = _order(unit, ticket)
    case = _return_request(unit, ticket, order)
    chosen = _lines(order, lines, case)
    if case is not None:
        _not_declined(unit, number, case)
    rma, new = open_rma(
        unit,
        ticket=number,
        channel=order.channel,
        order_id=order.external_id,
        lines=chosen,
        case_id=case.external_id if case is not None else None,
        actor=actor,
    )
    approval = rma.approval or _approve(unit, services, ticket, case, rma, actor)
    bought, by_hand = rma.label, False
    if label and bought is None:
        bought = _buy(unit, services, ticket, rma, actor)
        by_hand = bought is None
        if by_hand:
            _ask(unit, services, order, case, rma, approved=approval is not None)
    return OpenedReturn(
        number=rma.number, new=new, lines=tuple(rma.lines), approval=approval, label=bought, by_hand=by_hand
    )


def note_return(
    unit: Unit,
    services: Services,
    number: int,
    news: ReturnNews,
    *,
    actor: str,
    at: datetime | None = None,
    rma: str | None = None,
) -> Decision:
    """Write down that goods are back, or proved to be on their way, and judge the ticket with that.

    A refund that was held for it is due from then on, and a promise counted from it begins.

    Args:
        unit: the transaction.
        services: packs, channels, jobs.
        number: the ticket.
        news: what was seen.
        actor: who saw it.
        at: when it was seen; None for now.
        rma: of which return; may be left out where the ticket has not more than one.

    Raises:
        TicketError: there is no such ticket or return, it is not said which one is meant, the instant is to come,
            or it was written down before.
    """
    ticket = get_ticket(unit.conn, number)
    numbers = returns_of(unit.conn, number)
    if (rma is None and len(numbers) > 1) or (rma is not None and rma not in numbers):
        raise TicketError(f"ticket {number} has the returns {', '.join(numbers) or 'none'}; name one of them")
    seen = at or unit.now
    if seen > unit.now:
        raise TicketError(f"{seen:%Y-%m-%d %H:%M} UTC is still to come; when was it?")
    write_down(unit, ticket, news, seen, rma or next(iter(numbers), None), actor)
    if news is ReturnNews.GOODS_BACK and ticket.state == TicketState.WAITING_CARRIER:
        put_ticket(unit, services, number, TicketState.OPEN, actor)
    return judge(unit, services, number, first=False, act=ticket.state not in OVER | SETTLED)


def _order(unit: Unit, ticket: Any) -> Any:
    """Read the ticket's order, and keep others from opening a return of it meanwhile."""
    if ticket.orders_id is None:
        raise TicketError(f"ticket {ticket.id} has no order, so nothing can come back; sync the channel's orders first")
    table = tables.orders
    return unit.conn.execute(sa.select(table).where(table.c.id == ticket.orders_id).with_for_update()).one()


def _return_request(unit: Unit, ticket: Any, order: Any) -> Any | None:
    table = tables.cases
    # A request that was approved may be closed by now; opened again, the return must find the same lines.
    ours = sa.select(tables.rma.c.case_id).where(tables.rma.c.ticket == ticket.id, tables.rma.c.case_id.is_not(None))
    wanted = sa.select(table).where(
        table.c.ticket == ticket.id,
        table.c.kind == CaseKind.RETURN_REQUEST,
        table.c.channel == order.channel,
        sa.or_(table.c.order_id == order.external_id, table.c.order_id.is_(None)),
        sa.or_(table.c.open, table.c.external_id.in_(ours)),
    )
    return unit.conn.execute(wanted.order_by(table.c.open.desc(), table.c.opened_at, table.c.id).limit(1)).first()


def _lines(order: Any, wanted: Sequence[str], case: Any | None) -> tuple[str, ...]:
    """Find the lines that come back."""
    known = {line["external_id"]: line for line in order.lines}
    if not known:
        raise TicketError(
            f"order {order.number} has no lines here, so nothing can come back; sync the channel's orders"
        )
    if not wanted:
        named = [line for line in (case.line_ids if case is not None else ()) if line in known]
        return tuple(dict.fromkeys(named)) or tuple(known)
    by_sku: dict[str, list[str]] = {}
    for line_id, line in known.items():
        by_sku.setdefault(line.get("sku") or "", []).append(line_id)
    found: dict[str, None] = {}
    for name in wanted:
        matches = [name] if name in known else by_sku.get(name, []) if name else []
        if len(matches) != 1:
            lines = ", ".join(f"{line_id} ({line['title']})" for line_id, line in known.items())
            what = "no line" if not matches else "more than one line"
            raise TicketError(f"order {order.number} has {what} {name!r}; its lines are: {lines}")
        found[matches[0]] = None
    return tuple(found)


def _not_declined(unit: Unit, ticket: int, case: Any) -> None:
    """What was declined is not approved on top of it."""
    table = tables.remedy
    planned = sa.select(table.c.body, table.c.state).where(
        table.c.ticket == ticket, table.c.kind == RemedyKind.CASE, table.c.state.not_in(sorted(_UNDONE))
    )
    for row in unit.conn.execute(planned):
        if row.body["case_id"] == case.external_id and row.body["action"] == CaseAction.DECLINE:
            raise TicketError(f"the return request {case.external_id} was declined ({row.state}); nothing comes back")


def _approve(unit: Unit, services: Services, ticket: Any, case: Any | None, rma: Any, actor: str) -> str | None:
    """Approve the platform's own return request, where it lets us; the same key as an approval by hand has."""
    info = services.channels.get(case.channel) if case is not None else None
    if case is None or info is None or not case.open or "decide_case" not in info.operations:
        return None
    if CaseAction.APPROVE not in (case.available_actions or info.capabilities.case_actions):
        return None
    decide_case(unit, services, ticket, case, CaseAction.APPROVE, actor=actor, reason=None, note="")
    key = remedy_key("case", case.channel, case.external_id, CaseAction.APPROVE)
    update_rma(unit, rma.key, approval=key)
    return key


def _buy(unit: Unit, services: Services, ticket: Any, rma: Any, actor: str) -> str | None:
    """Plan the label on the order's own channel, which alone knows both addresses."""
    info = services.channels.get(rma.channel)
    if info is None or "buy_label" not in info.operations:
        return None
    key = remedy_key("label", rma.key)
    request = LabelRequest(
        key=key, order_id=rma.order_id, case_id=rma.case_id, reference=rma.number, line_ids=tuple(rma.lines)
    )
    plan_label(
        unit,
        services.jobs,
        ticket=ticket.id,
        channel=rma.channel,
        label=request,
        why=f"{actor} opened {rma.number}",
        approved_by=actor,
    )
    update_rma(unit, rma.key, label=key)
    return key


def _ask(unit: Unit, services: Services, order: Any, case: Any | None, rma: Any, *, approved: bool) -> None:
    """Give the label to a person, with all that is needed to make it."""
    info = services.channels.get(order.channel)
    titles = {line["external_id"]: f"{line['quantity']} x {line['title']}" for line in order.lines}
    goods = ", ".join(titles[line] for line in rma.lines if line in titles)
    address = info.return_address if info else None
    to = address or f"your address (set channels.{order.channel}.return_address to have it here)"
    first = "look whether the platform gave a label with its approval; if not, make" if approved else "make"
    why = f"{first} a return label for {rma.number} and send it to the buyer: {goods}, to {to}"
    link = (case.link if case is not None else None) or order.link
    open_task(unit, rma.ticket, "label_by_hand", why, link=link)
