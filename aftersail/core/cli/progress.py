"""Progress of long work, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aftersail.core.intake.sync import SyncReport


@contextmanager
def sync_progress(*, quiet: bool) -> Iterator[Callable[[SyncReport], None]]:
    """Show one line per channel with pages and what is new; nothing at all when `quiet`."""
    if quiet:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        lines: dict[str, TaskID] = {}

        def update(report: SyncReport) -> None:
            new = ", ".join(f"{count} new {stream}" for stream, count in report.new.items() if count) or "nothing new"
            skipped = f", {len(report.skipped)} unreadable" if report.skipped else ""
            text = f"{report.channel}: {report.pages} pages, {new}{skipped}"
            if report.channel not in lines:
                lines[report.channel] = progress.add_task(text, total=None)
            progress.update(lines[report.channel], description=text)

        yield update
        for line in lines.values():
            progress.update(line, total=1, completed=1)


@contextmanager
def counted_progress(text: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of how many are done, of how many; nothing at all when `quiet`."""
    if quiet:
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        line = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(line, completed=done, total=total)


@contextmanager
def table_progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar per table of how many of its rows are there; nothing at all when `quiet`."""
    if quiet:
        yield lambda _table, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        lines: dict[str, TaskID] = {}

        def update(table: str, done: int, total: int) -> None:
            if table not in lines:
                lines[table] = progress.add_task(table, total=total)
            progress.update(lines[table], completed=done)

        yield update
