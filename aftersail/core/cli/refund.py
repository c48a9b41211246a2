"""`aftersail refund`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

_COLUMNS: Final = {
    "key": "Key",
    "ticket": "Ticket",
    "channel": "Channel",
    "order_id": "Order",
    "money": "Amount",
    "state": "State",
    "approved_by": "Approved by",
    "why": "Why",
    "detail": "Last",
}


@click.group()
def refund() -> None:
    """List refunds; approve, reject or resolve the parked ones."""


@refund.command("list")
@click.option("--state", multiple=True, help="Only these states, such as planned or unknown.")
@json_option
@click.pass_context
def list_refunds(ctx: click.Context, state: tuple[str, ...], as_json: bool) -> None:
    """List refunds, the newest first; those that wait for a person are planned, refused or unknown."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.views import refund_rows
    from aftersail.core.remedies import RemedyState
    from aftersail.core.store.engine import reading

    unknown = [name for name in state if name not in list(RemedyState)]
    if unknown:
        raise click.BadParameter(
            f"{unknown[0]!r} is no state; states are: {', '.join(RemedyState)}", param_hint="--state"
        )
    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        rows = refund_rows(conn, states=state)
    if not as_json:
        rows = [row | {"key": row["key"][:8]} for row in rows]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no refunds", wide="Why")


@refund.command()
@click.argument("key")
@click.pass_context
def approve(ctx: click.Context, key: str) -> None:
    """Let a planned refund leave. KEY may be its beginning."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.remedies import RemedyKind
    from aftersail.core.remedies import approve as approve_remedy
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = approve_remedy(unit, app.jobs, key, actor(), RemedyKind.REFUND)
    click.echo(f"approved: {row.amount:.2f} {row.currency} on order {row.order_id} leaves when the daemon runs")


@refund.command()
@click.argument("key")
@click.option("--why", required=True, help="For the history.")
@click.pass_context
def reject(ctx: click.Context, key: str, why: str) -> None:
    """Take a refund back before it leaves. KEY may be its beginning."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.remedies import RemedyKind
    from aftersail.core.remedies import reject as reject_remedy
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = reject_remedy(unit, key, actor(), why, RemedyKind.REFUND)
    click.echo(f"cancelled: nothing is refunded on order {row.order_id}")


@refund.command()
@click.argument("key")
@click.option("--happened/--did-not-happen", required=True, help="What the platform's own page says.")
@click.option("--external-id", help="The platform's id of the refund.")
@click.pass_context
def resolve(ctx: click.Context, key: str, happened: bool, external_id: str | None) -> None:
    """Say what became of a refund in state unknown, after looking at the platform's own page."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.settled import on_settled
    from aftersail.core.remedies import resolve as resolve_remedy
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = resolve_remedy(unit, app.jobs, key, actor(), happened=happened, external_id=external_id)
        if happened:
            on_settled(unit, row)
    click.echo(f"{row.kind} {row.key[:8]} is {row.state}")
