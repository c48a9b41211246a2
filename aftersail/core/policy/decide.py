"""Decides one ticket by one pack: pure, deterministic, with time as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from aftersail.core.clocks import Source, Target
from aftersail.core.contract import Money
from aftersail.core.policy.compiled import Pack
from aftersail.core.policy.decision import Decision, RowTrace, Trace, TraceRows
from aftersail.core.policy.engines import EngineValue
from aftersail.core.policy.entitle import Entitled, entitle
from aftersail.core.policy.entitlement import Entitlement
from aftersail.core.policy.expressions import ClauseResult, Outcome, View
from aftersail.core.policy.facts import Facts, show
from aftersail.core.policy.matching import Matcher
from aftersail.core.policy.planned import (
    AskPerson,
    PlannedAction,
    PlannedOffer,
    PlannedRefund,
)
from aftersail.core.policy.planner import Planner

_SETTLING: Final = (PlannedRefund, PlannedOffer, AskPerson)
"""What settles a matter, or leaves it to a person already."""


def decide(pack: Pack, facts: Facts, at: datetime, *, traced: bool = True) -> Decision:
    """Apply a pack to what is known of a ticket.

    Args:
        pack: the version in force when the request was filed.
        facts: what is known; what is absent makes a person decide, it never counts as false.
        at: the instant the decision is for, kept in the trace; conditions do not see it.
        traced: False leaves the rows out of the trace, for whoever decides by the thousand and shows none of them.

    Returns:
        Tier, targets and planned actions with their trace. Nothing has been done yet.
    """
    facts, unsaid = _with_risk(pack, facts)
    view, conversions = _view(pack, facts, unsaid)
    tier, tier_rows, tier_asks = _grade(pack, view, facts.text("ticket.graded"))
    matcher = Matcher(pack.content, facts, tier)
    targets, target_rows = _targets(pack, matcher)
    entitled = entitle(pack, facts, at, view=view, matcher=matcher)
    facts, view = _with_window(facts, view, entitled)
    planner = Planner(pack, facts, view)
    planner.run()
    actions = (*tier_asks, *planner.actions, *_window_asks(entitled.entitlement, planner.actions))
    return Decision(
        pack_id=pack.id,
        pack_version=pack.version,
        pack_hash=pack.hash,
        at=at,
        tier=tier,
        targets=_joined(targets, entitled.targets),
        actions=actions,
        summary=_summary(tier, actions),
        entitlement=entitled.entitlement,
        trace=Trace(
            parents=pack.parents,
            facts={
                name: show(value) if isinstance(value, Money) else view.shown[name] for name, value in facts.items()
            },
            missing=dict(view.missing),
            rows=TraceRows(lambda: (*tier_rows, *target_rows, *entitled.rows(), *planner.rows())) if traced else TraceRows(),
            money=(*conversions, *entitled.money, *planner.steps),
        ),
    )


def _with_risk(pack: Pack, facts: Facts) -> tuple[Facts, dict[str, str]]:
    """Work out whether the buyer is a high risk, as the pack counts it, or why nobody can tell."""
    rule, orders, rate = pack.content.high_risk, facts.get("buyer.orders"), facts.get("buyer.refund_rate_percent")
    if rule is None or "buyer.high_risk" in facts or not isinstance(orders, int):
        return facts, {}
    if orders < rule.minimum_orders:
        if rule.below_sample == "no":
            return facts.having({"buyer.high_risk": False}), {}
        why = f"buyer.orders is {orders}, fewer than the {rule.minimum_orders} that tell anything"
        return facts, {"buyer.high_risk": why}
    if not isinstance(rate, int):
        return facts, {}
    return facts.having({"buyer.high_risk": rate > rule.refund_rate_over}), {}


def _with_window(facts: Facts, view: View, entitled: Entitled) -> tuple[Facts, View]:
    known, missing = entitled.facts or {}, entitled.missing or {}
    if not known and not missing:
        return facts, view
    shown = {name: show(value) for name, value in known.items()}
    return facts.having(known), view.having({name: _plain(value) for name, value in known.items()}, shown, missing)


def _window_asks(entitlement: Entitlement | None, planned: Sequence[PlannedAction]) -> list[AskPerson]:
    """Where nobody can tell whether the claim was in time, and no rule has settled the matter, a person decides."""
    window = entitlement.window if entitlement else None
    if window is None or window.open is not None or any(isinstance(action, _SETTLING) for action in planned):
        return []
    return [AskPerson(rule="window", why=f"cannot tell whether this was asked for in time: {window.why}")]


def _joined(targets: tuple[Target, ...], refunds: tuple[Target, ...]) -> tuple[Target, ...]:
    """Add the promised refunds; a row of targets that promises the same from the same source stays beside them."""
    known = set(targets)
    return (*targets, *(target for target in refunds if target not in known))


def _view(pack: Pack, facts: Facts, unsaid: Mapping[str, str]) -> tuple[View, list[str]]:
    values: dict[str, EngineValue] = {}
    shown: dict[str, str] = {}
    missing = dict(unsaid)
    steps: list[str] = []
    for name, value in facts.items():
        shown[name] = show(value)
        if isinstance(value, Money):
            converted = pack.content.converted(value, pack.currency)
            if converted is None:
                missing[name] = f"{name} is {value}, and {pack.content.explain_rate(value.currency)}"
                continue
            if value.currency != pack.currency:
                shown[name] = f"{value} = {converted}"
                steps.append(f"{name}: {value} = {converted}; {pack.content.explain_rate(value.currency)}")
            # Both the amount and a literal in a condition have the currency's decimals: they become the same double,
            # so that the comparison is exact.
            values[name] = float(converted.amount)
        else:
            values[name] = _plain(value)
    return View(pack.engine, values, shown, missing), steps


def _plain(value: str | bool | int | datetime | tuple[str, ...]) -> EngineValue:
    return list(value) if isinstance(value, tuple) else value


def _grade(pack: Pack, view: View, graded: str | None) -> tuple[str | None, list[RowTrace], list[AskPerson]]:
    """Find the tier: the one an agent has set, else by the pack's table."""
    rows: list[RowTrace] = []
    asks: list[AskPerson] = []
    if graded is not None and graded in {tier.name for tier in pack.tiers}:
        return graded, [RowTrace(section="tier", row=graded, where="set by an agent", outcome=Outcome.HOLDS)], asks
    for tier in pack.tiers:
        finding = view.judge(tier.condition)
        rows.append(
            RowTrace(section="tier", row=tier.name, where=tier.where, outcome=finding.outcome, clauses=finding.clauses)
        )
        if finding.outcome is Outcome.HOLDS:
            return tier.name, rows, asks
        if finding.outcome is Outcome.UNKNOWN:
            why = f"cannot tell whether the tier is {tier.name}: {_because(finding.clauses)}"
            asks.append(AskPerson(rule=f"tier {tier.name}", why=why))
    return None, rows, asks


def _because(clauses: Iterable[ClauseResult]) -> str:
    return "; ".join(dict.fromkeys(clause.because for clause in clauses if clause.because))


def _targets(pack: Pack, matcher: Matcher) -> tuple[tuple[Target, ...], list[RowTrace]]:
    """Choose, per metric and source, the promise of the most specific row that matches; the first of equals."""
    rows: list[RowTrace] = []
    chosen: dict[tuple[str, Source], Target] = {}
    for line in pack.targets:
        outcome, clauses = matcher.all_of(line.origin.criteria)
        if outcome is Outcome.HOLDS:
            outcome, clauses = matcher.all_of(line.criteria)
        notes: list[str] = []
        if outcome is Outcome.HOLDS:
            for target in line.targets:
                winner = chosen.setdefault((target.metric, target.source), target)
                if winner is not target:
                    notes.append(f"{target.metric} is set by the more specific row {winner.row}")
        rows.append(
            RowTrace(
                section="target",
                row=line.row.id,
                where=line.where,
                outcome=outcome,
                clauses=clauses,
                notes=tuple(notes),
            )
        )
    return tuple(chosen.values()), rows


def _summary(tier: str | None, actions: Sequence[PlannedAction]) -> str:
    said = [f"tier {tier}" if tier else "no tier", *(f"{action.brief} (rule {action.rule})" for action in actions)]
    return "; ".join(said if actions else [*said, "no rule matches, the ticket waits in the inbox"])
