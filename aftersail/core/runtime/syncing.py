"""One channel's sync as a job, and what its end means: due again, backing off, or in need of a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog

from aftersail.core.contract import AuthExpired, ChannelError, RateLimited
from aftersail.core.host import HostError
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.intake.sync import SyncReport
from aftersail.core.jobs import is_over
from aftersail.core.remedies.outbox import needs_attention
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelConfigError
from aftersail.core.runtime.secrets import SecretError
from aftersail.core.store import tables
from aftersail.core.store.engine import reading
from aftersail.core.store.unit import Unit, unit_of_work

_log = structlog.get_logger(__name__)

JOB: Final = "sync"
_ATTENTION_RETRY: Final = timedelta(minutes=15)
_LONGEST_BACKOFF: Final = timedelta(minutes=30)
_STALE: Final = timedelta(minutes=1)

SyncError = ChannelError | ConnectorDefectError | HostError | ChannelConfigError | SecretError
SYNC_ERRORS: Final = (ChannelError, ConnectorDefectError, HostError, ChannelConfigError, SecretError)
"""Everything that may keep one channel from being synced, and only that one."""

_RESTS: Final = {"armed_at": None, "hinted_at": None}
_NEED_A_PERSON: Final = (AuthExpired, ChannelConfigError, SecretError, HostError)


def sync_channel(app: App, channel: str, progress: Callable[[SyncReport], None] = lambda _: None) -> SyncReport:
    """Sync a channel now, write down how it went, and say when it is due again.

    Raises:
        SyncError: it could not be synced; what was stored before stays stored, and the channel is due again later.
    """
    try:
        report = app.intake.sync(app.channels.get(channel), progress)
    except SYNC_ERRORS as error:
        _failed(app, channel, error)
        raise
    _succeeded(app, channel)
    return report


def run_sync(app: App, channel: str) -> None:
    """The job: like `sync_channel`, but an error is already dealt with by the channel's next due time."""
    try:
        report = sync_channel(app, channel)
    except SYNC_ERRORS:
        return
    if any(report.new.values()) or any(report.revised.values()):
        _log.info("synced", channel=channel, pages=report.pages, new=dict(report.new), revised=dict(report.revised))


def _succeeded(app: App, channel: str) -> None:
    table = tables.channel
    with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = unit.conn.execute(sa.select(table).where(table.c.id == channel)).one()
        due = unit.now if row.hinted_at else unit.now + timedelta(seconds=row.poll_seconds)
        values = {"synced_at": unit.now, "due_at": due, "failures": 0, "attention": None, **_RESTS}
        unit.conn.execute(sa.update(table).where(table.c.id == channel).values(**values))
        if row.failures:
            unit.record("channel_recovered", channel, failures=row.failures)
            _log.info("channel_recovered", channel=channel, failures=row.failures)


def _failed(app: App, channel: str, error: SyncError) -> None:
    table = tables.channel
    with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = unit.conn.execute(sa.select(table).where(table.c.id == channel)).one()
        due = _next_due(unit.now, error, row.failures, row.poll_seconds)
        values = {"due_at": due, "failures": row.failures + 1, **_RESTS}
        unit.conn.execute(sa.update(table).where(table.c.id == channel).values(**values))
        if row.failures == 0:
            unit.record("channel_failed", channel, error=type(error).__name__, why=str(error))
            _log.warning("channel_failed", channel=channel, error=type(error).__name__, detail=str(error))
        if isinstance(error, _NEED_A_PERSON):
            why = explain(channel, error)
            needs_attention(unit, channel, why)
            if row.attention is None:
                _log.warning("channel_needs_attention", channel=channel, detail=why)


def explain(channel: str, error: SyncError) -> str:
    """Say what keeps a channel from being synced, and what mends it; all but `AuthExpired` name their own fix."""
    return f"{error}; run: aftersail channel renew {channel}" if isinstance(error, AuthExpired) else str(error)


def _next_due(now: datetime, error: SyncError, failures: int, poll_seconds: int) -> datetime:
    if isinstance(error, RateLimited) and error.retry_at:
        return max(error.retry_at, now)
    if isinstance(error, _NEED_A_PERSON):
        return now + _ATTENTION_RETRY
    return now + min(timedelta(seconds=poll_seconds) * (1 << min(failures, 10)), _LONGEST_BACKOFF)


def hand_over_syncs(app: App, unit: Unit, limit: int = 500) -> int:
    """Hand every channel whose sync is due to a worker: the row is marked and the job enqueued in one transaction."""
    table = tables.channel
    due = sa.select(table.c.id).where(table.c.due_at <= unit.now, table.c.active)
    rows = unit.conn.execute(due.order_by(table.c.due_at).limit(limit).with_for_update(skip_locked=True)).all()
    for row in rows:
        unit.conn.execute(sa.update(table).where(table.c.id == row.id).values(due_at=None, armed_at=unit.now))
        job_id = _job_id(row.id, unit.now)
        app.jobs.enqueue(unit.conn, JOB, queue=JOB, partition=row.id, job_id=job_id, args={"channel": row.id})
    return len(rows)


def make_all_due(app: App) -> None:
    """Sync every channel now; one that failed keeps its due time, which may be the platform's own word."""
    table = tables.channel
    with unit_of_work(app.engine, app.now()) as unit:
        healthy = (table.c.active, table.c.failures == 0, table.c.due_at > unit.now)
        unit.conn.execute(sa.update(table).where(*healthy).values(due_at=unit.now))


def _job_id(channel: str, armed_at: datetime) -> str:
    return f"{JOB}-{channel}-{armed_at.timestamp():.6f}"


def rescue_syncs(app: App) -> int:
    """Arm channels again whose job is over without having done so (parked, cancelled, pruned); tell how many."""
    table = tables.channel
    with reading(app.engine).connect() as conn:
        waiting = sa.select(table.c.id, table.c.armed_at).where(table.c.active, table.c.due_at.is_(None))
        rows = conn.execute(waiting.where(table.c.armed_at < app.now() - _STALE)).all()
    lost = [row for row in rows if is_over(app.jobs.find(_job_id(row.id, row.armed_at)))]
    with unit_of_work(app.engine, app.now()) as unit:
        for row in lost:
            same = sa.update(table).where(table.c.id == row.id, table.c.armed_at == row.armed_at)
            unit.conn.execute(same.values(due_at=unit.now, armed_at=None))
            _log.warning("sync_lost", channel=row.id, fix="armed again")
    return len(lost)
