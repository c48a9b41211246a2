"""Two equal claims are two refunds, what others paid is seen before, and a list that lags is waited for.

That one claim seen by webhook, poll and mail is one refund stands in `tests/remedies/test_one_claim.py`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aftersail.core.contract import Money, RefundRequest
from aftersail.core.remedies import plan_refund
from aftersail.core.remedies.plan import AUTOMATION, remedy_key
from aftersail.core.store import tables
from aftersail.core.store.unit import unit_of_work
from aftersail.sdk.testing.faults import Fault
from tests.databases import Databases
from tests.faults.connector import KINDS, PATIENT
from tests.faults.world import World


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def world(sqlite_databases: Databases, tmp_path: Path, kind: str):
    """A desk of one channel, at rest: half of the 10.00 of each order has been refunded."""
    with World(sqlite_databases, tmp_path, "calm", seed=5, kinds=(kind,)) as world:
        world.live()
        yield world


def each(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, indirect=True)


def claim(world: World, kind: str, name: str, *, case: str | None = None, order: str = "1") -> str:
    """Plan a refund of 2.00 as a rule would for a claim of its own."""
    [ticket] = [
        row for row in world.rows(tables.ticket) if row.channel == kind and row.subject == f"Order {kind}-{order}"
    ]
    key, amount = remedy_key("claim", kind, name), Money.of("2.00", "USD")
    now = world.clock()
    body = RefundRequest(key=key, order_id=f"{kind}-{order}", amount=amount, planned_at=now, case_id=case)
    with unit_of_work(world.app.engine, now) as unit:
        where = {"ticket": ticket.id, "channel": kind}
        plan_refund(unit, world.app.jobs, **where, refund=body, why="a claim", approved_by=AUTOMATION)
    return key


def paid(world: World, kind: str, key: str) -> int:
    return sum(effect.key == key for effect in world.markets[kind].done("refund"))


def states(world: World, *keys: str) -> list[str]:
    return [row.state for key in keys for row in world.rows(tables.remedy) if row.key == key]


@each(*KINDS)
@pytest.mark.parametrize("lost", [None, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER])
def test_two_equal_claims_on_one_order_are_two_refunds(world: World, kind: str, lost: Fault | None) -> None:
    if lost:
        world.markets[kind].fail_next("pay", lost)
    keys = [claim(world, kind, "first", case="c1"), claim(world, kind, "second", case="c2")]
    world.rest()
    if kind in PATIENT or lost is None:
        assert [paid(world, kind, key) for key in keys] == [1, 1]
        assert states(world, *keys) == ["settled", "settled"]
    else:
        # A person is asked about the one in doubt, and until then the other waits.
        assert sorted(states(world, *keys)) == ["approved", "unknown"]
        assert sum(paid(world, kind, key) for key in keys) == (lost is Fault.TIMEOUT_AFTER)


@each(*(kind for kind in PATIENT if "quote_refund" in KINDS[kind].operations()))
def test_a_refund_made_elsewhere_is_seen_before_acting(world: World, kind: str) -> None:
    world.clock.advance(timedelta(minutes=1))
    world.markets[kind].refund_by_hand(f"{kind}-1", Decimal(2))
    key = claim(world, kind, "late")
    world.rest()
    assert paid(world, kind, key) == 0
    assert states(world, key) == ["refused"]
    [row] = [row for row in world.rows(tables.task) if row.remedy == key and row.closed_at is None]
    assert "somebody else refunded 2.00 USD" in row.why


@each("lookup")
@pytest.mark.parametrize("minutes", [0, 5, 14])
def test_a_look_up_is_patient_with_a_list_that_lags(world: World, minutes: int) -> None:
    market = world.markets["lookup"]
    market.lag = timedelta(minutes=minutes)
    market.fail_next("pay", Fault.TIMEOUT_AFTER)
    key = claim(world, "lookup", "lagging")
    world.rest()
    assert paid(world, "lookup", key) == 1
    assert states(world, key) == ["settled"]


@each("lookup")
def test_after_patience_what_never_happened_is_sent_again(world: World) -> None:
    world.markets["lookup"].fail_next("pay", Fault.TIMEOUT_BEFORE)
    key, began = claim(world, "lookup", "astray"), world.clock()
    world.rest()
    assert paid(world, "lookup", key) == 1
    [effect] = [effect for effect in world.markets["lookup"].ledger if effect.key == key]
    assert timedelta(minutes=14) < effect.at - began < timedelta(minutes=20)
