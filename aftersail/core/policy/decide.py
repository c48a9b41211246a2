"""Decides one ticket by one pack: pure, deterministic, with time as an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aftersail.core.clocks import Source, Target
from aftersail.core.contract import Money
from aftersail.core.policy.compiled import Pack, TargetLine
from aftersail.core.policy.decision import Decision, RowTrace, Trace, TraceRows
from aftersail.core.policy.engines import EngineValue
from aftersail.core.policy.entitle import Entitled, entitle
from aftersail.core.policy.entitlement import Window
from aftersail.core.policy.expressions import ClauseResult, Finding, Outcome, View
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


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a pack says of a ticket, without the reasons.

    Attributes:
        tier: None where no row of the grading table holds.
        targets: the promises that now run, of every source.
        actions: what is planned.
    """

    tier: str | None
    targets: tuple[Target, ...]
    actions: tuple[PlannedAction, ...]


def decide(pack: Pack, facts: Facts, at: datetime) -> Decision:
    """Apply a pack to what is known of a ticket.

    Args:
        pack: the version in force when the request was filed.
        facts: what is known; what is absent makes a person decide, it never counts as false.
        at: the instant the decision is for, kept in the trace; conditions do not see it.

    Returns:
        Tier, targets and planned actions with their trace. Nothing has been done yet.
    """
    work = _Work(pack, facts, at)
    found, view = work.conclusion, work.view
    entitlement, arithmetic = work.entitled.entitlement()
    return Decision(
        pack_id=pack.id,
        pack_version=pack.version,
        pack_hash=pack.hash,
        at=at,
        tier=found.tier,
        targets=found.targets,
        actions=found.actions,
        summary=_summary(found.tier, found.actions),
        entitlement=entitlement,
        trace=Trace(
            parents=pack.parents,
            facts={
                name: show(value) if isinstance(value, Money) else view.shown[name]
                for name, value in work.facts.items()
            },
            missing=dict(view.missing),
            rows=TraceRows(work.rows),
            money=(*work.conversions, *arithmetic, *work.planner.steps),
        ),
    )


def conclude(pack: Pack, facts: Facts, at: datetime) -> Conclusion:
    """Decide as `decide` does, for whoever decides by the thousand and shows no reasons."""
    return _Work(pack, facts, at).conclusion


class _Work:
    """One decision on its way: what it comes to at once, the reasons for whoever asks."""

    def __init__(self, pack: Pack, facts: Facts, at: datetime) -> None:
        facts, unsaid = _with_risk(pack, facts)
        view, self.conversions = _view(pack, facts, unsaid)
        tier, self._tier_rows, tier_asks = _grade(pack, view, facts.text("ticket.graded"))
        self._matcher = Matcher(pack.content, facts, tier)
        self._target_lines = pack.targets
        self.entitled = entitle(pack, facts, at, view=view, matcher=self._matcher)
        self.facts, self.view = _with_window(facts, view, self.entitled)
        self.planner = Planner(pack, self.facts, self.view)
        self.planner.run()
        targets = _joined(_targets(pack.targets, self._matcher), self.entitled.targets)
        actions = (*tier_asks, *self.planner.actions, *_window_asks(self.entitled.window, self.planner.actions))
        self.conclusion = Conclusion(tier, targets, actions)

    def rows(self) -> Iterator[RowTrace]:
        """Make the trace of every row."""
        yield from self._tier_rows
        yield from _target_rows(self._target_lines, self._matcher)
        yield from self.entitled.rows()
        yield from self.planner.rows()


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
    known, missing = entitled.facts, entitled.missing
    if not known and not missing:
        return facts, view
    shown = {name: show(value) for name, value in known.items()}
    return facts.having(known), view.having({name: _plain(value) for name, value in known.items()}, shown, missing)


def _window_asks(window: Window | None, planned: Sequence[PlannedAction]) -> list[AskPerson]:
    """Where nobody can tell whether the claim was in time, and no rule has settled the matter, a person decides."""
    if window is None or window.open is not None or any(isinstance(action, _SETTLING) for action in planned):
        return []
    return [AskPerson(rule="window", why=f"cannot tell whether this was asked for in time: {window.why}")]


def _joined(targets: tuple[Target, ...], refunds: tuple[Target, ...]) -> tuple[Target, ...]:
    """Add the promised refunds; a row of targets that promises the same from the same source stays beside them."""
    return (*targets, *(target for target in refunds if target not in targets))


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


def _targets(lines: Iterable[TargetLine], matcher: Matcher) -> tuple[Target, ...]:
    """Choose, per metric and source, the promise of the most specific row that matches; the first of equals."""
    chosen: dict[tuple[str, Source], Target] = {}
    for line in lines:
        if _counts(line, matcher).outcome is Outcome.HOLDS:
            for target in line.targets:
                chosen.setdefault((target.metric, target.source), target)
    return tuple(chosen.values())


def _counts(line: TargetLine, matcher: Matcher) -> Finding:
    """Find out whether a row of targets matches; its own keys are asked only where its pack binds."""
    bound = matcher.all_of(line.origin.criteria)
    return matcher.all_of(line.criteria) if bound.outcome is Outcome.HOLDS else bound


def _target_rows(lines: Iterable[TargetLine], matcher: Matcher) -> Iterator[RowTrace]:
    """Make the trace of every row of targets, with the row that was chosen before it."""
    chosen: dict[tuple[str, Source], Target] = {}
    for line in lines:
        outcome, clauses = _counts(line, matcher)
        notes: list[str] = []
        for target in line.targets if outcome is Outcome.HOLDS else ():
            winner = chosen.setdefault((target.metric, target.source), target)
            if winner is not target:
                notes.append(f"{target.metric} is set by the more specific row {winner.row}")
        yield RowTrace("target", line.row.id, line.where, outcome, clauses, tuple(notes))


def _summary(tier: str | None, actions: Sequence[PlannedAction]) -> str:
    said = [f"tier {tier}" if tier else "no tier", *(f"{action.brief} (rule {action.rule})" for action in actions)]
    return "; ".join(said if actions else [*said, "no rule matches, the ticket waits in the inbox"])
