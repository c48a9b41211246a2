"""All due times again after a calendar was changed, on SQLite, while somebody else writes.

In the run of all benchmarks with fewer clocks; `python benchmarks/recompute.py 1000000` is the whole of it.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from harness import Result, percentile, result, seconds, show

from aftersail.core.clocks import Basis, Calendar, Metric, Source, SourceKind, Target, start
from aftersail.core.desk.clock_rows import columns
from aftersail.core.desk.recompute import Recomputed, recompute_clocks
from aftersail.core.desk.services import Services
from aftersail.core.policy import PackLibrary
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from aftersail.core.store.migrate import upgrade

_COUNT = 20_000
_LIMIT_SECONDS = 30 / 1_000_000
_PAUSE_SECONDS = 0.02
_NOW = datetime(2026, 11, 25, 13, tzinfo=UTC)
_PACK = """
id: bench
version: {version}
title: A desk on weekdays
effective_from: {begins}
currency: EUR
calendars:
  desk: {{timezone: Europe/Berlin, hours: "Mo-Fr 08:00-22:00", closed: [{closed}]}}
"""
_OWN = Source(kind=SourceKind.OWN, name="bench")
_TARGETS = tuple(
    Target(
        metric=metric,
        duration=timedelta(hours=hours),
        basis=Basis.BUSINESS_TIME,
        calendar="desk",
        warn_lead=timedelta(hours=1),
        source=_OWN,
        row="all",
    )
    for metric, hours in ((Metric.FIRST_RESPONSE, 24), (Metric.RESOLUTION, 40))
)


class Writer(threading.Thread):
    """Somebody else at the same database: how long does each of its small writes take?"""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.stop = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        conn = sqlite3.connect(self.path, isolation_level=None, timeout=30)
        while not self.stop.wait(_PAUSE_SECONDS):
            began = time.perf_counter()
            conn.execute("BEGIN IMMEDIATE")
            self.waits.append(time.perf_counter() - began)
            conn.execute("UPDATE channel SET failures = failures + 1")
            conn.execute("COMMIT")
        conn.close()


def fill(engine: sa.Engine, calendar: Calendar, count: int) -> None:
    """Write tickets of two running clocks each, filed one after the other over the last thirty hours."""
    chance = random.Random(1)
    step = timedelta(hours=30) / (count // 2)
    with engine.begin() as conn:
        conn.execute(sa.insert(tables.channel).values(id="shop", kind="bench", poll_seconds=60))
        for first in range(1, count // 2 + 1, 5_000):
            numbers = range(first, min(first + 5_000, count // 2 + 1))
            late = {number: timedelta(seconds=chance.randrange(600)) for number in numbers}
            filed = {number: _NOW - timedelta(hours=30) + number * step - late[number] for number in numbers}
            due = {number: start(_TARGETS[0], calendar, at).due_at for number, at in filed.items()}
            conn.execute(sa.insert(tables.ticket), [_ticket(number, at, due[number]) for number, at in filed.items()])
            clocks = [(number, start(each, calendar, at)) for number, at in filed.items() for each in _TARGETS]
            rows = [columns(clock) | {"ticket": number} for number, clock in clocks]
            conn.execute(sa.insert(tables.clock), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")  # what filling has left behind is no part of it


def _ticket(number: int, at: datetime, due: datetime) -> dict[str, Any]:
    words = {"subject": "Where is it?", "state": "open", "language": "en", "reason": "not_received"}
    first = {"due_metric": _TARGETS[0].metric.value, "due_source": "own: bench"}
    when = {"filed_at": at, "opened_at": at, "updated_at": at, "due_at": due, "pack_id": "bench", "pack_version": 1}
    return {
        "id": number,
        "channel": "shop",
        "reason_because": "",
        "escalation": False,
        "token": "t",
        **words,
        **first,
        **when,
    }


def run(count: int = _COUNT) -> Iterator[Result]:
    """Add two closed days, and check the result against clocks started with them."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _run(Path(folder), count)


def _run(folder: Path, count: int) -> Iterator[Result]:
    (folder / "1.yaml").write_text(_PACK.format(version=1, begins="2026-01-01", closed=""))
    changed = _PACK.format(version=2, begins="2026-11-25", closed="2026-11-26, 2026-11-27")
    (folder / "2.yaml").write_text(changed)
    packs = PackLibrary([folder])
    services: Any = Services(packs=packs, pack_id="bench", triage=None, jobs=None, channels={})  # type: ignore[arg-type]
    before, after = (packs.get("bench", version).calendar("desk") for version in (1, 2))
    engine = open_engine(f"sqlite:///{folder / 'bench.db'}")
    upgrade(engine)
    fill(engine, before, count)
    held = _Held()
    held.watch(engine)
    writer = Writer(folder / "bench.db")
    reports: list[Recomputed] = []
    writer.start()
    cpu = time.process_time()
    took = seconds(lambda: reports.append(recompute_clocks(engine, services, lambda: _NOW)))
    cpu = time.process_time() - cpu
    writer.stop.set()
    writer.join()
    (report,) = reports
    with engine.connect() as conn:
        for row in conn.execute(sa.select(tables.clock).order_by(sa.func.random()).limit(500)):
            target = next(each for each in _TARGETS if each.metric == row.metric)
            if row.due_at != start(target, after, row.started_at).due_at:
                raise AssertionError(f"clock {row.id} is due at {row.due_at}")
    if (report.clocks, report.busy) != (count, 0) or report.moved < 0.9 * count:
        raise AssertionError(f"not every clock was counted again: {report}")
    engine.dispose()
    share = f"{report.moved / count:.0%} of {count:,} moved"
    yield result(f"clocks counted again, {share}", took / count * 1e6, "µs", floor=_LIMIT_SECONDS * 1e6)
    yield result("  processor time of it, the other writer's included", cpu / count * 1e6, "µs")
    yield result("  the longest hold of the lock by statements", max(held.statements) * 1000, "ms")
    yield result("  the longest hold of the lock by a commit", max(held.commits) * 1000, "ms")
    yield result(
        "  the longest hold of the lock, both together",
        max(map(sum, zip(held.statements, held.commits, strict=True))) * 1000,
        "ms",
        floor=100,
    )
    yield result("  the longest wait of another writer", max(writer.waits) * 1000, "ms", floor=100)
    yield result("  its 99th percentile", percentile(writer.waits, 99) * 1000, "ms")


class _Held:
    """The time of every write transaction: from holding the lock to its commit, and of that until the lock is free."""

    def __init__(self) -> None:
        self.statements: list[float] = []
        self.commits: list[float] = []

    def watch(self, engine: sa.Engine) -> None:
        at: dict[int, list[float]] = {}

        @sa.event.listens_for(engine, "begin")
        def begin(conn: sa.Connection) -> None:
            writes = conn.get_execution_options().get("isolation_level") != "AUTOCOMMIT"  # a checkpoint has no lock
            if writes and not conn.info["looking_only"]:
                at[id(conn.connection.dbapi_connection)] = [time.perf_counter()]

        @sa.event.listens_for(engine, "commit")
        def commit(conn: sa.Connection) -> None:
            if times := at.get(id(conn.connection.dbapi_connection)):
                times.append(time.perf_counter())

        @sa.event.listens_for(engine, "checkin")
        def given_back(connection: Any, _record: object) -> None:
            if len(times := at.pop(id(connection), [])) == 2:
                begun, committing = times
                self.statements.append(committing - begun)
                self.commits.append(time.perf_counter() - committing)


if __name__ == "__main__":
    show(run(int(sys.argv[1]) if sys.argv[1:] else _COUNT), Path(__file__).with_name("results.jsonl"))
