"""`aftersail privacy`: what is known of a buyer, and forgetting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.cli.output import json_option, json_text, print_json

if TYPE_CHECKING:
    from aftersail.core.runtime.app import App

_NOT_COMPACTED = (
    "the write-ahead log is still read by another process, so traces may be left in it; "
    "run again once that is over: aftersail privacy compact"
)


@click.group()
def privacy() -> None:
    """Export or erase a buyer; purge what is older than the settings say."""


_buyer = click.option("--buyer", required=True, help="The buyer's address, or the platform's key of them.")
_channel = click.option("--channel", help="Where the key is one, if it is one on several channels.")


@privacy.command()
@_buyer
@_channel
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def export(ctx: click.Context, buyer: str, channel: str | None, file: Path) -> None:
    """Write everything known of a buyer into a JSON file; of attachments their names, types and sizes."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.buyers import export_buyer, find_buyer
    from aftersail.core.store.engine import reading
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app:
        with reading(app.engine).connect() as conn:
            known = export_buyer(conn, find_buyer(conn, buyer, channel))
        file.write_text(json_text(known) + "\n", encoding="utf-8")
        with unit_of_work(app.engine, app.now()) as unit:
            for ticket in known["tickets"]:
                unit.record("privacy_exported", ticket["channel"], ticket["id"], actor=actor())
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in known.items() if rows)
    click.echo(f"{file}: {counts}")


@privacy.command()
@_buyer
@_channel
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Close what is open first, and take unsent answers back.")
@json_option
@click.pass_context
def erase(ctx: click.Context, buyer: str, channel: str | None, yes: bool, force: bool, as_json: bool) -> None:
    """Forget a buyer for good: texts, names, addresses, files. Money, clocks and the audit log stay without them."""
    from dataclasses import asdict

    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.buyers import find_buyer
    from aftersail.core.desk.erasure import Eraser
    from aftersail.core.store.compact import compact
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app:
        with reading(app.engine).connect() as conn:
            found = find_buyer(conn, buyer, channel)
        if not yes:
            what = f"{len(found.tickets)} tickets and {len(found.orders)} orders"
            click.confirm(f"Forget who {what} are about? This cannot be undone.", abort=True, err=True)
        eraser = Eraser(app.engine, now=app.now, actor=actor(), rule="on request", services=app.services)
        with counted_progress("erasing", quiet=as_json) as progress:
            done = eraser.buyer(found, force=force, progress=progress)
        clean = compact(app.engine)
    if as_json:
        print_json(asdict(done) | {"compacted": clean})
    else:
        click.echo(
            f"erased: {done.tickets} tickets, {done.orders} orders, {done.messages} messages, {done.attachments} files"
        )
        for key in done.kept:
            click.echo(f"{key} has not ended; what it says is kept until then: erase again")
    if not clean:
        raise click.ClickException(_NOT_COMPACTED)


@privacy.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be forgotten.")
@click.option("--compact", "rewrite", is_flag=True, help="Rewrite the database afterwards; see docs/operating.md.")
@json_option
@click.pass_context
def purge(ctx: click.Context, dry_run: bool, rewrite: bool, as_json: bool) -> None:
    """Forget what `privacy.retention` of the settings says; the daemon does it once a day."""
    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.retention import purge as run

    with open_app(ctx) as app:
        rules = app.settings.privacy.retention
        if not rules:
            raise click.ClickException(
                "the settings say nothing about it; add to aftersail.yaml, for example:\n"
                "privacy:\n  retention:\n    - {connector: amazon, after: delivered, days: 30}\n"
                "    - {after: closed, days: 730}"
            )
        with counted_progress("purging", quiet=as_json) as progress:
            done = run(app.engine, rules, now=app.now, actor=actor(), dry_run=dry_run, progress=progress)
        clean = not rewrite or dry_run or _compacted(app)
    counts = {name: getattr(done, name) for name in ("tickets", "orders", "messages", "attachments")}
    if as_json:
        print_json(counts | {"dry_run": dry_run, "waiting": done.waiting, "compacted": rewrite and clean})
    else:
        text = ", ".join(f"{count} {name}" for name, count in counts.items())
        click.echo(f"{'would be forgotten' if dry_run else 'forgotten'}: {text}")
        for why in done.waiting:
            click.echo(f"waits: {why}")
    if not clean:
        raise click.ClickException(_NOT_COMPACTED)


@privacy.command("compact")
@click.pass_context
def compact_(ctx: click.Context) -> None:
    """Rewrite the database, so that its free space holds no trace of what was forgotten."""
    from aftersail.core.cli.session import open_app

    with open_app(ctx) as app:
        if not _compacted(app):
            raise click.ClickException(_NOT_COMPACTED)
    click.echo("the database was rewritten")


def _compacted(app: App) -> bool:
    from aftersail.core.store.compact import compact

    return compact(app.engine)
