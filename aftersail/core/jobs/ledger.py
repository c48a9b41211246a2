"""What became of each job: the rows of the table `job`, which hold the truth; the engine's rows only carry them.

A hand-over to the engine carries a job id and a run number. A carrier whose number is not the row's is void, so that
one left over from a crash, a retry or a cancellation does nothing when it comes up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from aftersail.core.jobs.port import JobArgumentError, JobConflictError, JobInfo, JobState, Json, UnknownJobError
from aftersail.core.jobs.tables import job as table
from aftersail.core.store.engine import is_sqlite

if TYPE_CHECKING:
    from typing import Any

Submit = Callable[[sa.Connection, "sa.Row[Any]"], None]
"""Hands a row to the engine, in this transaction."""

_MAX_ERROR_CHARACTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt under way. It is over, whatever it still does, once the row names another attempt or worker."""

    row: sa.Row[Any]
    number: int
    worker: str


def check_args(job: str, args: Mapping[str, Json]) -> None:
    """Refuse what JSON would change or not hold."""
    try:
        same = json.loads(json.dumps(args, allow_nan=False)) == args
    except (TypeError, ValueError) as error:
        raise JobArgumentError(f"job {job!r}: the arguments are not plain JSON: {error}") from None
    if not same:
        raise JobArgumentError(
            f"job {job!r}: the arguments would come back from JSON changed; use lists for tuples and text for keys"
        )


def insert(
    tx: sa.Connection,
    *,
    job_id: str,
    name: str,
    queue: str,
    partition: str,
    priority: int,
    args: Mapping[str, Json],
    now: datetime,
    due_at: datetime | None,
) -> sa.Row[Any] | None:
    """Add a job; None where its id is there already."""
    insert_into = sqlite.insert if is_sqlite(tx) else postgresql.insert
    statement = insert_into(table).values(
        id=job_id,
        name=name,
        queue=queue,
        partition=partition,
        priority=priority,
        args=dict(args),
        state=JobState.WAITING,
        run=1,
        attempts=0,
        cancelling=False,
        created_at=now,
        due_at=due_at,
    )
    row = tx.execute(statement.on_conflict_do_nothing(index_elements=["id"]).returning(*table.c)).one_or_none()
    if row is None:
        taken_by = tx.execute(sa.select(table.c.name).where(table.c.id == job_id)).scalar_one()
        if taken_by != name:
            raise JobConflictError(f"job id {job_id!r} is taken by a job {taken_by!r}; {name!r} needs an id of its own")
    return row


def lock(tx: sa.Connection, job_id: str) -> sa.Row[Any]:
    """Read a job that is about to change."""
    row = tx.execute(sa.select(table).where(table.c.id == job_id).with_for_update()).one_or_none()
    if row is None:
        raise UnknownJobError(job_id)
    return row


def begin(
    tx: sa.Connection, job_id: str, run: int, *, worker: str, max_attempts: Callable[[str], int], now: datetime
) -> Attempt | None:
    """Count an attempt before it is made, so that one which kills its worker is counted too.

    Returns:
        the attempt; None where there is nothing to do: the carrier is void, or the job was given up.
    """
    try:
        row = lock(tx, job_id)
    except UnknownJobError:
        return None
    if row.run != run or row.state not in {JobState.WAITING, JobState.RUNNING}:
        return None
    number = row.attempts + 1
    if row.cancelling:
        _update(tx, row, state=JobState.CANCELLED, finished_at=now)
        return None
    if number > max_attempts(row.name):
        error = f"given up after {row.attempts} attempts; the last one ended with its worker {row.worker}"
        _update(tx, row, state=JobState.PARKED, finished_at=now, error=error)
        return None
    _update(tx, row, state=JobState.RUNNING, attempts=number, worker=worker, started_at=now, due_at=None)
    return Attempt(row, number, worker)


def done(tx: sa.Connection, attempt: Attempt, *, now: datetime) -> None:
    """Settle a job that was done."""
    if (row := _current(tx, attempt)) is not None:
        _update(tx, row, state=JobState.DONE, finished_at=now, error=None)


def park(tx: sa.Connection, attempt: Attempt, error: str, *, now: datetime) -> None:
    """Give a job up."""
    if (row := _current(tx, attempt)) is not None:
        state = JobState.CANCELLED if row.cancelling else JobState.PARKED
        _update(tx, row, state=state, finished_at=now, error=error[:_MAX_ERROR_CHARACTERS])


def again(
    tx: sa.Connection,
    attempt: Attempt,
    error: str,
    *,
    due_at: datetime,
    counts: bool,
    submit: Submit,
    now: datetime,
) -> None:
    """Hand a job over once more, to be attempted when it is due."""
    row = _current(tx, attempt)
    if row is None:
        return
    error = error[:_MAX_ERROR_CHARACTERS]
    if row.cancelling:
        _update(tx, row, state=JobState.CANCELLED, finished_at=now, error=error)
        return
    attempts = row.attempts if counts else row.attempts - 1
    hand_over(tx, row, submit, attempts=attempts, error=error, due_at=due_at)


def hand_over(tx: sa.Connection, row: sa.Row[Any], submit: Submit, **changes: object) -> None:
    """Hand a job over under the next run number, which voids every carrier before."""
    submit(tx, _update(tx, row, state=JobState.WAITING, run=row.run + 1, finished_at=None, **changes))


def hand_over_if_current(tx: sa.Connection, job_id: str, run: int, submit: Submit) -> bool:
    """Hand a job over anew if this run is the one it was waiting for or in."""
    try:
        row = lock(tx, job_id)
    except UnknownJobError:
        return False
    current = row.run == run and row.state in {JobState.WAITING, JobState.RUNNING}
    if current:
        hand_over(tx, row, submit)
    return current


def cancel(tx: sa.Connection, row: sa.Row[Any], *, now: datetime) -> JobState:
    """Cancel what has not begun; leave a note for what has."""
    if row.state in {JobState.WAITING, JobState.PARKED}:
        _update(tx, row, state=JobState.CANCELLED, finished_at=now)
        return JobState.CANCELLED
    if row.state == JobState.RUNNING:
        _update(tx, row, cancelling=True)
    return JobState(row.state)


def info(row: sa.Row[Any]) -> JobInfo:
    """Show a row."""
    return JobInfo(
        job_id=row.id,
        job=row.name,
        queue=row.queue,
        partition=row.partition,
        state=JobState(row.state),
        args=row.args,
        attempts=row.attempts,
        error=row.error,
        created_at=row.created_at,
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        worker=row.worker,
    )


def _current(tx: sa.Connection, attempt: Attempt) -> sa.Row[Any] | None:
    try:
        row = lock(tx, attempt.row.id)
    except UnknownJobError:
        return None
    same = (row.run, row.attempts, row.worker) == (attempt.row.run, attempt.number, attempt.worker)
    return row if same and row.state == JobState.RUNNING else None


def _update(tx: sa.Connection, row: sa.Row[Any], **changes: object) -> sa.Row[Any]:
    statement = sa.update(table).where(table.c.id == row.id).values(**changes).returning(*table.c)
    return tx.execute(statement).one()
