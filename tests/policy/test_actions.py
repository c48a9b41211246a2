"""What rules may do beside paying and answering, who goes first, and what is refused before anything happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aftersail.core.contract import Money
from aftersail.core.policy import Decision, Pack, PackError, approver, may_pay
from tests.policy.samples import F27, HEAD

Decided = Callable[..., Decision]

PAY = "refund: {percent: 10}"
REPLACE = "offer_replacement: {}"
SEND_BACK = "offer_return: {label: true}"
LONGER = "extend_service: {duration: 30d}"
GIVE = "assign: {team: returns}"
TELL = "notify: {roles: [manager, agent], why: look at this}"
SENIOR = "approve: {role: supervisor, why: it is dear}"
HELLO = "reply: {template: hello}"
ASK = "ask_person: {why: look}"
RICH = HEAD.replace("{automation:", '{agent: "100.00 USD", supervisor: "500.00 USD", automation:')


def rules(*rows: tuple[str, int, str] | tuple[str, int, str, str]) -> str:
    text = "rules:\n"
    for name, priority, then, *when in rows:
        condition = when[0] if when else "order.known"
        text += f"  - {{id: {name}, priority: {priority}, when: '{condition}', then: [{then}]}}\n"
    return text


@pytest.fixture
def kinds(decided: Decided) -> Callable[..., list[str]]:
    def run(body: str, **known: object) -> list[str]:
        return [action.kind for action in decided(body, **({"order__known": True} | known)).actions]

    return run


class TestPlanned:
    @pytest.mark.parametrize(
        ("then", "brief", "sentence"),
        [
            (REPLACE, "offer a replacement", "Offer the buyer a replacement, as rule r says."),
            (SEND_BACK, "offer a return", "Offer the buyer a return, with a label, as rule r says."),
            ("offer_return: {label: false}", "offer a return", "Offer the buyer a return, as rule r says."),
            (LONGER, "prolong the service by 30 days", "Prolong the service by 30 days, as rule r says."),
            (GIVE, "assign to team returns", "Give the ticket to team returns, as rule r says."),
            (
                "assign: {role: supervisor}",
                "assign to somebody of the role supervisor",
                "Give the ticket to somebody of the role supervisor, as rule r says.",
            ),
            (TELL, "tell manager and agent", "Tell manager and agent (rule r): look at this."),
        ],
    )
    def test_an_action_is_planned_and_reads_well(self, decided: Decided, then: str, brief: str, sentence: str) -> None:
        decision = decided(rules(("r", 1, then)), order__known=True)
        (action,) = decision.actions
        assert (action.rule, action.brief, action.sentence) == ("r", brief, sentence)
        assert decision.summary == f"no tier; {brief} (rule r)"
        assert Decision.model_validate_json(decision.model_dump_json()) == decision

    def test_money_and_a_return_may_come_from_one_rule(self, kinds: Callable[..., list[str]]) -> None:
        assert kinds(rules(("r", 1, f"{PAY}, {SEND_BACK}, {HELLO}"))) == ["refund", "offer", "reply"]

    def test_of_two_rules_that_give_something_the_higher_does(self, decided: Decided) -> None:
        body = rules(("high", 2, REPLACE), ("low", 1, PAY))
        decision = decided(body, order__known=True)
        assert [action.kind for action in decision.actions] == ["offer"]
        low = next(row for row in decision.trace.rows if row.row == "low")
        assert low.notes == ("not paid: high offers a replacement already",)

    def test_once_a_person_is_asked_nothing_is_offered_but_owner_and_notice_go_on(
        self, kinds: Callable[..., list[str]]
    ) -> None:
        body = rules(("ask", 2, ASK), ("low", 1, f"{REPLACE}, {LONGER}, {HELLO}, {GIVE}, {TELL}"))
        assert kinds(body) == ["ask_person", "assign", "notify"]

    def test_the_first_owner_stays_and_the_other_rule_says_so(self, decided: Decided) -> None:
        decision = decided(rules(("a", 2, GIVE), ("b", 1, "assign: {team: other}")), order__known=True)
        assert [action.brief for action in decision.actions] == ["assign to team returns"]
        assert decision.trace.rows[-1].notes == ("not assigned to team other: a assigns already",)

    def test_an_offer_nobody_can_be_sure_of_is_a_persons_matter(self, decided: Decided) -> None:
        (ask,) = decided(rules(("r", 1, REPLACE))).actions
        assert "cannot tell whether rule r offers a replacement: fact order.known is missing" in ask.why


class TestApproval:
    @pytest.fixture
    def rich(self, pack_of: Callable[..., Pack]) -> Callable[[str], Pack]:
        return lambda body: pack_of(body, head=RICH)

    def decide(self, pack: Pack, facts: object, at: object) -> Decision:
        from aftersail.core.policy import decide

        return decide(pack, facts, at)

    def test_a_refund_that_wants_approval_waits_with_its_amount_and_its_answer(
        self, rich: Callable[[str], Pack], facts_of: Callable[..., object], at: object
    ) -> None:
        pack = rich(rules(("r", 1, f"{PAY}, {SENIOR}, {HELLO}")))
        decision = self.decide(pack, facts_of(order__known=True), at)
        (ask,) = decision.actions
        assert (ask.kind, ask.role, ask.why) == ("ask_person", "supervisor", "it is dear")
        assert ask.proposed.amount == Money.of("2.00", "USD")
        assert ask.sentence == ("Ask somebody of the role supervisor (rule r): it is dear. It could pay 2.00 USD.")

    def test_an_approval_without_money_is_a_question(
        self, rich: Callable[[str], Pack], facts_of: Callable[..., object], at: object
    ) -> None:
        for then in (SENIOR, f"{REPLACE}, {SENIOR}"):
            (ask,) = self.decide(rich(rules(("r", 1, then))), facts_of(order__known=True), at).actions
            assert (ask.role, ask.proposed) == ("supervisor", None)

    @pytest.mark.parametrize(("amount", "role"), [("100.00", "agent"), ("400.00", "supervisor"), ("600.00", None)])
    def test_f30_above_the_limit_the_refund_is_blocked_and_goes_to_who_may(
        self, rich: Callable[[str], Pack], facts_of: Callable[..., object], at: object, amount: str, role: str | None
    ) -> None:
        pack = rich(F27.replace("claim.amount < 20", "claim.amount < 5000").replace("percent: 50", "percent: 100"))
        decision = self.decide(pack, facts_of(f"{amount} USD"), at)
        assert decision.refund is None
        (ask,) = decision.asks
        assert (ask.role, ask.proposed.amount) == (role, Money.of(amount, "USD"))

    def test_f30_limits_are_per_role_and_in_any_currency_with_a_rate(self, rich: Callable[[str], Pack]) -> None:
        pack = rich(F27)
        assert may_pay(pack, "agent", Money.of("100", "USD"))
        assert not may_pay(pack, "agent", Money.of("100.01", "USD"))
        assert may_pay(pack, "agent", Money.of("90.90", "EUR"))
        assert not may_pay(pack, "agent", Money.of("90.95", "EUR"))
        assert not may_pay(pack, "agent", Money.of("1", "SEK"))
        assert not may_pay(pack, "cleaner", Money.of("1", "USD"))
        assert approver(pack, Money.of("5", "USD")) == "agent"
        assert approver(pack, Money.of("500.01", "USD")) is None

    def test_who_approves_needs_an_authority(self, pack_of: Callable[..., Pack]) -> None:
        with pytest.raises(PackError, match="nothing says how much the role supervisor may approve"):
            pack_of(rules(("r", 1, SENIOR)))


class TestConflicts:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("order.known", "order.known"),
            ("claim.amount < 20", "claim.amount > 19"),
            ("claim.amount <= 20", "20 <= claim.amount"),
            ('ticket.reason in ["damaged", "unusable"]', 'ticket.reason == "damaged" && order.known'),
            ('ticket.reason != "damaged"', 'ticket.reason == "unusable"'),
            ("order.lines > 2", "order.lines < 4"),
            ("order.known", "claim.amount < 5"),
            ("!ticket.escalation", "ticket.escalation == false"),
            ("true", "true"),
        ],
    )
    @pytest.mark.parametrize("then", [(PAY, PAY), (PAY, REPLACE), (GIVE, "assign: {role: agent}")])
    def test_two_rules_of_one_priority_that_can_both_match_are_refused(
        self, pack_of: Callable[..., Pack], one: str, other: str, then: tuple[str, str]
    ) -> None:
        body = rules(("a", 1, then[0], one), ("b", 1, then[1], other))
        with pytest.raises(PackError, match=r"b and a \(mine.yaml:\d+\) can both match") as caught:
            pack_of(body)
        assert caught.value.problems[0].fix == "give one of them a higher priority"
        pack_of(body.replace("id: b, priority: 1", "id: b, priority: 2"))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("claim.amount < 20", "claim.amount >= 20"),
            ("claim.amount == 20", "claim.amount == 21"),
            ("order.lines > 2", "order.lines < 3"),
            ('ticket.reason == "damaged"', 'ticket.reason == "unusable"'),
            ('ticket.reason in ["damaged"]', '!(ticket.reason in ["damaged"])'),
            ("order.known", "!order.known"),
            ("order.known && claim.amount < 5", "order.known && claim.amount > 5"),
            # What the words do not tell is found when it happens.
            ("order.known || ticket.escalation", "order.known"),
            ('ticket.language.startsWith("d")', "order.known"),
            ("order.total < claim.amount", "order.known"),
        ],
    )
    def test_two_that_never_or_perhaps_meet_are_not(self, pack_of: Callable[..., Pack], one: str, other: str) -> None:
        pack_of(rules(("a", 1, PAY, one), ("b", 1, PAY, other)))

    def test_what_does_not_contradict_may_meet(self, pack_of: Callable[..., Pack]) -> None:
        pack_of(rules(("a", 1, PAY), ("b", 1, ASK), ("c", 1, f"{HELLO}, {GIVE}"), ("d", 1, f"flag: x, {GIVE}")))

    def test_two_that_meet_after_all_are_a_persons_matter(self, decided: Decided) -> None:
        body = rules(("a", 1, PAY), ("b", 1, REPLACE, "order.known || ticket.escalation"))
        (ask,) = decided(body, order__known=True).asks
        assert ask.why.startswith("rules a and b have the same priority and do different things:")


@pytest.mark.parametrize(
    ("then", "said", "fix"),
    [
        ("offer_return: {}", "`label` is missing", ""),
        ("assign: {}", "a team or a role", "{team: returns}"),
        ("assign: {team: a, role: b}", "a team or a role", ""),
        ("notify: {roles: [], why: x}", "at least 1", ""),
        ("extend_service: {duration: 0d}", "no duration", "3d"),
        ("offer_replacment: {}", "`offer_replacment` is no key here", "offer_replacement"),
        ("approve: {role: supervisor}", "`why` is missing", ""),
    ],
)
def test_a_mistake_in_an_action_is_told(pack_of: Callable[..., Pack], then: str, said: str, fix: str) -> None:
    with pytest.raises(PackError) as caught:
        pack_of(rules(("r", 1, then)))
    assert any(said in problem.message and fix in problem.fix for problem in caught.value.problems)
