"""The daemon: one process that syncs, ticks clocks and sends remedies, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
import structlog

from aftersail.core.desk.clockwork import tick_clocks
from aftersail.core.desk.retention import purge
from aftersail.core.insight.watch import watch
from aftersail.core.jobs import Job, JobContext, Queue, Schedule
from aftersail.core.jobs.instance import AlreadyRunningError, SingleInstance
from aftersail.core.jobs.worker import Worker
from aftersail.core.remedies import RemedyKind, RemedyState
from aftersail.core.remedies.plan import JOB as REMEDY_JOB
from aftersail.core.runtime import recounting, syncing, tracking
from aftersail.core.runtime.app import App
from aftersail.core.store import audit, tables
from aftersail.core.store.compact import compact
from aftersail.core.store.engine import is_sqlite, reading
from aftersail.core.store.unit import unit_of_work

_log = structlog.get_logger(__name__)

_CONCURRENCY: Final = 8
_ATTEMPTS: Final = 100
"""Our handlers turn a channel's errors into due times, so attempts are spent by crashes alone. Whoever restarts the
daemon twenty times in a row must not find work parked; a job that kills its process each time still ends."""
_STOP_SECONDS: Final = 10.0
_SEAL_LAST_SECONDS: Final = 1.0
_PURGE_SECONDS: Final = 86400.0
_RESCUE_EVERY: Final = timedelta(minutes=1)
_WATCH_EVERY: Final = timedelta(minutes=5)
_SOON: Final = timedelta(minutes=5)
"""What `until_idle` waits for; the last look-up of what is surely gone astray comes later, and what a person frees."""
_IN_FLIGHT: Final = (RemedyState.APPROVED, RemedyState.CLAIMED, RemedyState.SENT)


class Role(StrEnum):
    """What a process of a fleet does; alone, one does all of it."""

    ALL = "all"
    WORKER = "worker"
    """Syncs channels and sends remedies."""
    SCHEDULER = "scheduler"
    """Hands over what falls due; of several one does so at a time."""
    WEB = "web"
    """Serves the desk's pages, and nothing else."""


class DaemonError(Exception):
    """The daemon cannot run; the text says why and what to do."""


class LeaseLostError(DaemonError):
    """Others have taken this worker's work over; the process must end without waiting for its threads."""


class Daemon:
    """Runs the desk's work.

    Args:
        app: the application.
        role: what this process does.
        poll_seconds: how often queues are looked at.
    """

    def __init__(self, app: App, *, role: Role = Role.ALL, poll_seconds: float = 0.25) -> None:
        self._app = app
        self._role = role
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        self._lost = False
        self._rescued_at: datetime | None = None
        self._watched_at: datetime | None = None
        self._recounting = recounting.Recounting(app, self._stop.is_set)

    def stop(self) -> None:
        """Ask the daemon to stop; it finishes what it has in hand."""
        self._stop.set()

    def run(self, *, until_idle: bool = False, ready: Callable[[], None] = lambda: None) -> bool:
        """Work until stopped, or with `until_idle` until every channel was synced and nothing is on its way.

        Returns:
            whether everything in hand came to its end; if not, the process should end at once.

        Raises:
            DaemonError: another daemon runs on the same SQLite file, this one lost its lease, or it has a role of a
                fleet on SQLite, which one process at a time works on.
            PackError: the policy pack cannot be used.
        """
        if self._role is not Role.ALL and is_sqlite(self._app.engine):
            raise DaemonError(
                f"--role {self._role} shares the work, which needs PostgreSQL; run without --role on SQLite"
            )
        _ = self._app.services  # a broken pack or plugin set is told before any work begins
        self._app.packs.in_force(self._app.settings.pack, self._app.now())
        try:
            with SingleInstance(self._app.engine):
                clean = self._work(until_idle, ready)
        except AlreadyRunningError as error:
            raise DaemonError(str(error)) from None
        if self._lost:
            raise LeaseLostError("this worker lost its lease, others have taken its work over; start it again")
        return clean

    def _work(self, until_idle: bool, ready: Callable[[], None]) -> bool:
        if until_idle:
            syncing.make_all_due(self._app)
        self._note_settings()
        worker = None if self._role is Role.WEB else self._worker()
        before = _on_signals(self._stop)
        if worker is not None:
            worker.start()
        channels, database = len(self._app.settings.channels), self._app.engine.dialect.name
        _log.info("daemon_started", role=self._role.value, channels=channels, database=database)
        try:
            ready()
            while not self._stop.wait(self._poll_seconds):
                if until_idle and self._idle():
                    break
        finally:
            clean = worker is None or worker.stop(_STOP_SECONDS)
            audit.seal(self._app.engine, seconds=_SEAL_LAST_SECONDS)
            for number, handler in before.items():
                signal.signal(number, handler)
            _log.info("daemon_stopped", clean=clean)
        return clean

    def _worker(self) -> Worker:
        jobs = [
            Job(syncing.JOB, syncing.JOB, self._sync, _ATTEMPTS),
            Job(tracking.JOB, tracking.JOB, self._track, _ATTEMPTS),
            Job(recounting.JOB, recounting.JOB, self._recount, _ATTEMPTS),
            Job(REMEDY_JOB, RemedyKind.REFUND, self._remedy, _ATTEMPTS),
        ]
        names = (syncing.JOB, tracking.JOB, recounting.JOB, *RemedyKind)
        schedules = [Schedule("tick", 1, self._tick)]
        if self._app.settings.privacy.retention:
            schedules.append(Schedule("privacy", _PURGE_SECONDS, self._purge))
        return Worker(
            self._app.engine,
            jobs=jobs,
            queues=[] if self._role is Role.SCHEDULER else [Queue(name, _CONCURRENCY) for name in names],
            schedules=[] if self._role is Role.WORKER else schedules,
            sole=is_sqlite(self._app.engine),
            poll_seconds=self._poll_seconds,
            now=self._app.now,
            on_lost=self._on_lost,
        )

    def _on_lost(self) -> None:
        self._lost = True
        self._stop.set()

    def _sync(self, _: JobContext, args: Mapping[str, Any]) -> None:
        syncing.run_sync(self._app, args["channel"])

    def _track(self, _: JobContext, args: Mapping[str, Any]) -> None:
        tracking.track_due(self._app, args["channel"])

    def _recount(self, _: JobContext, __: Mapping[str, Any]) -> None:
        self._recounting.run()

    def _remedy(self, _: JobContext, args: Mapping[str, Any]) -> None:
        self._app.outbox.work(args["key"])

    def _tick(self, at: datetime) -> None:
        """Hand over what is due; every row is marked in the transaction that enqueues its job."""
        app = self._app
        app.refresh_packs()
        self._recounting.hand_over()
        with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
            syncing.hand_over_syncs(app, unit)
            tracking.hand_over_tracking(app, unit)
            tick_clocks(unit, roster=app.settings.desk)
        app.outbox.hand_over()
        audit.seal(app.engine)
        if self._rescued_at is None or at - self._rescued_at >= _RESCUE_EVERY:
            self._rescued_at = at
            app.outbox.rescue()
            syncing.rescue_syncs(app)
        if self._watched_at is None or at - self._watched_at >= _WATCH_EVERY:
            self._watched_at = at
            with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
                watch(unit)

    def _purge(self, _: datetime) -> None:
        """Forget what is due by the schedule; what is left when the daemon stops is due tomorrow still."""
        app, privacy = self._app, self._app.settings.privacy
        done = purge(app.engine, privacy.retention, now=app.now, stop=self._stop.is_set)
        if done.tickets or done.orders:
            _log.info("purged", tickets=done.tickets, orders=done.orders, waiting=len(done.waiting))
            if privacy.compact and not compact(app.engine):
                _log.warning("not_compacted", fix="aftersail privacy purge --compact")

    def _note_settings(self) -> None:
        """Write down what the desk is run with from now on: the audit log's before and after are two such rows."""
        settings = self._app.settings
        told: dict[str, Any] = {
            "pack": settings.pack,
            "disabled": list(settings.plugins.disabled),
            "retention": [rule.name for rule in settings.privacy.retention],
            "hash": sha256(settings.model_dump_json(exclude={"database"}).encode()).hexdigest(),
        }
        with unit_of_work(self._app.engine, self._app.now()) as unit:
            unit.record("settings_read", "", **told)

    def _idle(self) -> bool:
        """Every channel rests until its next sync; nothing is due soon, on its way or to be counted again."""
        channel, remedy, shipment = tables.channel, tables.remedy, tables.shipment
        now = self._app.now()
        syncs = sa.or_(channel.c.due_at.is_(None), channel.c.due_at <= now)
        in_hand = sa.and_(remedy.c.state.in_(_IN_FLIGHT), remedy.c.next_at.is_(None))
        busy = [
            sa.select(channel.c.id).where(channel.c.active, syncs),
            sa.select(remedy.c.key).where(sa.or_(in_hand, remedy.c.next_at <= now + _SOON)),
        ]
        if any("track_shipment" in info.operations for info in self._app.services.channels.values()):
            busy.append(sa.select(shipment.c.id).where(shipment.c.due_at <= now))
        with reading(self._app.engine).connect() as conn:
            if any(conn.execute(query.limit(1)).first() for query in busy):
                return False
        return not self._recounting.under_way()


def _on_signals(stop: threading.Event) -> dict[int, Any]:
    """Stop cleanly on Ctrl-C and SIGTERM; only the main thread may ask for signals."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
