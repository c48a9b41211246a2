"""Replays the recordings. Run this file to make them anew: `python plugins/shopify/tests/test_recordings.py`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from aftersail.sdk import CaseAction, CaseDecision, Invalid, Money, RefundRequest, RefundState
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.recordings import OutsideRecordingError, Recording, RecordingTransport, replay
from aftersail.sdk.testing.scene import secrets_of
from aftersail_shopify.connector import ShopifyConnector
from aftersail_shopify.settings import API_VERSION, ShopifySettings
from aftersail_shopify.simulator import ShopifySimulator

RECORDINGS = Path(__file__).parent.parent / "recordings"
TOKEN = "recorded-access-token"
ORDER, RETURN = "gid://shopify/Order/1001", "gid://shopify/Return/1013"


def settings(token=TOKEN):
    return ShopifySettings(shop="demo-shop.myshopify.com", access_token=SecretStr(token))


def stocked(clock):
    simulator = ShopifySimulator(token=TOKEN, clock=clock)
    orders = [
        simulator.add_order(placed_at=clock() - timedelta(hours=12 - n), tracking=("DHL", f"JJD0000{n}"))
        for n in range(12)
    ]
    simulator.add_return_request(orders[0], reason="defective", note="The handle is broken")
    return simulator


def refund(amount, clock):
    return RefundRequest(
        key="refund-1", order_id=ORDER, amount=Money.of(amount, "EUR"), planned_at=clock(), note="Broken handle"
    )


def orders(connector, clock):
    del clock
    account = connector.check_account()
    assert account.title == "Demo shop"
    first = connector.fetch_orders(None, 10)
    second = connector.fetch_orders(first.cursor, 10)
    found = [order.number for page in (first, second) for order in page.items]
    assert len(set(found)) == 12
    assert (first.more, second.more) == (True, False)


def return_approved(connector, clock):
    del clock
    page = connector.fetch_cases(None, 10)
    page = connector.fetch_cases(page.cursor, 10)
    assert [case.external_id for case in page.items] == [RETURN]
    connector.decide_case(CaseDecision(key="decision-1", case_id=RETURN, action=CaseAction.APPROVE))


def refund_in_part(connector, clock):
    asked = refund("7.50", clock)
    assert connector.quote_refund(ORDER).remaining == Money.of("25.00", "EUR")
    assert connector.lookup_refund(asked) is None
    assert connector.issue_refund(asked).state is RefundState.SETTLED
    assert connector.lookup_refund(asked).amount == Money.of("7.50", "EUR")


def refund_too_large(connector, clock):
    with pytest.raises(Invalid):
        connector.issue_refund(refund("25.01", clock))


SCENARIOS = {
    "orders": orders,
    "return-approved": return_approved,
    "refund-in-part": refund_in_part,
    "refund-too-large": refund_too_large,
}


def record(name, path, **dated):
    clock = FixedClock()
    transport = RecordingTransport(
        stocked(clock).transport(),
        path,
        api_version=API_VERSION,
        origin="simulator",
        secrets=secrets_of(settings()),
        **dated,
    )
    connector = ShopifyConnector(settings(), make_context(transport=transport, clock=clock))
    SCENARIOS[name](connector, clock)
    connector.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_replay(name):
    clock = FixedClock()
    with replay(RECORDINGS / f"{name}.json", secrets=[SecretStr("another-token")]):
        connector = ShopifyConnector(settings("another-token"), make_context(clock=clock))
        SCENARIOS[name](connector, clock)
        connector.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_recording_is_what_the_simulator_says_today(name, tmp_path):
    record(name, tmp_path / "again.json")
    kept, again = Recording.load(RECORDINGS / f"{name}.json"), Recording.load(tmp_path / "again.json")
    assert kept.exchanges == again.exchanges, "run this file to record anew"
    assert kept.origin == "simulator"
    assert kept.api_version == API_VERSION


def test_a_request_outside_the_recording_is_noticed():
    clock = FixedClock()
    connector = ShopifyConnector(settings(), make_context(clock=clock))
    with pytest.raises(OutsideRecordingError, match="is not in"), replay(RECORDINGS / "refund-in-part.json"):
        connector.issue_refund(refund("9.99", clock))


if __name__ == "__main__":
    for scenario in SCENARIOS:
        record(scenario, RECORDINGS / f"{scenario}.json")
