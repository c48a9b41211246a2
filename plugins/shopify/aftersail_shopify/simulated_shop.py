"""The state of a simulated shop, and how it looks through the Admin API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

_GID = "gid://shopify/{kind}/{number}"


def gid(kind: str, number: int) -> str:
    """Build a global id as Shopify writes it."""
    return _GID.format(kind=kind, number=number)


def stamp(at: datetime) -> str:
    """Write a time as Shopify does: UTC, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class SimLine:
    """One order line; `price` is for one piece, and nothing is shipped where it needs no shipping."""

    id: str
    title: str
    sku: str
    quantity: int
    price: Decimal
    requires_shipping: bool = True


@dataclass
class SimRefund:
    """A refund that was really booked.

    Attributes:
        key: the idempotency key it came with; None for one made on the shop's own page.
    """

    id: str
    order_id: str
    amount: Decimal
    currency: str
    at: datetime
    note: str
    key: str | None
    status: str = "SUCCESS"


@dataclass
class SimReturn:
    """A return of one line of an order."""

    id: str
    name: str
    order_id: str
    line: SimLine
    quantity: int
    reason: str
    note: str
    requested_at: datetime
    status: str = "REQUESTED"
    decline_reason: str | None = None
    decline_note: str | None = None


@dataclass
class SimOrder:
    """An order with everything that hangs on it."""

    id: str
    number: str
    email: str
    buyer: str
    customer_id: str
    lines: list[SimLine]
    currency: str
    locale: str
    country: str
    province: str | None
    placed_at: datetime
    updated_at: datetime
    shipping: Decimal
    tracking: tuple[str, str] | None
    delivered_at: datetime | None
    payment_id: str
    refunds: list[SimRefund] = field(default_factory=list)
    returns: list[SimReturn] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """What the buyer paid."""
        return sum((line.price * line.quantity for line in self.lines), self.shipping)

    @property
    def refunded(self) -> Decimal:
        """What has gone back."""
        return sum((refund.amount for refund in self.refunds if refund.status != "FAILURE"), Decimal(0))

    @property
    def left(self) -> Decimal:
        """What may still go back."""
        return self.total - self.refunded


def bag(amount: Decimal, currency: str) -> dict[str, Any]:
    """Write an amount as Shopify does, in both currencies alike."""
    value = {"amount": f"{amount.normalize():f}" if amount else "0.0", "currencyCode": currency}
    return {"presentmentMoney": value, "shopMoney": value}


def page_of(nodes: list[dict[str, Any]], cursors: list[str], first: int, after: int) -> dict[str, Any]:
    """Cut a page out of a connection."""
    chosen = nodes[after : after + first]
    more = after + first < len(nodes)
    end = cursors[min(after + first, len(nodes)) - 1] if chosen else None
    return {"nodes": chosen, "pageInfo": {"hasNextPage": more, "endCursor": end}}


def line_nodes(order: SimOrder) -> list[dict[str, Any]]:
    """Write the lines of an order."""
    return [
        {
            "id": line.id,
            "title": line.title,
            "sku": line.sku,
            "quantity": line.quantity,
            "requiresShipping": line.requires_shipping,
            "discountedUnitPriceAfterAllDiscountsSet": bag(line.price, order.currency),
        }
        for line in order.lines
    ]


def lines_page(order: SimOrder, first: int, after: str | None) -> dict[str, Any]:
    """Write a page of an order's lines."""
    return page_of(line_nodes(order), [line.id for line in order.lines], first, _index_after(order, after))


def _index_after(order: SimOrder, after: str | None) -> int:
    return 0 if after is None else [line.id for line in order.lines].index(after) + 1


def order_node(order: SimOrder) -> dict[str, Any]:
    """Write an order with its lines, parcels and returns."""
    paid = "PAID" if not order.refunded else "PARTIALLY_REFUNDED" if order.left > 0 else "REFUNDED"
    fulfillments = []
    if order.tracking is not None:
        company, number = order.tracking
        delivered = stamp(order.delivered_at) if order.delivered_at else None
        fulfillments = [{"deliveredAt": delivered, "trackingInfo": [{"company": company, "number": number}]}]
    return {
        "id": order.id,
        "name": f"#{order.number}",
        "createdAt": stamp(order.placed_at),
        "updatedAt": stamp(order.updated_at),
        "email": order.email,
        "customerLocale": order.locale,
        "displayFinancialStatus": paid,
        "displayFulfillmentStatus": "FULFILLED" if fulfillments else "UNFULFILLED",
        "cancelledAt": None,
        "customer": {"id": order.customer_id, "displayName": order.buyer},
        "shippingAddress": {"countryCodeV2": order.country, "provinceCode": order.province},
        "taxesIncluded": True,
        "shippingLine": {"discountedPriceSet": bag(order.shipping, order.currency), "taxLines": []},
        "totalPriceSet": bag(order.total, order.currency),
        "totalRefundedSet": bag(order.refunded, order.currency),
        "netPaymentSet": bag(order.left, order.currency),
        "lineItems": lines_page(order, 10, None),
        "fulfillments": fulfillments,
        "returns": {"nodes": [return_node(item, order) for item in order.returns], "pageInfo": {"hasNextPage": False}},
    }


def return_node(item: SimReturn, order: SimOrder) -> dict[str, Any]:
    """Write a return."""
    amount = item.line.price * item.quantity
    return {
        "id": item.id,
        "name": item.name,
        "status": item.status,
        "createdAt": stamp(item.requested_at),
        "order": {"id": order.id},
        "returnLineItems": {
            "nodes": [
                {
                    "__typename": "ReturnLineItem",
                    "customerNote": item.note or None,
                    "returnReasonDefinition": {"handle": item.reason},
                    "withCodeDiscountedTotalPriceSet": bag(amount, order.currency),
                    "fulfillmentLineItem": {"lineItem": {"id": item.line.id}},
                }
            ]
        },
    }


def refund_node(refund: SimRefund) -> dict[str, Any]:
    """Write a refund with its one transaction."""
    amount = bag(refund.amount, refund.currency)
    return {
        "id": refund.id,
        "note": refund.note,
        "createdAt": stamp(refund.at),
        "totalRefundedSet": amount,
        "transactions": {"nodes": [{"kind": "REFUND", "status": refund.status, "amountSet": amount}]},
    }


def refundable_node(order: SimOrder) -> dict[str, Any]:
    """Write what may still go back, and what has gone."""
    left = bag(order.left, order.currency)
    payments = [
        {
            "gateway": "shopify_payments",
            "amountSet": left,
            "maximumRefundableSet": left,
            "parentTransaction": {"id": order.payment_id},
        }
    ]
    return {
        "id": order.id,
        "presentmentCurrencyCode": order.currency,
        "suggestedRefund": {
            "maximumRefundableSet": left,
            "suggestedTransactions": payments if order.left > 0 else [],
        },
        "refunds": [refund_node(refund) for refund in order.refunds],
    }
