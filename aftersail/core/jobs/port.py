"""What the rest of the project sees of the job engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias, Union

import sqlalchemy as sa

Json: TypeAlias = Union[bool, int, float, str, Sequence["Json"], Mapping[str, "Json"], None]  # noqa: UP007 - a recursive alias cannot be written with | before Python 3.12
"""A value that JSON holds as it is."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    """In its queue: for its turn, for its time (`due_at`), or for its next attempt."""
    RUNNING = "running"
    """A worker has it. After a worker's death it stays so until another takes it over."""
    DONE = "done"
    PARKED = "parked"
    """Given up after its last attempt; it waits for a person and `retry`."""
    CANCELLED = "cancelled"


class ParkJobError(Exception):
    """Raised by a handler: further attempts are useless, a person must look. The text says why."""


class PostponeJobError(Exception):
    """Raised by a handler: come again at this instant. It does not count as an attempt.

    Attributes:
        until: when to come again (UTC).
    """

    def __init__(self, until: datetime) -> None:
        super().__init__(f"postponed until {until.isoformat()}")
        self.until = until


class UnknownJobError(LookupError):
    """There is no such job, or it was finished and pruned."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}; finished jobs are forgotten after a while")


class JobConflictError(ValueError):
    """A job id is in use for other work; ids must name one piece of work each."""


class JobArgumentError(TypeError):
    """A job's arguments are not plain JSON."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler knows about its run.

    Attributes:
        job_id: the id given to `enqueue`; a good base for idempotency keys.
        attempt: 1 on the first attempt; counts attempts that a crash cut short as well.
        max_attempts: after this many the job is parked.
    """

    job_id: str
    job: str
    queue: str
    partition: str
    attempt: int
    max_attempts: int

    @property
    def last_attempt(self) -> bool:
        """Tell whether an exception now parks the job."""
        return self.attempt >= self.max_attempts


Handler: TypeAlias = Callable[[JobContext, Mapping[str, Json]], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work.

    Attributes:
        name: what `enqueue` calls it.
        queue: the queue it usually goes to; only that queue's workers need to know the job.
        handler: does the work. It may run more than once for one job (a crash, an exception): it owns its
            transactions and its idempotency keys. An exception means another attempt later.
        max_attempts: overrides the worker's number.
    """

    name: str
    queue: str
    handler: Handler
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue. Jobs of one partition run one at a time, over all workers; partitions run side by side.

    Attributes:
        name: what `enqueue` calls it.
        concurrency: how many jobs of this queue one worker runs at once.
    """

    name: str
    concurrency: int = 64


@dataclass(frozen=True, slots=True)
class Schedule:
    """A piece of short work to do again and again, by one process at a time.

    Attributes:
        name: unique; the due time is kept under it.
        every: seconds from one run to the next, at least 1. Runs missed while nothing was up are not made up for.
        handler: gets the instant (UTC); one that fails is logged and called again when it is due.
    """

    name: str
    every: float
    handler: Callable[[datetime], None]

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"schedule {self.name!r}: every {self.every} s is too often; give 1 s or more")


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One job as a person sees it. Instants are UTC.

    Attributes:
        attempts: attempts begun since it was enqueued, or since the last `retry`.
        error: type and text of the last exception, or why it is parked.
        due_at: not before this instant; None for as soon as possible.
        worker: who has it, or had it last.
    """

    job_id: str
    job: str
    queue: str
    partition: str
    state: JobState
    args: Mapping[str, Json]
    attempts: int
    error: str | None
    created_at: datetime
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None


_OVER = frozenset({JobState.DONE, JobState.PARKED, JobState.CANCELLED})


def is_over(job: JobInfo | None) -> bool:
    """Tell whether a job will not run again by itself; one that cannot be found was pruned after it was over."""
    return job is None or job.state in _OVER


class Jobs(Protocol):
    """Hands work over, and looks after it. Needs no worker in this process."""

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
        """Hand a job over in the caller's transaction: both happen, or neither.

        Args:
            tx: a connection of the engine the jobs live in, inside a transaction.
            job: name of the kind of work.
            queue: where it waits.
            job_id: names this piece of work for good. The same id again, in whatever state that job is, changes
                nothing (until the finished job is pruned).
            args: plain JSON, keys are strings. Ids, not personal data: they are listed and kept a while.
            partition: jobs of one partition of a queue run one at a time; None for no such tie.
            priority: 0 is first, then 1, 2, and so on, within one partition.
            delay: not before this much time has passed, to about a second.

        Returns:
            whether the job is new.

        Raises:
            JobArgumentError: `args` would not come back from JSON as they went in.
            JobConflictError: the id is taken by another kind of work.
        """

    def find(self, job_id: str) -> JobInfo | None:
        """Look one job up."""

    def list(
        self,
        *,
        states: Collection[JobState] | None = None,
        queue: str | None = None,
        job: str | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        """List jobs, the newest first."""

    def retry(self, job_id: str) -> None:
        """Give a parked or cancelled job all its attempts again, from now.

        Raises:
            UnknownJobError: there is no such job.
            ValueError: it is not parked or cancelled.
        """

    def cancel(self, job_id: str) -> JobState:
        """Take a job out of its queue. One that is running is not interrupted, but it gets no further attempt.

        Returns:
            the state it is in now.

        Raises:
            UnknownJobError: there is no such job.
        """

    def prune(self, older_than: datetime) -> int:
        """Forget jobs that were done or cancelled before this instant; parked ones stay.

        Returns:
            how many.
        """
