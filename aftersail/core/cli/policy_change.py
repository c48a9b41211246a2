"""`aftersail policy simulate`, `activate` and `rollback`: what a draft would change, and putting it in force."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from aftersail.core.cli.instants import instant_of
from aftersail.core.cli.output import json_option, print_json, visible

if TYPE_CHECKING:
    from aftersail.core.desk.activation import Proposal
    from aftersail.core.policy.loader import Draft
    from aftersail.core.policy.simulation import Simulation
    from aftersail.core.runtime.app import App

_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_SINCE: Final = "90d"


@click.command()
@click.argument("draft")
@click.option("--since", default=_SINCE, show_default=True, help="Filed since: 90d, 2026-08-01, or a date with time.")
@click.option("--until", help="Filed before: likewise; now, unless given.")
@click.option("--examples", type=click.IntRange(0, 100), default=3, show_default=True, help="Tickets to name per kind.")
@json_option
@click.pass_context
def simulate(ctx: click.Context, draft: str, since: str, until: str | None, examples: int, as_json: bool) -> None:
    """Play stored history through DRAFT, a FILE or an id@version; nothing is written.

    Shows which decisions, refunds and deadlines would have come out otherwise, with the numbers of some tickets.
    """
    from aftersail.core.cli.policy_text import simulation_text
    from aftersail.core.cli.session import open_app

    with open_app(ctx) as app:
        now = app.now()
        end = instant_of(until, now, "--until") if until else now
        found = _simulated(
            app, draft_of(app, draft), instant_of(since, now, "--since"), end, examples=examples, quiet=as_json
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        click.echo(visible(simulation_text(found)))


@click.command()
@click.argument("pack")
@click.option("--from", "begin", help="Begin then instead: now, 2026-12-01, or a date with time.")
@click.option("--since", default=_SINCE, show_default=True, help="Simulate with what was filed since.")
@_YES
@click.pass_context
def activate(ctx: click.Context, pack: str, begin: str | None, since: str, yes: bool) -> None:
    """Put PACK in force, a FILE or an id@version, after showing what it changes.

    The file is copied into your folder of packs. What was filed before it begins is judged as before, for good.
    """
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.activation import from_now, propose_file, propose_version

    with open_app(ctx) as app:
        now = app.now()
        wanted = None if begin is None else from_now(now) if begin == "now" else instant_of(begin, now, "--from")
        path = Path(pack)
        if path.is_file():
            proposal = propose_file(app.packs, path, wanted)
        elif wanted is not None:
            raise click.BadParameter("it goes with a FILE; an older id@version begins now", param_hint="--from")
        else:
            proposal = propose_version(app.packs, *_version(app, pack), now)
        _confirmed(app, proposal, instant_of(since, now, "--since"), yes=yes)


@click.command()
@click.argument("pack", required=False)
@click.option("--since", default=_SINCE, show_default=True, help="Simulate with what was filed since.")
@_YES
@click.pass_context
def rollback(ctx: click.Context, pack: str | None, since: str, yes: bool) -> None:
    """Put what was in force before back in force, as a new version from now on; PACK is an id, else the one in use.

    Nothing that was decided meanwhile is decided again.
    """
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.activation import propose_rollback

    with open_app(ctx) as app:
        now = app.now()
        _confirmed(
            app, propose_rollback(app.packs, pack or app.settings.pack, now), instant_of(since, now, "--since"), yes=yes
        )


def draft_of(app: App, name: str) -> Draft:
    """Find a pack by a file, an id@version, or an id for the version in force now.

    Raises:
        PackError: the file is wrong.
        PackNotFoundError: there is no such pack or version.
    """
    from aftersail.core.policy.loader import read_draft, read_file

    path = Path(name)
    if path.is_file() or path.suffix in {".yaml", ".yml"}:
        return read_draft(read_file(path), name)
    if "@" in name:
        return app.packs.draft(*_version(app, name))
    return app.packs.draft(name, app.packs.in_force(name, app.now()).version)


def _version(app: App, name: str) -> tuple[str, int]:
    pack_id, _, version = name.partition("@")
    if not version.isdecimal():
        known = ", ".join(str(number) for number in app.packs.versions(pack_id))
        raise click.BadParameter(f"{name!r} names no file and no version; write {pack_id}@VERSION, of {known}")
    return pack_id, int(version)


def _confirmed(app: App, proposal: Proposal, since: datetime, *, yes: bool) -> None:
    """Show what changes, ask, and put the version in force."""
    from aftersail.core.cli.policy import results_of
    from aftersail.core.cli.policy_text import simulation_text
    from aftersail.core.cli.session import actor
    from aftersail.core.desk.activation import ActivationError
    from aftersail.core.desk.activation import activate as put_in_force
    from aftersail.core.store.unit import unit_of_work

    wrong = [result for result in results_of(app, proposal.draft) if not result.holds]
    if wrong:
        problems = "\n".join(str(problem) for result in wrong for problem in result.problems)
        raise ActivationError(f"{len(wrong)} of the pack's own examples do not hold:\n{problems}")
    click.echo(
        visible(str(proposal.differs) if proposal.differs else f"{proposal.name} is the first version of its pack")
    )
    click.echo(visible(simulation_text(_simulated(app, proposal.draft, since, app.now(), examples=1, quiet=False))))
    begin = proposal.pack.effective_from
    click.echo(f"{proposal.name} judges what is filed from {begin:%Y-%m-%d %H:%M:%S} UTC on.")
    if proposal.pack.id != app.settings.pack:
        click.echo(
            f"The pack in use is {app.settings.pack}; write `pack: {proposal.pack.id}` into the settings to use it."
        )
    if not yes:
        click.confirm("Put it in force?", abort=True)
    with unit_of_work(app.engine, app.now(), app.host.notify) as unit:
        written = put_in_force(unit, app.settings.packs, proposal, actor())
    click.echo(f"wrote {written}" if written else f"{proposal.name} was there already, and is written down now")


def _simulated(app: App, draft: Draft, since: datetime, until: datetime, *, examples: int, quiet: bool) -> Simulation:
    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.desk.history_workers import DraftSource, simulate_long_history

    source = DraftSource.of(app.pack_folders, draft)
    with counted_progress("requests played", quiet=quiet) as progress:
        return simulate_long_history(app.engine, source, since=since, until=until, examples=examples, progress=progress)
