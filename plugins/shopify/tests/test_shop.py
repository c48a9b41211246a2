from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError

from aftersail.sdk import Stream, WebhookRequest
from aftersail.sdk.testing.context import make_context
from aftersail_shopify.connector import TOPICS, ShopifyConnector
from aftersail_shopify.settings import ShopifySettings


def test_the_account_and_its_warnings(sim, shop):
    account = shop.connector.check_account()
    assert account.title == "Demo shop"
    assert account.warnings == ()
    sim.scopes = ["write_orders", "read_returns"]
    assert shop.connector.check_account().warnings == (
        "the scope write_returns is missing: return requests cannot be answered",
        "the scope read_customers is missing: buyers have no name",
    )


def test_a_token_of_another_shop_is_noticed(sim, shop):
    sim.shop = "other-shop.myshopify.com"
    assert any("other-shop.myshopify.com" in warning for warning in shop.connector.check_account().warnings)


def test_over_real_http(sim, settings):
    sim.add_order()
    with sim.serve() as url:
        connector = ShopifyConnector(settings.model_copy(update={"endpoint": url}), make_context())
        try:
            assert connector.check_account().title == "Demo shop"
            assert len(connector.fetch_orders(None, 10).items) == 1
        finally:
            connector.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"shop": "my-shop.example"},
        {"shop": "evil.example/.myshopify.com"},
        {"api_version": "2025-10"},
        {"api_version": "unstable"},
        {"endpoint": "http://shop.example"},
        {"endpoint": "ftp://127.0.0.1"},
        {"history_days": 0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        ShopifySettings(**{"shop": "my-shop.myshopify.com", "access_token": SecretStr("t"), **wrong})


def test_the_token_is_not_in_the_repr(settings):
    assert settings.access_token.get_secret_value() not in repr(settings) + str(settings.model_dump())


# Computed by others over this very body with this very secret (from SQLPage's own tests of Shopify webhooks).
VECTOR = {
    "secret": "test-webhook-secret",
    "body": b'{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}',
    "signature": "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=",
}


def delivery(**headers):
    return WebhookRequest(
        headers={"x-shopify-hmac-sha256": VECTOR["signature"], **headers},
        body=VECTOR["body"],
        received_at=datetime(2026, 11, 2, tzinfo=UTC),
    )


@pytest.fixture
def vector_shop(shop, settings):
    return shop.connect(settings.model_copy(update={"client_secret": SecretStr(VECTOR["secret"])}))


def test_shopifys_signature(vector_shop):
    assert vector_shop.verify_webhook(delivery()) is True


@pytest.mark.parametrize(
    "forged",
    [
        delivery().model_copy(update={"body": VECTOR["body"].replace(b"123.45", b"123.46")}),
        delivery().model_copy(update={"body": b""}),
        delivery().model_copy(update={"headers": {}}),
        delivery(**{"x-shopify-hmac-sha256": ""}),
        delivery(**{"x-shopify-hmac-sha256": "QNyObTlKbMx2"}),
        delivery(**{"x-shopify-hmac-sha256": "Größe"}),
        delivery(**{"x-shopify-shop-domain": "other-shop.myshopify.com"}),
    ],
)
def test_forged_deliveries(vector_shop, forged):
    assert vector_shop.verify_webhook(forged) is False


def test_another_secret_or_none_accepts_nothing(shop, settings):
    assert shop.connector.verify_webhook(delivery()) is False
    assert shop.connect(settings.model_copy(update={"client_secret": None})).verify_webhook(delivery()) is False
    empty = settings.model_copy(update={"client_secret": SecretStr("")})
    assert shop.connect(empty).verify_webhook(delivery()) is False


@pytest.mark.parametrize(
    ("topic", "streams"),
    [
        ("orders/updated", (Stream.ORDERS,)),
        ("refunds/create", (Stream.ORDERS,)),
        ("returns/request", (Stream.CASES, Stream.ORDERS)),
    ],
)
def test_topics_are_hints(sim, shop, topic, streams):
    hint = shop.connector.parse_webhook(sim.webhook(topic, {}, delivery="delivery-9"))
    assert hint.streams == streams
    assert hint.event_id == "delivery-9"


def test_subscribing_again_changes_nothing(sim, shop):
    first = shop.connector.subscribe("https://desk.example/hooks/shop")
    assert set(first.topics) == set(TOPICS)
    before = list(sim.subscriptions)
    assert len(before) == len(TOPICS)
    assert shop.connector.subscribe("https://desk.example/hooks/shop") == first
    assert sim.subscriptions == before


def test_a_topic_taken_meanwhile_is_as_good(sim, shop):
    sim.fail_next(
        "AftersailWebhooks",
        200,
        body={"data": {"webhookSubscriptions": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}},
        times=2,
    )
    shop.connector.subscribe("https://desk.example/hooks")
    shop.connector.subscribe("https://desk.example/hooks")
    assert len(sim.subscriptions) == len(TOPICS)
