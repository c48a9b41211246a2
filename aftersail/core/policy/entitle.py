"""Adds up law, marketplace and the seller's offer: every answer is the best one for the buyer, with its source.

Inside one pack the most specific row that matches counts. Across packs the latest window end, the payer better for the
buyer and the earliest refund count. A row that nobody verified, or of which nobody can tell whether it matches, never
decides alone: where the answer hangs on it, there is none, and a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from aftersail.core.clocks import Target
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decision import RowTrace
from aftersail.core.policy.entitlement import Entitlement, RemedyChoice, Routes, Window
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


class Entitled:
    """What the buyer is entitled to: at once what the rest of the decision builds on, the whole when it is asked for.

    Where nothing is claimed, or the pack has no rows about rights, that is nothing.

    Args:
        window: whether the claim was filed in time; None where no row speaks of that.
        targets: the refunds that are promised.
        facts: what rules may ask about the window.
        missing: why they may not.
    """

    def __init__(
        self,
        window: Window | None,
        targets: tuple[Target, ...],
        facts: Mapping[str, bool | int | datetime],
        missing: Mapping[str, str],
    ) -> None:
        self.window = window
        self.targets = targets
        self.facts = facts
        self.missing = missing

    def entitlement(self) -> tuple[Entitlement | None, tuple[str, ...]]:
        """Return everything the rows about rights come to, and the arithmetic of every amount."""
        return None, ()

    def rows(self) -> Sequence[RowTrace]:
        """Make the trace of every row, once the entitlement is known."""
        return ()


def entitle(pack: Pack, facts: Facts, at: datetime, *, view: View, matcher: Matcher) -> Entitled:
    """Work out what the buyer is entitled to.

    Args:
        pack: the pack, with its parents' rows.
        facts: what is known.
        at: the instant of the decision.
        view: the facts as conditions see them.
        matcher: the same as the `when` of rows sees them.
    """
    if not pack.rights:
        return Entitled(None, (), {}, {})
    claimed = facts.text("claim.right")
    if claimed is None:
        why = "nothing is claimed that a window is for: fact claim.right is missing"
        return Entitled(None, (), {}, dict.fromkeys(_WINDOW_FACTS, why))
    return _Claimed(pack, facts, at, Right(claimed), view, Rows(matcher))


class _Claimed(Entitled):
    """What follows from a claim."""

    def __init__(self, pack: Pack, facts: Facts, at: datetime, right: Right, view: View, rows: Rows) -> None:
        self._all, self._rights = pack.rights, pack.rights.for_right(right)
        self._given, self._at, self._right, self._rows = facts, at, right, rows
        window = window_of(pack, rows, view, facts, at, right)
        self._due, targets = due_of(pack, rows, facts, window, right)
        super().__init__(window, targets, *_window_facts(window, right))

    def entitlement(self) -> tuple[Entitlement, tuple[str, ...]]:
        rows, rights = self._rows, self._rights
        liable = liable_party(rights, rows, self._given)
        costs = shares(rights, rows, self._given, liable)
        entitlement = Entitlement(
            right=self._right,
            window=self.window,
            liable=liable,
            costs=costs,
            refund_due=self._due,
            routes=_routes(rows.picks("route", rights.routes, shown=self._all.routes), rows),
            remedies=_remedies(rows.picks("remedy", rights.remedies, shown=self._all.remedies), rows),
            warnings=_warnings(rows, self._at),
        )
        money = tuple(f"{share.component}: {share.why}" for share in costs if share.amount is not None and share.why)
        return entitlement, money

    def rows(self) -> Sequence[RowTrace]:
        return self._rows.traces()


def _window_facts(window: Window | None, right: Right) -> tuple[dict[str, bool | int | datetime], dict[str, str]]:
    if window is None:
        why = f"no row about windows speaks of a right of {right.replace('_', ' ')}"
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
