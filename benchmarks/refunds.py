"""Refunds: what the outbox adds around the platform's call, beside the two durable commits nobody can do without."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from harness import Result, percentile, result, seconds
from shop import NOW, MemoryConnector, desk, payloads

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.remedies.plan import AUTOMATION, plan_refund
from aftersail.core.store import tables
from aftersail.core.store.unit import unit_of_work

_COUNT = 400
_WARM_UP = 20


class BareRecord:
    """An intent before the call and an outcome after it: two commits, each as durable as ours."""

    def __init__(self, path: Path) -> None:
        self._conn = sqlite3.connect(path, isolation_level=None)
        self._conn.execute("PRAGMA journal_mode=WAL")
        self._conn.execute("PRAGMA synchronous=FULL")
        self._conn.execute("CREATE TABLE refund (key TEXT PRIMARY KEY, state TEXT, amount TEXT, external_id TEXT)")

    def pay(self, key: str) -> None:
        self._conn.execute("INSERT INTO refund VALUES (?, 'claimed', '9.99 EUR', NULL)", (key,))
        self._conn.execute("UPDATE refund SET state = 'settled', external_id = ? WHERE key = ?", (f"rf-{key}", key))


def run() -> Iterator[Result]:
    """Compare refund by refund, alternating."""
    MemoryConnector.payloads = payloads(2)
    MemoryConnector.paid = []
    keys = [f"refund-{number}" for number in range(_COUNT + _WARM_UP)]
    with tempfile.TemporaryDirectory() as folder, desk(Path(folder)) as app:
        app.intake.sync(app.channels.get("shop"))
        with unit_of_work(app.engine, NOW) as unit:
            ticket = int(unit.conn.scalar(sa.select(tables.ticket.c.id)) or 0)
            for key in keys:
                refund = RefundRequest(key=key, order_id=key, amount=Money.of("9.99", "EUR"), planned_at=NOW)
                plan_refund(
                    unit, app.jobs, ticket=ticket, channel="shop", refund=refund, why="bench", approved_by=AUTOMATION
                )
        bare = BareRecord(Path(folder) / "bare.db")
        times = [(seconds(partial(app.outbox.work, key)), seconds(partial(bare.pay, key))) for key in keys]
        with app.engine.begin() as conn:
            settled = conn.scalar(
                sa.select(sa.func.count()).select_from(tables.remedy).where(tables.remedy.c.state == "settled")
            )
    if settled != len(keys) or sorted(MemoryConnector.paid) != sorted(keys):
        raise AssertionError(f"{settled} of {len(keys)} refunds settled, {len(MemoryConnector.paid)} paid")
    ours, theirs = ([pair[side] for pair in times[_WARM_UP:]] for side in (0, 1))
    yield result("one safe refund, without the platform's call", percentile(ours, 50) * 1000, "ms")
    middle = percentile(ours, 50) / percentile(theirs, 50)
    yield result("one safe refund to two bare commits, median", middle, "x", floor=3, goal=1.5)
    worst = percentile(ours, 99) / percentile(theirs, 99)
    yield result("one safe refund to two bare commits, 99th percentile", worst, "x", floor=6, goal=1.5)
    yield result("refunds, one worker", 1 / (sum(ours) / len(ours)), "refunds/s", floor=250, more=True)
