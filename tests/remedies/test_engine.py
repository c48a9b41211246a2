"""The outbox over the real job engine: planned here, worked by a worker's threads, settled once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from aftersail.core.jobs import Job, Queue
from aftersail.core.jobs.dbos_jobs import DbosJobs, ensure_engine_tables
from aftersail.core.jobs.tables import create_all
from aftersail.core.jobs.worker import Worker
from aftersail.core.remedies.plan import JOB
from tests.remedies.errors import raising


@pytest.fixture
def jobs(world) -> Iterator[DbosJobs]:
    create_all(world.engine)
    ensure_engine_tables(world.engine)
    world.jobs = DbosJobs(world.engine)
    world.outbox = world.make_outbox(world.engine)
    yield world.jobs
    world.jobs.close()


def until(condition, seconds=30):
    """Wait for a worker's threads; the limit only bounds a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_a_remedy_goes_through_the_engine_and_out_once(world, jobs):
    claims = [world.claim("key") for _ in range(4)]
    world.platforms["key"].fail(claims[0].order_id, raising(TimeoutError("?")), after_effect=True)
    keys = [world.refund(claim) for claim in claims]
    worker = Worker(
        world.engine,
        jobs=[Job(JOB, "refund", lambda _, args: world.outbox.work(args["key"]))],
        queues=[Queue("refund", 4)],
        poll_seconds=0.05,
    )
    worker.start()
    try:
        until(lambda: [world.state(key) for key in keys] == ["unknown", "settled", "settled", "settled"])
        world.clock.advance(2)
        world.outbox.hand_over()
        until(lambda: world.state(keys[0]) == "approved")
        world.outbox.hand_over()
        until(lambda: world.state(keys[0]) == "settled")
    finally:
        worker.stop(timeout=5)
    assert [world.paid(claim) for claim in claims] == [1, 1, 1, 1]
    world.clock.advance(3600)
    assert world.outbox.rescue() == 0
