"""Holds the `when` of a row against what is known of a ticket."""

from __future__ import annotations

from collections.abc import Mapping
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


class Matcher:
    """Holds rows against one ticket, each key and value once.

    Args:
        content: the pack, for its rates.
        facts: what is known.
        tier: the ticket's; None where no row of the grading table holds, which then is known.
    """

    def __init__(self, content: PackFile, facts: Facts, tier: str | None) -> None:
        self._content = content
        self._facts = facts
        self._tier = tier
        self._answers: dict[tuple[str, Wanted], ClauseResult] = {}

    def all_of(self, keys: Mapping[str, Wanted]) -> Finding:
        """Find out whether every key of a row matches; the clauses are those that decided it."""
        results = [self._answer(key, wanted) for key, wanted in keys.items()]
        for outcome in (Outcome.FAILS, Outcome.UNKNOWN):
            found = tuple(result for result in results if result.outcome is outcome)
            if found:
                return Finding(outcome, found)
        return Finding(Outcome.HOLDS, tuple(results))

    def _answer(self, key: str, wanted: Wanted) -> ClauseResult:
        known = self._answers.get((key, wanted))
        if known is None:
            known = self._answers[key, wanted] = self._ask(key, wanted)
        return known

    def _ask(self, key: str, wanted: Wanted) -> ClauseResult:
        name = _FACT_OF.get(key, key)
        asked = str(wanted) if isinstance(wanted, AmountBand) else f"is {' or '.join(wanted)}"
        text = f"{name} {asked}"
        if key == "tier":
            return _result(text, name, self._tier or "none", holds=self._tier in wanted)
        value = self._facts.get(name)
        if value is None:
            return ClauseResult(text=text, outcome=Outcome.UNKNOWN, because=f"fact {name} is missing")
        if isinstance(wanted, AmountBand):
            return self._in_band(text, name, wanted)
        words = value if isinstance(value, tuple) else (str(value),)
        if key == "language":
            words = (*words, words[0].partition("-")[0])
        return _result(text, name, show(value), holds=any(word in wanted for word in words))

    def _in_band(self, text: str, name: str, band: AmountBand) -> ClauseResult:
        money = self._facts.money(name)
        converted = self._content.converted(money, band.currency) if money else None
        if money is None or converted is None:
            because = f"{name} is {money}, and there is no rate to {band.currency}"
            return ClauseResult(text=text, outcome=Outcome.UNKNOWN, because=because)
        shown = str(money) if money.currency == band.currency else f"{money} = {converted}"
        return _result(text, name, shown, holds=band.holds(converted))


def _result(text: str, name: str, shown: str, *, holds: bool) -> ClauseResult:
    return ClauseResult(text=text, outcome=Outcome.HOLDS if holds else Outcome.FAILS, values={name: shown})
