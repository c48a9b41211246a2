"""Clocks of tickets: started by what a buyer sends, stopped by answers and remedies, ticked when due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import (
    Clock,
    ClockSignal,
    ClockState,
    Metric,
    Source,
    Target,
    cancel,
    effective,
    from_deadline,
    meet,
    next_at,
    start,
    tick,
)
from aftersail.core.contract import ClockBreached, ClockWarned
from aftersail.core.desk.turns import Turns
from aftersail.core.policy import Pack
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

RESPONSES: Final = frozenset({Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE, Metric.PLATFORM_DEADLINE})
"""What an answer to the buyer stops."""

_OWN_RESPONSES: Final = frozenset({Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE})

_DEADLINE_WARNING: Final = timedelta(hours=2)


def start_clocks(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, at: datetime) -> None:
    """Start the clocks of a decision's targets that do not run yet; `at` is when the buyer sent the message."""
    running = {(clock.metric, clock.source.label) for _, clock in _running(unit, ticket)}
    for target in targets:
        if (target.metric, target.source.label) not in running and target.metric is not Metric.NEXT_RESPONSE:
            _insert(unit, ticket, start(target, pack.calendar(target.calendar), at))
    refresh_due(unit, ticket)


def restart_response(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, at: datetime) -> None:
    """Start the clocks of the next answer, unless one runs: it counts from the first message nobody has answered.

    One that began later gives way. A pack without a target for the next answer promises the same as for the first.
    """
    running = [(row_id, clock) for row_id, clock in _running(unit, ticket) if clock.metric in _OWN_RESPONSES]
    if any(clock.started_at <= at for _, clock in running):
        return
    for row_id, clock in running:
        _update(unit, row_id, cancel(clock, unit.now))
    promised = list(targets)
    wanted = [target for target in promised if target.metric is Metric.NEXT_RESPONSE] or [
        target.model_copy(update={"metric": Metric.NEXT_RESPONSE})
        for target in promised
        if target.metric is Metric.FIRST_RESPONSE
    ]
    for target in wanted:
        _insert(unit, ticket, start(target, pack.calendar(target.calendar), at))
    refresh_due(unit, ticket)


def start_deadline(unit: Unit, ticket: int, started: datetime, due: datetime, source: Source) -> None:
    """Start the platform's deadline for answering a message; another one for the same message gives way."""
    for row_id, clock in _running(unit, ticket):
        if clock.metric is Metric.PLATFORM_DEADLINE and clock.started_at == started:
            if clock.due_at == due:
                return
            _update(unit, row_id, cancel(clock, unit.now))
    _insert(unit, ticket, from_deadline(Metric.PLATFORM_DEADLINE, started, due, source, _DEADLINE_WARNING))
    refresh_due(unit, ticket)


def keep_case_deadline(unit: Unit, ticket: int, started: datetime, due: datetime | None, source: Source) -> None:
    """Let the platform's deadline for its cases run as it stands now; None where no case waits any more.

    An answer to the buyer does not stop it: the platform waits for a decision.
    """
    for row_id, clock in _running(unit, ticket):
        if clock.metric is Metric.RETURN_ANSWERED and clock.duration is None:
            if clock.due_at == due:
                return
            _update(unit, row_id, cancel(clock, unit.now) if due else meet(clock, max(unit.now, clock.started_at)))
    if due is not None:
        _insert(unit, ticket, from_deadline(Metric.RETURN_ANSWERED, started, due, source, _DEADLINE_WARNING))
    refresh_due(unit, ticket)


def settle_turns(unit: Unit, ticket: int, turns: Turns, targets: Iterable[Target], pack: Pack) -> None:
    """Make the response clocks say what the conversation says: stopped by answers, running for what still waits."""
    for row_id, clock in _running(unit, ticket):
        if clock.metric in RESPONSES:
            answered_at = turns.answer_to(clock.started_at)
            if answered_at is not None:
                _update(unit, row_id, meet(clock, answered_at))
            elif turns.since is None or turns.dropped(clock.started_at) or _waited_before(clock, turns.since):
                _update(unit, row_id, cancel(clock, unit.now))
    if turns.since is not None:
        restart_response(unit, ticket, targets, pack, turns.since)
    refresh_due(unit, ticket)


def _waited_before(clock: Clock, since: datetime) -> bool:
    """A message read late shows that the buyer has waited for longer: the clock of the next answer begins there."""
    return clock.metric is Metric.NEXT_RESPONSE and since < clock.started_at


def meet_clocks(unit: Unit, ticket: int, metrics: Iterable[Metric], at: datetime) -> None:
    """Stop the running clocks of some metrics: what they wait for happened at `at`."""
    wanted = frozenset(metrics)
    for row_id, clock in _running(unit, ticket):
        if clock.metric in wanted:
            _update(unit, row_id, meet(clock, max(at, clock.started_at)))
    refresh_due(unit, ticket)


def refile_clocks(unit: Unit, ticket: int) -> None:
    """Make way for the clocks of a ticket whose first message turned out to be an earlier one."""
    table = tables.clock
    met = sa.select(table.c.id, table.c.body).where(
        table.c.ticket == ticket, table.c.state == ClockState.MET, table.c.metric == Metric.FIRST_RESPONSE
    )
    for row in unit.conn.execute(met).all():
        void = {"state": ClockState.CANCELLED, "met_at": None, "cancelled_at": unit.now}
        _update(unit, row.id, Clock.model_validate(row.body).model_copy(update=void))
    for row_id, clock in _running(unit, ticket):
        if clock.duration is not None and clock.metric is not Metric.NEXT_RESPONSE:
            _update(unit, row_id, cancel(clock, unit.now))


def cancel_clocks(unit: Unit, ticket: int) -> None:
    """Stop what still runs without calling it met."""
    for row_id, clock in _running(unit, ticket):
        _update(unit, row_id, cancel(clock, unit.now))
    refresh_due(unit, ticket)


def tick_clocks(unit: Unit, limit: int = 500) -> int:
    """Look at the clocks whose time has come, and at no others; tell how many."""
    table = tables.clock
    due = sa.select(table).where(table.c.next_at <= unit.now).order_by(table.c.next_at).limit(limit)
    rows = unit.conn.execute(due.with_for_update(skip_locked=True)).all()
    for row in rows:
        clock, signals = tick(Clock.model_validate(row.body), unit.now)
        _update(unit, row.id, clock)
        for signal in signals:
            _signal(unit, row.ticket, clock, signal)
    return len(rows)


def _signal(unit: Unit, ticket: int, clock: Clock, signal: ClockSignal) -> None:
    where = sa.select(tables.ticket.c.channel, tables.ticket.c.owner).where(tables.ticket.c.id == ticket)
    row = unit.conn.execute(where).one()
    recipients = [row.owner or "team lead", "manager"]
    data: dict[str, Any] = {
        "metric": clock.metric,
        "due_at": clock.due_at.isoformat(),
        "source": clock.source.label,
        "recipients": recipients,
    }
    unit.record(f"clock_{signal}", row.channel, ticket, **data)
    common: dict[str, Any] = {
        "at": unit.now,
        "channel": row.channel,
        "ticket": ticket,
        "metric": clock.metric,
        "due_at": clock.due_at,
    }
    if signal is ClockSignal.WARNED:
        unit.tell("aftersail_clock_warned", ClockWarned(**common))
    else:
        unit.tell("aftersail_clock_breached", ClockBreached(**common, detected_at=clock.detected_at or unit.now))


def refresh_due(unit: Unit, ticket: int) -> None:
    """Copy the earliest running due time onto the ticket, where the inbox sorts by it."""
    clock = effective([clock for _, clock in _running(unit, ticket)])
    values = {
        "due_at": clock.due_at if clock else None,
        "due_metric": clock.metric if clock else None,
        "due_source": clock.source.label if clock else None,
    }
    unit.conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == ticket).values(**values))


def _running(unit: Unit, ticket: int) -> list[tuple[int, Clock]]:
    table = tables.clock
    states = [ClockState.RUNNING, ClockState.PAUSED]
    rows = unit.conn.execute(
        sa.select(table.c.id, table.c.body).where(table.c.ticket == ticket, table.c.state.in_(states))
    )
    return [(row.id, Clock.model_validate(row.body)) for row in rows.all()]


def _columns(clock: Clock) -> dict[str, Any]:
    return {
        "metric": clock.metric,
        "state": clock.state,
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "met_at": clock.met_at,
        "breached_at": clock.breached_at,
        "detected_at": clock.detected_at,
        "warned_at": clock.warned_at,
        "source": clock.source.label,
        "body": clock.model_dump(mode="json"),
        "next_at": next_at(clock),
    }


def _insert(unit: Unit, ticket: int, clock: Clock) -> None:
    unit.conn.execute(sa.insert(tables.clock).values(ticket=ticket, **_columns(clock)))


def _update(unit: Unit, row_id: int, clock: Clock) -> None:
    unit.conn.execute(sa.update(tables.clock).where(tables.clock.c.id == row_id).values(**_columns(clock)))
