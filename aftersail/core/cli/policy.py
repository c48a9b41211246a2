"""`aftersail policy`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from aftersail.core.cli.output import json_option, print_json, print_rows, visible
from aftersail.core.cli.policy_change import activate, rollback, simulate

if TYPE_CHECKING:
    from aftersail.core.policy.examples import ExampleResult
    from aftersail.core.policy.loader import Draft
    from aftersail.core.runtime.app import App

_COLUMNS: Final = {
    "id": "Pack",
    "version": "Version",
    "effective_from": "In force from",
    "title": "Title",
    "used": "In use",
    "in_force": "In force now",
    "activated_at": "Activated",
    "activated_by": "By",
    "note": "Note",
}


@click.group()
def policy() -> None:
    """Check, compare and simulate policy packs, put them in force, and explain decisions."""


for _command in (simulate, activate, rollback):
    policy.add_command(_command)


@policy.command("list")
@json_option
@click.pass_context
def list_packs(ctx: click.Context, as_json: bool) -> None:
    """List every version of every pack: shipped, of plugins, and your own; which is in force, and who activated it."""
    from aftersail.core.cli.session import open_app

    with open_app(ctx, check_schema=False) as app:
        rows = _rows(app)
    # Without a note there is nothing for people to read in that column.
    columns = {key: title for key, title in _COLUMNS.items() if key != "note" or any(row["note"] for row in rows)}
    print_rows(rows, columns, as_json=as_json, empty="no packs")


def _rows(app: App) -> list[dict[str, object]]:
    from aftersail.core.desk.activation import activations
    from aftersail.core.policy import PackNotFoundError
    from aftersail.core.policy.compiled import content_hash
    from aftersail.core.store.engine import reading
    from aftersail.core.store.migrate import SchemaError

    try:
        app.check()
        with reading(app.engine).connect() as conn:
            known = activations(conn)
    except SchemaError:
        known = {}
    rows = []
    for pack_id in app.packs.ids():
        try:
            now = app.packs.in_force(pack_id, app.now()).version
        except PackNotFoundError:
            now = None
        for version in app.packs.versions(pack_id):
            content = app.packs.draft(pack_id, version).content
            activated = known.get((pack_id, version))
            edited = activated is not None and activated.hash != content_hash(content)
            rows.append(
                {
                    "id": pack_id,
                    "version": version,
                    "effective_from": content.effective_from,
                    "title": content.title,
                    "used": pack_id == app.settings.pack,
                    "in_force": version == now,
                    "activated_at": activated.activated_at if activated else None,
                    "activated_by": activated.activated_by if activated else None,
                    "note": "its file was changed after it was activated" if edited else "",
                }
            )
    return rows


@policy.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Refuse what is only doubtful too.")
@json_option
@click.pass_context
def check(ctx: click.Context, path: Path, strict: bool, as_json: bool) -> None:
    """Check a pack file, or a folder of packs: file, line, column and the fix; exit code 1 if anything is wrong.

    What is only doubtful, such as holidays that are missing for next year, is told as a warning: a desk that runs must
    not stop for it at the turn of the year. With --strict it is refused.
    """
    from aftersail.core.packs import FOLDER
    from aftersail.core.policy import calendar_warnings
    from aftersail.core.policy import check as check_pack
    from aftersail.core.runtime.app import utc_now

    problems = check_pack(path, among=[FOLDER])
    warnings = calendar_warnings(path, utc_now().date())
    if as_json:
        told = [(problem, False) for problem in problems] + [(warning, True) for warning in warnings]
        print_json([problem.model_dump(mode="json") | {"warning": warning} for problem, warning in told])
    else:
        for problem in problems:
            click.echo(str(problem))
        for warning in warnings:
            click.echo(f"warning: {warning}")
        click.echo(f"{len(problems)} problems" if problems else f"{path} is right")
    if problems or (strict and warnings):
        ctx.exit(1)


@policy.command()
@click.argument("number", type=int)
@json_option
@click.pass_context
def explain(ctx: click.Context, number: int, as_json: bool) -> None:
    """Explain the newest decision on ticket NUMBER: facts, rows that matched or did not and why, money, clocks."""
    from aftersail.core.cli.session import open_app
    from aftersail.core.desk.views import clock_arithmetic, newest_decision
    from aftersail.core.policy import explain as explain_decision
    from aftersail.core.store.engine import reading

    with open_app(ctx) as app, reading(app.engine).connect() as conn:
        decision = newest_decision(conn, number)
        clocks = clock_arithmetic(conn, app.services, number, app.now())
    if as_json:
        print_json(decision.model_dump(mode="json") | {"clocks": clocks})
    else:
        click.echo(visible(explain_decision(decision, clocks)))


@policy.command()
@click.argument("before")
@click.argument("after")
@json_option
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, as_json: bool) -> None:
    """Say in words what differs between two packs, each a FILE, an id@version, or an id for what is in force now."""
    from aftersail.core.cli.policy_change import draft_of
    from aftersail.core.cli.session import open_app
    from aftersail.core.policy.diff import diff as compare

    with open_app(ctx, check_schema=False) as app:
        packs = [app.packs.build(draft_of(app, name)) for name in (before, after)]
        found = compare(*packs)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        click.echo(visible(str(found)))


@policy.command()
@click.argument("pack", required=False)
@json_option
@click.pass_context
def test(ctx: click.Context, pack: str | None, as_json: bool) -> None:
    """Run the examples of a pack: a FILE, an id@version or an id; without PACK, of the newest version in use.

    Examples stand under `examples` in the pack, or in NAME.examples.yaml beside it. Exit code 1 if one does not hold.
    """
    from aftersail.core.cli.policy_change import draft_of
    from aftersail.core.cli.session import open_app

    with open_app(ctx, check_schema=False) as app:
        newest = f"{app.settings.pack}@{app.packs.latest(app.settings.pack).version}"
        draft = draft_of(app, pack or newest)
        results = results_of(app, draft)
    if as_json:
        print_json([result.model_dump(mode="json") | {"holds": result.holds} for result in results])
    else:
        _print_results(results, f"{draft.content.id}@{draft.content.version}")
    if not results or not all(result.holds for result in results):
        ctx.exit(1)


def results_of(app: App, draft: Draft) -> list[ExampleResult]:
    """Run every example of a pack."""
    from aftersail.core.policy.examples import read_examples, run_examples

    built = app.packs.build(draft)
    return [result for examples in read_examples(draft) for result in run_examples(built, examples)]


def _print_results(results: list[ExampleResult], name: str) -> None:
    for result in results:
        click.echo(visible(f"{'holds ' if result.holds else 'WRONG '} {result.name} ({result.where})"))
        for problem in result.problems:
            click.echo(visible(str(problem)))
    wrong = sum(not result.holds for result in results)
    if not results:
        click.echo(f"{name} has no examples; write some under `examples`, or into NAME.examples.yaml beside it")
    else:
        click.echo(f"{wrong} of {len(results)} examples are wrong" if wrong else f"all {len(results)} examples hold")


@policy.command()
@json_option
@click.pass_context
def recompute(ctx: click.Context, as_json: bool) -> None:
    """Count all running clocks again with today's opening hours: after a holiday or other hours were added to the pack.

    It may run beside the daemon. Each ticket's history shows what was due before and is due now.
    """
    from aftersail.core.cli.progress import counted_progress
    from aftersail.core.cli.session import actor, open_app
    from aftersail.core.desk.recompute import recompute_clocks

    with open_app(ctx) as app, counted_progress("tickets", quiet=as_json) as show:
        report = recompute_clocks(
            app.engine, app.services, app.now, actor=actor(), progress=lambda so_far: show(so_far.done, so_far.tickets)
        )
    if as_json:
        print_json(asdict(report))
        return
    click.echo(f"{report.clocks} clocks of {report.tickets} tickets looked at, {report.moved} are due at another time")
    if report.busy:
        click.echo(f"{report.busy} tickets kept changing meanwhile; run it again for them")
