"""Answers leave at most once, and never speak of a refund that has not happened."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aftersail.core.remedies import approve, reject, resolve
from aftersail.core.remedies.people import RemedyError
from tests.remedies.errors import LATER, NEVER, WHO_KNOWS, raising


def end(world, key):
    return world.state(key), world.platforms["none"].answers.count(key), world.task_kinds(key)


@pytest.mark.parametrize("after_effect", [False, True])
def test_an_answer_leaves_at_most_once(world, after_effect):
    errors = NEVER | WHO_KNOWS | ({} if after_effect else LATER)
    keys = {}
    for name, fail in errors.items():
        keys[name] = world.reply(world.claim("none"))
        world.platforms["none"].fail(keys[name], fail, after_effect=after_effect)
    world.run_until_quiet()
    sent = int(after_effect)
    expected = dict.fromkeys(NEVER, ("refused", sent, ["reply_refused"]))
    expected |= dict.fromkeys(WHO_KNOWS, ("unknown", sent, ["reply_unknown"]))
    expected |= {} if after_effect else dict.fromkeys(LATER, ("settled", 1, []))
    assert {name: end(world, key) for name, key in keys.items()} == expected
    calls = [subject for name, subject, _ in world.platforms["none"].calls]
    assert {name: calls.count(keys[name]) for name in WHO_KNOWS} == dict.fromkeys(WHO_KNOWS, 1)


def test_every_lost_answer_of_one_ticket_asks_a_person_anew(world):
    claim = world.claim("none")
    keys = []
    for _ in range(3):
        keys.append(world.reply(claim))
        world.platforms["none"].fail(keys[-1], raising(TimeoutError("?")))
        world.run_until_quiet()
        if len(keys) == 1:
            with world.unit() as unit:
                resolve(unit, world.jobs, keys[0], "ada", happened=True)
    assert [world.task_kinds(key) for key in keys] == [[], ["reply_unknown"], ["reply_unknown"]]


def test_an_answer_that_waits_for_approval_has_a_task(world):
    key = world.reply(world.claim("none"), approved_by=None)
    world.run_until_quiet()
    assert end(world, key) == ("planned", 0, ["approve_reply"])
    with world.unit() as unit:
        approve(unit, world.jobs, key, "ada")
    world.run_until_quiet()
    assert end(world, key) == ("settled", 1, [])


@pytest.fixture
def pair(world):
    """A refund that waits for a person, and the answer that speaks of it."""
    claim = world.claim("none")
    refund = world.refund(claim, approved_by=None)
    return claim, refund, world.reply(claim, after=refund)


def test_an_answer_about_a_refund_leaves_after_it_is_settled(world, pair):
    _, refund, reply = pair
    world.run_until_quiet()
    assert end(world, reply) == ("planned", 0, [])
    platform = world.platforms["none"]
    with world.unit() as unit:
        approve(unit, world.jobs, refund, "ada")
    world.run_jobs()
    assert (world.state(refund), world.state(reply), platform.answers) == ("settled", "approved", [])
    world.run_until_quiet()
    assert end(world, reply) == ("settled", 1, [])
    assert [name for name, *_ in platform.calls] == ["issue_refund", "post_reply"]


def test_it_waits_while_nobody_knows_of_the_refund(world, pair):
    claim, refund, reply = pair
    world.platforms["none"].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
    with world.unit() as unit:
        approve(unit, world.jobs, refund, "ada")
    world.run_until_quiet()
    assert (world.state(refund), world.state(reply)) == ("unknown", "planned")
    with world.unit() as unit:
        resolve(unit, world.jobs, refund, "ada", happened=True, external_id="r1")
    world.run_until_quiet()
    assert end(world, reply) == ("settled", 1, [])


def test_nobody_can_let_it_leave_before_the_refund(world, pair):
    _, refund, reply = pair
    with world.unit() as unit, pytest.raises(RemedyError, match=f"speaks of refund {refund}"):
        approve(unit, world.jobs, reply, "ada")
    world.run_until_quiet()
    assert end(world, reply) == ("planned", 0, [])


@pytest.mark.parametrize("how", ["platform refuses", "too much", "rejected", "did not happen"])
def test_it_is_withdrawn_when_the_refund_does_not_happen(world, how):
    kind = "none_quotes" if how == "too much" else "none"
    claim = world.claim(kind)
    platform = world.platforms[kind]
    refund = world.refund(claim, approved_by=None)
    reply = world.reply(claim, after=refund)
    if how == "rejected":
        with world.unit() as unit:
            reject(unit, refund, "ada", "not ours to pay")
    else:
        fail = {"platform refuses": NEVER["Invalid"], "did not happen": raising(TimeoutError("?"))}.get(how)
        if fail:
            platform.fail(claim.order_id, fail)
        else:
            platform.total = Decimal(1)
        with world.unit() as unit:
            approve(unit, world.jobs, refund, "ada")
        world.run_until_quiet()
    if how == "did not happen":
        assert world.state(reply) == "planned"
        with world.unit() as unit:
            resolve(unit, world.jobs, refund, "ada", happened=False)
    world.run_until_quiet()
    assert world.state(refund) == ("cancelled" if how == "rejected" else "refused")
    assert (world.state(reply), platform.answers) == ("cancelled", [])
    assert world.row(reply).detail


def test_an_answer_that_is_planned_after_its_refund_has_ended(world):
    paid, unpaid = world.claim("none"), world.claim("none")
    world.platforms["none"].fail(unpaid.order_id, NEVER["Invalid"])
    settled, refused = world.refund(paid), world.refund(unpaid)
    world.run_until_quiet()
    answer = world.reply(paid, after=settled)
    world.reply(unpaid, after=refused)
    world.run_until_quiet()
    assert end(world, answer) == ("settled", 1, [])
    assert world.platforms["none"].answers == [answer]
    assert [row.key for row in world.rows() if row.kind == "reply"] == [answer], "nothing waits for what has ended"


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_decision_on_a_case_is_sent_again_until_the_platform_knows_it(world, after_effect):
    keys = {}
    for name, fail in WHO_KNOWS.items():
        world.platforms["none"].fail(name, fail, after_effect=after_effect)
        keys[name] = world.decide(world.claim("none"), name)
    world.run_until_quiet()
    assert {name: world.state(key) for name, key in keys.items()} == dict.fromkeys(keys, "settled")
    assert sorted(world.platforms["none"].decisions) == sorted(
        name for name in WHO_KNOWS if after_effect or name != "AlreadyDone"
    )


def test_a_decision_that_nobody_can_confirm_ends_with_a_person(world):
    world.platforms["none"].fail("R-1", raising(TimeoutError("?")))
    world.platforms["none"].fail("R-1", NEVER["NotAllowed"], times=60)
    key = world.decide(world.claim("none"), "R-1")
    world.run_until_quiet()
    assert (world.state(key), world.task_kinds(key)) == ("unknown", ["case_unknown"])
