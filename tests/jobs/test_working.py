"""What a worker does with jobs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.jobs import Job, JobState, ParkJobError, PostponeJobError, Queue
from aftersail.core.jobs.tables import worker as worker_table
from aftersail.core.jobs.worker import Worker, backoff
from aftersail.core.store.engine import reading
from tests.jobs.conftest import Handler, until


def hand_over(jobs, engine, *ids, partition=None, **changes):
    with engine.begin() as tx:
        for job_id in ids:
            jobs.enqueue(
                tx, "mail", queue="work", job_id=job_id, partition=partition, **({"args": {"id": job_id}} | changes)
            )


def state_of(jobs, job_id):
    return jobs.find(job_id).state


def test_a_job_is_done_once_with_its_arguments(jobs, engine, start):
    handler = Handler()
    start(Job("mail", "work", handler))
    hand_over(jobs, engine, "a", args={"deep": [{"x": None}, 1.5, "ü"]})
    until(lambda: state_of(jobs, "a") is JobState.DONE)
    hand_over(jobs, engine, "a", "b")
    until(lambda: state_of(jobs, "b") is JobState.DONE)
    assert [call for call in handler.calls if call[0] == "a"] == [("a", 1, {"deep": [{"x": None}, 1.5, "ü"]})]


def test_work_handed_over_before_any_worker_was_up_is_done(jobs, engine, start):
    hand_over(jobs, engine, "a")
    start(Job("mail", "work", Handler()))
    until(lambda: state_of(jobs, "a") is JobState.DONE)


def test_a_partition_is_worked_on_one_at_a_time_and_partitions_side_by_side(jobs, engine, start):
    running: set[str] = set()
    overlaps: list[str] = []
    guard = threading.Lock()
    both, later = threading.Barrier(2, timeout=20), threading.Event()

    def handle(context, args):
        with guard:
            overlaps.extend(running & {context.partition})
            running.add(context.partition)
        if context.partition == "z":
            later.set()
        elif later.is_set() is False:
            # The first of x and of y must be under way together to get past the barrier. Then they stay until a job
            # that came later is done: time enough for the second of x to be let in wrongly.
            both.wait()
            later.wait(20)
        with guard:
            running.discard(context.partition)

    def add(partition):
        hand_over(jobs, engine, *(f"{partition}{i}" for i in range(8)), partition=partition)

    threads = [threading.Thread(target=add, args=(partition,)) for partition in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start(Job("mail", "work", handle))
    until(lambda: len(running) == 2)
    hand_over(jobs, engine, "z", partition="z")
    until(lambda: len(jobs.list(states=[JobState.DONE])) == 17)
    assert overlaps == []


def test_a_failing_job_is_attempted_again(jobs, engine, start):
    handler = Handler(OSError("reset"), SystemExit("a plugin"), None)
    start(Job("mail", "work", handler))
    hand_over(jobs, engine, "a", partition="p")
    until(lambda: state_of(jobs, "a") is JobState.DONE)
    assert [attempt for _, attempt, _ in handler.calls] == [1, 2, 3]
    assert jobs.find("a").error is None


def test_a_job_that_waits_for_its_next_attempt_does_not_block_its_partition(jobs, engine, start):
    start(Job("mail", "work", Handler(OSError("reset"))), backoff=lambda _attempt: timedelta(hours=1))
    hand_over(jobs, engine, "a", partition="p")
    until(lambda: jobs.find("a").error == "OSError: reset")
    hand_over(jobs, engine, "b", partition="p")
    until(lambda: state_of(jobs, "b") is JobState.DONE)
    assert (state_of(jobs, "a"), jobs.find("a").attempts) == (JobState.WAITING, 1)


def test_a_job_that_keeps_failing_is_parked_and_can_be_retried(jobs, engine, start):
    handler = Handler(OSError("1"), OSError("2"), OSError("3"))
    start(Job("mail", "work", handler), max_attempts=3)
    hand_over(jobs, engine, "a")
    until(lambda: state_of(jobs, "a") is JobState.PARKED)
    assert (jobs.find("a").error, jobs.find("a").attempts) == ("OSError: 3", 3)
    jobs.retry("a")
    until(lambda: state_of(jobs, "a") is JobState.DONE)
    assert [attempt for _, attempt, _ in handler.calls] == [1, 2, 3, 1]


def test_a_handler_can_park_its_job_at_once(jobs, engine, start):
    handler = Handler(ParkJobError("the account is closed"))
    start(Job("mail", "work", handler))
    hand_over(jobs, engine, "a")
    until(lambda: state_of(jobs, "a") is JobState.PARKED)
    assert (jobs.find("a").error, len(handler.calls)) == ("the account is closed", 1)


def test_a_postponement_is_no_attempt(jobs, engine, start):
    now = datetime.now(UTC)
    handler = Handler(PostponeJobError(now), PostponeJobError(now), OSError("reset"))
    start(Job("mail", "work", handler, max_attempts=2))
    hand_over(jobs, engine, "a")
    until(lambda: state_of(jobs, "a") is JobState.DONE)
    assert [attempt for _, attempt, _ in handler.calls] == [1, 1, 1, 2]


def test_a_postponed_job_waits_for_its_time(jobs, engine, start):
    later = datetime.now(UTC) + timedelta(hours=1)
    start(Job("mail", "work", Handler(PostponeJobError(later))))
    hand_over(jobs, engine, "a")
    until(lambda: jobs.find("a").due_at is not None)
    assert (state_of(jobs, "a"), jobs.find("a").due_at) == (JobState.WAITING, later)


def test_a_delayed_job_is_done_later(jobs, engine, start):
    start(Job("mail", "work", Handler()))
    hand_over(jobs, engine, "late", delay=timedelta(seconds=1))
    until(lambda: state_of(jobs, "late") is JobState.DONE)
    job = jobs.find("late")
    assert job.started_at - job.created_at >= timedelta(seconds=0.9)


def test_a_job_no_handler_knows_is_parked(jobs, engine, start):
    start()
    hand_over(jobs, engine, "a")
    until(lambda: state_of(jobs, "a") is JobState.PARKED)
    assert "knows no job 'mail'" in jobs.find("a").error


def test_a_cancelled_job_is_not_done_and_can_be_revived(jobs, engine, start):
    hand_over(jobs, engine, "a", "b", partition="p")
    assert jobs.cancel("a") is JobState.CANCELLED
    handler = Handler()
    start(Job("mail", "work", handler))
    until(lambda: state_of(jobs, "b") is JobState.DONE)
    assert [call[0] for call in handler.calls] == ["b"]
    jobs.retry("a")
    until(lambda: state_of(jobs, "a") is JobState.DONE)


def test_a_job_cancelled_while_it_runs_gets_no_further_attempt(jobs, engine, start):
    going, go_on = threading.Event(), threading.Event()

    def handle(context, args):
        going.set()
        go_on.wait(20)
        raise OSError("reset")

    start(Job("mail", "work", handle), backoff=lambda _attempt: timedelta(hours=1))
    hand_over(jobs, engine, "a")
    assert going.wait(20)
    assert jobs.cancel("a") is JobState.RUNNING
    go_on.set()
    until(lambda: state_of(jobs, "a") is JobState.CANCELLED)


def test_finished_jobs_are_pruned_and_parked_ones_kept(jobs, engine, start):
    start(Job("mail", "work", Handler(ParkJobError("look"))))
    hand_over(jobs, engine, "parked")
    until(lambda: state_of(jobs, "parked") is JobState.PARKED)
    hand_over(jobs, engine, "done")
    until(lambda: state_of(jobs, "done") is JobState.DONE)
    assert jobs.prune(datetime.now(UTC) - timedelta(minutes=1)) == 0
    assert jobs.find("done") is not None
    assert jobs.prune(datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert [job.job_id for job in jobs.list()] == ["parked"]
    hand_over(jobs, engine, "done")
    until(lambda: state_of(jobs, "done") is JobState.DONE)


def test_a_worker_leaves_other_queues_alone(jobs, engine, start):
    handler = Handler()
    start(Job("mail", "work", handler))
    with engine.begin() as tx:
        jobs.enqueue(tx, "mail", queue="money", job_id="other", args={})
        jobs.enqueue(tx, "mail", queue="work", job_id="mine", args={})
    until(lambda: state_of(jobs, "mine") is JobState.DONE)
    assert state_of(jobs, "other") is JobState.WAITING


def test_start_stop_start_in_one_process(jobs, engine, start):
    for job_id in ("a", "b"):
        worker = start(Job("mail", "work", Handler()))
        assert worker.running()
        hand_over(jobs, engine, job_id)
        until(lambda job_id=job_id: state_of(jobs, job_id) is JobState.DONE)
        assert worker.stop(timeout=5) is True
        assert not worker.running()
        with reading(engine).connect() as tx:
            assert tx.execute(sa.select(worker_table)).all() == []
        assert worker.stop() is True


def test_a_second_worker_in_one_process_is_refused(engine, start):
    first = start()
    with pytest.raises(RuntimeError, match="running in this process already"):
        Worker(engine, queues=[Queue("work")]).start()
    assert first.running()


def test_stopping_lets_the_work_under_way_come_to_its_end(jobs, engine, start):
    going, go_on = threading.Event(), threading.Event()

    def handle(context, args):
        going.set()
        go_on.wait(20)

    worker = start(Job("mail", "work", handle))
    hand_over(jobs, engine, "a")
    assert going.wait(20)
    threading.Timer(0.2, go_on.set).start()
    assert worker.stop(timeout=10) is True
    assert state_of(jobs, "a") is JobState.DONE


def test_two_jobs_of_one_name_are_refused(engine):
    with pytest.raises(ValueError, match="two jobs are called 'mail'"):
        Worker(engine, jobs=[Job("mail", "work", Handler()), Job("mail", "work", Handler())])


def test_the_wait_between_attempts_grows_to_a_quarter_of_an_hour():
    assert [backoff(n).total_seconds() for n in (1, 2, 3, 8, 9, 50)] == [5, 10, 20, 640, 900, 900]
