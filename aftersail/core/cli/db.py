"""`aftersail db`."""

from __future__ import annotations

import rich_click as click

from aftersail.core.cli.output import json_option, print_json


@click.group()
def db() -> None:
    """Move the desk to another database."""


@db.command()
@click.option("--to", "url", required=True, envvar="AFTERSAIL_COPY_TO", help="URL of the other, empty database.")
@json_option
@click.pass_context
def copy(ctx: click.Context, url: str, as_json: bool) -> None:
    """Copy the desk into another database, SQLite or PostgreSQL, compared row by row; no daemon may run meanwhile.

    A password in the URL is seen by others on this machine: put the URL into AFTERSAIL_COPY_TO instead.
    """
    from dataclasses import asdict

    from aftersail.core.cli.progress import table_progress
    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.moving import copy_desk

    with open_app(ctx) as app, table_progress(quiet=as_json) as progress:
        moved = copy_desk(app, url, progress)
    if as_json:
        print_json(asdict(moved))
        return
    rows = sum(each.rows for each in moved.sums.values())
    click.echo(f"copied {rows} rows of {len(moved.sums)} tables, the same on both sides; {moved.jobs} jobs wait there")
    click.echo(
        f"next: set `database` in {ctx.obj['config']} (or AFTERSAIL_DATABASE) to the new URL, then aftersail doctor,"
        " then aftersail run. Never start a daemon on the old database again: it would send what the new one sends."
    )
