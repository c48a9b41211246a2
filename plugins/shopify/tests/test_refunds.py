from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from aftersail.sdk import (
    Ambiguous,
    AuthExpired,
    InProgress,
    Invalid,
    Money,
    RateLimited,
    RefundLine,
    RefundState,
    Unavailable,
)


@pytest.fixture
def order(sim):
    return sim.add_order(lines=[("Blue mug", "MUG-1", 2, "12.50")], shipping="5.00")


def answer(sim, operation, **body):
    sim.fail_next(operation, 200, body=body)


def user_errors(*messages):
    errors = [{"field": None, "message": message} for message in messages]
    return {"data": {"refundCreate": {"refund": None, "userErrors": errors}}}


def test_a_part_goes_back_and_the_quote_follows(shop, order, sim):
    assert shop.connector.quote_refund(order.id).remaining == Money.of("30.00", "EUR")
    receipt = shop.connector.issue_refund(shop.refund(order, "7.50", note="Broken handle"))
    assert receipt.state is RefundState.SETTLED
    assert receipt.amount == Money.of("7.50", "EUR")
    assert shop.booked() == [("refund-1", "7.50")]
    assert sim.ledger[0].note == "Broken handle [aftersail:refund-1]"
    quote = shop.connector.quote_refund(order.id)
    assert quote.remaining == Money.of("22.50", "EUR")
    assert [item.amount for item in quote.refunds] == [Money.of("7.50", "EUR")]


def test_lines_are_named_without_restocking(shop, order, sim):
    line = order.lines[0].id
    shop.connector.issue_refund(shop.refund(order, "12.50", lines=(RefundLine(line_id=line, quantity=1),)))
    sent = json.loads(sim.calls[-1].request.content)["variables"]["input"]
    assert sent["refundLineItems"] == [{"lineItemId": line, "quantity": 1, "restockType": "NO_RESTOCK"}]
    assert sent["transactions"][0]["amount"] == "12.50"
    assert sent["currency"] == "EUR"


def test_refunds_by_hand_are_seen(shop, order, sim):
    sim.refund_by_hand(order, "20.00")
    quote = shop.connector.quote_refund(order.id)
    assert quote.remaining == Money.of("10.00", "EUR")
    with pytest.raises(Invalid, match=r"more than the 10\.00 EUR"):
        shop.connector.issue_refund(shop.refund(order, "10.01"))
    assert shop.booked() == [(None, "20.00")]


def test_an_over_refund_that_wins_the_race_is_refused_by_shopify(shop, order, sim):
    # Somebody refunds between our look and our refund: the look is altered to what it was before.
    before = {"presentmentMoney": {"amount": "30.0", "currencyCode": "EUR"}}

    def stale(body):
        suggested = body["data"]["order"]["suggestedRefund"]
        suggested["maximumRefundableSet"] = before
        suggested["suggestedTransactions"][0]["maximumRefundableSet"] = before
        return body

    sim.refund_by_hand(order, "20.00")
    sim.alter_next("AftersailRefundable", stale)
    with pytest.raises(Invalid, match="greater than"):
        shop.connector.issue_refund(shop.refund(order, "30.00"))
    assert shop.booked() == [(None, "20.00")]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Refund amount is greater than what is left.", Invalid),
        ("This request is currently in progress, please try again.", InProgress),
        ("The same idempotency key cannot be used with different operation parameters.", Invalid),
    ],
)
def test_user_errors_under_200(shop, order, sim, message, error):
    answer(sim, "AftersailRefund", **user_errors(message))
    with pytest.raises(error, match="Shopify refuses"):
        shop.connector.issue_refund(shop.refund(order, "1.00"))
    assert shop.booked() == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"errors": [{"message": "boom", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Ambiguous),
        ({"errors": [{"message": "odd"}], "data": {"refundCreate": None}}, Ambiguous),
        ({"errors": [{"message": "Variable $input is invalid", "extensions": {"code": "INVALID_VARIABLE"}}]}, Invalid),
        ({"errors": [{"message": "slow down", "extensions": {"code": "THROTTLED"}}]}, RateLimited),
        ({"errors": [{"message": "closed", "extensions": {"code": "SHOP_INACTIVE"}}]}, AuthExpired),
        ({"errors": "[API] Invalid something"}, Invalid),
        ({"data": {"refundCreate": None}}, Ambiguous),
        ({"data": None}, Ambiguous),
        ([], Ambiguous),
    ],
)
def test_top_level_errors_of_a_refund(shop, order, sim, body, error):
    sim.fail_next("AftersailRefund", 200, body=body)
    with pytest.raises(error):
        shop.connector.issue_refund(shop.refund(order, "1.00"))
    assert shop.booked() == []
    assert [call.operation for call in sim.calls] == ["AftersailRefundable", "AftersailRefund"]


def test_a_server_error_of_a_read_is_unavailable(shop, order, sim):
    sim.fail_next(
        "AftersailRefundable", 200, body={"errors": [{"message": "x", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}
    )
    with pytest.raises(Unavailable):
        shop.connector.quote_refund(order.id)


@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "error_after", "garbage"])
def test_a_lost_answer_is_found_and_never_paid_again(shop, order, sim, fault):
    refund = shop.refund(order, "7.50")
    sim.fail_next("AftersailRefund", fault)
    with pytest.raises(Ambiguous):
        shop.connector.issue_refund(refund)
    found = shop.connector.lookup_refund(refund)
    assert found.amount == Money.of("7.50", "EUR")
    assert found.state is RefundState.SETTLED
    again = shop.connect().issue_refund(refund)
    assert again.external_id == found.external_id
    assert shop.booked() == [("refund-1", "7.50")]


def test_a_lost_request_is_not_found_and_paid_once(shop, order, sim):
    refund = shop.refund(order, "7.50")
    sim.fail_next("AftersailRefund", "timeout_before")
    with pytest.raises(Ambiguous):
        shop.connector.issue_refund(refund)
    assert shop.connector.lookup_refund(refund) is None
    shop.connector.issue_refund(refund)
    assert shop.booked() == [("refund-1", "7.50")]


def test_shopifys_own_key_pays_once_where_the_note_is_not_seen_yet(shop, order, sim):
    def unseen(body):
        body["data"]["order"]["refunds"] = []
        return body

    refund = shop.refund(order, "7.50")
    first = shop.connector.issue_refund(refund)
    sim.alter_next("AftersailRefundable", unseen)
    assert shop.connector.issue_refund(refund).external_id == first.external_id
    assert len(sim.ledger) == 1
    sim.alter_next("AftersailRefundable", unseen)
    with pytest.raises(Invalid, match="never changes its amount"):
        shop.connector.issue_refund(shop.refund(order, "8.00"))
    assert len(sim.ledger) == 1


def test_a_key_that_shopify_forgot_is_known_by_the_note(shop, order, sim, clock):
    refund = shop.refund(order, "7.50")
    first = shop.connector.issue_refund(refund)
    clock.advance(timedelta(hours=25))
    assert shop.connector.issue_refund(refund).external_id == first.external_id
    assert len(sim.ledger) == 1


def test_keys_that_begin_alike_are_not_mixed_up(shop, order):
    shop.connector.issue_refund(shop.refund(order, "1.00", key="refund-10"))
    assert shop.connector.lookup_refund(shop.refund(order, "1.00", key="refund-1")) is None
    assert shop.connector.lookup_refund(shop.refund(order, "1.00", key="0")) is None


def test_two_refunds_with_our_key_are_for_a_person(shop, order, sim):
    for _ in range(2):
        sim.refund_by_hand(order, "1.00").note = "[aftersail:refund-1]"
    with pytest.raises(Ambiguous, match="2 refunds"):
        shop.connector.lookup_refund(shop.refund(order, "1.00"))


@pytest.mark.parametrize(("status", "state"), [("PENDING", RefundState.PENDING), ("FAILURE", RefundState.REFUSED)])
def test_what_the_payment_provider_says(shop, order, sim, status, state):
    sim.let_provider_answer(status)
    receipt = shop.connector.issue_refund(shop.refund(order, "7.50"))
    assert receipt.state is state
    assert receipt.amount == Money.of("7.50", "EUR")


def test_other_currency_nothing_and_unknown_order_are_refused_before_any_refund(shop, order, sim):
    for refund in (
        shop.refund(order, "1.00", currency="USD"),
        shop.refund(order, "0.00"),
        shop.refund(order, "1.00").model_copy(update={"order_id": "gid://shopify/Order/1"}),
    ):
        with pytest.raises(Invalid):
            shop.connector.issue_refund(refund)
    assert "AftersailRefund" not in {call.operation for call in sim.calls}


def test_refundcreate_without_a_key_is_refused_by_the_simulator(sim, order, shop):
    with httpx.Client(transport=sim.transport()) as client:
        answered = client.post(
            "https://demo-shop.myshopify.com/admin/api/2026-10/graphql.json",
            headers={"X-Shopify-Access-Token": "shop-access-token-for-tests"},
            json={
                "operationName": "AftersailRefund",
                "query": "mutation AftersailRefund { refundCreate(input: $input) { refund { id } } }",
                "variables": {"input": {"orderId": order.id}, "key": "k"},
            },
        )
    assert "required" in answered.json()["errors"][0]["message"]
    assert shop.booked() == []
