"""What an agent does by hand: answer, close, decide a case."""

from __future__ import annotations

import sqlalchemy as sa

from aftersail.core.clocks import Metric
from aftersail.core.contract import CaseAction
from aftersail.core.desk.answers import compose, route
from aftersail.core.desk.clockwork import cancel_clocks, meet_clocks
from aftersail.core.desk.judge import decide_case
from aftersail.core.desk.moves import move_ticket
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import TicketError, TicketState, get_ticket, set_state
from aftersail.core.desk.views import targets_in_force
from aftersail.core.remedies.plan import plan_reply
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


def answer(unit: Unit, services: Services, number: int, text: str, *, key: str, actor: str) -> str:
    """Plan an agent's answer and return the channel it leaves through.

    Raises:
        TicketError: there is no such ticket, only a person can answer it on the platform's page, or the text is too
            long for the channel.
    """
    ticket = get_ticket(unit.conn, number)
    channel, address = route(services, ticket)
    if channel is None:
        raise TicketError(
            f"ticket {number} cannot be answered from here: {ticket.channel} has no way to send and no mailbox; "
            f"add `mailbox: <e-mail channel>` under channels.{ticket.channel}"
        )
    most = channel.capabilities.reply.max_chars
    if most is not None and len(text) > most:
        raise TicketError(f"the answer has {len(text)} characters, {channel.title} takes {most} at most")
    reply = compose(unit.conn, ticket, key=key, to=address, subject=ticket.subject, text=text, language=ticket.language)
    plan_reply(
        unit,
        services.jobs,
        ticket=number,
        channel=channel.id,
        reply=reply,
        why=f"written by {actor}",
        approved_by=actor,
    )
    return channel.id


def close_ticket(unit: Unit, number: int, actor: str) -> bool:
    """Close a ticket; False where it was closed before.

    Raises:
        TicketError: there is no such ticket, or it cannot be closed as it stands.
    """
    if not set_state(unit, number, TicketState.CLOSED, actor):
        return False
    meet_clocks(unit, number, [Metric.RESOLUTION], unit.now)
    cancel_clocks(unit, number)
    return True


def put_ticket(unit: Unit, services: Services, number: int, state: TicketState, actor: str) -> bool:
    """Put a ticket into another state, with what that means for its clocks; False where it stands there already.

    What waits for the buyer or a carrier pauses as the pack says. `resolved` stops the clock of the solution as met,
    and a new message opens the ticket again. `spam` stops every clock without calling it met, and nothing that comes
    in later wakes it.

    Raises:
        TicketError: there is no such ticket, no way leads there from where it stands, or it needs `ticket merge`.
    """
    ticket = get_ticket(unit.conn, number)
    if state is TicketState.MERGED:
        raise TicketError("a ticket is merged into another one: `aftersail ticket merge` names both")
    if state is TicketState.CLOSED:
        return close_ticket(unit, number, actor)
    if state in {TicketState.RESOLVED, TicketState.SPAM}:
        if not set_state(unit, number, state, actor):
            return False
        if state is TicketState.RESOLVED:
            meet_clocks(unit, number, [Metric.RESOLUTION], unit.now)
        cancel_clocks(unit, number)
        return True
    pack, targets = clock_pack(services, ticket, unit.now), targets_in_force(unit.conn, number)
    return move_ticket(unit, number, state, actor, at=unit.now, targets=targets, pack=pack)


def finish_task(unit: Unit, number: int, task: int, actor: str) -> str:
    """Write down that a person has done a task, and return what kind it was.

    Raises:
        TicketError: there is no such open task on the ticket, or it ends with the refund, answer or appeal it is about.
    """
    ticket, table = get_ticket(unit.conn, number), tables.task
    rows = sa.select(table).where(table.c.ticket == number, table.c.closed_at.is_(None)).order_by(table.c.id)
    waiting = {row.id: row for row in unit.conn.execute(rows)}
    if task not in waiting:
        known = ", ".join(f"{row.id} ({row.kind})" for row in waiting.values()) or "none"
        raise TicketError(f"ticket {number} has no open task {task}; open are: {known}")
    row = waiting[task]
    if row.remedy is not None or row.kind == "decide_appeal":
        raise TicketError(f"task {task} ends by itself, once what it asks for is decided: {row.why}")
    unit.conn.execute(sa.update(table).where(table.c.id == task).values(closed_at=unit.now, closed_by=actor))
    unit.record("task_done", ticket.channel, number, actor=actor, task=row.kind, why=row.why)
    return str(row.kind)


def decide_open_case(
    unit: Unit, services: Services, number: int, action: CaseAction, *, actor: str, reason: str | None, note: str
) -> bool:
    """Plan an agent's decision on the ticket's open case; False where the same was planned before.

    Raises:
        TicketError: there is no open case, or the platform does not offer this action on it.
    """
    ticket = get_ticket(unit.conn, number)
    table = tables.cases
    case = unit.conn.execute(sa.select(table).where(table.c.ticket == number, table.c.open).limit(1)).first()
    if case is None:
        raise TicketError(f"ticket {number} has no open case to decide")
    if case.available_actions and action not in case.available_actions:
        offered = ", ".join(case.available_actions)
        raise TicketError(f"the platform does not offer {action!s} on this case; it offers: {offered}")
    return decide_case(unit, services, ticket, case, action, actor=actor, reason=reason, note=note)
