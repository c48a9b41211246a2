"""Conditions: all/any/not trees of typed clauses, and how they are judged against what is known.

A clause that asks about a fact nobody knows is neither true nor false. `all` is false as soon as one part is, `any` is
true as soon as one part is (Kleene's logic); what stays open in between is "cannot tell", and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from aftersail.core.policy.comparing import Comparison
from aftersail.core.policy.engines import Engine, EngineError, EngineValue
from aftersail.core.policy.syntax import MAX_DEPTH, RELATIONS, ConditionError, Token, check_clause, tokens_of

Path: TypeAlias = tuple[str | int, ...]
Report: TypeAlias = Callable[[Path, ConditionError], None]


class Outcome(StrEnum):
    """How a condition came out."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class ClauseResult:
    """One clause as it came out. No `Record`, since a decision makes hundreds of them.

    Attributes:
        text: the clause as written.
        values: each fact it asks about, as a person reads it.
        because: why nobody can tell; empty otherwise.
    """

    text: str
    outcome: Outcome
    values: dict[str, str] = field(default_factory=dict)
    because: str = ""


class Finding(NamedTuple):
    """How a condition came out, and the clauses that made it so."""

    outcome: Outcome
    clauses: tuple[ClauseResult, ...] = ()


ALWAYS_HOLDS: Final = Finding(Outcome.HOLDS)
"""What is asked without a condition."""


def both(one: Finding, other: Finding) -> Finding:
    """Return how two findings come out together: the worse one counts, and of equal ones the clauses of both do."""
    if one.outcome is other.outcome:
        if not one.clauses or not other.clauses:
            return one if one.clauses else other
        return Finding(one.outcome, one.clauses + other.clauses)
    return other if one.outcome is Outcome.HOLDS or other.outcome is Outcome.FAILS else one


@dataclass(frozen=True)
class Always:
    """The condition that always holds."""


@dataclass(frozen=True)
class Ask:
    """One clause, compiled.

    Attributes:
        text: as written.
        facts: what it asks about.
        program: for the engine.
        comparison: for Python, where the clause is simple enough to need no engine.
    """

    text: str
    facts: tuple[str, ...]
    program: object = field(compare=False, repr=False)
    comparison: Comparison | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    part: Condition


@dataclass(frozen=True)
class AllOf:
    """Every part must hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """One part is enough."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Always | Ask | Not | AllOf | AnyOf

ALWAYS: Final = Always()
_TREE_WORDS = ("all", "any", "not")


def compile_condition(raw: object, engine: Engine, report: Report) -> Condition:
    """Turn what a pack says under `when` into a condition.

    Args:
        raw: a string, `true`, or a mapping with one of `all` (list), `any` (list) and `not`.
        engine: compiles the clauses.
        report: is told each mistake with its place in `raw`; after a report the result must not be used.
    """
    return _node(raw, engine, report, ())


def facts_of(condition: Condition) -> frozenset[str]:
    """Tell which facts a condition asks about."""
    match condition:
        case Ask():
            return frozenset(condition.facts)
        case Not():
            return facts_of(condition.part)
        case AllOf() | AnyOf():
            return frozenset().union(*(facts_of(part) for part in condition.parts))
        case _:
            return frozenset()


class View:
    """The facts of one decision as conditions see them. It remembers answers, since rules share clauses.

    Args:
        engine: the engine that compiled the conditions.
        values: what is compared, by fact.
        shown: the same as a person reads it.
        missing: why a fact is not known, where there is more to say than that it is missing.
    """

    def __init__(
        self, engine: Engine, values: Mapping[str, EngineValue], shown: Mapping[str, str], missing: Mapping[str, str]
    ) -> None:
        self.shown = shown
        self.missing = missing
        self.values = values
        self._engine = engine
        self._answers: dict[str, Finding] = {}

    @cached_property
    def _bound(self) -> object:
        """The values as the engine takes them; few decisions need it at all."""
        return self._engine.bind(self.values)

    def having(self, values: Mapping[str, EngineValue], shown: Mapping[str, str], missing: Mapping[str, str]) -> View:
        """Return a view that knows more; what was answered without that stays answered."""
        more = View(self._engine, {**self.values, **values}, {**self.shown, **shown}, {**self.missing, **missing})
        more._answers = dict(self._answers)
        return more

    def judge(self, condition: Condition) -> Finding:
        """Find out whether a condition holds, and which clauses decided it."""
        if isinstance(condition, Ask):
            known = self._answers.get(condition.text)
            return self._ask(condition) if known is None else known
        if isinstance(condition, AllOf):
            return self._join(condition.parts, Outcome.FAILS, Outcome.HOLDS)
        if isinstance(condition, AnyOf):
            return self._join(condition.parts, Outcome.HOLDS, Outcome.FAILS)
        if isinstance(condition, Not):
            return _opposite(self.judge(condition.part))
        return ALWAYS_HOLDS

    def _join(self, parts: Sequence[Condition], decisive: Outcome, otherwise: Outcome) -> Finding:
        """Judge part by part; asking for known answers right here saves most of a decision's calls."""
        answers = self._answers
        open_: list[Finding] = []
        seen: list[Finding] = []
        for part in parts:
            finding = answers.get(part.text) if isinstance(part, Ask) else None
            if finding is None:
                finding = self.judge(part)
            if finding.outcome is decisive:
                return finding
            (open_ if finding.outcome is Outcome.UNKNOWN else seen).append(finding)
        clauses = tuple(clause for finding in open_ or seen for clause in finding.clauses)
        return Finding(Outcome.UNKNOWN if open_ else otherwise, clauses)

    def _ask(self, clause: Ask) -> Finding:
        simple = clause.comparison
        if simple is not None and simple.fact in self.values:
            outcome = Outcome.HOLDS if simple.holds(self.values[simple.fact]) else Outcome.FAILS
            result = ClauseResult(clause.text, outcome, {simple.fact: self.shown[simple.fact]})
        else:
            result = self._answer(clause)
        found = self._answers[clause.text] = Finding(result.outcome, (result,))
        return found

    def _answer(self, clause: Ask) -> ClauseResult:
        """Ask the engine, unless a fact is missing."""
        absent = [name for name in clause.facts if name not in self.values]
        values = {name: self.shown[name] for name in clause.facts if name in self.shown}
        if absent:
            because = "; ".join(self.missing.get(name, f"fact {name} is missing") for name in absent)
            return ClauseResult(clause.text, Outcome.UNKNOWN, values, because)
        try:
            holds = self._engine.evaluate(clause.program, self._bound)
        except EngineError as error:
            return ClauseResult(clause.text, Outcome.UNKNOWN, values, f"the condition failed: {error}")
        return ClauseResult(clause.text, Outcome.HOLDS if holds else Outcome.FAILS, values)


_FLIPPED = {Outcome.HOLDS: Outcome.FAILS, Outcome.FAILS: Outcome.HOLDS, Outcome.UNKNOWN: Outcome.UNKNOWN}


def _opposite(finding: Finding) -> Finding:
    clauses = tuple(
        replace(clause, text=f"!({clause.text})", outcome=_FLIPPED[clause.outcome]) for clause in finding.clauses
    )
    return Finding(outcome=_FLIPPED[finding.outcome], clauses=clauses)


def _node(raw: object, engine: Engine, report: Report, path: Path) -> Condition:
    if len(path) > 2 * MAX_DEPTH:
        report(path, ConditionError("the condition is nested too deeply", 0, "use fewer levels of all, any and not"))
    elif isinstance(raw, str):
        try:
            return _split(raw, tokens_of(raw), engine, 0)
        except ConditionError as error:
            report(path, error)
    elif raw is True:
        return ALWAYS
    elif isinstance(raw, dict) and len(raw) == 1 and (word := next(iter(raw))) in _TREE_WORDS:
        return _branch(str(word), raw[word], engine, report, (*path, str(word)))
    else:
        message = "a condition is a text, `true`, or one of all, any and not"
        report(path, ConditionError(message, 0, 'write it as: all: [order.total < 20, ticket.reason == "damaged"]'))
    return ALWAYS


def _branch(word: str, value: object, engine: Engine, report: Report, path: Path) -> Condition:
    if word == "not":
        return Not(_node(value, engine, report, path))
    if not isinstance(value, list) or not value:
        report(path, ConditionError(f"`{word}` needs a list of conditions", 0, f"write it as: {word}: [order.known]"))
        return ALWAYS
    parts = tuple(_node(part, engine, report, (*path, at)) for at, part in enumerate(value))
    return AllOf(parts) if word == "all" else AnyOf(parts)


def _split(text: str, tokens: tuple[Token, ...], engine: Engine, depth: int) -> Condition:
    """Split a text at its outermost `||`, then `&&`, then open `!` and parentheses, down to single clauses."""
    if depth > MAX_DEPTH:
        raise ConditionError("the condition is nested too deeply", tokens[0].column, "use fewer parentheses")
    for sign, join in (("||", AnyOf), ("&&", AllOf)):
        parts = _parts(tokens, sign)
        if len(parts) > 1:
            return join(tuple(_split(text, part, engine, depth + 1) for part in parts))
    first = tokens[0]
    if first.value == "!":
        return Not(_negated(text, tokens, engine, depth))
    if first.value == "(" and _closing(tokens) == len(tokens) - 1:
        inner = tokens[1:-1]
        if not inner:
            raise ConditionError("nothing stands in these parentheses", first.column)
        return _split(text, inner, engine, depth + 1)
    clause = check_clause(text, tokens)
    if not clause.facts:
        if clause.text == "true":
            return ALWAYS
        raise ConditionError("this asks about no fact", first.column, "compare a fact with a value")
    try:
        program = engine.compile(clause.engine_text)
    except EngineError as error:
        raise ConditionError(f"{engine.name} refuses the clause: {error}", first.column) from None
    return Ask(clause.text, clause.facts, program, clause.comparison)


def _negated(text: str, tokens: tuple[Token, ...], engine: Engine, depth: int) -> Condition:
    rest = tokens[1:]
    if not rest:
        raise ConditionError("the clause ends too early", tokens[0].end, "a condition is missing behind !")
    whole = rest[0].value == "(" and _closing(rest) == len(rest) - 1
    if not whole and any(token.value in RELATIONS for token in rest if token.kind != "text"):
        raise ConditionError("! stands before a comparison", tokens[0].column, "put the comparison in parentheses")
    return _split(text, rest, engine, depth + 1)


def _closing(tokens: tuple[Token, ...]) -> int:
    """Return where the parenthesis that the first token opens is closed."""
    level = 0
    for at, token in enumerate(tokens):
        level += (token.value == "(") - (token.value == ")")
        if level == 0:
            return at
    raise ConditionError("this parenthesis is never closed", tokens[0].column, "add )")


def _parts(tokens: tuple[Token, ...], sign: str) -> list[tuple[Token, ...]]:
    parts: list[tuple[Token, ...]] = []
    level, start = 0, 0
    for at, token in enumerate(tokens):
        level += (token.value in {"(", "["}) - (token.value in {")", "]"})
        if level < 0:
            raise ConditionError(f"{token.value!r} closes nothing", token.column, "take it away")
        if level == 0 and token.kind == "sign" and token.value == sign:
            parts.append(_part(tokens, start, at, token))
            start = at + 1
    if start:
        parts.append(_part(tokens, start, len(tokens), tokens[start - 1]))
        return parts
    return [tokens]


def _part(tokens: tuple[Token, ...], start: int, end: int, sign: Token) -> tuple[Token, ...]:
    if start == end:
        raise ConditionError(
            f"a clause is missing beside {sign.value}", sign.column, "write one, or take the sign away"
        )
    return tokens[start:end]
