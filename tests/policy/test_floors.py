"""Law is a floor, the marketplace a contract: what goes below them is refused, and never decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from aftersail.core.policy import Entitlement, Pack, PackError, decide
from aftersail.core.policy.loader import build_pack, read_draft
from tests.policy.test_windows import mine
from tests.policy.world import LAW, LIABILITY, MARKET, OWN, World, day, facts

LATER = "start: delivered_last"


def ours(section: str, row: str) -> str:
    return f"{section}:\n  - {{id: ours, {row}}}\n"


@pytest.mark.parametrize(
    ("body", "pointed_at", "said", "fix"),
    [
        (mine(7), "7", "gives 7 days where 14 are due: withdrawal of law-x, Directive X, Art 9", "write days: 14"),
        (mine(13, f"{LATER}, when: {{country: FR}}"), "13", "withdrawal of law-x", "this binds DE, FR"),
        (mine(14, f"{LATER}, count_start_day: true"), "14", "gives 13 days", "write days: 15"),
        (mine(14, "start: placed"), "placed", "counts from placed where delivered_last is due", "delivered_last"),
        (mine(14, f"{LATER}, when: {{connector: amazon}}"), "14", "thirty of market-m, Help page 1", "days: 30"),
        (mine(20, f"{LATER}, when: {{country: US}}"), "20", "thirty of market-m", "this binds amazon"),
        (
            ours("exceptions", "right: withdrawal, when: order.digital"),
            "order.digital",
            "takes a right away that is not lost there (exceptions there: custom, hygiene, downloaded)",
            "repeat the condition",
        ),
        (
            ours("liability", "reasons: [damaged], party: buyer"),
            "buyer",
            "makes the buyer liable where the merchant is: trader of law-x, Directive X, Art 9",
            "party: merchant",
        ),
        (
            ours("costs", "component: outbound_standard, payer: buyer"),
            "buyer",
            "lets the buyer pay for outbound standard where the merchant bears it: out of law-x",
            "payer: merchant",
        ),
        (ours("costs", "component: return_freight, payer: buyer"), "buyer", "back of law-x", "payer: merchant"),
        (
            ours("costs", "component: return_freight, liable: [merchant], payer: buyer"),
            "buyer",
            "back of law-x",
            "payer: merchant",
        ),
        (ours("costs", "component: restocking, percent: 10"), "10", "keeps a fee back", "take the row away"),
        (
            ours("refund_due", "right: withdrawal, duration: 20d, basis: elapsed, start: notice"),
            "20d",
            "pays back later than within 14d: due of law-x",
            "14d",
        ),
        (
            ours(
                "refund_due",
                "right: withdrawal, duration: 5d, basis: elapsed, start: notice, hold_until: goods",
            ),
            "goods",
            "waits for goods where goods_or_proof is due",
            "goods_or_proof",
        ),
        (
            ours("routes", "right: withdrawal, order: [store_credit, original]"),
            "[store_credit",
            "pays back by store_credit first where original is due",
            "begin with original",
        ),
        (
            ours("routes", "right: withdrawal, order: [original, store_credit]"),
            "[original",
            "gives store credit without consent",
            "store_credit_needs_consent: true",
        ),
        (
            ours("remedies", "right: fault, choice: merchant, options: [repair]"),
            "merchant",
            "leaves the choice to the seller",
            "choice: buyer",
        ),
    ],
)
def test_f18_a_row_below_the_law_is_refused_with_article_row_and_fix(
    world: World, body: str, pointed_at: str, said: str, fix: str
) -> None:
    # A seller's table of liability must be whole; what is asked here is whether it may say so at all.
    found = [problem for problem in world.problems(body) if "nobody is liable" not in problem.message]
    (problem,) = found
    assert problem.source[problem.column - 1 :].startswith(pointed_at)
    assert said in problem.message
    assert fix in problem.fix
    assert world.problems(body.replace("id: ours,", "id: ours, yields: true,")) == [
        one for one in world.problems(body) if "nobody is liable" in one.message
    ]


@pytest.mark.parametrize(
    "body",
    [
        mine(30),
        mine(30, f"{LATER}, when: {{country: DE}}"),
        mine(7, f"{LATER}, when: {{country: US, connector: ebay}}"),
        mine(7, f"{LATER}, when: {{country: US, channel: shop}}"),  # of what kind that channel is, nobody knows here
        mine(7, f"{LATER}, when: {{region: US-CA, connector: ebay}}"),
        mine(60, "start: placed"),  # may be earlier or later: the decision finds out
        "windows: [{id: ours, right: not_received, days: 7, start: placed}]\n",
        ours("exceptions", "right: withdrawal, when: item.custom, yields: true"),
        ours("exceptions", 'right: withdrawal, when: item.custom && order.country == "US", yields: true'),
        ours("exceptions", "right: not_received, when: order.digital"),
        ours("costs", "component: return_freight, liable: [buyer], payer: buyer"),
        ours("costs", "component: outbound_express, payer: buyer"),
        ours("costs", "component: restocking, percent: 10, when: {country: US}"),
        ours(
            "refund_due", "right: withdrawal, duration: 7d, basis: elapsed, start: notice, hold_until: goods_or_proof"
        ),
        ours("refund_due", "right: fault, duration: 60d, basis: elapsed, start: notice"),
        ours("routes", "right: withdrawal, order: [original, store_credit], store_credit_needs_consent: true"),
        LIABILITY,
    ],
)
def test_what_is_better_or_elsewhere_is_welcome(world: World, body: str) -> None:
    assert world.problems(body) == []


def test_an_exception_the_law_knows_may_be_repeated_and_narrowed(world: World) -> None:
    head = OWN.replace(", market-m", "")
    for condition in ("item.custom", "item.custom && order.known", "{any: [item.custom, {all: [item.custom]}]}"):
        assert world.problems(ours("exceptions", f"right: withdrawal, when: {condition}"), head=head) == []
    elsewhere = "order.digital && order.country == 'US'"
    assert world.problems(ours("exceptions", f"right: withdrawal, when: {elsewhere}"), head=head) == []
    assert world.problems(ours("exceptions", "right: withdrawal, when: item.perishable"), head=head) != []


def test_a_more_specific_row_of_the_law_is_the_one_to_hold_against(world: World) -> None:
    food = "  - {id: food, right: withdrawal, days: 2, start: delivered_last, when: {category: [food]}, source: art9}\n"
    world.write("law-x", LAW.replace("exceptions:\n", food + "exceptions:\n"))
    world.write("market-m", MARKET.split("windows:")[0])
    assert world.problems(mine(3, f"{LATER}, when: {{category: [food]}}")) == []
    assert world.problems(mine(3, f"{LATER}, when: {{category: [food, tv]}}")) != []


def test_what_nobody_verified_refuses_nothing(world: World) -> None:
    world.write("market-m", MARKET.replace("timezone: UTC, source: help", "timezone: UTC, source: rumour"))
    assert world.problems(mine(20)) == []


# -- never worse than the law alone ------------------------------------------------------------------------------------

_REASONS = st.sampled_from(["return_request", "damaged", "wrong_item", "refund_request", "not_received"])
_COUNTRIES = st.sampled_from(["DE", "FR", "US"])
_LATE = st.integers(0, 90)


def _scope() -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "country": st.lists(_COUNTRIES, min_size=1, max_size=2, unique=True),
            "connector": st.sampled_from(["amazon", "ebay"]),
            "reason": st.lists(_REASONS, min_size=1, max_size=2, unique=True),
            "category": st.sampled_from(["books", "tv"]),
        },
    )


def _rows(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[list[dict[str, object]]]:
    row = st.fixed_dictionaries({**fields, "when": _scope(), "yields": st.booleans()})
    return st.lists(row, max_size=2).map(lambda rows: [{"id": f"r{at}", **one} for at, one in enumerate(rows)])


_RIGHTS = st.sampled_from(["withdrawal", "fault"])
_OFFERS = st.fixed_dictionaries(
    {
        "windows": _rows(
            right=_RIGHTS,
            days=st.integers(1, 60),
            start=st.sampled_from(["placed", "delivered_first", "delivered_last"]),
            count_start_day=st.booleans(),
        ),
        "costs": _rows(
            component=st.sampled_from(["return_freight", "outbound_standard", "item"]),
            payer=st.sampled_from(["buyer", "merchant", "carrier"]),
        ),
        "refund_due": _rows(
            right=_RIGHTS,
            duration=st.sampled_from(["2d", "14d", "30d"]),
            basis=st.just("elapsed"),
            start=st.sampled_from(["notice", "goods_back"]),
            hold_until=st.sampled_from(["none", "goods", "goods_or_proof"]),
        ),
        "routes": _rows(
            right=_RIGHTS,
            order=st.lists(st.sampled_from(["original", "balance", "store_credit"]), min_size=1, unique=True),
            store_credit_needs_consent=st.booleans(),
        ),
        "remedies": _rows(
            right=_RIGHTS,
            choice=st.sampled_from(["buyer", "merchant"]),
            options=st.lists(st.sampled_from(["refund", "repair", "partial_refund"]), min_size=1, unique=True),
        ),
        "exceptions": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.just("e"),
                    "right": _RIGHTS,
                    "when": st.sampled_from(["item.custom", "item.digital", "order.known"]),
                    "yields": st.booleans(),
                }
            ),
            max_size=1,
        ),
    }
)
_CLAIMS = st.fixed_dictionaries(
    {
        "ticket__reason": _REASONS,
        "order__country": _COUNTRIES,
        "ticket__connector": st.sampled_from(["amazon", "ebay", "shopify"]),
        "claim__filed_at": _LATE.map(lambda days: day("2026-11-02T09:00") + timedelta(days=days)),
        "order__placed_at": st.just(day("2026-10-28")),
        "order__delivered_first_at": st.just(day("2026-10-30")),
        "claim__goods_back_at": st.sampled_from([None, day("2026-11-25")]),
        "item__custom": st.sampled_from([True, False, None]),
        "order__known": st.booleans(),
    }
)
_NEVER = datetime.max.replace(tzinfo=UTC)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(offer=_OFFERS, claims=st.lists(_CLAIMS, min_size=1, max_size=6))
def test_f18_whatever_the_seller_writes_no_buyer_is_worse_off_than_by_law_and_marketplace_alone(
    offer: Mapping[str, object], claims: list[dict[str, object]]
) -> None:
    parents, floor = _floor()
    text = OWN + LIABILITY + "".join(f"{section}: {json.dumps(rows)}\n" for section, rows in offer.items())
    try:
        pack = build_pack(read_draft(text.encode(), "mine.yaml"), parents)
    except PackError:
        event("refused")
        return
    event("loads")
    at = day("2027-03-01")
    for claim in claims:
        known = facts(**claim)
        alone, merged = decide(floor, known, at).entitlement, decide(pack, known, at).entitlement
        assert (alone is None) is (merged is None)
        if alone is not None and merged is not None:
            _no_worse(alone, merged)


@lru_cache(maxsize=1)
def _floor() -> tuple[tuple[Pack, ...], Pack]:
    """Law and marketplace, and a seller who adds nothing to them."""
    parents = tuple(build_pack(read_draft(text.encode(), "p.yaml"), ()) for text in (LAW, MARKET))
    return parents, build_pack(read_draft((OWN + LIABILITY).encode(), "floor.yaml"), parents)


def _no_worse(alone: Entitlement, merged: Entitlement) -> None:
    rank = {True: 2, None: 1, False: 0}
    if alone.window is not None and merged.window is not None:
        assert rank[merged.window.open] >= rank[alone.window.open]
        if alone.window.ends_at is not None and merged.window.ends_at is not None:
            assert merged.window.ends_at >= alone.window.ends_at
    for share in alone.costs:
        now = merged.share(share.component)
        assert now is not None
        if share.payer not in {None, "buyer"}:
            assert now.payer not in {None, "buyer"}
    if alone.refund_due is not None:
        assert merged.refund_due is not None
        assert (merged.refund_due.due_at or _NEVER) <= (alone.refund_due.due_at or _NEVER)
    if alone.routes is not None:
        assert merged.routes is not None
        assert merged.routes.order[: len(alone.routes.order)] == alone.routes.order
        assert merged.routes.store_credit_needs_consent >= alone.routes.store_credit_needs_consent
    if alone.remedies is not None:
        assert merged.remedies is not None
        assert merged.remedies.choice in {alone.remedies.choice, "buyer"}
        assert set(merged.remedies.options) >= set(alone.remedies.options)
