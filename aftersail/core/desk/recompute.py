"""All due times again, after a calendar was changed: in batches, so that nobody who writes waits for long.

A batch is read and worked out without a lock. Only then it is written, in a transaction of its own, for those tickets
that still say what was read; the others are looked at again later.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json

from aftersail.core.clocks import Recount, SourceKind
from aftersail.core.desk.running import Rewritten, Row, RunningClocks
from aftersail.core.desk.services import Services, clock_pack
from aftersail.core.policy import Pack
from aftersail.core.store.types import instant, micros

MOST: Final = 2000
"""The most tickets whose clocks are written in one transaction."""

_FIRST_BATCH: Final = 200
_LEAST_BATCH: Final = 50
_AIM_SECONDS: Final = 0.025
"""How long a batch may hold the lock. Whoever waits for it on SQLite asks again every 25 ms or sooner at first: working
the next batch out takes as long as that, so hardly anybody finds the lock taken twice."""
_ROUNDS: Final = 5
_RANK: Final = {SourceKind.LAW.value: 0, SourceKind.MARKETPLACE.value: 1, SourceKind.OWN.value: 2}


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


class _Filed(NamedTuple):
    """What the pack of a ticket is found by."""

    filed_at: datetime
    pack_id: str | None
    pack_version: int | None


class _Pace:
    """How many tickets make a batch: as many as are written in `_AIM_SECONDS`, whatever the machine has to do."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = min(most, _FIRST_BATCH)

    def took(self, seconds: float) -> None:
        """Learn from a batch."""
        factor = min(max(_AIM_SECONDS / seconds, 0.5), 1.25)
        self.size = min(max(round(self.size * factor), _LEAST_BATCH), self._most)


def recompute_clocks(
    engine: sa.Engine,
    services: Services,
    now: Callable[[], datetime],
    *,
    actor: str = "aftersail",
    most: int = MOST,
    progress: Callable[[Recomputed], None] = lambda _: None,
) -> Recomputed:
    """Work every running clock's due instant out again with the opening hours that hold now.

    What changes is written into each ticket's history with its due instant before and after. A paused clock needs
    nothing: it is counted with the new hours when it runs again. What is overdue stays so. Who was stopped half-way
    begins again: what is written already is found as it should be, and stays.

    Args:
        engine: the database.
        services: the packs.
        now: the clock.
        actor: who wants it.
        most: how many tickets at most are written in one transaction; fewer where it takes long.
        progress: is told after every batch.
    """
    with RunningClocks(engine) as clocks:
        return _recomputed(clocks, services, now, actor, most, progress)


def _recomputed(
    clocks: RunningClocks,
    services: Services,
    now: Callable[[], datetime],
    actor: str,
    most: int,
    progress: Callable[[Recomputed], None],
) -> Recomputed:
    waiting = array("q", clocks.tickets())
    report = Recomputed(tickets=len(waiting))
    pace = _Pace(most)
    for _ in range(_ROUNDS):
        again = array("q")
        start = 0
        while some := waiting[start : start + pace.size].tolist():
            start += len(some)
            busy: set[int] = set()
            with _uncollected():
                rows = clocks.read(some)
                moved = _worked_out(rows, services, now(), actor)
                if moved:
                    busy, seconds = clocks.write(moved)
                    pace.took(seconds)
            again.extend(sorted(busy))
            written = sum(len(each.clocks) for number, each in moved.items() if number not in busy)
            report = replace(
                report,
                done=report.done + len(some) - len(busy),
                clocks=report.clocks + len(rows),
                moved=report.moved + written,
            )
            progress(report)
        waiting = again
        if not waiting:
            break
    return replace(report, busy=len(waiting))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector away from a batch: it is made of many small objects, none of which is in a cycle.

    A sixth of the time went there, and a full collection, all of the process looked through, while holding the lock.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _worked_out(rows: list[Row], services: Services, now: datetime, actor: str) -> dict[int, Rewritten]:
    """Count running clocks again: what is to be written for each ticket where one moves."""
    packs: dict[object, Pack] = {}
    recount = Recount(now)
    at = micros(now)
    moved: dict[int, Rewritten] = {}
    for number, of_ticket in groupby(rows, itemgetter(0)):
        seen = list(of_ticket)
        channel, filed_at, pack_id, version = seen[0][7:]
        # The same for all that one version has judged.
        judged_by = (pack_id, version) if version else filed_at
        pack = packs.get(judged_by)
        if pack is None:
            pack = packs[judged_by] = clock_pack(services, _Filed(instant(filed_at), pack_id, version), now)
        clocks, changes, due, (metric, source) = _of_ticket(seen, pack, recount)
        if clocks:
            told = f'{{"clocks":[{",".join(changes)}]}}'
            event = (at, "clocks_recomputed", channel, number, actor, told)
            moved[number] = Rewritten(seen, clocks, (due, metric, source, number), event)
    return moved


def _of_ticket(
    seen: list[Row], pack: Pack, recount: Recount
) -> tuple[list[tuple[int, str, int | None, int]], list[str], int, tuple[str, str]]:
    """Count one ticket's clocks again.

    Returns:
        the rows of those that moved, what the history tells of them as JSON, and of the clock that is due first then:
        its due instant, its metric and source.
    """
    clocks: list[tuple[int, str, int | None, int]] = []
    changes: list[str] = []
    first: tuple[str, str] | None = None
    first_due = 0
    for _, row_id, body, metric, source, due_at, started_at, _, _, _, _ in seen:
        found = recount.again(body, started_at, due_at, pack.calendar)
        due = due_at
        if found is not None:
            due, upcoming, before, after, text = found
            clocks.append((due, text, upcoming, row_id))
            changes.append(f'{_told(metric, source)}"before":"{before}+00:00","after":"{after}+00:00"}}')
        if first is None or due < first_due or (due == first_due and _rank(source) < _rank(first[1])):
            first_due, first = due, (metric, source)
    return clocks, changes, first_due, first or ("", "")


def _rank(source: str) -> int:
    return _RANK[source.partition(":")[0]]


@lru_cache(maxsize=1000)
def _told(metric: str, source: str) -> str:
    """Begin what the history tells of a clock, up to its instants."""
    return to_json({"metric": metric, "source": source}).decode().removesuffix("}") + ","
