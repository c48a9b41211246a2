"""Against Amazon's own model: a server that answers its static sandbox examples and refuses anything else."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import jsonschema
import pytest

from aftersail.sdk import AuthExpired, Invalid, RateLimited, Unavailable
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail_amazon.connector import AmazonConnector
from aftersail_amazon.mapping import to_order
from aftersail_amazon.settings import AmazonSettings
from aftersail_amazon.simulator import AmazonSimulator

MODEL = Path(__file__).parents[4] / "shared" / "official" / "amazon" / "orders_2026-01-01.json"
PATH = "/orders/2026-01-01/orders"
pytestmark = [
    pytest.mark.official,
    pytest.mark.skipif(not MODEL.is_file(), reason="Amazon's orders model is not beside the checkout"),
]


def model():
    return json.loads(MODEL.read_text(encoding="utf-8"))


def examples():
    if not MODEL.is_file():
        return []
    responses = model()["paths"][PATH]["get"]["responses"]
    return [
        (int(status), {name: item["value"] for name, item in found["request"]["parameters"].items()}, found["response"])
        for status, answer in responses.items()
        for found in answer.get("x-amzn-api-sandbox", {}).get("static", [])
    ]


def wire(value):
    return ",".join(value) if isinstance(value, list) else str(value)


def sandbox(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/auth/o2/token":
        return httpx.Response(200, json={"access_token": "sandbox", "expires_in": 3600})
    assert request.headers["x-amz-access-token"] == "sandbox"
    given = dict(request.url.params)
    for status, parameters, response in examples():
        if request.url.path == PATH and given == {name: wire(value) for name, value in parameters.items()}:
            return httpx.Response(status, json=response)
    return httpx.Response(400, json={"errors": [{"code": "NoExample", "message": f"no example for {given}"}]})


def connector(transport, clock=None):
    settings = AmazonSettings.model_validate(
        {
            "seller_id": "A0SANDBOX",
            "client_id": "amzn1.simulated-app",
            "client_secret": "simulated-lwa-secret",
            "refresh_token": "simulated-authorisation",
            "endpoint": "https://sandbox.example",
        }
    )
    return AmazonConnector(settings, make_context(transport=transport, clock=clock))


@pytest.mark.parametrize(("status", "parameters", "response"), examples())
def test_every_example_is_asked_for_as_amazon_wants_and_read(status, parameters, response):
    api = connector(httpx.MockTransport(sandbox))._api
    arguments = {
        "created_after": parameters["createdAfter"],
        "marketplace_ids": parameters.get("marketplaceIds", ()),
        "included": parameters.get("includedData", ()),
        "token": parameters.get("paginationToken"),
    }
    if status == 400:
        with pytest.raises(Invalid) as caught:
            api.search_orders(**arguments)
        assert caught.value.code == response["errors"][0]["code"]
        return
    page = api.search_orders(**arguments)
    assert page.token == response.get("pagination", {}).get("nextToken")
    assert page.until is not None
    for raw, order in zip(response["orders"], map(to_order, page.orders), strict=True):
        total = raw["proceeds"]["grandTotal"]
        assert (order.external_id, order.total.currency) == (raw["orderId"], total["currencyCode"])
        assert order.total.amount == Decimal(total["amount"])
        assert order.ship_country == raw["recipient"]["deliveryAddress"]["countryCode"]
        assert [line.quantity for line in order.lines] == [item["quantityOrdered"] for item in raw["orderItems"]]
        tracked = [package["trackingNumber"] for package in raw.get("packages", ()) if "trackingNumber" in package]
        assert [parcel.tracking_number for parcel in order.parcels] == tracked


def test_there_are_examples_of_success_and_refusal():
    assert {status for status, _, _ in examples()} == {200, 400}


def test_every_parameter_sent_is_in_the_model():
    sent = []
    simulator = AmazonSimulator()

    def note(request):
        sent.append(request)
        return simulator.handle(request)

    made = connector(httpx.MockTransport(note))
    made.check_account()
    made.fetch_orders(cursor=None, limit=5)
    operation = model()["paths"][PATH]["get"]
    known = {item["name"]: item for item in operation["parameters"]}
    searches = [request for request in sent if request.url.path == PATH]
    assert len(searches) == 2
    for request in searches:
        given = dict(request.url.params)
        assert set(given) <= set(known)
        included = set(filter(None, given.get("includedData", "").split(",")))
        assert included <= set(known["includedData"]["items"]["enum"])


def test_the_simulators_answers_fit_the_model():
    clock = FixedClock()
    simulator = AmazonSimulator(clock=clock)
    for index in range(3):
        simulator.place_order(f"302-0000000-000000{index}", price="5.00")
        simulator.ship(f"302-0000000-000000{index}", f"X{index}", "DHL")
    clock.advance(timedelta(hours=1))
    bodies = []

    def handle(request):
        response = simulator.handle(request)
        bodies.append(response.json())
        return response

    connected, cursor, more = connector(httpx.MockTransport(handle), clock), None, True
    while more:
        page = connected.fetch_orders(cursor=cursor, limit=2)
        cursor, more = page.cursor, page.more
    schema = {"$ref": "#/definitions/SearchOrdersResponse", "definitions": model()["definitions"]}
    found = [body for body in bodies if "orders" in body]
    assert [len(body["orders"]) for body in found] == [2, 1]
    for body in found:
        jsonschema.Draft4Validator(schema).validate(body)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400", Invalid),
        ("403", AuthExpired),
        ("404", Invalid),
        ("413", Invalid),
        ("415", Invalid),
        ("429", RateLimited),
        ("500", Unavailable),
        ("503", Unavailable),
    ],
)
def test_every_declared_refusal_has_its_name(status, error):
    declared = set(model()["paths"][PATH]["get"]["responses"])
    assert status in declared
    simulator = AmazonSimulator()
    simulator.fail_next("search_orders", int(status), times=9, body={"errors": [{"code": "X", "message": "y"}]})
    with pytest.raises(error):
        connector(simulator.transport()).fetch_orders(cursor=None, limit=5)


def test_no_declared_refusal_is_left_out():
    declared = set(model()["paths"][PATH]["get"]["responses"]) - {"200"}
    assert declared == {"400", "403", "404", "413", "415", "429", "500", "503"}
