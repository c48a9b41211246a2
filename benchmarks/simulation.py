"""A simulation of a draft pack over stored requests: time and memory, beside deciding the same facts from memory.

`python benchmarks/simulation.py 100000` measures that many requests, with the peak of memory of the whole process.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from harness import Result, result, seconds

from aftersail.core import packs
from aftersail.core.clocks import Clock, Metric, meet, start
from aftersail.core.contract import Money
from aftersail.core.desk.history import simulate_history
from aftersail.core.desk.history_workers import DraftSource, simulate_long_history
from aftersail.core.policy import Facts, Pack, PackLibrary, decide, make_facts, plain_facts
from aftersail.core.policy.reasons import Reason
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from aftersail.core.store.migrate import upgrade

_SMALL = 2000
_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_SHIPPED = Path(packs.__file__).parent
_REASONS = [reason.value for reason in Reason]


def facts_of(number: int, at: datetime) -> Facts:
    """Make what is known of a request; amounts, reasons, languages and histories differ."""
    total = Money.of(f"{5 + number % 60}.{number % 100:02}", "USD")
    return make_facts(
        {
            "ticket.reason": _REASONS[number % len(_REASONS)],
            "ticket.language": ("en", "de", "ja")[number % 3],
            "ticket.channel": "shop",
            "ticket.connector": "shopify",
            "ticket.escalation": number % 50 == 0,
            "message.authentic": True,
            "order.known": True,
            "order.total": total,
            "order.refunded": Money.of(0, "USD"),
            "order.refundable": total,
            "order.placed_at": at - timedelta(days=number % 40),
            "order.delivered": number % 2 == 0,
            "order.age_days": number % 40,
            "order.lines": 1 + number % 3,
            "claim.amount": total,
            "claim.kind": "message",
            "buyer.orders": 1 + number % 9,
            "buyer.refunds": number % 4 % (1 + number % 9),
            "buyer.matches_order": True,
            "parcel.status": ("in_transit", "delivered")[number % 2],
        }
    )


def fill(engine: sa.Engine, pack: Pack, count: int) -> None:
    """Store so many requests with their decisions and clocks, as the desk does: the same 2,000, over and over."""
    with engine.begin() as conn:
        conn.execute(sa.insert(tables.channel).values(id="shop", kind="shopify", poll_seconds=60))
    models = [_request(pack, number) for number in range(min(count, _SMALL))]
    for first in range(0, count, _SMALL):
        rows: dict[sa.Table, list[dict[str, Any]]] = {tables.ticket: [], tables.decision: [], tables.clock: []}
        for ticket, model in enumerate(models[: count - first], first + 1):
            rows[tables.ticket].append(model[tables.ticket][0] | {"id": ticket})
            for table in (tables.decision, tables.clock):
                rows[table] += [row | {"ticket": ticket} for row in model[table]]
        with engine.begin() as conn:
            for table, found in rows.items():
                conn.execute(sa.insert(table), found)


def _request(pack: Pack, number: int) -> dict[sa.Table, list[dict[str, Any]]]:
    at = _NOW - timedelta(days=80) + timedelta(minutes=number)
    facts = facts_of(number, at)
    decision = decide(pack, facts, at)
    judged = {"pack_id": decision.pack_id, "pack_version": decision.pack_version}
    said = {"subject": "Order", "state": "open", "language": "en", "reason": "other", "reason_because": ""}
    times = {"filed_at": at, "opened_at": at, "updated_at": at}
    ticket = {"channel": "shop", "escalation": False, "token": str(number)} | said | times | judged
    body = decision.model_dump(mode="json")
    stored = {"at": at, "summary": decision.summary, "facts": plain_facts(facts), "body": body} | judged
    clocks = []
    for target in decision.targets:
        if target.metric is not Metric.NEXT_RESPONSE:
            clock = meet(start(target, pack.calendar(target.calendar), at), at + timedelta(minutes=number % 3000))
            clocks.append(_clock_row(clock))
    return {tables.ticket: [ticket], tables.decision: [stored], tables.clock: clocks}


def _clock_row(clock: Clock) -> dict[str, Any]:
    instants = ("started_at", "due_at", "met_at", "breached_at", "detected_at", "warned_at")
    said = {name: getattr(clock, name) for name in ("metric", "state", *instants)}
    return said | {"source": clock.source.label, "body": clock.model_dump(mode="json")}


def draft(folder: Path) -> Pack:
    """Write a draft upon the starter pack: other money, other tiers' promises, one more question."""
    text = (_SHIPPED / "starter.yaml").read_text(encoding="utf-8")
    for old, new in (("version: 1", "version: 2"), ("claim.amount < 20", "claim.amount < 30"), ("8h", "6h")):
        text = text.replace(old, new)
    (folder / "starter.yaml").write_text(text, encoding="utf-8")
    return PackLibrary([_SHIPPED / "law", _SHIPPED / "market", folder]).latest("starter")


def measure(count: int) -> Iterator[Result]:
    """Play `count` stored requests through the draft, and decide the same facts without a store beside it."""
    pack = PackLibrary([_SHIPPED]).in_force("starter", _NOW)
    with tempfile.TemporaryDirectory() as name:
        engine = open_engine(f"sqlite:///{name}/desk.db", durable=False)
        upgrade(engine)
        fill(engine, pack, count)
        changed = draft(Path(name))
        since = _NOW - timedelta(days=400)

        def ours() -> None:
            found = simulate_history(engine, changed, since=since, until=_NOW + timedelta(days=400))
            if found.requests != count or not 0 < found.changed < count:
                raise AssertionError(f"the simulation went astray: {found.requests} requests, {found.changed} changed")

        known = [facts_of(number, _NOW) for number in range(_SMALL)]
        rounds = 3 if count <= _SMALL else 1
        took = [
            (seconds(ours), seconds(lambda: [decide(changed, facts, _NOW) for facts in known])) for _ in range(rounds)
        ]
        if count > _SMALL:
            source = DraftSource(
                (_SHIPPED / "law", _SHIPPED / "market"), "starter.yaml", (Path(name) / "starter.yaml").read_bytes()
            )
            until = _NOW + timedelta(days=400)
            yield result(
                f"{count} stored requests in {os.cpu_count()} processes",
                seconds(lambda: simulate_long_history(engine, source, since=since, until=until)),
                "s",
                goal=60 * count / 100_000,
            )
        began = time.process_time()
        ours()
        yield result(
            f"processor time of {count} requests, for 100,000", (time.process_time() - began) / count * 1e5, "s"
        )
        best = min(first for first, _ in took)
        to_bare = statistics.median((first / count) / (second / _SMALL) for first, second in took)
        yield result(f"{count} stored requests through a draft, for 100,000", best / count * 100_000, "s", goal=60)
        yield result("one request of a simulation, to one bare decision", to_bare, "x", floor=3)
        if count <= _SMALL:  # tracing memory makes everything several times slower
            yield result("memory while simulating, at most", _peak(ours), "MiB", floor=64)
        engine.dispose()


def _peak(work: Any) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak) / 2**20


def run() -> Iterator[Result]:
    """Measure a small history; the figure for 100,000 is worked out from it."""
    yield from measure(_SMALL)


if __name__ == "__main__":
    for found in measure(int(sys.argv[1])):
        print(found, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of this process, which has filled the store too: {peak:.0f} MiB")
