"""What else happens on an order: what is left, and what others have paid."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from aftersail.core.contract import Money, RefundQuote
from aftersail.core.remedies import approve, resolve
from aftersail.core.store import tables
from tests.remedies.errors import raising
from tests.remedies.platforms import KINDS

QUOTING = ["key_looks", "lookup_quotes", "none_quotes"]


@pytest.mark.parametrize("kind", QUOTING)
def test_more_than_the_platform_has_left_is_refused_and_a_person_told(world, kind):
    claim = world.claim(kind)
    world.platforms[kind].total = Decimal(15)
    world.platforms[kind].book(claim.order_id, Decimal(10))
    world.clock.advance(3600)
    key = world.refund(claim, approved_by=None)
    with world.unit() as unit:
        approve(unit, world.jobs, key, "ada")
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("refused", 1)
    [task] = world.tasks(key)
    assert (task.kind, task.why) == ("refund_refused", "only 5.00 EUR can still be refunded on this order")
    assert world.hooks().count("aftersail_refund_parked") == 2
    assert "issue_refund" not in [name for name, *_ in world.platforms[kind].calls]


def test_all_that_is_left_may_be_paid(world):
    claim = world.claim("lookup_quotes")
    key = world.refund(claim, "100.00")
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("settled", 1)


@pytest.mark.parametrize(("refundable", "refunded"), [("9.99", "0"), (None, "90.01")])
def test_a_platform_that_cannot_be_asked_is_held_to_its_order_as_it_was_last_synced(world, refundable, refunded):
    known = {"refundable": refundable and Decimal(refundable), "refunded": Decimal(refunded)}
    claim = world.claim("none", **known)
    key = world.refund(claim)
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("refused", 0)
    assert world.tasks(key)[0].why == "only 9.99 EUR can still be refunded on this order"


def test_refunds_in_another_currency_than_the_order_are_refused(world):
    claim = world.claim("none_quotes")
    quote = RefundQuote(order_id=claim.order_id, remaining=Money.of("500", "PLN"))
    world.platforms["none_quotes"].asking[claim.order_id] = [lambda: quote]
    key = world.refund(claim)
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("refused", 0)


@pytest.mark.parametrize("kind", QUOTING)
def test_a_refund_that_somebody_else_made_since_the_request_parks_ours(world, kind):
    claim = world.claim(kind)
    world.platforms[kind].book(claim.order_id, Decimal(3))
    key = world.refund(claim)
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("refused", 1)
    assert world.tasks(key)[0].why.startswith("somebody else refunded 3.00 EUR on this order at 2026-01-05 09:00 UTC")
    assert world.hooks() == ["aftersail_refund_parked"]


def test_a_refund_from_before_the_request_was_known_when_it_was_filed(world):
    claim = world.claim("lookup_quotes")
    world.platforms["lookup_quotes"].book(claim.order_id, Decimal(3))
    world.clock.advance(7200)
    later = world.claim("lookup_quotes", claim.order_id)
    key = world.refund(later)
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("settled", 2)


def test_a_person_who_approves_has_seen_what_others_paid_before(world):
    claim = world.claim("lookup_quotes")
    keys = [world.refund(claim, approved_by=None) for _ in range(2)]
    world.platforms["lookup_quotes"].book(claim.order_id, Decimal(3))
    world.clock.advance(60)
    with world.unit() as unit:
        approve(unit, world.jobs, keys[0], "ada")
    world.run_until_quiet()
    with world.unit() as unit:
        approve(unit, world.jobs, keys[1], "ada")
    world.clock.advance(60)
    world.platforms["lookup_quotes"].book(claim.order_id, Decimal(3))
    world.run_until_quiet()
    assert [world.state(key) for key in keys] == ["settled", "refused"]


def test_refunds_of_two_tickets_on_one_order_both_leave_one_after_the_other(world):
    planned = {}
    for kind in sorted(set(KINDS) - {"natural"}):
        first = world.claim(kind)
        planned[kind] = first, [world.refund(first), world.refund(world.claim(kind, first.order_id), "20.00")]
        world.platforms[kind].pending = kind == "lookup_quotes"
    world.run_jobs()
    world.platforms["lookup_quotes"].pending = False
    states = [world.state(key) for key in planned["lookup_quotes"][1]]
    assert states == ["sent", "approved"], "the second waits until the first is booked"
    world.run_until_quiet()
    for claim, keys in planned.values():
        assert [world.state(key) for key in keys] == ["settled", "settled"]
        amounts = [booked.amount for booked in world.platforms[claim.channel].of_order(claim.order_id)]
        assert amounts == [Decimal(10), Decimal(20)]


@pytest.mark.parametrize("kind", ["lookup_quotes", "none_quotes", "none"])
def test_refunds_of_two_tickets_never_exceed_the_order(world, kind):
    first = world.claim(kind)
    keys = [world.refund(first, "60.00"), world.refund(world.claim(kind, first.order_id), "60.00")]
    world.run_until_quiet()
    assert [world.state(key) for key in keys] == ["settled", "refused"]
    assert world.paid(first) == 1
    assert world.task_kinds(keys[1]) == ["refund_refused"]


def test_the_second_refund_waits_while_nobody_knows_of_the_first(world):
    claim = world.claim("none")
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    keys = [world.refund(claim), world.refund(claim)]
    elsewhere = world.refund(world.claim("none"))
    for _ in range(10):
        world.run_jobs()
        world.clock.advance(60)
        world.outbox.hand_over()
    assert [world.state(key) for key in (*keys, elsewhere)] == ["unknown", "approved", "settled"]
    assert world.row(keys[1]).detail.startswith("waits for refund")


def test_a_refund_that_may_be_sent_again_still_holds_up_the_next(world):
    """The platform takes keys, so after a lost answer the same refund is approved once more."""
    claim = world.claim("key")
    world.platforms["key"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    first = world.refund(claim)
    world.run_jobs()
    world.clock.advance(2)
    world.outbox.hand_over()
    world.run_jobs()
    second = world.refund(claim)
    world.run_jobs()
    assert [world.state(key) for key in (first, second)] == ["approved", "approved"]
    assert world.paid(claim) == 1
    world.run_until_quiet()
    assert [world.state(key) for key in (first, second)] == ["settled", "settled"]
    assert world.paid(claim) == 2


def test_an_order_of_the_same_name_on_another_channel_is_another_order(world):
    here = world.claim("none_quotes")
    there = world.claim("lookup_quotes", external_id=here.order_id)
    world.refund(there)
    world.run_until_quiet()
    [booked] = world.platforms["lookup_quotes"].ledger
    foreign = world.platforms["none_quotes"].book(here.order_id, Decimal(3))
    assert foreign.external_id == booked.external_id
    key = world.refund(here)
    world.run_until_quiet()
    assert world.state(key) == "refused", "the foreign refund only looks like ours on the other channel"


def test_two_refunds_of_one_ticket_each_have_a_task_of_their_own(world):
    claim = world.claim("none_quotes")
    world.platforms["none_quotes"].total = Decimal(1)
    keys = [world.refund(claim) for _ in range(3)]
    world.run_until_quiet()
    assert [world.task_kinds(key) for key in keys] == [["refund_refused"]] * 3
    assert world.get(tables.task, tables.task.c.remedy == keys[0]).why != world.tasks(keys[1])[0].why


def test_a_persons_word_on_the_first_refund_brings_the_second_back(world):
    claim = world.claim("none")
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    first, second = world.refund(claim), world.refund(claim)
    world.run_jobs()
    world.clock.advance(600)
    world.outbox.hand_over()
    world.run_jobs()
    assert world.tasks(first) != []
    assert world.row(second).next_at > world.clock.now() + timedelta(minutes=30)
    with world.unit() as unit:
        resolve(unit, world.jobs, first, "ada", happened=True, external_id="r1")
    world.outbox.hand_over()
    world.run_jobs()
    assert world.state(second) == "settled"
