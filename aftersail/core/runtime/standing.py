"""Whether a daemon works on a database: what moves the whole of it waits until none does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa

from aftersail.core.jobs.instance import AlreadyRunningError, SingleInstance
from aftersail.core.jobs.tables import worker
from aftersail.core.store.engine import is_sqlite, reading


class DaemonRunsError(Exception):
    """A daemon works on the database; the text says how to stop it."""


@contextmanager
def no_daemon(engine: sa.Engine, now: datetime) -> Iterator[None]:
    """Keep daemons away: on SQLite by their own lock while the block runs, on PostgreSQL by a look at their leases.

    Raises:
        DaemonRunsError: one runs.
    """
    if not is_sqlite(engine):
        _no_lease(engine, now)
        yield
        return
    try:
        with SingleInstance(engine):
            yield
    except AlreadyRunningError as error:
        raise DaemonRunsError(str(error)) from None


def _no_lease(engine: sa.Engine, now: datetime) -> None:
    with reading(engine).connect() as conn:
        if not sa.inspect(conn).has_table(worker.name):
            return
        alive = conn.scalars(sa.select(worker.c.id).where(worker.c.lease_until > now).order_by(worker.c.id)).all()
    if alive:
        raise DaemonRunsError(
            f"workers run on this database: {', '.join(alive)}; stop them first (one that was killed counts as running"
            " until its lease ends, half a minute at most)"
        )
