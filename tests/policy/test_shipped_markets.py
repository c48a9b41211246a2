"""The shipped marketplaces: their clocks beside the seller's own, their windows, and what is left to a person."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from aftersail.core import clocks
from aftersail.core.clocks import Basis, Metric, SourceKind
from aftersail.core.policy.rights import Component, Party
from tests.policy.shipped import NOW, claim, entitled, library, own, shipped, started, wall

SECOND = timedelta(seconds=1)
SHANGHAI, LONDON = "Asia/Shanghai", "Europe/London"
MARKETS = ("amazon", "ebay", "walmart", "etsy", "shopify", "tiktok-shop", "shopee")
LAWS = ("eu", "uk", "us", "us-ca", "us-ny", "au", "cn", "jp", "ca-on", "ca-qc")
BOUND = [f"law-{law}" for law in LAWS] + [f"market-{market}" for market in MARKETS]


def due(pack_id, at, metric, **facts):
    """Return when a marketplace's clock of a ticket is due that begins at an instant."""
    pack = shipped(pack_id)
    return started(pack, claim(pack, at, **facts), at)[metric, pack_id].due_at


# -- sources -----------------------------------------------------------------------------------------------------------


def test_every_law_and_marketplace_ships():
    assert set(BOUND) <= set(library().ids())


@pytest.mark.parametrize("pack_id", BOUND)
def test_a_source_has_its_page_its_day_and_whether_somebody_read_it(pack_id):
    content = shipped(pack_id).content
    assert content.kind is (SourceKind.LAW if pack_id.startswith("law-") else SourceKind.MARKETPLACE)
    assert any(value is not None for _, value in content.applies)
    assert content.sources
    for source in content.sources.values():
        assert source.page
        assert source.checked_on == date(2026, 11, 22)
        assert source.url.startswith("https://") or not source.verified


@pytest.mark.parametrize("pack_id", BOUND)
def test_every_row_names_a_source_and_what_stands_in_it_is_unique(pack_id):
    content = shipped(pack_id).content
    rows = [row for section in SECTIONS for row in getattr(content, section)]
    assert all(row.source in content.sources for row in rows)
    assert all(row.source.entry in content.sources for row in content.targets)
    prefix = pack_id.removeprefix("law-").removeprefix("market-").removesuffix("-shop")
    named = [*(row.id for row in [*rows, *content.targets, *content.rules]), *content.sources, *content.calendars]
    assert [name for name in named if name != prefix and not name.startswith(f"{prefix}-")] == []


SECTIONS = ("windows", "exceptions", "liability", "costs", "refund_due", "routes", "remedies")


def test_all_of_them_can_be_extended_at_once(tmp_path):
    assert own(tmp_path, "", BOUND).content.extends == tuple(BOUND)


def test_the_merchants_pack_goes_with_all_of_them_and_yields(tmp_path):
    pack = own(tmp_path, "", ["hw-merchant", *BOUND])
    back = wall("2026-11-20T10:00", "UTC")
    facts = {"ticket__connector": "walmart", "ticket__reason": "exchange", "order__country": "US"}
    found = entitled(pack, **facts, order__fulfilled_at=wall("2026-10-20T10:00", "UTC"), claim__goods_back_at=back)
    assert found.window is not None
    assert found.window.ground is not None
    assert found.window.ground.source.name == "market-walmart"
    share = found.share(Component.RETURN_FREIGHT)
    assert share is not None
    assert share.payer is Party.MERCHANT


@pytest.mark.parametrize("market", MARKETS)
def test_a_marketplace_binds_on_its_own_channels_only(market):
    pack = shipped(f"market-{market}")
    for country in ("US", "GB", "PH", "VN"):
        facts = {"ticket__reason": "return_request", "claim__kind": "return_request", "order__country": country}
        assert claim(pack, ticket__connector="email", **facts).targets == ()
        elsewhere = entitled(pack, ticket__connector="email", **facts) if pack.rights else None
        if elsewhere is not None:
            assert (elsewhere.costs, elsewhere.refund_due) == ((), None)
            assert elsewhere.window is None or elsewhere.window.open is False


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [Metric.FIRST_RESPONSE, Metric.NEXT_RESPONSE])
def test_vector_30_the_earlier_of_the_sellers_and_amazons_time_counts(tmp_path, metric):
    body = f"""\
calendars:
  office: {{timezone: Asia/Shanghai, hours: "Mo-Fr 09:00-18:00"}}
targets:
  - id: everyone
    clocks:
      - {{metric: {metric}, duration: 4h, basis: business_time, calendar: office}}
"""
    pack = own(tmp_path, body, ["market-amazon"])
    sent = wall("2026-11-20T17:30", SHANGHAI)
    running = started(pack, claim(pack, sent, ticket__connector="amazon"), sent)
    assert running[metric, "mine"].due_at == wall("2026-11-23T12:30", SHANGHAI)
    first = clocks.effective([running[metric, "mine"], running[metric, "market-amazon"]])
    assert first is not None
    assert first.due_at == wall("2026-11-21T17:30", SHANGHAI)
    assert (first.source.kind, first.source.name) == (SourceKind.MARKETPLACE, "market-amazon")


@pytest.mark.parametrize(
    ("country", "opened", "end", "zone"),
    [
        ("US", "2026-11-20T10:00", "2026-11-26T00:00", "UTC"),
        ("GB", "2026-11-20T10:00", "2026-11-26T00:00", LONDON),
        ("GB", "2026-12-24T10:00", "2027-01-01T00:00", LONDON),
        ("GB", "2026-11-21T10:00", "2026-11-26T00:00", LONDON),
        (None, "2026-12-24T10:00", "2026-12-30T00:00", "UTC"),
    ],
)
def test_vector_31_ebays_three_business_days_leave_out_weekends_and_uk_bank_holidays(country, opened, end, zone):
    facts = {"ticket__connector": "ebay", "claim__kind": "item_not_received", "order__country": country}
    assert due("market-ebay", wall(opened, zone), Metric.RETURN_ANSWERED, **facts) == wall(end, zone)


@pytest.mark.parametrize("market", ["amazon", "ebay", "tiktok-shop", "shopee"])
def test_a_message_about_a_return_starts_no_clock_of_a_formal_case(market):
    facts = {"ticket__connector": market, "ticket__reason": "return_request", "order__country": "PH"}
    decision = claim(shipped(f"market-{market}"), **facts, claim__kind="message")
    assert Metric.RETURN_ANSWERED not in {target.metric for target in decision.targets}


@pytest.mark.parametrize(
    ("market", "metric", "hours"),
    [
        ("amazon", Metric.FIRST_RESPONSE, 24),
        ("amazon", Metric.NEXT_RESPONSE, 24),
        ("amazon", Metric.RETURN_ANSWERED, 24),
        ("walmart", Metric.FIRST_RESPONSE, 48),
        ("walmart", Metric.NEXT_RESPONSE, 48),
        ("etsy", Metric.FIRST_RESPONSE, 48),
    ],
)
def test_marketplaces_count_weekends_and_holidays(market, metric, hours):
    pack = shipped(f"market-{market}")
    decision = claim(pack, ticket__connector=market, claim__kind="return_request")
    (target,) = [target for target in decision.targets if target.metric is metric]
    assert (target.duration, target.basis) == (timedelta(hours=hours), Basis.ELAPSED)


@pytest.mark.parametrize(
    ("market", "country", "opened", "end", "zone"),
    [
        ("tiktok-shop", "ID", "2026-11-20T10:00", "2026-11-22T10:00", "Asia/Jakarta"),
        ("tiktok-shop", "VN", "2026-11-20T10:00", "2026-11-24T00:00", "Asia/Ho_Chi_Minh"),
        ("tiktok-shop", "TH", "2026-11-19T10:00", "2026-11-21T00:00", "Asia/Bangkok"),
        ("shopee", "PH", "2026-11-20T10:00", "2026-11-22T10:00", "Asia/Manila"),
        ("shopee", "BR", "2026-11-20T10:00", "2026-11-23T10:00", "America/Sao_Paulo"),
    ],
)
def test_a_return_is_answered_by_the_rules_of_the_country(market, country, opened, end, zone):
    facts = {"ticket__connector": market, "claim__kind": "return_request", "order__country": country}
    assert due(f"market-{market}", wall(opened, zone), Metric.RETURN_ANSWERED, **facts) == wall(end, zone)


# -- windows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "country", "reason", "event", "begun", "zone", "too_late"),
    [
        ("amazon", "US", "exchange", "delivered_last_at", "2026-10-01T10:00", "UTC", "2026-11-01T00:00"),
        ("amazon", "US", "damaged", "delivered_last_at", "2026-10-01T10:00", "UTC", "2026-11-01T00:00"),
        # 30 days that begin 7 days after shipment
        ("walmart", "US", "exchange", "fulfilled_at", "2026-10-01T10:00", "America/Los_Angeles", "2026-11-08T00:00"),
        ("tiktok-shop", "GB", "exchange", "delivered_last_at", "2026-10-01T10:00", LONDON, "2026-11-01T00:00"),
        (
            "tiktok-shop",
            "VN",
            "damaged",
            "delivered_last_at",
            "2026-10-01T10:00",
            "Asia/Ho_Chi_Minh",
            "2026-10-17T00:00",
        ),
        ("tiktok-shop", "ID", "damaged", "delivered_last_at", "2026-10-01T10:00", "Asia/Jakarta", "2026-10-08T00:00"),
        ("shopee", "SG", "damaged", "delivered_last_at", "2026-10-01T10:00", "Asia/Singapore", "2026-10-17T00:00"),
    ],
)
def test_a_marketplaces_window_ends_with_its_last_second(market, country, reason, event, begun, zone, too_late):
    end = wall(too_late, zone)
    facts = {
        "ticket__connector": market,
        "ticket__reason": reason,
        "order__country": country,
        f"order__{event}": wall(begun, zone),
    }
    for at, open_ in ((end - SECOND, True), (end, False)):
        window = entitled(shipped(f"market-{market}"), at, **facts).window
        assert window is not None
        assert (window.open, window.ends_at) == (open_, end)


@pytest.mark.parametrize(
    ("placed", "delivered", "too_late"),
    [
        ("2025-11-01T00:00", "2025-11-05T12:00", "2026-02-01T00:00"),
        ("2025-12-31T00:10", "2025-12-31T20:00", "2026-02-01T00:00"),
        ("2025-12-31T23:59", "2026-01-20T12:00", "2026-02-20T00:00"),
        ("2025-10-31T23:59", "2025-11-05T12:00", "2025-12-06T00:00"),
        ("2026-01-01T00:00", "2026-01-05T12:00", "2026-02-05T00:00"),
    ],
)
def test_amazons_season_of_2025_prolongs_and_never_shortens(placed, delivered, too_late):
    facts = {
        "ticket__connector": "amazon",
        "ticket__reason": "exchange",
        "order__country": "US",
        "order__placed_at": wall(placed, "UTC"),
        "order__delivered_last_at": wall(delivered, "UTC"),
    }
    window = entitled(shipped("market-amazon"), wall(delivered, "UTC"), **facts).window
    assert window is not None
    assert window.ends_at == wall(too_late, "UTC")


# -- money -------------------------------------------------------------------------------------------------------------

LIABLE = """\
liability:
  - {id: personal, reasons: [return_request, refund_request, cancel_order, exchange], party: buyer}
  - {id: others, reasons: [not_received, unusable, damaged, minor_defect, wrong_item, not_as_described, missing_parts,
     delivery_question, product_question, invoice, complaint, other], party: merchant}
"""


@pytest.mark.parametrize(
    ("market", "reason", "payer"),
    [
        ("walmart", "exchange", Party.MERCHANT),
        ("walmart", "damaged", Party.MERCHANT),
        ("ebay", "not_as_described", Party.MERCHANT),
        # not verified for sellers of the same country
        ("amazon", "damaged", None),
    ],
)
def test_f21_a_marketplace_says_who_pays_the_way_back(tmp_path, market, reason, payer):
    pack = own(tmp_path, LIABLE, [f"market-{market}"])
    share = entitled(pack, ticket__reason=reason, ticket__connector=market).share(Component.RETURN_FREIGHT)
    assert share is not None
    assert share.payer is payer


def test_f21_on_ebay_a_change_of_mind_is_between_seller_and_buyer(tmp_path):
    pack = own(tmp_path, LIABLE, ["market-ebay"])
    assert entitled(pack, ticket__reason="exchange", ticket__connector="ebay").share(Component.RETURN_FREIGHT) is None


def test_walmart_pays_back_itself_48_hours_after_the_goods_are_back():
    back = wall("2026-11-20T10:00", "UTC")
    facts = {"ticket__connector": "walmart", "ticket__reason": "exchange", "claim__goods_back_at": back}
    refund = entitled(shipped("market-walmart"), **facts).refund_due
    assert refund is not None
    assert refund.due_at == back + timedelta(hours=48)


# -- what is not certain -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("market", ["amazon", "ebay"])
def test_a_refund_time_nobody_has_verified_promises_nothing_and_is_told(market):
    back = wall("2026-11-20T10:00", "UTC")
    facts = {"ticket__connector": market, "ticket__reason": "exchange", "order__country": "US"}
    found = entitled(shipped(f"market-{market}"), **facts, claim__goods_back_at=back)
    assert found.refund_due is None
    assert any(f"market-{market}" in warning for warning in found.warnings)


@pytest.mark.parametrize(("market", "country"), [("shopee", "PH"), ("tiktok-shop", "TH"), ("etsy", "US")])
def test_between_two_figures_nobody_is_turned_away(market, country):
    facts = {
        "ticket__connector": market,
        "ticket__reason": "damaged",
        "order__country": country,
        "order__delivered_last_at": NOW - timedelta(days=10),
    }
    decision = claim(shipped(f"market-{market}"), **facts)
    assert decision.entitlement is not None
    assert decision.entitlement.window is not None
    assert decision.entitlement.window.open is None
    assert [ask.rule for ask in decision.asks] == ["window"]


# -- the starter -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connector", "country", "demanding"),
    [
        ("amazon", "DE", {"starter", "market-amazon", "law-eu"}),
        ("walmart", "US", {"starter", "market-walmart"}),
        ("ebay", "GB", {"starter", "market-ebay"}),
        ("shopify", "FR", {"starter", "law-eu"}),
        ("email", "JP", {"starter"}),
    ],
)
def test_the_starter_knows_the_clocks_of_the_marketplace_and_of_the_law_that_bind(connector, country, demanding):
    facts = {"ticket__connector": connector, "order__country": country, "ticket__reason": "return_request"}
    decision = claim(shipped("starter"), **facts, claim__kind="return_request")
    assert {target.source.name for target in decision.targets} == demanding


@pytest.mark.parametrize(
    ("country", "law", "open_"),
    [("DE", "law-eu", True), ("CN", "law-cn", False), ("US", None, False), ("JP", None, False)],
)
def test_f18_the_starter_gives_every_buyer_what_the_law_gives(country, law, open_):
    facts = {"ticket__connector": "shopify", "order__country": country, "ticket__reason": "return_request"}
    window = entitled(shipped("starter"), **facts, order__delivered_last_at=NOW - timedelta(days=10)).window
    assert window is not None
    assert window.open is open_
    assert (window.ground.source.name if window.ground else None) == law
