"""What the owner and the buyers of a simulated shop do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any

from pydantic import SecretStr

from aftersail.sdk import WebhookRequest
from aftersail.sdk.testing.simulator import Simulator
from aftersail.sdk.webhooks import sign
from aftersail_shopify.simulated_shop import SimLine, SimOrder, SimRefund, SimReturn, gid


class SimulatedWorld(Simulator):
    """Orders, returns and refunds of one shop; `ShopifySimulator` puts the Admin API in front.

    Args:
        shop: the shop's domain.
        client_secret: signs `webhook()`.
        clock: the shop's clock, UTC.

    Attributes:
        ledger: refunds really booked, oldest first; for tests and the demo to count.
        orders: by id.
    """

    def __init__(self, *, shop: str, client_secret: str, clock: Callable[[], datetime] | None) -> None:
        super().__init__(clock=clock)
        self.shop = shop
        self.ledger: list[SimRefund] = []
        self.orders: dict[str, SimOrder] = {}
        self.numbers = count(1001)
        self._client_secret = SecretStr(client_secret)
        self._next_refund_status = "SUCCESS"

    def add_order(
        self,
        *,
        number: str | None = None,
        email: str = "kim.berg@example.com",
        buyer: str = "Kim Berg",
        lines: Sequence[tuple[str, str, int, str]] = (("Blue mug", "MUG-1", 2, "12.50"),),
        currency: str = "EUR",
        locale: str = "de",
        country: str = "DE",
        province: str | None = None,
        shipping: str = "0",
        tracking: tuple[str, str] | None = None,
        placed_at: datetime | None = None,
        delivered_at: datetime | None = None,
    ) -> SimOrder:
        """Place an order.

        Args:
            number: what the buyer sees after the `#`; the next free one by default.
            email: of the buyer.
            buyer: the buyer's name.
            lines: title, SKU, quantity and price of one piece.
            currency: ISO 4217.
            locale: the buyer's language, BCP 47.
            country: where it goes, ISO 3166-1 alpha-2.
            province: the part of the country, as Shopify writes it.
            shipping: what the buyer paid for it.
            tracking: carrier and tracking number, once it is on its way.
            placed_at: now by default.
            delivered_at: when the parcel arrived.
        """
        with self.lock:
            at, serial = placed_at or self.now(), next(self.numbers)
            made = [
                SimLine(gid("LineItem", serial * 100 + index), title, sku, quantity, Decimal(price))
                for index, (title, sku, quantity, price) in enumerate(lines)
            ]
            order = SimOrder(
                id=gid("Order", serial),
                number=number or str(serial),
                email=email,
                buyer=buyer,
                customer_id=gid("Customer", serial),
                lines=made,
                currency=currency,
                locale=locale,
                country=country,
                province=province,
                placed_at=at,
                updated_at=max(at, delivered_at or at),
                shipping=Decimal(shipping),
                tracking=tracking,
                delivered_at=delivered_at,
                payment_id=gid("OrderTransaction", serial),
            )
            self.orders[order.id] = order
            return order

    def add_return_request(
        self,
        order: SimOrder,
        *,
        line: int = 0,
        quantity: int = 1,
        reason: str = "unwanted",
        note: str = "",
        requested_at: datetime | None = None,
    ) -> SimReturn:
        """Let the buyer ask to send pieces of one line back.

        Args:
            order: what was bought.
            line: which line, from 0.
            quantity: how many pieces.
            reason: Shopify's handle of the reason.
            note: what the buyer wrote.
            requested_at: now by default.
        """
        with self.lock:
            serial = next(self.numbers)
            item = SimReturn(
                id=gid("Return", serial),
                name=f"#{order.number}-R{len(order.returns) + 1}",
                order_id=order.id,
                line=order.lines[line],
                quantity=quantity,
                reason=reason,
                note=note,
                requested_at=requested_at or self.now(),
            )
            order.returns.append(item)
            order.updated_at = max(order.updated_at, item.requested_at)
            return item

    def touch(self, order: SimOrder) -> None:
        """Change something on an order that moves its time of last change."""
        with self.lock:
            order.updated_at = self.now()

    def deliver(self, order: SimOrder, at: datetime | None = None) -> None:
        """Let the parcel arrive."""
        with self.lock:
            order.delivered_at = at or self.now()
            order.updated_at = self.now()

    def refund_by_hand(self, order: SimOrder, amount: str) -> SimRefund:
        """Let the shop's owner refund on the shop's own page."""
        with self.lock:
            return self.book(order, Decimal(amount), note="", key=None)

    def let_provider_answer(self, status: str) -> None:
        """Let the payment provider answer the next refund with `PENDING` or `FAILURE` instead of `SUCCESS`."""
        with self.lock:
            self._next_refund_status = status

    def webhook(self, topic: str, payload: Mapping[str, Any], *, delivery: str = "delivery-1") -> WebhookRequest:
        """Build a delivery as Shopify sends it, signed; `topic` as in the header, such as `orders/updated`."""
        body = json.dumps(payload).encode()
        return WebhookRequest(
            headers={
                "content-type": "application/json",
                "x-shopify-topic": topic,
                "x-shopify-shop-domain": self.shop,
                "x-shopify-webhook-id": delivery,
                "x-shopify-hmac-sha256": sign(body, secret=self._client_secret),
            },
            body=body,
            received_at=self.now(),
        )

    def book(self, order: SimOrder, amount: Decimal, *, note: str, key: str | None) -> SimRefund:
        """Book a refund, as the payment provider answers it."""
        status, self._next_refund_status = self._next_refund_status, "SUCCESS"
        refund = SimRefund(
            gid("Refund", next(self.numbers)), order.id, amount, order.currency, self.now(), note, key, status
        )
        order.refunds.append(refund)
        order.updated_at = self.now()
        if status != "FAILURE":
            self.ledger.append(refund)
        return refund
