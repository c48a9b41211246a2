"""A worker that is quick to look, and ways to wait for what other threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from aftersail.core.jobs import Job, Json, Queue
from aftersail.core.jobs.dbos_jobs import DbosJobs, ensure_engine_tables
from aftersail.core.jobs.tables import create_all
from aftersail.core.jobs.worker import Worker
from aftersail.core.store.engine import open_engine
from tests.databases import Databases


def create_tables(url: str) -> None:
    engine = open_engine(url, durable=False)
    create_all(engine)
    ensure_engine_tables(engine)
    engine.dispose()


@pytest.fixture
def database_url(databases: Databases) -> str:
    return databases.fresh("jobs", create_tables)


@pytest.fixture
def jobs(engine: sa.Engine) -> Iterator[DbosJobs]:
    jobs = DbosJobs(engine)
    yield jobs
    jobs.close()


Start = Callable[..., Worker]


@pytest.fixture
def start(engine: sa.Engine) -> Iterator[Start]:
    """Start a worker on the queue `work`; it is stopped when the test is over."""
    started: list[Worker] = []

    def start(*jobs: Job, **settings: object) -> Worker:
        options = {"poll_seconds": 0.05, "backoff": lambda _attempt: timedelta(0), "queues": [Queue("work")]}
        worker = Worker(engine, jobs=jobs, **(options | settings))
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop(timeout=5)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for another thread or process; the limit only bounds a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


class Handler:
    """Records its calls, and fails as often as told."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self._outcomes = list(outcomes)
        self.calls: list[tuple[str, int, dict[str, Json]]] = []
        self.called = threading.Event()

    def __call__(self, context, args) -> None:
        self.calls.append((context.job_id, context.attempt, dict(args)))
        self.called.set()
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if outcome is not None:
            raise outcome
