"""The rows of clocks: read, written, and the earliest of them copied onto their ticket."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.clocks import Clock, ClockState, Metric, effective, next_at
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

_UNENDED: Final = (ClockState.RUNNING, ClockState.PAUSED)


def refresh_due(unit: Unit, ticket: int) -> None:
    """Copy the earliest running due time onto the ticket, where the inbox sorts by it."""
    clock = effective([clock for _, clock in clocks_of(unit, ticket)])
    values = {
        "due_at": clock.due_at if clock else None,
        "due_metric": clock.metric if clock else None,
        "due_source": clock.source.label if clock else None,
    }
    unit.conn.execute(sa.update(tables.ticket).where(tables.ticket.c.id == ticket).values(**values))


def clocks_of(
    unit: Unit, ticket: int, states: Collection[ClockState] = _UNENDED, metrics: Iterable[Metric] = Metric
) -> list[tuple[int, Clock]]:
    """Read a ticket's clocks with their row numbers, the oldest first: unless told otherwise, what has not ended."""
    table = tables.clock
    wanted = sa.select(table.c.id, table.c.body).where(
        table.c.ticket == ticket, table.c.state.in_(states), table.c.metric.in_(list(metrics))
    )
    rows = unit.conn.execute(wanted.order_by(table.c.id).with_for_update()).all()
    return [(row.id, Clock.model_validate(row.body)) for row in rows]


def columns(clock: Clock) -> dict[str, Any]:
    """Return what a row says of a clock."""
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


def insert(unit: Unit, ticket: int, clock: Clock) -> None:
    """Write a new clock."""
    unit.conn.execute(sa.insert(tables.clock).values(ticket=ticket, **columns(clock)))


def update(unit: Unit, row_id: int, clock: Clock) -> None:
    """Write what became of a clock."""
    unit.conn.execute(sa.update(tables.clock).where(tables.clock.c.id == row_id).values(**columns(clock)))
