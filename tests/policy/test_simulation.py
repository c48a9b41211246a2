"""History through a draft: facts that come back as they were, what a request comes to, clocks under other promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.clocks import Clock, Metric, Target, cancel, meet, pause, resume, start
from aftersail.core.contract import Money
from aftersail.core.contract.money import exponent
from aftersail.core.policy import (
    CATALOGUE,
    FactError,
    Facts,
    FactType,
    Pack,
    decide,
    make_facts,
    plain_facts,
    read_facts,
)
from aftersail.core.policy.history import PastDecision, PastRequest, Verdict, effect_of, verdict_of
from aftersail.core.policy.simulation import CHANGES, Simulation, simulate

Build = Callable[..., Pack]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
AS_OF = AT + timedelta(days=30)

PROMISES = """\
tiers:
  - {tier: normal, when: true}
targets:
  - id: all
    clocks:
      - {metric: first_response, duration: 4h, basis: elapsed}
      - {metric: resolution, duration: 24h, basis: elapsed}
"""
RULE = """\
rules:
  - id: small-defect
    priority: 100
    when: claim.amount < 20
    then:
      - refund: {percent: 50}
      - reply: {template: soothing}
"""


# -- facts -------------------------------------------------------------------------------------------------------------


def _values(kind: FactType, allowed: frozenset[str]) -> st.SearchStrategy[object]:
    money = st.sampled_from(["USD", "JPY", "KWD", "CLF"]).flatmap(
        lambda currency: st.integers(0, 10**12).map(
            lambda units: Money(amount=Decimal(units).scaleb(-exponent(currency)), currency=currency)
        )
    )
    return {
        FactType.TEXT: st.sampled_from(sorted(allowed)) if allowed else st.text(),
        FactType.BOOL: st.booleans(),
        FactType.INT: st.integers(-(2**53), 2**53),
        FactType.MONEY: money,
        FactType.INSTANT: st.datetimes(timezones=st.just(UTC)),
        FactType.TEXTS: st.lists(st.text()).map(tuple),
    }[kind]


ANY_FACTS = st.fixed_dictionaries(
    {}, optional={name: _values(fact.type, fact.values) for name, fact in CATALOGUE.items()}
)


@given(ANY_FACTS)
def test_f26_stored_facts_come_back_as_they_were(values: dict[str, object]) -> None:
    facts = make_facts(values)
    stored = json.loads(json.dumps(plain_facts(facts)))
    again = read_facts(dict(reversed(stored.items())))
    assert dict(again) == dict(facts)
    assert list(again) == list(facts)
    assert {name: type(value) for name, value in again.items()} == {name: type(v) for name, v in facts.items()}
    assert [str(value) for value in again.values()] == [str(value) for value in facts.values()]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("order.total", 19.99),
        ("order.total", "19.99"),
        ("order.total", "1e400 USD USD"),
        ("order.placed_at", "2026-11-22T18:00:00"),
        ("order.placed_at", "yesterday"),
        ("order.lines", "1"),
        ("order.known", 1),
        ("order.skus", "A"),
        ("order.skus", [1]),
        ("order.totals", "1.00 USD"),
    ],
)
def test_a_stored_fact_that_is_none_is_refused(name: str, plain: object) -> None:
    with pytest.raises(FactError, match=name):
        read_facts({name: plain})


# -- what a request comes to -------------------------------------------------------------------------------------------


def refund(rule: str, amount: str, *, asked: bool = False) -> dict[str, object]:
    number, currency = amount.split()
    found = {"kind": "refund", "rule": rule, "amount": {"amount": number, "currency": currency}, "why": ""}
    return {"kind": "ask_person", "rule": rule, "why": "much", "proposed": found} if asked else found


def verdict(*actions: dict[str, object]) -> Verdict:
    return Verdict(tier=None, targets=(), actions=actions)


def test_a_rule_pays_once_however_often_the_request_is_judged() -> None:
    first, again, other = refund("a", "5.00 USD"), refund("a", "4.00 USD", asked=True), refund("b", "2.50 USD")
    effect = effect_of([verdict(first), verdict(again, other)])
    assert effect.paid == {"USD": Decimal("7.50")}
    assert effect.proposed == {}
    assert effect.asks


def test_currencies_are_never_added_up() -> None:
    effect = effect_of([verdict(refund("a", "5.00 USD"), refund("b", "500 JPY"), refund("c", "1.00 EUR", asked=True))])
    assert effect.paid == {"USD": Decimal("5.00"), "JPY": Decimal(500)}
    assert effect.proposed == {"EUR": Decimal("1.00")}


def test_an_action_this_version_does_not_know_is_compared_by_what_it_does() -> None:
    one, same, other = (
        verdict({"kind": "offer_return", "rule": rule, "why": rule, "label": label})
        for rule, label in (("a", True), ("b", True), ("c", False))
    )
    assert effect_of([one]) == effect_of([same])
    assert effect_of([one]) != effect_of([other])


# -- through a draft ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pack(pack_of: Build) -> Pack:
    return pack_of(PROMISES + RULE)


@pytest.fixture
def judged(pack: Pack, facts_of: Callable[..., Facts]) -> Callable[..., PastRequest]:
    """A request as it was judged by `pack`, with clocks of its targets that `became` ends."""

    def build(
        number: int = 1,
        amount: str = "15.00 USD",
        became: Callable[[Clock], Clock] = lambda clock: clock,
        **more: object,
    ) -> PastRequest:
        facts = facts_of(amount, **more)
        decision = decide(pack, facts, AT)
        clocks = tuple(became(start(target, None, AT)) for target in decision.targets)
        past = PastDecision(at=AT, facts=facts, verdict=verdict_of(decision))
        return PastRequest(number=number, filed_at=AT, decisions=(past,), clocks=clocks)

    return build


def counts(found: Simulation) -> dict[str, int]:
    return {change.kind: change.count for change in found.changes}


def test_the_same_pack_changes_nothing(pack: Pack, judged: Callable[..., PastRequest]) -> None:
    found = simulate(pack, [judged(1), judged(2, "30.00 USD")], AS_OF)
    assert (found.requests, found.decisions, found.changed, found.changes) == (2, 2, 0, ())
    assert [(each.before, each.after) for each in found.money] == [(Money.of("7.50", "USD"),) * 2]
    assert [(each.earlier, each.later, each.newly, each.spared) for each in found.deadlines] == [(0, 0, 0, 0)] * 2


@pytest.mark.parametrize(
    ("old", "new", "amount", "expected", "words"),
    [
        ("< 20", "< 30", "25.00 USD", {"refund_new": 1, "reply": 1}, ("nothing", "12.50 USD")),
        ("< 20", "< 10", "15.00 USD", {"refund_gone": 1, "reply": 1}, ("7.50 USD", "nothing")),
        ("percent: 50", "percent: 60", "15.00 USD", {"refund_more": 1}, ("7.50 USD", "9.00 USD")),
        ("percent: 50", "percent: 40", "15.00 USD", {"refund_less": 1}, ("7.50 USD", "6.00 USD")),
        ("soothing}", "hello}", "15.00 USD", {"reply": 1}, ("soothing", "hello")),
        ("tier: normal", "tier: other", "15.00 USD", {"tier": 1}, ("normal", "other")),
        ("- refund: {percent: 50}", "- tag: cheap", "15.00 USD", {"refund_gone": 1, "mark": 1, "reply": 1}, None),
        (
            "      - refund: {percent: 50}",
            "      - ask_person: {why: look}",
            "15.00 USD",
            {"refund_gone": 1, "person_new": 1, "reply": 1},
            ("7.50 USD", "nothing"),
        ),
        ("first_response, duration: 4h", "first_response, duration: 2h", "15.00 USD", {"promise": 1}, None),
    ],
)
def test_every_kind_of_change_is_counted_with_an_example(
    pack_of: Build,
    judged: Callable[..., PastRequest],
    old: str,
    new: str,
    amount: str,
    expected: dict[str, int],
    words: tuple[str, str] | None,
) -> None:
    body = (PROMISES + RULE).replace(old, new)
    if "refund" in old:  # the answer names an amount
        body = body.replace("      - reply: {template: soothing}\n", "")
    found = simulate(pack_of(body), [judged(7, amount), judged(8, "50.00 USD", ticket__reason="damaged")], AS_OF)
    changed = {
        kind: count for kind, count in counts(found).items() if kind not in {"tier", "promise"} or kind in expected
    }
    every = 2 if set(expected) & {"tier", "promise"} else 1
    assert changed == {kind: count * every for kind, count in expected.items()}
    assert found.changed == every
    first = found.changes[0].examples[0]
    assert first.ticket == 7
    if words:
        assert (first.before, first.after) == words


def test_what_waits_for_a_person_is_counted_apart(pack_of: Build, judged: Callable[..., PastRequest]) -> None:
    body = (PROMISES + RULE).replace("< 20", "< 100")
    found = simulate(pack_of(body), [judged(1, "60.00 USD")], AS_OF)
    (money,) = found.money
    assert (money.by, money.before, money.after) == ("person", Money.of(0, "USD"), Money.of("30.00", "USD"))
    assert counts(found) == {"person_new": 1, "proposal": 1}


def test_no_more_examples_are_named_than_asked_for(pack_of: Build, judged: Callable[..., PastRequest]) -> None:
    draft = pack_of((PROMISES + RULE).replace("percent: 50", "percent: 60"))
    found = simulate(draft, (judged(number) for number in range(1, 6)), AS_OF, examples=2)
    (change,) = found.changes
    assert (change.count, [example.ticket for example in change.examples]) == (5, [1, 2])
    assert set(CHANGES) >= set(counts(found))


# -- clocks ------------------------------------------------------------------------------------------------------------


def deadline(found: Simulation, metric: Metric = Metric.FIRST_RESPONSE) -> dict[str, object]:
    (change,) = [each for each in found.deadlines if each.metric == metric]
    return change.model_dump(exclude={"metric", "clocks", "newly_examples", "spared_examples"}, exclude_defaults=False)


def after(hours: float) -> Callable[[Clock], Clock]:
    return lambda clock: meet(clock, AT + timedelta(hours=hours))


NOTHING = dict.fromkeys(("earlier", "later", "breached_before", "breached_after", "newly", "spared", "dropped"), 0)


@pytest.mark.parametrize(
    ("duration", "became", "expected"),
    [
        ("2h", after(3), {"earlier": 1, "breached_after": 1, "newly": 1}),
        ("2h", after(2), {"earlier": 1}),
        ("6h", after(5), {"later": 1, "breached_before": 1, "spared": 1}),
        ("4h", after(5), {"breached_before": 1, "breached_after": 1}),
        ("2h", lambda clock: clock, {"earlier": 1, "breached_before": 1, "breached_after": 1}),
        ("2h", lambda clock: cancel(clock, AT + timedelta(hours=3)), {"earlier": 1, "breached_after": 1, "newly": 1}),
        ("2h", lambda clock: cancel(clock, AT + timedelta(hours=1)), {"earlier": 1}),
        (
            "2h",
            lambda clock: meet(
                resume(pause(clock, AT + timedelta(hours=1)), None, AT + timedelta(hours=9)), AT + timedelta(hours=9.5)
            ),
            {"earlier": 1},
        ),
        (
            "2h",
            lambda clock: meet(
                resume(pause(clock, AT + timedelta(hours=1)), None, AT + timedelta(hours=9)), AT + timedelta(hours=11)
            ),
            {"earlier": 1, "breached_after": 1, "newly": 1},
        ),
        ("2h", lambda clock: pause(clock, AT + timedelta(hours=1)), {"earlier": 1}),
    ],
)
def test_f26_clocks_end_when_they_really_did(
    pack_of: Build,
    judged: Callable[..., PastRequest],
    duration: str,
    became: Callable[[Clock], Clock],
    expected: dict[str, int],
) -> None:
    draft = pack_of((PROMISES + RULE).replace("first_response, duration: 4h", f"first_response, duration: {duration}"))
    found = simulate(draft, [judged(3, became=became)], AS_OF)
    assert deadline(found) == NOTHING | expected
    (change,) = [each for each in found.deadlines if each.metric == Metric.FIRST_RESPONSE]
    assert (change.newly_examples, change.spared_examples) == (
        (3,) if "newly" in expected else (),
        (3,) if "spared" in expected else (),
    )


def test_a_running_clock_is_judged_as_of_an_instant(pack_of: Build, judged: Callable[..., PastRequest]) -> None:
    draft = pack_of((PROMISES + RULE).replace("first_response, duration: 4h", "first_response, duration: 2h"))
    found = simulate(draft, [judged()], AT + timedelta(hours=3))
    assert deadline(found) == NOTHING | {"earlier": 1, "breached_after": 1, "newly": 1}


def test_promises_that_are_dropped_and_added_are_told(pack_of: Build, judged: Callable[..., PastRequest]) -> None:
    body = (PROMISES + RULE).replace("metric: first_response", "metric: refund_paid")
    found = simulate(pack_of(body), [judged(became=after(5))], AS_OF)
    assert deadline(found) == NOTHING | {"breached_before": 1, "spared": 1, "dropped": 1}
    assert found.added == {"refund_paid": 1}


def test_the_next_answer_is_promised_like_the_first_where_nothing_else_is(
    pack: Pack, pack_of: Build, judged: Callable[..., PastRequest]
) -> None:
    request = judged(became=after(1))
    first: Target = next(
        target for target in decide(pack, make_facts(), AT).targets if target.metric == "first_response"
    )
    later = AT + timedelta(hours=10)
    waiting = start(first.model_copy(update={"metric": Metric.NEXT_RESPONSE}), None, later)
    again = meet(waiting, later + timedelta(hours=3))
    request = PastRequest(number=1, filed_at=AT, decisions=request.decisions, clocks=(*request.clocks, again))
    draft = pack_of((PROMISES + RULE).replace("first_response, duration: 4h", "first_response, duration: 2h"))
    found = simulate(draft, [request], AS_OF)
    expected = NOTHING | {"earlier": 1, "breached_after": 1, "newly": 1}
    assert deadline(found, Metric.NEXT_RESPONSE) == expected
