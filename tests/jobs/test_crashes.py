"""Workers that die for good, and workers that only seemed to."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from aftersail.core.jobs import Job, JobState
from aftersail.core.jobs.tables import create_all
from aftersail.core.jobs.tables import worker as worker_table
from aftersail.core.store.engine import open_engine
from tests.jobs.conftest import Handler, until

SCRIPT = Path(__file__).with_name("worker_process.py")
Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn(database_url: str, tmp_path: Path) -> Iterator[Spawn]:
    """Start a worker in a process of its own; it is killed when the test is over."""
    spawned: list[subprocess.Popen[bytes]] = []

    def spawn(*, url: str = database_url, lease_seconds: float = 1.5, max_attempts: int = 3, sole: bool = False):
        kind = "sole" if sole else "shared"
        command = [sys.executable, str(SCRIPT), url, str(tmp_path), str(lease_seconds), str(max_attempts), kind]
        spawned.append(subprocess.Popen(command))
        return spawned[-1]

    yield spawn
    for process in spawned:
        process.kill()
        process.wait()


def hand_over(jobs, engine, job, job_id, partition):
    with engine.begin() as tx:
        jobs.enqueue(tx, job, queue="work", job_id=job_id, partition=partition, args={})


def test_a_killed_workers_job_is_taken_over_and_its_partition_goes_on(jobs, engine, start, spawn, tmp_path):
    victim = spawn()
    hand_over(jobs, engine, "hang at first", "a", "p")
    until((tmp_path / "a.1").exists)
    hand_over(jobs, engine, "hang at first", "b", "p")
    victim.kill()
    victim.wait()
    handler = Handler()
    survivor = start(Job("hang at first", "work", handler), lease_seconds=1.5)
    until(lambda: jobs.find("b").state is JobState.DONE)
    # The crashed attempt counts; the other job of the partition waited for the first to be over.
    assert [(job_id, attempt) for job_id, attempt, _ in handler.calls] == [("a", 2), ("b", 1)]
    assert jobs.find("a").worker == survivor.worker_id


def test_a_sole_worker_takes_over_at_once(jobs, engine, start, spawn, tmp_path):
    victim = spawn(lease_seconds=3600)
    hand_over(jobs, engine, "hang at first", "a", "p")
    until((tmp_path / "a.1").exists)
    victim.kill()
    victim.wait()
    start(Job("hang at first", "work", Handler()), lease_seconds=3600, sole=True)
    until(lambda: jobs.find("a").state is JobState.DONE)


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_parked(jobs, engine, start, spawn, tmp_path):
    hand_over(jobs, engine, "die", "a", "p")
    for attempt in (1, 2):
        assert spawn(max_attempts=2, sole=True, lease_seconds=30).wait(60) == 9
        assert (tmp_path / f"a.{attempt}").exists()
    handler = Handler()
    start(Job("die", "work", handler), max_attempts=2, sole=True)
    until(lambda: jobs.find("a").state is JobState.PARKED)
    assert "given up after 2 attempts; the last one ended with its worker" in jobs.find("a").error
    assert handler.calls == []


@pytest.mark.slow
def test_workers_that_start_together_all_create_the_engines_tables(databases, spawn, tmp_path):
    url = databases.fresh()
    desk = open_engine(url)
    create_all(desk)
    desk.dispose()
    processes = [spawn(url=url) for _ in range(3)]
    until(lambda: all((tmp_path / f"up-{process.pid}").exists() for process in processes), seconds=60)
    assert [process.poll() for process in processes] == [None] * 3


def test_a_worker_whose_lease_lapsed_stops_itself(engine, start, clock):
    lost = threading.Event()
    worker = start(now=clock.now, lease_seconds=0.3, on_lost=lost.set)
    assert worker.running()
    clock.advance(1)
    assert lost.wait(20)
    assert not worker.running()


def test_a_worker_whose_lease_was_taken_stops_itself(engine, start, clock):
    lost = threading.Event()
    worker = start(now=clock.now, lease_seconds=0.3, on_lost=lost.set)
    with engine.begin() as tx:
        tx.execute(sa.delete(worker_table))
    assert lost.wait(20)
    assert not worker.running()


def test_what_an_overtaken_worker_still_does_is_void(jobs, engine, start):
    """A worker that stood still wakes up after its job was taken over: its outcome no longer counts."""
    going, go_on = threading.Event(), threading.Event()

    def handle(context, args):
        if context.attempt == 1:
            going.set()
            go_on.wait(20)
            raise OSError("the sleeper's")

    start(Job("mail", "work", handle), backoff=lambda _attempt: timedelta(hours=1))
    hand_over(jobs, engine, "mail", "a", "p")
    assert going.wait(20)
    # The engine's view after a takeover: the same carrier is handed out once more.
    assert jobs.take_over(alive=[]) == 1
    until(lambda: jobs.find("a").state is JobState.DONE)
    go_on.set()
    hand_over(jobs, engine, "mail", "b", "p")
    until(lambda: jobs.find("b").attempts == 1)
    assert (jobs.find("a").state, jobs.find("a").error) == (JobState.DONE, None)


def test_a_broken_carrier_is_replaced(jobs, engine, start, monkeypatch, clock):
    """The database goes away just as the worker stops: the engine books its carrier as failed, the job goes on."""
    handler = Handler()
    # By this clock the lease never lapses; it is renewed, and broken carriers are looked for, every tenth of a second.
    worker = start(Job("mail", "work", handler), lease_seconds=0.3, now=clock.now)
    attempt = worker._attempt
    broken = threading.Event()

    def lose_the_database(job_id, run):
        if not broken.is_set():
            worker._stopping = True
            broken.set()
            raise sa.exc.OperationalError("SELECT 1", {}, OSError("gone"))
        worker._stopping = False
        attempt(job_id, run)

    monkeypatch.setattr(worker, "_attempt", lose_the_database)
    hand_over(jobs, engine, "mail", "a", "p")
    until(lambda: jobs.find("a").state is JobState.DONE)
    assert len(handler.calls) == 1
