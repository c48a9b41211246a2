"""`aftersail`: the entry point. It imports nothing but click, so that help is there at once."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Final

import rich_click as click

from aftersail import __version__
from aftersail.core.cli.lazy import LazyGroup

_HERE: Final = "aftersail.core.cli"
_COMMANDS: Final = {
    "demo": (f"{_HERE}.demo", "demo", "Show the whole way of a message on local simulators; needs no account."),
    "init": (f"{_HERE}.setup", "init", "Write aftersail.yaml and the database, or bring them up to date."),
    "channel": (f"{_HERE}.channel", "channel", "Add, list, check, renew and remove channels."),
    "sync": (f"{_HERE}.run", "sync", "Sync channels once, with progress."),
    "run": (f"{_HERE}.run", "run", "Run the daemon: sync, clocks and remedies, day and night."),
    "inbox": (f"{_HERE}.ticket", "inbox", "List tickets, the most urgent first."),
    "ticket": (f"{_HERE}.ticket", "ticket", "Show, answer, grade, assign, merge and close tickets."),
    "refund": (f"{_HERE}.refund", "refund", "List and issue refunds; approve, reject or resolve the parked ones."),
    "return": (f"{_HERE}.returns", "returns", "Open returns and get their labels."),
    "appeal": (f"{_HERE}.appeal", "appeal", "Open, list, take and decide appeals, objections and mediations."),
    "policy": (f"{_HERE}.policy", "policy", "Check policy packs and explain decisions."),
    "triage": (f"{_HERE}.triage", "triage", "Show how agents corrected what triage found."),
    "plugins": (f"{_HERE}.plugins", "plugins", "List plugins, find out what is wrong with one, switch one off."),
    "jobs": (f"{_HERE}.jobs", "jobs", "List the daemon's work; retry or cancel a job."),
    "duty": (f"{_HERE}.duty", "duty", "Estimate duty and import tax, with the source of every rate."),
    "report": (f"{_HERE}.report", "report", "Figures of the desk, now or of a month."),
    "backup": (f"{_HERE}.backup", "backup", "Back the whole desk up into one file, while the daemon runs."),
    "restore": (f"{_HERE}.backup", "restore", "Put a backup back."),
    "db": (f"{_HERE}.db", "db", "Move the desk to another database."),
    "audit": (f"{_HERE}.audit", "audit", "List who did what; verify, seal and export the audit log."),
    "privacy": (f"{_HERE}.privacy", "privacy", "Export or erase a buyer; purge what is older than the settings say."),
    "doctor": (f"{_HERE}.doctor", "doctor", "Check everything: settings, database, plugins, channels, packs."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aftersail")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("aftersail.yaml"),
    envvar="AFTERSAIL_CONFIG",
    show_default=True,
    help="The settings file.",
)
@click.option("--no-plugins", is_flag=True, help="Leave every plugin alone.")
@click.pass_context
def cli(ctx: click.Context, config: Path, no_plugins: bool) -> None:
    """One after-sales desk for every marketplace: one SLA, one return policy, each remedy exactly once."""
    ctx.obj = {"config": config, "plugins": not no_plugins}


def main() -> None:
    """Run the command line; an error that has a name ends with one clear text and a non-zero code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # a terminal of one alphabet must not stop at the first letter of another
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=True)
    except ModuleNotFoundError as error:
        from aftersail.core.cli.extras import missing_extra

        text = missing_extra(error)
        if text is None:
            raise
        click.echo(f"Error: {text}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
