"""Any interleaving of pages and crashes gives the store that one clean run gives."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aftersail.core.contract import CursorExpired
from aftersail.core.store import tables
from tests.builders import Desk, migrate
from tests.databases import Databases
from tests.intake.world import CrashError, Platform, World, worlds

CHANNELS = ("shop", "box")


def plug(desk: Desk, streams: dict[str, Platform]) -> None:
    shop, box = (desk.add(channel) for channel in CHANNELS)
    shop.orders, shop.cases, shop.messages = streams["orders"], streams["cases"], streams["messages"]
    box.messages = streams["mails"]


def run_clean(databases: Databases, world: World) -> dict[str, Any]:
    calm = random.Random(0)
    everything = {"orders": [*world.orders, *world.late], "cases": world.cases}
    everything |= {"messages": world.messages, "mails": world.mails}
    with Desk(databases.fresh("store", migrate)) as desk:
        plug(desk, {name: Platform(log, calm, 0) for name, log in everything.items()})
        for channel in CHANNELS:
            desk.sync(channel)
        return outcome(desk)


def run_badly(databases: Databases, world: World, seed: int, trouble: int) -> dict[str, Any]:
    """Sync again and again, with a process that dies at any moment, until the platforms have no more ideas."""
    chance = random.Random(seed)
    streams, late = {}, list(world.late)
    for name in ("orders", "cases", "messages", "mails"):
        log = list(getattr(world, name))
        chance.shuffle(log)
        streams[name] = Platform(log, chance, trouble)
    chance.shuffle(late)
    with Desk(databases.fresh("store", migrate)) as desk:
        plug(desk, streams)
        dying = Dying(desk, chance, trouble)
        while late or any(stream.trouble > 0 for stream in streams.values()):
            for channel in chance.sample(CHANNELS, len(CHANNELS)):
                with suppress(CrashError, CursorExpired):  # a cursor that expires twice in one sync ends it
                    desk.sync(channel)
            for stream in streams.values():
                stream.trouble -= 1
            if late and chance.random() < 0.5:
                streams["orders"].log.append(late.pop())
        dying.deaths = 0
        for channel in CHANNELS:
            desk.sync(channel)
        return outcome(desk)


class Dying:
    """Kills the work right before a commit, or right after it, now and then."""

    def __init__(self, desk: Desk, chance: random.Random, deaths: int) -> None:
        self.chance, self.deaths = chance, deaths
        sa.event.listen(desk.engine, "commit", lambda _: self.maybe("before the commit"))
        notify = desk.intake._notify
        desk.intake._notify = lambda hook, event: (notify(hook, event), self.maybe("after the commit"))

    def maybe(self, when: str) -> None:
        if self.deaths > 0 and self.chance.random() < 0.15:
            self.deaths -= 1
            raise CrashError(when)


def outcome(desk: Desk) -> dict[str, Any]:
    """What must be the same: ticket numbers, instants of storing and finished clocks are left out."""
    tickets: dict[int, set[str]] = {row.id: set() for row in desk.rows(tables.ticket)}
    messages = desk.rows(tables.message)
    for row in messages:
        tickets[row.ticket].add(row.external_id)
    cases = desk.rows(tables.cases)
    for row in cases:
        tickets[row.ticket].add(row.external_id)
    orders = {row.id: row for row in desk.rows(tables.orders)}
    running: dict[int, Counter[Any]] = {ticket: Counter() for ticket in tickets}
    for row in desk.rows(tables.clock, tables.clock.c.state == "running"):
        running[row.ticket][row.metric, row.started_at, row.due_at, row.source] += 1
    planned: dict[int, set[Any]] = {ticket: set() for ticket in tickets}
    for row in desk.rows(tables.remedy):
        planned[row.ticket].add((row.kind, row.rule, row.order_id, row.state))
    found = {
        frozenset(tickets[row.id]): {
            "state": row.state,
            "filed_at": row.filed_at,
            "order": orders[row.orders_id].number if row.orders_id else None,
            "reason": row.reason,
            "tier": row.tier,
            "due_at": row.due_at,
            "buyer": row.buyer_email,
            "clocks": running[row.id],
            "planned": planned[row.id],
        }
        for row in desk.rows(tables.ticket)
    }
    assert all(found), "a ticket holds nothing"
    return {
        "messages": {(row.channel, row.external_id): (row.revision, row.text, row.direction) for row in messages},
        "orders": {(row.channel, row.external_id): (row.revision, row.status) for row in orders.values()},
        "cases": {row.external_id: (row.revision, row.open, row.respond_by) for row in cases},
        "tickets": found,
    }


def compare(got: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare two stores.

    What is planned must be the same where the buyer still waits. Where the seller has answered, it depends on what was
    known before the answer was read, and nobody could have known better; but money is planned once at most.
    """
    for part in ("messages", "orders", "cases"):
        assert got[part] == wanted[part]
    assert set(got["tickets"]) == set(wanted["tickets"])
    for ticket, expected in wanted["tickets"].items():
        found = got["tickets"][ticket]
        planned, expected_plans = found.pop("planned"), expected.pop("planned")
        assert found == expected
        assert expected["state"] != "open" or planned == expected_plans
        assert sum(kind == "refund" for kind, *_ in planned) <= 1


def test_the_worlds_hold_what_matters(sqlite_databases: Databases) -> None:
    seen: Counter[str] = Counter()

    @given(worlds())
    @settings(DRAWN, max_examples=8, database=None)
    def look(world: World) -> None:
        for ticket in run_clean(sqlite_databases, world)["tickets"].values():
            seen.update(kind for kind, *_ in ticket["planned"])
            seen.update(metric for metric, *_ in ticket["clocks"])
            seen[ticket["state"]] += 1

    look()
    assert {"refund", "reply", "first_response", "next_response", "return_answered", "open", "waiting"} <= set(seen)


INTERLEAVED = {"world": worlds(), "seed": st.integers(0, 2**32), "trouble": st.integers(1, 8)}
# Shrinking a world of conversations takes minutes and explains little; the seed and the world it prints do.
DRAWN = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))


@given(**INTERLEAVED)
@settings(DRAWN, max_examples=10)
def test_any_interleaving_gives_the_same_store(
    sqlite_databases: Databases, world: World, seed: int, trouble: int
) -> None:
    compare(run_badly(sqlite_databases, world, seed, trouble), run_clean(sqlite_databases, world))


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(**INTERLEAVED)
@settings(DRAWN, max_examples=120)
def test_any_of_many_interleavings_gives_the_same_store(
    sqlite_databases: Databases, world: World, seed: int, trouble: int
) -> None:
    compare(run_badly(sqlite_databases, world, seed, trouble), run_clean(sqlite_databases, world))


@pytest.mark.postgres
@given(**INTERLEAVED)
@settings(DRAWN, max_examples=2)
def test_any_interleaving_gives_the_same_store_on_postgres(
    postgres_databases: Databases, world: World, seed: int, trouble: int
) -> None:
    compare(run_badly(postgres_databases, world, seed, trouble), run_clean(postgres_databases, world))
