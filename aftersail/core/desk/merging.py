"""Two tickets about one matter become one: conversation, clocks, what is planned and what waits for a person."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from aftersail.core.clocks import Clock, Metric, merge
from aftersail.core.desk.clock_rows import clocks_of, insert, update
from aftersail.core.desk.clockwork import settle_turns
from aftersail.core.desk.moves import move_ticket
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.desk.tickets import OVER, TicketError, TicketState, get_ticket, set_state, update_ticket
from aftersail.core.desk.turns import read_turns
from aftersail.core.desk.views import targets_in_force
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_OWN_RESPONSES = frozenset({Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE})


def merge_tickets(unit: Unit, services: Services, loser: int, survivor: int, actor: str) -> None:
    """Merge a ticket into another of the same channel, for good.

    The survivor keeps the earliest unanswered time of both, and every deadline a platform has set for either. The
    other ticket's clocks end as merged. What later comes in for either lands in the survivor.

    Raises:
        TicketError: the two cannot be one ticket: one is not there, over or merged, or they are of two channels.
    """
    gone, kept = _both(unit, loser, survivor)
    _take_over_rows(unit, loser, survivor)
    update_ticket(
        unit,
        survivor,
        filed_at=min(gone.filed_at, kept.filed_at),
        orders_id=kept.orders_id or gone.orders_id,
        escalation=bool(kept.escalation or gone.escalation),
    )
    _take_over_clocks(unit, loser, survivor)
    set_state(unit, loser, TicketState.MERGED, actor)
    gone_for_good = {"closed_at": unit.now, "merged_into": survivor}
    update_ticket(unit, loser, due_at=None, due_metric=None, due_source=None, **gone_for_good)
    turns, targets = read_turns(unit.conn, survivor), targets_in_force(unit.conn, survivor)
    pack = clock_pack(services, kept, unit.now)
    settle_turns(unit, survivor, turns, targets, pack)
    if turns.since is not None:
        move_ticket(unit, survivor, TicketState.OPEN, actor, at=turns.since, targets=targets, pack=pack)
    unit.record("ticket_merged", kept.channel, loser, actor=actor, into=survivor)
    unit.record("ticket_joined", kept.channel, survivor, actor=actor, merged=loser, subject=gone.subject)


def _both(unit: Unit, loser: int, survivor: int) -> tuple[Any, Any]:
    gone, kept = get_ticket(unit.conn, loser), get_ticket(unit.conn, survivor)
    if loser == survivor:
        raise TicketError(f"ticket {loser} cannot be merged into itself")
    for row in (gone, kept):
        if row.state in OVER:
            raise TicketError(f"ticket {row.id} is {row.state}; only tickets that are open can be merged")
    if gone.channel != kept.channel:
        raise TicketError(
            f"ticket {loser} is of {gone.channel}, ticket {survivor} of {kept.channel}; "
            "an answer leaves through one channel, so they stay apart"
        )
    if gone.orders_id and kept.orders_id and gone.orders_id != kept.orders_id:
        raise TicketError(f"tickets {loser} and {survivor} are about two orders; a refund needs a ticket of its own")
    return gone, kept


def _take_over_rows(unit: Unit, loser: int, survivor: int) -> None:
    """Give the survivor all rows but the history, the decisions and the clocks."""
    task, mention = tables.task, tables.order_mention
    twins = task.alias("twin")
    same = sa.exists().where(twins.c.ticket == survivor, twins.c.kind == task.c.kind, twins.c.why == task.c.why)
    closed = {"closed_at": unit.now, "closed_by": "aftersail"}
    theirs = (task.c.ticket == loser, same)
    unit.conn.execute(sa.update(task).where(*theirs, task.c.closed_at.is_(None)).values(**closed))
    unit.conn.execute(sa.update(task).where(task.c.ticket == loser, ~same).values(ticket=survivor))
    words = sa.select(mention.c.word).where(mention.c.ticket == survivor).scalar_subquery()
    unit.conn.execute(sa.delete(mention).where(mention.c.ticket == loser, mention.c.word.in_(words)))
    for table in (tables.message, tables.cases, tables.remedy, tables.thread_key, mention):
        unit.conn.execute(sa.update(table).where(table.c.ticket == loser).values(ticket=survivor))


def _take_over_clocks(unit: Unit, loser: int, survivor: int) -> None:
    """End the loser's clocks; a platform's deadline and an earlier wait for an answer go on in the survivor."""
    ours = clocks_of(unit, survivor)
    for row_id, clock in clocks_of(unit, loser):
        twins = [(twin_id, twin) for twin_id, twin in ours if _of_one_kind(clock, twin)]
        if clock.duration is None:
            goes_on = not any(twin.due_at == clock.due_at for _, twin in twins)
        else:
            goes_on = clock.metric in _OWN_RESPONSES and all(clock.started_at < twin.started_at for _, twin in twins)
            for twin_id, twin in twins if goes_on else ():
                update(unit, twin_id, merge(twin, unit.now))
        if goes_on:
            insert(unit, survivor, clock)
        update(unit, row_id, merge(clock, unit.now))


def _of_one_kind(one: Clock, other: Clock) -> bool:
    same = one.metric is other.metric or {one.metric, other.metric} <= _OWN_RESPONSES
    return same and one.source.label == other.source.label and (one.duration is None) == (other.duration is None)
