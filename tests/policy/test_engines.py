"""One language on two engines: every case runs on both, and both give the same answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.policy.engines import CelExprEngine, Engine, RustCelEngine
from aftersail.core.policy.expressions import Condition, Finding, Outcome, View, compile_condition
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


def judge(engine: Engine, raw: object) -> Finding:
    return View(engine, VALUES, {name: str(value) for name, value in VALUES.items()}, {}).judge(compiled(raw, engine))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
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
def test_both_engines_agree(engine: Engine, condition: object, outcome: Outcome) -> None:
    assert judge(engine, condition).outcome is outcome


@given(st.decimals(0, 10**9, places=2), st.decimals(0, 10**9, places=2))
def test_two_decimal_amounts_compare_exactly_on_both(amount, literal) -> None:
    for engine in ENGINES:
        view = View(engine, {"order.total": float(amount)}, {}, {})
        for relation, expected in (("<", amount < literal), ("==", amount == literal), (">=", amount >= literal)):
            condition = compiled(f"order.total {relation} {literal}", engine)
            assert (view.judge(condition).outcome is TRUE) is expected
