"""`aftersail plugins`: works with the base install, and when a plugin is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_rows

if TYPE_CHECKING:
    from aftersail.core.host import Host

_COLUMNS: Final = {
    "name": "Plugin",
    "distribution": "Distribution",
    "state": "State",
    "kinds": "Connectors",
    "wraps": "Wraps",
}
_DOCTOR: Final = {"name": "Plugin", "distribution": "Distribution", "state": "State", "cause": "Cause", "fix": "Fix"}


@click.group()
def plugins() -> None:
    """List plugins, find out what is wrong with one, switch one off."""


@plugins.command("list")
@json_option
@click.pass_context
def list_plugins(ctx: click.Context, as_json: bool) -> None:
    """List installed plugins and what they bring."""
    from dataclasses import asdict

    rows = [asdict(report) for report in _host(ctx).reports]
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no plugins; pip install aftersail-email", wide="Cause")


@plugins.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what is wrong with each plugin, and the fix; exit code 1 if anything is."""
    from dataclasses import asdict

    from aftersail.core.host import PluginState

    reports = _host(ctx).reports
    rows = [asdict(report) for report in reports]
    print_rows(rows, _DOCTOR, as_json=as_json, empty="no plugins; pip install aftersail-email", wide="Cause")
    if any(report.state is PluginState.FAILED for report in reports):
        ctx.exit(1)


@plugins.command()
@click.argument("name")
@click.pass_context
def disable(ctx: click.Context, name: str) -> None:
    """Leave a plugin alone from now on."""
    _switch(ctx, name, on=False)


@plugins.command()
@click.argument("name")
@click.pass_context
def enable(ctx: click.Context, name: str) -> None:
    """Load a plugin again."""
    _switch(ctx, name, on=True)


def _switch(ctx: click.Context, name: str, *, on: bool) -> None:
    from aftersail.core.host.files import FileFormatError
    from aftersail.core.host.plugins import discover
    from aftersail.core.host.switch import switch_plugin

    known = {candidate.name for candidate in discover()}
    if name not in known:
        raise click.ClickException(f"no plugin is called {name!r}; installed are: {', '.join(sorted(known)) or 'none'}")
    try:
        changed = switch_plugin(ctx.obj["config"], name, on=on)
    except FileFormatError as error:
        raise click.ClickException(str(error)) from None
    state = "enabled" if on else "disabled"
    click.echo(f"{name} is {state}" if changed else f"{name} was {state} before")


def _host(ctx: click.Context) -> Host:
    import structlog

    from aftersail.core.host import Host
    from aftersail.core.host.files import FileFormatError
    from aftersail.core.host.switch import disabled_plugins

    # The reports say it better, and stdout may be read by a script.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        return Host(None if ctx.obj["plugins"] else (), disabled=disabled_plugins(ctx.obj["config"]))
    except FileFormatError as error:
        raise click.ClickException(str(error)) from None
