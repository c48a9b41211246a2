"""Whatever a file holds, the loader answers with its own error or a pack; whatever is known, a pack decides."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from aftersail.core.contract import Money
from aftersail.core.policy import CATALOGUE, Decision, FactType, PackError, Problem, decide, explain, make_facts
from aftersail.core.policy.decide import Conclusion, conclude
from aftersail.core.policy.facts import DERIVED
from aftersail.core.policy.loader import build_pack, read_draft
from aftersail.core.policy.pack import PackFile
from tests.policy.samples import F27, HEAD, TEMPLATES
from tests.policy.test_windows import mine
from tests.policy.world import LAW, LIABILITY, MARKET, OWN, World

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = HEAD + TEMPLATES + F27
SEASON = "start: placed, seasons: [{{bought_from: {}, bought_until: {}, until: {}}}]"
RULES = "[{id: a, priority: 1, when: true, then: [{flag: x}]}]"


def problems(text: str) -> list[Problem]:
    try:
        build_pack(read_draft(text.encode(), "p.yaml"), ())
    except PackError as error:
        return list(error.problems)
    return []


def test_a_yaml_bomb_is_refused_where_it_begins() -> None:
    names = "abcdefghij"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in pairwise(names)]
    first, *_ = problems("\n".join(lines))
    assert (first.line, first.message) == (1, "packs have no anchors or aliases")


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('order.skus.all(x, x == "A")', "stands where"),
        ("[1, 2].map(x, x * 2) == [2, 4]", "means nothing here"),
        ("order.skus.exists(x, true)", "stands where"),
        ("claim.amount + 1 < 20", "means nothing here"),
        ('claim.amount < "20"', "text is compared with money"),
        ("ticket.reason < 20", "compared with"),
        ('order.lines == "3"', "text is compared with whole number"),
        ("order.placed_at > 5", "compared with"),
        ("has(order.total)", "no such function"),
        ("ticket.reason == ticket.reason == true", "one word too many"),
        ("ticket.reason", "not a question"),
    ],
)
def test_an_expression_that_loops_calculates_or_mixes_types_is_refused(condition: str, said: str) -> None:
    found = problems(GOOD.replace("all: [claim.amount < 20,", f"all: [{json.dumps(condition)},"))
    assert any(said in problem.message for problem in found), found


@pytest.mark.parametrize(
    ("law", "pointed_at", "message", "fix"),
    [
        (("kind: law", "kind: lawn"), "lawn", "", "law"),
        (("countries: [DE, FR]", "countries: [Norway]"), "Norway", "`Norway` is no country", "ISO 3166-1"),
        (("countries: [DE, FR]", "countries: [no]"), "no]", "`no` is no country", "did you mean NO?"),
        (("countries: [DE, FR]", "regions: [California]"), "California", "is no region", "US-CA"),
        (("countries: [DE, FR]", "country: DE"), "country", "`country` is no key here", "countries"),
        (("checked_on: 2026-06-01", "checked_on: last year"), "last year", "no day", "2026-11-22"),
        (("verified: true", "verified: perhaps"), "perhaps", "boolean", "verified: true"),
        (("days: 14", "days: 0"), "0", "greater than", ""),
        (("days: 14", "days: 14.5"), "14.5", "integer", ""),
        (("days: 14,", ""), "{id: withdrawal", "days or is unlimited", "days: 14"),
        (("days: 14", "days: 14, unlimited: true"), "{id: withdrawal", "days or is unlimited", ""),
        (("roll_over: true, calendar: x-days", "roll_over: true"), "{id: withdrawal", "needs a calendar", "x-days"),
        (("roll_over: true, calendar: x-days", "calendar: x"), "x,", "no calendar is called x", "x-days"),
        (("from: fulfilled", "from: delivered_last"), "{from", "estimated from itself", "earlier"),
        (("timezone: Europe/Berlin, source", "timezone: Berlin, source"), "Berlin", "no time zone", "Europe/Berlin"),
        (("right: withdrawal, when: item.custom", "right: withdrawal, when: window.open"), "window", "worked out", ""),
        (("when: item.custom", "when: item.costum"), "item.costum", "no such fact", "item.custom"),
        (("when: item.custom,", ""), "{id: custom", "`when` is missing", ""),
        (("needs: [item.unsealed]", "needs: [item.unseald]"), "item.unseald", "no such fact", "item.unsealed"),
        (("payer: merchant, source: art9}\n  - {id: out", "source: art9}\n  - {id: out"), "{id: item", "said once", ""),
        (("component: item", "component: goods"), "goods", "", ""),
        (("component: restocking, payer", "component: restocking, percent: 5, payer"), "{id: no-fee", "said once", ""),
        (("component: item, payer", "component: item, percent: 5, payer"), "{id: item", "means nothing", "restocking"),
        (("duration: 14d, basis: calendar", "duration: 15h, basis: calendar"), "15h", "whole days", "14d"),
        (("calendar_days, calendar: x-days", "calendar_days"), "{id: due", "needs a calendar", "x-days"),
        (("order: [original]", "order: []"), "[]", "at least 1", ""),
        (("id: back-buyer", "id: back"), "back,", "another row", "back-5"),
        (
            ("remedies:", "rules: [{id: a, priority: 1, when: true, then: [{flag: x}]}]\nremedies:"),
            "rules",
            "law",
            "move",
        ),
        ((", source: art9}\n  - {id: fault", "}\n  - {id: fault"), "{id: withdrawal", "names its source", "art9"),
        (("source: art16", "source: art61"), "art61", "no source is called art61", "art16"),
    ],
)
def test_a_mistake_in_a_law_is_shown_where_it_stands(
    law: tuple[str, str], pointed_at: str, message: str, fix: str
) -> None:
    assert law[0] in LAW
    problem, *_ = problems(LAW.replace(*law, 1))
    assert problem.source[problem.column - 1 :].startswith(pointed_at)
    assert message in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("applies: {countries: [DE]}\n", "only a law or a marketplace binds"),
        ("calendars: {x-days: {timezone: UTC, hours: 24/7}}\n", "the calendar x-days is law-x's"),
        ("high_risk: {refund_rate_over: 130, minimum_orders: 3}\n", "less than 100"),
        ("high_risk: {refund_rate_over: 30, minimum_orders: 3, below_sample: perhaps}\n", "pattern"),
        ("targets: [{id: t, source: art9, clocks: [{metric: resolution, duration: 4h, basis: elapsed}]}]\n", "art9"),
        (mine(30, 'start: placed, when: {amount: {from: "5.00 EUR", below: "5.00 EUR"}}'), "the band is empty"),
        (mine(30, 'start: placed, when: {amount: {from: "5.00 EUR", below: "9.00 USD"}}'), "two currencies"),
        (mine(30, "start: placed, when: {amount: {}}"), "no end"),
        (mine(30, "start: placed, when: {tier: gold}"), "no tier is called gold"),
        (
            mine(
                30, "start: placed, seasons: [{bought_from: 2025-12-31, bought_until: 2025-11-01, until: 2026-01-31}]"
            ),
            "out of order",
        ),
        (
            mine(
                30, "start: placed, seasons: [{bought_from: 2025-11-01, bought_until: 2025-12-01, until: 9999-12-31}]"
            ),
            "no day",
        ),
    ],
)
def test_a_mistake_of_the_sellers_is_told(world: World, body: str, said: str) -> None:
    found = world.problems(body)
    assert any(said in problem.message for problem in found), found


def test_two_parents_that_mean_two_things_by_one_calendar_are_refused(world: World) -> None:
    world.write("law-y", LAW.replace("id: law-x", "id: law-y").replace("Mo-Fr 00:00-24:00", "Mo-Sa 00:00-24:00"))
    (problem,) = world.problems(head=OWN.replace("law-x,", "law-x, law-y,"))
    assert problem.message == "law-x and law-y mean two things by the calendar x-days"


def test_a_law_in_another_currency_may_be_extended_unless_it_compares_money(world: World) -> None:
    assert world.problems() == []
    world.write(
        "market-m", MARKET + "exceptions: [{id: dear, right: withdrawal, when: order.total > 5, source: help}]\n"
    )
    (problem,) = world.problems()
    assert problem.message == "market-m counts in USD, this pack in EUR"


def test_a_law_reached_by_two_ways_counts_once(world: World) -> None:
    world.write("market-m", MARKET + "extends: [law-x]\n")
    pack = world.pack()
    assert [line.row.id for line in pack.rights.windows].count("withdrawal") == 1
    assert len(pack.targets) == 1


def test_the_hash_is_also_of_whom_the_parents_bind(world: World) -> None:
    before = world.pack().hash
    assert world.pack().hash == before
    world.write("law-x", LAW.replace("[DE, FR]", "[DE, FR, NO]"))
    assert world.pack().hash != before


# -- fuzz --------------------------------------------------------------------------------------------------------------

_SECTIONS = [name for name in PackFile.model_fields if name not in {"id", "version", "title", "effective_from"}]
_WORDS = st.sampled_from(
    [
        "withdrawal", "fault", "DE", "US-CA", "amazon", "law", "own", "merchant", "buyer", "return_freight", "notice",
        "original", "elapsed", "calendar_days", "desk", "delivered_last", "art9", "14d", "5.00 EUR", "2026-11-22",
        "item.custom", "order.total < 20", "window.open", "damaged", "en", "\x00", "", "é" * 5, "9999-12-31",
    ]
)  # fmt: skip
_KEYS = st.sampled_from(
    [
        "id", "right", "when", "days", "unlimited", "start", "roll_over", "calendar", "timezone", "estimate", "from",
        "add", "seasons", "until", "source", "yields", "needs", "reasons", "party", "component", "liable", "payer",
        "percent", "duration", "basis", "hold_until", "order", "choice", "options", "page", "checked_on", "verified",
        "countries", "country", "amount", "below", "clocks", "metric", "then", "priority", "refund", "art9", "desk",
    ]
)  # fmt: skip
_VALUES = st.recursive(
    _WORDS | st.integers(-5, 40_000) | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(sections=st.dictionaries(st.sampled_from(_SECTIONS), _VALUES, max_size=4))
def test_no_value_in_any_section_raises_anything_but_pack_error(sections: dict[str, object]) -> None:
    text = "id: a\nversion: 1\ntitle: A\neffective_from: 2020-01-01\n"
    text += "".join(f"{name}: {json.dumps(value)}\n" for name, value in ({"currency": "EUR"} | sections).items())
    with suppress(PackError):
        build_pack(read_draft(text.encode(), "p.yaml"), ())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damaged_law_raises_anything_but_pack_error_and_what_loads_decides(data: st.DataObject) -> None:
    """Swap words of a good file for others of it: that reaches far into the checks."""
    text = data.draw(st.sampled_from([LAW, MARKET.replace("USD", "EUR"), OWN.split("extends")[0] + LIABILITY]))
    words = sorted(set(text.replace(",", " ").replace("}", " ").replace("]", " ").split()))
    for _ in range(data.draw(st.integers(1, 3))):
        old, new = data.draw(st.sampled_from(words)), data.draw(st.sampled_from(words))
        text = text.replace(old, new, 1)
    try:
        pack = build_pack(read_draft(text.encode(), "p.yaml"), ())
    except PackError:
        event("refused")
        return
    event("loads")
    _decides(data, pack)


_INSTANTS = st.sampled_from([datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]) | st.integers(
    -2000, 3000
).map(lambda hours: AT + timedelta(hours=hours))
_OF = {
    FactType.BOOL: st.booleans(),
    FactType.INT: st.integers(-5, 100),
    FactType.MONEY: st.builds(Money.of, st.integers(-5, 500), st.sampled_from(["EUR", "USD", "JPY"])),
    FactType.INSTANT: _INSTANTS,
    FactType.TEXTS: st.lists(st.sampled_from(["books", "hygiene"]), max_size=2).map(tuple),
}


def _known(name: str) -> st.SearchStrategy[object]:
    fact = CATALOGUE[name]
    if fact.type is not FactType.TEXT:
        return _OF[fact.type]
    return st.sampled_from(sorted(fact.values or {"DE", "US", "amazon", "en", "x"}))


_ANY_FACTS = st.fixed_dictionaries({}, optional={name: _known(name) for name in CATALOGUE if name not in DERIVED})


def _decides(data: st.DataObject, pack: object) -> None:
    facts = make_facts(data.draw(_ANY_FACTS))
    decision = decide(pack, facts, AT)
    assert decision == decide(pack, facts, AT)
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert explain(decision)
    assert conclude(pack, facts, AT) == Conclusion(decision.tier, decision.targets, decision.actions)
    window = decision.entitlement.window if decision.entitlement else None
    if window is not None and window.open is None:
        assert "window.open" not in decision.trace.facts


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_whatever_is_known_law_marketplace_and_own_offer_decide_without_a_crash(data: st.DataObject) -> None:
    parents = [build_pack(read_draft(text.encode(), "p.yaml"), ()) for text in (LAW, MARKET)]
    body = LIABILITY + mine(30) + "high_risk: {refund_rate_over: 30, minimum_orders: 3, below_sample: ask}\n"
    _decides(data, build_pack(read_draft((OWN + body).encode(), "mine.yaml"), parents))
