"""Clocks of refunds: held while the law lets the seller wait for goods or proof, started once their event is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Clock, ClockState, Metric, Target, is_held, pause, release
from aftersail.core.desk.clock_rows import clocks_of, insert, refresh_due, update
from aftersail.core.desk.clockwork import change, started
from aftersail.core.desk.tickets import OVER, SETTLED, get_ticket
from aftersail.core.policy import Pack
from aftersail.core.remedies.states import RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_DONE: Final = OVER | SETTLED


def keep_refund_clocks(unit: Unit, ticket: int, targets: Iterable[Target], pack: Pack) -> None:
    """Bring the clocks of refunds up to what a decision knows by now; once it did, the same decision changes nothing.

    What is held runs once that has come which was waited for, due as counted from its start but not before that. A
    promise that is new, such as one whose event has happened meanwhile, begins with it, unless the money is back.
    """
    row = get_ticket(unit.conn, ticket)
    promised = [target for target in targets if target.metric is Metric.REFUND_PAID]
    if not promised:
        return
    known = clocks_of(unit, ticket, list(ClockState), [Metric.REFUND_PAID])
    changes = [
        _released(unit, row, row_id, clock, target, pack)
        for row_id, clock in known
        for target in promised
        if is_held(clock) and _of(clock, target) and (target.hold is None or target.released_at is not None)
    ]
    if row.state not in _DONE and not _is_paid(unit, row):
        labels = {clock.source.label for _, clock in known}
        for target in promised:
            # Another row that counts from the notice too has taken the place of one: that is a matter of `retarget`.
            in_place = target.start_at == row.filed_at and target.source.label in labels
            if not in_place and not any(_of(clock, target) for _, clock in known):
                begun = started(target, pack, row.filed_at)
                insert(unit, ticket, begun)
                changes.append(change(None, None, begun))
    if changes:
        unit.record("refund_clocks", row.channel, ticket, clocks=changes)
        refresh_due(unit, ticket)


def _of(clock: Clock, target: Target) -> bool:
    return (clock.source.label, clock.row) == (target.source.label, target.row)


def _released(unit: Unit, row: Any, row_id: int, clock: Clock, target: Target, pack: Pack) -> dict[str, Any]:
    running = release(clock, pack.calendar(clock.calendar), target.released_at or clock.started_at)
    if row.state in running.paused_in:
        running = pause(running, unit.now)
    update(unit, row_id, running)
    return change(clock, running, None) | {"waited_for": clock.pauses[-1].hold}


def _is_paid(unit: Unit, row: Any) -> bool:
    """Whether money of this ticket is back, by the desk's own refund or by the platform's figures for the order."""
    remedy, orders = tables.remedy, tables.orders
    settled = sa.select(remedy.c.key).where(
        remedy.c.ticket == row.id, remedy.c.kind == RemedyKind.REFUND, remedy.c.state == RemedyState.SETTLED
    )
    if unit.conn.scalar(settled.limit(1)) is not None:
        return True
    back = sa.select(orders.c.id).where(orders.c.id == row.orders_id, orders.c.refunded >= orders.c.total)
    return row.orders_id is not None and unit.conn.scalar(back) is not None
