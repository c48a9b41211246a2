"""Decides one ticket by one pack: pure, deterministic, with time as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from aftersail.core.clocks import Source, Target
from aftersail.core.contract import Money
from aftersail.core.policy.compiled import Pack, TargetLine
from aftersail.core.policy.decision import (
    AskPerson,
    Decision,
    Flag,
    PlannedAction,
    PlannedRefund,
    PlannedReply,
    RowTrace,
    Tag,
    Trace,
)
from aftersail.core.policy.engines import EngineValue
from aftersail.core.policy.expressions import ClauseResult, Outcome, View
from aftersail.core.policy.facts import Facts, show
from aftersail.core.policy.planner import Planner

_TARGET_FACTS: Final = {
    "channel": "ticket.channel",
    "connector": "ticket.connector",
    "reason": "ticket.reason",
    "language": "ticket.language",
    "country": "order.country",
}


def decide(pack: Pack, facts: Facts, at: datetime) -> Decision:
    """Apply a pack to what is known of a ticket.

    Args:
        pack: the version in force when the request was filed.
        facts: what is known; what is absent makes a person decide, it never counts as false.
        at: the instant the decision is for, kept in the trace; conditions do not see it.

    Returns:
        Tier, targets and planned actions with their trace. Nothing has been done yet.
    """
    view, conversions = _view(pack, facts)
    tier, tier_rows, tier_asks = _grade(pack, view)
    targets, target_rows = _targets(pack, facts, tier)
    planner = Planner(pack, facts, view)
    planner.run(pack.rules)
    actions = (*tier_asks, *planner.actions)
    return Decision(
        pack_id=pack.id,
        pack_version=pack.version,
        pack_hash=pack.hash,
        at=at,
        tier=tier,
        targets=targets,
        actions=actions,
        summary=_summary(tier, actions),
        trace=Trace(
            parents=pack.parents,
            facts={name: show(value) for name, value in facts.items()},
            missing=dict(view.missing),
            rows=(*tier_rows, *target_rows, *planner.rows),
            money=(*conversions, *planner.steps),
        ),
    )


def _view(pack: Pack, facts: Facts) -> tuple[View, list[str]]:
    values: dict[str, EngineValue] = {}
    shown: dict[str, str] = {}
    missing: dict[str, str] = {}
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
            values[name] = list(value) if isinstance(value, tuple) else value
    return View(pack.engine, values, shown, missing), steps


def _grade(pack: Pack, view: View) -> tuple[str | None, list[RowTrace], list[AskPerson]]:
    rows: list[RowTrace] = []
    asks: list[AskPerson] = []
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


def _targets(pack: Pack, facts: Facts, tier: str | None) -> tuple[tuple[Target, ...], list[RowTrace]]:
    """Choose, per metric and source, the promise of the most specific row that matches; the first of equals."""
    rows: list[RowTrace] = []
    chosen: dict[tuple[str, Source], Target] = {}
    for line in sorted(pack.targets, key=lambda line: -len(line.row.when.keys())):
        outcome, clauses = _matches(line, facts, tier)
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
                clauses=tuple(clauses),
                notes=tuple(notes),
            )
        )
    return tuple(chosen.values()), rows


def _matches(line: TargetLine, facts: Facts, tier: str | None) -> tuple[Outcome, list[ClauseResult]]:
    results = [_match(key, wanted, facts, tier) for key, wanted in line.row.when.keys().items()]
    for outcome in (Outcome.FAILS, Outcome.UNKNOWN):
        found = [result for result in results if result.outcome is outcome]
        if found:
            return outcome, found
    return Outcome.HOLDS, results


def _match(key: str, wanted: Sequence[str], facts: Facts, tier: str | None) -> ClauseResult:
    name = _TARGET_FACTS.get(key, key)
    known = tier if key == "tier" else facts.text(name)
    text = f"{name} is {' or '.join(wanted)}"
    if known is None and key != "tier":
        return ClauseResult(text=text, outcome=Outcome.UNKNOWN, because=f"fact {name} is missing")
    fits = known in wanted or (key == "language" and str(known).partition("-")[0] in wanted)
    outcome = Outcome.HOLDS if fits else Outcome.FAILS
    return ClauseResult(text=text, outcome=outcome, values={name: known or "none"})


def _summary(tier: str | None, actions: Sequence[PlannedAction]) -> str:
    said = [f"tier {tier}" if tier else "no tier"]
    for action in actions:
        match action:
            case PlannedRefund():
                said.append(f"refund {action.amount} (rule {action.rule})")
            case PlannedReply():
                said.append(f"reply {action.template} (rule {action.rule})")
            case AskPerson():
                said.append(f"a person decides, because {action.why} (rule {action.rule})")
            case Flag():
                said.append(f"flag {action.name} (rule {action.rule})")
            case Tag():
                said.append(f"tag {action.name} (rule {action.rule})")
    if not actions:
        said.append("no rule matches, the ticket waits in the inbox")
    return "; ".join(said)
