"""A desk moves to another database: every row, its numbers, and the work that waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from aftersail.core.jobs.dbos_jobs import DbosJobs
from aftersail.core.jobs.tables import metadata as job_tables
from aftersail.core.jobs.tables import schedule, worker
from aftersail.core.runtime.app import App
from aftersail.core.runtime.standing import no_daemon
from aftersail.core.store.copying import CopyError, Sum, copy_table, set_sequences, sum_of
from aftersail.core.store.dump import count_rows
from aftersail.core.store.engine import open_engine, reading
from aftersail.core.store.migrate import check_schema, upgrade
from aftersail.core.store.tables import metadata

Progress = Callable[[str, int, int], None]
"""Told of a table how many of its rows are there, of how many."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What was copied.

    Attributes:
        sums: rows and checksum by table, the same on both sides.
        jobs: jobs that wait, and were handed to the job engine there.
    """

    sums: dict[str, Sum]
    jobs: int


def copy_desk(app: App, url: str, progress: Progress = lambda _table, _done, _total: None) -> Moved:
    """Copy the desk into another, empty database, in one transaction: it is there as a whole or not at all.

    Args:
        app: the desk; its database is only read.
        url: the other database, which may have a schema but no rows.
        progress: told how far it is.

    Raises:
        CopyError: the other database holds rows, or does not take one, or holds something else in the end.
        DaemonRunsError: a daemon runs on one of the two.
        DatabaseUrlError: the URL cannot be used.
        SchemaError: one of the two is not at this version's schema.
    """
    app.check()
    target = open_engine(url)
    try:
        if target.url.set(drivername="") == app.engine.url.set(drivername=""):
            raise CopyError("that is the database the settings name already; give the URL of another one")
        with no_daemon(app.engine, app.now()), no_daemon(target, app.now()):
            return _copy(app, target, progress)
    finally:
        target.dispose()


def _copy(app: App, target: sa.Engine, progress: Progress) -> Moved:
    upgrade(target)
    check_schema(reading(target))
    jobs = DbosJobs(target, now=app.now)
    # Leases and claims are of processes that are gone.
    tables = [*metadata.sorted_tables, *(each for each in job_tables.sorted_tables if each not in {worker, schedule})]
    try:
        with reading(app.engine).connect() as source, target.begin() as tx:
            there = {name: rows for name, rows in count_rows(tx, {each.name: each for each in tables}).items() if rows}
            if there:
                name, rows = next(iter(there.items()))
                raise CopyError(f"the other database is not empty: {name} has {rows} rows; give it an empty one")
            totals = count_rows(source, {each.name: each for each in tables})
            for table in tables:
                name = table.name
                copy_table(source, tx, table, lambda done, name=name: progress(name, done, totals[name]))  # type: ignore[misc]
            set_sequences(tx, tables)
            sums = {}
            for table in tables:
                sums[table.name] = sum_of(source, table)
                if sum_of(tx, table) != sums[table.name]:
                    raise CopyError(f"{table.name} is not the same in the other database; nothing was copied")
            # Last, as it changes the rows that were compared.
            return Moved(sums=sums, jobs=jobs.hand_over_open(tx))
    finally:
        jobs.close()
