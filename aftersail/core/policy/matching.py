"""Holds the `when` of a row against what is known of a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aftersail.core.policy.expressions import ClauseResult, Finding, Outcome
from aftersail.core.policy.facts import Facts, show
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.scope import AmountBand, Wanted

_FACT_OF: Final = {
    "channel": "ticket.channel",
    "connector": "ticket.connector",
    "reason": "ticket.reason",
    "language": "ticket.language",
    "country": "order.country",
    "region": "order.region",
    "category": "order.category",
    "amount": "order.total",
    "customer_value": "customer.value",
    "claim": "claim.kind",
    "right": "claim.right",
}


@dataclass(frozen=True, eq=False, slots=True)
class Criterion:
    """One key of a `when`. Equal ones are one object, so that what came of it is found by who it is.

    Attributes:
        name: the fact it asks about; `tier` for the ticket's tier.
        text: the question, for people.
    """

    key: str
    wanted: Wanted
    name: str
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Criteria:
    """All keys of a `when`; of these too, equal ones are one object."""

    parts: tuple[Criterion, ...]


def criteria_of(keys: Mapping[str, Wanted]) -> Criteria:
    """Return the keys of a `when` ready for matching."""
    return _criteria(tuple(keys.items()))


@lru_cache(maxsize=4096)
def _criteria(keys: tuple[tuple[str, Wanted], ...]) -> Criteria:
    return Criteria(tuple(_criterion(key, wanted) for key, wanted in keys))


@lru_cache(maxsize=4096)
def _criterion(key: str, wanted: Wanted) -> Criterion:
    name = _FACT_OF.get(key, key)
    asked = str(wanted) if isinstance(wanted, AmountBand) else f"is {' or '.join(wanted)}"
    return Criterion(key, wanted, name, f"{name} {asked}")


class Matcher:
    """Holds rows against one ticket, each question once.

    Args:
        content: the pack, for its rates.
        facts: what is known.
        tier: the ticket's; None where no row of the grading table holds, which then is known.
    """

    def __init__(self, content: PackFile, facts: Facts, tier: str | None) -> None:
        self._content = content
        self._facts = facts
        self._tier = tier
        self._answers: dict[Criterion, ClauseResult] = {}
        self._findings: dict[Criteria, Finding] = {}

    def all_of(self, criteria: Criteria) -> Finding:
        """Find out whether every key of a row matches; the clauses are those that decided it."""
        known = self._findings.get(criteria)
        if known is None:
            known = self._findings[criteria] = self._joined(criteria)
        return known

    def _joined(self, criteria: Criteria) -> Finding:
        results = [self._answer(criterion) for criterion in criteria.parts]
        for outcome in (Outcome.FAILS, Outcome.UNKNOWN):
            found = tuple(result for result in results if result.outcome is outcome)
            if found:
                return Finding(outcome, found)
        return Finding(Outcome.HOLDS, tuple(results))

    def _answer(self, criterion: Criterion) -> ClauseResult:
        known = self._answers.get(criterion)
        if known is None:
            known = self._answers[criterion] = self._ask(criterion)
        return known

    def _ask(self, asked: Criterion) -> ClauseResult:
        name, wanted = asked.name, asked.wanted
        if name == "tier":
            return _result(asked, self._tier or "none", holds=self._tier in wanted)
        value = self._facts.get(name)
        if value is None:
            return ClauseResult(asked.text, Outcome.UNKNOWN, because=f"fact {name} is missing")
        if isinstance(wanted, AmountBand):
            return self._in_band(asked, wanted)
        words = value if isinstance(value, tuple) else (str(value),)
        if asked.key == "language":
            words = (*words, words[0].partition("-")[0])
        return _result(asked, show(value), holds=any(word in wanted for word in words))

    def _in_band(self, asked: Criterion, band: AmountBand) -> ClauseResult:
        money = self._facts.money(asked.name)
        converted = self._content.converted(money, band.currency) if money else None
        if money is None or converted is None:
            because = f"{asked.name} is {money}, and there is no rate to {band.currency}"
            return ClauseResult(asked.text, Outcome.UNKNOWN, because=because)
        shown = str(money) if money.currency == band.currency else f"{money} = {converted}"
        return _result(asked, shown, holds=band.holds(converted))


def _result(asked: Criterion, shown: str, *, holds: bool) -> ClauseResult:
    return ClauseResult(asked.text, Outcome.HOLDS if holds else Outcome.FAILS, {asked.name: shown})
