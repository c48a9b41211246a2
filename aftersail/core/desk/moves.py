"""What a ticket's moves mean for its clocks: paused, running again, opened again, given to another team."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import ClockState, Metric, SourceKind, Target, pause, reopen, restart, resume
from aftersail.core.desk.clock_rows import clocks_of, insert, refresh_due, update
from aftersail.core.desk.clockwork import change, started
from aftersail.core.desk.tickets import SETTLED, TicketState, get_ticket, set_state
from aftersail.core.policy import Pack
from aftersail.core.policy.pack import Reopen, TeamMove
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


def move_ticket(
    unit: Unit, ticket: int, state: TicketState, actor: str, *, at: datetime, targets: Iterable[Target], pack: Pack
) -> bool:
    """Move a ticket to another state, and its clocks with it; tell whether it moved.

    Args:
        unit: the transaction.
        ticket: the ticket.
        state: where it goes.
        actor: who moves it.
        at: when what moves it happened: a message that is read late has let clocks run again when it was sent.
        targets: what is promised, for a clock that begins anew with a ticket that is opened again.
        pack: the ticket's.
    """
    before = get_ticket(unit.conn, ticket).state
    if not set_state(unit, ticket, state, actor):
        return False
    if before in SETTLED:
        _reopen_clocks(unit, ticket, targets, pack, at)
    if _is_appealed(unit, ticket):
        freeze_clocks(unit, ticket, at)
    else:
        _resume_clocks(unit, ticket, state, pack, at)
    pause_clocks(unit, ticket, state, at)
    return True


def freeze_clocks(unit: Unit, ticket: int, at: datetime) -> None:
    """Let the seller's own promise for the solution stand still while an appeal is open."""
    for row_id, clock in clocks_of(unit, ticket, [ClockState.RUNNING], [Metric.RESOLUTION]):
        if clock.source.kind is SourceKind.OWN:
            update(unit, row_id, pause(clock, at))
    refresh_due(unit, ticket)


def thaw_clocks(unit: Unit, ticket: int, pack: Pack, at: datetime) -> None:
    """Let run again what stood still for an appeal, unless the ticket's state has it pause."""
    _resume_clocks(unit, ticket, TicketState(get_ticket(unit.conn, ticket).state), pack, at)
    refresh_due(unit, ticket)


def _resume_clocks(unit: Unit, ticket: int, state: TicketState, pack: Pack, at: datetime) -> None:
    for row_id, clock in clocks_of(unit, ticket, [ClockState.PAUSED]):
        if state not in clock.paused_in:
            update(unit, row_id, resume(clock, pack.calendar(clock.calendar), at))


def _is_appealed(unit: Unit, ticket: int) -> bool:
    table = tables.appeal
    undecided = sa.select(table.c.id).where(table.c.ticket == ticket, table.c.decided_at.is_(None))
    return unit.conn.execute(undecided.limit(1)).first() is not None


def pause_clocks(unit: Unit, ticket: int, state: TicketState, at: datetime) -> None:
    """Let those clocks pause that do so in this state of their ticket."""
    for row_id, clock in clocks_of(unit, ticket, [ClockState.RUNNING]):
        if state in clock.paused_in:
            update(unit, row_id, pause(clock, at))
    refresh_due(unit, ticket)


def _reopen_clocks(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, at: datetime) -> None:
    """Let the clocks of the solution run again, as the pack says; each with its own source's newest one."""
    mode = pack.content.reopen or Reopen.RESUME
    if mode is Reopen.NONE:
        return
    met = clocks_of(unit, ticket, [ClockState.MET], [Metric.RESOLUTION])
    newest = {clock.source.label: (row_id, clock) for row_id, clock in met}
    wanted = {target.source.label: target for target in targets if target.metric is Metric.RESOLUTION}
    changes: list[dict[str, Any]] = []
    for label, (row_id, clock) in newest.items():
        if mode is Reopen.RESUME:
            again = reopen(clock, pack.calendar(clock.calendar), at)
            update(unit, row_id, again)
            changes.append(change(clock, again, None))
        elif label in wanted:
            begun = started(wanted[label], pack, at)
            insert(unit, ticket, begun)
            changes.append(change(clock, clock, begun))
    if changes:
        unit.record("clocks_reopened", get_ticket(unit.conn, ticket).channel, ticket, mode=mode, clocks=changes)


def move_clocks(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack, *, team: str, actor: str) -> None:
    """Keep or restart a ticket's own unmet clocks, as its pack says, once another team has it.

    A clock that is restarted ends, stays in the history, and a new one counts the team's target from now on: nobody is
    late by having been given something. Clocks of a law or a marketplace know no teams.
    """
    mode = pack.content.team_move or TeamMove.KEEP
    wanted = {(target.metric, target.source.label): target for target in targets}
    changes: list[dict[str, Any]] = []
    for row_id, clock in clocks_of(unit, ticket):
        target = wanted.get((clock.metric, clock.source.label))
        if mode is TeamMove.KEEP or target is None or clock.source.kind is not SourceKind.OWN:
            continue
        ended, begun = restart(clock, target, pack.calendar(target.calendar), unit.now)
        update(unit, row_id, ended)
        if begun is not None:
            insert(unit, ticket, begun)
            changes.append(change(clock, ended, begun))
    channel = get_ticket(unit.conn, ticket).channel
    unit.record("clocks_moved", channel, ticket, actor=actor, team=team, mode=mode, clocks=changes)
    refresh_due(unit, ticket)
