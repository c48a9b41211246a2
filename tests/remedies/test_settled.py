"""What a settled remedy means for its ticket: `on_settled`, in the same transaction."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core import packs
from aftersail.core.clocks import Basis, Metric, Source, SourceKind, Target
from aftersail.core.desk.clockwork import start_clocks
from aftersail.core.desk.settled import on_settled
from aftersail.core.policy import PackLibrary
from aftersail.core.remedies import resolve
from aftersail.core.store import tables
from tests.remedies.errors import raising

PACKS = PackLibrary([Path(packs.__file__).parent])
METRICS = (Metric.FIRST_RESPONSE, Metric.REFUND_PAID, Metric.RESOLUTION)


@pytest.fixture
def claim(world):
    """A claim whose clocks run."""
    claim = world.claim("none", refundable=Decimal(80), refunded=Decimal(20))
    own = Source(kind=SourceKind.OWN, name="desk")
    targets = [
        Target(metric=metric, duration=timedelta(hours=4), basis=Basis.ELAPSED, source=own) for metric in METRICS
    ]
    with world.unit() as unit:
        start_clocks(unit, claim.ticket, targets, PACKS.in_force("starter", unit.now), unit.now)
    world.clock.advance(600)
    return claim


def clocks(world):
    with world.engine.connect() as conn:
        rows = conn.execute(sa.select(tables.clock.c.metric, tables.clock.c.state, tables.clock.c.met_at)).all()
    return {row.metric: (row.state, row.met_at) for row in rows}


def messages(world, claim):
    with world.engine.connect() as conn:
        return conn.execute(sa.select(tables.message).where(tables.message.c.ticket == claim.ticket)).all()


def ticket(world, claim):
    return world.get(tables.ticket, tables.ticket.c.id == claim.ticket)


def order(world, claim):
    return world.get(tables.orders, tables.orders.c.external_id == claim.order_id)


def test_an_answer_joins_the_conversation_and_meets_the_response_clocks(world, claim):
    key = world.reply(claim)
    world.run_until_quiet()
    [message] = messages(world, claim)
    assert (message.external_id, message.direction, message.text) == (f"x-{key}", "outbound", "We are sorry.")
    assert message.sent_at == world.clock.now()
    assert ticket(world, claim).state == "waiting"
    met = clocks(world)
    assert met[Metric.FIRST_RESPONSE] == ("met", world.clock.now())
    assert met[Metric.RESOLUTION][0] == met[Metric.REFUND_PAID][0] == "running"
    assert ticket(world, claim).due_metric in {Metric.RESOLUTION, Metric.REFUND_PAID}
    assert world.hooks() == ["aftersail_reply_sent"]


def test_an_answer_that_the_sync_has_brought_already_is_not_stored_twice(world, claim):
    key = world.reply(claim)
    row = {"channel": "none", "external_id": f"x-{key}", "revision": 3, "ticket": claim.ticket, "direction": "outbound"}
    row |= {"kind": "message", "sent_at": world.clock.now(), "stored_at": world.clock.now(), "subject": "Re"}
    row |= {"text": "as the platform has it", "full_text": "", "authenticity": "pass"}
    with world.engine.begin() as conn:
        conn.execute(sa.insert(tables.message).values(**row))
    world.run_until_quiet()
    assert [message.text for message in messages(world, claim)] == ["as the platform has it"]
    assert world.state(key) == "settled"


def test_a_refund_meets_its_clock_and_lowers_what_is_left(world, claim):
    world.refund(claim, "30.00")
    world.run_until_quiet()
    row = order(world, claim)
    assert (row.refundable, row.refunded) == (Decimal(50), Decimal(50))
    assert clocks(world)[Metric.REFUND_PAID] == ("met", world.clock.now())
    assert clocks(world)[Metric.FIRST_RESPONSE][0] == "running"
    assert ticket(world, claim).state == "open"
    assert messages(world, claim) == []
    told = [event for hook, event in world.told if hook == "aftersail_refund_settled"]
    assert [(event.order_id, str(event.amount), event.external_id) for event in told] == [
        (claim.order_id, "30.00 EUR", "r1")
    ]


def test_what_the_platform_has_really_booked_counts(world, claim):
    platform = world.platforms["none"]
    receipt = platform.receipt(platform.book("another", Decimal("29.50")))
    platform.fail(claim.order_id, lambda: receipt)
    key = world.refund(claim, "30.00")
    world.run_until_quiet()
    assert world.row(key).booked == Decimal("29.50")
    assert order(world, claim).refunded == Decimal("49.50")


def test_an_order_without_figures_keeps_what_is_unknown_unknown(world):
    claim = world.claim("none")
    world.refund(claim, "30.00")
    world.run_until_quiet()
    assert (order(world, claim).refundable, order(world, claim).refunded) == (None, Decimal(30))


def test_all_of_it_happens_once_however_often_the_job_runs(world, claim):
    keys = [world.reply(claim), world.refund(claim)]
    world.run_until_quiet()
    for key in keys * 2:
        world.outbox.work(key)
    assert len(messages(world, claim)) == 1
    assert order(world, claim).refunded == Decimal(30)
    assert sorted(world.hooks()) == ["aftersail_refund_settled", "aftersail_reply_sent"]


def test_nothing_of_it_happens_where_it_is_not_settled(world, claim):
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")))
    reply = world.reply(claim)
    world.platforms["none"].fail(reply, raising(TimeoutError("?")), after_effect=True)
    world.refund(claim)
    world.run_until_quiet()
    assert messages(world, claim) == []
    assert order(world, claim).refunded == Decimal(20)
    assert {state for state, _ in clocks(world).values()} == {"running"}


def test_a_refund_that_a_person_has_seen_counts_as_well(world, claim):
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    key = world.refund(claim, "30.00")
    world.run_until_quiet()
    with world.unit() as unit:
        on_settled(unit, resolve(unit, world.jobs, key, "ada", happened=True))
    assert order(world, claim).refunded == Decimal(50)
    assert clocks(world)[Metric.REFUND_PAID][0] == "met"


@pytest.mark.parametrize(
    ("seen", "left"), [("20.00", "50.00"), ("50.00", "50.00"), ("25.00", "55.00"), ("70.00", "30.00")]
)
def test_what_a_sync_has_brought_before_it_was_settled_is_not_counted_twice(world, claim, seen, left):
    """20.00 were paid back before ours of 30.00; what others did meanwhile stays as the platform says."""
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    key = world.refund(claim, "30.00")
    world.run_until_quiet()
    with world.engine.begin() as conn:
        synced = {"refunded": Decimal(seen), "refundable": Decimal(100) - Decimal(seen)}
        conn.execute(sa.update(tables.orders).values(**synced))
    with world.unit() as unit:
        on_settled(unit, resolve(unit, world.jobs, key, "ada", happened=True))
    row = order(world, claim)
    assert row.refunded == max(Decimal(50), Decimal(seen))
    assert row.refundable == Decimal(100) - row.refunded if seen != "25.00" else Decimal(50)


def test_an_answer_that_arrives_after_the_ticket_was_closed_leaves_it_closed(world, claim):
    world.reply(claim)
    with world.engine.begin() as conn:
        conn.execute(sa.update(tables.ticket).values(state="closed", closed_at=world.clock.now()))
    world.run_until_quiet()
    assert len(messages(world, claim)) == 1
    assert ticket(world, claim).state == "closed"
