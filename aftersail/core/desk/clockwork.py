"""Clocks of tickets: started by what a buyer sends, stopped by answers and remedies, ticked when due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core import clocks
from aftersail.core.clocks import (
    Clock,
    ClockSignal,
    ClockState,
    Metric,
    Source,
    SourceKind,
    Target,
    cancel,
    from_deadline,
    meet,
    start,
    tick,
)
from aftersail.core.contract import ClockBreached, ClockWarned
from aftersail.core.desk.clock_rows import clocks_of, insert, refresh_due, update
from aftersail.core.desk.roster import NOBODY, Roster
from aftersail.core.desk.tickets import TicketState, get_ticket
from aftersail.core.desk.turns import Turns
from aftersail.core.policy import Pack
from aftersail.core.policy.replay import with_next_response
from aftersail.core.remedies.tasks import open_task
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

RESPONSES: Final = frozenset({Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.PLATFORM_DEADLINE})
"""What an answer to the buyer stops."""

APART: Final = frozenset({Metric.APPEAL_ANSWERED})
"""Clocks of a matter beside the ticket's own, which grading, filing and closing the ticket leave alone."""

_STARTED_ELSEWHERE: Final = APART | {Metric.NEXT_RESPONSE}

_OWN_RESPONSES: Final = frozenset({Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE})

_DEADLINE_WARNING: Final = timedelta(hours=2)


def start_clocks(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, at: datetime) -> None:
    """Start the clocks of a decision's targets that do not run yet; `at` is when the buyer sent the message."""
    running = {(clock.metric, clock.source.label) for _, clock in clocks_of(unit, ticket)}
    for target in targets:
        if (target.metric, target.source.label) not in running and target.metric not in _STARTED_ELSEWHERE:
            insert(unit, ticket, started(target, pack, at))
    refresh_due(unit, ticket)


def started(target: Target, pack: Pack, at: datetime) -> Clock:
    """Start a target's clock as its pack says; only the seller's own clocks may pause."""
    pauses = pack.content.pause
    may_pause = pauses is not None and target.metric in pauses.metrics and target.source.kind is SourceKind.OWN
    return start(target, pack.calendar(target.calendar), at, paused_in=pauses.states if may_pause and pauses else ())


def restart_response(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, at: datetime) -> None:
    """Start the clocks of the next answer, unless one runs: it counts from the first message nobody has answered.

    One that began later gives way. A pack without a target for the next answer promises the same as for the first.
    """
    running = [(row_id, clock) for row_id, clock in clocks_of(unit, ticket) if clock.metric in _OWN_RESPONSES]
    if any(clock.started_at <= at for _, clock in running):
        return
    for row_id, clock in running:
        update(unit, row_id, cancel(clock, unit.now))
    for target in with_next_response(targets):
        if target.metric is Metric.NEXT_RESPONSE:
            insert(unit, ticket, started(target, pack, at))
    refresh_due(unit, ticket)


def retarget(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack) -> None:
    """Put a ticket's clocks under other targets, after its tier or anything else that chose them was changed.

    What is met, breached or set by a platform stays as it is. What still runs counts by the new target from its own
    start; where that would be over already, a new clock counts it from now on. A promise that is not made any more is
    cancelled, and one that is new counts from when the ticket was filed.
    """
    row = get_ticket(unit.conn, ticket)
    wanted = {(target.metric, target.source.label): target for target in with_next_response(targets)}
    known: set[tuple[Metric, str]] = set()
    changes: list[dict[str, Any]] = []
    for row_id, clock in clocks_of(unit, ticket, list(ClockState), set(Metric) - APART):
        key = (clock.metric, clock.source.label)
        known.add(key)
        if clock.duration is not None and clock.state in {ClockState.RUNNING, ClockState.PAUSED}:
            now, next_one = _retargeted(clock, wanted.get(key), pack, unit.now)
            if now != clock:
                update(unit, row_id, now)
                changes.append(change(clock, now, next_one))
            if next_one is not None:
                insert(unit, ticket, next_one)
    for key in [key for key in wanted if key not in known and _still_wanted(key[0], row.state)]:
        begun = _not_over(started(wanted[key], pack, row.filed_at), wanted[key], pack, unit.now)
        insert(unit, ticket, clocks.pause(begun, unit.now) if row.state in begun.paused_in else begun)
        changes.append(change(None, None, begun))
    if changes:
        unit.record("clocks_retargeted", row.channel, ticket, clocks=changes)
    refresh_due(unit, ticket)


def _retargeted(clock: Clock, target: Target | None, pack: Pack, now: datetime) -> tuple[Clock, Clock | None]:
    if target is None:
        return cancel(clock, now), None
    return clocks.retarget(clock, target, pack.calendar(target.calendar), now)


def _still_wanted(metric: Metric, state: str) -> bool:
    """An answered ticket waits for no answer, a finished one for nothing; the next answer starts with its message."""
    if metric in _STARTED_ELSEWHERE:
        return False
    return state == TicketState.OPEN or (
        metric not in RESPONSES and state in {TicketState.WAITING, TicketState.NEED_INFO}
    )


def _not_over(clock: Clock, target: Target, pack: Pack, now: datetime) -> Clock:
    return clock if clock.due_at >= now else started(target, pack, now)


def change(before: Clock | None, after: Clock | None, next_one: Clock | None) -> dict[str, Any]:
    """Tell a clock's change as history keeps it: what it was, when it was due, and when it is due now."""
    told = next_one or after or before
    went_on = after is not None and after.state not in {ClockState.CANCELLED, ClockState.MERGED}
    now_due = next_one.due_at if next_one else after.due_at if after and went_on else None
    return {
        "metric": told.metric if told else "",
        "source": told.source.label if told else "",
        "before": before.due_at.isoformat() if before else None,
        "after": now_due.isoformat() if now_due else None,
        "anew": next_one is not None,
    }


def start_deadline(unit: Unit, ticket: int, started: datetime, due: datetime, source: Source) -> None:
    """Start the platform's deadline for answering a message; another one for the same message gives way."""
    for row_id, clock in clocks_of(unit, ticket):
        if clock.metric is Metric.PLATFORM_DEADLINE and clock.started_at == started:
            if clock.due_at == due:
                return
            update(unit, row_id, cancel(clock, unit.now))
    insert(unit, ticket, from_deadline(Metric.PLATFORM_DEADLINE, started, due, source, _DEADLINE_WARNING))
    refresh_due(unit, ticket)


def keep_case_deadline(unit: Unit, ticket: int, started: datetime, due: datetime | None, source: Source) -> None:
    """Let the platform's deadline for its cases run as it stands now; None where no case waits any more.

    An answer to the buyer does not stop it: the platform waits for a decision.
    """
    for row_id, clock in clocks_of(unit, ticket):
        if clock.metric is Metric.RETURN_ANSWERED and clock.duration is None:
            if clock.due_at == due:
                return
            update(unit, row_id, cancel(clock, unit.now) if due else meet(clock, max(unit.now, clock.started_at)))
    if due is not None:
        insert(unit, ticket, from_deadline(Metric.RETURN_ANSWERED, started, due, source, _DEADLINE_WARNING))
    refresh_due(unit, ticket)


def settle_turns(unit: Unit, ticket: int, turns: Turns, targets: Iterable[Target], pack: Pack) -> None:
    """Make the response clocks say what the conversation says: stopped by answers, running for what still waits."""
    for row_id, clock in clocks_of(unit, ticket):
        if clock.metric in RESPONSES:
            answered_at = turns.answer_to(clock.started_at)
            if answered_at is not None:
                update(unit, row_id, meet(clock, answered_at))
            elif turns.since is None or turns.dropped(clock.started_at) or _waited_before(clock, turns.since):
                update(unit, row_id, cancel(clock, unit.now))
    if turns.since is not None:
        restart_response(unit, ticket, targets, pack, turns.since)
    refresh_due(unit, ticket)


def _waited_before(clock: Clock, since: datetime) -> bool:
    """A message read late shows that the buyer has waited for longer: the clock of the next answer begins there."""
    return clock.metric is Metric.NEXT_RESPONSE and since < clock.started_at


def meet_clocks(unit: Unit, ticket: int, metrics: Iterable[Metric], at: datetime) -> None:
    """Stop the running clocks of some metrics: what they wait for happened at `at`."""
    wanted = frozenset(metrics)
    for row_id, clock in clocks_of(unit, ticket):
        if clock.metric in wanted:
            update(unit, row_id, meet(clock, max(at, clock.started_at)))
    refresh_due(unit, ticket)


def refile_clocks(unit: Unit, ticket: int) -> None:
    """Make way for the clocks of a ticket whose first message turned out to be an earlier one."""
    table = tables.clock
    met = sa.select(table.c.id, table.c.body).where(
        table.c.ticket == ticket, table.c.state == ClockState.MET, table.c.metric == Metric.FIRST_RESPONSE
    )
    for row in unit.conn.execute(met).all():
        void = {"state": ClockState.CANCELLED, "met_at": None, "cancelled_at": unit.now}
        update(unit, row.id, Clock.model_validate(row.body).model_copy(update=void))
    for row_id, clock in clocks_of(unit, ticket):
        if clock.duration is not None and clock.metric not in _STARTED_ELSEWHERE:
            update(unit, row_id, cancel(clock, unit.now))


def cancel_clocks(unit: Unit, ticket: int) -> None:
    """Stop what still runs without calling it met."""
    for row_id, clock in clocks_of(unit, ticket, metrics=set(Metric) - APART):
        update(unit, row_id, cancel(clock, unit.now))
    refresh_due(unit, ticket)


def tick_clocks(unit: Unit, limit: int = 500, *, roster: Roster = NOBODY) -> int:
    """Look at the clocks whose time has come, and at no others; tell how many.

    `roster` says who is told: the owner, or else the team lead, and the manager.
    """
    table = tables.clock
    due = sa.select(table).where(table.c.next_at <= unit.now).order_by(table.c.next_at).limit(limit)
    rows = unit.conn.execute(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        clock, signals = tick(Clock.model_validate(row.body), unit.now)
        update(unit, row.id, clock)
        for signal in signals:
            _signal(unit, row.ticket, clock, signal, roster)
    return len(rows)


def _signal(unit: Unit, ticket: int, clock: Clock, signal: ClockSignal, roster: Roster) -> None:
    where = sa.select(tables.ticket.c.channel, tables.ticket.c.owner).where(tables.ticket.c.id == ticket)
    row = unit.conn.execute(where).one()
    recipients = roster.recipients(row.owner)
    data: dict[str, Any] = {
        "metric": clock.metric,
        "due_at": clock.due_at.isoformat(),
        "source": clock.source.label,
        "recipients": list(recipients),
    }
    unit.record(f"clock_{signal}", row.channel, ticket, **data)
    common: dict[str, Any] = {
        "at": unit.now,
        "channel": row.channel,
        "ticket": ticket,
        "metric": clock.metric,
        "due_at": clock.due_at,
        "recipients": recipients,
    }
    if signal is ClockSignal.WARNED:
        unit.tell("aftersail_clock_warned", ClockWarned(**common))
    else:
        late = f"the {clock.metric.replace('_', ' ')} ran out at {clock.due_at:%Y-%m-%d %H:%M} UTC"
        why = f"For {recipients[-1]}: {late}, {clock.source.label}; {recipients[0]} has the ticket"
        open_task(unit, ticket, "breach_report", why)
        unit.tell("aftersail_clock_breached", ClockBreached(**common, detected_at=clock.detected_at or unit.now))
