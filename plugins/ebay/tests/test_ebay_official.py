"""Against eBay's own OpenAPI: what is sent, what is read, and that every declared error has a name."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx
import jsonschema
import pytest

from aftersail.sdk import Ambiguous, Invalid, Reply, Unavailable
from aftersail_ebay.errors import CODES

OFFICIAL = Path(__file__).parents[4] / "shared" / "official" / "ebay"
FILES = {
    "/commerce/message/v1": OFFICIAL / "commerce_message_v1_oas3.json",
    "/sell/fulfillment/v1": OFFICIAL / "sell_fulfillment_v1_oas3.json",
}
CALLS = {
    "getConversations": ("/commerce/message/v1", "get", "/conversation"),
    "getConversation": ("/commerce/message/v1", "get", "/conversation/{conversation_id}"),
    "sendMessage": ("/commerce/message/v1", "post", "/send_message"),
    "getOrders": ("/sell/fulfillment/v1", "get", "/order"),
    "getShippingFulfillments": ("/sell/fulfillment/v1", "get", "/order/{orderId}/shipping_fulfillment"),
}
pytestmark = [
    pytest.mark.official,
    pytest.mark.skipif(not OFFICIAL.is_dir(), reason="eBay's OpenAPI files are not beside the checkout"),
]


def spec(base):
    return json.loads(FILES[base].read_text(encoding="utf-8"))


def operation(name):
    base, method, path = CALLS[name]
    found = spec(base)["paths"][path][method]
    assert found["operationId"] == name
    return found


def declared(name):
    return {
        int(code)
        for answer in operation(name)["responses"].values()
        for code in (answer.get("x-response-codes") or {}).get("errors", {})
    }


def strict(schema):
    """Refuse what the schema does not name, so that a field of our own invention is found."""
    if isinstance(schema, dict):
        made = {key: strict(value) for key, value in schema.items()}
        if "properties" in made:
            made["additionalProperties"] = False
        return made
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


def validate(base, name, value):
    document = spec(base)
    schema = {"$ref": f"#/components/schemas/{name}", "components": strict(document["components"])}
    jsonschema.Draft202012Validator(schema).validate(value)


def find(request: httpx.Request):
    for name, (base, method, template) in CALLS.items():
        parts, given = (base + template).split("/"), request.url.path.split("/")
        same = len(parts) == len(given) and all(a == b or a.startswith("{") for a, b in zip(parts, given, strict=True))
        if same and request.method.lower() == method:
            return name, base
    raise AssertionError(f"{request.method} {request.url.path} is no operation of eBay's")


@pytest.fixture
def exchanges(simulator, connect, clock):
    """Everything the connector sends, with what the simulator answers."""
    met = []
    original = simulator.handle

    def handle(request):
        response = original(request)
        if "oauth2" not in request.url.path:
            met.append((request, response))
        return response

    simulator.handle = handle
    for index in range(3):
        at = clock() - timedelta(hours=index + 1)
        conversation = simulator.open_conversation(f"buyer{index}", "hi", item="1100", at=at)
        simulator.conversations[conversation].messages[0]["messageMedia"] = [
            {"mediaName": "a.jpg", "mediaType": "IMAGE", "mediaUrl": "https://media.example/a.jpg"}
        ]
        simulator.place_order(f"01-0000{index}", buyer=f"buyer{index}", price="5.00")
    simulator.ship("01-00001", "X1", "UPS")
    connector = connect()
    connector.check_account()
    for hook in ("fetch_messages", "fetch_orders"):
        cursor, more = None, True
        while more:
            page = getattr(connector, hook)(cursor=cursor, limit=2)
            assert page.skipped == ()
            cursor, more = page.cursor, page.more
    connector.post_reply(reply=Reply(key="k", thread_id=conversation, text="hello"))
    return met


def test_every_call_is_one_of_ebays_with_parameters_it_knows(exchanges):
    names = set()
    for request, _ in exchanges:
        name, _ = find(request)
        names.add(name)
        parameters = {item["name"]: item for item in operation(name)["parameters"] if item["in"] == "query"}
        given = request.url.params
        assert set(given) <= set(parameters)
        assert {key for key, item in parameters.items() if item.get("required")} <= set(given)
    assert names == set(CALLS)


def test_every_body_sent_and_every_answer_of_the_simulator_fits_the_schema(exchanges):
    for request, response in exchanges:
        name, base = find(request)
        found = operation(name)
        if request.content:
            wanted = found["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            validate(base, wanted, json.loads(request.content))
        wanted = found["responses"][str(response.status_code)]["content"]["application/json"]["schema"]["$ref"]
        validate(base, wanted.rpartition("/")[2], response.json())


@pytest.mark.parametrize("name", sorted(CALLS))
def test_every_declared_error_has_a_name(name):
    assert declared(name), "the table moved; look at the file again"
    assert declared(name) <= set(CODES)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_declared_error_is_what_the_connector_raises(name, simulator, connect):
    conversation = simulator.open_conversation("buyer", "hi")
    simulator.place_order("01-1", buyer="buyer", price="5")
    simulator.ship("01-1", "X1", "UPS")
    handlers = {
        "getConversations": ("get_conversations", lambda c: c.fetch_messages(cursor=None, limit=5)),
        "getConversation": ("get_conversation", lambda c: c.fetch_messages(cursor=None, limit=5)),
        "sendMessage": ("send_message", lambda c: c.post_reply(reply=Reply(key="k", thread_id=conversation, text="x"))),
        "getOrders": ("get_orders", lambda c: c.fetch_orders(cursor=None, limit=5)),
        "getShippingFulfillments": ("get_shipping_fulfillments", lambda c: c.fetch_orders(cursor=None, limit=5)),
    }
    target, call = handlers[name]
    for status, answer in operation(name)["responses"].items():
        for code, row in (answer.get("x-response-codes") or {}).get("errors", {}).items():
            body = {"errors": [{"errorId": int(code), "category": row["category"], "message": row["description"]}]}
            simulator.heal()
            simulator.fail_next(target, int(status), times=9, body=body)
            broken = Ambiguous if name == "sendMessage" else Unavailable
            with pytest.raises(broken if row["category"] == "APPLICATION" else Invalid) as caught:
                call(connect())
            assert caught.value.code == code
