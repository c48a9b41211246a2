"""What a refund needs to know of its order, and the input of `refundCreate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aftersail.sdk import Ambiguous, Invalid, Money, RefundReceipt, RefundRequest
from aftersail_shopify.mapping import carries, money, receipt_from, refund_note

LISTED = 30
"""How many refunds of an order are read at once, as in the document."""


def remaining(order: Mapping[str, Any]) -> Money:
    """Read the most that may go back now."""
    suggested = order["suggestedRefund"]
    if suggested is None:
        return Money.of(0, order["presentmentCurrencyCode"])
    return money(suggested["maximumRefundableSet"])


def find(order: Mapping[str, Any], key: str) -> RefundReceipt | None:
    """Find the refund that carries our key.

    Raises:
        Ambiguous: two carry it, or the order has more refunds than are listed.
    """
    ours = [node for node in order["refunds"] if carries(node, key)]
    if len(ours) > 1:
        raise Ambiguous(f"{len(ours)} refunds carry the key {key}; a person must look at the order")
    if ours:
        return receipt_from(ours[0])
    if len(order["refunds"]) >= LISTED:
        raise Ambiguous(f"the order has {LISTED} refunds or more; a person must look for the key {key}")
    return None


def build(order: Mapping[str, Any], refund: RefundRequest) -> dict[str, Any]:
    """Build the input of `refundCreate`, spread over the payments the buyer made.

    Raises:
        Invalid: another currency, or more than is left; nothing was sent.
    """
    currency, left = order["presentmentCurrencyCode"], remaining(order)
    if refund.amount.currency != currency:
        raise Invalid(f"the order was paid in {currency}, the refund is in {refund.amount.currency}")
    if refund.amount.amount <= 0:
        raise Invalid(f"a refund of {refund.amount} pays nothing back")
    if left < refund.amount:
        raise Invalid(f"a refund of {refund.amount} is more than the {left} that Shopify would still pay back")
    given: dict[str, Any] = {
        "orderId": refund.order_id,
        "currency": currency,
        "note": refund_note(refund.note, refund.key),
        "notify": True,
        "transactions": _transactions(order, refund),
    }
    # Stock is the warehouse's business: what comes back is counted when it is there.
    lines = [
        {"lineItemId": line.line_id, "quantity": line.quantity, "restockType": "NO_RESTOCK"}
        for line in refund.lines
        if line.quantity > 0
    ]
    return given | ({"refundLineItems": lines} if lines else {})


def _transactions(order: Mapping[str, Any], refund: RefundRequest) -> list[dict[str, Any]]:
    left, parts = refund.amount.amount, []
    for payment in order["suggestedRefund"]["suggestedTransactions"]:
        bag = payment.get("maximumRefundableSet") or payment["amountSet"]
        part = min(left, money(bag).amount)
        if part <= 0 or not payment.get("parentTransaction"):
            continue
        parts.append(
            {
                "orderId": refund.order_id,
                "parentId": payment["parentTransaction"]["id"],
                "gateway": payment["gateway"],
                "kind": "REFUND",
                "amount": str(part),
            }
        )
        left -= part
    if left > 0:
        raise Invalid(f"no payment of the order can take back {left} {refund.amount.currency}; refund it by hand")
    return parts
