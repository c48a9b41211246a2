"""`aftersail init`."""

from __future__ import annotations

from typing import Final

import rich_click as click

_TEMPLATE: Final = """\
# aftersail's settings. Secrets never stand here: `aftersail channel add` keeps them encrypted beside this file.

# sqlite:///file.db, or postgresql://user@host/name (put the password into AFTERSAIL_DATABASE).
database: sqlite:///aftersail.db

# The policy pack in use; `aftersail policy list` names them all.
pack: starter

# Folder with packs of your own.
# packs: packs

# `aftersail channel add email` and `aftersail channel add shopify` fill this in.
channels: {}
"""


@click.command()
@click.pass_context
def init(ctx: click.Context) -> None:
    """Write aftersail.yaml and the database, or bring an existing database up to date."""
    from aftersail.core.cli.session import clear_errors, open_app
    from aftersail.core.store.migrate import newest

    path = ctx.obj["config"]
    if path.exists():
        click.echo(f"{path} is there already: left as it is")
    else:
        with clear_errors():
            path.write_text(_TEMPLATE, encoding="utf-8")
        click.echo(f"wrote {path}")
    with open_app(ctx, check_schema=False) as app:
        app.migrate()
        click.echo(f"the database is at revision {newest()}: {app.engine.url.render_as_string(hide_password=True)}")
    click.echo("next: aftersail channel add email")
