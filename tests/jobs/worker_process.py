"""A worker in a process of its own, to be killed.

    python worker_process.py URL FOLDER LEASE_SECONDS MAX_ATTEMPTS sole|shared

It writes `up` into the folder once it works, and `<job id>.<attempt>` for each attempt begun.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import timedelta
from pathlib import Path

from aftersail.core.jobs import Job, Queue
from aftersail.core.jobs.worker import Worker
from aftersail.core.store.engine import open_engine


def main(url: str, folder: Path, lease_seconds: float, max_attempts: int, *, sole: bool) -> None:
    def hang_at_first(context, args):
        (folder / f"{context.job_id}.{context.attempt}").touch()
        if context.attempt == 1:
            threading.Event().wait()

    def die(context, args):
        (folder / f"{context.job_id}.{context.attempt}").touch()
        os._exit(9)

    engine = open_engine(url, durable=False)
    Worker(
        engine,
        jobs=[Job("hang at first", "work", hang_at_first), Job("die", "work", die)],
        queues=[Queue("work")],
        lease_seconds=lease_seconds,
        max_attempts=max_attempts,
        sole=sole,
        poll_seconds=0.05,
        backoff=lambda _attempt: timedelta(0),
    ).start()
    (folder / f"up-{os.getpid()}").touch()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sole=sys.argv[5] == "sole")
