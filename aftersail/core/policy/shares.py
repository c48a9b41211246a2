"""Who answers for the matter, and who pays each component of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from aftersail.core.contract import Money
from aftersail.core.policy.entitlement import Liability, Share
from aftersail.core.policy.expressions import ClauseResult, Finding, Outcome
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.lines import Line, Rights
from aftersail.core.policy.merging import Pick, Rows
from aftersail.core.policy.rights import Component, CostRow, LiabilityRow, Party

_RowT = TypeVar("_RowT", LiabilityRow, CostRow)
_AMOUNT_OF: Final = {
    Component.ITEM: "claim.amount",
    Component.OUTBOUND_STANDARD: "cost.outbound_standard",
    Component.OUTBOUND_EXPRESS: "cost.outbound_express",
    Component.RETURN_FREIGHT: "cost.return_freight",
    Component.DUTY: "cost.duty",
    Component.TAX: "cost.tax",
}


def liable_party(rights: Rights, rows: Rows, facts: Facts) -> Liability | None:
    """Find who answers for the ticket's reason; anybody goes before the buyer, and the law before everybody.

    None where the pack has no rows about it.
    """
    if not rights.liability:
        return None
    reason = facts.text("ticket.reason")
    picks = rows.picks("liability", rights.liability, more=lambda line: _reason(line, reason))
    if not picks:
        return Liability(party=None, why=f"no row says who answers for {reason or 'the matter'}")
    sure = [pick for pick in picks if pick.decides]
    others = [pick for pick in sure if pick.line.row.party is not Party.BUYER]
    open_ = [pick for pick in picks if not pick.decides and _may_be_other(pick)]
    if not others and (open_ or not sure):
        return Liability(party=None, why="; ".join(pick.doubt for pick in open_ or picks))
    winner = (others or sure)[0]
    _note_losers(rows, winner, picks)
    return Liability(party=winner.line.row.party, ground=winner.line.ground)


def _reason(line: Line[LiabilityRow], reason: str | None) -> Finding:
    text = f"ticket.reason is {' or '.join(line.row.reasons)}"
    if reason is None:
        return Finding(Outcome.UNKNOWN, (ClauseResult(text, Outcome.UNKNOWN, {}, "fact ticket.reason is missing"),))
    outcome = Outcome.HOLDS if reason in line.row.reasons else Outcome.FAILS
    return Finding(outcome, (ClauseResult(text, outcome, {"ticket.reason": reason}),))


def _may_be_other(pick: Pick[LiabilityRow]) -> bool:
    return any(line.row.party is not Party.BUYER for line in pick.candidates)


def shares(rights: Rights, rows: Rows, facts: Facts, liable: Liability | None) -> tuple[Share, ...]:
    """Find who pays each component some row speaks of: anybody before the buyer, and who keeps back less."""
    found: list[Share] = []
    for component, lines in rights.costs_by_component.items():
        picks = rows.picks("cost", lines, more=lambda line: _liable(line, liable))
        if picks:
            found.append(_share(component, picks, rows, facts))
    return tuple(found)


def _liable(line: Line[CostRow], liable: Liability | None) -> Finding | None:
    if line.row.liable is None:
        return None
    text = f"liable is {' or '.join(line.row.liable)}"
    if liable is None or liable.party is None:
        why = liable.why if liable else "no row says who is liable"
        return Finding(Outcome.UNKNOWN, (ClauseResult(text, Outcome.UNKNOWN, {}, why),))
    outcome = Outcome.HOLDS if liable.party in line.row.liable else Outcome.FAILS
    return Finding(outcome, (ClauseResult(text, outcome, {"liable": liable.party.value}),))


def _share(component: Component, picks: Sequence[Pick[CostRow]], rows: Rows, facts: Facts) -> Share:
    sure = [pick for pick in picks if pick.decides]
    best = min(sure, key=lambda pick: _burden(pick.line), default=None)
    open_ = [pick for pick in picks if not pick.decides and (best is None or _may_ease(pick, best))]
    if best is None or open_:
        return Share(component=component, payer=None, why="; ".join(pick.doubt for pick in open_ or picks))
    _note_losers(rows, best, picks)
    row = best.line.row
    amount, why = _amount(best.line, facts)
    return Share(
        component=component,
        payer=Party.BUYER if row.by_buyer else row.payer,
        amount=amount,
        percent=row.percent,
        estimated=row.estimate is not None and amount is not None and bool(why),
        ground=best.line.ground,
        why=why,
    )


def _burden(line: Line[CostRow]) -> tuple[bool, float]:
    """How much the buyer bears; the smallest is the best for the buyer."""
    return line.row.by_buyer, float(line.row.percent or 0)


def _may_ease(pick: Pick[CostRow], best: Pick[CostRow]) -> bool:
    return any(_burden(line) < _burden(best.line) for line in pick.candidates)


def _amount(line: Line[CostRow], facts: Facts) -> tuple[Money | None, str]:
    """Return what a component comes to, and the arithmetic; what nobody knows may be estimated by the row's rate."""
    row, claim = line.row, facts.money("claim.amount")
    rate = row.percent or row.estimate
    known = facts.money(_AMOUNT_OF[row.component]) if row.component in _AMOUNT_OF else None
    if known is not None or rate is None:
        return known, "" if known or row.component not in _AMOUNT_OF else f"fact {_AMOUNT_OF[row.component]} is missing"
    if claim is None:
        return None, "fact claim.amount is missing"
    amount = claim.share(rate)
    sum_ = f"{rate.normalize():f} % of {claim} = {amount}"
    return amount, sum_ if row.percent else f"estimated at {sum_} (rate of {line.reading})"


def _note_losers(rows: Rows, winner: Pick[_RowT], picks: Sequence[Pick[_RowT]]) -> None:
    for pick in picks:
        if pick is not winner:
            rows.note(pick.line, f"{winner.line.name} counts, which is no worse for the buyer")
