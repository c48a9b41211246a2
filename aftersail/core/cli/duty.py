"""`aftersail duty`: what customs would ask, with the source of every rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, show

if TYPE_CHECKING:
    from aftersail.core.contract import Money
    from aftersail.core.insight.duties import DutyEstimate

_PARTIES = ("merchant", "buyer", "carrier", "platform")


@click.command()
@click.option("--to", required=True, help="Country the goods go to, such as DE.")
@click.option("--region", help="Its subdivision, where the tax depends on it, such as CA-AB.")
@click.option("--from", "origin", required=True, help="Country they are shipped from.")
@click.option("--hs", help="Harmonized System code, digits only.")
@click.option("--value", required=True, help='What the goods cost, such as "120.00 EUR".')
@click.option("--freight", help="Their part of transport and insurance, in the same currency.")
@click.option("--consignment", help="Value of all goods of the parcel, where there are others.")
@click.option("--via", type=click.Choice(["courier", "post"]), help="How they come, where limits differ.")
@click.option("--liable", type=click.Choice(_PARTIES), required=True, help="Who is liable, and so pays.")
@json_option
@click.pass_context
def duty(
    ctx: click.Context,
    to: str,
    region: str | None,
    origin: str,
    hs: str | None,
    value: str,
    freight: str | None,
    consignment: str | None,
    via: str | None,
    liable: str,
    as_json: bool,
) -> None:
    """Estimate duty and import tax of one kind of goods. It is no decision: nothing is paid by it."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.contract.money import CurrencyMismatchError
    from aftersail.core.desk.services import pack_in_force
    from aftersail.core.insight.duties import Goods, estimate
    from aftersail.core.insight.duty_table import load_duty_table

    with open_app(ctx, check_schema=False) as app:
        goods = Goods.model_validate(
            {
                "to": to.upper(),
                "region": region,
                "shipped_from": origin.upper(),
                "hs": hs,
                "value": _money(value, "--value"),
                "freight": _money(freight, "--freight") if freight else None,
                "consignment": _money(consignment, "--consignment") if consignment else None,
                "via": via,
            }
        )
        rates = pack_in_force(app.services, app.now()).content
        try:
            made = estimate(load_duty_table(), goods, on=app.now().date(), payer=liable, convert=rates.converted)
        except CurrencyMismatchError as error:
            raise click.UsageError(f"{error}; give value, freight and consignment in one currency") from None
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print(made)


def _money(text: str, option: str) -> Money:
    from aftersail.core.contract import Money
    from aftersail.core.insight.duty_table import read_money

    try:
        return Money.model_validate(read_money(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _print(made: DutyEstimate) -> None:
    for name, amount in (("duty", made.duty), ("import tax", made.tax), ("together", made.total)):
        click.echo(f"{name + ':':<12}{amount or 'not known'}")
    click.echo(f"{'paid by:':<12}{made.payer}")
    for step in made.steps:
        click.echo(f"  {step}")
    for why in made.unknown:
        click.echo(f"  not known: {show(why)}")
    for row in made.used:
        read = "verified" if row.source.verified else "not verified"
        click.echo(f"  {row.row}: {row.rate}; {row.source.page}, checked {row.source.checked_on}, {read}")
        click.echo(f"    {row.source.url}")
    sure = "every row verified within a year" if made.certain else "an estimate that nobody should rely on alone"
    click.echo(f"{'quality:':<12}{sure}")
