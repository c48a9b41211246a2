"""`aftersail report`: what the desk has done, and what stands out; `aftersail report month` for a calendar month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows, show

if TYPE_CHECKING:
    from aftersail.core.insight.board import Report
    from aftersail.core.insight.figures import Figures
    from aftersail.core.insight.kpis import Kpis
    from aftersail.core.insight.measures import Share
    from aftersail.core.insight.monthly import MonthReport

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
_PROGRESS: Final = {"reason": "Reason", "filed": "Filed", "states": "Now", "overdue": "Overdue", "solved": "Solved"}
_ALARMS: Final = {"metric": "Alarm", "subject": "About", "raised_at": "Since", "closed_at": "Over", "why": "Why"}
_GROUPS: Final = {
    "group": "By",
    "name": "",
    "first": "First answer",
    "solve": "Solved in",
    "one_touch": "One touch",
    "csat": "Satisfied",
    "breaches": "Breaches",
}


@click.group(invoke_without_command=True)
@click.option("--since", default="7d", show_default=True, help="How far back: a number and a unit, such as 12h or 7d.")
@click.option("--until", help="Count until this instant instead of now, such as 2026-11-22T12:00:00Z.")
@json_option
@click.pass_context
def report(ctx: click.Context, since: str, until: str | None, as_json: bool) -> None:
    """Figures of the desk: tickets, clocks, key figures, refunds, progress by complaint type, alarms.

    Where tickets and channels stand is told as of now, whatever the window is.
    """
    if ctx.invoked_subcommand is not None:
        return
    from aftersail.core.cli.session import open_app
    from aftersail.core.insight.board import report as make_report
    from aftersail.core.insight.kpis import calendars_of
    from aftersail.core.store.engine import reading

    window = _window(since)
    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        now = _instant(until, app.now())
        made = make_report(conn, _begin(now, window), now, calendars_of(app.packs))
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print(made)


@report.command()
@click.argument("month")
@click.option("--zone", default="UTC", show_default=True, help="Whose midnight begins the month: Europe/Berlin.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a table to this file.")
@json_option
@click.pass_context
def month(ctx: click.Context, month: str, zone: str, csv_file: Path | None, as_json: bool) -> None:
    """Report a calendar month: types, handling, refunds by reason, agents, alarms. MONTH is written 2026-11."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.insight.kpis import calendars_of
    from aftersail.core.insight.monthly import MonthError, month_report
    from aftersail.core.store.engine import reading

    midnight = _zone(zone)
    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        try:
            made = month_report(conn, month, app.now(), calendars_of(app.packs), midnight)
        except MonthError as error:
            raise click.BadParameter(str(error), param_hint="MONTH") from None
        if csv_file is not None:
            _write_csv(csv_file, made)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print_month(made)
        if csv_file is not None:
            click.echo(f"\nwritten to {csv_file}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise click.BadParameter(f"{name!r} is no time zone; write Europe/Berlin", param_hint="--zone") from None


def _instant(until: str | None, now: datetime) -> datetime:
    """Read an instant; the future has no figures yet."""
    if until is None:
        return now
    form = "write date, time and zone: 2026-11-22T12:00:00Z"
    try:
        found = datetime.fromisoformat(until)
    except ValueError:
        raise click.BadParameter(f"{until!r} is no instant; {form}", param_hint="--until") from None
    if found.tzinfo is None:
        raise click.BadParameter(f"{until!r} has no time zone; {form}", param_hint="--until")
    if found > now:
        raise click.BadParameter(f"{until!r} is still to come", param_hint="--until")
    return found.astimezone(UTC)


def _write_csv(path: Path, made: MonthReport) -> None:
    import csv

    from aftersail.core.insight.monthly import CSV_HEAD, csv_rows

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_HEAD)
        writer.writerows(csv_rows(made))


def _window(since: str) -> timedelta:
    from pydantic import TypeAdapter, ValidationError

    from aftersail.core.policy.values import Duration

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


def _print(made: Report) -> None:
    counted = made.figures
    click.echo(f"From {show(counted.since)} to {show(counted.until)}\n")
    rows = [{"group": group, "name": name, "value": value} for group, name, value in _lines(counted)]
    rows += [{"group": group, "name": name, "value": value} for group, name, value in _kpi_lines(made.kpis.whole)]
    rows.append({"group": "solved", "name": "of those filed", "value": _share(made.solved)})
    print_rows(rows, _FIGURES, as_json=False, empty="")
    click.echo("")
    progress = [
        {
            "reason": reason,
            "filed": each.filed,
            "states": ", ".join(f"{state} {count}" for state, count in each.by_state.items()),
            "overdue": each.overdue,
            "solved": _share(each.solved),
        }
        for reason, each in made.progress.items()
    ]
    print_rows(progress, _PROGRESS, as_json=False, empty="no ticket was filed")
    click.echo("")
    channels = [channel.model_dump() for channel in made.channels]
    print_rows(channels, _CHANNELS, as_json=False, empty="no channels; aftersail channel add", wide="Needs attention")
    click.echo("")
    reasons = [spike.model_dump() for spike in made.reason_spikes]
    print_rows(reasons, _SPIKES, as_json=False, empty="no reason is given more often than usual")
    if made.alarms:
        click.echo("")
        print_rows([alarm.model_dump() for alarm in made.alarms], _ALARMS, as_json=False, empty="", wide="Why")


def _print_month(made: MonthReport) -> None:
    so_far = "" if made.complete else ", not over yet"
    click.echo(f"{made.month} ({made.zone}{so_far}): {made.figures.tickets} tickets\n")
    rows = [{"group": group, "name": name, "value": value} for group, name, value in _month_lines(made)]
    print_rows(rows, _FIGURES, as_json=False, empty="")
    click.echo("")
    kpis = made.kpis
    divisions = {"reason": kpis.by_reason, "agent": kpis.by_agent, "channel": kpis.by_channel, "tier": kpis.by_tier}
    groups = [
        _group_row(division if index == 0 else "", name, each)
        for division, found in divisions.items()
        for index, (name, each) in enumerate(found.items())
    ]
    print_rows(groups, _GROUPS, as_json=False, empty="nothing was answered or solved")
    if made.alarms:
        click.echo("")
        print_rows([alarm.model_dump() for alarm in made.alarms], _ALARMS, as_json=False, empty="", wide="Why")


def _month_lines(made: MonthReport) -> Iterator[tuple[str, str, object]]:
    for index, line in enumerate(made.types):
        value = f"{_share(line.share)}, {line.month_before} the month before"
        yield "types" if index == 0 else "", line.reason, value
    yield from _kpi_lines(made.kpis.whole)
    for index, refund in enumerate(made.refunds):
        yield "refunds" if index == 0 else "", refund.reason, f"{refund.count}: {refund.total}"
    for index, agent in enumerate(made.agents):
        yield "sent by" if index == 0 else "", agent.agent, f"{agent.answers} answers, {agent.refunds} refunds"


def _group_row(division: str, name: str, kpis: Kpis) -> dict[str, object]:
    from aftersail.core.insight.measures import span

    return {
        "group": division,
        "name": name,
        "first": span(kpis.first_response.elapsed.average_seconds),
        "solve": span(kpis.solve.elapsed.average_seconds),
        "one_touch": _share(kpis.one_touch),
        "csat": _share(kpis.csat.satisfied),
        "breaches": sum(kpis.breaches.values()),
    }


def _kpi_lines(kpis: Kpis) -> Iterator[tuple[str, str, object]]:
    """Elapsed and business time stand on lines of their own: they are never mixed."""
    from aftersail.core.insight.measures import span

    for title, measured, goal in (
        ("first answer", kpis.first_response, "under 4 h"),
        ("solution", kpis.solve, "under 48 h"),
    ):
        for index, name in enumerate(("elapsed", "business")):
            times = getattr(measured, name)
            label = f"average, {name} time"
            yield title if index == 0 else "", label, span(times.average_seconds)
            yield "", f"{goal}, {name} time", _share(times.within)
    yield "solved", "with one answer", _share(kpis.one_touch)
    yield "", "at first contact", _share(kpis.first_contact)
    yield "buyers", "satisfied", _share(kpis.csat.satisfied)
    yield "", "net promoter score", kpis.nps.score
    for index, (metric, count) in enumerate(kpis.breaches.items()):
        yield "breaches" if index == 0 else "", metric.replace("_", " "), count


def _share(share: Share) -> str:
    return "\u2013" if share.percent is None else f"{share.percent} % ({share.count} of {share.of})"


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
