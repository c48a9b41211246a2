"""`aftersail doctor`: one look at everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

if TYPE_CHECKING:
    from aftersail.core.runtime.app import App


@click.command()
@click.option("--accounts", is_flag=True, help="Ask each platform whether its account works, too.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, accounts: bool, as_json: bool) -> None:
    """Check everything: settings, database, plugins, packs, channels; exit code 1 if anything is wrong."""
    from aftersail.core.cli.session import open_app

    with open_app(ctx, check_schema=False) as app:
        rows = list(_checks(app, accounts=accounts))
    columns = {"what": "What", "ok": "Well", "detail": "Detail"}
    print_rows(rows, columns, as_json=as_json, empty="", wide="Detail")
    if not all(row["ok"] for row in rows):
        ctx.exit(1)


def _checks(app: App, *, accounts: bool) -> Iterator[dict[str, object]]:
    from aftersail.core.host import PluginState

    yield _row("settings", lambda: f"{len(app.settings.channels)} channels, pack {app.settings.pack}")
    yield _row("database", lambda: _schema(app))
    for report in app.host.reports:
        failed = report.state is PluginState.FAILED
        detail = f"{report.cause}; {report.fix}" if failed else f"{report.distribution}, {report.state}"
        yield {"what": f"plugin {report.name}", "ok": not failed, "detail": detail}
    yield _row(
        f"pack {app.settings.pack}", lambda: f"version {app.packs.in_force(app.settings.pack, app.now()).version}"
    )
    yield _row("opening hours", lambda: _calendars(app))
    for name in app.settings.channels:
        yield _row(f"channel {name}", lambda name=name: _channel(app, name, accounts=accounts))  # type: ignore[misc]


def _schema(app: App) -> str:
    app.check()
    return f"{app.engine.dialect.name}, schema up to date"


def _calendars(app: App) -> str:
    """Doubts about a calendar are told and break nothing today."""
    from aftersail.core.clocks import lint

    specs = app.packs.in_force(app.settings.pack, app.now()).calendars
    found = [f"{name}, {each}" for name, spec in specs.items() for each in lint(spec, app.now().date())]
    return "; ".join(found) or f"{len(specs)} calendars, nothing doubtful"


def _channel(app: App, name: str, *, accounts: bool) -> str:
    channel = app.channels.get(name)
    return (
        f"{channel.title}: {channel.check_account().title} works"
        if accounts
        else f"{channel.title}: settings are complete"
    )


def _row(what: str, check: Callable[[], str]) -> dict[str, object]:
    from aftersail.core.cli.session import clear_errors

    try:
        with clear_errors():
            return {"what": what, "ok": True, "detail": check()}
    except click.ClickException as error:
        return {"what": what, "ok": False, "detail": error.message}
