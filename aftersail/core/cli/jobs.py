"""`aftersail jobs`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

_COLUMNS: Final = {
    "job_id": "Job",
    "queue": "Queue",
    "partition": "Channel",
    "state": "State",
    "attempts": "Attempts",
    "due_at": "Due",
    "error": "Error",
}


@click.group()
def jobs() -> None:
    """List the daemon's work; retry or cancel a job."""


@jobs.command("list")
@click.option("--state", multiple=True, type=click.Choice(["waiting", "running", "done", "parked", "cancelled"]))
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
@json_option
@click.pass_context
def list_jobs(ctx: click.Context, state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List jobs, the newest first; parked ones wait for a person."""
    from dataclasses import asdict

    from aftersail.core.cli.session import open_app
    from aftersail.core.jobs import JobState

    with open_app(ctx) as app:
        found = app.jobs.list(states=[JobState(name) for name in state] or None, limit=limit)
    print_rows([asdict(job) for job in found], _COLUMNS, as_json=as_json, empty="no jobs", wide="Error")


@jobs.command()
@click.argument("job_id")
@click.pass_context
def retry(ctx: click.Context, job_id: str) -> None:
    """Give a parked or cancelled job all its attempts again."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.jobs import UnknownJobError
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app:
        try:
            app.jobs.retry(job_id)
        except (UnknownJobError, ValueError) as error:
            raise click.ClickException(str(error)) from None
        with unit_of_work(app.engine, app.now()) as unit:
            unit.record("job_retried", "", actor=actor(), job=job_id)
    click.echo(f"{job_id} runs again")


@jobs.command()
@click.argument("job_id")
@click.pass_context
def cancel(ctx: click.Context, job_id: str) -> None:
    """Take a job out of its queue; one that is running gets no further attempt."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.jobs import UnknownJobError
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app:
        try:
            state = app.jobs.cancel(job_id)
        except UnknownJobError as error:
            raise click.ClickException(str(error)) from None
        with unit_of_work(app.engine, app.now()) as unit:
            unit.record("job_cancelled", "", actor=actor(), job=job_id, state=state)
    click.echo(f"{job_id} is {state}")
