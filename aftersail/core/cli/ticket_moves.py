"""What changes a ticket: another grade, another owner, more time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import rich_click as click

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def _duration(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,5})([mhd])", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no duration; write a number and a unit: 30m, 4h or 2d", ctx, param)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command()
@click.argument("number", type=int)
@click.option("--tier", help="One of the pack's tiers.")
@click.option("--reason", help="Why the buyer writes, such as damaged.")
@click.option("--language", help="Of the buyer, such as en or de.")
@click.pass_context
def grade(ctx: click.Context, number: int, tier: str | None, reason: str | None, language: str | None) -> None:
    """Set what you know better than the system; it stays set, and clocks that still run get the new targets."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.regrade import regrade
    from aftersail.core.store.unit import unit_of_work

    if tier is None and reason is None and language is None:
        raise click.UsageError("nothing to set: give --tier, --reason or --language")
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        said = {"tier": tier, "reason": reason, "language": language}
        decision = regrade(unit, app.services, number, actor=actor(), **said)
    click.echo(f"ticket {number}: {decision.summary}" if decision else f"ticket {number} was graded so before")


@click.command()
@click.argument("number", type=int)
@click.option("--to", help="The agent; without it the routing chooses.")
@click.option("--why", default="", help="For the history.")
@click.pass_context
def assign(ctx: click.Context, number: int, to: str | None, why: str) -> None:
    """Give a ticket to an agent, or to whoever the routing chooses now."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.assignment import assign_ticket
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        owner = assign_ticket(unit, app.services, number, to, actor=actor(), why=why)
    click.echo(f"ticket {number} belongs to {owner}")


@click.command()
@click.argument("number", type=int)
@click.option("--to", type=click.Choice(["senior", "technical"]), default="senior", show_default=True)
@click.option("--why", required=True, help="For the history.")
@click.pass_context
def escalate(ctx: click.Context, number: int, to: str, why: str) -> None:
    """Hand a ticket up, to a supervisor or to a technician, with everything that was said and done."""
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.assignment import escalate as escalate_ticket
    from aftersail.core.store.unit import unit_of_work

    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        owner = escalate_ticket(unit, app.services, number, to=to, why=why, actor=actor())
    click.echo(f"ticket {number} belongs to {owner}")


@click.command()
@click.argument("number", type=int)
@click.option("--by", "more", required=True, callback=_duration, help="How much longer, such as 24h.")
@click.option("--reason", default="", help="Why, for the history.")
@click.option("--report", default="", help="What the marketplace or the manager is told.")
@click.option("--tell-buyer", "tell", default="", help="What the buyer is told; it is sent.")
@click.option("--told-by-hand", is_flag=True, help="The buyer was told so already, on the platform's own page.")
@click.option("--metric", default="resolution", show_default=True, help="Which promise.")
@click.pass_context
def extend(
    ctx: click.Context,
    number: int,
    more: timedelta,
    reason: str,
    report: str,
    tell: str,
    told_by_hand: bool,
    metric: str,
) -> None:
    """Ask for more time: with a reason, a report and a notice to the buyer, and not without."""
    from uuid import uuid4

    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.clocks import Metric
    from aftersail.core.desk.extension import extend as extend_ticket
    from aftersail.core.store.unit import unit_of_work

    if metric not in list(Metric):
        raise click.BadParameter(f"{metric!r} is none of: {', '.join(Metric)}", param_hint="--metric")
    with open_app(ctx) as app, unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        moved = extend_ticket(
            unit,
            app.services,
            number,
            more=more,
            reason=reason,
            report=report,
            tell=tell,
            key=str(uuid4()),
            actor=actor(),
            metric=Metric(metric),
            by_hand=told_by_hand,
        )
    click.echo("the due time has moved" if moved else "planned: the due time moves once the buyer's notice has left")
