"""`aftersail demo`: the whole way of a message on local simulators, checked against their own ledgers."""

from __future__ import annotations

from pathlib import Path

import rich_click as click


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("aftersail-demo"),
    show_default=True,
    help="Where settings, database and log go; an earlier demo there is replaced.",
)
@click.option("--seconds", type=click.IntRange(5, 600), default=60, show_default=True, help="Give up after this long.")
@click.pass_context
def demo(ctx: click.Context, folder: Path, seconds: int) -> None:
    """Show the whole way of a message on local simulators; needs no account.

    Starts a real IMAP and a real SMTP server with a morning's buyer mail in six languages, a Shopify-like shop and a
    parcel tracker, runs the daemon against them through the installed plugins, and checks every figure it shows
    against what the simulators really received. Ends with code 1 if anything differs.
    """
    from aftersail.core.cli.demo.show import DemoError, run_demo

    try:
        agreed = run_demo(folder, seconds)
    except DemoError as error:
        raise click.ClickException(str(error)) from None
    if not agreed:
        ctx.exit(1)
