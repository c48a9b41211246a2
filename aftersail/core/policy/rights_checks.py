"""What must fit together among a pack's rows about rights, before they are held against law and marketplace."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aftersail.core.clocks import Basis, SourceKind
from aftersail.core.clocks.targets import DAY_BASES
from aftersail.core.policy.document import Document, Path
from aftersail.core.policy.expressions import facts_of
from aftersail.core.policy.facts import CATALOGUE, DERIVED
from aftersail.core.policy.lines import SECTIONS, Rights
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.problems import Problem, meant
from aftersail.core.policy.reasons import Reason
from aftersail.core.policy.rights import RightsRow
from aftersail.core.policy.scope import TargetWhen


def rights_check(document: Document, own: PackFile, merged: PackFile, own_rights: Rights) -> list[Problem]:
    """Find what is wrong with the rows themselves.

    Args:
        document: the file, where problems are shown.
        own: what the file itself says.
        merged: the same with its parents' rows.
        own_rights: the file's own rows, their conditions compiled.
    """
    return [
        *_source_problems(document, own),
        *_tier_problems(document, own, merged),
        *_window_problems(document, own, merged),
        *_exception_problems(document, own_rights),
        *_liability_problems(document, own),
        *_due_problems(document, own, merged),
    ]


def _rows(own: PackFile) -> Iterable[tuple[Path, RightsRow]]:
    for section in SECTIONS:
        for at, row in enumerate(getattr(own, section)):
            yield (section, at), row


def _source_problems(document: Document, own: PackFile) -> Iterable[Problem]:
    bound = own.kind is not SourceKind.OWN
    named: list[tuple[Path, str | None]] = [(path, row.source) for path, row in _rows(own)]
    named += [(("targets", at), row.source.entry or None) for at, row in enumerate(own.targets)]
    for path, source in named:
        if source is None and bound:
            fix = f"add source: {next(iter(own.sources), 'art9')}, and say under `sources` where it was read"
            yield document.problem(path, f"a row of a {own.kind} pack names its source", fix)
        elif source is not None and source not in own.sources:
            yield document.problem(
                (*path, "source"), f"no source is called {source}", meant(source, own.sources, "sources")
            )
    for section in ("rules", "tiers"):
        if bound and getattr(own, section):
            fix = "move them to the seller's pack"
            yield document.problem((section,), f"a {own.kind} pack decides nothing by {section}", fix, at_key=True)
    if not bound and any(value is not None for _, value in own.applies):
        fix = "write kind: law or kind: marketplace; a seller's rows have a `when` each"
        yield document.problem(("applies",), "only a law or a marketplace binds whom it applies to", fix, at_key=True)


def _tier_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    tiers = {row.tier for row in merged.tiers}
    for path, row in _rows(own):
        when = getattr(row, "when", None)
        for tier in (when.tier or ()) if isinstance(when, TargetWhen) else ():
            if tier not in tiers:
                yield document.problem(
                    (*path, "when", "tier"), f"no tier is called {tier}", meant(tier, tiers, "tiers")
                )


def _window_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    for at, row in enumerate(own.windows):
        path: Path = ("windows", at)
        if row.roll_over and row.calendar is None:
            fix = f"add calendar: {next(iter(merged.calendars), 'eu')}"
            yield document.problem(path, "an end that rolls over needs a calendar of working days", fix)
        yield from _calendar_problem(document, path, row.calendar, merged)
        if row.timezone and not _is_zone(row.timezone):
            fix = "write a name such as Europe/Berlin"
            yield document.problem((*path, "timezone"), f"no time zone is called {row.timezone}", fix)
        if row.estimate and row.estimate.start is row.start:
            message = f"{row.start} is estimated from itself"
            yield document.problem((*path, "estimate"), message, "name an event that is known earlier")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _calendar_problem(document: Document, path: Path, calendar: str | None, merged: PackFile) -> Iterable[Problem]:
    if calendar is not None and calendar not in merged.calendars:
        fix = meant(calendar, merged.calendars, "calendars")
        yield document.problem((*path, "calendar"), f"no calendar is called {calendar}", fix)


def _exception_problems(document: Document, own_rights: Rights) -> Iterable[Problem]:
    for at, line in enumerate(own_rights.exceptions):
        path: Path = ("exceptions", at)
        for number, name in enumerate(line.row.needs):
            if name not in CATALOGUE or name in DERIVED:
                fix = meant(name, CATALOGUE.keys() - DERIVED, "facts")
                yield document.problem((*path, "needs", number), f"no such fact: {name}", fix)
        for name in sorted(facts_of(line.condition) & DERIVED):
            message = f"{name} is worked out from windows and exceptions, so an exception cannot ask for it"
            yield document.problem((*path, "when"), message, "only rules can")


def _liability_problems(document: Document, own: PackFile) -> Iterable[Problem]:
    """Every reason has exactly one liable party; a law may leave some to others, a seller's table may not."""
    everyone: set[Reason] = set()
    seen: dict[tuple[Reason, TargetWhen], str] = {}
    for at, row in enumerate(own.liability):
        if not row.when.keys():
            everyone.update(row.reasons)
        for reason in row.reasons:
            other = seen.setdefault((reason, row.when), row.id)
            if other != row.id or row.reasons.count(reason) > 1:
                message = f"{reason} has a liable party already, in row {other}"
                yield document.problem(("liability", at, "reasons"), message, "each reason has one: take it away here")
    lacking = [reason.value for reason in Reason if reason not in everyone]
    if own.liability and own.kind is SourceKind.OWN and lacking:
        fix = f"add a row without `when`, such as {{id: others, reasons: [{', '.join(lacking)}], party: buyer}}"
        yield document.problem(("liability",), f"nobody is liable for {', '.join(lacking)}", fix, at_key=True)


def _due_problems(document: Document, own: PackFile, merged: PackFile) -> Iterable[Problem]:
    for at, row in enumerate(own.refund_due):
        path: Path = ("refund_due", at)
        if row.calendar is None and row.basis is not Basis.ELAPSED:
            fix = f"add calendar: {next(iter(merged.calendars), 'eu')}"
            yield document.problem(path, f"{row.basis} needs a calendar", fix)
        yield from _calendar_problem(document, path, row.calendar, merged)
        if row.basis in DAY_BASES and row.duration.seconds:
            message = f"{row.basis} counts whole days"
            yield document.problem((*path, "duration"), message, "write 14d, or use business_time for hours")
