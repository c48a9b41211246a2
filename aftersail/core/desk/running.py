"""The rows of all running clocks, by the hundred thousand: read, and written with what their tickets say of them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from time import perf_counter
from typing import Any, Final, NamedTuple, Self

import sqlalchemy as sa

from aftersail.core.clocks import ClockState
from aftersail.core.store import tables
from aftersail.core.store.bulk import Prepared, json_text, numbers, one_of
from aftersail.core.store.engine import begin_unsettled, reading, settle

_SETTLE_EVERY: Final = 3
"""Transactions: about as many as fill the log that SQLite would keep by itself."""
_CLOCK: Final = tables.clock
_TICKET: Final = tables.ticket
_EVENT: Final = tables.event
_SEEN: Final = (_CLOCK.c.ticket, _CLOCK.c.id, sa.cast(_CLOCK.c.body, sa.Text).label("body"))
_CLOCK_VALUES: Final = ("due", "text", "next", "of")
_TICKET_VALUES: Final = ("due", "metric", "source", "of")
_EVENT_VALUES: Final = ("at", "kind", "channel", "ticket", "actor", "data")
_READ: Final = (
    *_SEEN,
    _CLOCK.c.metric,
    _CLOCK.c.source,
    _CLOCK.c.due_at,
    _CLOCK.c.started_at,
    _TICKET.c.channel,
    _TICKET.c.filed_at,
    _TICKET.c.pack_id,
    _TICKET.c.pack_version,
)

Row = tuple[int, int, str, str, str, int, int, str, int, str | None, int | None]
"""A running clock: ticket, id, body, metric, source, due, started; its ticket's channel, filing, pack and version.
Instants are microseconds."""


class Rewritten(NamedTuple):
    """What is to be written for one ticket, by column, instants in microseconds; `seen` is what it goes by."""

    seen: list[Row]
    clocks: list[tuple[int, str, int | None, int]]
    """When each is due, its body, when it is next to be looked at, its row."""
    shown: tuple[int, str, str, int]
    """When the ticket is due, by which metric and source, its number."""
    event: tuple[int, str, str, int, str, str]
    """When, kind, channel, ticket, actor, data (text)."""


class RunningClocks:
    """Reads without a lock, and writes in one short transaction what still is as it was read.

    It is a context: what was written may be undone by a power cut until that ends.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._unsettled = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="settle")
        self._settling: Future[None] | None = None
        self._dialect = dialect = engine.dialect
        of = sa.bindparam("of", type_=sa.BigInteger)
        due = sa.bindparam("due", type_=sa.BigInteger)
        clock = {
            "due_at": due,
            "next_at": sa.bindparam("next", type_=sa.BigInteger),
            "body": json_text(dialect, "text"),
        }
        shown = {"due_at": due, "due_metric": sa.bindparam("metric"), "due_source": sa.bindparam("source")}
        event: dict[str, Any] = {name: sa.bindparam(name) for name in ("kind", "channel", "actor")}
        event |= {name: sa.bindparam(name, type_=sa.BigInteger) for name in ("at", "ticket")}
        running = (one_of(dialect, _CLOCK.c.ticket, "tickets"), _CLOCK.c.state == ClockState.RUNNING.value)
        # In order: what lies side by side is read and written together.
        order = (_CLOCK.c.ticket, _CLOCK.c.id)
        read = sa.select(*_READ).join_from(_CLOCK, _TICKET, _TICKET.c.id == _CLOCK.c.ticket)
        again = sa.select(*_SEEN).with_for_update(skip_locked=True)
        tickets = sa.select(_TICKET.c.id).where(_TICKET.c.due_at.is_not(None)).order_by(_TICKET.c.id)
        self._tickets = Prepared(dialect, tickets)
        self._read = Prepared(dialect, read.where(*running).order_by(*order))
        self._again = Prepared(dialect, again.where(*running).order_by(*order))
        event["data"] = json_text(dialect, "data")
        self._clock = Prepared(dialect, sa.update(_CLOCK).where(_CLOCK.c.id == of).values(**clock), _CLOCK_VALUES)
        self._ticket = Prepared(dialect, sa.update(_TICKET).where(_TICKET.c.id == of).values(**shown), _TICKET_VALUES)
        self._event = Prepared(dialect, sa.insert(_EVENT).values(**event), _EVENT_VALUES)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Settle what was written, even where the work was broken off."""
        with self._thread:
            self._settled()
            settle(self._engine)

    def tickets(self) -> list[int]:
        """Number the tickets with a running clock, in order."""
        with reading(self._engine).connect() as conn:
            return [number for (number,) in self._tickets.fetch(conn)]

    def read(self, tickets: list[int]) -> list[Row]:
        """Read the running clocks of some tickets, ordered by ticket and then by their own number."""
        with reading(self._engine).connect() as conn:
            rows: list[Any] = self._read.fetch(conn, tickets=numbers(self._dialect, tickets))
        return rows

    def write(self, rewritten: Mapping[int, Rewritten]) -> tuple[set[int], float]:
        """Write the tickets whose running clocks still say what was seen.

        Returns:
            the other tickets, and for how many seconds the transaction was open.
        """
        wanted = numbers(self._dialect, rewritten)
        seen = [row[:3] for each in rewritten.values() for row in each.seen]
        ready = self._ready(rewritten)
        busy: set[int] = set()
        # Not before that is done: SQLite begins its log anew only where all of it was copied when somebody writes.
        self._settled()
        with begin_unsettled(self._engine) as conn:
            began = perf_counter()
            found = self._again.fetch(conn, tickets=wanted)
            if found != seen:
                busy = _differing(seen, found)
                ready = self._ready({number: each for number, each in rewritten.items() if number not in busy})
            for statement, rows in ready:
                statement.write(conn, rows)
        seconds = perf_counter() - began
        self._unsettled += 1
        if self._unsettled >= _SETTLE_EVERY:
            self._unsettled = 0
            self._settling = self._thread.submit(settle, self._engine)  # it waits for the disk: read on meanwhile
        return busy, seconds

    def _settled(self) -> None:
        if self._settling:
            settling, self._settling = self._settling, None
            settling.result()

    def _ready(self, rewritten: Mapping[int, Rewritten]) -> list[tuple[Prepared, list[Any]]]:
        each = rewritten.values()
        return [
            (self._clock, self._clock.rows(clock for one in each for clock in one.clocks)),
            (self._ticket, self._ticket.rows(one.shown for one in each)),
            (self._event, self._event.rows(one.event for one in each)),
        ]


def _differing(seen: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> set[int]:
    """Find the tickets seen of which now something else is found."""
    now = {number: list(rows) for number, rows in groupby(found, itemgetter(0))}
    return {number for number, rows in groupby(seen, itemgetter(0)) if now.get(number) != list(rows)}
