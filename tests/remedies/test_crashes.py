"""The process dies at every point of the way: what comes after it neither pays twice nor forgets."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from aftersail.core.jobs import JobState
from aftersail.core.remedies import approve
from aftersail.sdk import RateLimited
from tests.remedies.errors import raising
from tests.remedies.platforms import BLIND, KINDS, Crash


class Plug:
    """Pulls the plug before the next commits, those of a refund's way: the claim, then the end."""

    def __init__(self, engine: sa.Engine) -> None:
        self.before: int | None = None
        event.listen(engine, "commit", self._commit)

    def _commit(self, _conn: sa.Connection) -> None:
        if self.before is None:
            return
        self.before -= 1
        if self.before == 0:
            self.before = None
            raise Crash


@pytest.fixture
def plug(world):
    return Plug(world.engine)


def at_claim(world, plug, claim):
    plug.before = 1


def after_claim(world, plug, claim):
    world.platforms[claim.channel].fail(claim.order_id, raising(Crash()))


def after_effect(world, plug, claim):
    world.platforms[claim.channel].fail(claim.order_id, raising(Crash()), after_effect=True)


def in_settle(world, plug, claim):
    settled = world.settled

    def dies(unit, row):
        world.settled = settled
        settled(unit, row)
        raise Crash

    world.settled = dies


def at_settle(world, plug, claim):
    plug.before = 2


POINTS = {point.__name__: point for point in (at_claim, after_claim, after_effect, in_settle, at_settle)}
PAID_BEFORE = {"after_effect", "in_settle", "at_settle"}


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_neither_pays_twice_nor_forgets(world, plug, point):
    planned = {}
    for kind in KINDS:
        claim = world.claim(kind)
        key = world.refund(claim)
        planned[kind] = claim, key
        [job] = [job for job in world.jobs.waiting() if job.key == key]
        POINTS[point](world, plug, claim)
        with pytest.raises(Crash):
            world.run_job(job)
        assert world.state(key) == ("approved" if point == "at_claim" else "claimed")
    world.run_until_quiet()
    expected = {}
    for kind in KINDS:
        paid = 1 if point in PAID_BEFORE or kind not in BLIND else 0
        expected[kind] = ("unknown", paid, ["refund_unknown"]) if kind in BLIND else ("settled", 1, [])
        if point == "at_claim":
            expected[kind] = ("settled", 1, [])
    found = {
        kind: (world.state(key), world.paid(claim), world.task_kinds(key)) for kind, (claim, key) in planned.items()
    }
    assert found == expected


def test_a_crash_after_the_end_was_written_changes_nothing(world):
    claim = world.claim("none")
    key = world.refund(claim)
    [job] = world.jobs.waiting()
    world.outbox.work(key)
    world.run_job(job)
    assert (world.state(key), world.paid(claim)) == ("settled", 1)
    assert world.hooks() == ["aftersail_refund_settled"]


@pytest.mark.parametrize("kind", ["key", "lookup", "none"])
def test_crashes_again_and_again_do_not_pay_twice(world, kind):
    claim = world.claim(kind)
    for after in (True, False, True):
        world.platforms[kind].fail(claim.order_id, raising(Crash()), after_effect=after)
    key = world.refund(claim)
    for _ in range(12):
        try:
            world.run_until_quiet()
        except Crash:
            continue
    assert world.paid(claim) == 1
    assert world.state(key) == ("unknown" if kind == "none" else "settled")


def test_a_crash_while_work_is_handed_over_loses_none_of_it(world, plug):
    claim = world.claim("key")
    world.platforms["key"].fail(claim.order_id, raising(RateLimited("later")))
    key = world.refund(claim)
    world.run_jobs()
    world.clock.advance(60)
    plug.before = 1
    with pytest.raises(Crash):
        world.outbox.hand_over()
    assert world.jobs.waiting() == []
    assert world.outbox.hand_over() == 1
    world.run_jobs()
    assert world.state(key) == "settled"


def test_a_remedy_is_handed_over_once_for_each_time_it_is_due(world):
    claims = [world.claim("key") for _ in range(5)]
    for claim in claims:
        world.platforms["key"].fail(claim.order_id, raising(RateLimited("later")))
        world.refund(claim)
    world.run_jobs()
    world.clock.advance(60)
    assert [world.outbox.hand_over(limit=3), world.outbox.hand_over(limit=3), world.outbox.hand_over()] == [3, 2, 0]
    assert {(job.queue, job.channel) for job in world.jobs.waiting()} == {("refund", "key")}


class TestRescue:
    """The row is the truth: a job may get lost."""

    @pytest.fixture
    def lost(self, world):
        """Lose the one job that waits."""

        def lose(state=JobState.CANCELLED):
            [job] = world.jobs.waiting()
            world.jobs.set(job.id, state)
            world.clock.advance(120)

        return lose

    def test_an_approved_remedy_whose_job_was_cancelled_is_brought_back(self, world, lost):
        claim = world.claim("key")
        key = world.refund(claim, approved_by=None)
        with world.unit() as unit:
            approve(unit, world.jobs, key, "ada")
        lost()
        assert world.outbox.rescue() == 1
        world.run_until_quiet()
        assert (world.state(key), world.paid(claim)) == ("settled", 1)

    @pytest.mark.parametrize("kind", ["lookup", "none"])
    def test_an_unknown_one_is_brought_back_as_well(self, world, lost, kind):
        claim = world.claim(kind)
        world.platforms[kind].fail(claim.order_id, raising(TimeoutError("?")), after_effect=True)
        key = world.refund(claim)
        world.run_jobs()
        world.clock.advance(60)
        world.outbox.hand_over()
        lost()
        assert (world.state(key), world.row(key).next_at) == ("unknown", None)
        assert world.outbox.rescue() == 1
        world.run_until_quiet()
        assert world.state(key) == ("settled" if kind == "lookup" else "unknown")
        assert world.task_kinds(key) == ([] if kind == "lookup" else ["refund_unknown"])

    def test_what_waits_for_a_person_is_left_alone(self, world):
        world.platforms["none"].fail((claim := world.claim("none")).order_id, raising(TimeoutError("?")))
        world.refund(claim)
        world.run_until_quiet()
        world.clock.advance(7200)
        assert world.outbox.rescue() == 0

    def test_what_still_has_a_job_is_left_alone(self, world):
        world.refund(world.claim("key"))
        world.clock.advance(7200)
        assert world.outbox.rescue() == 0

    def test_what_waits_for_its_time_is_left_alone(self, world):
        claim = world.claim("key")
        far = world.clock.now() + timedelta(days=1)
        world.platforms["key"].fail(claim.order_id, raising(RateLimited("later", retry_at=far)))
        key = world.refund(claim)
        world.run_jobs()
        world.clock.advance(7200)
        assert world.outbox.rescue() == 0
        assert world.row(key).next_at == far

    def test_a_job_that_was_given_up_is_told_to_a_person_once(self, world, lost):
        key = world.refund(world.claim("key"))
        lost(JobState.PARKED)
        for _ in range(3):
            world.outbox.rescue()
            world.clock.advance(60)
        assert world.task_kinds(key) == ["refund_stuck"]
        assert world.hooks() == ["aftersail_refund_parked"]


def test_the_names_of_jobs_are_never_used_twice(world):
    """`RecordedJobs` fails on a second use; the engine would take it for the same job and drop it."""
    claim = world.claim("key")
    for _ in itertools.repeat(None, 8):
        world.platforms["key"].fail(claim.order_id, raising(RateLimited("later")))
    key = world.refund(claim)
    world.run_until_quiet()
    assert world.row(key).tries == 8
