"""Who answers, who pays, by when, by which way, whose choice: law, marketplace and own offer added up."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aftersail.core.clocks import Metric, SourceKind, effective, start
from aftersail.core.contract import Money
from aftersail.core.policy import Decision, Entitlement, Reason, decide, explain
from aftersail.core.policy.expressions import Outcome
from tests.policy.test_windows import ONLY_MINE, US
from tests.policy.world import LAW, LIABILITY, World, day, facts

BERLIN = ZoneInfo("Europe/Berlin")
FAULTS = ("unusable", "damaged", "minor_defect", "wrong_item", "not_as_described", "missing_parts", "not_received")


def entitlement(decision: Decision) -> Entitlement:
    assert decision.entitlement is not None
    return decision.entitlement


def payers(decision: Decision) -> dict[str, str | None]:
    return {share.component.value: share.payer for share in entitlement(decision).costs}


class TestLiability:
    @pytest.mark.parametrize("reason", list(Reason))
    def test_f23_every_reason_has_exactly_one_liable_party(self, world: World, reason: Reason) -> None:
        pack = world.pack(LIABILITY, head=ONLY_MINE)
        decision = decide(pack, facts(ticket__reason=reason, claim__right="fault"), day("2026-11-22"))
        liable = entitlement(decision).liable
        assert liable is not None
        assert liable.party == ("merchant" if reason in FAULTS else "buyer")
        matched = [row for row in decision.trace.rows if (row.section, row.outcome) == ("liability", Outcome.HOLDS)]
        assert len(matched) == 1

    def test_f23_a_reason_nobody_answers_for_is_refused(self, world: World) -> None:
        (problem,) = world.problems(LIABILITY.replace("invoice,", ""), head=ONLY_MINE)
        assert problem.message == "nobody is liable for invoice"
        assert "reasons: [invoice]" in problem.fix

    def test_f23_a_reason_two_answer_for_is_refused(self, world: World) -> None:
        (problem,) = world.problems(LIABILITY.replace("invoice,", "invoice, damaged,"), head=ONLY_MINE)
        assert problem.message == "damaged has a liable party already, in row ours"

    def test_the_more_specific_row_counts(self, world: World) -> None:
        body = LIABILITY + "  - {id: parcel, reasons: [damaged], party: carrier, when: {country: US}}\n"
        assert entitlement(world.decide(body, ticket__reason="damaged", **US)).liable.party == "carrier"
        assert entitlement(world.decide(body, ticket__reason="unusable", **US)).liable.party == "merchant"

    def test_the_laws_party_goes_before_the_sellers_where_that_is_the_buyer(self, world: World) -> None:
        body = LIABILITY.replace("merchant}", "buyer, yields: true}")
        assert entitlement(world.decide(body, ticket__reason="damaged")).liable.party == "merchant"
        assert entitlement(world.decide(body, ticket__reason="damaged", **US)).liable.party == "buyer"

    def test_where_no_row_speaks_nobody_is_guessed(self, world: World) -> None:
        liable = entitlement(world.decide(ticket__reason="return_request")).liable
        assert liable.party is None
        assert "no row says who answers for return_request" in liable.why


class TestCosts:
    COSTS = (
        "costs:\n"
        "  - {id: freight, component: return_freight, payer: merchant}\n"
        "  - {id: freight-theirs, component: return_freight, liable: [buyer], payer: buyer}\n"
        "  - {id: duty, component: duty, payer: merchant}\n"
        "  - {id: duty-theirs, component: duty, liable: [buyer], payer: buyer}\n"
    )

    @pytest.mark.parametrize(
        ("reason", "payer"),
        [("not_as_described", "merchant"), ("minor_defect", "merchant"), ("return_request", "buyer")],
    )
    @pytest.mark.parametrize("country", ["DE", "US"])
    def test_f21_a_fault_is_the_merchants_freight_a_change_of_mind_the_buyers(
        self, world: World, reason: str, payer: str, country: str
    ) -> None:
        decision = world.decide(LIABILITY + self.COSTS, ticket__reason=reason, order__country=country)
        assert payers(decision)["return_freight"] == payer

    @pytest.mark.parametrize(("reason", "payer"), [("wrong_item", "merchant"), ("return_request", "buyer")])
    def test_f22_duty_follows_fault_and_has_an_amount_where_it_is_known(
        self, world: World, reason: str, payer: str
    ) -> None:
        known = {"cost__duty": Money.of("12.34", "EUR"), "ticket__reason": reason}
        duty = entitlement(world.decide(LIABILITY + self.COSTS, **known)).share("duty")
        assert (duty.payer, duty.amount) == (payer, Money.of("12.34", "EUR"))
        duty = entitlement(world.decide(LIABILITY + self.COSTS, ticket__reason=reason)).share("duty")
        assert (duty.amount, duty.why) == (None, "fact cost.duty is missing")

    def test_f22_duty_nobody_knows_is_estimated_with_the_source_and_day_of_the_rate(self, world: World) -> None:
        body = (
            LIABILITY
            + "sources: {tariff: {page: Tariff 6403, checked_on: 2026-03-01, verified: true}}\n"
            + "costs: [{id: duty, component: duty, liable: [buyer], payer: buyer, estimate: 12.5, source: tariff}]\n"
        )
        claim = {"claim__amount": Money.of("20.00", "EUR")}
        share = entitlement(world.decide(body, **claim)).share("duty")
        assert (share.payer, share.amount, share.estimated) == ("buyer", Money.of("2.50", "EUR"), True)
        assert share.why == "estimated at 12.5 % of 20.00 EUR = 2.50 EUR (rate of Tariff 6403, checked 2026-03-01)"
        known = entitlement(world.decide(body, cost__duty=Money.of("3", "EUR"), **claim)).share("duty")
        assert (known.amount, known.estimated) == (Money.of("3.00", "EUR"), False)
        assert "fact claim.amount is missing" in entitlement(world.decide(body)).share("duty").why
        (problem,) = world.problems(body.replace(", source: tariff", ""))
        assert problem.message == "an estimate without a source"

    def test_standard_freight_goes_back_and_express_does_not(self, world: World) -> None:
        found = payers(world.decide(LIABILITY))
        assert (found["outbound_standard"], found["outbound_express"]) == ("merchant", "buyer")

    def test_the_seller_may_bear_more_than_the_law_asks(self, world: World) -> None:
        body = LIABILITY + "costs: [{id: free, component: return_freight, payer: merchant}]\n"
        decision = world.decide(body, ticket__reason="return_request")
        share = entitlement(decision).share("return_freight")
        assert (share.payer, share.ground.row) == ("merchant", "free")
        lost = next(row for row in decision.trace.rows if row.row == "back-buyer")
        assert lost.notes == ("free of mine counts, which is no worse for the buyer",)

    def test_a_fee_is_kept_back_only_where_no_law_forbids_it(self, world: World) -> None:
        body = "costs: [{id: fee, component: restocking, percent: 15, yields: true}]\n"
        known = {"claim__amount": Money.of("19.99", "EUR")}
        american = world.decide(body, **US, **known)
        share = entitlement(american).share("restocking")
        assert (share.payer, share.percent, share.amount) == ("buyer", 15, Money.of("3.00", "EUR"))
        assert "restocking: 15 % of 19.99 EUR = 3.00 EUR" in american.trace.money
        assert payers(world.decide(body, **known))["restocking"] == "merchant"

    def test_what_hangs_on_a_party_nobody_knows_stays_open(self, world: World) -> None:
        share = entitlement(world.decide(self.COSTS, **US)).share("duty")
        assert share.payer is None
        assert "no row says who" in share.why


class TestRefundDue:
    def promised(self, decision: Decision) -> list[tuple[str, str, datetime | None]]:
        return [
            (target.row, target.source.label, target.start_at)
            for target in decision.targets
            if target.metric is Metric.REFUND_PAID
        ]

    def test_fourteen_days_from_the_notice_held_until_goods_or_proof(self, world: World) -> None:
        due = entitlement(world.decide()).refund_due
        assert due.due_at == datetime(2026, 12, 1, tzinfo=BERLIN)
        assert (due.held, due.hold_until, due.ground.row) == (True, "goods_or_proof", "due")
        assert "not before the goods or the proof of their return" in due.why

    @pytest.mark.parametrize(
        ("known", "due_at"),
        [
            ({"claim__return_proof_at": day("2026-11-20")}, datetime(2026, 12, 1, tzinfo=BERLIN)),
            ({"claim__return_proof_at": day("2026-12-24")}, day("2026-12-24")),
            (
                {"claim__return_proof_at": day("2026-12-24"), "claim__goods_back_at": day("2026-12-20")},
                day("2026-12-20"),
            ),
        ],
    )
    def test_goods_or_proof_whichever_comes_first_release_it(
        self, world: World, known: dict[str, datetime], due_at: datetime
    ) -> None:
        due = entitlement(world.decide(**known)).refund_due
        assert (due.due_at, due.held) == (due_at, False)

    def test_the_earliest_of_all_counts_and_each_is_a_clock(self, world: World) -> None:
        decision = world.decide(ticket__connector="amazon", claim__goods_back_at=day("2026-11-20T08:00"))
        due = entitlement(decision).refund_due
        assert (due.due_at, due.ground.row, due.ground.source.kind) == (
            day("2026-11-22T08:00"),
            "two-days",
            SourceKind.MARKETPLACE,
        )
        assert self.promised(decision) == [
            ("due", "law: law-x", day("2026-11-16T10:00")),
            ("two-days", "marketplace: market-m", day("2026-11-20T08:00")),
        ]
        pack = world.pack()
        clocks = [start(t, pack.calendar(t.calendar), day("2020-01-01")) for t in decision.targets]
        assert min(clock.due_at for clock in clocks if clock.metric is Metric.REFUND_PAID) == due.due_at

    def test_what_came_too_late_makes_nothing_due_until_somebody_agrees(self, world: World) -> None:
        late = {"claim__filed_at": day("2027-01-20"), "at": day("2027-01-21")}
        decision = world.decide(**late)
        assert (entitlement(decision).refund_due, self.promised(decision)) == (None, [])
        row = next(row for row in decision.trace.rows if row.row == "due")
        assert row.notes == ("a notice makes nothing due here: the window is closed",)
        back = world.decide(ticket__connector="amazon", claim__goods_back_at=day("2027-01-20"), **late)
        assert [row for row, *_ in self.promised(back)] == ["two-days"]

    def test_f20_48_hours_count_from_eligibility_and_not_from_the_ticket(self, world: World) -> None:
        body = "refund_due: [{id: fast, right: withdrawal, duration: 48h, basis: elapsed, start: eligible}]\n"
        waiting = world.decide(body, **US)
        assert entitlement(waiting).refund_due.due_at is None
        assert self.promised(waiting) == []
        eligible = day("2026-11-20T08:00")
        decision = world.decide(body, claim__eligible_at=eligible, **US)
        assert entitlement(decision).refund_due.due_at == eligible + timedelta(hours=48)
        (target,) = [target for target in decision.targets if target.metric is Metric.REFUND_PAID]
        assert start(target, None, day("2026-11-16")).due_at == eligible + timedelta(hours=48)

    def test_f20_the_way_back_is_the_original_then_the_balance(self, world: World) -> None:
        body = "routes: [{id: ways, right: withdrawal, order: [original, balance]}]\n"
        routes = entitlement(world.decide(body)).routes
        assert routes.order == ("original", "balance")
        assert routes.store_credit_needs_consent
        assert routes.ground.row == "same-means"


class TestRemedies:
    def test_the_buyers_choice_goes_before_the_sellers(self, world: World) -> None:
        body = "remedies: [{id: ours, right: fault, choice: merchant, options: [partial_refund], yields: true}]\n"
        german = entitlement(world.decide(body, ticket__reason="damaged")).remedies
        assert (german.choice, german.options) == ("buyer", ("repair", "replacement", "partial_refund"))
        american = entitlement(world.decide(body, ticket__reason="damaged", **US)).remedies
        assert (american.choice, american.options) == ("merchant", ("partial_refund",))

    def test_the_choice_is_the_buyers_wherever_somebody_gives_it(self, world: World) -> None:
        world.write("law-x", LAW.replace("choice: buyer", "choice: merchant"))
        body = "remedies: [{id: ours, right: fault, choice: buyer, options: [refund]}]\n"
        found = entitlement(world.decide(body, ticket__reason="damaged")).remedies
        assert (found.choice, found.options, found.ground.row) == ("buyer", ("refund", "repair", "replacement"), "ours")


class TestUnverified:
    def test_what_nobody_verified_promises_and_charges_nothing(self, world: World) -> None:
        world.write("law-x", LAW.replace("verified: true", "verified: false"))
        decision = world.decide()
        found = entitlement(decision)
        assert {share.component.value: share.payer for share in found.costs if share.component != "return_freight"} == {
            "item": None,
            "outbound_standard": None,
            "outbound_express": None,
            "restocking": None,
        }
        assert found.share("item").why == "row item of law-x is not verified"
        assert (found.refund_due, found.routes, found.remedies) == (None, None, None)
        assert [target for target in decision.targets if target.metric is Metric.REFUND_PAID] == []
        assert entitlement(world.decide(ticket__reason="damaged")).liable.party is None

    def test_beside_the_sellers_own_word_it_only_keeps_the_buyer_from_paying(self, world: World) -> None:
        world.write("law-x", LAW.replace("verified: true", "verified: false"))
        bearing = "costs: [{id: ours, component: return_freight, payer: merchant}]\n"
        assert payers(world.decide(LIABILITY + bearing))["return_freight"] == "merchant"
        charging = bearing.replace("return_freight, payer: merchant", "item, payer: buyer")
        assert payers(world.decide(LIABILITY + charging))["item"] is None


class TestHighRisk:
    BODY = (
        "high_risk: {refund_rate_over: 30, minimum_orders: 3}\n"
        "rules:\n"
        "  - {id: risk, priority: 1, when: buyer.high_risk, then: [{flag: high-risk},"
        " {ask_person: {why: a senior looks at it}}]}\n"
    )

    @pytest.mark.parametrize(
        ("refunds", "orders", "flagged"),
        [(3, 10, False), (4, 10, True), (1, 1, False), (2, 2, False), (10, 33, True), (30, 100, False)],
    )
    def test_vector_36_f28_more_than_thirty_in_a_hundred_with_a_minimum_sample(
        self, world: World, refunds: int, orders: int, flagged: bool
    ) -> None:
        decision = world.decide(self.BODY, head=ONLY_MINE, buyer__orders=orders, buyer__refunds=refunds)
        assert [action.kind for action in decision.actions] == (["ask_person", "flag"] if flagged else [])

    def test_vector_36_one_of_one_is_asked_about_where_the_pack_says_so(self, world: World) -> None:
        body = self.BODY.replace("minimum_orders: 3", "minimum_orders: 3, below_sample: ask")
        decision = world.decide(body, head=ONLY_MINE, buyer__orders=1, buyer__refunds=1)
        (ask,) = decision.asks
        assert "buyer.orders is 1, fewer than the 3 that tell anything" in ask.why

    def test_a_buyer_nobody_knows_is_no_low_risk(self, world: World) -> None:
        (ask,) = world.decide(self.BODY, head=ONLY_MINE).asks
        assert "fact buyer.high_risk is missing" in ask.why


def test_f03_two_channels_differ_in_nothing_but_the_channel(world: World) -> None:
    body = LIABILITY + TestCosts.COSTS
    one = world.decide(body, ticket__channel="a", ticket__connector="shopify")
    other = world.decide(body, ticket__channel="b", ticket__connector="ebay")
    assert (one.actions, one.targets, one.entitlement) == (other.actions, other.targets, other.entitlement)


def test_vector_30_the_marketplaces_answer_comes_before_the_own_one_and_is_named(world: World) -> None:
    body = (
        "calendars: {shop: {timezone: Asia/Shanghai, hours: 'Mo-Fr 09:00-18:00'}}\n"
        "targets:\n"
        "  - {id: ours, clocks: [{metric: first_response, duration: 4h, basis: business_time, calendar: shop}]}\n"
    )
    shanghai = ZoneInfo("Asia/Shanghai")
    at = datetime(2026, 11, 20, 17, 30, tzinfo=shanghai)
    decision = world.decide(body, ticket__connector="amazon", at=at)
    pack = world.pack(body)
    clocks = [start(target, pack.calendar(target.calendar), at) for target in decision.targets]
    responses = [clock for clock in clocks if clock.metric is Metric.FIRST_RESPONSE]
    assert {clock.source.label: clock.due_at for clock in responses} == {
        "own: mine": datetime(2026, 11, 23, 12, 30, tzinfo=shanghai),
        "marketplace: market-m": datetime(2026, 11, 21, 17, 30, tzinfo=shanghai),
    }
    first = effective(responses)
    assert first is not None
    assert first.source.label == "marketplace: market-m"


def test_a_law_binds_only_whom_it_says(world: World) -> None:
    targets = {target.row for target in world.decide(ticket__connector="ebay").targets}
    assert "answer" not in targets
    rows = world.decide(**US).trace.rows
    assert "withdrawal" not in {row.row for row in rows}
    unbound = [clause.text for row in rows if row.section == "pack" for clause in row.clauses]
    assert "order.country is DE or FR" in unbound


@pytest.mark.parametrize(
    ("reason", "right", "window", "promises"),
    [("return_request", "withdrawal", "withdrawal", ["due"]), ("damaged", "fault", "fault", [])],
)
def test_a_row_counts_for_its_own_right_only(
    world: World, reason: str, right: str, window: str, promises: list[str]
) -> None:
    decision = world.decide(
        ticket__reason=reason, claim__filed_at=day("2026-11-25"), order__delivered_last_at=day("2026-11-20")
    )
    found = entitlement(decision)
    assert (found.right, found.window.ground.row, found.window.open) == (right, window, True)
    assert [target.row for target in decision.targets] == promises
    assert (found.remedies is not None) is (right == "fault")
    assert (found.routes is not None) is (right == "withdrawal")


def test_a_row_may_be_for_formal_cases_only(world: World) -> None:
    body = (
        "targets: [{id: formal, when: {claim: [return_request, claim]},"
        " clocks: [{metric: return_answered, duration: 48h, basis: elapsed}]}]\n"
    )
    for kind, wanted in (("claim", True), ("message", False), ("dispute", False)):
        rows = {target.row for target in world.decide(body, claim__kind=kind).targets}
        assert ("formal" in rows) is wanted
    (problem,) = world.problems(body.replace("return_request, claim", "return_reqest"))
    assert "return_reqest" in problem.source


@pytest.mark.parametrize(
    ("known", "due_at"),
    [
        ({}, None),
        ({"claim__return_proof_at": day("2026-11-20")}, day("2026-11-22")),
        ({"claim__return_proof_at": day("2026-11-20"), "claim__goods_back_at": day("2026-11-19")}, day("2026-11-21")),
    ],
)
def test_a_refund_may_count_from_goods_or_proof(
    world: World, known: dict[str, datetime], due_at: datetime | None
) -> None:
    body = "refund_due: [{id: fast, right: withdrawal, duration: 48h, basis: elapsed, start: goods_or_proof}]\n"
    assert entitlement(world.decide(body, **US, **known)).refund_due.due_at == due_at


def test_the_explanation_tells_what_the_buyer_is_entitled_to_and_where_it_was_read(world: World) -> None:
    body = (
        LIABILITY
        + TestCosts.COSTS
        + "windows: [{id: ours, right: withdrawal, days: 7, start: delivered_last, yields: true}]\n"
        + "rules: [{id: back, priority: 1, when: window.open, then: [{offer_return: {label: true}}]}]\n"
    )
    known = {"cost__return_freight": Money.of("4.90", "EUR"), "ticket__connector": "amazon"}
    text = explain(world.decide(body, at=day("2027-07-01"), item__digital=None, **known))
    for said in (
        "by policy mine, version 1, which builds on law-x@1, market-m@1",
        "Offer the buyer a return, with a label, as rule back says.",
        "Asked for: withdrawal.",
        "In time: yes. Last parcel delivered Mon 2026-11-02 (UTC), 30 days, that day not counted: last day Wed 2026",
        "It ends at 2026-12-03 00:00:00 UTC, not included. [marketplace: market-m, row thirty, Help page 1]",
        "Answers for it: buyer. [own: mine, row theirs]",
        "Return freight: the buyer bears it, 4.90 EUR. [law: law-x, row back-buyer, Directive X, Art 9]",
        "Money back: by 2026-11-30 23:00:00 UTC, held.",
        "Way of the money: original; store credit only with consent.",
        "Help page 1, of market-m (rows thirty, two-days): nobody has looked it up since 2026-06-01",
        "filing window ours of mine@1 (mine.yaml:",
        "thirty of market-m is better for the buyer",
        "read in Help page 1 <https://m.example/help>, checked 2026-06-01",
        "exception custom of law-x@1 (law-x.yaml:18): item.custom - no, item.custom is no",
        "cannot rule out downloaded of law-x, Directive X, Art 16: fact item.digital is missing",
        "refund paid: 14 days (calendar days, calendar x-days; law: law-x, row due)",
    ):
        assert said in text, text


def test_every_answer_is_read_from_its_json(world: World) -> None:
    decision = world.decide(LIABILITY + TestCosts.COSTS, ticket__connector="amazon")
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
