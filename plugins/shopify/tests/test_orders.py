from __future__ import annotations

from datetime import timedelta

import pytest

from aftersail.sdk import CursorExpired, Money, NotAllowed, RateLimited
from aftersail.sdk.testing.context import make_context
from aftersail.sdk.testing.faults import shuffled
from aftersail_shopify.connector import ShopifyConnector
from aftersail_shopify.simulator import ShopifySimulator


def drain(fetch, cursor=None, limit=50, between=None):
    items = []
    for _ in range(50):
        page = fetch(cursor, limit)
        items += page.items
        cursor = page.cursor
        if not page.more:
            return items, cursor
        if between is not None:
            between, step = None, between
            step()
    raise AssertionError("the stream never ends")


def test_an_order_in_the_words_of_the_contract(sim, shop, clock):
    placed = clock() - timedelta(days=3)
    order = sim.add_order(
        number="4711",
        email="kim@example.com",
        lines=[("Blue mug", "MUG-1", 2, "12.50"), ("Poster", "", 1, "8.00")],
        shipping="4.90",
        locale="sv",
        country="SE",
        currency="SEK",
        tracking=("PostNord", "00370712345678901234"),
        placed_at=placed,
        delivered_at=placed + timedelta(days=2),
    )
    sim.refund_by_hand(order, "10.00")
    (found,), _ = drain(shop.connector.fetch_orders)
    assert found.external_id == order.id
    assert found.number == "#4711"
    assert found.placed_at == placed
    assert found.buyer.email == "kim@example.com"
    assert found.buyer.name == "Kim Berg"
    assert (found.total, found.refunded, found.refundable) == (
        Money.of("37.90", "SEK"),
        Money.of("10.00", "SEK"),
        Money.of("27.90", "SEK"),
    )
    assert [(line.title, line.sku, line.quantity, line.unit_price.amount) for line in found.lines] == [
        ("Blue mug", "MUG-1", 2, Money.of("12.50", "SEK").amount),
        ("Poster", None, 1, Money.of("8.00", "SEK").amount),
    ]
    assert [(parcel.carrier, parcel.tracking_number) for parcel in found.parcels] == [
        ("PostNord", "00370712345678901234")
    ]
    assert found.delivered_at == placed + timedelta(days=2)
    assert (found.ship_country, found.locale) == ("SE", "sv")
    assert found.status == "PARTIALLY_REFUNDED, FULFILLED"
    assert found.link == f"https://admin.shopify.com/store/demo-shop/orders/{order.id.rsplit('/', 1)[-1]}"


def test_delivery_digital_lines_and_the_region_are_told(sim, shop):
    order = sim.add_order(
        lines=[("Mug", "MUG-1", 1, "12.50"), ("Pattern", "PDF-1", 1, "8.00")],
        shipping="4.90",
        country="US",
        province="CA",
        currency="USD",
    )
    order.lines[1].requires_shipping = False
    (found,), _ = drain(shop.connector.fetch_orders)
    assert (found.ship_region, found.shipping_paid) == ("US-CA", Money.of("4.90", "USD"))
    assert [line.digital for line in found.lines] == [False, True]
    sim.refund_by_hand(order, "4.90")
    (found,), _ = drain(shop.connector.fetch_orders)
    assert found.shipping_paid == Money.of("4.90", "USD")


@pytest.mark.parametrize(("country", "province"), [("US", "AE"), ("MX", "AGS"), ("US", "California"), ("DE", None)])
def test_a_region_that_is_none_of_iso_3166_2_is_left_out(sim, shop, country, province):
    sim.add_order(country=country, province=province)
    page = shop.connector.fetch_orders(None, 10)
    assert ([order.ship_region for order in page.items], page.skipped) == ([None], ())


@pytest.mark.parametrize(
    ("taxes_included", "line", "paid"),
    [
        (False, ("4.00", "0.80"), "4.80"),
        (True, ("4.80", "0.80"), "4.80"),
        (True, ("0.0",), "0"),
        (None, ("4.00", "0.80"), None),
        (True, None, None),
    ],
)
def test_what_delivery_cost_is_told_with_its_tax_or_not_at_all(sim, shop, taxes_included, line, paid):
    sim.add_order()

    def bag(amount):
        return {"presentmentMoney": {"amount": amount, "currencyCode": "EUR"}}

    def change(body):
        node = body["data"]["orders"]["nodes"][0]
        node["taxesIncluded"] = taxes_included
        node["shippingLine"] = line and {
            "discountedPriceSet": bag(line[0]),
            "taxLines": [{"priceSet": bag(tax)} for tax in line[1:]],
        }
        return body

    sim.alter_next("AftersailOrders", change)
    (found,), _ = drain(shop.connector.fetch_orders)
    assert found.shipping_paid == (None if paid is None else Money.of(paid, "EUR"))


def test_yen_have_no_decimals(sim, shop):
    sim.add_order(lines=[("Tea", "T", 1, "1200")], currency="JPY")
    (found,), _ = drain(shop.connector.fetch_orders)
    assert str(found.total) == "1200 JPY"


def test_lines_beyond_the_first_page_are_read(sim, shop):
    sim.add_order(lines=[(f"Thing {n}", f"T{n}", 1, "1.00") for n in range(123)])
    (found,), _ = drain(shop.connector.fetch_orders)
    assert len({line.external_id for line in found.lines}) == 123


def test_an_order_changed_while_paging_is_never_lost(sim, shop, clock):
    orders = [sim.add_order(placed_at=clock() - timedelta(minutes=60 - n)) for n in range(25)]

    def change():
        # The first was read, the last was not; both move to the end of the list.
        clock.advance(timedelta(minutes=1))
        sim.touch(orders[0])
        sim.touch(orders[24])
        sim.refund_by_hand(orders[12], "1.00")

    found, _ = drain(shop.connector.fetch_orders, between=change)
    assert {item.external_id for item in found} == {order.id for order in orders}
    newest = {}
    for item in found:
        newest[item.external_id] = max(newest.get(item.external_id, item), item, key=lambda order: order.revision)
    assert newest[orders[12].id].refunded == Money.of("1.00", "EUR")
    assert newest[orders[0].id].revision == int(clock().timestamp())


def test_the_next_window_brings_only_what_changed_and_the_overlap(sim, shop, clock):
    old = sim.add_order(placed_at=clock() - timedelta(days=2))
    recent = sim.add_order()
    found, cursor = drain(shop.connector.fetch_orders)
    assert len(found) == 2
    clock.advance(timedelta(hours=1))
    found, cursor = drain(shop.connector.fetch_orders, cursor)
    assert [item.external_id for item in found] == [recent.id]
    sim.touch(old)
    found, cursor = drain(shop.connector.fetch_orders, cursor)
    assert old.id in {item.external_id for item in found}


def test_an_order_indexed_late_is_found_in_the_overlap(sim, shop, clock):
    sim.add_order()
    _, cursor = drain(shop.connector.fetch_orders)
    late = sim.add_order(placed_at=clock() - timedelta(minutes=4))
    found, _ = drain(shop.connector.fetch_orders, cursor)
    assert late.id in {item.external_id for item in found}


def test_a_page_cursor_that_shopify_forgot_restarts_the_window(sim, shop, clock):
    orders = [sim.add_order(placed_at=clock() - timedelta(minutes=n)) for n in range(15)]
    page = shop.connector.fetch_orders(None, 10)
    cursor = page.cursor.replace('"after":"', '"after":"!!')
    found, _ = drain(shop.connector.fetch_orders, cursor)
    assert {item.external_id for item in found} == {order.id for order in orders}


@pytest.mark.parametrize("cursor", ["", "17", "{}", '{"v":2,"since":"2026-01-01T00:00:00Z"}', '{"since":"2026-01-01"}'])
def test_a_foreign_cursor_is_expired(shop, cursor):
    with pytest.raises(CursorExpired):
        shop.connector.fetch_orders(cursor, 10)


def test_history_bounds_the_first_window(sim, shop, clock):
    sim.add_order(placed_at=clock() - timedelta(days=61))
    young = sim.add_order(placed_at=clock() - timedelta(days=59))
    found, _ = drain(shop.connector.fetch_orders)
    assert [item.external_id for item in found] == [young.id]


def test_pages_in_another_order_lose_nothing(sim, shop, clock):
    orders = [sim.add_order(placed_at=clock() - timedelta(minutes=n)) for n in range(15)]
    sim.alter_next("AftersailOrders", shuffled("data", "orders", "nodes"), times=5)
    found, _ = drain(shop.connector.fetch_orders)
    assert {item.external_id for item in found} == {order.id for order in orders}


def test_one_unreadable_order_blocks_nobody(sim, shop):
    bad, good = sim.add_order(), sim.add_order()

    def spoil(body):
        next(node for node in body["data"]["orders"]["nodes"] if node["id"] == bad.id)["totalPriceSet"] = None
        return body

    sim.alter_next("AftersailOrders", spoil)
    page = shop.connector.fetch_orders(None, 10)
    assert [item.external_id for item in page.items] == [good.id]
    assert len(page.skipped) == 1
    assert f"#{bad.number}" in page.skipped[0]


def test_fields_the_app_may_not_see_are_left_out_and_named(sim, shop):
    sim.add_order()

    def deny(body):
        body["data"]["orders"]["nodes"][0] |= {"customer": None, "email": None}
        body["errors"] = [
            {"message": "no", "path": ["orders", "nodes", 0, name], "extensions": {"code": "ACCESS_DENIED"}}
            for name in ("customer", "email")
        ]
        return body

    sim.alter_next("AftersailOrders", deny)
    page = shop.connector.fetch_orders(None, 10)
    assert page.items[0].buyer.email is None
    assert page.skipped == ("the app may not see the field customer", "the app may not see the field email")


def test_a_denied_document_is_not_allowed(sim, shop):
    sim.fail_next(
        "AftersailOrders",
        200,
        body={"errors": [{"message": "Access denied for orders field.", "extensions": {"code": "ACCESS_DENIED"}}]},
    )
    with pytest.raises(NotAllowed, match="scopes"):
        shop.connector.fetch_orders(None, 10)


def test_a_throttled_read_waits_for_its_points(clock, settings):
    sim = ShopifySimulator(token=settings.access_token.get_secret_value(), clock=clock, points=1000, restore=50)
    for n in range(40):
        sim.add_order(placed_at=clock() - timedelta(minutes=n))
    connector = ShopifyConnector(settings, make_context(transport=sim.transport(), clock=clock))
    found, _ = drain(connector.fetch_orders)
    assert len(found) == 40
    assert sum(clock.slept) > 10


def test_a_read_throttled_once_is_sent_again_after_the_wait(sim, shop, clock):
    order = sim.add_order()
    body = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {
            "cost": {
                "requestedQueryCost": 700,
                "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 100, "restoreRate": 100},
            }
        },
    }
    sim.fail_next("AftersailOrders", 200, body=body)
    found, _ = drain(shop.connector.fetch_orders)
    assert [item.external_id for item in found] == [order.id]
    assert clock.slept == [pytest.approx(6)]


def test_throttling_beyond_patience_says_when_to_come_back(sim, shop, clock):
    body = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {
            "cost": {
                "requestedQueryCost": 700,
                "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 100, "restoreRate": 10},
            }
        },
    }
    sim.fail_next("AftersailOrders", 200, body=body, times=9)
    with pytest.raises(RateLimited) as caught:
        shop.connector.fetch_orders(None, 10)
    assert caught.value.retry_at == clock() + timedelta(seconds=60)
    assert len(sim.calls) == 1
