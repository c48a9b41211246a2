"""Runs the demo: stage, daemon, live view, summary."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import OperationalError

from aftersail.core.cli.demo.lines import line_of
from aftersail.core.cli.demo.stage import DemoError, Stage, set_up, start_daemon
from aftersail.core.cli.demo.summary import print_summary
from aftersail.core.runtime.settings import load_settings
from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine, reading

__all__ = ["DemoError", "run_demo"]

_LOOK_SECONDS: Final = 0.2


def run_demo(folder: Path, seconds: int) -> bool:
    """Run the demo and tell whether the store agrees with the simulators' ledgers.

    Raises:
        DemoError: something is missing, or the daemon did not come to its end in time.
    """
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    began = time.monotonic()
    with set_up(folder, datetime.now(UTC)) as stage:
        console.print(Text("IMAP, SMTP, shop and parcel tracker are up; the daemon starts\n", style="dim"))
        daemon = start_daemon(stage)
        engine = open_engine(load_settings(stage.config).database)
        try:
            _watch(console, engine, daemon, stage, began + seconds)
            took = time.monotonic() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            return print_summary(console, engine, stage, took, peak)
        finally:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
            engine.dispose()


def _watch(console: Console, engine: sa.Engine, daemon: subprocess.Popen[bytes], stage: Stage, until: float) -> None:
    """Show what happens, from the store itself, until the daemon has come to its end."""
    last = 0
    while True:
        ended = daemon.poll() is not None
        last = _print_new(console, engine, last)
        if ended:
            break
        if time.monotonic() > until:
            raise DemoError(f"the daemon did not come to its end in time; see {stage.log}")
        time.sleep(_LOOK_SECONDS)
    if daemon.returncode:
        tail = stage.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
        raise DemoError("the daemon failed:\n" + "\n".join(tail))


def _print_new(console: Console, engine: sa.Engine, last: int) -> int:
    table = tables.event
    try:
        with reading(engine).connect() as conn:
            rows = conn.execute(sa.select(table).where(table.c.id > last).order_by(table.c.id)).all()
    except OperationalError:
        return last  # the daemon has not made the schema yet
    for row in rows:
        last = row.id
        shown = line_of(row)
        if shown:
            style, text = shown
            line = Text(f"{row.at.astimezone():%H:%M:%S}  ", style="dim")
            console.print(line.append(f"{row.channel:<8}", style="dim").append(text, style=style))
    return last
