"""`aftersail inbox` and `aftersail ticket`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows
from aftersail.core.cli.ticket_moves import assign, escalate, extend, grade

_INBOX: Final = {
    "id": "No",
    "due_at": "Due",
    "due_source": "Source",
    "tier": "Tier",
    "reason": "Reason",
    "state": "State",
    "owner": "Owner",
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
    """Show, answer, grade, assign, merge and close tickets."""


for _command in (assign, escalate, extend, grade):
    ticket.add_command(_command)


@ticket.command()
@click.argument("number", type=int)
@json_option
@click.pass_context
def show(ctx: click.Context, number: int, as_json: bool) -> None:
    """Show a ticket: conversation, order, clocks, decisions, remedies, tasks, and what usually helps."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.cli.ticket_text import print_ticket
    from aftersail.core.desk.services import pack_of
    from aftersail.core.desk.solutions import solutions_for
    from aftersail.core.desk.tickets import get_ticket
    from aftersail.core.desk.views import ticket_view
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        view = ticket_view(conn, number)
        known = pack_of(app.services, get_ticket(conn, number)).templates
        view["solutions"] = [
            solution.model_dump(mode="json")
            | {"missing_templates": [name for name in solution.templates if name not in known]}
            for solution in solutions_for(view["reason"], app.solutions)
        ]
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


@ticket.command("set")
@click.argument("number", type=int)
@click.argument("state")
@click.pass_context
def put(ctx: click.Context, number: int, state: str) -> None:
    """Put a ticket into a state: open, waiting, need_info, waiting_carrier, resolved, closed or spam.

    Clocks pause, run on or open again as the pack says under `pause` and `reopen`.
    """
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.agent import put_ticket
    from aftersail.core.desk.tickets import TicketState
    from aftersail.core.store.unit import unit_of_work

    if state not in list(TicketState):
        raise click.BadParameter(f"{state!r} is no state; states are: {', '.join(TicketState)}", param_hint="STATE")
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        moved = put_ticket(unit, app.services, number, TicketState(state), actor())
    click.echo(f"ticket {number} is {state} now" if moved else f"ticket {number} was {state} before")


@ticket.command()
@click.argument("number", type=int)
@click.argument("into", type=int)
@click.option("--yes", is_flag=True, help="Do not ask: it cannot be undone.")
@click.pass_context
def merge(ctx: click.Context, number: int, into: int, yes: bool) -> None:
    """Merge ticket NUMBER into ticket INTO, which keeps the earliest unanswered time of both."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.joining import join_tickets
    from aftersail.core.store.unit import unit_of_work

    if not yes:
        click.confirm(f"Merge ticket {number} into ticket {into}? It cannot be undone.", abort=True)
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        join_tickets(unit, app.services, number, into, actor=actor())
    click.echo(f"ticket {number} is part of ticket {into} now")


@ticket.command()
@click.argument("number", type=int)
@click.argument("task", type=int)
@click.pass_context
def done(ctx: click.Context, number: int, task: int) -> None:
    """Say that you have done TASK of ticket NUMBER; `ticket show` lists its tasks with their numbers."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.agent import finish_task
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        kind = finish_task(unit, number, task, actor())
    click.echo(f"ticket {number}: {kind} is done")


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
