"""What the port promises to whoever hands work over, without any worker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.jobs import JobArgumentError, JobConflictError, JobState, UnknownJobError, ledger
from aftersail.core.jobs.dbos_jobs import DbosJobs, ensure_engine_tables
from aftersail.core.jobs.tables import create_all
from aftersail.core.store.engine import is_sqlite, open_engine
from tests.jobs.conftest import until


def hand_over(jobs, engine, job_id="a", **changes):
    with engine.begin() as tx:
        return jobs.enqueue(tx, **({"job": "mail", "queue": "work", "job_id": job_id, "args": {"n": 1}} | changes))


def test_a_committed_job_waits(jobs, engine):
    assert hand_over(jobs, engine, partition="shop-1") is True
    job = jobs.find("a")
    assert (job.state, job.job, job.queue, job.partition) == (JobState.WAITING, "mail", "work", "shop-1")
    assert (job.args, job.attempts, job.due_at, job.error) == ({"n": 1}, 0, None, None)


def test_a_rolled_back_job_never_was(jobs, engine):
    with engine.connect() as tx:
        jobs.enqueue(tx, "mail", queue="work", job_id="a", args={})
        tx.rollback()
    assert jobs.find("a") is None
    # The engine's half is gone as well, or the same id could not be handed over now.
    assert hand_over(jobs, engine) is True


def test_it_commits_with_the_callers_rows_or_not_at_all(jobs, engine):
    with engine.begin() as tx:
        tx.execute(sa.text("CREATE TABLE refund (id integer)"))
    with engine.connect() as tx:
        tx.execute(sa.text("INSERT INTO refund VALUES (1)"))
        jobs.enqueue(tx, "mail", queue="work", job_id="a", args={})
        tx.rollback()
    with engine.begin() as tx:
        jobs.enqueue(tx, "mail", queue="work", job_id="b", args={})
        tx.execute(sa.text("INSERT INTO refund VALUES (2)"))
    with engine.connect() as tx:
        assert tx.execute(sa.text("SELECT id FROM refund")).scalars().all() == [2]
    assert [job.job_id for job in jobs.list()] == ["b"]


def test_the_same_id_again_changes_nothing(jobs, engine):
    hand_over(jobs, engine, args={"n": 1})
    assert hand_over(jobs, engine, args={"n": 2}) is False
    assert jobs.find("a").args == {"n": 1}


def test_the_same_id_twice_in_one_transaction_changes_nothing(jobs, engine):
    with engine.begin() as tx:
        assert jobs.enqueue(tx, "mail", queue="work", job_id="a", args={}) is True
        assert jobs.enqueue(tx, "mail", queue="work", job_id="a", args={}) is False


def test_an_id_names_one_kind_of_work(jobs, engine):
    hand_over(jobs, engine)
    with pytest.raises(JobConflictError, match="'a' is taken by a job 'mail'"):
        hand_over(jobs, engine, job="refund")


@pytest.mark.parametrize("args", [{"at": timedelta(1)}, {"x": (1, 2)}, {1: 2}, {"x": float("nan")}, {"x": b"y"}])
def test_only_json_is_taken(jobs, engine, args):
    with pytest.raises(JobArgumentError, match="job 'mail'"):
        hand_over(jobs, engine, args=args)
    assert jobs.find("a") is None


def test_a_delayed_job_says_when(jobs, engine):
    hand_over(jobs, engine, delay=timedelta(hours=1))
    job = jobs.find("a")
    assert (job.state, job.due_at - job.created_at) == (JobState.WAITING, timedelta(hours=1))


def test_listing_filters_and_shows_the_newest_first(jobs, engine):
    hand_over(jobs, engine, "1")
    hand_over(jobs, engine, "2", queue="other")
    hand_over(jobs, engine, "3", job="refund")
    jobs.cancel("3")
    assert [job.job_id for job in jobs.list()] == ["3", "2", "1"]
    assert [job.job_id for job in jobs.list(queue="work")] == ["3", "1"]
    assert [job.job_id for job in jobs.list(job="mail")] == ["2", "1"]
    assert [job.job_id for job in jobs.list(states=[JobState.CANCELLED])] == ["3"]
    assert [job.job_id for job in jobs.list(limit=1)] == ["3"]


def test_a_carrier_from_before_a_new_hand_over_is_void(jobs, engine):
    """One that comes up again, since its worker died after the job was handed over anew, makes no attempt."""
    hand_over(jobs, engine)
    jobs.cancel("a")
    jobs.retry("a")

    def begin(tx, run):
        return ledger.begin(tx, "a", run, worker="w", max_attempts=lambda _name: 3, now=jobs.find("a").created_at)

    with engine.begin() as tx:
        assert begin(tx, 1) is None
        assert begin(tx, 2).number == 1


@pytest.mark.slow
def test_a_half_built_database_is_waited_for(databases):
    """A process that opens the database while another creates the engine's tables can hand over."""
    engine = open_engine(databases.fresh(), durable=False)
    create_all(engine)
    schema = None if is_sqlite(engine) else "dbos"
    with ThreadPoolExecutor(1) as other:
        creating = other.submit(ensure_engine_tables, engine)
        until(lambda: sa.inspect(engine).has_table("dbos_migrations", schema=schema))
        jobs = DbosJobs(engine)
        assert hand_over(jobs, engine) is True
        creating.result()
    jobs.close()
    engine.dispose()


def test_what_cannot_be_retried_says_so(jobs, engine):
    hand_over(jobs, engine)
    with pytest.raises(ValueError, match="'a' is waiting"):
        jobs.retry("a")
    for act in (jobs.retry, jobs.cancel):
        with pytest.raises(UnknownJobError, match="'b'"):
            act("b")
