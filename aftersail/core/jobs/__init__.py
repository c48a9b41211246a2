"""Durable work: a narrow port (`port`), and its one adapter, DBOS (`dbos_jobs` to hand over, `worker` to run).

Importing this package imports no engine; only the two adapter modules do.
"""

from aftersail.core.jobs.port import (
    Job,
    JobArgumentError,
    JobConflictError,
    JobContext,
    JobInfo,
    Jobs,
    JobState,
    Json,
    ParkJobError,
    PostponeJobError,
    Queue,
    Schedule,
    UnknownJobError,
    is_over,
)

__all__ = [
    "Job",
    "JobArgumentError",
    "JobConflictError",
    "JobContext",
    "JobInfo",
    "JobState",
    "Jobs",
    "Json",
    "ParkJobError",
    "PostponeJobError",
    "Queue",
    "Schedule",
    "UnknownJobError",
    "is_over",
]
