"""Adds up law, marketplace and the seller's offer: every answer is the best one for the buyer, with its source.

Inside one pack the most specific row that matches counts. Across packs the latest window end, the payer better for the
buyer and the earliest refund count. A row that nobody verified, or of which nobody can tell whether it matches, never
decides alone: where the answer hangs on it, there is none, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from aftersail.core.clocks import Target
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decision import RowTrace
from aftersail.core.policy.entitlement import Entitlement, RemedyChoice, Routes
from aftersail.core.policy.expressions import Outcome, View
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.filing import window_of
from aftersail.core.policy.matching import Matcher
from aftersail.core.policy.merging import Pick, Rows
from aftersail.core.policy.reasons import Right
from aftersail.core.policy.refunds_due import due_of
from aftersail.core.policy.rights import Choice, RemedyRow, RouteRow
from aftersail.core.policy.shares import liable_party, shares

_WINDOW_FACTS: Final = ("window.open", "window.ends_at", "window.days_left")
_RowT = TypeVar("_RowT", RouteRow, RemedyRow)


@dataclass(frozen=True)
class Entitled:
    """What came out, and what follows from it for the rest of the decision.

    Attributes:
        entitlement: None where nothing is claimed, or the pack has no rows about rights.
        targets: the refunds that are promised.
        facts: what rules may ask about the window.
        missing: why they may not.
        rows: makes the trace of every row.
        money: the arithmetic of every amount.
    """

    entitlement: Entitlement | None = None
    targets: tuple[Target, ...] = ()
    facts: dict[str, bool | int | datetime] | None = None
    missing: dict[str, str] | None = None
    rows: Callable[[], Sequence[RowTrace]] = tuple
    money: tuple[str, ...] = ()


def entitle(pack: Pack, facts: Facts, at: datetime, *, view: View, matcher: Matcher) -> Entitled:
    """Work out what the buyer is entitled to.

    Args:
        pack: the pack, with its parents' rows.
        facts: what is known.
        at: the instant of the decision.
        view: the facts as conditions see them.
        matcher: the same as the `when` of rows sees them.
    """
    if not pack.rights.any:
        return Entitled()
    claimed = facts.text("claim.right")
    if claimed is None:
        why = "nothing is claimed that a window is for: fact claim.right is missing"
        return Entitled(missing=dict.fromkeys(_WINDOW_FACTS, why))
    right = Right(claimed)
    rights = pack.rights.for_right(right)
    rows = Rows(matcher)
    window = window_of(pack, rows, view, facts, at, right)
    liable = liable_party(pack.rights, rows, facts)
    costs = shares(pack.rights, rows, facts, liable)
    due, targets = due_of(pack, rows, facts, window, right)
    entitlement = Entitlement(
        right=right,
        window=window,
        liable=liable,
        costs=costs,
        refund_due=due,
        routes=_routes(rows.picks("route", rights.routes, shown=pack.rights.routes), rows),
        remedies=_remedies(rows.picks("remedy", rights.remedies, shown=pack.rights.remedies), rows),
        warnings=_warnings(rows, at),
    )
    known, missing = _window_facts(entitlement)
    money = tuple(f"{share.component}: {share.why}" for share in costs if share.amount is not None and share.why)
    return Entitled(entitlement, targets, known, missing, rows.traces, money)


def _window_facts(entitlement: Entitlement) -> tuple[dict[str, bool | int | datetime], dict[str, str]]:
    window = entitlement.window
    if window is None:
        why = f"no row about windows speaks of a right of {entitlement.right.replace('_', ' ')}"
        return {}, dict.fromkeys(_WINDOW_FACTS, why)
    values = {"window.open": window.open, "window.ends_at": window.ends_at, "window.days_left": window.days_left}
    known = {name: value for name, value in values.items() if value is not None}
    return known, {name: window.why for name in values if name not in known}


def _warnings(rows: Rows, at: datetime) -> tuple[str, ...]:
    """Say what nobody has looked up for more than a year, and what nobody verified, once for each place."""
    found: dict[tuple[str, str], list[str]] = {}
    today = at.date()
    for seen in rows.seen:
        line = seen.line
        if line.entry is None or seen.finding.outcome is Outcome.FAILS:
            continue
        doubts = [f"nobody has looked it up since {line.entry.checked_on}"] if line.stale(today) else []
        doubts += [] if line.verified else ["nobody has verified it, so it decides nothing alone"]
        for doubt in doubts:
            place = f"{line.entry.page}, of {line.origin.pack_id}"
            found.setdefault((place, doubt), []).append(line.row.id)
    return tuple(
        f"{place} ({'row' if len(ids) == 1 else 'rows'} {', '.join(dict.fromkeys(ids))}): {doubt}"
        for (place, doubt), ids in found.items()
    )


def _routes(picks: Sequence[Pick[RouteRow]], rows: Rows) -> Routes | None:
    """Law first: its ways go before the others', and consent is needed where anybody asks for it."""
    sure = _sure(picks, rows)
    if not sure:
        return None
    ways = dict.fromkeys(kind for pick in sure for kind in pick.line.row.order)
    consent = any(pick.line.row.store_credit_needs_consent for pick in sure)
    return Routes(order=tuple(ways), store_credit_needs_consent=consent, ground=sure[0].line.ground)


def _remedies(picks: Sequence[Pick[RemedyRow]], rows: Rows) -> RemedyChoice | None:
    """The buyer's choice goes before the seller's; what others offer is offered beside it."""
    sure = sorted(_sure(picks, rows), key=lambda pick: pick.line.row.choice is not Choice.BUYER)
    if not sure:
        return None
    options = dict.fromkeys(option for pick in sure for option in pick.line.row.options)
    best = sure[0].line
    return RemedyChoice(choice=best.row.choice, options=tuple(options), ground=best.ground)


def _sure(picks: Sequence[Pick[_RowT]], rows: Rows) -> list[Pick[_RowT]]:
    for pick in picks:
        if not pick.decides:
            rows.note(pick.line, f"cannot decide: {pick.doubt}")
    return [pick for pick in picks if pick.decides]
