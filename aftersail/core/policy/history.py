"""What was decided on a request and what became of its clocks, and what all of that comes to: pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from aftersail.core.clocks import Clock, SourceKind
from aftersail.core.policy.decide import Conclusion
from aftersail.core.policy.decision import Decision
from aftersail.core.policy.facts import Facts

Plain: TypeAlias = Mapping[str, Any]
"""A record as JSON has it."""

Sums: TypeAlias = dict[str, Decimal]
"""Amounts by currency."""

_KNOWN_ACTIONS: Final = frozenset({"refund", "reply", "ask_person", "flag", "tag"})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The part of a decision that has consequences, as plain values, so that a stored one needs not be built again.

    Attributes:
        targets: `Target` as JSON.
        actions: `PlannedAction` as JSON.
    """

    tier: str | None
    targets: Sequence[Plain]
    actions: Sequence[Plain]


@dataclass(frozen=True, kw_only=True)
class PastDecision:
    """One decision as it was stored.

    Attributes:
        at: the instant it was made for (UTC).
        facts: what was known then.
    """

    at: datetime
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class PastRequest:
    """One request as it was stored.

    Attributes:
        number: its ticket.
        filed_at: when the buyer sent it (UTC).
        decisions: in the order they were made.
        clocks: all it ever had.
    """

    number: int
    filed_at: datetime
    decisions: tuple[PastDecision, ...]
    clocks: tuple[Clock, ...]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What all decisions on one request come to.

    Attributes:
        tier: by the newest decision.
        paid: what aftersail pays by itself, by currency.
        proposed: what a person is asked to approve, by currency.
        asks: whether anything is left to a person.
        replies: templates sent.
        marks: flags and tags.
        others: every other action, in words.
        promises: by the newest decision, in words.
    """

    tier: str | None
    paid: Sums
    proposed: Sums
    asks: bool
    replies: frozenset[str]
    marks: frozenset[str]
    others: frozenset[str]
    promises: frozenset[str]


def verdict_of(decision: Conclusion | Decision) -> Verdict:
    """Take what has consequences out of a decision."""
    return Verdict(
        tier=decision.tier,
        targets=[target.model_dump(mode="json") for target in decision.targets],
        actions=[action.model_dump(mode="json") for action in decision.actions],
    )


def effect_of(verdicts: Sequence[Verdict]) -> Effect:
    """Add up the decisions on one request, of which there is at least one.

    A rule pays once per request, however often the request is judged: what it said first counts.
    """
    actions = [action for verdict in verdicts for action in verdict.actions]
    refunds: dict[str, tuple[Plain, bool]] = {}
    for action in actions:
        refund = action if action["kind"] == "refund" else action.get("proposed")
        if refund:
            refunds.setdefault(refund["rule"], (refund["amount"], action["kind"] == "refund"))
    return Effect(
        tier=verdicts[-1].tier,
        paid=_summed(amount for amount, by_itself in refunds.values() if by_itself),
        proposed=_summed(amount for amount, by_itself in refunds.values() if not by_itself),
        asks=any(action["kind"] == "ask_person" for action in actions),
        replies=frozenset(action["template"] for action in actions if action["kind"] == "reply"),
        marks=frozenset(f"{each['kind']} {each['name']}" for each in actions if each["kind"] in {"flag", "tag"}),
        others=frozenset(_words(action) for action in actions if action["kind"] not in _KNOWN_ACTIONS),
        promises=frozenset(_promise(target) for target in verdicts[-1].targets),
    )


def _summed(amounts: Iterable[Plain]) -> Sums:
    sums: Sums = {}
    for money in amounts:
        sums[money["currency"]] = sums.get(money["currency"], Decimal(0)) + Decimal(money["amount"])
    return sums


def _words(action: Plain) -> str:
    """Write an action down without its rule and its reasons: the same thing done by another rule is no change."""
    details = (
        f"{name} {value}" for name, value in sorted(action.items()) if name not in {"kind", "rule", "why"} and value
    )
    return ", ".join((str(action["kind"]).replace("_", " "), *details))


def _promise(target: Plain) -> str:
    """Write a promise down; a seller's own pack is not named, since another pack may promise the same."""
    source = target["source"]
    named = "" if source["kind"] == SourceKind.OWN else f" ({source['kind']}: {source['name']})"
    calendar = f" {target['calendar']}" if target.get("calendar") else ""
    return f"{target['metric']} {target['duration']} {target['basis']}{calendar}{named}"
