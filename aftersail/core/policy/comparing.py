"""Clauses that hold one fact against literals: what most rules begin with, answered without an engine.

Text, whole numbers, truth values and money (as the double that the engine would get) compare in Python as CEL defines
it, so the answer is the engine's own, without the price of crossing over to it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from aftersail.core.policy.facts import FactType

Literal = str | bool | int | float

_RELATIONS: Final = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": lambda value, several: value in several,
    }
)
_READ: Final[MappingProxyType[FactType, Callable[[str], Literal]]] = MappingProxyType(
    {
        FactType.TEXT: lambda written: written[1:-1],
        FactType.BOOL: "true".__eq__,
        FactType.INT: int,
        FactType.MONEY: float,
    }
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact held against a literal, or against a set of them.

    Attributes:
        fact: its name.
        relation: as written, `in` for several literals.
        literals: what it is compared with, one but for `in`.
    """

    fact: str
    relation: str
    literals: frozenset[Literal]
    _test: Callable[[Any, Any], bool]
    _against: Literal | frozenset[Literal]

    def holds(self, value: object) -> bool:
        """Tell whether it holds for a value of the fact."""
        return self._test(value, self._against)


def comparison(fact: str, kind: FactType, relation: str, literals: Sequence[str]) -> Comparison | None:
    """Return a typed clause as a comparison, or None where only an engine answers it.

    Args:
        fact: the fact on the clause's left side.
        kind: its type.
        relation: what stands between.
        literals: the right side as written: several for `in`, one for the others, none where a fact stands there.
    """
    read = _READ.get(kind)
    if read is None or not literals or any("\\" in written for written in literals):
        return None
    values = frozenset(map(read, literals))
    return Comparison(fact, relation, values, _RELATIONS[relation], values if relation == "in" else next(iter(values)))
