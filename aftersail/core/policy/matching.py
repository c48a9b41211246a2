"""Holds the `when` of a row against what is known of a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Final

from aftersail.core.contract import Money
from aftersail.core.policy.expressions import ALWAYS_HOLDS, ClauseResult, Finding, Outcome, both
from aftersail.core.policy.facts import Facts, FactValue, show
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
        self._findings: dict[Criteria, Finding] = {}

    def all_of(self, criteria: Criteria) -> Finding:
        """Find out whether every key of a row matches; the clauses are those that decided it."""
        known = self._findings.get(criteria)
        if known is None:
            known = self._findings[criteria] = self._joined(criteria)
        return known

    def _joined(self, criteria: Criteria) -> Finding:
        return reduce(both, map(self._ask, criteria.parts), ALWAYS_HOLDS)

    def _ask(self, asked: Criterion) -> Finding:
        if asked.name == "tier":
            return _held(asked, self._tier or "none")
        value = self._facts.get(asked.name)
        if isinstance(asked.wanted, AmountBand) and isinstance(value, Money):
            return self._in_band(asked, asked.wanted, value)
        return _held(asked, value)

    def _in_band(self, asked: Criterion, band: AmountBand, money: Money) -> Finding:
        converted = self._content.converted(money, band.currency)
        if converted is None:
            return _unknown(asked, f"{asked.name} is {money}, and there is no rate to {band.currency}")
        shown = str(money) if money.currency == band.currency else f"{money} = {converted}"
        return _known(asked, shown, holds=band.holds(converted))


@lru_cache(maxsize=8192)
def _held(asked: Criterion, value: FactValue | None) -> Finding:
    """Hold a value against the words that are asked for: the same few questions and values come over and over."""
    if value is None:
        return _unknown(asked, f"fact {asked.name} is missing")
    words = value if isinstance(value, tuple) else (str(value),)
    if asked.key == "language":
        words = (*words, words[0].partition("-")[0])
    return _known(asked, show(value), holds=any(word in asked.wanted for word in words))


def _known(asked: Criterion, shown: str, *, holds: bool) -> Finding:
    outcome = Outcome.HOLDS if holds else Outcome.FAILS
    return Finding(outcome, (ClauseResult(asked.text, outcome, {asked.name: shown}),))


def _unknown(asked: Criterion, why: str) -> Finding:
    return Finding(Outcome.UNKNOWN, (ClauseResult(asked.text, Outcome.UNKNOWN, because=why),))
