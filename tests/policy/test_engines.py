"""One language on two engines: every case runs on both, and both give the same answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersail.core.policy.engines import CelExprEngine, Engine, RustCelEngine
from aftersail.core.policy.expressions import (
    AllOf,
    AnyOf,
    Ask,
    Condition,
    Finding,
    Not,
    Outcome,
    View,
    compile_condition,
)
from aftersail.core.policy.facts import FactType
from aftersail.core.policy.rule_index import RuleIndex
from aftersail.core.policy.syntax import ConditionError

ENGINES = (CelExprEngine(), RustCelEngine())
VALUES = {
    "order.total": 19.99,
    "claim.amount": 20.0,
    "ticket.reason": "minor_defect",
    "ticket.language": "de-AT",
    "ticket.escalation": False,
    "order.known": True,
    "order.lines": 3,
    "order.skus": ["A-1", "B-2"],
    "order.placed_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
}

TRUE, FALSE, OPEN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN


def compiled(raw: object, engine: Engine) -> Condition:
    problems: list[ConditionError] = []
    condition = compile_condition(raw, engine, lambda _, error: problems.append(error))
    assert not problems
    return condition


def by_engine(condition: Condition) -> Condition:
    """Take what Python could answer by itself out of a condition, so that the engine answers every clause."""
    match condition:
        case Ask():
            return replace(condition, comparison=None)
        case Not():
            return Not(by_engine(condition.part))
        case AllOf():
            return AllOf(tuple(map(by_engine, condition.parts)))
        case AnyOf():
            return AnyOf(tuple(map(by_engine, condition.parts)))
        case _:
            return condition


def judge(engine: Engine, condition: Condition, values: dict[str, object] = VALUES) -> Finding:
    return View(engine, values, {name: str(value) for name, value in values.items()}, {}).judge(condition)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("way", [by_engine, lambda condition: condition], ids=["engine", "as_compiled"])
@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("order.total < 20", TRUE),
        ("claim.amount < 20", FALSE),
        ("claim.amount <= 20", TRUE),
        ("claim.amount == 20", TRUE),
        ("claim.amount == 20.00", TRUE),
        ("20 > order.total", TRUE),
        ("order.total < claim.amount", TRUE),
        ("order.total in [5, 19.99]", TRUE),
        ("order.total > -1", TRUE),
        ("order.lines >= 3", TRUE),
        ("order.lines in [1, 2]", FALSE),
        ('ticket.reason == "minor_defect"', TRUE),
        ("ticket.reason == 'minor_defect'", TRUE),
        ('ticket.reason != "damaged"', TRUE),
        ('ticket.reason in ["damaged", "unusable"]', FALSE),
        ('"A-1" in order.skus', TRUE),
        ("size(order.skus) == 2", TRUE),
        ('ticket.language.startsWith("de")', TRUE),
        ('ticket.language.endsWith("AT")', TRUE),
        ('ticket.language.contains("&& ||")', FALSE),
        ("ticket.escalation", FALSE),
        ("!ticket.escalation", TRUE),
        ("ticket.escalation == false", TRUE),
        ('order.placed_at < timestamp("2026-11-22T13:00:00Z")', TRUE),
        ('order.placed_at >= timestamp("2026-11-22T14:00:00+01:00")', FALSE),
        ("order.known && ticket.escalation", FALSE),
        ("order.known || ticket.escalation", TRUE),
        ("ticket.escalation && ticket.escalation || order.known", TRUE),
        ("ticket.escalation && (ticket.escalation || order.known)", FALSE),
        ("!(order.known && order.lines > 5)", TRUE),
        ({"all": ["order.known", {"not": "ticket.escalation"}]}, TRUE),
        ({"any": ["ticket.escalation", "order.lines == 4"]}, FALSE),
        (True, TRUE),
        ("true", TRUE),
        # What nobody knows is neither true nor false, unless the rest decides.
        ("order.delivered", OPEN),
        ("!order.delivered", OPEN),
        ("order.delivered && order.known", OPEN),
        ("order.delivered && ticket.escalation", FALSE),
        ("order.delivered || order.known", TRUE),
        ("order.delivered || ticket.escalation", OPEN),
    ],
)
def test_both_engines_agree(
    engine: Engine, way: Callable[[Condition], Condition], condition: object, outcome: Outcome
) -> None:
    assert judge(engine, way(compiled(condition, engine))).outcome is outcome


@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2))
def test_two_decimal_amounts_compare_exactly_on_both(amount, literal) -> None:
    values = {"order.total": float(amount)}
    for engine in ENGINES:
        for relation, expected in (("<", amount < literal), ("==", amount == literal), (">=", amount >= literal)):
            condition = compiled(f"order.total {relation} {literal}", engine)
            for way in (condition, by_engine(condition)):
                assert (judge(engine, way, values).outcome is TRUE) is expected


_INT64 = st.integers(-(2**63), 2**63 - 1)
_NEAR = st.integers(-3, 3)
_CENTS = st.one_of(st.integers(-300, 300), st.integers(-(10**13), 10**13)).map(lambda cents: f"{cents / 100:.2f}")
_WORDS = st.one_of(st.sampled_from(["a", "A", "", "ä", "a b", "true", "1"]), st.text("aä🙂'\"\\ \t", max_size=3))
_KINDS = {
    FactType.TEXT: (["ticket.language", "customer.value"], ("==", "!=", "in"), _WORDS),
    FactType.BOOL: (["order.known", "item.custom"], ("==", "!="), st.booleans()),
    FactType.INT: (["order.lines", "buyer.orders"], ("==", "!=", "<", "<=", ">", ">=", "in"), _NEAR | _INT64),
    FactType.MONEY: (["order.total", "claim.amount"], ("==", "!=", "<", "<=", ">", ">=", "in"), _CENTS),
}
_SIMPLE = {name: kind for kind, (names, _, _) in _KINDS.items() for name in names}


def _literal(kind: FactType, value: object) -> str:
    if kind is FactType.TEXT:
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        return f'"{escaped}"'
    return str(value).lower()


@st.composite
def _clauses(draw: st.DrawFn) -> str:
    """A clause that holds a fact against literals, the fact alone or on either side."""
    kind = draw(st.sampled_from(sorted(_KINDS)))
    names, relations, values = _KINDS[kind]
    fact, relation = draw(st.sampled_from(names)), draw(st.sampled_from(relations))
    if kind is FactType.BOOL and draw(st.booleans()):
        return fact
    if relation == "in":
        several = draw(st.lists(values, min_size=1, max_size=3))
        return f"{fact} in [{', '.join(_literal(kind, value) for value in several)}]"
    literal = _literal(kind, draw(values))
    return f"{literal} {relation} {fact}" if draw(st.integers(0, 4)) == 0 else f"{fact} {relation} {literal}"


_TREES = st.recursive(
    _clauses(),
    lambda parts: st.one_of(
        st.fixed_dictionaries({"not": parts}),
        st.fixed_dictionaries({"all": st.lists(parts, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(parts, min_size=1, max_size=3)}),
    ),
    max_leaves=5,
)
_FACTS = st.fixed_dictionaries(
    {},
    optional={
        name: _KINDS[kind][2].map(float) if kind is FactType.MONEY else _KINDS[kind][2]
        for name, kind in _SIMPLE.items()
    },
)


@settings(max_examples=400, deadline=None)
@given(raw=_TREES, values=_FACTS)
def test_what_python_answers_is_what_the_engines_answer(raw: object, values: dict[str, object]) -> None:
    for engine in ENGINES:
        condition = compiled(raw, engine)
        assert judge(engine, condition, values) == judge(engine, by_engine(condition), values)


@settings(max_examples=200, deadline=None)
@given(raws=st.lists(_clauses() | _TREES, min_size=5, max_size=12), values=_FACTS)
def test_a_rule_that_the_index_passes_over_fails(raws: list[object], values: dict[str, object]) -> None:
    engine = ENGINES[0]
    conditions = [compiled(raw, engine) for raw in raws]
    found = RuleIndex(conditions).candidates(values)
    assert found == sorted(set(found))
    passed_over = set(range(len(conditions))) - set(found)
    assert all(judge(engine, by_engine(conditions[at]), values).outcome is FALSE for at in passed_over)


def test_the_index_finds_the_rules_for_a_value() -> None:
    texts = ['customer.value == "a"', 'customer.value in ["b", "a"]', "order.known", 'customer.value == "b"']
    index = RuleIndex([compiled(text, ENGINES[0]) for text in texts])
    assert index.candidates({"customer.value": "a"}) == [0, 1, 2]
    assert index.candidates({"customer.value": "c"}) == [2]
    assert index.candidates({}) == [0, 1, 2, 3]
