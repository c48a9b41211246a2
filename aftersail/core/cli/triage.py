"""`aftersail triage`: what agents corrected."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows

_COLUMNS: Final = {
    "at": "When",
    "ticket": "Ticket",
    "actor": "By",
    "reason": "Reason",
    "language": "Lang",
    "tier": "Tier",
    "text": "What the buyer wrote",
}


@click.group()
def triage() -> None:
    """Show how agents corrected what triage found."""


@triage.command("corrections")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only from this day on (UTC), such as 2026-01-31.")
@json_option
@click.pass_context
def list_corrections(ctx: click.Context, since: object, as_json: bool) -> None:
    """List corrections, the oldest first; as JSON they are labelled examples to measure triage with."""
    from datetime import UTC, datetime

    from aftersail.core.cli.session import open_app
    from aftersail.core.store.engine import reading
    from aftersail.core.triage.corrections import corrections

    begin = since.replace(tzinfo=UTC) if isinstance(since, datetime) else None
    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        found = corrections(conn, begin)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
        return
    rows = [
        {
            "at": each.at,
            "ticket": each.ticket,
            "actor": each.actor,
            "reason": _change(each.before.reason, each.after.reason),
            "language": _change(each.before.language, each.after.language),
            "tier": _change(each.before.tier, each.after.tier),
            "text": each.text or each.subject,
        }
        for each in found
    ]
    print_rows(rows, _COLUMNS, as_json=False, empty="nothing has been corrected", wide="What the buyer wrote")


def _change(before: str | None, after: str | None) -> str:
    return (after or "none") if before == after else f"{before or 'none'} \u2192 {after or 'none'}"
