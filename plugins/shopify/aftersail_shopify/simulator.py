"""A stateful Shopify for tests and the demo: the part of the Admin API that the connector calls."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from aftersail.sdk.testing.simulator import route
from aftersail_shopify import simulated_shop as shop
from aftersail_shopify.simulated_shop import SimOrder, SimReturn, gid
from aftersail_shopify.simulated_world import SimulatedWorld

KEY_LIFE = timedelta(hours=24)
"""How long Shopify keeps idempotency keys ("Implementing idempotency", checked 2026-11-22)."""
_SCOPES = ("read_orders", "write_orders", "read_returns", "write_returns", "read_customers", "read_all_orders")
_COST_PER_ORDER = 61.0
_COST = 10.0


@dataclass
class _Throttle:
    size: float
    rate: float
    level: float
    at: datetime


class ShopifySimulator(SimulatedWorld):
    """One shop behind one access token.

    Args:
        token: the access token it takes.
        shop: the shop's domain.
        client_secret: signs `webhook()`.
        clock: the shop's clock, UTC.
        points: size of the cost bucket.
        restore: points per second that come back.
        scopes: what the app may do.

    Attributes:
        ledger: refunds really booked, oldest first; for tests and the demo to count.
        orders: by id.
        subscriptions: id, topic and address of each.
    """

    def __init__(
        self,
        *,
        token: str,
        shop: str = "demo-shop.myshopify.com",
        client_secret: str = "simulated-client-secret",  # noqa: S107 - of a simulator
        clock: Callable[[], datetime] | None = None,
        points: float = 2000.0,
        restore: float = 100.0,
        scopes: Sequence[str] = _SCOPES,
    ) -> None:
        super().__init__(shop=shop, client_secret=client_secret, clock=clock)
        self.scopes = list(scopes)
        self.subscriptions: list[tuple[str, str, str]] = []
        self._token = token
        self._throttle = _Throttle(points, restore, points, self.now())
        self._keys: dict[str, tuple[datetime, str, dict[str, Any]]] = {}

    def operation_of(self, request: httpx.Request, handler: str) -> str:
        """Name the GraphQL operation."""
        try:
            return str(json.loads(request.content)["operationName"])
        except (ValueError, KeyError, TypeError):
            return handler

    @route("POST", "/admin/api/{version}/graphql.json")
    def graphql(self, request: httpx.Request, version: str) -> httpx.Response:
        """Answer a document."""
        if request.headers.get("x-shopify-access-token") != self._token:
            return httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
        body = json.loads(request.content)
        name, variables = str(body.get("operationName")), body.get("variables") or {}
        answer = getattr(self, f"_{name}", None)
        if answer is None or not name.startswith("Aftersail"):
            return httpx.Response(200, json={"errors": [{"message": f"the simulator knows no operation {name}"}]})
        cost = _COST_PER_ORDER * variables["first"] if "first" in variables else _COST
        if not self._draw(cost):
            throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return httpx.Response(200, json={"errors": [throttled], "extensions": self._extensions(cost)})
        result = answer(variables, str(body.get("query")), version)
        return httpx.Response(200, json={**result, "extensions": self._extensions(cost)})

    def _draw(self, cost: float) -> bool:
        bucket, now = self._throttle, self.now()
        elapsed = max(0.0, (now - bucket.at).total_seconds())
        bucket.level, bucket.at = min(bucket.size, bucket.level + elapsed * bucket.rate), now
        if bucket.level < cost:
            return False
        bucket.level -= cost
        return True

    def _extensions(self, cost: float) -> dict[str, Any]:
        status = {
            "maximumAvailable": self._throttle.size,
            "currentlyAvailable": int(self._throttle.level),
            "restoreRate": self._throttle.rate,
        }
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status}}

    def _AftersailShop(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802 - the operation's name
        del variables, query, version
        scopes = [{"handle": scope} for scope in self.scopes]
        named = {"id": gid("Shop", 1), "name": "Demo shop", "myshopifyDomain": self.shop}
        return {"data": {"shop": named, "currentAppInstallation": {"accessScopes": scopes}}}

    def _AftersailOrders(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        since = re.fullmatch(r"updated_at:>='([^']+)'", variables["query"])
        if since is None:
            return _refused(f"the simulator cannot read the search {variables['query']}")
        start = datetime.fromisoformat(since.group(1))
        found = sorted(
            (order for order in self.orders.values() if order.updated_at.replace(microsecond=0) >= start),
            key=_position,
        )
        if variables.get("after"):
            try:
                after = tuple(json.loads(b64decode(variables["after"], validate=True)))
            except ValueError:
                return _refused("Invalid cursor for current pagination sort.")
            found = [order for order in found if _position(order) > after]
        cursors = [b64encode(json.dumps(_position(order)).encode()).decode() for order in found]
        return {"data": {"orders": shop.page_of(list(map(shop.order_node, found)), cursors, variables["first"], 0)}}

    _AftersailReturns = _AftersailOrders

    def _AftersailOrderLines(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        order = self.orders.get(variables["id"])
        return {"data": {"order": order and {"lineItems": shop.lines_page(order, 100, variables.get("after"))}}}

    def _AftersailReturn(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        found = self._return(variables["id"])
        return {"data": {"return": found and shop.return_node(found, self.orders[found.order_id])}}

    def _return(self, return_id: str) -> SimReturn | None:
        every = (item for order in self.orders.values() for item in order.returns)
        return next((item for item in every if item.id == return_id), None)

    def _AftersailReturnApprove(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        return {"data": {"returnApproveRequest": self._decide(variables["input"], "OPEN")}}

    def _AftersailReturnDecline(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        return {"data": {"returnDeclineRequest": self._decide(variables["input"], "DECLINED")}}

    def _decide(self, given: Mapping[str, Any], status: str) -> dict[str, Any]:
        found = self._return(given["id"])
        if found is None:
            return {"return": None, "userErrors": [_user_error("Return does not exist.", "id", "NOT_FOUND")]}
        if found.status != "REQUESTED":
            error = _user_error("Return is not in the requested state.", "id", "INVALID_STATE")
            return {"return": None, "userErrors": [error]}
        found.status = status
        found.decline_reason, found.decline_note = given.get("declineReason"), given.get("declineNote")
        self.orders[found.order_id].updated_at = self.now()
        return {"return": {"id": found.id, "status": status}, "userErrors": []}

    def _AftersailRefundable(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        order = self.orders.get(variables["id"])
        return {"data": {"order": order and shop.refundable_node(order)}}

    def _AftersailRefund(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        if not re.search(r"refundCreate\([^)]*\)\s*@idempotent\(key:", query):
            if version >= "2026-04":
                return _refused("The @idempotent directive is required for this mutation.", "BAD_REQUEST")
            return {"data": {"refundCreate": self._refund(variables["input"], None)}}
        key, given = variables["key"], json.dumps(variables["input"], sort_keys=True)
        known = self._keys.get(key)
        if known is not None and self.now() - known[0] < KEY_LIFE:
            if known[1] == given:
                return {"data": {"refundCreate": known[2]}}
            text = "The same idempotency key cannot be used with different operation parameters."
            return {"data": {"refundCreate": {"refund": None, "userErrors": [_user_error(text)]}}}
        payload = self._refund(variables["input"], key)
        if payload["refund"] is not None:
            self._keys[key] = (self.now(), given, payload)
        return {"data": {"refundCreate": payload}}

    def _refund(self, given: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        order = self.orders.get(given["orderId"])
        if order is None:
            return {"refund": None, "userErrors": [_user_error("Order does not exist", "orderId")]}
        unknown = {line["lineItemId"] for line in given.get("refundLineItems", [])} - {line.id for line in order.lines}
        if unknown:
            return {"refund": None, "userErrors": [_user_error("Line item does not exist", "refundLineItems")]}
        amount = sum((Decimal(part["amount"]) for part in given.get("transactions", [])), Decimal(0))
        if amount > order.left and not given.get("allowOverRefunding"):
            text = "Refund amount is greater than the amount that can be refunded."
            return {"refund": None, "userErrors": [_user_error(text, "transactions")]}
        booked = self.book(order, amount, note=given.get("note") or "", key=key)
        return {"refund": shop.refund_node(booked), "userErrors": []}

    def _AftersailWebhooks(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        nodes = [
            {"id": found, "topic": topic, "uri": uri}
            for found, topic, uri in self.subscriptions
            if uri == variables["uri"]
        ]
        return {"data": {"webhookSubscriptions": shop.page_of(nodes, [node["id"] for node in nodes], 100, 0)}}

    def _AftersailSubscribe(self, variables: Mapping[str, Any], query: str, version: str) -> dict[str, Any]:  # noqa: N802
        del query, version
        topic, uri = variables["topic"], variables["subscription"]["uri"]
        if any((known, address) == (topic, uri) for _, known, address in self.subscriptions):
            error = _user_error("Address for this topic has already been taken", "webhookSubscription")
            return {"data": {"webhookSubscriptionCreate": {"webhookSubscription": None, "userErrors": [error]}}}
        made = gid("WebhookSubscription", next(self.numbers))
        self.subscriptions.append((made, topic, uri))
        node = {"id": made, "topic": topic, "uri": uri}
        return {"data": {"webhookSubscriptionCreate": {"webhookSubscription": node, "userErrors": []}}}


def _position(order: SimOrder) -> tuple[str, str]:
    return shop.stamp(order.updated_at.astimezone(UTC)), order.id


def _refused(message: str, code: str | None = None) -> dict[str, Any]:
    return {"errors": [{"message": message, **({"extensions": {"code": code}} if code else {})}]}


def _user_error(message: str, field: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"field": [field] if field else None, "message": message, **({"code": code} if code else {})}
