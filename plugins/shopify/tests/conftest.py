from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from aftersail.sdk import Money, RefundRequest
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_shopify.connector import ShopifyConnector
from aftersail_shopify.settings import ShopifySettings
from aftersail_shopify.simulator import ShopifySimulator

TOKEN = "shop-access-token-for-tests"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def sim(clock):
    return ShopifySimulator(token=TOKEN, clock=clock)


@pytest.fixture
def settings():
    return ShopifySettings(
        shop="demo-shop.myshopify.com",
        access_token=SecretStr(TOKEN),
        client_secret=SecretStr("simulated-client-secret"),
    )


@pytest.fixture
def shop(sim, clock, settings):
    """A connector on the simulator, and what most tests ask of it."""

    def connect(chosen=None, transport=None):
        context = make_context("shop", transport=transport or sim.transport(), clock=clock)
        return ShopifyConnector(chosen or settings, context)

    def refund(order, amount, *, key="refund-1", currency="EUR", **more):
        return RefundRequest(key=key, order_id=order.id, amount=Money.of(amount, currency), planned_at=clock(), **more)

    def booked():
        return [(item.key, str(item.amount)) for item in sim.ledger]

    return SimpleNamespace(connect=connect, connector=connect(), refund=refund, booked=booked)
