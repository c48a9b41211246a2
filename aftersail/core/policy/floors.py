"""Refuses a seller's row that goes below what a law or a marketplace demands where both apply.

A decision would give the buyer the better of the two anyway. But a seller who writes 7 days where the law says 14
believes something that is not so, and should know before a buyer does. A row that says `yields: true` knows it.
Rows that nobody verified demand nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from aftersail.core.clocks import Basis, SourceKind
from aftersail.core.policy.constraints import Allowed, Asked, apart, asked_of
from aftersail.core.policy.document import Document, Path
from aftersail.core.policy.expressions import AllOf, Always, AnyOf, Ask, Condition
from aftersail.core.policy.extent import binding, extent_of
from aftersail.core.policy.lines import Line, Rights
from aftersail.core.policy.problems import Problem
from aftersail.core.policy.rights import (
    Choice,
    CostRow,
    DueStart,
    ExceptionRow,
    Hold,
    LiabilityRow,
    Party,
    RefundDueRow,
    RemedyRow,
    RouteKind,
    RouteRow,
    Start,
    WindowRow,
)

_STARTS: Final = tuple(Start)
_DUE_STARTS: Final = tuple(DueStart)
_HOLDS: Final = tuple(Hold)

Finding = tuple[str, str, str]
"""The key that is wrong, what is wrong, and what mends it."""


def floor_check(document: Document, own: Rights, parents: Rights) -> list[Problem]:
    """Find the rows of a seller's pack that go below its parents'.

    Args:
        document: the seller's file, where problems are shown.
        own: the file's own rows.
        parents: those of the packs it extends.
    """
    return list(
        _compared(
            document,
            own,
            parents,
            {
                "windows": _window,
                "liability": _liability,
                "costs": _cost,
                "refund_due": _refund_due,
                "routes": _route,
                "remedies": _remedy,
            },
        )
    ) + list(_exceptions(document, own, parents))


def _compared(
    document: Document, own: Rights, parents: Rights, checks: dict[str, Callable[[Any, Any], Finding | None]]
) -> Iterator[Problem]:
    for section, below in checks.items():
        demanded = _demands(getattr(parents, section))
        for at, line in enumerate(getattr(own, section)):
            if line.origin.kind is not SourceKind.OWN or line.row.yields:
                continue
            for demand in binding(line, demanded):
                found = below(line.row, demand.row)
                if found is not None:
                    key, wrong, fix = found
                    yield _problem(document, (section, at, key), line, demand, wrong, fix)
                    break


def _demands(lines: Sequence[Line[Any]]) -> list[Line[Any]]:
    return [line for line in lines if line.origin.kind is not SourceKind.OWN and line.verified]


def _problem(document: Document, path: Path, line: Line[Any], demand: Line[Any], wrong: str, fix: str) -> Problem:
    where = ", ".join((demand.origin.applies.countries or demand.origin.applies.connectors or ())[:3])
    elsewhere = f", say where else it is for (`when`; this binds {where})" if where else ""
    message = f"`{line.row.id}` {wrong}: {demand.cited} ({demand.where})"
    return document.problem(path, message, f"{fix}{elsewhere}, or add yields: true")


def _window(own: WindowRow, law: WindowRow) -> Finding | None:
    if law.unlimited:
        return None if own.unlimited else ("days", "ends, where it must not", "write unlimited: true")
    if own.unlimited:
        return None
    given, asked = _counted(own), _counted(law)
    sooner = _STARTS.index(own.start) - _STARTS.index(law.start)
    if given < asked and sooner <= 0:
        return "days", f"gives {given} days where {asked} are due", f"write days: {asked + own.count_start_day}"
    if given == asked and sooner < 0:
        return "start", f"counts from {own.start} where {law.start} is due", f"write start: {law.start}"
    return None


def _counted(row: WindowRow) -> int:
    """The days after that of the event."""
    return (row.days or 0) - row.count_start_day


def _liability(own: LiabilityRow, law: LiabilityRow) -> Finding | None:
    if own.party is Party.BUYER and law.party is not Party.BUYER:
        return "party", f"makes the buyer liable where the {law.party} is", f"write party: {law.party}"
    return None


def _cost(own: CostRow, law: CostRow) -> Finding | None:
    if not own.by_buyer:
        return None
    if not law.by_buyer:
        what = "keeps a fee back" if own.percent else f"lets the buyer pay for {own.component.replace('_', ' ')}"
        fix = "take the row away" if own.percent else f"write payer: {law.payer}"
        return "percent" if own.percent else "payer", f"{what} where the {law.payer} bears it", fix
    if own.percent and law.percent and own.percent > law.percent:
        share = f"{law.percent.normalize():f}"
        return "percent", f"keeps back more than {share} %", f"write percent: {share}"
    return None


def _refund_due(own: RefundDueRow, law: RefundDueRow) -> Finding | None:
    if _DUE_STARTS.index(own.start) < _DUE_STARTS.index(law.start):
        return None
    if own.start is law.start and _HOLDS.index(own.hold_until) > _HOLDS.index(law.hold_until):
        return "hold_until", f"waits for {own.hold_until} where {law.hold_until} is due", f"write {law.hold_until}"
    if _certainly_longer(own, law):
        length = f"{law.duration.days}d" if law.duration.days else f"{law.duration // timedelta(hours=1)}h"
        return "duration", f"pays back later than within {length}", f"write duration: {length}"
    if own.start is not law.start and law.hold_until is Hold.NONE and own.duration >= law.duration:
        return "start", f"counts from {own.start} where {law.start} is due", f"write start: {law.start}"
    return None


def _certainly_longer(own: RefundDueRow, law: RefundDueRow) -> bool:
    """Business time is at least as long as the same time elapsed; the other way round nobody can tell here."""
    business = {Basis.BUSINESS_DAYS, Basis.BUSINESS_TIME}
    return own.duration > law.duration and (own.basis in business or law.basis not in business)


def _route(own: RouteRow, law: RouteRow) -> Finding | None:
    if own.order[0] is not law.order[0]:
        return "order", f"pays back by {own.order[0]} first where {law.order[0]} is due", f"begin with {law.order[0]}"
    credit = RouteKind.STORE_CREDIT in own.order and law.store_credit_needs_consent
    if credit and not own.store_credit_needs_consent:
        return "order", "gives store credit without consent", "write store_credit_needs_consent: true"
    return None


def _remedy(own: RemedyRow, law: RemedyRow) -> Finding | None:
    if own.choice is Choice.MERCHANT and law.choice is Choice.BUYER:
        return "choice", "leaves the choice to the seller where it is the buyer's", "write choice: buyer"
    return None


def _exceptions(document: Document, own: Rights, parents: Rights) -> Iterator[Problem]:
    """An exception of the seller's must be one that every law and marketplace with that right knows."""
    for at, line in enumerate(own.exceptions):
        if line.origin.kind is not SourceKind.OWN or line.row.yields:
            continue
        for window in _demands([one for one in parents.windows if one.row.right is line.row.right]):
            known = [one for one in parents.exceptions if _same_right(one, window, line.row)]
            if apart(asked_of(line.condition), _bound(window)):
                continue
            if not any(implies(line.condition, one.condition) for one in known):
                names = ", ".join(one.row.id for one in known) or "none"
                wrong = f"takes a right away that is not lost there (exceptions there: {names})"
                fix = "repeat the condition of one of them, with && for what narrows it"
                yield _problem(document, ("exceptions", at, "when"), line, window, wrong, fix)
                break


def _bound(line: Line[WindowRow]) -> Asked:
    """Whom the row is for, as a condition would ask it."""
    keys = {"country": "order.country", "region": "order.region", "connector": "ticket.connector"}
    extent = extent_of(line) or {}
    words = {fact: extent[key] for key, fact in keys.items() if key in extent}
    return Asked(
        {fact: Allowed(words=one) for fact, one in words.items() if isinstance(one, frozenset)}, complete=False
    )


def _same_right(one: Line[ExceptionRow], window: Line[WindowRow], row: ExceptionRow) -> bool:
    return one.origin.layer == window.origin.layer and one.row.right is row.right


def implies(narrow: Condition, wide: Condition) -> bool:
    """Tell whether the one surely holds only where the other does, as far as the words tell."""
    if isinstance(narrow, AnyOf):
        return all(implies(part, wide) for part in narrow.parts)
    if isinstance(wide, AnyOf):
        return any(implies(narrow, part) for part in wide.parts)
    if isinstance(wide, AllOf):
        return all(implies(narrow, part) for part in wide.parts)
    if isinstance(narrow, AllOf):
        return any(implies(part, wide) for part in narrow.parts)
    if isinstance(narrow, Ask) and isinstance(wide, Ask):
        return "".join(narrow.text.split()) == "".join(wide.text.split())
    return isinstance(wide, Always) or narrow == wide
