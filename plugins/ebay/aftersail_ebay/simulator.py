"""eBay in a box: tokens, conversations, replies, orders and their parcels, for one seller."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import httpx

from aftersail.sdk.testing.simulator import Simulator, route

_TOKEN_LIFE = timedelta(hours=2)
_LONGEST = 2000


@dataclass
class SimulatedConversation:
    """A conversation with one buyer; the newest message last."""

    id: str
    buyer: str
    item: str | None
    title: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    archived: bool = False


class EbaySimulator(Simulator):
    """Holds conversations and orders. The newest conversation comes first unless `newest_first` is unset.

    Args:
        seller: the seller's user name.
        client_id: of the app.
        client_secret: of the app.
        refresh_token: the seller's consent.
        scopes: what the consent covers.
        clock: what it thinks the time is.
    """

    def __init__(
        self,
        *,
        seller: str = "sim_shop",
        client_id: str = "sim-app",
        client_secret: str = "sim-cert",  # noqa: S107 - a simulator's
        refresh_token: str = "sim-consent",  # noqa: S107 - a simulator's
        scopes: frozenset[str] = frozenset({"commerce.message", "sell.fulfillment"}),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self.seller = seller
        self.scopes = scopes
        self.newest_first = True
        self.conversations: dict[str, SimulatedConversation] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.parcels: dict[str, list[dict[str, Any]]] = {}
        self._basic = "Basic " + b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._refresh_token = refresh_token
        self._tokens: dict[str, datetime] = {}
        self._ids = 0

    # -- what happens on the platform --------------------------------------------------------------------------------

    def write(self, conversation_id: str, text: str, *, sender: str | None = None, at: datetime | None = None) -> str:
        """Let a buyer (or `sender`) write, and return the message's id."""
        conversation = self.conversations[conversation_id]
        writer = sender or conversation.buyer
        other = conversation.buyer if writer == self.seller else self.seller
        message = {
            "messageId": self._next("M"),
            "createdDate": _stamp(at or self.now()),
            "messageBody": text,
            "senderUsername": writer,
            "recipientUsername": other,
            "subject": conversation.title,
            "readStatus": False,
            "messageMedia": [],
        }
        conversation.messages.append(message)
        return str(message["messageId"])

    def open_conversation(self, buyer: str, text: str, *, item: str | None = None, at: datetime | None = None) -> str:
        """Let a buyer begin a conversation, about an item or not, and return its id."""
        conversation = SimulatedConversation(self._next("C"), buyer, item, f"Question of {buyer}")
        self.conversations[conversation.id] = conversation
        self.write(conversation.id, text, at=at)
        return conversation.id

    def place_order(
        self,
        order_id: str,
        *,
        buyer: str,
        price: str,
        quantity: int = 1,
        currency: str = "USD",
        shipping: str = "0.0",
        state: str = "CA",
    ) -> dict[str, Any]:
        """Let a buyer order one article to the United States; `price` is for all pieces."""
        cost, at = {"value": price, "currency": currency}, _stamp(self.now())
        delivery = {"value": shipping, "currency": currency}
        paid = {"value": str(Decimal(price) + Decimal(shipping)), "currency": currency}
        order = {
            "orderId": order_id,
            "creationDate": at,
            "lastModifiedDate": at,
            "sellerId": self.seller,
            "buyer": {"username": buyer},
            "orderFulfillmentStatus": "NOT_STARTED",
            "orderPaymentStatus": "PAID",
            "cancelStatus": {"cancelState": "NONE_REQUESTED", "cancelRequests": []},
            "pricingSummary": {"priceSubtotal": cost, "deliveryCost": delivery, "total": paid},
            "paymentSummary": {"refunds": []},
            "fulfillmentHrefs": [],
            "fulfillmentStartInstructions": [
                {
                    "fulfillmentInstructionsType": "SHIP_TO",
                    "shippingStep": {
                        "shipTo": {
                            "fullName": f"{buyer} Example",
                            "email": f"{buyer}@relay.example",
                            "contactAddress": {"stateOrProvince": state, "countryCode": "US"},
                        }
                    },
                }
            ],
            "lineItems": [
                {
                    "lineItemId": f"{order_id}-1",
                    "title": "Lamp",
                    "sku": "LAMP-1",
                    "quantity": quantity,
                    "lineItemCost": cost,
                    "refunds": [],
                }
            ],
        }
        self.orders[order_id] = order
        return order

    def ship(self, order_id: str, number: str, carrier: str) -> None:
        """Let the seller hand a parcel over."""
        order = self.orders[order_id]
        lines = [{"lineItemId": line["lineItemId"], "quantity": line["quantity"]} for line in order["lineItems"]]
        self.parcels.setdefault(order_id, []).append(
            {
                "fulfillmentId": number,
                "shipmentTrackingNumber": number,
                "shippingCarrierCode": carrier,
                "lineItems": lines,
            }
        )
        order["fulfillmentHrefs"] = [f"/sell/fulfillment/v1/order/{order_id}/shipping_fulfillment/{number}"]
        order["orderFulfillmentStatus"] = "FULFILLED"
        self.touch(order_id)

    def touch(self, order_id: str) -> None:
        """Mark an order as changed now."""
        self.orders[order_id]["lastModifiedDate"] = _stamp(self.now())

    # -- what is asked of the platform -------------------------------------------------------------------------------

    @route("POST", "/identity/v1/oauth2/token")
    def token(self, request: httpx.Request) -> httpx.Response:
        """Hand out an access token for the seller's consent."""
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if request.headers.get("authorization") != self._basic:
            return httpx.Response(
                401, json={"error": "invalid_client", "error_description": "client authentication failed"}
            )
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self._refresh_token:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "the token is revoked"})
        token = self._next("token-of-the-simulator-")
        self._tokens[token] = self.now() + _TOKEN_LIFE
        life = int(_TOKEN_LIFE.total_seconds())
        return httpx.Response(200, json={"access_token": token, "expires_in": life, "token_type": "User Access Token"})

    @route("GET", "/commerce/message/v1/conversation")
    def get_conversations(self, request: httpx.Request) -> httpx.Response:
        """List conversations with a message since `start_time`."""
        query = request.url.params
        if query.get("conversation_type") not in {"FROM_MEMBERS", "FROM_EBAY"}:
            return _error(400, 355017, "The required conversation_type query parameter is missing.")
        since = datetime.fromisoformat(query.get("start_time", "2000-01-01T00:00:00Z"))
        found = [
            {
                "conversationId": conversation.id,
                "conversationTitle": conversation.title,
                "conversationType": "FROM_MEMBERS",
                "conversationStatus": "ACTIVE",
                "createdDate": conversation.messages[0]["createdDate"],
                "latestMessage": max(conversation.messages, key=_message_place),
                "unreadCount": 1,
            }
            | ({"referenceType": "LISTING", "referenceId": conversation.item} if conversation.item else {})
            for conversation in self.conversations.values()
            if not conversation.archived
        ]
        recent = [entry for entry in found if datetime.fromisoformat(entry["latestMessage"]["createdDate"]) >= since]
        recent.sort(key=lambda entry: _message_place(entry["latestMessage"]), reverse=self.newest_first)
        return self._refusal(request, "commerce.message") or _page(request, "conversations", recent, 50, _OFFSETS[0])

    @route("GET", "/commerce/message/v1/conversation/{conversation_id}")
    def get_conversation(self, request: httpx.Request, conversation_id: str) -> httpx.Response:
        """List the messages of a conversation, the newest first."""
        refusal = self._refusal(request, "commerce.message")
        if refusal is not None:
            return refusal
        conversation = self.conversations.get(conversation_id)
        if conversation is None:
            return _error(400, 355007, "Invalid or unrecognized conversation_id value.")
        messages = sorted(conversation.messages, key=_message_place, reverse=True)
        return _page(request, "messages", messages, 50, _OFFSETS[0])

    @route("POST", "/commerce/message/v1/send_message")
    def send_message(self, request: httpx.Request) -> httpx.Response:
        """Take the seller's message."""
        refusal = self._refusal(request, "commerce.message")
        if refusal is not None:
            return refusal
        body = json.loads(request.content)
        text, conversation = body.get("messageText", ""), self.conversations.get(body.get("conversationId", ""))
        if conversation is None:
            return _error(400, 355007, "Invalid or unrecognized conversation_id value.")
        if not text:
            return _error(400, 355015, "Please pass message text or upload one of more media attachments.")
        if len(text) > _LONGEST:
            return _error(400, 355013, "The messageText string exceeds the maximum character threshold of 2000.")
        self.write(conversation.id, text, sender=self.seller)
        sent = dict(conversation.messages[-1])
        # eBay spells these two fields differently here than in getConversation.
        sent["recipientUserName"], sent["senderUserName"] = sent.pop("recipientUsername"), sent.pop("senderUsername")
        return httpx.Response(201, json=sent)

    @route("GET", "/sell/fulfillment/v1/order")
    def get_orders(self, request: httpx.Request) -> httpx.Response:
        """List orders changed since the filter's start."""
        start = request.url.params.get("filter", "").removeprefix("lastmodifieddate:[").partition("..")[0]
        try:
            since = datetime.fromisoformat(start)
        except ValueError:
            return _error(400, 30810, "Invalid date format")
        if since > self.now():
            return _error(400, 30850, "Start and end dates can't be in the future")
        found = [o for o in self.orders.values() if datetime.fromisoformat(o["lastModifiedDate"]) >= since]
        found.sort(key=lambda order: (order["lastModifiedDate"], order["orderId"]), reverse=self.newest_first)
        return self._refusal(request, "sell.fulfillment") or _page(request, "orders", found, 200, _OFFSETS[1])

    @route("GET", "/sell/fulfillment/v1/order/{order_id}/shipping_fulfillment")
    def get_shipping_fulfillments(self, request: httpx.Request, order_id: str) -> httpx.Response:
        """List the parcels of an order."""
        refusal = self._refusal(request, "sell.fulfillment")
        if refusal is not None:
            return refusal
        if order_id not in self.orders:
            return _error(400, 32100, f"Invalid order ID: {order_id}")
        parcels = self.parcels.get(order_id, [])
        return httpx.Response(200, json={"fulfillments": parcels, "total": len(parcels)})

    def _refusal(self, request: httpx.Request, scope: str) -> httpx.Response | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, self.now()) <= self.now():
            return _error(401, 1001, "Invalid access token")
        return None if scope in self.scopes else _error(403, 1100, "Access denied")

    def _next(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}{self._ids:06d}"


_OFFSETS = ((355008, 355009), (31000, 31100))


def _page(request: httpx.Request, key: str, entries: list[Any], most: int, codes: tuple[int, int]) -> httpx.Response:
    limit, offset = (int(request.url.params.get(name, default)) for name, default in (("limit", "25"), ("offset", "0")))
    if not 1 <= limit <= most:
        return _error(400, codes[1], f"Invalid limit: {limit}")
    if offset < 0 or offset % limit:
        return _error(400, codes[0], f"Invalid offset: {offset}")
    body: dict[str, Any] = {
        key: entries[offset : offset + limit],
        "limit": limit,
        "offset": offset,
        "total": len(entries),
    }
    if offset + limit < len(entries):
        body["next"] = f"{request.url.path}?limit={limit}&offset={offset + limit}"
    return httpx.Response(200, json=body)


def _message_place(message: dict[str, Any]) -> tuple[str, str]:
    return (message["createdDate"], message["messageId"])


def _error(status: int, code: int, message: str) -> httpx.Response:
    error = {"errorId": code, "domain": "API", "category": "REQUEST", "message": message, "longMessage": message}
    return httpx.Response(status, json={"errors": [error]})


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
