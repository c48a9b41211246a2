"""The shipped laws: windows by their own calendars, exceptions with evidence, payers, refunds, and the floor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersail.core.clocks import SourceKind
from aftersail.core.policy import PackError
from aftersail.core.policy.rights import Choice, Component, Party, Remedy, RouteKind
from tests.policy.shipped import NOW, claim, entitled, own, shipped, wall

SECOND = timedelta(seconds=1)
BERLIN, LONDON, SHANGHAI, TOKYO = "Europe/Berlin", "Europe/London", "Asia/Shanghai", "Asia/Tokyo"
MEMBERS = [
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
]

SEVEN_DAYS = """\
windows:
  - {id: seven, right: withdrawal, days: 7, start: delivered_last}
"""


def asked(pack, at, **facts):
    """Return the window of a claim without a reason; keywords say where the buyer is and what happened."""
    window = entitled(pack, at, **{"ticket__reason": "return_request", **facts}).window
    assert window is not None
    return window


# -- a floor -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("country", "open_"), [("DE", True), ("FR", True), ("US", False), ("CH", False)])
def test_f18_a_buyer_in_the_union_gets_14_days_though_the_sellers_pack_says_7(tmp_path, country, open_):
    pack = own(tmp_path, SEVEN_DAYS.replace("days: 7", "days: 7, yields: true"), ["law-eu"])
    delivered = wall("2026-11-12T12:00", BERLIN)
    window = asked(pack, delivered + timedelta(days=10), order__country=country, order__delivered_last_at=delivered)
    assert window.open is open_
    assert window.ground is not None
    if open_:
        assert window.ground.source.kind is SourceKind.LAW
        assert (window.ground.source.name, window.ground.row) == ("law-eu", f"eu-{country.lower()}")
        assert "2011/83/EU, Art 9" in window.ground.page
    else:
        assert window.ground.row == "seven"


def test_f18_a_row_below_the_floor_that_does_not_yield_is_refused_with_its_article(tmp_path):
    with pytest.raises(PackError) as error:
        own(tmp_path, SEVEN_DAYS, ["law-eu"])
    assert "2011/83/EU, Art 9" in str(error.value)
    assert "seven" in str(error.value)


def test_f18_an_offer_above_the_floor_counts(tmp_path):
    pack = own(tmp_path, SEVEN_DAYS.replace("days: 7", "days: 60"), ["law-eu"])
    delivered = wall("2026-10-01T12:00", BERLIN)
    window = asked(pack, NOW, order__country="DE", order__delivered_last_at=delivered)
    assert window.open is True
    assert window.ground is not None
    assert window.ground.row == "seven"


@pytest.mark.parametrize(
    "body",
    [
        "costs:\n  - {id: fee, component: restocking, percent: 15}\n",
        "costs:\n  - {id: outbound, component: outbound_standard, payer: buyer}\n",
        "refund_due:\n  - {id: late, right: withdrawal, duration: 720h, basis: elapsed, start: notice}\n",
    ],
)
def test_f18_other_rows_below_the_floor_are_refused_too(tmp_path, body):
    with pytest.raises(PackError) as error:
        own(tmp_path, body, ["law-eu"])
    assert "Art 13" in str(error.value)


# -- windows -----------------------------------------------------------------------------------------------------------

WINDOWS = [
    # law, where, right's reason, start fact, start, zone, first instant that is too late
    ("law-eu", {"order__country": "DE"}, "delivered_last_at", "2026-11-10T23:59", BERLIN, "2026-11-25T00:00"),
    # 25 and 26 December are holidays in Germany, the 27th is a Sunday
    ("law-eu", {"order__country": "DE"}, "delivered_last_at", "2026-12-11T09:00", BERLIN, "2026-12-29T00:00"),
    # 11 November is a holiday in France and none in Germany
    ("law-eu", {"order__country": "FR"}, "delivered_last_at", "2026-10-28T09:00", "Europe/Paris", "2026-11-13T00:00"),
    ("law-eu", {"order__country": "DE"}, "delivered_last_at", "2026-10-28T09:00", BERLIN, "2026-11-12T00:00"),
    # a Saturday
    (
        "law-eu",
        {"order__country": "FI"},
        "delivered_last_at",
        "2026-11-07T09:00",
        "Europe/Helsinki",
        "2026-11-24T00:00",
    ),
    # no roll-over in the United Kingdom
    ("law-uk", {"order__country": "GB"}, "delivered_last_at", "2026-12-11T09:00", LONDON, "2026-12-26T00:00"),
    ("law-cn", {"order__country": "CN"}, "delivered_last_at", "2026-11-01T10:00", SHANGHAI, "2026-11-09T00:00"),
    # the day of delivery is the first of the eight
    ("law-jp", {"order__country": "JP"}, "delivered_last_at", "2026-11-01T10:00", TOKYO, "2026-11-09T00:00"),
    (
        "law-us-ca",
        {"order__country": "US", "order__region": "US-CA"},
        "placed_at",
        "2026-10-01T10:00",
        "America/Los_Angeles",
        "2026-11-01T00:00",
    ),
    (
        "law-us-ny",
        {"order__country": "US", "order__region": "US-NY"},
        "placed_at",
        "2026-10-01T10:00",
        "America/New_York",
        "2026-11-01T00:00",
    ),
]


@pytest.mark.parametrize(("law", "place", "event", "begun", "zone", "too_late"), WINDOWS)
def test_a_window_ends_with_the_last_second_of_its_last_day(law, place, event, begun, zone, too_late):
    pack, end = shipped(law), wall(too_late, zone)
    facts = {**place, f"order__{event}": wall(begun, zone)}
    assert asked(pack, end - SECOND, **facts).open is True
    assert asked(pack, end, **facts).open is False
    assert asked(pack, end - SECOND, **facts).ends_at == end


@pytest.mark.parametrize("country", MEMBERS)
def test_the_law_of_the_union_binds_in_every_member_state_by_its_own_days(country):
    pack = shipped("law-eu")
    assert sorted(pack.content.applies.countries or ()) == MEMBERS
    delivered = wall("2026-12-10T12:00", BERLIN)
    window = asked(pack, NOW, order__country=country, order__delivered_last_at=delivered)
    assert window.open is True
    (row,) = [row for row in pack.content.windows if row.when.country == (country,)]
    calendar = pack.calendar(row.calendar)
    assert calendar is not None
    assert [rule.country for rule in calendar.spec.holidays] == [country]
    # Christmas Day is a holiday everywhere, so no window ends on it.
    assert window.ends_at is not None
    christmas = calendar.local(wall("2026-12-25T12:00", BERLIN)).date()
    delivered = wall("2026-12-11T12:00", BERLIN)
    rolled = asked(pack, NOW, order__country=country, order__delivered_last_at=delivered).ends_at
    assert rolled is not None
    assert calendar.local(rolled - SECOND).date() > christmas


@pytest.mark.parametrize("country", ["GB", "US", "CH", "NO", "CN"])
def test_the_law_of_the_union_binds_nobody_else(country):
    delivered = wall("2026-11-20T12:00", BERLIN)
    window = asked(shipped("law-eu"), NOW, order__country=country, order__delivered_last_at=delivered)
    assert window.open is False
    assert window.ground is None


def test_the_last_parcel_of_an_order_begins_the_window():
    facts = {
        "order__country": "DE",
        "order__delivered_first_at": wall("2026-10-01T12:00", BERLIN),
        "order__delivered_last_at": wall("2026-11-10T12:00", BERLIN),
    }
    assert asked(shipped("law-eu"), NOW, **facts).ends_at == wall("2026-11-25T00:00", BERLIN)


def test_what_is_faulty_may_be_rejected_for_30_days_in_the_united_kingdom():
    facts = {
        "order__country": "GB",
        "ticket__reason": "damaged",
        "order__delivered_last_at": wall("2026-10-01T09:00", LONDON),
    }
    assert asked(shipped("law-uk"), NOW, **facts).ends_at == wall("2026-11-01T00:00", LONDON)


@pytest.mark.parametrize("region", ["US-TX", "US-NY"])
def test_the_law_of_a_state_binds_in_that_state_only(region):
    facts = {"order__country": "US", "order__region": region, "order__placed_at": wall("2026-11-20T10:00", LONDON)}
    assert asked(shipped("law-us-ca"), NOW, **facts).open is False
    assert asked(shipped("law-us-ny"), NOW, **facts).open is (region == "US-NY")


# -- exceptions --------------------------------------------------------------------------------------------------------

BEGUN = {
    "item__digital": True,
    "digital__consent": True,
    "digital__acknowledged": True,
    "digital__downloaded": True,
}


@pytest.mark.parametrize(
    ("facts", "open_"),
    [
        ({}, True),
        ({"item__custom": True}, False),
        ({"item__perishable": True}, False),
        ({"item__unsealed": True}, True),
        ({"item__unsealed": True, "order__category": ("hygiene",)}, False),
        ({"item__unsealed": False, "order__category": ("hygiene",)}, True),
        ({"item__unsealed": True, "order__category": ("media",)}, False),
        ({"item__unsealed": True, "order__category": ("software",)}, False),
        ({"order__category": ("press",)}, False),
        (BEGUN, False),
        (BEGUN | {"digital__acknowledged": False}, True),
        (BEGUN | {"digital__consent": False}, True),
        (BEGUN | {"digital__downloaded": False}, True),
        # evidence that is missing leaves it to a person
        ({"item__custom": None}, None),
        ({"item__unsealed": None, "order__category": ("hygiene",)}, None),
        (BEGUN | {"digital__acknowledged": None}, None),
    ],
)
def test_f24_an_exception_of_the_union_needs_its_evidence(facts, open_):
    known = {"order__country": "DE", "order__delivered_last_at": wall("2026-11-20T12:00", BERLIN)}
    assert asked(shipped("law-eu"), NOW, **known, **facts).open is open_


@pytest.mark.parametrize(
    ("facts", "open_"),
    [
        ({}, True),
        ({"item__custom": True}, False),
        ({"item__digital": True, "digital__downloaded": True}, False),
        ({"item__unsealed": True, "order__category": ("software",)}, False),
        ({"item__unsealed": True, "order__category": ("hygiene",)}, True),
    ],
)
def test_f24_a_download_ends_the_seven_days_of_china(facts, open_):
    known = {"order__country": "CN", "order__delivered_last_at": wall("2026-11-20T12:00", SHANGHAI)}
    assert asked(shipped("law-cn"), NOW, **known, **facts).open is open_


# -- money -------------------------------------------------------------------------------------------------------------

LIABLE = """\
liability:
  - {id: personal, reasons: [return_request, refund_request, cancel_order, exchange], party: buyer}
  - {id: others, reasons: [not_received, unusable, damaged, minor_defect, wrong_item, not_as_described, missing_parts,
     delivery_question, product_question, invoice, complaint, other], party: merchant}
"""


@pytest.mark.parametrize(
    ("law", "place", "reason", "component", "payer"),
    [
        ("law-eu", {"order__country": "DE"}, "return_request", Component.RETURN_FREIGHT, Party.BUYER),
        ("law-eu", {"order__country": "DE"}, "return_request", Component.OUTBOUND_STANDARD, Party.MERCHANT),
        ("law-eu", {"order__country": "DE"}, "return_request", Component.OUTBOUND_EXPRESS, Party.BUYER),
        ("law-eu", {"order__country": "DE"}, "return_request", Component.RESTOCKING, Party.MERCHANT),
        ("law-uk", {"order__country": "GB"}, "damaged", Component.RETURN_FREIGHT, Party.MERCHANT),
        ("law-uk", {"order__country": "GB"}, "return_request", Component.OUTBOUND_STANDARD, Party.MERCHANT),
        ("law-cn", {"order__country": "CN"}, "return_request", Component.RETURN_FREIGHT, Party.BUYER),
        ("law-jp", {"order__country": "JP"}, "return_request", Component.RETURN_FREIGHT, Party.BUYER),
        (
            "law-ca-qc",
            {"order__country": "CA", "order__region": "CA-QC"},
            "not_received",
            Component.RETURN_FREIGHT,
            Party.MERCHANT,
        ),
    ],
)
def test_f21_the_law_says_who_pays(tmp_path, law, place, reason, component, payer):
    share = entitled(own(tmp_path, LIABLE, [law]), ticket__reason=reason, **place).share(component)
    assert share is not None
    assert share.payer is payer
    assert share.ground is not None
    assert share.ground.source.name == law


@pytest.mark.parametrize(
    ("law", "place", "reason", "event", "begun", "zone", "due"),
    [
        # Thanksgiving is no working day
        (
            "law-us",
            {"order__country": "US"},
            "not_received",
            "claim__eligible_at",
            "2026-11-20T10:00",
            "America/New_York",
            "2026-12-03T00:00",
        ),
        (
            "law-cn",
            {"order__country": "CN"},
            "return_request",
            "claim__goods_back_at",
            "2026-11-01T10:00",
            SHANGHAI,
            "2026-11-09T00:00",
        ),
        # 14 days beginning with the day of the agreement
        (
            "law-uk",
            {"order__country": "GB"},
            "damaged",
            "claim__agreed_at",
            "2026-11-01T10:00",
            LONDON,
            "2026-11-15T00:00",
        ),
        (
            "law-uk",
            {"order__country": "GB"},
            "return_request",
            "claim__goods_back_at",
            "2026-11-01T10:00",
            LONDON,
            "2026-11-16T00:00",
        ),
        (
            "law-ca-qc",
            {"order__country": "CA", "order__region": "CA-QC"},
            "not_received",
            "claim__eligible_at",
            "2026-11-01T10:00",
            "America/Toronto",
            "2026-11-17T00:00",
        ),
    ],
)
def test_the_law_says_by_when_money_is_back(law, place, reason, event, begun, zone, due):
    at = wall(begun, zone)
    found = entitled(shipped(law), at, **{"ticket__reason": reason, event: at, **place}).refund_due
    assert found is not None
    assert found.due_at == wall(due, zone)
    assert found.ground.source.name == law


@pytest.mark.parametrize("event", ["claim__goods_back_at", "claim__return_proof_at"])
def test_in_the_united_kingdom_the_14_days_begin_with_the_goods_or_with_the_proof(event):
    first, later = wall("2026-11-02T10:00", LONDON), wall("2026-11-09T10:00", LONDON)
    facts = {"claim__goods_back_at": later, "claim__return_proof_at": later, event: first}
    due = entitled(shipped("law-uk"), NOW, ticket__reason="exchange", order__country="GB", **facts).refund_due
    assert due is not None
    assert due.due_at == wall("2026-11-17T00:00", LONDON)


def test_in_the_union_money_is_back_14_days_after_the_notice_but_may_wait_for_the_goods():
    filed = wall("2026-11-02T10:00", BERLIN)
    facts = {"ticket__reason": "return_request", "order__country": "DE"}
    due = entitled(shipped("law-eu"), filed, **facts).refund_due
    assert due is not None
    assert due.held
    assert due.due_at == wall("2026-11-17T00:00", "Asia/Nicosia")
    proof = wall("2026-11-20T10:00", BERLIN)
    due = entitled(shipped("law-eu"), filed, **facts, claim__return_proof_at=proof).refund_due
    assert due is not None
    assert (due.held, due.due_at) == (False, proof)


@pytest.mark.parametrize(
    ("law", "place", "reason"),
    [
        ("law-eu", {"order__country": "ES"}, "return_request"),
        ("law-us", {"order__country": "US"}, "not_received"),
        ("law-au", {"order__country": "AU"}, "unusable"),
        ("law-us-ny", {"order__country": "US", "order__region": "US-NY"}, "return_request"),
    ],
)
def test_money_goes_back_as_it_came_and_credit_needs_consent(law, place, reason):
    routes = entitled(shipped(law), ticket__reason=reason, **place).routes
    assert routes is not None
    assert routes.order == (RouteKind.ORIGINAL,)
    assert routes.store_credit_needs_consent


@pytest.mark.parametrize(
    ("reason", "choice"),
    [("unusable", Choice.BUYER), ("not_as_described", Choice.BUYER), ("minor_defect", Choice.MERCHANT)],
)
def test_in_australia_the_buyer_chooses_where_the_failure_is_a_major_one(reason, choice):
    remedies = entitled(shipped("law-au"), ticket__reason=reason, order__country="AU").remedies
    assert remedies is not None
    assert remedies.choice is choice
    assert Remedy.REFUND in remedies.options


# -- what is not certain -----------------------------------------------------------------------------------------------


def test_a_window_nobody_has_verified_is_left_to_a_person():
    decision = claim(shipped("law-au"), ticket__reason="unusable", order__country="AU")
    assert decision.entitlement is not None
    assert decision.entitlement.window is not None
    assert decision.entitlement.window.open is None
    assert [ask.rule for ask in decision.asks] == ["window"]
    assert decision.entitlement.warnings


def test_a_refund_time_nobody_has_verified_promises_nothing():
    facts = {"ticket__reason": "not_received", "order__country": "CA", "order__region": "CA-ON"}
    found = entitled(shipped("law-ca-on"), **facts, claim__eligible_at=NOW)
    assert found.refund_due is None
    assert any("ca-on-cancelled" in warning for warning in found.warnings)
