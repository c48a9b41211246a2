"""What a condition may say, and what is said about one that may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.policy.engines import default_engine
from aftersail.core.policy.expressions import compile_condition
from aftersail.core.policy.facts import CATALOGUE
from aftersail.core.policy.syntax import MAX_LENGTH, ConditionError


def mistakes(condition: object) -> list[tuple[tuple[str | int, ...], ConditionError]]:
    found: list[tuple[tuple[str | int, ...], ConditionError]] = []
    compile_condition(condition, default_engine(), lambda path, error: found.append((path, error)))
    return found


@pytest.mark.parametrize(
    ("condition", "column", "message", "fix"),
    [
        ("order.totl < 20", 0, "no such fact: order.totl", "order.total"),
        ('order.total < "199.99"', 14, "text is compared with money", "without quotes"),
        ("ticket.reason in [1, 2]", 17, "whole number is compared with text", "ticket.reason is text"),
        ('ticket.reason == "minor_defct"', 17, "never", '"minor_defect"'),
        ('order.known && parcel.status == "lost"', 32, "never", "delivered"),
        ("has(order.total)", 0, "no such function", "leave it out"),
        ('ticket.language.startWith("de")', 0, "no such function", "startsWith"),
        ("order.total", 0, "money, not a question", "compare"),
        ("order.lines + 1 > 2", 12, "'+' means nothing", "calculate"),
        ("order.known and order.delivered", 12, "'and'", "&&"),
        ("order.lines = 2", 12, "'='", "=="),
        ("(order.known", 0, "never closed", ")"),
        ("order.known)", 11, "closes nothing", ""),
        ("order.known &&", 12, "missing beside &&", ""),
        ('ticket.reason == "damaged', 17, "never closed", '"'),
        ("order.lines < order.total", 14, "money is compared with whole number", ""),
        ('order.placed_at < timestamp("2026-11-22")', 28, "no instant", "timestamp("),
        ('ticket.reason < "x"', 14, "text has no order", "=="),
        ("1 < 2", 0, "no fact", ""),
        ("!order.lines == 2", 0, "! stands before", "parentheses"),
        ("", 0, "empty", "order.total < 20"),
        ("x" * (MAX_LENGTH + 1), 0, "characters", "split"),
        ("!" * 1000 + "order.known", 21, "too deeply", ""),
        ("(" * 40 + "order.known" + ")" * 40, 21, "too deeply", ""),
    ],
)
def test_a_mistake_is_named_with_its_column_and_fix(condition: str, column: int, message: str, fix: str) -> None:
    (_, error), *_ = mistakes(condition)
    assert message in error.message
    assert error.column == column
    assert fix in error.fix


def test_every_mistake_of_a_tree_is_told_with_its_path() -> None:
    found = mistakes({"all": ["order.known", {"not": "order.knwn"}, {"any": ["order.lines"]}, {"some": []}, 5]})
    assert [path for path, _ in found] == [("all", 1, "not"), ("all", 2, "any", 0), ("all", 3), ("all", 4)]


def test_a_tree_that_is_too_deep_is_refused() -> None:
    tree: object = "order.known"
    for _ in range(60):
        tree = {"not": tree}
    assert "too deeply" in mistakes(tree)[0][1].message


_WORDS = st.sampled_from(
    [*CATALOGUE, "&&", "||", "!", "(", ")", "[", "]", ",", "==", "<", "in", "20", "1.5", '"damaged"', "size", "true"]
)


@given(st.lists(_WORDS, max_size=12).map(" ".join) | st.text(max_size=60))
def test_any_text_is_compiled_or_refused_with_a_column_inside_it(text: str) -> None:
    for _, error in mistakes(text):
        assert 0 <= error.column <= len(text)
        assert error.message
