"""`aftersail return`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, show

if TYPE_CHECKING:
    from aftersail.core.desk.returns import OpenedReturn


@click.group("return")
def returns() -> None:
    """Open returns and get their labels."""


@returns.command("open")
@click.argument("number", type=int)
@click.option("--line", "lines", multiple=True, help="Only this order line, by its id or SKU; may be given again.")
@click.option("--label", is_flag=True, help="Buy a return label; where no API can, a person is asked to make one.")
@json_option
@click.pass_context
def open_(ctx: click.Context, number: int, lines: tuple[str, ...], label: bool, as_json: bool) -> None:
    """Open a return for a ticket's order. The same lines again give the same RMA number, and nothing happens twice."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.returns import open_return
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        opened = open_return(unit, app.services, number, lines=lines, label=label, actor=actor())
    if as_json:
        print_json(opened.model_dump(mode="json"))
        return
    click.echo(f"{opened.number}{'' if opened.new else ' was opened before'}: {show(opened.lines)}")
    for line in _planned(opened):
        click.echo(f"  {line}")


def _planned(opened: OpenedReturn) -> list[str]:
    told = [
        (opened.approval is not None, "the platform's return request is approved when the daemon runs"),
        (opened.label is not None, f"its label is bought when the daemon runs: aftersail return label {opened.number}"),
        (opened.by_hand, "no API can buy its label: a task asks for it; aftersail ticket show has the link"),
    ]
    return [text for holds, text in told if holds]


@returns.command()
@click.argument("number", type=int, metavar="TICKET")
@click.argument("news", type=click.Choice(["proof", "back"]))
@click.option("--rma", help="Of which return, where the ticket has more than one.")
@click.option("--at", "at", help="When it was, with its zone: 2026-11-22T17:30:00+01:00; now if left out.")
@click.pass_context
def seen(ctx: click.Context, number: int, news: str, rma: str | None, at: str | None) -> None:
    """Write down that goods are on their way back (proof) or here (back): a refund that waited for it is due then."""
    from aftersail.core.cli.session import actor, instant, open_app
    from aftersail.core.desk.returned import ReturnNews
    from aftersail.core.desk.returns import note_return
    from aftersail.core.store.unit import unit_of_work

    when = instant(at, "--at") if at else None
    what = ReturnNews.GOODS_BACK if news == "back" else ReturnNews.RETURN_PROOF
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        decision = note_return(unit, app.services, number, what, at=when, rma=rma, actor=actor())
    click.echo(f"ticket {number}: {decision.summary}")


@returns.command()
@click.argument("rma")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the label's file here.")
@json_option
@click.pass_context
def label(ctx: click.Context, rma: str, save: Path | None, as_json: bool) -> None:
    """Show the label of a return: its tracking number, what it cost, where it is. RMA is its number."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.remedies.returns import bought_label
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        bought = bought_label(conn, rma)
        if save is not None:
            if bought.file is None or bought.file.content is None:
                where = f"it is at {bought.url}" if bought.url else "the platform gave none"
                raise click.ClickException(f"the label of {rma} has no file here; {where}")
            save.write_bytes(bought.file.content)
    if as_json:
        print_json(bought.model_dump(mode="json", exclude={"file": {"content"}}))
        return
    click.echo(f"{rma}: parcel {bought.parcel.tracking_number}, {bought.cost or 'price unknown'}, {show(bought.url)}")
    if save is not None:
        click.echo(f"written to {save}")
