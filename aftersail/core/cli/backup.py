"""`aftersail backup` and `aftersail restore`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, show


@click.command()
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def backup(ctx: click.Context, target: Path, as_json: bool) -> None:
    """Back up database, settings, encrypted secrets and packs into one file, while the daemon runs.

    The key of the secrets is not in it: keep `aftersail.key` apart.
    """
    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import open_app
    from aftersail.core.runtime.backup import backup as make

    with open_app(ctx, check_schema=False) as app, counted_progress("copying", quiet=as_json) as progress:
        path, manifest = make(app, ctx.obj["config"], target, progress)
        size = path.stat().st_size
    if as_json:
        print_json({"file": path, "bytes": size, **manifest.model_dump(mode="json")})
        return
    rows = sum(manifest.counts.values())
    click.echo(f"wrote {path}: {rows} rows, schema {manifest.revision}, {size / 1e6:.1f} MB")


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a database that is there.")
@click.option(
    "--nothing-sent-since",
    is_flag=True,
    help="The daemon has not run since the backup was made: what waits leaves as planned, without being looked up.",
)
@json_option
@click.pass_context
def restore(ctx: click.Context, source: Path, force: bool, nothing_sent_since: bool, as_json: bool) -> None:
    """Put a backup back, checked before anything is replaced; settings, secrets and packs that are there stay.

    What waited to be sent may have been sent since: it is looked up first, or a person is asked.
    """
    from dataclasses import asdict

    from aftersail.core.cli.session import clear_errors, open_app
    from aftersail.core.runtime.backup import restore as put_back
    from aftersail.core.runtime.backup import settings_of

    config = ctx.obj["config"]
    with clear_errors():
        wrote_settings = settings_of(source, config)
    with open_app(ctx, check_schema=False) as app:
        done = put_back(app, source, force=force, nothing_sent_since=nothing_sent_since)
    wrote = [*([config] if wrote_settings else []), *done.wrote]
    if as_json:
        print_json({**asdict(done), "wrote": wrote})
        return
    click.echo(f"restored {sum(done.counts.values())} rows as of {show(done.made_at)}")
    for path in wrote:
        click.echo(f"wrote {path}")
    for path in done.kept:
        click.echo(f"{path} was there: left as it is")
    if done.aside:
        click.echo(f"the database that was there is now {done.aside}")
    if done.in_doubt:
        click.echo(
            f"{done.in_doubt} replies and refunds may have been sent since; they are looked up, or a task asks you"
        )
    click.echo("next: put aftersail.key back if it is not there, then aftersail doctor, then aftersail run")
