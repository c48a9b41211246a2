"""Service that a rule grants a buyer: once, and prolonged by a person, since no platform's API keeps subscriptions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Metric, effective
from aftersail.core.desk.clock_rows import clocks_of
from aftersail.core.desk.tickets import with_merged
from aftersail.core.policy import ExtendService, PlannedAction
from aftersail.core.remedies.tasks import close_answered, open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_TASK: Final = "extend_service"
_GRANTED: Final = "service_granted"
_WITHDRAWN: Final = "service_grant_withdrawn"


def grant_service(unit: Unit, ticket: Any, actions: Iterable[PlannedAction], link: str | None) -> None:
    """Grant what a decision prolongs, once per rule and length, and ask a person to do it, saying how and by when.

    A grant that a newer decision does not want any more is withdrawn, as long as nobody has carried it out; one that is
    wanted again is the same.
    """
    granted = _granted(unit.conn, ticket.id)
    wanted: dict[tuple[str, int], str] = {}
    for action in actions:
        if isinstance(action, ExtendService):
            key = (action.rule, int(action.duration.total_seconds()))
            wanted[key] = granted[key] if key in granted else _grant(unit, ticket, action)
    still = list(wanted.values())
    for key, task in granted.items():
        if key not in wanted and _is_open(unit.conn, ticket.id, task):
            unit.record(_WITHDRAWN, ticket.channel, ticket.id, rule=key[0], seconds=key[1])
    close_answered(unit, ticket.id, _TASK, still)
    for task in still:
        open_task(unit, ticket.id, _TASK, task, link=link)


def _granted(conn: sa.Connection, ticket: int) -> dict[tuple[str, int], str]:
    """What was granted before, by rule and length, with the task that asks for it."""
    table = tables.event
    rows = sa.select(table.c.data).where(table.c.ticket.in_(with_merged(ticket)), table.c.kind == _GRANTED)
    return {(data["rule"], data["seconds"]): data["task"] for data in conn.scalars(rows.order_by(table.c.id))}


def _is_open(conn: sa.Connection, ticket: int, why: str) -> bool:
    table = tables.task
    open_one = sa.select(table.c.id).where(
        table.c.ticket == ticket, table.c.kind == _TASK, table.c.why == why, table.c.closed_at.is_(None)
    )
    return conn.scalar(open_one) is not None


def _grant(unit: Unit, ticket: Any, action: ExtendService) -> str:
    by_when = _by_when(unit, ticket)
    buyer = ticket.buyer_name or ticket.buyer_email or ticket.buyer_key or "the buyer"
    task = (
        f"{action.brief[:1].upper()}{action.brief[1:]} for {buyer}, from where it ends now: {_what(unit, ticket)}. "
        f"Do it where the service is kept, tell the buyer the new end, {by_when}; rule {action.rule} grants it. "
        f"Then: aftersail ticket done {ticket.id}"
    )
    seconds = int(action.duration.total_seconds())
    unit.record(_GRANTED, ticket.channel, ticket.id, rule=action.rule, seconds=seconds, why=action.sentence, task=task)
    return task


def _by_when(unit: Unit, ticket: Any) -> str:
    """The promise for the solution, else whatever the ticket promises first."""
    solution = effective([clock for _, clock in clocks_of(unit, ticket.id, metrics=[Metric.RESOLUTION])])
    first = solution or effective([clock for _, clock in clocks_of(unit, ticket.id)])
    if first is None:
        return "today, since no clock of this ticket runs"
    return f"by {first.due_at:%Y-%m-%d %H:%M} UTC ({first.metric.replace('_', ' ')}, {first.source.label})"


def _what(unit: Unit, ticket: Any) -> str:
    """The order and its lines: those a case names, else all."""
    if ticket.orders_id is None:
        return "no order is known, look the buyer up"
    table = tables.orders
    order = unit.conn.execute(sa.select(table.c.number, table.c.lines).where(table.c.id == ticket.orders_id)).one()
    cases = sa.select(tables.cases.c.line_ids).where(tables.cases.c.ticket == ticket.id, tables.cases.c.open)
    named = set(unit.conn.scalar(cases) or ())
    lines = [line for line in order.lines if line["external_id"] in named] or order.lines
    titles = ", ".join(f"{line['quantity']} x {line['title']}" for line in lines)
    return f"order {order.number}, {titles}" if titles else f"order {order.number}"
