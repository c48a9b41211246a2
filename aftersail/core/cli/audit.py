"""`aftersail audit`: who did what, and proof that nobody has changed it since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows, show

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS: Final = {
    "seq": "Row",
    "at": "When",
    "actor": "Who",
    "kind": "What",
    "channel": "Channel",
    "ticket": "Ticket",
    "told": "Said",
}


@click.group()
def audit() -> None:
    """List who did what; verify, seal and export the audit log."""


@audit.command("list")
@click.option("--since", help="90d, 2026-11-22, or a date with time.")
@click.option("--ticket", type=int, help="Only of this ticket.")
@click.option("--actor", help="Only what this person did; `aftersail` is the desk itself.")
@click.option("--limit", type=click.IntRange(1, 100000), default=100, show_default=True)
@json_option
@click.pass_context
def list_history(
    ctx: click.Context, since: str | None, ticket: int | None, actor: str | None, limit: int, as_json: bool
) -> None:
    """List what happened, the newest first: who, what, when, before and after."""
    from aftersail.core.cli.instants import instant_of
    from aftersail.core.cli.session import open_app
    from aftersail.core.store.audit import history_rows
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app:
        begin = instant_of(since, app.now(), "--since") if since else None
        with reading(app.engine).connect() as conn:
            rows = history_rows(conn, since=begin, ticket=ticket, actor=actor, limit=limit)
    if not as_json:
        rows = [row | {"told": _said(row["data"])} for row in rows]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="nothing has happened", wide="Said")


def _said(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {show(value)}" for key, value in data.items() if value is not None)


@audit.command()
@click.option("--expect", help="A head hash that was noted earlier: it must still be in the chain.")
@json_option
@click.pass_context
def verify(ctx: click.Context, expect: str | None, as_json: bool) -> None:
    """Check that no row of the audit log was changed, removed, inserted or moved; ends with code 1 if one was."""
    from dataclasses import asdict

    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import open_app
    from aftersail.core.store.audit_check import verify as check

    with open_app(ctx) as app, counted_progress("verifying", quiet=as_json) as progress:
        found = check(app.engine, expect=expect, progress=progress)
    if as_json:
        print_json(asdict(found))
    elif found.broken is None:
        click.echo(f"{found.rows} rows hold, {found.erased} of them with their personal data erased")
        click.echo(f"head {found.head}")
    if found.unsealed and not as_json:
        click.echo(f"{found.unsealed} rows are not sealed yet; the daemon does it, or: aftersail audit seal")
    if found.broken is None:
        return
    if not as_json:
        event = f" (event {found.broken.event})" if found.broken.event is not None else ""
        click.echo(f"row {found.broken.seq}{event} was {found.broken.what}: {found.broken.detail}", err=True)
    ctx.exit(1)


@audit.command()
@json_option
@click.pass_context
def seal(ctx: click.Context, as_json: bool) -> None:
    """Seal what waits for it, and print the head hash to be noted elsewhere."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.store import audit as log
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app:
        sealed = 0
        while some := log.seal(app.engine):
            sealed += some
        with reading(app.engine).connect() as conn:
            rows, head = log.head_of(conn)
    if as_json:
        print_json({"sealed": sealed, "rows": rows, "head": head})
    else:
        click.echo(f"{sealed} rows sealed, {rows} in all\nhead {head}")


@audit.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def export(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write the sealed rows as lines of JSON with their hashes, without personal data."""
    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import open_app
    from aftersail.core.store.audit import count_rows, exported
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        sealed, unsealed = count_rows(conn)
        with file.open("w", encoding="utf-8") as out, counted_progress("exporting", quiet=as_json) as progress:
            for done, line in enumerate(exported(conn), 1):
                out.write(line + "\n")
                if done % 1000 == 0 or done == sealed:
                    progress(done, sealed)
    if as_json:
        print_json({"file": str(file), "rows": sealed, "unsealed": unsealed})
    else:
        click.echo(f"{sealed} rows written to {file}; {unsealed} are not sealed yet")
