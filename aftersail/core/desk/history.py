"""Stored history, read again for a simulation: in batches, in one consistent moment, without a write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Clock
from aftersail.core.policy import FactError, Pack, read_facts
from aftersail.core.policy.history import PastDecision, PastRequest, Verdict
from aftersail.core.policy.simulation import Simulation, Simulator
from aftersail.core.store import tables
from aftersail.core.store.engine import reading

_BATCH: Final = 500
"""Tickets read at once: what is in memory does not grow with history."""

Progress = Callable[[int, int], None]
"""Told how many requests are done, and of how many."""


def simulate_history(
    engine: sa.Engine,
    pack: Pack,
    *,
    since: datetime,
    until: datetime,
    examples: int = 3,
    progress: Progress = lambda _done, _total: None,
    between: tuple[int, int] | None = None,
) -> Simulation:
    """Play the requests of a time through a draft; the database is opened for looking only.

    Args:
        engine: the store.
        pack: the draft; its own `effective_from` does not matter.
        since: the first instant of filing (UTC) that counts.
        until: the first that does not count any more; also judges clocks that still run.
        examples: how many tickets to name for each kind of change.
        progress: called after each batch.
        between: the first ticket's number and the one behind the last; None for all.
    """
    simulator = Simulator(pack, until, examples=examples)
    wanted = _judged(since, until)
    if between is not None:
        wanted = sa.and_(wanted, tables.ticket.c.id >= between[0], tables.ticket.c.id < between[1])
    with reading(engine).connect() as conn:
        total, done = _count(conn, wanted), 0
        progress(done, total)
        for batch in _batches(conn, wanted):
            _play(conn, simulator, batch)
            done += len(batch)
            progress(done, total)
    return simulator.result()


def _judged(since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    table = tables.ticket
    return sa.and_(table.c.filed_at >= since, table.c.filed_at < until, table.c.pack_version.is_not(None))


def count_requests(conn: sa.Connection, since: datetime, until: datetime) -> int:
    """Count the requests of a time that were judged."""
    return _count(conn, _judged(since, until))


def ticket_range(conn: sa.Connection, since: datetime, until: datetime) -> tuple[int, int]:
    """Name the first and the last ticket among them; 0 and 0 where there is none."""
    table = tables.ticket
    ends = sa.select(sa.func.min(table.c.id), sa.func.max(table.c.id)).where(_judged(since, until))
    low, high = conn.execute(ends).one()
    return low or 0, high or 0


def _count(conn: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    return int(conn.scalar(sa.select(sa.func.count()).select_from(tables.ticket).where(which)) or 0)


def _batches(conn: sa.Connection, which: sa.ColumnElement[bool]) -> Iterator[Sequence[Any]]:
    table = tables.ticket
    wanted = sa.select(table.c.id, table.c.filed_at).where(which).order_by(table.c.id).limit(_BATCH)
    last = 0
    while rows := conn.execute(wanted.where(table.c.id > last)).all():
        yield rows
        last = rows[-1].id


def _play(conn: sa.Connection, simulator: Simulator, batch: Sequence[Any]) -> None:
    ids = [row.id for row in batch]
    decided, clocks = _decisions(conn, ids), _clocks(conn, ids)
    for row in batch:
        try:
            decisions = tuple(_decision(each) for each in decided.get(row.id, ()))
        except FactError:
            simulator.skip(row.id)
            continue
        if decisions:
            timed = tuple(Clock.model_validate(each.body) for each in clocks.get(row.id, ()))
            simulator.play(PastRequest(number=row.id, filed_at=row.filed_at, decisions=decisions, clocks=timed))


def _decisions(conn: sa.Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    """Read what has consequences; the database leaves the trace out, which is most of a decision."""
    table = tables.decision
    parts = (table.c.body[name].label(name) for name in ("tier", "targets", "actions"))
    wanted = sa.select(table.c.ticket, table.c.at, table.c.facts, *parts).where(table.c.ticket.in_(ids))
    return _by_ticket(conn.execute(wanted.order_by(table.c.ticket, table.c.id)))


def _clocks(conn: sa.Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    table = tables.clock
    wanted = sa.select(table.c.ticket, table.c.body).where(table.c.ticket.in_(ids))
    return _by_ticket(conn.execute(wanted.order_by(table.c.ticket, table.c.id)))


def _by_ticket(rows: Iterable[Any]) -> dict[int, list[Any]]:
    return {ticket: list(group) for ticket, group in groupby(rows, key=lambda row: row.ticket)}


def _decision(row: Any) -> PastDecision:
    """Build a stored decision.

    Raises:
        FactError: a fact of another version, which this one does not know.
    """
    verdict = Verdict(tier=row.tier, targets=row.targets, actions=row.actions)
    return PastDecision(at=row.at, facts=read_facts(row.facts), verdict=verdict)
