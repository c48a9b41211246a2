"""All clocks counted again by the daemon itself, once after the opening hours that hold have become others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Final

import structlog

from aftersail.core.desk.recompute import Recomputed, recompute_clocks
from aftersail.core.desk.services import pack_in_force
from aftersail.core.jobs import JobState, PostponeJobError
from aftersail.core.policy import Pack
from aftersail.core.runtime.app import App
from aftersail.core.store.unit import unit_of_work

_log = structlog.get_logger(__name__)

JOB: Final = "recompute"
_TELL_EVERY: Final = timedelta(seconds=10)


class Recounting:
    """Sees that other hours hold, and counts all running clocks by them.

    The newest job says by which hours clocks were counted last: so nothing is missed while no daemon runs, and of many
    processes one job comes. Where no such job is known any more, clocks are counted once too often, which changes none.

    Args:
        app: the application.
        stopping: whether the process is to end; the job then waits for the next one.
    """

    def __init__(self, app: App, stopping: Callable[[], bool]) -> None:
        self._app = app
        self._stopping = stopping
        self._seen: Pack | None = None

    def hand_over(self) -> bool:
        """Hand the work over where the hours that hold now are others than at the last time; tell whether."""
        app = self._app
        pack = pack_in_force(app.services, app.now())
        if pack is self._seen:
            return False
        hours = _hours(pack)
        last = app.jobs.list(job=JOB, limit=1)
        handed_over = not last or last[0].args.get("hours") != hours
        if handed_over:
            with unit_of_work(app.engine, app.now()) as unit:
                job_id = f"{JOB}-{hours}-{unit.now.timestamp():.6f}"
                app.jobs.enqueue(unit.conn, JOB, queue=JOB, partition=JOB, job_id=job_id, args={"hours": hours})
            _log.info("opening_hours_changed", pack=f"{pack.id}@{pack.version}", next="all clocks are counted again")
        self._seen = pack
        return handed_over

    def under_way(self) -> bool:
        """Tell whether clocks are being counted again, or are about to be."""
        return bool(self._app.jobs.list(job=JOB, states=(JobState.WAITING, JobState.RUNNING), limit=1))

    def run(self) -> None:
        """Do the work, and tell in the log how far it is.

        Raises:
            PostponeJobError: the process ends; what is left is done by the next one.
        """
        app = self._app
        told_at = app.now()

        def progress(so_far: Recomputed) -> None:
            nonlocal told_at
            if so_far.done < so_far.tickets and self._stopping():
                _log.info("clocks_recompute_interrupted", done=so_far.done, tickets=so_far.tickets)
                raise PostponeJobError(app.now())
            if app.now() - told_at >= _TELL_EVERY:
                told_at = app.now()
                _log.info("clocks_recomputing", done=so_far.done, tickets=so_far.tickets, moved=so_far.moved)

        report = recompute_clocks(app.engine, app.services, app.now, progress=progress)
        _log.info("clocks_recomputed", tickets=report.tickets, clocks=report.clocks, moved=report.moved)
        if report.busy:
            # Whoever changes a ticket all the time may have read the old hours.
            _log.info("clocks_busy", tickets=report.busy, next="they are looked at again")
            raise PostponeJobError(app.now() + _TELL_EVERY)


def _hours(pack: Pack) -> str:
    """Name the opening hours of a pack: its calendars, and the release of the library that knows the holidays."""
    calendars = pack.calendars
    said: dict[str, object] = {name: spec.model_dump(mode="json") for name, spec in calendars.items()}
    if any(spec.holidays for spec in calendars.values()):
        said["holidays"] = version("holidays")
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
