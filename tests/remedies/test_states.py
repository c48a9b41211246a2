"""The states of a remedy: the way through, and what is impossible."""

from __future__ import annotations

import itertools
import threading

import pytest
import sqlalchemy as sa

from aftersail.core.remedies.states import FINAL, RemedyState, move
from aftersail.core.store import tables
from aftersail.sdk import RateLimited
from tests.remedies.errors import raising
from tests.remedies.platforms import CURRENCY

S = RemedyState
ALLOWED = {
    S.PLANNED: {S.APPROVED, S.CANCELLED},
    S.APPROVED: {S.APPROVED, S.CLAIMED, S.REFUSED, S.CANCELLED, S.UNKNOWN},
    S.CLAIMED: {S.APPROVED, S.SENT, S.SETTLED, S.REFUSED, S.UNKNOWN},
    S.SENT: {S.SENT, S.SETTLED, S.REFUSED, S.UNKNOWN},
    S.UNKNOWN: {S.UNKNOWN, S.APPROVED, S.SENT, S.SETTLED, S.REFUSED},
    S.SETTLED: set(),
    S.REFUSED: set(),
    S.CANCELLED: set(),
}


def put(world, key, state):
    with world.engine.begin() as conn:
        conn.execute(sa.update(tables.remedy).where(tables.remedy.c.key == key).values(state=state))


def test_every_move_that_is_not_on_the_list_is_impossible(world):
    key = world.refund(world.claim("none"))
    moved = {state: set() for state in S}
    with world.unit() as unit:
        for source, to in itertools.product(S, S):
            unit.conn.execute(sa.update(tables.remedy).values(state=source))
            if move(unit, key, to):
                moved[source].add(to)
    assert moved == ALLOWED
    assert {state for state, ways in ALLOWED.items() if not ways} == FINAL


def test_nothing_that_may_have_left_can_be_taken_back(world):
    assert not [state for state in (S.CLAIMED, S.SENT, S.UNKNOWN) if S.CANCELLED in ALLOWED[state]]


def test_a_refund_goes_from_planned_to_settled(world):
    claim = world.claim("lookup")
    world.platforms["lookup"].pending = True
    key = world.refund(claim, approved_by=None)
    seen = [world.state(key)]
    with world.unit() as unit:
        assert move(unit, key, S.APPROVED)
    seen.append(world.state(key))
    world.platforms["lookup"].fail(claim.order_id, lambda: seen.append(world.state(key)))
    world.outbox.work(key)
    seen.append(world.state(key))
    world.platforms["lookup"].book(claim.order_id, world.row(key).amount, key)
    for pending in (True, False):
        world.platforms["lookup"].pending = pending
        world.clock.advance((world.next_due() - world.clock.now()).total_seconds())
        world.outbox.work(key)
        seen.append(world.state(key))
    assert seen == ["planned", "approved", "claimed", "unknown", "sent", "settled"]
    row = world.row(key)
    assert row.planned_at <= row.claimed_at <= row.sent_at < row.settled_at
    assert (row.booked, row.currency, row.external_id, row.next_at) == (row.amount, CURRENCY, "r1", None)


@pytest.mark.parametrize("workers", [2, 6])
def test_of_several_workers_exactly_one_sends(world, workers):
    claim = world.claim("none")
    key = world.refund(claim)
    ready = threading.Barrier(workers)
    failed = []

    def work():
        ready.wait(timeout=30)
        try:
            world.outbox.work(key)
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failed
    assert world.paid(claim) == 1
    assert world.state(key) in {"settled", "unknown"}  # a worker that came late saw a claim without an end


def test_of_two_workers_exactly_one_claims_at_the_very_same_time(world):
    key = world.refund(world.claim("none"))
    ready = threading.Barrier(2)
    claimed = []

    def claim():
        ready.wait(timeout=30)
        with world.unit() as unit:
            claimed.append(move(unit, key, S.CLAIMED, source=S.APPROVED, claimed_at=unit.now))

    threads = [threading.Thread(target=claim) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(claimed) == [False, True]


def test_two_workers_never_send_two_refunds_of_one_order_side_by_side(world):
    claim = world.claim("lookup")
    keys = [world.refund(claim), world.refund(claim)]

    def second_worker():
        world.outbox.work(keys[1])
        return raising(TimeoutError("the first has no answer yet"))()

    world.platforms["lookup"].fail(claim.order_id, second_worker, after_effect=True)
    world.outbox.work(keys[0])
    assert [world.state(key) for key in keys] == ["unknown", "approved"]
    assert world.row(keys[1]).detail == f"waits for refund {keys[0][:8]} on the same order"
    assert world.paid(claim) == 1
    world.run_until_quiet()
    assert [world.state(key) for key in keys] == ["settled", "settled"]
    assert world.paid(claim) == 2


@pytest.mark.parametrize("answered", [True, False])
def test_a_refund_that_began_while_another_was_quoted_makes_that_one_ask_again(world, answered):
    claim = world.claim("lookup_quotes")
    platform = world.platforms["lookup_quotes"]
    keys = [world.refund(claim, "60.00"), world.refund(claim, "60.00")]
    if not answered:
        platform.fail(claim.order_id, raising(TimeoutError("no answer")), after_effect=True)

    def other_worker_comes_between():
        stale = world.channels["lookup_quotes"].quote_refund(claim.order_id)
        world.outbox.work(keys[0])
        return stale

    platform.asking[claim.order_id] = [other_worker_comes_between]
    world.outbox.work(keys[1])
    assert world.state(keys[1]) == "approved"
    world.run_until_quiet()
    assert [world.state(key) for key in keys] == ["settled", "refused"]
    issued = [name for name, _, _ in platform.calls if name == "issue_refund"]
    assert len(issued) == 1, "the second was never sent on a quote from before the first"


def test_what_an_overtaken_worker_says_changes_nothing(world):
    """It slept through its own claim: the remedy was looked up and claimed again; its "later" is about the past."""
    claim = world.claim("key")
    key = world.refund(claim)

    def sleeps():
        world.clock.advance(1)
        world.outbox.work(key)  # the claim looks abandoned
        world.clock.advance(3)
        world.outbox.work(key)  # the same key may be sent again
        assert world.state(key) == "approved"
        world.clock.advance(1)
        with world.unit() as unit:
            assert move(unit, key, S.CLAIMED, claimed_at=unit.now)
        return raising(RateLimited("later"))()

    world.platforms["key"].fail(claim.order_id, sleeps)
    world.outbox.work(key)
    assert world.state(key) == "claimed"


def test_work_on_what_is_gone_or_over_does_nothing(world):
    world.outbox.work("nobody")
    claim = world.claim("none")
    for state in (*FINAL, S.PLANNED):
        key = world.refund(claim)
        put(world, key, state)
        world.outbox.work(key)
        assert world.state(key) == state
    assert world.platforms["none"].calls == []


def test_the_same_key_is_planned_once_and_keeps_its_first_body(world):
    claim = world.claim("none")
    key = world.refund(claim)
    world._numbers = itertools.count(int(key.split("-")[0]))
    with pytest.raises(AssertionError):
        world.refund(claim, "99.00")
    assert world.row(key).body["amount"]["amount"] == "10.00"
    world.run_until_quiet()
    assert world.paid(claim) == 1
