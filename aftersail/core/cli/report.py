"""`aftersail report`: what the desk has done, and what stands out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows, show

if TYPE_CHECKING:
    from aftersail.core.insight.alarms import Spike
    from aftersail.core.insight.figures import Figures

_FIGURES: Final = {"group": "", "name": "Figure", "value": "Value"}
_CHANNELS: Final = {
    "id": "Channel",
    "kind": "Connector",
    "state": "State",
    "synced_at": "Last sync",
    "due_at": "Next",
    "failures": "Failures",
    "attention": "Needs attention",
}
_SPIKES: Final = {"reason": "Reason", "count": "Last 24 h", "usual": "Usual in 24 h"}


@click.command()
@click.option("--since", default="7d", show_default=True, help="How far back: a number and a unit, such as 12h or 7d.")
@json_option
@click.pass_context
def report(ctx: click.Context, since: str, as_json: bool) -> None:
    """Figures of the desk: tickets, clocks, refunds; how the channels stand; reasons that are suddenly frequent."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.insight.alarms import reason_spikes
    from aftersail.core.insight.figures import figures
    from aftersail.core.insight.health import channels_health
    from aftersail.core.store.engine import reading

    window = _window(since)
    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        now = app.now()
        counted = figures(conn, _begin(now, window), now)
        channels = channels_health(conn, now)
        spikes = reason_spikes(conn, now)
    if as_json:
        print_json(
            {
                "figures": counted.model_dump(mode="json"),
                "channels": [channel.model_dump(mode="json") for channel in channels],
                "reason_spikes": [spike.model_dump(mode="json") for spike in spikes],
            }
        )
        return
    _print(counted, [channel.model_dump() for channel in channels], spikes)


def _window(since: str) -> timedelta:
    from pydantic import TypeAdapter, ValidationError

    from aftersail.core.policy.pack import Duration

    try:
        return TypeAdapter[timedelta](Duration).validate_python(since)
    except ValidationError:
        form = "write a number and a unit: 90m, 12h or 7d"
        raise click.BadParameter(f"{since!r} is no span of time; {form}", param_hint="--since") from None


def _begin(now: datetime, window: timedelta) -> datetime:
    try:
        return now - window
    except OverflowError:
        raise click.BadParameter("that is before the calendar begins", param_hint="--since") from None


def _print(counted: Figures, channels: list[dict[str, object]], spikes: tuple[Spike, ...]) -> None:
    click.echo(f"From {show(counted.since)} to {show(counted.until)}\n")
    rows = [{"group": group, "name": name, "value": value} for group, name, value in _lines(counted)]
    print_rows(rows, _FIGURES, as_json=False, empty="")
    click.echo("")
    print_rows(channels, _CHANNELS, as_json=False, empty="no channels; aftersail channel add", wide="Needs attention")
    click.echo("")
    reasons = [spike.model_dump() for spike in spikes]
    print_rows(reasons, _SPIKES, as_json=False, empty="no reason is given more often than usual")


def _lines(counted: Figures) -> Iterator[tuple[str, str, object]]:
    yield "messages", "from buyers", counted.messages_in
    yield "", "answers sent", counted.replies_sent
    yield "tickets", "filed", counted.tickets
    divisions: Mapping[str, Mapping[str, int]] = {
        "by channel": counted.by_channel,
        "by reason": counted.by_reason,
        "by tier": counted.by_tier,
        "by state": counted.by_state,
    }
    for division, numbers in divisions.items():
        for index, (name, number) in enumerate(numbers.items()):
            yield division if index == 0 else "", name, number
    yield "first answers", "in time", counted.first_response_met
    yield "", "too late", counted.first_response_breached
    for index, paid in enumerate(counted.refunds_settled):
        yield "refunds" if index == 0 else "", f"booked: {paid.count}", paid.total
    yield "" if counted.refunds_settled else "refunds", "given to a person", counted.refunds_parked
    yield "tasks", "open now", counted.open_tasks
