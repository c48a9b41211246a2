from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aftersail.core.jobs import Job, JobState, Schedule
from aftersail.core.jobs.ticker import Ticker
from tests.jobs.conftest import Handler, until


@pytest.fixture
def tick(engine, clock) -> Iterator[object]:
    """Start a process's ticker; it is stopped when the test is over."""
    started: list[Ticker] = []

    def tick(worker_id: str, *schedules: Schedule) -> Ticker:
        ticker = Ticker(engine, schedules, worker_id=worker_id, lease_seconds=30, poll_seconds=0.01, now=clock.now)
        ticker.start()
        started.append(ticker)
        return ticker

    yield tick
    for ticker in started:
        ticker.stop(timeout=5)


def test_it_runs_at_once_and_then_every_so_often(tick, clock):
    runs: list[datetime] = []
    began = clock.now()
    tick("w1", Schedule("scan", 10, runs.append))
    until(lambda: len(runs) == 1)
    clock.advance(9)
    clock.advance(1)
    until(lambda: len(runs) == 2)
    # Thirty-five seconds of standstill: what was missed is not made up for, and the rhythm stays.
    clock.advance(35)
    until(lambda: len(runs) == 3)
    clock.advance(5)
    until(lambda: len(runs) == 4)
    assert [(at - began).total_seconds() for at in runs] == [0, 10, 45, 50]


def test_it_does_not_run_early(tick, clock):
    scans, other = [], []
    tick("w1", Schedule("scan", 10, scans.append), Schedule("other", 1, other.append))
    until(lambda: scans and other)
    for second in range(2, 10):
        clock.advance(1)
        until(lambda second=second: len(other) == second)
    assert len(scans) == 1


def test_of_several_processes_one_runs_it(tick, clock):
    runs: list[datetime] = []
    for worker in ("w1", "w2", "w3"):
        tick(worker, Schedule("scan", 10, runs.append))
    until(lambda: len(runs) == 1)
    for expected in (2, 3, 4):
        clock.advance(10)
        until(lambda expected=expected: len(runs) == expected)
    assert len(set(runs)) == len(runs) == 4


def test_a_slow_run_is_not_doubled_and_holds_up_no_other(tick, clock):
    going, go_on = threading.Event(), threading.Event()
    slow, quick = [], []

    def handle(at):
        slow.append(at)
        going.set()
        go_on.wait(20)

    tick("w1", Schedule("slow", 1, handle), Schedule("quick", 1, quick.append))
    tick("w2", Schedule("slow", 1, handle))
    assert going.wait(20)
    for _ in range(3):
        seen = len(quick)
        clock.advance(1)
        until(lambda seen=seen: len(quick) > seen)
    assert len(slow) == 1
    go_on.set()


def test_a_run_cut_short_by_a_crash_is_made_up_for_after_the_lease(tick, clock):
    going, never = threading.Event(), threading.Event()
    runs: list[datetime] = []

    def crash(_at):
        going.set()
        never.wait(20)

    tick("dead", Schedule("daily", 86400, crash))
    assert going.wait(20)
    tick("alive", Schedule("daily", 86400, runs.append))
    clock.advance(31)
    until(lambda: len(runs) == 1)
    never.set()


def test_a_failing_run_is_followed_by_the_next(tick, clock):
    runs: list[datetime] = []

    def fail(at):
        runs.append(at)
        raise OSError("reset")

    tick("w1", Schedule("scan", 1, fail))
    until(lambda: len(runs) == 1)
    clock.advance(1)
    until(lambda: len(runs) == 2)


def test_a_schedule_made_more_frequent_does_not_wait_for_its_old_time(tick, clock):
    runs: list[datetime] = []
    tick("w1", Schedule("scan", 3600, runs.append))
    until(lambda: len(runs) == 1)
    began = clock.now()
    tick("w2", Schedule("scan", 5, runs.append))

    def ran_again():
        clock.advance(1)
        return len(runs) == 2

    until(ran_again)
    assert (runs[1] - began).total_seconds() < 3600


def test_less_than_a_second_is_refused():
    with pytest.raises(ValueError, match=r"schedule 'scan': every 0\.5 s is too often"):
        Schedule("scan", 0.5, print)


def test_a_workers_own_schedule_forgets_finished_jobs(jobs, engine, start):
    worker = start(Job("mail", "work", Handler()))
    with engine.begin() as tx:
        jobs.enqueue(tx, "mail", queue="work", job_id="a", args={})
    until(lambda: jobs.find("a").state is JobState.DONE)
    worker.stop(timeout=5)
    runs: list[datetime] = []
    later = datetime.now(UTC) + timedelta(hours=7)
    start(queues=[], schedules=[Schedule("scan", 1, runs.append)], now=lambda: later)
    until(lambda: runs and jobs.find("a") is None)
