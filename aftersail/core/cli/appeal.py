"""`aftersail appeal`."""

from __future__ import annotations

from typing import Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows, show

_COLUMNS: Final = {
    "id": "No",
    "kind": "Kind",
    "ticket": "Ticket",
    "due_at": "Due",
    "state": "State",
    "who": "Decides",
    "lodged_by": "By",
    "why": "Why",
}


@click.group()
def appeal() -> None:
    """Open, list, take and decide appeals, objections and mediations."""


@appeal.command("open")
@click.argument("number", type=int, metavar="TICKET")
@click.option("--kind", type=click.Choice(["appeal", "objection", "mediation"]), default="appeal", show_default=True)
@click.option("--by", type=click.Choice(["desk", "mail", "hotline"]), default="desk", show_default=True)
@click.option("--why", required=True, help="What the buyer says.")
@click.option("--filed", help="When it reached us, with its zone: 2026-11-22T17:30:00+01:00; now if left out.")
@click.option("--mediator", help="A third party outside the desk, for a mediation.")
@click.pass_context
def open_one(
    ctx: click.Context, number: int, kind: str, by: str, why: str, filed: str | None, mediator: str | None
) -> None:
    """Write down that a buyer appeals; its own clock runs from when it reached us."""
    from aftersail.core.cli.session import actor, instant, open_app
    from aftersail.core.desk.appeals import AppealKind, LodgedBy, appeal_rows, open_appeal
    from aftersail.core.store.unit import unit_of_work

    filed_at = instant(filed, "--filed") if filed else None
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        appeal_id = open_appeal(
            unit,
            app.services,
            number,
            kind=AppealKind(kind),
            by=LodgedBy(by),
            why=why,
            actor=actor(),
            filed_at=filed_at,
            mediator=mediator,
        )
        (row,) = [each for each in appeal_rows(unit.conn, decided=False) if each["id"] == appeal_id]
    who = row["mediator"] or row["reviewer"] or "nobody yet"
    click.echo(f"{kind} {appeal_id} on ticket {number}: answer due {show(row['due_at'])}, to be decided by {who}")


@appeal.command("list")
@click.option("--all", "everything", is_flag=True, help="Decided ones too.")
@json_option
@click.pass_context
def list_appeals(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """List appeals, what is due first on top."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.appeals import appeal_rows
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        rows = appeal_rows(conn, decided=everything)
    if not as_json:
        rows = [row | {"who": row["decided_by"] or row["mediator"] or row["reviewer"]} for row in rows]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no open appeals", wide="Why")


@appeal.command()
@click.argument("number", type=int, metavar="APPEAL")
@click.pass_context
def take(ctx: click.Context, number: int) -> None:
    """Begin the review of an appeal: that answers it in time. An objection waits for its decision."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.appeals import take_appeal
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        take_appeal(unit, app.services, number, actor())
    click.echo(f"appeal {number} is under review")


@appeal.command()
@click.argument("number", type=int, metavar="APPEAL")
@click.argument("outcome", type=click.Choice(["grant", "deny"]))
@click.option("--note", required=True, help="Why; the buyer has a right to know.")
@click.pass_context
def decide(ctx: click.Context, number: int, outcome: str, note: str) -> None:
    """Grant or deny an appeal. Whoever decided the matter before cannot."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.appeals import decide_appeal
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        until = decide_appeal(unit, app.services, number, granted=outcome == "grant", note=note, actor=actor())
    extended = f"; the service period goes on until {show(until)}" if until else ""
    click.echo(f"appeal {number} was {'granted' if outcome == 'grant' else 'denied'}{extended}")
