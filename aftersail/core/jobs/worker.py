"""Running jobs: one worker per process, over DBOS, which is a singleton of the process."""

from __future__ import annotations

import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, StepOptions

from aftersail.core.jobs import ledger
from aftersail.core.jobs.dbos_jobs import (
    APPLICATION,
    CARRIER,
    CARRIER_VERSION,
    DbosJobs,
    ensure_engine_tables,
    quiet_logs,
)
from aftersail.core.jobs.lease import Lease
from aftersail.core.jobs.port import Job, JobContext, ParkJobError, PostponeJobError, Queue, Schedule
from aftersail.core.jobs.ticker import Ticker
from aftersail.core.store.engine import driver_begins

if TYPE_CHECKING:
    import sqlalchemy as sa

_log = structlog.get_logger(__name__)
_NamedT = TypeVar("_NamedT", Job, Queue, Schedule)
_one_per_process = threading.Lock()
_PRUNE_EVERY: Final = 3600.0
_SPARE_THREADS: Final = 8
_SETTLE_SECONDS: Final = 0.2


def backoff(attempt: int) -> timedelta:
    """Wait 5 s after the first failed attempt, then twice as long each time, a quarter of an hour at most."""
    return timedelta(seconds=min(5.0 * 2 ** (attempt - 1), 900.0))


class Worker:
    """Runs the jobs of some queues, and schedules, in this process.

    Several workers, in several processes, share one database; on SQLite guard against that with `SingleInstance`.

    Args:
        engine: where the desk's tables and the jobs are.
        jobs: the handlers of every job that may come up in `queues`.
        queues: the queues to work on; none for a process that only runs schedules.
        schedules: what to do again and again; the same list in several processes runs in one of them at a time.
        worker_id: unique among all workers, and new for every start; None makes one.
        sole: no other worker can be alive (the caller holds `SingleInstance`): what a crash left is taken over at once.
        lease_seconds: after this long without a sign of life a worker counts as dead. A worker that finds its own lease
            lapsed stops itself.
        poll_seconds: how often a queue is looked at; also bounds it to `concurrency / poll_seconds` jobs a second.
        max_attempts: attempts until a job is parked, where the job says nothing else.
        backoff: the wait after the n-th failed attempt.
        keep: how long finished jobs are kept.
        now: tells the time (UTC).
        on_lost: called after the worker stopped itself; the process should then exit.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        jobs: Iterable[Job] = (),
        queues: Iterable[Queue] = (),
        schedules: Iterable[Schedule] = (),
        worker_id: str | None = None,
        sole: bool = False,
        lease_seconds: float = 30.0,
        poll_seconds: float = 0.5,
        max_attempts: int = 8,
        backoff: Callable[[int], timedelta] = backoff,
        keep: timedelta = timedelta(hours=6),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self.worker_id = worker_id or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._engine = engine
        self._jobs = _by_name(jobs)
        self._queues = _by_name(queues)
        self._sole = sole
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._max_attempts = max_attempts
        self._backoff = backoff
        self._now = now
        self._on_lost = on_lost
        self._port: DbosJobs | None = None
        self._lease: Lease | None = None
        self._ticker: Ticker | None = None
        self._stop_lock = threading.Lock()
        self._running = False
        self._lost = False
        self._stopping = False
        self._active = 0
        self._active_lock = threading.Lock()
        prune = Schedule("aftersail prune jobs", _PRUNE_EVERY, lambda at: self._prune(at - keep))
        self._schedules = _by_name([*schedules, prune])

    def start(self) -> None:
        """Begin to work. Creates or updates the engine's own tables first.

        Raises:
            RuntimeError: another worker runs in this process.
        """
        if not _one_per_process.acquire(blocking=False):
            raise RuntimeError("a worker is running in this process already; stop() it first")
        self._lost = self._stopping = False
        try:
            self._start()
        except BaseException:
            self._running = True
            self.stop(timeout=0)
            raise
        self._running = True

    def _start(self) -> None:
        quiet_logs()
        ensure_engine_tables(self._engine, update=True)
        self._port = DbosJobs(self._engine, now=self._now)
        self._lease = Lease(
            self._engine,
            self._port,
            worker_id=self.worker_id,
            seconds=self._lease_seconds,
            now=self._now,
            on_lost=self._lose,
        )
        # The lease comes first: a worker without one would see its jobs taken away by the others.
        self._lease.take(sole=self._sole)
        if self._queues:
            self._launch(self._port)
        self._ticker = Ticker(
            self._engine,
            self._schedules.values(),
            worker_id=self.worker_id,
            lease_seconds=self._lease_seconds,
            poll_seconds=self._poll_seconds,
            now=self._now,
        )
        self._ticker.start()

    def running(self) -> bool:
        """Tell whether this worker has started, has not been stopped and holds its lease."""
        return self._running and not self._lost

    def stop(self, timeout: float = 30.0) -> bool:
        """Stop: take nothing new, let what is under way come to its end.

        Args:
            timeout: seconds to wait for it. What is still under way then goes on in its thread until the process ends;
                its jobs are taken over by others after the lease.

        Returns:
            whether everything came to its end.
        """
        with self._stop_lock:
            if not self._running:
                return True
            self._stopping = True
            try:
                return self._stop(timeout)
            finally:
                self._running = False
                self._port = self._lease = self._ticker = None
                _one_per_process.release()

    def _stop(self, timeout: float) -> bool:
        if self._lost:
            # Whatever it still does is void: others have its jobs.
            timeout = 0
        drained = self._ticker is None or self._ticker.stop(timeout)
        # DBOS waits in whole seconds, one at least, which an idle worker need not.
        wait = math.ceil(timeout) if self._queues and not self._idle(timeout) else 0
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=wait)
        drained = drained and not self._active
        if self._lease is not None:
            self._lease.stop()
            if drained and not self._lost:
                self._lease.give_up()
        if self._port is not None:
            self._port.close()
        return drained

    def _idle(self, timeout: float) -> bool:
        """Tell whether the engine has booked all this worker took, at once or within a fifth of a second."""
        deadline = time.monotonic() + min(timeout, _SETTLE_SECONDS)
        while self._active or self._port is None or self._port.holds_any(self.worker_id):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_SETTLE_SECONDS / 10)
        return True

    def _launch(self, port: DbosJobs) -> None:
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_url=self._engine.url.render_as_string(hide_password=False),
                system_database_engine=driver_begins(self._engine),
                serializer=DBOSPortableJSONSerializer(),
                executor_id=self.worker_id,
                application_version=CARRIER_VERSION,
                max_executor_threads=sum(queue.concurrency for queue in self._queues.values()) + _SPARE_THREADS,
                # We use none of its notifications; the interval only bounds how long stopping takes on SQLite.
                notification_listener_polling_interval_sec=self._poll_seconds,
                log_level="WARNING",
                enable_otlp=False,
            )
        )

        # Recovery attempts are not DBOS's to count: a takeover sets its counter back.
        @DBOS.workflow(name=CARRIER, max_recovery_attempts=None)
        def carry(job_id: str, run: int) -> None:
            self._carry(job_id, run)

        DBOS.listen_queues(list(self._queues))
        port.register_queues(self._queues.values(), poll_seconds=self._poll_seconds)
        DBOS.launch()

    def _carry(self, job_id: str, run: int) -> None:
        """Make one attempt, as one step: there is nothing to continue half-way, the handler's own keys see to that."""
        # What a handler raises ends inside. What comes out is the database's trouble, to be waited for.
        DBOS.run_step(
            StepOptions(
                name="attempt",
                retries_allowed=True,
                max_attempts=1_000_000,
                interval_seconds=2.0,
                backoff_rate=1.0,
                should_retry=lambda _error: not self._stopping,
            ),
            self._attempt,
            job_id,
            run,
        )

    def _attempt(self, job_id: str, run: int) -> None:
        with self._active_lock:
            self._active += 1
        try:
            with self._engine.begin() as tx:
                attempt = ledger.begin(
                    tx, job_id, run, worker=self.worker_id, max_attempts=self._attempts_of, now=self._now()
                )
            if attempt is not None:
                self._handle(attempt)
        finally:
            with self._active_lock:
                self._active -= 1

    def _handle(self, attempt: ledger.Attempt) -> None:
        row = attempt.row
        limit = self._attempts_of(row.name)
        job = self._jobs.get(row.name)
        context = JobContext(row.id, row.name, row.queue, row.partition, attempt.number, limit)
        try:
            if job is None:
                raise ParkJobError(f"this worker knows no job {row.name!r}; is it an older version than the others?")
            job.handler(context, row.args)
        except PostponeJobError as postponed:
            self._again(attempt, str(postponed), postponed.until, counts=False)
        except ParkJobError as parked:
            self._park(attempt, str(parked))
        except BaseException as error:  # noqa: BLE001 - a plugin may even raise SystemExit; the thread is not its own
            text = f"{type(error).__name__}: {error}"
            if context.last_attempt:
                self._park(attempt, text)
            else:
                _log.warning("job_failed", job=row.name, job_id=row.id, attempt=attempt.number, error=text)
                self._again(attempt, text, self._now() + self._backoff(attempt.number), counts=True)
        else:
            with self._engine.begin() as tx:
                ledger.done(tx, attempt, now=self._now())

    def _again(self, attempt: ledger.Attempt, error: str, due_at: datetime, *, counts: bool) -> None:
        port = self._opened_port()
        with self._engine.begin() as tx:
            ledger.again(tx, attempt, error, due_at=due_at, counts=counts, submit=port.submit, now=self._now())

    def _park(self, attempt: ledger.Attempt, error: str) -> None:
        _log.error("job_parked", job=attempt.row.name, job_id=attempt.row.id, attempt=attempt.number, error=error)
        with self._engine.begin() as tx:
            ledger.park(tx, attempt, error, now=self._now())

    def _attempts_of(self, name: str) -> int:
        job = self._jobs.get(name)
        return self._max_attempts if job is None or job.max_attempts is None else job.max_attempts

    def _prune(self, older_than: datetime) -> None:
        self._opened_port().prune(older_than)

    def _opened_port(self) -> DbosJobs:
        if self._port is None:
            raise RuntimeError("the worker has not been started")
        return self._port

    def _lose(self) -> None:
        _log.critical("lease_lost", worker=self.worker_id, fix="the worker stops; start it again")
        self._lost = True
        # Not from the lease's own thread, which stop() waits for.
        threading.Thread(target=self._stop_lost, name="aftersail-lost", daemon=True).start()

    def _stop_lost(self) -> None:
        self.stop(timeout=0)
        if self._on_lost is not None:
            self._on_lost()


def _by_name(items: Iterable[_NamedT]) -> dict[str, _NamedT]:
    named: dict[str, _NamedT] = {}
    for item in items:
        if item.name in named:
            raise ValueError(f"two {type(item).__name__.lower()}s are called {item.name!r}; rename one")
        named[item.name] = item
    return named
