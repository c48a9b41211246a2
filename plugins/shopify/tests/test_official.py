"""Checks against Shopify's published schemas, which lie beside the checkout or not at all."""

from __future__ import annotations

import functools
import gzip
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from graphql import FieldNode, build_client_schema, execute_sync, parse, validate
from graphql.language import visit
from graphql.language.visitor import Visitor

from aftersail.sdk import CaseAction, CaseDecision
from aftersail_shopify import connector as connector_module
from aftersail_shopify import documents

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "official" / "shopify"
VERSIONS = ("2026-07", "2026-10")

pytestmark = [
    pytest.mark.official,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/official/shopify is not beside the checkout"),
]


@functools.cache
def schema(version):
    with gzip.open(FOLDER / f"admin_{version}.json.gz") as file:
        found = json.load(file)
    # The published schema breaks a rule of GraphQL's own about deprecated fields of interfaces; documents do not care.
    return build_client_schema(found.get("data", found), assume_valid=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", documents.ALL, ids=lambda document: document.name)
def test_every_document_is_valid(document, version):
    parsed = parse(document.text)
    assert validate(schema(version), parsed) == []
    assert parsed.definitions[0].name.value == document.name
    assert (parsed.definitions[0].operation.value == "mutation") is document.write


def test_a_wrong_document_is_noticed():
    assert validate(schema(VERSIONS[0]), parse("query Wrong { orders(first: 1) { nodes { total } } }"))


def test_every_document_is_in_the_list():
    known = {value for value in vars(documents).values() if isinstance(value, documents.Document)}
    assert known == set(documents.ALL)


class Fields(Visitor):
    def __init__(self):
        super().__init__()
        self.found: list[FieldNode] = []

    def enter_field(self, node, *_):
        self.found.append(node)


def test_every_refund_carries_its_key():
    refunds = []
    for document in documents.ALL:
        fields = Fields()
        visit(parse(document.text), fields)
        refunds += [field for field in fields.found if field.name.value == "refundCreate"]
    assert refunds
    for field in refunds:
        assert [directive.name.value for directive in field.directives] == ["idempotent"]
        assert [argument.name.value for argument in field.directives[0].arguments] == ["key"]


@pytest.mark.parametrize("version", VERSIONS)
def test_topics_and_reasons_exist(version):
    assert set(connector_module.TOPICS) <= set(schema(version).get_type("WebhookSubscriptionTopic").values)
    assert set(schema(version).get_type("ReturnDeclineReason").values) == connector_module._DECLINE_REASONS


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_simulator_answers_and_the_connector_sends_fits_the_schema(sim, shop, clock, version):
    """Each answer is executed as data against the real schema: a missing field or a wrong type is an error."""
    orders = [
        sim.add_order(placed_at=clock() - timedelta(hours=n), tracking=("DHL", f"JJD{n}"), delivered_at=clock())
        for n in range(3)
    ]
    sim.add_order(lines=[(f"Thing {n}", f"T{n}", 1, "1.00") for n in range(12)])
    asked = [sim.add_return_request(order, note="Too big") for order in orders]
    exchanges = []

    def watch(request):
        response = sim.handle(request)
        exchanges.append((json.loads(request.content), response.json()))
        return response

    channel = shop.connect(transport=httpx.MockTransport(watch))
    channel.check_account()
    channel.fetch_orders(None, 10)
    channel.fetch_cases(None, 10)
    for case, action in zip(asked, (CaseAction.APPROVE, CaseAction.DECLINE), strict=False):
        channel.decide_case(CaseDecision(key="d", case_id=case.id, action=action, note="See our terms"))
    channel._link_of(asked[0].id)
    channel.issue_refund(shop.refund(orders[0], "5.00"))
    channel.quote_refund(orders[0].id)
    channel.subscribe("https://desk.example/hooks")
    seen = set()
    for body, answer in exchanges:
        seen.add(body["operationName"])
        result = execute_sync(
            schema(version), parse(body["query"]), root_value=answer["data"], variable_values=body["variables"]
        )
        assert result.errors is None, body["operationName"]
    assert seen == {document.name for document in documents.ALL}
