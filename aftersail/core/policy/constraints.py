"""What a condition asks of each fact, as far as its words tell: whether two conditions can hold of one ticket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from aftersail.core.policy.expressions import AllOf, Always, Ask, Condition, Not
from aftersail.core.policy.facts import CATALOGUE, FactType
from aftersail.core.policy.syntax import Token, tokens_of

_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Allowed:
    """The values one fact may have: some words, or an interval of numbers.

    Attributes:
        words: the only ones; None for any.
        without: words it may not be.
        low: the lower end, and whether it belongs to it; None for no end.
        high: the upper end.
    """

    words: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    low: tuple[Decimal, bool] | None = None
    high: tuple[Decimal, bool] | None = None

    def and_(self, other: Allowed) -> Allowed:
        """Return what both allow."""
        words = [one.words for one in (self, other) if one.words is not None]
        lows = [one.low for one in (self, other) if one.low is not None]
        highs = [one.high for one in (self, other) if one.high is not None]
        return Allowed(
            words=frozenset.intersection(*words) if words else None,
            without=self.without | other.without,
            low=max(lows, key=lambda end: (end[0], not end[1]), default=None),
            high=min(highs, key=lambda end: (end[0], end[1]), default=None),
        )

    @property
    def possible(self) -> bool:
        """Whether any value is left."""
        if self.words is not None and not self.words - self.without:
            return False
        if self.low is None or self.high is None:
            return True
        return self.low[0] < self.high[0] or (self.low[0] == self.high[0] and self.low[1] and self.high[1])


@dataclass(frozen=True)
class Asked:
    """What a condition asks.

    Attributes:
        facts: by fact, what it must be.
        complete: nothing else is asked; else the condition may fail for reasons that are not seen here.
    """

    facts: dict[str, Allowed]
    complete: bool


def asked_of(condition: Condition) -> Asked:
    """Read a condition; what is no plain comparison with `&&` between makes it incomplete."""
    found: dict[str, Allowed] = {}
    complete = True
    for part, negated in _parts(condition):
        read = _read(part, negated=negated) if isinstance(part, Ask) else None
        if read is None:
            complete = complete and isinstance(part, Always) and not negated
            continue
        fact, allowed = read
        found[fact] = found.get(fact, Allowed()).and_(allowed)
    return Asked(found, complete)


def apart(one: Asked, other: Asked) -> bool:
    """Tell whether the two surely never hold of one ticket."""
    shared = one.facts.keys() & other.facts.keys()
    alone = [*one.facts.values(), *other.facts.values()]
    return not all(part.possible for part in alone) or not all(
        one.facts[fact].and_(other.facts[fact]).possible for fact in shared
    )


def surely_meet(one: Asked, other: Asked) -> bool:
    """Tell whether there surely is a ticket of which both hold."""
    return one.complete and other.complete and not apart(one, other)


def _parts(condition: Condition) -> Iterator[tuple[Condition, bool]]:
    match condition:
        case AllOf():
            for part in condition.parts:
                yield from _parts(part)
        case Not():
            yield condition.part, True
        case _:
            yield condition, False


def _read(clause: Ask, *, negated: bool) -> tuple[str, Allowed] | None:
    """Return the one fact a clause asks about and what it must be; None where the clause is no plain comparison."""
    tokens = tokens_of(clause.text)
    if len(tokens) == 1 and tokens[0].kind == "name":
        return tokens[0].value, Allowed(words=frozenset({"false" if negated else "true"}))
    if len(tokens) < _SHORTEST or len(clause.facts) != 1:
        return None
    fact, (first, sign, *rest) = clause.facts[0], tokens
    allowed = None
    if sign.value == "in" and first.value == fact and rest[0].value == "[":
        allowed = _listed(rest, negated=negated)
    elif len(rest) == 1 and sign.value in _TURNED and fact in {first.value, rest[0].value}:
        turned = rest[0].value == fact
        relation = _TURNED[sign.value] if turned else sign.value
        allowed = _compared(fact, relation, first if turned else rest[0], negated=negated)
    return None if allowed is None else (fact, allowed)


_SHORTEST: Final = 3


def _listed(tokens: Sequence[Token], *, negated: bool) -> Allowed | None:
    words = frozenset(_word(token) for token in tokens if token.kind == "text")
    if not words:
        return None
    return Allowed(without=words) if negated else Allowed(words=words)


def _compared(fact: str, relation: str, literal: Token, *, negated: bool) -> Allowed | None:
    relation = _OPPOSITE[relation] if negated else relation
    if literal.kind == "number":
        return _interval(relation, Decimal(literal.value), whole=CATALOGUE[fact].type is FactType.INT)
    if relation not in {"==", "!="}:
        return None
    words = frozenset({_word(literal)})
    return Allowed(words=words) if relation == "==" else Allowed(without=words)


def _interval(relation: str, value: Decimal, *, whole: bool) -> Allowed | None:
    """Return the numbers a relation leaves; of whole numbers, `> 2` begins with 3."""
    match relation:
        case "<":
            return Allowed(high=(value - 1, True) if whole else (value, False))
        case "<=":
            return Allowed(high=(value, True))
        case ">":
            return Allowed(low=(value + 1, True) if whole else (value, False))
        case ">=":
            return Allowed(low=(value, True))
        case "==":
            return Allowed(low=(value, True), high=(value, True))
        case _:
            return None


def _word(token: Token) -> str:
    return token.value[1:-1] if token.kind == "text" else token.value
