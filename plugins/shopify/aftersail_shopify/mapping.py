"""Shopify's records in the words of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from aftersail.sdk import (
    Case,
    CaseAction,
    CaseKind,
    Money,
    Order,
    OrderLine,
    Parcel,
    Party,
    RefundReceipt,
    RefundState,
    region_of,
)
from aftersail_shopify.settings import ShopifySettings

# Ranks of a return's states within one instant of its order, so that a later state never has a lower revision.
_RANKS = {"REQUESTED": 0, "OPEN": 1, "DECLINED": 2, "CANCELED": 3, "CLOSED": 4}
_OTHER_RANK = 5
_STEP = 10
_ENDED = {"DECLINED", "CANCELED", "CLOSED"}
_WAITING = {"PENDING", "AWAITING_RESPONSE", "UNKNOWN"}
_FAILED = {"FAILURE", "ERROR"}


def instant(text: str) -> datetime:
    """Read Shopify's time, ISO 8601 with its zone."""
    return datetime.fromisoformat(text)


def money(bag: Mapping[str, Any]) -> Money:
    """Read a money bag in the currency the buyer paid in."""
    amount = bag["presentmentMoney"]
    return Money(amount=Decimal(str(amount["amount"])), currency=amount["currencyCode"]).rounded()


def revision(updated_at: str) -> int:
    """Turn the time of the last change (whole seconds) into a growing number."""
    return int(instant(updated_at).timestamp())


def buyer_of(node: Mapping[str, Any]) -> Party:
    """Read the buyer; each part may be missing where the app may not see protected customer data."""
    customer = node.get("customer") or {}
    return Party(external_id=customer.get("id"), name=customer.get("displayName"), email=node.get("email"))


def order_from(node: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], settings: ShopifySettings) -> Order:
    """Read an order; `lines` are all of its lines, over pages."""
    fulfillments = node.get("fulfillments") or []
    delivered = [instant(item["deliveredAt"]) for item in fulfillments if item.get("deliveredAt")]
    address = node.get("shippingAddress") or {}
    country = address.get("countryCodeV2")
    status = [str(node.get("displayFinancialStatus") or ""), str(node.get("displayFulfillmentStatus") or "")]
    return Order(
        external_id=node["id"],
        revision=revision(node["updatedAt"]),
        number=node["name"],
        placed_at=instant(node["createdAt"]),
        buyer=buyer_of(node),
        total=money(node["totalPriceSet"]),
        refunded=money(node["totalRefundedSet"]),
        refundable=money(node["netPaymentSet"]),
        lines=tuple(_line_from(line) for line in lines),
        parcels=_parcels(fulfillments),
        status="CANCELLED" if node.get("cancelledAt") else ", ".join(filter(None, status)),
        delivered_at=max(delivered) if delivered and len(delivered) == len(fulfillments) else None,
        shipping_paid=_shipping_paid(node),
        ship_country=country,
        ship_region=region_of(country, address.get("provinceCode")),
        locale=node.get("customerLocale"),
        link=settings.admin_link(node["id"]),
    )


def _shipping_paid(node: Mapping[str, Any]) -> Money | None:
    """Add up what delivery cost after discounts; refunds change nothing of it.

    Shopify's shipping line sums up all of an order. Its price holds the tax where `taxesIncluded` says so.
    """
    line, with_tax = node.get("shippingLine"), node.get("taxesIncluded")
    if line is None or with_tax is None:
        return None
    taxes = [] if with_tax else [money(tax["priceSet"]) for tax in line["taxLines"]]
    return _sum([money(line["discountedPriceSet"]), *taxes])


def _line_from(line: Mapping[str, Any]) -> OrderLine:
    return OrderLine(
        external_id=line["id"],
        title=line["title"],
        quantity=line["quantity"],
        unit_price=money(line["discountedUnitPriceAfterAllDiscountsSet"]),
        sku=line.get("sku") or None,
        digital=None if line.get("requiresShipping") is None else not line["requiresShipping"],
    )


def _parcels(fulfillments: Sequence[Mapping[str, Any]]) -> tuple[Parcel, ...]:
    found = {
        info["number"]: Parcel(tracking_number=info["number"], carrier=info.get("company"))
        for fulfillment in fulfillments
        for info in fulfillment.get("trackingInfo") or []
        if info.get("number")
    }
    return tuple(found.values())


def case_from(node: Mapping[str, Any], order: Mapping[str, Any], settings: ShopifySettings) -> Case:
    """Read one return of an order.

    A return carries no time of its last change, its order does: the revision is the order's, then the state's rank.
    """
    status = node["status"]
    lines = node["returnLineItems"]["nodes"]
    verified = [line for line in lines if line.get("fulfillmentLineItem")]
    amounts = [money(line["withCodeDiscountedTotalPriceSet"]) for line in verified]
    reasons = [line["returnReasonDefinition"]["handle"] for line in lines if line.get("returnReasonDefinition")]
    notes = [line["customerNote"] for line in lines if line.get("customerNote")]
    return Case(
        external_id=node["id"],
        revision=revision(order["updatedAt"]) * _STEP + _RANKS.get(status, _OTHER_RANK),
        kind=CaseKind.RETURN_REQUEST,
        order_id=order["id"],
        line_ids=tuple(dict.fromkeys(line["fulfillmentLineItem"]["lineItem"]["id"] for line in verified)),
        open=status not in _ENDED,
        status=status,
        opened_at=instant(node["createdAt"]),
        buyer=buyer_of(order),
        reason_code=reasons[0] if reasons else None,
        reason_text="\n".join(notes),
        amount=_sum(amounts),
        available_actions=(CaseAction.APPROVE.value, CaseAction.DECLINE.value) if status == "REQUESTED" else (),
        link=settings.admin_link(order["id"]),
    )


def _sum(amounts: Sequence[Money]) -> Money | None:
    if not amounts:
        return None
    total = amounts[0]
    for amount in amounts[1:]:
        total += amount
    return total


def refund_note(note: str, key: str) -> str:
    """Write our key behind the note; the note is the seller's, buyers do not see it."""
    return f"{note} {_tag(key)}".strip()


def carries(node: Mapping[str, Any], key: str) -> bool:
    """Tell whether a refund is ours under this key."""
    return str(node.get("note") or "").endswith(_tag(key))


def _tag(key: str) -> str:
    return f"[aftersail:{key}]"


def receipt_from(node: Mapping[str, Any]) -> RefundReceipt:
    """Read a refund: what really went back, and whether the payment provider is done."""
    transactions = [item for item in node["transactions"]["nodes"] if item["kind"] == "REFUND"]
    states = {item["status"] for item in transactions}
    failed, waiting = bool(states & _FAILED), bool(states & _WAITING)
    counted = [money(item["amountSet"]) for item in transactions if item["status"] not in _FAILED]
    if failed and not counted:
        state, amount = RefundState.REFUSED, money(transactions[0]["amountSet"])
    elif waiting:
        state, amount = RefundState.PENDING, _sum(counted) or money(node["totalRefundedSet"])
    else:
        state, amount = RefundState.SETTLED, _sum(counted) or money(node["totalRefundedSet"])
    return RefundReceipt(
        external_id=node["id"],
        state=state,
        amount=amount,
        at=instant(node["createdAt"]),
        detail="the payment provider refused at least one part" if failed else "",
    )
