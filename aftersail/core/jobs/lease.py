"""Which workers live, and what becomes of the jobs of one that does not.

Open-source DBOS brings a dead worker's jobs back only when a worker with the same id starts again, and until then each
of them blocks its partition. So every worker holds a lease and renews it; whoever finds that a job belongs to a worker
without one hands it back to its queue, through DBOS's public API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import structlog

from aftersail.core.jobs.tables import schedule, worker
from aftersail.core.store.engine import is_sqlite, reading

if TYPE_CHECKING:
    from aftersail.core.jobs.dbos_jobs import DbosJobs

_log = structlog.get_logger(__name__)
_REAPER_LOCK: Final = 0x61667465725F6A62


class Lease:
    """One worker's lease, renewed every third of its length by a thread that looks for the dead as well.

    Args:
        engine: where the leases are.
        jobs: finds and hands back what the dead leave.
        worker_id: whose lease.
        seconds: its length.
        now: tells the time (UTC); all workers' clocks must agree to within a fraction of the length.
        on_lost: called once, from the thread, when the lease lapsed before it was renewed: others may have this
            worker's jobs by now.
    """

    def __init__(
        self,
        engine: sa.Engine,
        jobs: DbosJobs,
        *,
        worker_id: str,
        seconds: float,
        now: Callable[[], datetime],
        on_lost: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._jobs = jobs
        self._id = worker_id
        self._length = timedelta(seconds=seconds)
        self._now = now
        self._on_lost = on_lost
        self._until = now()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aftersail-lease", daemon=True)

    def take(self, *, sole: bool) -> None:
        """Take the lease and begin to renew it.

        Args:
            sole: nobody else can be alive, so that a dead worker's jobs come back at once.
        """
        with self._engine.begin() as tx:
            if sole:
                tx.execute(sa.delete(worker))
                tx.execute(sa.update(schedule).values(claimed_by=None, claimed_until=None))
            tx.execute(sa.delete(worker).where(worker.c.id == self._id))
            self._until = self._now() + self._length
            tx.execute(sa.insert(worker).values(id=self._id, lease_until=self._until))
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def give_up(self) -> None:
        """Let others have at once what this worker left."""
        try:
            with self._engine.begin() as tx:
                tx.execute(sa.delete(worker).where(worker.c.id == self._id))
        except sa.exc.DBAPIError as error:
            _log.warning("lease_not_given_up", worker=self._id, error=str(error.orig), fix="none: it lapses by itself")

    def _run(self) -> None:
        pause = self._length.total_seconds() / 3
        while not self._stopping.is_set():
            try:
                if not self._renew():
                    self._on_lost()
                    return
                self._reap()
            except Exception as error:  # noqa: BLE001 - whatever failed, the lease must be tried again while it holds
                _log.warning("lease_trouble", worker=self._id, error=f"{type(error).__name__}: {error}")
                if self._now() >= self._until:
                    self._on_lost()
                    return
            self._stopping.wait(pause)

    def _renew(self) -> bool:
        now = self._now()
        until = now + self._length
        mine = sa.and_(worker.c.id == self._id, worker.c.lease_until > now)
        with self._engine.begin() as tx:
            held = tx.execute(sa.update(worker).where(mine).values(lease_until=until)).rowcount == 1
            if held:
                tx.execute(sa.update(schedule).where(schedule.c.claimed_by == self._id).values(claimed_until=until))
        if held:
            self._until = until
        return held

    def _reap(self) -> None:
        with self._alone() as alone:
            if not alone:
                return
            with reading(self._engine).connect() as tx:
                living = sa.select(worker.c.id).where(worker.c.lease_until > self._now())
                alive = set(tx.execute(living).scalars())
            taken_over, rescued = self._jobs.take_over(alive), self._jobs.rescue()
        if taken_over or rescued:
            _log.warning("jobs_taken_over", worker=self._id, of_dead_workers=taken_over, of_broken_carriers=rescued)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        # Two that look at once could take a job from a worker that has only just been given it by the other.
        if is_sqlite(self._engine):
            living = sa.select(sa.func.min(worker.c.id)).where(worker.c.lease_until > self._now())
            with reading(self._engine).connect() as tx:
                first = tx.execute(living).scalar_one()
            yield first == self._id
            return
        with self._engine.connect() as tx:
            yield bool(tx.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_REAPER_LOCK))).scalar_one())
