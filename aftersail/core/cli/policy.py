"""`aftersail policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows, visible

_COLUMNS: Final = {
    "id": "Pack",
    "version": "Version",
    "effective_from": "In force from",
    "title": "Title",
    "used": "In use",
}


@click.group()
def policy() -> None:
    """Check policy packs and explain decisions."""


@policy.command("list")
@json_option
@click.pass_context
def list_packs(ctx: click.Context, as_json: bool) -> None:
    """List every version of every pack: shipped, of plugins, and your own."""
    from aftersail.core.cli.session import open_app

    with open_app(ctx, check_schema=False) as app:
        packs = [app.packs.get(pack, version) for pack in app.packs.ids() for version in app.packs.versions(pack)]
        rows = [
            {
                "id": pack.id,
                "version": pack.version,
                "effective_from": pack.effective_from,
                "title": pack.title,
                "used": pack.id == app.settings.pack,
            }
            for pack in packs
        ]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no packs")


@policy.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@json_option
@click.pass_context
def check(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Check a pack file, or a folder of packs: file, line, column and the fix; exit code 1 if anything is wrong."""
    from aftersail.core.policy import check as check_pack

    problems = check_pack(path)
    if as_json:
        print_json([problem.model_dump(mode="json") for problem in problems])
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(f"{len(problems)} problems" if problems else f"{path} is right")
    if problems:
        ctx.exit(1)


@policy.command()
@click.argument("number", type=int)
@json_option
@click.pass_context
def explain(ctx: click.Context, number: int, as_json: bool) -> None:
    """Explain the newest decision on ticket NUMBER: facts, rows that matched, rows that did not and why, the money."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.views import newest_decision
    from aftersail.core.policy import explain as explain_decision
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        decision = newest_decision(conn, number)
    if as_json:
        print_json(decision.model_dump(mode="json"))
    else:
        click.echo(visible(explain_decision(decision)))
