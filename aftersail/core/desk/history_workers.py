"""A long history, played by several processes at once: each reads the store and the packs for itself."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from aftersail.core.desk.history import Progress, count_requests, simulate_history, ticket_range
from aftersail.core.policy import Pack, PackLibrary
from aftersail.core.policy.loader import Draft, read_draft
from aftersail.core.policy.simulation import Simulation
from aftersail.core.policy.simulation_parts import joined
from aftersail.core.store.engine import open_engine, reading

MANY: Final = 5000
"""From so many requests on, several processes are sooner done than one, though each has to begin first."""

_PART: Final = 2000
_MOST: Final = 8


@dataclass(frozen=True)
class DraftSource:
    """What a process needs to build a draft by itself.

    Attributes:
        folders: where the packs are that it may extend.
        name: what problems call its file.
        content: what its file says.
    """

    folders: tuple[Path, ...]
    name: str
    content: bytes

    @classmethod
    def of(cls, folders: Sequence[Path], draft: Draft) -> DraftSource:
        """Take a draft that was read as it is."""
        return cls(tuple(folders), draft.document.name, "\n".join(draft.document.lines).encode())

    def build(self) -> Pack:
        """Build the draft.

        Raises:
            PackError: it, or a pack beside it, is wrong.
        """
        return PackLibrary(self.folders).build(read_draft(self.content, self.name))


def simulate_long_history(
    engine: sa.Engine,
    source: DraftSource,
    *,
    since: datetime,
    until: datetime,
    examples: int = 3,
    progress: Progress = lambda _done, _total: None,
    workers: int | None = None,
) -> Simulation:
    """Play the requests of a time through a draft, with `simulate_history`, in as many processes as there are cores.

    What comes out is the same whatever their number, unless the desk judges something meanwhile.

    Args:
        engine: the store.
        source: the draft.
        since: the first instant of filing (UTC) that counts.
        until: the first that does not count any more; also judges clocks that still run.
        examples: how many tickets to name for each kind of change.
        progress: called after each part.
        workers: how many processes; None for what fits the machine and the history.

    Raises:
        PackError: the draft, or a pack beside it, is wrong.
    """
    pack = source.build()  # here first, so that what is wrong with it is told as it is
    with reading(engine).connect() as conn:
        total, (low, high) = count_requests(conn, since, until), ticket_range(conn, since, until)
    fitting = 1 if total < MANY else min(os.cpu_count() or 1, _MOST)
    number = fitting if workers is None else workers
    if number == 1:
        return simulate_history(engine, pack, since=since, until=until, examples=examples, progress=progress)
    step = max(1, (high - low) * _PART // max(total, 1))
    ranges = [(first, min(first + step, high + 1)) for first in range(low, high + 1, step)]
    url = engine.url.render_as_string(hide_password=False)
    parts: list[Simulation] = []
    # Spawned, not forked: a fork would share this process's connections and threads.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, spawned, initializer=_begin, initargs=(url, source)) as pool:
        asked = [pool.submit(_play, since, until, examples, between) for between in ranges]
        for future in asked:
            parts.append(future.result())
            progress(min(sum(part.requests + part.unread for part in parts), total), total)
    progress(total, total)
    return joined(parts, examples)


_opened: list[tuple[sa.Engine, Pack]] = []
"""What this process plays with, once it is a worker."""


def _begin(url: str, source: DraftSource) -> None:
    """Prepare a process once, for all parts it will play."""
    _opened.append((open_engine(url), source.build()))


def _play(since: datetime, until: datetime, examples: int, between: tuple[int, int]) -> Simulation:
    engine, pack = _opened[0]
    return simulate_history(engine, pack, since=since, until=until, examples=examples, between=between)
