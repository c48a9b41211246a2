"""Finds the few rules that may match: most begin with `fact == "value"`, and where the value is another one, they fail.

A rule that is not found surely fails; one that is found has still to be judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aftersail.core.policy.engines import EngineValue
from aftersail.core.policy.expressions import AllOf, Ask, Condition

_EQUAL: Final = frozenset({"==", "in"})


class RuleIndex:
    """The places of conditions by the fact and the values that the first clause of each asks for."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._others: list[int] = []
        self._by_fact: dict[str, dict[EngineValue, list[int]]] = {}
        self._of_fact: dict[str, list[int]] = {}
        for place, condition in enumerate(conditions):
            first = _first_clause(condition)
            asked = first.comparison if isinstance(first, Ask) else None
            if asked is None or asked.relation not in _EQUAL:
                self._others.append(place)
                continue
            self._of_fact.setdefault(asked.fact, []).append(place)
            by_value = self._by_fact.setdefault(asked.fact, {})
            for literal in asked.literals:
                by_value.setdefault(literal, []).append(place)

    def candidates(self, values: Mapping[str, EngineValue]) -> list[int]:
        """Return the places of conditions that may hold, or of which nobody can tell, in order."""
        found = list(self._others)
        for fact, by_value in self._by_fact.items():
            # Nobody can tell what a clause about a fact that is not known comes to, so none of them fails.
            found += by_value.get(values[fact], ()) if fact in values else self._of_fact[fact]
        return sorted(found)


def _first_clause(condition: Condition) -> Condition:
    while isinstance(condition, AllOf):
        condition = condition.parts[0]
    return condition
