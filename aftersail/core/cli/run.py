"""`aftersail sync` and `aftersail run`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.cli.output import json_option, print_json

if TYPE_CHECKING:
    from aftersail.core.runtime.app import App


@click.command()
@click.option("only", "--channel", multiple=True, help="Only this channel; may be given more than once.")
@json_option
@click.pass_context
def sync(ctx: click.Context, only: tuple[str, ...], as_json: bool) -> None:
    """Sync channels once, with progress. Remedies that follow leave when the daemon runs."""
    from dataclasses import asdict

    from aftersail.core.cli.progress import sync_progress
    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.channels import ChannelConfigError
    from aftersail.core.runtime.syncing import SYNC_ERRORS, explain, sync_channel

    with open_app(ctx) as app:
        app.register_channels()
        unknown = [name for name in only if name not in app.settings.channels]
        if unknown:
            raise ChannelConfigError(f"there is no channel {unknown[0]!r}; aftersail channel list")
        reports, failures = [], {}
        with sync_progress(quiet=as_json) as progress:
            for channel in only or app.settings.channels:
                try:
                    reports.append(sync_channel(app, channel, progress))
                except SYNC_ERRORS as error:
                    failures[channel] = f"{type(error).__name__}: {explain(channel, error)}"
    if as_json:
        print_json({"synced": [asdict(report) for report in reports], "failed": failures})
    for channel, why in failures.items():
        click.echo(f"Error: {channel}: {why}", err=True)
    if failures:
        ctx.exit(1)


@click.command()
@click.option("--until-idle", is_flag=True, help="Sync every channel, send what follows, and stop.")
@click.option(
    "--role",
    type=click.Choice(["all", "worker", "scheduler", "web"]),
    default="all",
    show_default=True,
    help="Share the work over machines on one PostgreSQL: workers, at least one scheduler, and pages.",
)
@click.pass_context
def run(ctx: click.Context, until_idle: bool, role: str) -> None:
    """Run the daemon until it is told to stop (Ctrl-C, SIGTERM): it finishes what it has in hand."""
    import os
    from contextlib import nullcontext

    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.daemon import Daemon, DaemonError, LeaseLostError, Role
    from aftersail.core.runtime.telemetry import telemetry

    with open_app(ctx, check_schema=False) as app:
        app.migrate()
        web = app.settings.web
        try:
            if role == Role.WEB and not web.listen:
                raise click.ClickException(
                    "--role web serves the desk's pages; say where in aftersail.yaml, web.listen"
                )
            with telemetry(), _pages(app) if web.listen and role in {Role.ALL, Role.WEB} else nullcontext():
                clean = Daemon(app, role=Role(role)).run(until_idle=until_idle)
        except LeaseLostError as error:
            click.echo(f"Error: {error}", err=True)
            os._exit(1)
        except DaemonError as error:
            raise click.ClickException(str(error)) from None
        if not clean:
            # A call that does not end sits in a thread nobody can stop. Its job is safe: whoever starts next has it.
            os._exit(0)


@contextmanager
def _pages(app: App) -> Iterator[None]:
    """Serve the desk's pages while the daemon runs."""
    from aftersail.core.web.listen import ListenError
    from aftersail.core.web.server import serve

    try:
        with serve(app, app.settings.web.listen or "", allow_remote=app.settings.web.allow_remote) as url:
            click.echo(f"the desk is at {url}", err=True)
            yield
    except ListenError as error:
        raise click.ClickException(str(error)) from None
