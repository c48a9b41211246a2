"""More time for a promise: only with a reason, a report to the marketplace or the manager, and word to the buyer.

The due instant moves once the platform has taken the buyer's notice, and not before: a notice that never arrives gives
nobody more time. What a law demands, and a deadline that the platform itself keeps, cannot be moved from here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Clock, ClockState, Metric, SourceKind, recompute
from aftersail.core.clocks.targets import DAY_BASES
from aftersail.core.contract import ExtensionReported
from aftersail.core.desk.answers import compose, route
from aftersail.core.desk.clock_rows import clocks_of, refresh_due, update
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import TicketError, get_ticket
from aftersail.core.remedies.plan import plan_reply
from aftersail.core.remedies.states import FINAL, RemedyState
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

ASKED: Final = "asked"
EXTENDED: Final = "extended"
VOID: Final = "void"

_DAY: Final = timedelta(days=1)
_REPORT: Final = "extension_report"


def extend(
    unit: Unit,
    services: Services,
    number: int,
    *,
    more: timedelta,
    reason: str,
    report: str,
    tell: str,
    key: str,
    actor: str,
    metric: Metric = Metric.RESOLUTION,
    by_hand: bool = False,
) -> bool:
    """Ask for more time; tell whether the due instants have moved already, or wait for the buyer's notice to leave.

    Args:
        unit: the transaction.
        services: packs, channels, jobs.
        number: the ticket.
        more: how much longer, in the measure of the clock: open time on business time, whole days where it counts days.
        reason: why, for the history.
        report: what the marketplace or the manager is told.
        tell: what the buyer is told; sent as an answer that stops no clock.
        key: of that answer, fixed by the caller.
        actor: who asks.
        metric: which promise.
        by_hand: the buyer was told already, on the platform's own page.

    Raises:
        TicketError: something is missing, and what; or no clock of this kind can be moved, and why.
    """
    ticket = get_ticket(unit.conn, number)
    said = {"a reason": reason, "a report to the marketplace or the manager": report, "a notice to the buyer": tell}
    missing = [what for what, text in said.items() if not text.strip()]
    if missing:
        raise TicketError(f"the due time of ticket {number} stays: {' and '.join(missing)} is missing")
    if more <= timedelta():
        raise TicketError(f"{more} is no extension; give it some time")
    clocks = _movable(unit, number, metric, more)
    notice = None if by_hand else _notify(unit, services, ticket, tell.strip(), key, actor)
    manager = services.roster.recipients(ticket.owner)[-1]
    unit.record("extension_reported", ticket.channel, number, actor=actor, to=manager, report=report, reason=reason)
    open_task(unit, number, _REPORT, _told(manager, actor, clocks[0][1], more, reason, report))
    said_to = {"recipients": (manager,), "metric": metric, "reason": reason, "report": report}
    reported = ExtensionReported(at=unit.now, channel=ticket.channel, ticket=number, **said_to)
    unit.tell("aftersail_extension_reported", reported)
    for row_id, _ in clocks:
        row = {
            "ticket": number,
            "clock": row_id,
            "seconds": int(more.total_seconds()),
            "reason": reason,
            "report": report,
            "told": tell,
            "notice": notice,
            "state": ASKED,
            "asked_by": actor,
            "asked_at": unit.now,
        }
        unit.conn.execute(sa.insert(tables.extension).values(**row))
    if by_hand:
        for row in _asked(unit, tables.extension.c.ticket == number, tables.extension.c.notice.is_(None)):
            _apply(unit, services, row)
    return by_hand


def notice_settled(unit: Unit, services: Services, remedy: Any) -> None:
    """Move what waited for a notice that was settled in this transaction."""
    for row in _asked(unit, tables.extension.c.notice == remedy.key):
        _apply(unit, services, row)


def _told(manager: str, actor: str, clock: Clock, more: timedelta, reason: str, report: str) -> str:
    due = f"due {clock.due_at:%Y-%m-%d %H:%M} UTC"
    metric = clock.metric.replace("_", " ")
    return f"For {manager}: {actor} asks for {more} more for the {metric}, {due}. Reason: {reason} Report: {report}"


def _asked(unit: Unit, *where: sa.ColumnElement[bool]) -> list[Any]:
    table = tables.extension
    wanted = sa.select(table).where(table.c.state == ASKED, *where).order_by(table.c.id)
    return list(unit.conn.execute(wanted).all())


def _movable(unit: Unit, number: int, metric: Metric, more: timedelta) -> list[tuple[int, Clock]]:
    running = clocks_of(unit, number, metrics=[metric])
    if not running:
        raise TicketError(f"ticket {number} has no clock of {metric} that still runs")
    clocks = [each for each in running if each[1].duration is not None and each[1].source.kind is not SourceKind.LAW]
    if not clocks:
        whose = ", ".join(clock.source.label for _, clock in running)
        raise TicketError(f"the {metric} of ticket {number} is not ours to move ({whose})")
    for row_id, clock in clocks:
        if _ran_out(unit, clock):
            raise TicketError(f"the {metric} of ticket {number} ran out at {clock.due_at:%Y-%m-%d %H:%M} UTC already")
        if clock.basis in DAY_BASES and more % _DAY:
            raise TicketError(f"the {metric} of ticket {number} counts {clock.basis}; extend it by whole days")
        _refuse_twice(unit, number, row_id)
    return clocks


def _ran_out(unit: Unit, clock: Clock) -> bool:
    return clock.breached_at is not None or (clock.state is ClockState.RUNNING and unit.now > clock.due_at)


def _refuse_twice(unit: Unit, number: int, clock: int) -> None:
    """One extension at a time; one whose notice has ended without reaching the buyer makes way."""
    for row in _asked(unit, tables.extension.c.clock == clock):
        remedy = tables.remedy
        state = unit.conn.scalar(sa.select(remedy.c.state).where(remedy.c.key == row.notice))
        if state not in FINAL or state == RemedyState.SETTLED:
            raise TicketError(f"ticket {number} waits for an extension already: its notice {row.notice[:8]} is {state}")
        _end(unit, row.id, VOID)


def _notify(unit: Unit, services: Services, ticket: Any, text: str, key: str, actor: str) -> str:
    channel, address = route(services, ticket)
    if channel is None:
        raise TicketError(
            f"the buyer of ticket {ticket.id} cannot be told from here; tell them on the platform's own page, "
            "then say so with --told-by-hand"
        )
    reply = compose(unit.conn, ticket, key=key, to=address, subject=ticket.subject, text=text, language=ticket.language)
    planned = {"ticket": ticket.id, "channel": channel.id, "why": f"notice of an extension, by {actor}"}
    plan_reply(unit, services.jobs, reply=reply, approved_by=actor, stops_clocks=False, **planned)
    return key


def _apply(unit: Unit, services: Services, row: Any) -> None:
    ticket = get_ticket(unit.conn, row.ticket)
    body = unit.conn.execute(sa.select(tables.clock.c.body).where(tables.clock.c.id == row.clock)).scalar_one()
    clock = Clock.model_validate(body)
    over = clock.state not in {ClockState.RUNNING, ClockState.PAUSED}
    if over or _ran_out(unit, clock) or clock.duration is None:
        _end(unit, row.id, VOID)
        why = f"its clock is {clock.state}" if over else "it ran out before the buyer was told"
        unit.record("extension_void", ticket.channel, ticket.id, metric=clock.metric, why=why)
        return
    pack = clock_pack(services, ticket, unit.now)
    longer = clock.model_copy(update={"duration": clock.duration + timedelta(seconds=row.seconds)})
    moved = recompute(longer, pack.calendar(clock.calendar), unit.now)
    update(unit, row.clock, moved)
    _end(unit, row.id, EXTENDED)
    unit.record(
        "clock_extended",
        ticket.channel,
        ticket.id,
        actor=row.asked_by,
        metric=clock.metric,
        source=clock.source.label,
        before=clock.due_at.isoformat(),
        after=moved.due_at.isoformat(),
        reason=row.reason,
        report=row.report,
        notice=row.notice or row.told,
    )
    refresh_due(unit, ticket.id)


def _end(unit: Unit, row_id: int, state: str) -> None:
    table = tables.extension
    unit.conn.execute(sa.update(table).where(table.c.id == row_id).values(state=state, ended_at=unit.now))
