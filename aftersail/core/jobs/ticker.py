"""Schedules: short work, again and again, by one process at a time.

A schedule is a row with its due time, like everything else that falls due here. The process that claims the row runs
the handler; the claim lives as long as its lease. DBOS's own schedules would write a workflow per tick, 86,400 a day
for one second, know only crontab intervals, and pile ticks up behind a slow one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from aftersail.core.jobs.port import Schedule
from aftersail.core.jobs.tables import schedule as table
from aftersail.core.store.engine import is_sqlite

_log = structlog.get_logger(__name__)


class Ticker:
    """Runs schedules, each in a thread of its own, so that a slow one holds up no other.

    Args:
        engine: where the due times are.
        schedules: what to run.
        worker_id: who claims.
        lease_seconds: how long a claim holds without being renewed by the worker's lease.
        poll_seconds: how often to look whether something is due.
        now: tells the time (UTC).
    """

    def __init__(
        self,
        engine: sa.Engine,
        schedules: Iterable[Schedule],
        *,
        worker_id: str,
        lease_seconds: float,
        poll_seconds: float,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._id = worker_id
        self._lease = timedelta(seconds=lease_seconds)
        self._poll = poll_seconds
        self._now = now
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"aftersail-schedule-{each.name}", daemon=True)
            for each in schedules
        ]

    def start(self) -> None:
        """Begin to tick; what was due while nothing was up runs once, now."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> bool:
        """Stop ticking.

        Returns:
            whether every handler under way came to its end in time.
        """
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout)
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, schedule: Schedule) -> None:
        look_at: datetime | None = None
        while not self._stopping.is_set():
            now = self._now()
            if look_at is None or now >= look_at:
                try:
                    look_at = self._tick(schedule, now)
                except Exception as error:  # noqa: BLE001 - a schedule that ends for good would be noticed by nobody
                    _log.warning("schedule_failed", schedule=schedule.name, error=f"{type(error).__name__}: {error}")
            self._stopping.wait(self._poll)

    def _tick(self, schedule: Schedule, now: datetime) -> datetime:
        """Run the schedule if it is due and free; return when to look again."""
        claimed, look_at = self._claim(schedule, now)
        if claimed:
            try:
                schedule.handler(now)
            finally:
                # Only now, so that a run cut short by a crash is made up for once the claim has lapsed.
                self._release(schedule, look_at)
        return look_at

    def _claim(self, schedule: Schedule, now: datetime) -> tuple[bool, datetime]:
        every = timedelta(seconds=schedule.every)
        insert = sqlite.insert if is_sqlite(self._engine) else postgresql.insert
        with self._engine.begin() as tx:
            tx.execute(insert(table).values(name=schedule.name, due_at=now).on_conflict_do_nothing())
            row = tx.execute(sa.select(table).where(table.c.name == schedule.name).with_for_update()).one()
            if row.claimed_until is not None and row.claimed_until > now:
                return False, row.claimed_until
            due_at: datetime = row.due_at
            change = sa.update(table).where(table.c.name == schedule.name)
            if due_at > now + every:
                # A schedule that was made more frequent does not wait for its old time.
                due_at = now + every
                tx.execute(change.values(due_at=due_at))
            if due_at > now:
                return False, due_at
            tx.execute(change.values(claimed_by=self._id, claimed_until=now + self._lease))
        return True, now + every - (now - due_at) % every

    def _release(self, schedule: Schedule, due_at: datetime) -> None:
        mine = sa.and_(table.c.name == schedule.name, table.c.claimed_by == self._id)
        with self._engine.begin() as tx:
            tx.execute(sa.update(table).where(mine).values(due_at=due_at, claimed_by=None, claimed_until=None))
