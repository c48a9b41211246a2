"""Handing work over to DBOS, from any process: the desk, a command, a worker.

DBOS (3.4, https://docs.dbos.dev) does the claiming, the one-at-a-time of a partition, the waiting and the recovery.
Each hand-over is one DBOS workflow `<job id>~<run>` that carries nothing but the job's id and run number.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus

from aftersail.core.jobs import ledger
from aftersail.core.jobs.port import JobInfo, JobState, Json, Queue
from aftersail.core.jobs.tables import job as table
from aftersail.core.store.engine import driver_begins, is_sqlite, reading

if TYPE_CHECKING:
    from typing import Any

APPLICATION: Final = "aftersail"
CARRIER: Final = "aftersail.job"
CARRIER_VERSION: Final = "1"
"""Set by us: DBOS would use a hash of our source and leave older rows lying. Changed with the carrier's arguments."""

_FAILED: Final = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_BATCH: Final = 1000
_MIGRATION_LOCK: Final = 0x61667465725F6D67
_RETRIABLE: Final = frozenset({JobState.PARKED, JobState.CANCELLED})


class DbosJobs:
    """The port `Jobs` over DBOS.

    Args:
        engine: where the desk's own tables are; jobs live beside them.
        now: tells the time (UTC).
    """

    def __init__(self, engine: sa.Engine, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        quiet_logs()
        ensure_engine_tables(engine)
        self._engine = engine
        self._now = now
        self._client = DBOSClient(
            system_database_engine=driver_begins(engine),
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            lazy=True,
        )

    def enqueue(
        self,
        tx: sa.Connection,
        job: str,
        *,
        queue: str,
        job_id: str,
        args: Mapping[str, Json],
        partition: str | None = None,
        priority: int = 0,
        delay: timedelta | None = None,
    ) -> bool:
        """See `Jobs.enqueue`."""
        ledger.check_args(job, args)
        now = self._now()
        row = ledger.insert(
            tx,
            job_id=job_id,
            name=job,
            queue=queue,
            # A partition of its own runs beside all others: no queue needs to be of the other kind.
            partition=job_id if partition is None else partition,
            priority=priority,
            args=args,
            now=now,
            due_at=None if delay is None else now + delay,
        )
        if row is not None:
            self.submit(tx, row)
        return row is not None

    def submit(self, tx: sa.Connection, row: sa.Row[Any]) -> None:
        """Hand a row of the ledger to the engine, in this transaction."""
        options = EnqueueOptions(
            workflow_name=CARRIER,
            workflow_id=f"{row.id}~{row.run}",
            queue_name=row.queue,
            queue_partition_key=row.partition,
            app_version=CARRIER_VERSION,
            application_name=APPLICATION,
        )
        if row.priority:
            options["priority"] = row.priority
        if row.due_at is not None and (wait := (row.due_at - self._now()).total_seconds()) > 0:
            options["delay_seconds"] = wait
        self._client.enqueue_in_transaction(tx, options, row.id, row.run)

    def find(self, job_id: str) -> JobInfo | None:
        """See `Jobs.find`."""
        with reading(self._engine).connect() as tx:
            row = tx.execute(sa.select(table).where(table.c.id == job_id)).one_or_none()
        return None if row is None else ledger.info(row)

    def list(
        self,
        *,
        states: Collection[JobState] | None = None,
        queue: str | None = None,
        job: str | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        """See `Jobs.list`."""
        query = sa.select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
        if states is not None:
            query = query.where(table.c.state.in_(states))
        if queue is not None:
            query = query.where(table.c.queue == queue)
        if job is not None:
            query = query.where(table.c.name == job)
        with reading(self._engine).connect() as tx:
            return [ledger.info(row) for row in tx.execute(query)]

    def retry(self, job_id: str) -> None:
        """See `Jobs.retry`."""
        with self._engine.begin() as tx:
            row = ledger.lock(tx, job_id)
            if row.state not in _RETRIABLE:
                raise ValueError(f"job {job_id!r} is {row.state}; only a parked or cancelled job can be retried")
            ledger.hand_over(tx, row, self.submit, attempts=0, cancelling=False, due_at=None)

    def cancel(self, job_id: str) -> JobState:
        """See `Jobs.cancel`."""
        with self._engine.begin() as tx:
            return ledger.cancel(tx, ledger.lock(tx, job_id), now=self._now())

    def prune(self, older_than: datetime) -> int:
        """See `Jobs.prune`."""
        over = table.c.state.in_([JobState.DONE, JobState.CANCELLED])
        with self._engine.begin() as tx:
            pruned = tx.execute(sa.delete(table).where(over, table.c.finished_at < older_than)).rowcount
        before = older_than.astimezone(UTC).isoformat()
        while carriers := self._carriers("SUCCESS", completed_before=before):
            self._client.delete_workflows([carrier.workflow_id for carrier in carriers])
        return pruned

    def take_over(self, alive: Collection[str]) -> int:
        """Hand back to their queues the jobs of workers that are not alive; no two processes may do so at once.

        Returns:
            how many.
        """
        orphans: dict[str, list[str]] = defaultdict(list)
        offset = 0
        while page := self._carriers("PENDING", offset=offset):
            offset += len(page)
            for carrier in page:
                if carrier.executor_id not in alive and carrier.queue_name is not None:
                    orphans[carrier.queue_name].append(carrier.workflow_id)
        for queue, carriers in orphans.items():
            # Without its queue's name DBOS would move the job to a queue that knows no partitions.
            self._client.resume_workflows(carriers, queue_name=queue)
        return sum(map(len, orphans.values()))

    def holds_any(self, worker: str) -> bool:
        """Tell whether a worker has jobs that the engine has not booked as finished."""
        return bool(self._client.list_workflows(status="PENDING", executor_id=worker, limit=1, load_input=False))

    def rescue(self) -> int:
        """Hand over anew the jobs whose carrier broke, as when the database went away just as the worker stopped.

        Returns:
            how many.
        """
        rescued = 0
        for carrier in self._carriers(*_FAILED):
            job_id, _, run = carrier.workflow_id.rpartition("~")
            with self._engine.begin() as tx:
                rescued += ledger.hand_over_if_current(tx, job_id, int(run), self.submit)
            self._client.delete_workflows([carrier.workflow_id])
        return rescued

    def hand_over_open(self, tx: sa.Connection) -> int:
        """Hand over every job that waits or was running, in this transaction, to an engine that knows none of them.

        Returns:
            how many.
        """
        still_open = table.c.state.in_([JobState.WAITING, JobState.RUNNING])
        rows = tx.execute(sa.select(table).where(still_open).order_by(table.c.created_at, table.c.id)).all()
        for row in rows:
            ledger.hand_over(tx, row, self.submit)
        return len(rows)

    def register_queues(self, queues: Iterable[Queue], *, poll_seconds: float) -> None:
        """Tell the engine how to work on queues."""
        for queue in queues:
            self._client.register_queue(
                queue.name,
                partition_concurrency=1,
                worker_concurrency=queue.concurrency,
                polling_interval_sec=poll_seconds,
            )

    def _carriers(self, *status: str, offset: int = 0, completed_before: str | None = None) -> Sequence[WorkflowStatus]:
        return self._client.list_workflows(
            status=[*status],
            name=CARRIER,
            completed_before=completed_before,
            limit=_BATCH,
            offset=offset,
            load_input=False,
            load_output=False,
        )

    def close(self) -> None:
        """Let go of the engine's client; the SQLAlchemy engine stays open."""
        self._client.destroy()


def ensure_engine_tables(engine: sa.Engine, *, update: bool = False) -> None:
    """Create DBOS's own tables where there are none.

    Args:
        engine: the desk's database.
        update: bring older ones up to date as well; for workers.
    """
    schema = None if is_sqlite(engine) else "dbos"
    with _one_at_a_time(engine):
        with reading(engine).connect() as tx:
            there = sa.inspect(tx).has_table("dbos_migrations", schema=schema)
        if update or not there:
            DBOS.migrate(engine.url.render_as_string(hide_password=False))


@contextmanager
def _one_at_a_time(engine: sa.Engine) -> Iterator[None]:
    # On SQLite the migration is one transaction. On PostgreSQL it is many, and who comes in between would take a
    # half-built schema for a whole one. The lock is tried, not waited for: a waiting statement would hold up the
    # indexes that the migration builds concurrently.
    if is_sqlite(engine):
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_MIGRATION_LOCK))).scalar_one():
            time.sleep(0.1)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_MIGRATION_LOCK)))


def quiet_logs() -> None:
    """Let DBOS log through the standard library's root logger, warnings and worse only.

    Without a handler of its own it would write to the console itself.
    """
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = True
    logger.setLevel(logging.WARNING)
