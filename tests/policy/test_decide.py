"""What a pack decides, and that money never leaves on a guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from aftersail.core.contract import Money
from aftersail.core.policy import CATALOGUE, Decision, Facts, FactType, Flag, Pack, Tag, decide, explain
from aftersail.core.policy.expressions import Outcome
from tests.policy.samples import F27

Decided = Callable[..., Decision]

HIGH_RISK = """\
rules:
  - id: high-risk
    priority: 1
    when: buyer.orders >= 3 && buyer.refund_rate_percent > 30 && ticket.reason == "return_request"
    then: [{flag: high-risk}, {ask_person: {why: a senior colleague looks at it}}]
"""


def rule(name: str, priority: int, then: str, when: str = "order.known") -> str:
    return f"  - {{id: {name}, priority: {priority}, when: {when}, then: [{then}]}}\n"


class TestVector33:
    def test_vector_33_f27_a_small_defect_pays_half_rounded_half_up_and_a_kind_word(self, decided: Decided) -> None:
        decision = decided(amount="19.99 USD")
        assert decision.refund is not None
        assert decision.refund.amount == Money.of("10.00", "USD")
        assert decision.reply is not None
        assert decision.reply.template == "soothing"
        assert not decision.asks

    @pytest.mark.parametrize("amount", ["20.00 USD", "199.99 USD", "19 EUR"])
    def test_vector_33_what_is_not_below_the_limit_does_not_match(self, decided: Decided, amount: str) -> None:
        decision = decided(amount=amount)
        assert decision.actions == ()
        assert decision.summary == "no tier; no rule matches, the ticket waits in the inbox"

    def test_vector_33_the_conversion_is_in_the_trace(self, decided: Decided) -> None:
        trace = decided(amount="19 EUR").trace
        assert "claim.amount: 19.00 EUR = 20.90 USD; 1 EUR = 1.10 USD (rates of 2026-01-01, by hand)" in trace.money
        (rejected,) = trace.with_outcome(Outcome.FAILS)
        assert [clause.text for clause in rejected.clauses] == ["claim.amount < 20"]

    def test_an_amount_abroad_that_is_small_enough_is_paid_in_its_own_currency(self, decided: Decided) -> None:
        refund = decided(amount="18.01 EUR").refund
        assert refund is not None
        assert refund.amount == Money.of("9.01", "EUR")


class TestVector34:
    def test_vector_34_half_of_1999_yen_is_1000_yen(self, decided: Decided) -> None:
        refund = decided(amount="1999 JPY").refund
        assert refund is not None
        assert refund.amount == Money.of("1000", "JPY")

    @pytest.mark.parametrize(
        "left",
        [
            {"order__refunded": Money.of("10", "USD"), "order__refundable": None},
            {"order__refundable": Money.of("5", "USD")},
            {"order__refundable": Money.of("5", "USD"), "order__refunded": Money.of("1", "USD")},
            {"order__refundable": Money.of("15", "USD"), "order__refunded": Money.of("10", "USD")},
        ],
    )
    def test_vector_34_more_than_is_left_is_capped_and_goes_to_a_person(self, decided: Decided, left: object) -> None:
        decision = decided(amount="15.00 USD", **left)
        assert decision.refund is None
        assert decision.reply is None
        (ask,) = decision.asks
        assert "more than the 5.00 USD that is left" in ask.why
        assert ask.proposed is not None
        assert ask.proposed.amount == Money.of("5.00", "USD")

    def test_nothing_left_means_nothing_is_proposed(self, decided: Decided) -> None:
        (ask,) = decided(order__refundable=Money.of("0", "USD")).asks
        assert ask.proposed is None


class TestVector36:
    @pytest.mark.parametrize(
        ("refunds", "orders", "flagged"), [(3, 10, False), (4, 10, True), (1, 1, False), (2, 2, False), (10, 33, True)]
    )
    def test_vector_36_more_than_thirty_in_a_hundred(
        self, decided: Decided, refunds: int, orders: int, flagged: bool
    ) -> None:
        counts = {"buyer__orders": orders, "buyer__refunds": refunds, "ticket__reason": "return_request"}
        decision = decided(HIGH_RISK, **counts)
        assert any(isinstance(action, Flag) and action.name == "high-risk" for action in decision.actions) is flagged
        assert bool(decision.asks) is flagged


class TestMoneyGuards:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"message__authentic": False}, "not proven to be from"),
            ({"message__authentic": None}, "not proven to be from"),
            ({"buyer__matches_order": False}, "not proven to be the one"),
            ({"buyer__matches_order": None}, "not proven to be the one"),
            ({"order__refundable": None}, "cannot tell what is left"),
            ({"order__refundable": Money.of("19", "EUR")}, "cannot tell what is left of the order in USD"),
            ({"claim__amount": None}, "claim.amount is missing"),
            ({"claim__amount": Money.of("0", "USD")}, "nothing to pay"),
            ({"claim__amount": Money.of("-5", "USD")}, "nothing to pay"),
        ],
    )
    def test_a_doubt_makes_a_person_decide_and_holds_the_reply(
        self, decided: Decided, changes: dict[str, object], why: str
    ) -> None:
        decision = decided(**changes)
        assert decision.refund is None
        assert decision.reply is None
        (ask,) = decision.asks
        assert why in ask.why

    @pytest.mark.parametrize(("amount", "paid"), [("40.00 USD", True), ("40.02 USD", False), ("36.38 EUR", False)])
    def test_above_the_authority_limit_a_person_decides(self, decided: Decided, amount: str, paid: bool) -> None:
        decision = decided(F27.replace("claim.amount < 20", "claim.amount < 1000"), amount)
        assert (decision.refund is not None) is paid
        assert [ask.proposed is not None for ask in decision.asks] == ([] if paid else [True])

    def test_a_currency_without_a_rate_is_no_amount_at_all(self, decided: Decided) -> None:
        decision = decided(amount="5.00 SEK")
        (ask,) = decision.asks
        assert "no rate for SEK to USD" in ask.why
        assert decision.refund is None

    def test_a_fixed_amount_is_paid_in_the_currency_of_the_claim(self, decided: Decided) -> None:
        refund = decided(F27.replace("percent: 50", 'amount: "5.50 USD"'), amount="10.00 EUR").refund
        assert refund is not None
        assert refund.amount == Money.of("5.00", "EUR")

    def test_a_fixed_amount_above_the_claim_goes_to_a_person(self, decided: Decided) -> None:
        decision = decided(
            F27.replace("percent: 50", 'amount: "5.00 USD"'), "3.00 USD", order__refundable=Money.of("9", "USD")
        )
        assert decision.refund is None
        assert "more than the 3.00 USD the claim" in decision.asks[0].why

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_whatever_is_known_no_refund_is_planned_beyond_the_limits(
        self, data: st.DataObject, pack_of: Callable[..., Pack], at: datetime
    ) -> None:
        pack = self._pack(pack_of)
        facts = Facts(data.draw(_facts()))
        decision = decide(pack, facts, at)
        assert decision == decide(pack, facts, at)
        assert Decision.model_validate_json(decision.model_dump_json()) == decision
        assert explain(decision)
        refund = decision.refund
        event(f"pays: {refund is not None}")
        if refund is None:
            return
        assert facts["message.authentic"] is True
        assert facts["buyer.matches_order"] is True
        claim, left = facts.money("claim.amount"), facts.money("order.refundable")
        assert claim is not None
        assert refund.amount <= claim
        assert left is None or refund.amount <= left
        assert refund.amount.amount > 0
        limit = pack.content.converted(refund.amount, "USD")
        assert limit is not None
        assert limit <= Money.of("20", "USD")
        assert not decision.asks

    _built: Pack | None = None

    def _pack(self, pack_of: Callable[..., Pack]) -> Pack:
        if TestMoneyGuards._built is None:
            TestMoneyGuards._built = pack_of(F27.replace("claim.amount < 20", "claim.amount < 90"))
        return TestMoneyGuards._built


def _facts() -> st.SearchStrategy[dict[str, object]]:
    amounts = st.builds(
        lambda cents, currency: (
            Money.of(cents, currency) if currency == "JPY" else Money.of(f"{cents / 100:.2f}", currency)
        ),
        st.integers(-100, 20_000),
        st.sampled_from(["USD", "USD", "EUR", "JPY", "SEK"]),
    )
    kinds = {
        FactType.MONEY: amounts,
        FactType.BOOL: st.sampled_from([True, True, False]),
        FactType.INT: st.integers(-5, 100),
    }
    optional = {name: kinds[fact.type] for name, fact in CATALOGUE.items() if fact.type in kinds}
    for name in ("claim.amount", "message.authentic", "buyer.matches_order"):
        optional.pop(name)
    good = {
        "ticket.reason": st.just("minor_defect"),
        "claim.amount": amounts,
        "message.authentic": st.sampled_from([True, True, True, False]),
        "buyer.matches_order": st.sampled_from([True, True, True, False]),
    }
    return st.fixed_dictionaries(good, optional=optional)


class TestOrderOfRules:
    PAY = "refund: {percent: 10}"
    ASK = "ask_person: {why: look}"
    HELLO = "reply: {template: hello}"

    def test_the_highest_priority_pays_and_the_others_say_why_not(self, decided: Decided) -> None:
        decision = decided("rules:\n" + rule("low", 1, self.PAY) + rule("high", 2, self.PAY), order__known=True)
        assert decision.refund is not None
        assert decision.refund.rule == "high"
        low = next(row for row in decision.trace.rows if row.row == "low")
        assert low.notes == ("not paid: high pays already",)

    def test_equal_priorities_that_both_pay_are_a_persons_matter_and_named(self, decided: Decided) -> None:
        either = "order.known || ticket.escalation"
        body = "rules:\n" + rule("one", 1, self.PAY) + rule("two", 1, self.PAY, either)
        decision = decided(body, order__known=True)
        assert decision.refund is None
        assert [ask.rule for ask in decision.asks] == ["one, two"]

    def test_once_a_person_is_asked_nothing_below_pays_or_answers(self, decided: Decided) -> None:
        body = "rules:\n" + rule("ask", 2, self.ASK) + rule("pay", 1, f"{self.PAY}, {self.HELLO}, {{flag: seen}}")
        decision = decided(body, order__known=True)
        assert [action.kind for action in decision.actions] == ["ask_person", "flag"]

    def test_a_rule_may_ask_a_person_and_tell_the_buyer(self, decided: Decided) -> None:
        decision = decided("rules:\n" + rule("ask", 2, f"{self.ASK}, {self.HELLO}, {{tag: t}}"), order__known=True)
        assert [action.kind for action in decision.actions] == ["ask_person", "reply", "tag"]
        assert isinstance(decision.actions[-1], Tag)

    def test_of_equal_priority_the_question_goes_before_the_money(self, decided: Decided) -> None:
        body = "rules:\n" + rule("pay", 1, f"{self.PAY}, {self.HELLO}") + rule("ask", 1, self.ASK)
        decision = decided(body, order__known=True)
        assert [action.kind for action in decision.actions] == ["ask_person"]

    def test_a_question_nobody_can_rule_out_holds_the_money_below(self, decided: Decided) -> None:
        body = "rules:\n" + rule("ask", 2, self.ASK, "ticket.escalation") + rule("pay", 1, self.PAY)
        decision = decided(body, order__known=True)
        assert decision.refund is None
        (ask,) = decision.asks
        assert "cannot tell whether rule ask asks a person: fact ticket.escalation is missing" in ask.why

    def test_an_answer_nobody_can_be_sure_of_is_not_sent_and_listed(self, decided: Decided) -> None:
        decision = decided("rules:\n" + rule("hello", 1, self.HELLO))
        assert decision.actions == ()
        (row,) = decision.trace.with_outcome(Outcome.UNKNOWN)
        assert row.notes == ("cannot tell: fact order.known is missing",)

    def test_of_two_answers_the_first_is_sent(self, decided: Decided) -> None:
        decision = decided("rules:\n" + rule("a", 1, self.HELLO) + rule("b", 1, self.HELLO), order__known=True)
        assert [action.rule for action in decision.actions] == ["a"]


TIERS = """\
calendars: {desk: {timezone: Europe/Berlin, hours: "Mo-Su 08:00-22:00"}}
tiers:
  - {tier: urgent, when: 'ticket.reason == "unusable"'}
  - {tier: dear, when: order.total > 100}
  - {tier: rest, when: true}
targets:
  - {id: all, clocks: [{metric: first_response, duration: 8h, basis: business_time, calendar: desk},
                       {metric: resolution, duration: 3d, basis: elapsed}]}
  - {id: rest, when: {tier: rest}, clocks: [{metric: first_response, duration: 4h, basis: elapsed, warn: 30m}]}
  - {id: rest-de, when: {tier: rest, language: de}, clocks: [{metric: first_response, duration: 15m, basis: elapsed}]}
  - {id: platform, when: {connector: amazon}, source: {kind: marketplace, name: amazon},
     clocks: [{metric: first_response, duration: 24h, basis: elapsed}]}
"""


class TestTiersAndTargets:
    def rows(self, decision: Decision) -> list[str]:
        return sorted(f"{target.metric}:{target.row}" for target in decision.targets)

    def test_the_first_row_that_holds_gives_the_tier(self, decided: Decided) -> None:
        assert decided(TIERS, ticket__reason="unusable").tier == "urgent"
        assert decided(TIERS).tier == "rest"
        assert decided(TIERS, "200.00 USD").tier == "dear"

    def test_a_row_nobody_can_tell_is_passed_over_and_a_person_is_asked(self, decided: Decided) -> None:
        decision = decided(TIERS, order__total=None)
        assert decision.tier == "rest"
        assert decision.asks[0].rule == "tier dear"

    def test_the_most_specific_row_wins_per_metric(self, decided: Decided) -> None:
        shop = {"ticket__connector": "shopify"}
        assert self.rows(decided(TIERS, ticket__language="fr", **shop)) == ["first_response:rest", "resolution:all"]
        assert self.rows(decided(TIERS, ticket__language="de-AT", **shop)) == [
            "first_response:rest-de",
            "resolution:all",
        ]

    def test_another_source_stands_beside_it(self, decided: Decided) -> None:
        decision = decided(TIERS, ticket__language="fr", ticket__connector="amazon")
        assert self.rows(decision) == ["first_response:platform", "first_response:rest", "resolution:all"]


def test_the_same_facts_on_two_channels_give_the_same_answer(decided: Decided) -> None:
    one = decided(ticket__channel="a", ticket__connector="shopify")
    other = decided(ticket__channel="b", ticket__connector="ebay")
    assert one.actions == other.actions
    assert one.targets == other.targets


def test_the_explanation_says_what_why_and_by_which_version(decided: Decided) -> None:
    text = explain(decided(amount="15.00 USD", order__refunded=Money.of("10", "USD")))
    for said in (
        "by policy mine, version 1",
        "Ask a person (rule small-defect): 7.50 USD is more than the 5.00 USD that is left of the order.",
        "It could pay 5.00 USD.",
        "50 % of 15.00 USD = 7.50 USD",
        "rule small-defect (mine.yaml:",
        "claim.amount < 20 - yes, claim.amount is 15.00 USD",
        "soothing not sent",
    ):
        assert said in text


GRADED = """
tiers:
  - {tier: urgent, when: 'ticket.reason == "not_received" || customer.value == "vip" || claim.severity == "high"'}
  - {tier: usual, when: true}
"""


@pytest.mark.parametrize(
    "change", [{"ticket__reason": "not_received"}, {"customer__value": "vip"}, {"claim__severity": "high"}]
)
def test_f12_one_input_alone_changes_the_tier(decided: Callable[..., Decision], change: dict[str, str]) -> None:
    """The kind of complaint, the customer's value and the severity; all else stays as it is."""
    plain = {"ticket__reason": "minor_defect", "customer__value": "regular", "claim__severity": "medium"}
    assert decided(GRADED, **plain).tier == "usual"
    assert decided(GRADED, **(plain | change)).tier == "urgent"
