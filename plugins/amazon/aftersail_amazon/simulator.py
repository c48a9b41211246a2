"""Amazon in a box: tokens, searchOrders, and look-alikes of the mails its relay sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx

from aftersail.sdk.testing.simulator import Simulator, route

_TOKEN_LIFE, _PAGE_LIFE, _LAG = timedelta(hours=1), timedelta(hours=24), timedelta(minutes=2)
_MOST = 100


class AmazonSimulator(Simulator):
    """Holds orders. A page's token lives for 24 hours; what changes while pages are read belongs to the next search.

    Args:
        client_id: of the app.
        client_secret: of the app.
        refresh_token: the seller's authorisation.
        clock: what it thinks the time is.
    """

    def __init__(
        self,
        *,
        client_id: str = "amzn1.simulated-app",
        client_secret: str = "simulated-lwa-secret",  # noqa: S107 - a simulator's
        refresh_token: str = "simulated-authorisation",  # noqa: S107 - a simulator's
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self.orders: dict[str, dict[str, Any]] = {}
        self._app = {"client_id": client_id, "client_secret": client_secret, "refresh_token": refresh_token}
        self._tokens: dict[str, datetime] = {}
        self._pages: dict[str, tuple[datetime, dict[str, str], tuple[str, str], datetime]] = {}

    # -- what happens on the platform --------------------------------------------------------------------------------

    def place_order(
        self,
        order_id: str,
        *,
        price: str,
        quantity: int = 1,
        currency: str = "EUR",
        relay: str = "buyer0000001@marketplace.amazon.example",
        status: str = "UNSHIPPED",
        shipping: str = "0",
        at: datetime | None = None,
    ) -> dict[str, Any]:
        """Let a buyer order one article; `price` is for one piece, `shipping` for all."""
        placed = _stamp(at or self.now())
        goods = Decimal(price) * quantity
        total, goods_paid, shipping_paid = (
            {"amount": str(amount), "currencyCode": currency}
            for amount in (goods + Decimal(shipping), goods, Decimal(shipping))
        )
        self.orders[order_id] = {
            "orderId": order_id,
            "createdTime": placed,
            "lastUpdatedTime": placed,
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": "A1PA6795UKMFR9",
                "marketplaceName": "Amazon.de",
            },
            "buyer": {"buyerName": "Example Buyer", "buyerEmail": relay},
            "recipient": {"deliveryAddress": {"countryCode": "DE"}},
            "proceeds": {"grandTotal": total},
            "fulfillment": {"fulfillmentStatus": status, "fulfilledBy": "MERCHANT"},
            "orderItems": [
                {
                    "orderItemId": f"{order_id}-1",
                    "quantityOrdered": quantity,
                    "product": {
                        "asin": "B000000001",
                        "title": "Lamp",
                        "sellerSku": "LAMP-1",
                        "price": {"unitPrice": {"amount": price, "currencyCode": currency}},
                    },
                    "proceeds": {
                        "proceedsTotal": total,
                        "breakdowns": [
                            {"type": "ITEM", "subtotal": goods_paid},
                            {"type": "SHIPPING", "subtotal": shipping_paid},
                        ],
                    },
                }
            ],
        }
        return self.orders[order_id]

    def ship(self, order_id: str, number: str, carrier: str) -> None:
        """Let the seller hand a parcel over."""
        order = self.orders[order_id]
        package = {
            "packageReferenceId": str(len(order.get("packages", ())) + 1),
            "trackingNumber": number,
            "carrier": carrier,
            "packageStatus": {"status": "IN_TRANSIT"},
            "packageItems": [
                {"orderItemId": item["orderItemId"], "quantity": item["quantityOrdered"]}
                for item in order["orderItems"]
            ],
        }
        order.setdefault("packages", []).append(package)
        order["fulfillment"]["fulfillmentStatus"] = "SHIPPED"
        self.touch(order_id)

    def touch(self, order_id: str) -> None:
        """Mark an order as changed now."""
        self.orders[order_id]["lastUpdatedTime"] = _stamp(self.now())

    # -- what is asked of the platform -------------------------------------------------------------------------------

    @route("POST", "/auth/o2/token")
    def token(self, request: httpx.Request) -> httpx.Response:
        """Hand out an access token for the seller's authorisation."""
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if any(form.get(name) != self._app[name] for name in ("client_id", "client_secret")):
            return httpx.Response(401, json={"error": "invalid_client", "error_description": "not this app"})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self._app["refresh_token"]:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "the grant is revoked"})
        token = f"access-token-of-the-simulator-{len(self._tokens) + 1}"
        self._tokens[token] = self.now() + _TOKEN_LIFE
        life = int(_TOKEN_LIFE.total_seconds())
        return httpx.Response(200, json={"access_token": token, "token_type": "bearer", "expires_in": life})

    @route("GET", "/orders/2026-01-01/orders")
    def search_orders(self, request: httpx.Request) -> httpx.Response:
        """Answer a page of orders, the longest unchanged first."""
        if self._tokens.get(request.headers.get("x-amz-access-token", ""), self.now()) <= self.now():
            return _error(403, "Unauthorized", "Access to requested resource is denied.")
        query = dict(request.url.params)
        given = query.pop("paginationToken", None)
        behind, until = ("", ""), self.now() - _LAG
        if given is not None:
            issued, asked, behind, until = self._pages.get(given, (datetime.min.replace(tzinfo=UTC), {}, behind, until))
            if self.now() - issued >= _PAGE_LIFE or asked != query:
                return _error(400, "InvalidInput", "The pagination token is invalid or has expired.")
        times = [name for name in ("createdAfter", "lastUpdatedAfter") if name in query]
        limit = int(query.get("maxResultsPerPage", _MOST))
        if len(times) != 1 or not 1 <= limit <= _MOST:
            return _error(400, "InvalidInput", "Exactly one of createdAfter and lastUpdatedAfter is needed.")
        return self._page(query, times[0], limit, behind, until)

    def _page(
        self, query: dict[str, str], time: str, limit: int, behind: tuple[str, str], until: datetime
    ) -> httpx.Response:
        wanted = query.get("marketplaceIds", "")
        found = sorted(
            (
                order
                for order in self.orders.values()
                if order["createdTime" if time == "createdAfter" else "lastUpdatedTime"] >= query[time]
                and order["lastUpdatedTime"] <= _stamp(until)
                and _place(order) > behind
                and (not wanted or order["salesChannel"]["marketplaceId"] in wanted.split(","))
            ),
            key=_place,
        )
        body: dict[str, Any] = {"orders": found[:limit]}
        body["createdBefore" if time == "createdAfter" else "lastUpdatedBefore"] = _stamp(until)
        if len(found) > limit:
            token = f"page-{len(self._pages) + 1}"
            self._pages[token] = (self.now(), query, _place(found[limit - 1]), until)
            body["pagination"] = {"nextToken": token}
        return httpx.Response(200, headers={"x-amzn-RateLimit-Limit": "0.0056"}, json=body)


def relay_mail(
    *,
    sender: str,
    subject: str,
    at: datetime,
    notification: str | None = "BBC_MESSAGE_SENT_TO_MERCHANT",
    marketplace: str | None = "A1PA6795UKMFR9",
    text: str | None = None,
    html: str | None = None,
    message_id: str = "<0102@eu-west-1.amazonses.example>",
) -> bytes:
    """Write a mail in the shape of Amazon's relay; whoever calls it gives the body."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = "shop@seller.example"
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id
    if notification is not None:
        mail["X-Space-Notification-Type"] = notification
    if marketplace is not None:
        mail["X-Marketplace-ID"] = marketplace
    if text is not None:
        mail.set_content(text)
    if html is not None:
        (mail.add_alternative if text is not None else mail.set_content)(html, subtype="html")
    return mail.as_bytes()


def framed(words: str, *, order: str | None = None, begin: str = "Message:", end: str = "End message") -> str:
    """Put a buyer's words into the frame Amazon puts around them."""
    heading = f"# {order}:\n1 / Lamp [ASIN: B000000001]\n\n" if order else ""
    return (
        f"You have received a message.\n\n{heading}------------- {begin} -------------\n\n{words}\n\n"
        f"------------- {end} -------------\n\n"
        "To mark this message as no response needed, go to\n"
        "https://sellercentral.amazon.de/messaging/no-response-needed?token=simulated\n\n[commMgrTok:SIMULATED]\n"
    )


def _place(order: dict[str, Any]) -> tuple[str, str]:
    return (order["lastUpdatedTime"], order["orderId"])


def _error(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": code, "message": message, "details": ""}]})


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
