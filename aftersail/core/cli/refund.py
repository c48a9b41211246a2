"""`aftersail refund`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

if TYPE_CHECKING:
    from aftersail.core.contract import Money

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
    """List and issue refunds; approve, reject or resolve the parked ones."""


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
    """Let a planned refund leave; above your role's limit it goes to one that may. KEY may be its beginning."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.authority import approve_refund
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        outcome = approve_refund(unit, app.services, key, actor())
    if outcome.referred_to:
        raise click.ClickException(f"not approved, it waits for a {outcome.referred_to} now: {outcome.why}")
    click.echo(f"approved: {outcome.amount} on order {outcome.order_id} leaves when the daemon runs")


@refund.command()
@click.argument("number", type=int, metavar="TICKET")
@click.argument("amount")
@click.option("--reason", required=True, help="For the history.")
@click.option("--yes", is_flag=True, help="Do not ask before paying.")
@click.pass_context
def issue(ctx: click.Context, number: int, amount: str, reason: str, yes: bool) -> None:
    """Refund on a ticket's order: AMOUNT such as "12.50 USD", or "all" for what is left.

    Above your role's limit it is planned, and waits for a role that may approve it.
    """
    import sys

    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.authority import issue_refund
    from aftersail.core.store.unit import unit_of_work

    money = None if amount == "all" else _money(amount)
    with open_app(ctx) as app:
        if not yes and sys.stdin.isatty():
            click.confirm(f"Refund {amount} on the order of ticket {number}?", abort=True)
        with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
            outcome = issue_refund(unit, app.services, number, money, reason=reason, actor=actor())
    what = f"{outcome.amount} on order {outcome.order_id} [{outcome.key[:8]}]"
    if not outcome.new:
        click.echo(f"planned before: {what}; the same refund again is planned once this one has ended")
    elif outcome.referred_to:
        click.echo(f"planned: {what} waits for a {outcome.referred_to}, because {outcome.why}")
    else:
        click.echo(f"approved: {what} leaves when the daemon runs")


def _money(text: str) -> Money:
    from aftersail.core.contract import Money

    amount, _, currency = text.strip().partition(" ")
    try:
        return Money.of(amount, currency.strip())
    except (ValueError, ArithmeticError):
        raise click.BadParameter('write amount and currency, as in "12.50 USD", or: all', param_hint="AMOUNT") from None


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
    from aftersail.core.remedies import resolve as resolve_remedy
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        row = resolve_remedy(unit, app.jobs, key, actor(), happened=happened, external_id=external_id)
        if happened:
            app.settled(unit, row)
    click.echo(f"{row.kind} {row.key[:8]} is {row.state}")
