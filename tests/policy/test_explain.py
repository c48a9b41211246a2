"""An explanation is read by people: what one fact rules out is told once, and the seller's own rows each by itself."""

from __future__ import annotations

from aftersail.core.policy import decide, explain, make_facts
from aftersail.core.policy.expressions import Outcome
from tests.policy.shipped import NOW, PLAIN, shipped

FACTS = PLAIN | {"ticket__reason": "minor_defect", "ticket__connector": "shopify", "order__country": "US"}


def rejected(text: str) -> list[str]:
    lines = text.partition("What did not count\n")[2].partition("\n\n")[0].splitlines()
    return [line.strip() for line in lines]


def test_what_one_fact_rules_out_is_told_once_for_each_pack() -> None:
    decision = decide(shipped("starter"), make_facts(**FACTS), NOW)
    lines = rejected(explain(decision))
    assert (
        "pack law-eu@1 (law-eu.yaml): order.country is AT or BE or BG or CY or 23 others - no, order.country is US"
        in lines
    )
    assert not any(row.pack == "law-eu@1" for row in decision.trace.rows)


def test_rows_the_same_facts_rule_out_are_told_together() -> None:
    facts = FACTS | {"ticket__reason": "return_request", "order__country": "ES"}
    decision = decide(shipped("starter"), make_facts(**facts), NOW)
    (others,) = [
        line for line in rejected(explain(decision)) if "filing window" in line and line.startswith("law-eu@1")
    ]
    assert others.startswith(
        "law-eu@1, 26 x filing window (eu-at, eu-be, eu-bg, eu-cy and 22 more): order.country is AT - no"
    )


def test_each_rule_of_the_seller_is_told_with_the_clause_that_failed() -> None:
    decision = decide(shipped("starter"), make_facts(**FACTS), NOW)
    text = "\n".join(rejected(explain(decision)))
    for row in decision.trace.with_outcome(Outcome.FAILS):
        if row.section == "rule":
            assert f"rule {row.row} ({row.where}): " in text
            assert all(clause.text in text for clause in row.clauses)
