"""All due times again, after a calendar was changed: in batches, so that nobody who writes waits for long.

A batch is read and worked out without a lock. Only then it is written, in a transaction of its own, for those tickets
that still say what was read; the others are looked at again later.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic_core import to_json

from aftersail.core.clocks import ClockState, Recount, Recounted, SourceKind
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.policy import Pack
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.types import instant, json_text, micros
from aftersail.core.store.write import Prepared

BATCH: Final = 200
"""Tickets whose clocks are written in one transaction: small enough that nobody else waits for long."""

_ROUNDS: Final = 5
_RANK: Final = {SourceKind.LAW.value: 0, SourceKind.MARKETPLACE.value: 1, SourceKind.OWN.value: 2}

_CLOCK: Final = tables.clock
_TICKET: Final = tables.ticket
_NUMBERS: Final[sa.BindParameter[Any]] = sa.bindparam("numbers", expanding=True)
# Instants as the whole microseconds they are stored as: nearly all are only compared.
_RUNNING: Final = (
    sa.select(
        _CLOCK.c.ticket,
        _CLOCK.c.id,
        _CLOCK.c.metric,
        _CLOCK.c.source,
        sa.type_coerce(_CLOCK.c.started_at, sa.BigInteger),
        sa.type_coerce(_CLOCK.c.due_at, sa.BigInteger),
        sa.cast(_CLOCK.c.body, sa.Text).label("body"),
    )
    .where(_CLOCK.c.ticket.in_(_NUMBERS), _CLOCK.c.state == ClockState.RUNNING)
    .order_by(_CLOCK.c.ticket, _CLOCK.c.id)
)
_OF: Final = sa.select(
    _TICKET.c.id, _TICKET.c.channel, _TICKET.c.filed_at, _TICKET.c.pack_id, _TICKET.c.pack_version
).where(_TICKET.c.id.in_(_NUMBERS))


@dataclass(frozen=True, kw_only=True)
class Recomputed:
    """How far a recomputation has come.

    Attributes:
        tickets: with a running clock, in all.
        done: of them, looked at.
        clocks: looked at.
        moved: of them, those with another due instant now.
        busy: tickets that others kept changing; their clocks are as they were.
    """

    tickets: int = 0
    done: int = 0
    clocks: int = 0
    moved: int = 0
    busy: int = 0


@dataclass(frozen=True)
class _Moved:
    """What is to be written for one ticket: its clocks by row, their change for the history, what is due first."""

    channel: str
    clocks: list[tuple[int, Recounted]]
    changes: list[dict[str, Any]]
    shown: dict[str, Any]


def recompute_clocks(
    engine: sa.Engine,
    services: Services,
    now: Callable[[], datetime],
    *,
    actor: str = "aftersail",
    batch: int = BATCH,
    progress: Callable[[Recomputed], None] = lambda _: None,
) -> Recomputed:
    """Work every running clock's due instant out again with the opening hours that hold now.

    What changes is written into each ticket's history with its due instant before and after. A paused clock needs
    nothing: it is counted with the new hours when it runs again. What is overdue stays so.
    """
    waiting = _tickets(engine)
    writing = _Writing(engine.dialect, actor)
    report = Recomputed(tickets=len(waiting))
    for _ in range(_ROUNDS):
        again = array("q")
        for start in range(0, len(waiting), batch):
            some = waiting[start : start + batch].tolist()
            busy, clocks, moved = _batch(engine, services, now(), some, writing)
            again.extend(busy)
            done = report.done + len(some) - len(busy)
            report = replace(report, done=done, clocks=report.clocks + clocks, moved=report.moved + moved)
            progress(report)
        waiting = again
        if not waiting:
            break
    return replace(report, busy=len(waiting))


def _tickets(engine: sa.Engine) -> array[int]:
    """Number the tickets with a running clock, in order: their rows lie side by side then, and so do their clocks'."""
    wanted = sa.select(_TICKET.c.id).where(_TICKET.c.due_at.is_not(None))
    with reading(engine).connect() as conn:
        return array("q", sorted(conn.scalars(wanted)))


def _batch(
    engine: sa.Engine, services: Services, now: datetime, some: list[int], writing: _Writing
) -> tuple[list[int], int, int]:
    """Do one batch; return the tickets that changed meanwhile, how many clocks were seen and how many moved."""
    with reading(engine).connect() as conn:
        seen = _by_ticket(conn, _RUNNING, some)
        tickets = {row.id: row for row in conn.execute(_OF, {"numbers": list(seen)}).all()}
    packs: dict[object, Pack] = {}
    recount = Recount(now)
    moved: dict[int, _Moved] = {}
    for number, rows in seen.items():
        ticket = tickets[number]
        found = _worked_out(rows, ticket.channel, _pack(services, ticket, now, packs), recount)
        if found is not None:
            moved[number] = found
    busy = writing.write(engine, seen, moved, now)
    written = [found for number, found in moved.items() if number not in busy]
    return busy, sum(map(len, seen.values())), sum(len(found.clocks) for found in written)


class _Writing:
    """Writes what a batch has moved, and what it was before, in as short a transaction as can be."""

    def __init__(self, dialect: sa.Dialect, actor: str) -> None:
        self._actor = actor
        of = sa.bindparam("of", type_=sa.BigInteger)
        due = sa.bindparam("due", type_=sa.BigInteger)
        clock = {"due_at": due, "next_at": sa.bindparam("next", type_=sa.BigInteger)}
        shown = {"due_at": due, "due_metric": sa.bindparam("metric"), "due_source": sa.bindparam("source")}
        event: dict[str, Any] = {name: sa.bindparam(name) for name in ("kind", "channel", "actor")}
        event |= {name: sa.bindparam(name, type_=sa.BigInteger) for name in ("at", "ticket")}
        update_clock = sa.update(_CLOCK).where(_CLOCK.c.id == of).values(**clock, body=json_text(dialect, "text"))
        update_ticket = sa.update(_TICKET).where(_TICKET.c.id == of).values(**shown)
        insert_event = sa.insert(tables.event).values(**event, data=json_text(dialect, "data"))
        self._statements = [Prepared(dialect, each) for each in (update_clock, update_ticket, insert_event)]

    def write(
        self, engine: sa.Engine, seen: Mapping[int, list[Any]], moved: Mapping[int, _Moved], now: datetime
    ) -> list[int]:
        """Write the tickets that still say what was seen; return the others."""
        if not moved:
            return []
        all_rows = self._rows(moved, now)
        with engine.begin() as conn:
            fresh = _by_ticket(conn, _RUNNING.with_for_update(skip_locked=True), list(moved))
            busy = [number for number in moved if fresh.get(number) != seen[number]]
            if busy:
                all_rows = self._rows({number: moved[number] for number in moved.keys() - busy}, now)
            for statement, rows in zip(self._statements, all_rows, strict=True):
                statement.execute(conn, rows)
        return busy

    def _rows(self, moved: Mapping[int, _Moved], now: datetime) -> list[list[Any]]:
        event = {"at": micros(now), "kind": "clocks_recomputed", "actor": self._actor}
        clocks = [
            {
                "of": row_id,
                "due": micros(again.due_at),
                "next": micros(again.next_at) if again.next_at else None,
                "text": again.body,
            }
            for found in moved.values()
            for row_id, again in found.clocks
        ]
        shown = [{"of": number, **found.shown} for number, found in moved.items()]
        events = [
            {**event, "channel": found.channel, "ticket": number, "data": to_json({"clocks": found.changes}).decode()}
            for number, found in moved.items()
        ]
        rows: list[list[dict[str, Any]]] = [clocks, shown, events]
        return [statement.rows(each) for statement, each in zip(self._statements, rows, strict=True)]


def _by_ticket(conn: sa.Connection, query: sa.Select[Any], numbers: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in conn.execute(query, {"numbers": numbers}).all():
        found.setdefault(row[0], []).append(row)
    return found


def _pack(services: Services, ticket: Any, now: datetime, known: dict[object, Pack]) -> Pack:
    """Find the pack for a ticket's clocks; the same for all that one version has judged."""
    version = (ticket.pack_id, ticket.pack_version) if ticket.pack_version else ticket.filed_at
    if version not in known:
        known[version] = clock_pack(services, ticket, now)
    return known[version]


def _worked_out(rows: list[Any], channel: str, pack: Pack, recount: Recount) -> _Moved | None:
    """Count one ticket's running clocks again; None where all stay as they are."""
    clocks: list[tuple[int, Recounted]] = []
    changes: list[dict[str, Any]] = []
    first: tuple[Any, ...] | None = None
    for _, row_id, metric, source, started, due, body in rows:
        found = recount.again(body, instant(started), pack.calendar)
        if found is not None:
            clocks.append((row_id, found))
            before, after = found.before.isoformat(), found.due_at.isoformat()
            changes.append({"metric": metric, "source": source, "before": before, "after": after})
        at = found.due_at if found else instant(due)
        this = (at, _RANK[source.partition(":")[0]], metric, source)
        first = this if first is None or this[:2] < first[:2] else first
    if not clocks or first is None:
        return None
    shown = {"due": micros(first[0]), "metric": first[2], "source": first[3]}
    return _Moved(channel, clocks, changes, shown)
