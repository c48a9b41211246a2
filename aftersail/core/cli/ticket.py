"""`aftersail inbox` and `aftersail ticket`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows

_INBOX: Final = {
    "id": "No",
    "due_at": "Due",
    "due_source": "Source",
    "tier": "Tier",
    "reason": "Reason",
    "state": "State",
    "tasks": "To do",
    "language": "Lang",
    "channel": "Channel",
    "buyer": "Buyer",
    "subject": "Subject",
}


@click.command()
@click.option("--all", "everything", is_flag=True, help="Closed tickets too.")
@click.option("--channel", help="Only this channel.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
@json_option
@click.pass_context
def inbox(ctx: click.Context, everything: bool, channel: str | None, limit: int, as_json: bool) -> None:
    """List tickets, the most urgent first."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.views import inbox_rows
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        rows = inbox_rows(conn, closed=everything, channel=channel, limit=limit)
    print_rows(rows, _INBOX, as_json=as_json, empty="no open tickets")


@click.group()
def ticket() -> None:
    """Show, answer and close tickets, and decide their cases."""


@ticket.command()
@click.argument("number", type=int)
@json_option
@click.pass_context
def show(ctx: click.Context, number: int, as_json: bool) -> None:
    """Show a ticket: conversation, order, clocks, decisions with their trace, remedies, tasks."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.cli.ticket_text import print_ticket
    from aftersail.core.desk.views import ticket_view
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        view = ticket_view(conn, number)
    if as_json:
        print_json(view)
    else:
        print_ticket(view)


@ticket.command()
@click.argument("number", type=int)
@click.option("--text", help="The answer; without it an editor opens, or the text is read from standard input.")
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@click.pass_context
def reply(ctx: click.Context, number: int, text: str | None, yes: bool) -> None:
    """Answer a ticket through the channel it came by. It leaves once, as soon as the daemon runs."""
    import sys
    from uuid import uuid4

    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.agent import answer
    from aftersail.core.store.unit import unit_of_work

    if text is None:
        text = sys.stdin.read() if not sys.stdin.isatty() else click.edit()
    if not text or not text.strip():
        raise click.UsageError("the answer is empty; nothing was sent")
    with open_app(ctx) as app:
        if not yes and sys.stdin.isatty():
            click.confirm(f"Send this to the buyer of ticket {number}?\n\n{text}\n", abort=True)
        with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
            channel = answer(unit, app.services, number, text.strip(), key=str(uuid4()), actor=actor())
    click.echo(f"planned: it leaves through {channel} when the daemon runs")


@ticket.command()
@click.argument("number", type=int)
@click.pass_context
def close(ctx: click.Context, number: int) -> None:
    """Close a ticket: its clocks stop, the one for the solution as met."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.agent import close_ticket
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        closed = close_ticket(unit, number, actor())
    click.echo(f"ticket {number} is closed" if closed else f"ticket {number} was closed before")


@ticket.command()
@click.argument("number", type=int)
@click.argument("action", type=click.Choice(["approve", "decline", "escalate", "appeal"]))
@click.option("--reason", help="The platform's code, where the action needs one.")
@click.option("--note", default="", help="What the buyer or the platform is told.")
@click.pass_context
def decide(ctx: click.Context, number: int, action: str, reason: str | None, note: str) -> None:
    """Answer the open case of a ticket on its platform, once."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.contract import CaseAction
    from aftersail.core.desk.agent import decide_open_case
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        new = decide_open_case(unit, app.services, number, CaseAction(action), actor=actor(), reason=reason, note=note)
    click.echo("planned: it leaves when the daemon runs" if new else "the same decision was planned before")
