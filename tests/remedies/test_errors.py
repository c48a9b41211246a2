"""Every error, on every kind of platform, before and after the effect: money leaves once, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersail.core.remedies.outcome import LOOK_DELAYS
from aftersail.core.store import tables
from aftersail.sdk import Ambiguous, AuthExpired, NotAllowed, RateLimited
from tests.remedies.errors import LATER, NEVER, WHO_KNOWS, raising
from tests.remedies.platforms import BLIND, KINDS

SEEING = sorted(set(KINDS) - BLIND)


def end(world, claim, key):
    return world.state(key), world.paid(claim), world.task_kinds(key)


def ends(world, planned):
    return {name: end(world, *each) for name, each in planned.items()}


def plan_each(world, kinds, errors, *, after_effect):
    """Plan one refund for each kind of platform and each error, which comes at the first call."""
    planned = {}
    for kind in kinds:
        for name, fail in errors.items():
            claim = world.claim(kind)
            world.platforms[kind].fail(claim.order_id, fail, after_effect=after_effect)
            planned[kind, name] = claim, world.refund(claim)
    return planned


def test_an_error_without_effect_ends_in_one_refund_in_none_or_with_a_person(world):
    planned = plan_each(world, KINDS, LATER | NEVER | WHO_KNOWS, after_effect=False)
    world.run_until_quiet()
    expected = {}
    for kind, name in planned:
        expected[kind, name] = ("settled", 1, [])
        if name in NEVER:
            expected[kind, name] = ("refused", 0, ["refund_refused"])
        elif name in WHO_KNOWS and kind in BLIND:
            expected[kind, name] = ("unknown", 0, ["refund_unknown"])
    assert ends(world, planned) == expected


def test_a_lost_answer_after_the_effect_never_pays_twice(world):
    planned = plan_each(world, KINDS, WHO_KNOWS, after_effect=True)
    world.run_until_quiet()
    asked, settled = ("unknown", 1, ["refund_unknown"]), ("settled", 1, [])
    assert ends(world, planned) == {each: asked if each[0] in BLIND else settled for each in planned}


def test_a_platform_that_says_later_after_it_has_paid_does_not_pay_twice(world):
    """It breaks the contract. Only a platform that can neither be asked nor takes a key is trusted on it."""
    kinds = [kind for kind in KINDS if kind != "none"]
    planned = plan_each(world, kinds, LATER | NEVER, after_effect=True)
    world.run_until_quiet()
    found = ends(world, planned)
    assert {each: paid for each, (_, paid, _) in found.items()} == dict.fromkeys(planned, 1)
    later = {each: state for each, (state, *_) in found.items() if each[0] in SEEING and each[1] in LATER}
    assert later == dict.fromkeys(later, "settled")


def test_answers_that_get_lost_again_and_again_still_pay_once(world):
    planned = {}
    for kind in SEEING:
        claim = world.claim(kind)
        for after_effect in (False, True, True):
            world.platforms[kind].fail(claim.order_id, raising(Ambiguous("timeout")), after_effect=after_effect)
        planned[kind] = claim, world.refund(claim)
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(SEEING, ("settled", 1, []))


@pytest.mark.parametrize("lag", [timedelta(seconds=1), timedelta(minutes=4)])
def test_a_read_model_that_lags_never_doubles(world, lag):
    for platform in world.platforms.values():
        platform.lag = lag
    planned = plan_each(world, SEEING, WHO_KNOWS, after_effect=True)
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("settled", 1, []))


def test_what_shows_after_the_last_look_up_is_seen_before_it_is_sent_again(world):
    world.platforms["lookup"].lag = timedelta(minutes=17)
    claim = world.claim("lookup")
    world.platforms["lookup"].fail(claim.order_id, raising(Ambiguous("timeout")), after_effect=True)
    key = world.refund(claim)
    for _ in LOOK_DELAYS:
        world.run_jobs()
        world.clock.advance((world.next_due() - world.clock.now()).total_seconds())
        world.outbox.hand_over()
    world.run_jobs()
    assert world.state(key) == "approved"
    world.clock.advance(600)
    world.run_until_quiet()
    assert end(world, claim, key) == ("settled", 1, [])


def test_a_refund_that_shows_in_the_quote_alone_goes_to_a_person(world):
    """A platform with keys whose look-up is behind its quote: the first attempt may have paid."""
    claim = world.claim("key_looks")
    platform = world.platforms["key_looks"]
    platform.fail(claim.order_id, raising(Ambiguous("timeout")))
    key = world.refund(claim)
    world.run_jobs()
    platform.book(claim.order_id, platform.total)
    world.run_until_quiet()
    assert end(world, claim, key) == ("unknown", 1, ["refund_unknown"])
    assert [name for name, _, _ in platform.calls].count("issue_refund") == 1


def test_look_ups_wait_as_long_as_read_models_lag(world):
    claim = world.claim("lookup")
    world.platforms["lookup"].fail(claim.order_id, raising(Ambiguous("timeout")), after_effect=False)
    world.refund(claim)
    started = world.clock.now()
    world.run_until_quiet()
    looks = [at for name, _, at in world.platforms["lookup"].calls if name == "lookup_refund"]
    due, at = [], started
    for delay in LOOK_DELAYS:
        at += delay
        due.append(at)
    assert looks[: len(due)] == due
    issued = [at for name, _, at in world.platforms["lookup"].calls if name == "issue_refund"]
    assert issued == [started, due[-1]]


def test_look_ups_that_fail_do_not_shorten_the_wait(world):
    platform = world.platforms["lookup"]
    platform.lag = timedelta(minutes=4)
    soon = RateLimited("soon", retry_at=world.clock.now())
    planned = {}
    for error in (soon, Ambiguous("lag"), NotAllowed("no")):
        claim = world.claim("lookup")
        platform.fail(claim.order_id, raising(Ambiguous("timeout")), after_effect=True)
        platform.asking[claim.order_id] = [raising(error)] * 6
        planned[error] = claim, world.refund(claim)
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("settled", 1, []))


def test_look_ups_that_always_fail_end_with_a_person(world):
    errors = {name: fail for name, fail in (WHO_KNOWS | NEVER).items() if name != "wrong type"}
    planned = plan_each(world, ["lookup"], dict.fromkeys(errors, WHO_KNOWS["Ambiguous"]), after_effect=True)
    for (_, name), (claim, _) in planned.items():
        world.platforms["lookup"].asking[claim.order_id] = [errors[name]] * 50
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("unknown", 1, ["refund_unknown"]))


def test_a_look_up_of_the_wrong_type_ends_with_a_person(world):
    planned = plan_each(world, ["lookup"], {"timeout": WHO_KNOWS["Ambiguous"]}, after_effect=True)
    [(claim, _)] = planned.values()
    world.platforms["lookup"].asking[claim.order_id] = [WHO_KNOWS["wrong type"]] * 50
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("unknown", 1, ["refund_unknown"]))


def test_nothing_is_called_before_the_platform_allows_it(world):
    claim = world.claim("lookup_quotes")
    platform = world.platforms["lookup_quotes"]
    retry_at = world.clock.now() + timedelta(minutes=7)
    platform.fail(claim.order_id, raising(RateLimited("slow down", retry_at=retry_at)))
    key = world.refund(claim)
    world.run_jobs()
    before = len(platform.calls)
    for _ in range(6):
        world.clock.advance(60)
        world.outbox.hand_over()
        world.outbox.rescue()
        world.run_jobs()
        world.outbox.work(key)  # the engine runs a job again whose end it did not see
        assert len(platform.calls) == before
    world.run_until_quiet()
    assert world.state(key) == "settled"
    assert min(at for _, _, at in platform.calls[before:]) == retry_at


def test_a_job_that_runs_again_does_not_hurry_the_look_ups(world):
    claim = world.claim("lookup")
    platform = world.platforms["lookup"]
    platform.lag = timedelta(minutes=4)
    platform.fail(claim.order_id, raising(Ambiguous("timeout")), after_effect=True)
    key = world.refund(claim)
    world.run_jobs()
    for _ in range(8):
        world.outbox.work(key)
    assert [name for name, _, _ in platform.calls] == ["issue_refund"]
    world.run_until_quiet()
    assert end(world, claim, key) == ("settled", 1, [])


def test_refused_credentials_call_for_a_person_once_and_the_refund_goes_out_when_they_are_renewed(world):
    claims = [world.claim("key") for _ in range(3)]
    for claim in claims:
        world.platforms["key"].fail(claim.order_id, raising(AuthExpired("token revoked")), times=4)
    keys = [world.refund(claim) for claim in claims]
    world.run_until_quiet()
    assert world.hooks().count("aftersail_channel_needs_attention") == 1
    assert world.get(tables.channel, tables.channel.c.id == "key").attention == "token revoked"
    assert [world.get(tables.channel, tables.channel.c.id == other).attention for other in ("none", "lookup")] == [
        None,
        None,
    ]
    assert [world.state(key) for key in keys] == ["settled"] * 3
    assert [world.paid(claim) for claim in claims] == [1, 1, 1]


def test_where_the_platform_forbids_it_the_task_carries_its_page(world):
    claim = world.claim("none")
    page = "https://platform.example/orders/1"
    world.platforms["none"].fail(claim.order_id, raising(NotAllowed("use the page", alternative=page)))
    key = world.refund(claim)
    world.run_until_quiet()
    [task] = world.tasks(key)
    assert (task.kind, task.link) == ("refund_refused", page)
    assert world.hooks() == ["aftersail_refund_parked"]


def test_an_error_of_the_quote_delays_the_refund_and_loses_nothing(world):
    planned = {}
    for kind in ("lookup_quotes", "none_quotes"):
        for name, fail in (LATER | WHO_KNOWS).items():
            claim = world.claim(kind)
            world.platforms[kind].asking[claim.order_id] = [fail] * 3
            planned[kind, name] = claim, world.refund(claim)
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("settled", 1, []))


def test_a_pending_refund_is_followed_until_the_platform_has_booked_it(world):
    claim = world.claim("lookup")
    platform = world.platforms["lookup"]
    platform.pending = True
    key = world.refund(claim)
    world.run_jobs()
    assert world.state(key) == "sent"
    for _ in range(20):
        world.clock.advance(60)
        world.outbox.hand_over()
        world.run_jobs()
        assert world.state(key) == "sent"
    platform.asking[claim.order_id] = [raising(Ambiguous("lag"))] * 3
    platform.pending = False
    world.run_until_quiet()
    assert end(world, claim, key) == ("settled", 1, [])


def test_what_the_platform_has_taken_and_shows_no_more_is_never_sent_again(world):
    planned = {}
    for kind in ("lookup", "key_looks", "key", "none"):
        world.platforms[kind].pending = True
        world.platforms[kind].lag = timedelta(days=9)
        claim = world.claim(kind)
        planned[kind] = claim, world.refund(claim)
    world.run_until_quiet()
    assert ends(world, planned) == dict.fromkeys(planned, ("unknown", 1, ["refund_unknown"]))
    issued = {kind: [name for name, _, _ in world.platforms[kind].calls].count("issue_refund") for kind in planned}
    assert issued == dict.fromkeys(planned, 1)
