"""Orders through the public interface, on the simulator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aftersail.sdk import AuthExpired, CursorExpired, Money, Parcel, RateLimited, Unavailable
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_amazon.connector import AmazonConnector
from aftersail_amazon.mapping import to_order
from aftersail_amazon.settings import AmazonSettings
from aftersail_amazon.simulator import AmazonSimulator

FIRST, SECOND, THIRD = (f"302-0000000-000000{index}" for index in range(3))


def walk(connector, cursor=None, *, limit=10, between=lambda: None):
    orders = []
    while True:
        page = connector.fetch_orders(cursor=cursor, limit=limit)
        orders += page.items
        cursor = page.cursor
        if not page.more:
            return orders, cursor
        between()


def searches(simulator):
    return [dict(call.request.url.params) for call in simulator.calls if call.operation == "search_orders"]


def test_an_order_comes_with_buyer_lines_parcels_and_its_page(simulator, connect, clock):
    at = clock() - timedelta(hours=3)
    simulator.place_order(FIRST, price="19.99", quantity=2, relay="abcdef123456@marketplace.amazon.de", at=at)
    clock.advance(timedelta(minutes=30))
    simulator.ship(FIRST, "JJD000000001", "DHL")
    clock.advance(timedelta(minutes=30))
    ((order,), _) = walk(connect())
    assert (order.external_id, order.number, order.placed_at) == (FIRST, FIRST, at)
    assert (order.buyer.external_id, order.buyer.email) == ("abcdef123456", "abcdef123456@marketplace.amazon.de")
    assert order.total == Money.of("39.98", "EUR")
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("LAMP-1", 2, Money.of("19.99", "EUR"))
    ]
    assert order.parcels == (Parcel(tracking_number="JJD000000001", carrier="DHL"),)
    assert (order.status, order.ship_country, order.refunded) == ("SHIPPED", "DE", None)
    assert order.link == f"https://sellercentral.amazon.de/orders-v3/order/{FIRST}"


def test_delivery_the_region_and_the_parcels_of_a_line_are_told(simulator, connect, clock):
    order = simulator.place_order(FIRST, price="19.99", quantity=2, shipping="4.90", at=clock() - timedelta(hours=3))
    order["recipient"]["deliveryAddress"] = {"stateOrRegion": "ON", "countryCode": "CA"}
    simulator.ship(FIRST, "A", "DHL")
    order["packages"][0]["packageItems"][0]["quantity"] = 1
    connector = connect()
    clock.advance(timedelta(minutes=30))
    ((found,), cursor) = walk(connector)
    assert (found.ship_region, found.shipping_paid) == ("CA-ON", Money.of("4.90", "EUR"))
    assert found.lines[0].tracking_numbers == ()
    simulator.ship(FIRST, "B", "DHL")
    clock.advance(timedelta(minutes=30))
    ((found,), _) = walk(connector, cursor)
    assert found.lines[0].tracking_numbers == ("A", "B")


@pytest.mark.parametrize(
    ("country", "state"), [("GB", "England"), ("US", "California"), ("BR", "SP"), ("US", None), ("DE", "CA")]
)
def test_a_region_in_free_text_is_left_out(simulator, connect, clock, country, state):
    order = simulator.place_order(FIRST, price="5", at=clock() - timedelta(hours=3))
    order["recipient"]["deliveryAddress"] = {"stateOrRegion": state, "countryCode": country}
    page = connect().fetch_orders(cursor=None, limit=10)
    assert ([order.ship_region for order in page.items], page.skipped) == ([None], ())


def part(kind, amount, *details):
    euro = {"amount": amount, "currencyCode": "EUR"}
    split = [{"subtype": sub, "value": {"amount": value, "currencyCode": "EUR"}} for sub, value in details]
    return {"type": kind, "subtotal": euro} | ({"detailedBreakdowns": split} if split else {})


@pytest.mark.parametrize(
    ("total", "parts", "paid"),
    [
        ("24.90", [part("ITEM", "20"), part("SHIPPING", "4.90")], "4.90"),
        ("20", [part("ITEM", "20")], "0"),
        (
            "28.50",
            [part("ITEM", "20"), part("SHIPPING", "5"), part("TAX", "3.50", ("ITEM", "2.80"), ("SHIPPING", "0.70"))],
            "5.70",
        ),
        ("20", [part("ITEM", "20"), part("SHIPPING", "5"), part("DISCOUNT", "-5", ("SHIPPING", "-5"))], "0"),
        ("23", [part("ITEM", "20"), part("SHIPPING", "5"), part("DISCOUNT", "2", ("SHIPPING", "2"))], "3"),
        ("23.50", [part("ITEM", "20"), part("SHIPPING", "0"), part("TAX", "3.50")], None),
        ("25", [part("ITEM", "20"), part("SHIPPING", "5"), part("TAX", "3.50", ("SHIPPING", "0.70"))], None),
        ("24.90", None, None),
        ("much", [part("ITEM", "20")], None),
    ],
)
def test_what_delivery_cost_is_read_only_from_a_breakdown_that_adds_up(simulator, connect, clock, total, parts, paid):
    order = simulator.place_order(FIRST, price="5", at=clock() - timedelta(hours=3))
    proceeds = {"proceedsTotal": {"amount": total, "currencyCode": "EUR"}}
    order["orderItems"][0]["proceeds"] = proceeds | ({} if parts is None else {"breakdowns": parts})
    page = connect().fetch_orders(cursor=None, limit=10)
    expected = None if paid is None else Money.of(paid, "EUR")
    assert ([order.shipping_paid for order in page.items], page.skipped) == ([expected], ())


def test_a_search_names_one_time_the_data_sets_and_the_marketplaces(simulator, connect):
    connect(marketplace_ids=("A1PA6795UKMFR9", "A13V1IB3VIYZZH")).fetch_orders(cursor=None, limit=250)
    assert searches(simulator) == [
        {
            "lastUpdatedAfter": "2026-10-03T09:00:00Z",
            "marketplaceIds": "A1PA6795UKMFR9,A13V1IB3VIYZZH",
            "includedData": "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,PACKAGES",
            "maxResultsPerPage": "100",
        }
    ]


def test_an_order_whose_payment_is_pending_comes_when_it_is_one(simulator, connect, clock):
    order = simulator.place_order(FIRST, price="5", status="PENDING", at=clock() - timedelta(hours=1))
    del order["proceeds"]
    connector = connect()
    page = connector.fetch_orders(cursor=None, limit=10)
    assert (page.items, page.skipped) == ((), ())
    order["fulfillment"]["fulfillmentStatus"] = "UNSHIPPED"
    order["proceeds"] = {"grandTotal": {"amount": "5", "currencyCode": "EUR"}}
    simulator.touch(FIRST)
    clock.advance(timedelta(minutes=10))
    assert [found.external_id for found in walk(connector, page.cursor)[0]] == [FIRST]


def test_an_unreadable_order_is_skipped_and_said(simulator, connect, clock):
    at = clock() - timedelta(hours=1)
    simulator.place_order(FIRST, price="5", at=at)
    del simulator.place_order(SECOND, price="5", at=at)["createdTime"]
    simulator.place_order(THIRD, price="5.001", at=at)
    page = connect().fetch_orders(cursor=None, limit=10)
    assert [order.external_id for order in page.items] == [FIRST]
    assert sorted(page.skipped) == [f"order {SECOND} lacks 'createdTime'", f"order {THIRD} is unreadable (ValueError)"]


def test_a_token_that_grew_old_starts_the_same_search_again(simulator, connect, clock):
    for order_id in (FIRST, SECOND, THIRD):
        simulator.place_order(order_id, price="5", at=clock() - timedelta(hours=1))
    connector = connect()
    page = connector.fetch_orders(cursor=None, limit=2)
    clock.advance(timedelta(hours=24))
    orders, _ = walk(connector, page.cursor, limit=2)
    assert {order.external_id for order in orders} == {FIRST, SECOND, THIRD}
    first, again, *_ = searches(simulator)
    assert again["lastUpdatedAfter"] == first["lastUpdatedAfter"]
    assert "paginationToken" not in again


def test_a_token_refused_before_its_time_is_an_expired_cursor(simulator, connect, clock):
    for order_id in (FIRST, SECOND, THIRD):
        simulator.place_order(order_id, price="5", at=clock() - timedelta(hours=1))
    connector = connect()
    page = connector.fetch_orders(cursor=None, limit=2)
    simulator._pages.clear()
    with pytest.raises(CursorExpired) as caught:
        connector.fetch_orders(cursor=page.cursor, limit=2)
    assert caught.value.code == "InvalidInput"


@pytest.mark.parametrize("cursor", ["", "garbage", "{}", '{"after":"2026-01-01T00:00:00"}'])
def test_an_unreadable_cursor_is_expired(connect, cursor):
    with pytest.raises(CursorExpired):
        connect().fetch_orders(cursor=cursor, limit=10)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    count=st.integers(0, 8),
    limit=st.integers(1, 4),
    changes=st.lists(st.integers(0, 9), max_size=8),
    waits=st.lists(st.sampled_from([0, 5, 400, 90_000]), min_size=8, max_size=8),
)
def test_every_order_and_every_change_is_met_while_orders_change_between_the_pages(count, limit, changes, waits):
    clock = FixedClock()
    simulator = AmazonSimulator(clock=clock)
    for index in range(count):
        at = clock() - timedelta(hours=30 - index)
        simulator.place_order(f"302-0000000-{index:07d}", price="5", at=at)
    connector = AmazonConnector(
        AmazonSettings.model_validate(
            {
                "seller_id": "A0SIMULATED",
                "client_id": "amzn1.simulated-app",
                "client_secret": "simulated-lwa-secret",
                "refresh_token": "simulated-authorisation",
                "endpoint": "https://amazon.example",
            }
        ),
        make_context(transport=simulator.transport(), clock=clock),
    )
    pending, pauses = list(changes), list(waits)

    def between():
        clock.advance(timedelta(seconds=pauses.pop() if pauses else 0))
        if pending:
            chosen = f"302-0000000-{pending.pop():07d}"
            if chosen in simulator.orders:
                simulator.touch(chosen)
            else:
                simulator.place_order(chosen, price="5")
        # The budget of searches is not what is tried here.
        connector._api._http.budget.set_level("searchOrders", 20)

    first, cursor = walk(connector, limit=limit, between=between)
    clock.advance(timedelta(minutes=3))
    connector._api._http.budget.set_level("searchOrders", 20)
    second, _ = walk(connector, cursor, limit=100)
    met = {(order.external_id, order.revision) for order in first + second}
    assert {(order.external_id, order.revision) for order in map(to_order, simulator.orders.values())} <= met


# -- account and failures ---------------------------------------------------------------------------------------------


def test_the_account_is_the_sellers(connect):
    account = connect().check_account()
    assert (account.external_id, account.warnings) == ("A0SIMULATED", ())


def test_a_revoked_authorisation_is_auth_expired(connect):
    with pytest.raises(AuthExpired):
        connect(refresh_token="another").check_account()


def test_a_missing_role_says_what_to_check(simulator, connect):
    body = {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied."}]}
    simulator.fail_next("search_orders", 403, times=9, body=body)
    with pytest.raises(AuthExpired, match="180 days") as caught:
        connect().check_account()
    assert caught.value.code == "Unauthorized"


def test_a_throttled_search_is_due_when_the_next_call_is_earned(simulator, connect, clock):
    body = {"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota"}]}
    simulator.fail_next("search_orders", 429, times=9, body=body)
    with pytest.raises(RateLimited) as caught:
        connect().fetch_orders(cursor=None, limit=10)
    assert caught.value.retry_at == clock() + timedelta(seconds=179)
    assert len(searches(simulator)) == 1


def test_the_twenty_first_search_at_once_is_not_even_sent(simulator, connect):
    connector = connect()
    for _ in range(20):
        connector.fetch_orders(cursor=None, limit=10)
    with pytest.raises(RateLimited, match="budget"):
        connector.fetch_orders(cursor=None, limit=10)
    assert len(searches(simulator)) == 20


@pytest.mark.parametrize("body", [[], {}, {"orders": None}, {"orders": [], "lastUpdatedBefore": "soon"}])
def test_an_answer_of_another_shape_is_unavailable(simulator, connect, body):
    simulator.fail_next("search_orders", 200, times=9, body=body)
    with pytest.raises(Unavailable):
        connect().fetch_orders(cursor=None, limit=10)


def test_one_of_the_two_times_is_needed(connect):
    api = connect()._api
    for times in ({}, {"created_after": "2026-01-01T00:00:00Z", "updated_after": "2026-01-01T00:00:00Z"}):
        with pytest.raises(ValueError, match="exactly one"):
            api.search_orders(**times)
