"""What a person does with a remedy, and what is written down about it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from aftersail.core.remedies import RemedyKind, approve, reject, resolve
from aftersail.core.remedies.people import RemedyError
from aftersail.core.store import tables
from tests.remedies.errors import raising


def act(world, what, *arguments, **named):
    with world.unit() as unit:
        first = (unit,) if what is reject else (unit, world.jobs)
        return what(*first, *arguments, **named)


def history(world, key):
    table = tables.event
    with world.engine.connect() as conn:
        rows = conn.execute(sa.select(table.c.kind, table.c.actor, table.c.data).order_by(table.c.id)).all()
    return [(row.kind, row.actor) for row in rows if row.data.get("key") == key]


def unknown(world):
    claim = world.claim("none")
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    key = world.refund(claim)
    world.run_until_quiet()
    assert world.task_kinds(key) == ["refund_unknown"]
    return key


def test_approving_closes_the_task_sends_and_is_written_down(world):
    claim = world.claim("key")
    key = world.refund(claim, approved_by=None)
    assert world.task_kinds(key) == ["approve_refund"]
    assert world.hooks() == ["aftersail_refund_parked"]
    act(world, approve, key[:8], "ada", RemedyKind.REFUND)
    [task] = world.tasks(key, open_only=False)
    assert (task.closed_by, task.closed_at) == ("ada", world.clock.now())
    row = world.row(key)
    assert (row.state, row.approved_by, row.approved_at) == ("approved", "ada", world.clock.now())
    world.run_until_quiet()
    assert world.paid(claim) == 1
    assert history(world, key) == [
        ("refund_planned", "aftersail"),
        ("refund_approved", "ada"),
        ("refund_settled", "aftersail"),
    ]


def test_rejecting_closes_the_task_and_nothing_leaves(world):
    claim = world.claim("key")
    for approved_by in (None, "automation"):
        key = world.refund(claim, approved_by=approved_by)
        act(world, reject, key, "ada", "the buyer kept the money already")
        world.run_until_quiet()
        assert (world.state(key), world.row(key).detail) == ("cancelled", "the buyer kept the money already")
        assert world.tasks(key) == []
        assert history(world, key)[-1] == ("refund_cancelled", "ada")
    assert world.paid(claim) == 0


@pytest.mark.parametrize("happened", [True, False])
def test_resolving_says_what_became_of_it(world, happened):
    key = unknown(world)
    act(world, resolve, key[:8], "ada", happened=happened, external_id="r1" if happened else None)
    row = world.row(key)
    assert (row.state, row.next_at) == ("settled" if happened else "refused", None)
    assert (row.external_id, row.settled_at) == (("r1", world.clock.now()) if happened else (None, None))
    assert world.tasks(key) == []
    assert history(world, key)[-1] == ("refund_resolved", "ada")
    told = [event for hook, event in world.told if hook == "aftersail_refund_settled"]
    assert [(event.key, str(event.amount)) for event in told] == ([(key, "10.00 EUR")] if happened else [])


def test_a_key_may_be_cut_where_it_is_unique(world):
    claim = world.claim("key")
    keys = [world.refund(claim, approved_by=None) for _ in range(2)]
    with pytest.raises(RemedyError, match="more than one refund begins with '0000'"):
        act(world, approve, "0000", "ada", RemedyKind.REFUND)
    with pytest.raises(RemedyError, match="no refund with the key"):
        act(world, reject, "9", "ada", "no", RemedyKind.REFUND)
    with pytest.raises(RemedyError, match="no refund with the key"):
        act(world, approve, "%", "ada", RemedyKind.REFUND)
    with pytest.raises(RemedyError, match="no remedy with the key"):
        act(world, resolve, "________", "ada", happened=True)
    assert [world.state(key) for key in keys] == ["planned", "planned"]


def test_a_kind_narrows_what_a_beginning_means(world):
    claim = world.claim("key")
    world.reply(claim, approved_by=None)
    key = world.refund(claim, approved_by=None)
    act(world, approve, "0", "ada", RemedyKind.REFUND)
    assert world.state(key) == "approved"


@pytest.mark.parametrize("state", ["approved", "claimed", "sent", "settled", "refused", "unknown", "cancelled"])
def test_nothing_can_be_done_in_the_wrong_state(world, state):
    key = world.refund(world.claim("key"))
    with world.engine.begin() as conn:
        conn.execute(sa.update(tables.remedy).values(state=state))
    before = history(world, key)
    wrong = [(approve, (key, "ada"), {})]
    wrong += [(reject, (key, "ada", "no"), {})] if state != "approved" else []
    wrong += [(resolve, (key, "ada"), {"happened": True})] if state != "unknown" else []
    for what, arguments, named in wrong:
        with pytest.raises(RemedyError, match=f"is {state}"):
            act(world, what, *arguments, **named)
    assert (world.state(key), history(world, key)) == (state, before)


def test_what_may_have_left_before_cannot_be_taken_back(world):
    """The platform takes keys: between the lost answer and the second attempt the refund is approved again."""
    claim = world.claim("key")
    world.platforms["key"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    key = world.refund(claim)
    world.run_jobs()
    world.clock.advance(2)
    world.outbox.hand_over()
    world.run_jobs()
    assert world.state(key) == "approved"
    with pytest.raises(RemedyError, match="cannot be taken back any more"):
        act(world, reject, key, "ada", "no")
    world.run_until_quiet()
    assert (world.state(key), world.paid(claim)) == ("settled", 1)


def test_a_person_may_be_quicker_than_the_look_up(world):
    claim = world.claim("lookup")
    world.platforms["lookup"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    key = world.refund(claim)
    world.run_jobs()
    world.platforms["lookup"].asking[claim.order_id] = [
        lambda: act(world, resolve, key, "ada", happened=False) and None
    ]
    world.run_until_quiet()
    assert world.state(key) == "refused"
    assert world.hooks().count("aftersail_refund_settled") == 0
