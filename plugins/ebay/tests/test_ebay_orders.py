"""Orders through the public interface, on the simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.sdk import Money, Parcel
from aftersail_ebay.mapping import to_order


def fetch(connector, cursor=None, limit=10):
    orders = []
    while True:
        page = connector.fetch_orders(cursor=cursor, limit=limit)
        orders += page.items
        cursor = page.cursor
        if not page.more:
            return orders, cursor


def test_an_order_comes_with_buyer_lines_and_parcels(simulator, connect, clock):
    simulator.place_order("01-00001", buyer="buyer_one", price="30.00", quantity=3)
    simulator.ship("01-00001", "9400100000000000000001", "USPS")
    ((order,), _) = fetch(connect())
    assert (order.external_id, order.number, order.placed_at) == ("01-00001", "01-00001", clock())
    assert (order.buyer.external_id, order.buyer.email) == ("buyer_one", "buyer_one@relay.example")
    assert order.total == Money.of("30.00", "USD")
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("LAMP-1", 3, Money.of("10.00", "USD"))
    ]
    assert order.parcels == (Parcel(tracking_number="9400100000000000000001", carrier="USPS"),)
    assert (order.status, order.ship_country, order.refunded) == ("FULFILLED", "US", Money.of("0", "USD"))


def test_delivery_the_region_and_the_parcels_of_a_line_are_told(simulator, connect):
    simulator.place_order("01-00001", buyer="b", price="30.00", quantity=3, shipping="5.90", state="CA")
    simulator.ship("01-00001", "A", "USPS")
    simulator.parcels["01-00001"][0]["lineItems"][0]["quantity"] = 2
    ((order,), _) = fetch(connect())
    assert (order.ship_region, order.shipping_paid) == ("US-CA", Money.of("5.90", "USD"))
    assert (order.lines[0].digital, order.lines[0].tracking_numbers) == (False, ())
    simulator.ship("01-00001", "B", "USPS")
    ((order,), _) = fetch(connect())
    assert order.lines[0].tracking_numbers == ("A", "B")


def test_parcels_cost_a_call_each_and_can_be_left_out(simulator, connect):
    simulator.place_order("01-00001", buyer="b", price="5")
    simulator.place_order("01-00002", buyer="b", price="5")
    simulator.ship("01-00002", "X1", "UPS")
    fetch(connect(with_parcels=False))
    assert "get_shipping_fulfillments" not in {call.operation for call in simulator.calls}
    fetch(connect())
    assert [call.operation for call in simulator.calls].count("get_shipping_fulfillments") == 1


def test_a_changed_order_comes_again_with_a_higher_revision(simulator, connect, clock):
    simulator.place_order("01-00001", buyer="b", price="5")
    connector = connect()
    clock.advance(timedelta(hours=1))
    ((before,), cursor) = fetch(connector)
    clock.advance(timedelta(hours=1))
    assert fetch(connector, cursor)[0] == []
    simulator.ship("01-00001", "X1", "UPS")
    ((after,), _) = fetch(connector, cursor)
    assert after.revision > before.revision


@pytest.mark.parametrize("newest_first", [True, False])
def test_no_order_is_lost_when_one_changes_between_the_pages(simulator, connect, clock, newest_first):
    simulator.newest_first = newest_first
    for index in range(7):
        simulator.place_order(f"01-{index:05d}", buyer="b", price="5")
        clock.advance(timedelta(minutes=1))
    connector, cursor, seen, step = connect(), None, set(), 0
    while True:
        page = connector.fetch_orders(cursor=cursor, limit=2)
        seen |= {order.external_id for order in page.items}
        cursor = page.cursor
        if not page.more:
            break
        clock.advance(timedelta(seconds=5))
        if step < 3:
            simulator.touch(f"01-{step if not newest_first else 6 - step:05d}")
        step += 1
    assert seen == {f"01-{index:05d}" for index in range(7)}


def test_an_unreadable_order_is_skipped_and_said(simulator, connect):
    simulator.place_order("01-00001", buyer="b", price="5")
    del simulator.place_order("01-00002", buyer="b", price="5")["pricingSummary"]
    simulator.place_order("01-00003", buyer="b", price="5.001")
    page = connect().fetch_orders(cursor=None, limit=10)
    assert [order.external_id for order in page.items] == ["01-00001"]
    assert sorted(page.skipped) == ["01-00002 lacks 'pricingSummary'", "01-00003 is unreadable (ValueError)"]


def money(value, currency="USD"):
    return {"value": str(value), "currency": currency}


def raw(**changes):
    return {
        "orderId": "01-1",
        "creationDate": "2026-11-01T08:00:00.000Z",
        "lastModifiedDate": "2026-11-01T09:00:00.000Z",
        "pricingSummary": {"total": money("50.00")},
    } | changes


@pytest.mark.parametrize(
    ("at_order", "at_lines", "refunded"),
    [
        ([], [], "0"),
        ([("10", "REFUNDED")], [], "10"),
        ([], ["4", "3"], "7"),
        ([("7", "REFUNDED")], ["7"], "7"),
        ([("10", "REFUNDED"), ("5", "PENDING")], [], "15"),
        ([("10", "FAILED")], [], "0"),
    ],
)
def test_refunds_of_others_are_seen_once(at_order, at_lines, refunded):
    order = raw(
        paymentSummary={"refunds": [{"amount": money(value), "refundStatus": status} for value, status in at_order]},
        lineItems=[
            {
                "lineItemId": "1",
                "quantity": 1,
                "lineItemCost": money("50.00"),
                "refunds": [{"amount": money(value)} for value in at_lines],
            }
        ],
    )
    assert to_order(order, ()).refunded == Money.of(refunded, "USD")


def test_a_refund_in_another_currency_is_not_guessed():
    order = raw(paymentSummary={"refunds": [{"amount": money("1", "EUR")}]}, lineItems=[])
    assert to_order(order, ()).refunded is None


def test_the_buyers_country_is_behind_the_hub_and_a_cancelled_order_says_so():
    order = raw(
        cancelStatus={"cancelState": "CANCELED"},
        orderFulfillmentStatus="NOT_STARTED",
        fulfillmentStartInstructions=[
            {
                "finalDestinationAddress": {"countryCode": "PT"},
                "shippingStep": {"shipTo": {"contactAddress": {"countryCode": "GB"}}},
            }
        ],
    )
    made = to_order(order, ())
    assert (made.ship_country, made.status) == ("PT", "CANCELED")


@pytest.mark.parametrize(
    ("summary", "paid"),
    [
        ({"deliveryCost": money("5.90")}, "5.90"),
        ({"deliveryCost": money("5.90"), "deliveryDiscount": money("-2.00")}, "3.90"),
        ({"deliveryCost": money("5.90"), "tax": money("0.0")}, "5.90"),
        ({"deliveryCost": money("5.90"), "tax": money("1.10")}, None),
        ({"deliveryCost": money("5.90", "EUR")}, None),
        ({"deliveryCost": money("5.90"), "deliveryDiscount": money("-7.00")}, None),
        ({"deliveryCost": money("free")}, None),
        ({}, None),
    ],
)
def test_what_delivery_cost_is_told_where_it_is_sure(summary, paid):
    made = to_order(raw(pricingSummary={"total": money("50.00")} | summary), ())
    assert made.shipping_paid == (None if paid is None else Money.of(paid, "USD"))


@pytest.mark.parametrize(
    ("kinds", "gift", "digital"),
    [
        (["SHIP_TO"], None, False),
        (["DIGITAL"], None, True),
        (["SHIP_TO"], {"recipientEmail": "b@relay.example"}, True),
        (["SHIP_TO", "DIGITAL"], None, None),
        ([None], None, None),
        ([], None, None),
    ],
)
def test_a_line_is_digital_where_ebay_says_so(kinds, gift, digital):
    line = {"lineItemId": "1", "quantity": 1, "lineItemCost": money("5")} | ({"giftDetails": gift} if gift else {})
    instructions = [{"fulfillmentInstructionsType": kind} if kind else {} for kind in kinds]
    (made,) = to_order(raw(lineItems=[line], fulfillmentStartInstructions=instructions), ()).lines
    assert made.digital is digital


@pytest.mark.parametrize(("country", "state"), [("GB", "Kent"), ("US", "Calif."), ("DE", "BE"), ("US", None)])
def test_a_region_in_free_text_is_left_out(country, state):
    address = {"countryCode": country, "stateOrProvince": state}
    made = to_order(raw(fulfillmentStartInstructions=[{"finalDestinationAddress": address}]), ())
    assert (made.ship_country, made.ship_region) == (country, None)


@given(cost=st.decimals(0, 9999, places=2), quantity=st.integers(1, 50))
def test_a_unit_price_times_the_quantity_is_the_line_to_half_a_cent_a_piece(cost, quantity):
    line = {"lineItemId": "1", "quantity": quantity, "lineItemCost": money("1"), "discountedLineItemCost": money(cost)}
    (made,) = to_order(raw(lineItems=[line]), ()).lines
    assert abs(made.unit_price.amount * quantity - cost) * 200 <= quantity
